// SPDX-License-Identifier: Apache-2.0
// The command line of xray: its table, and what doesn't go together. Owns nothing.
#include "xray/xray_args.h"

#include <string.h>

#include "base/args.h"

const char xray_usage[] =
    "Usage: plimsoll-xray [xray] [--pid N | --cgroup PATH | --self] [--for 60s] [OPTIONS]\n"
    "       plimsoll-xray --replay FILE [--json]\n"
    "       plimsoll-xray watch ... | tune ...        (watch --help, tune --help)\n"
    "\n"
    "Shows where a container's memory is, whether it grows, why, how long is left and what to change.\n"
    "Without a target: the container it runs in; outside of one, the machine.\n"
    "\n"
    "  --pid N          the container of process N\n"
    "  --cgroup PATH    a memory cgroup: a path below /sys/fs/cgroup, or relative to the memory hierarchy\n"
    "  --self           this process's own cgroup, whatever it is\n"
    "  --for T          watch for T (60s, 5m) before the verdict; without it, one look\n"
    "  --live           a picture that renews itself each second, until q or --for\n"
    "  --json           print plimsoll.xray/1\n"
    "  --report FILE    write an HTML page as well\n"
    "  --requests URL   where requests are counted: unix:/run/php/fpm.sock|/status, http://127.0.0.1:2019/metrics, tcp\n"
    "  --last           how the last life ended, from watch's history in --state\n"
    "  --state DIR      the folder that watch --state writes to\n"
    "  --socket S       the socket of a running watch: a path, or @name\n"
    "  --color WHEN     auto, always or never\n"
    "  --replay FILE    judge a recording\n"
    "  --version, --help\n"
    "\n"
    "Exit codes: 0 done, whatever the verdict; 1 it failed; 2 the command line, or nothing to look at.\n";

static bool take_color(void *field, const char *value)
{
    static const char *const words[] = {[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], value)) {
            *(enum xray_color *)field = (enum xray_color)i;
            return true;
        }
    return false;
}

#define AT(field) .at = offsetof(struct xray_args, field)
static const struct arg_row rows[] = {
    {"pid", ARG_PID, AT(pid)},
    {"cgroup", ARG_TEXT, AT(cgroup)},
    {"self", ARG_SWITCH, AT(self)},
    {"for", ARG_SECONDS, AT(for_s), .least = 1, .most = XRAY_FOR_MAX},
    {"live", ARG_SWITCH, AT(live)},
    {"json", ARG_SWITCH, AT(json)},
    {"report", ARG_TEXT, AT(report)},
    {"requests", ARG_TEXT, AT(requests)},
    {"last", ARG_SWITCH, AT(last)},
    {"state", ARG_TEXT, AT(state)},
    {"socket", ARG_TEXT, AT(socket)},
    {"color", ARG_OWN, AT(color), .take = take_color, .wanted = "none of auto, always, never"},
    {"replay", ARG_TEXT, AT(replay)},
    {"help", ARG_SWITCH, AT(help)},
    {"proc", ARG_TEXT, AT(proc), .hidden = true},
    {"sys", ARG_TEXT, AT(sys), .hidden = true},
    {"root", ARG_TEXT, AT(root), .hidden = true},
};
static const struct arg_table table = {rows, sizeof rows / sizeof *rows, "a process is --pid N, a cgroup --cgroup PATH"};

static int check(const struct xray_args *a, char *error, size_t error_n)
{
    if ((a->pid != 0) + (a->cgroup != NULL) + a->self > 1)
        return args_refuse(error, error_n, "--pid, --cgroup and --self name one target: give one of them");
    if (a->replay && (a->pid || a->cgroup || a->self || a->for_s > 0 || a->live || a->report || a->last))
        return args_refuse(error, error_n, "--replay judges a recording: it goes with --json only");
    if (a->last && !a->state)
        return args_refuse(error, error_n, "--last wants --state DIR, the folder that watch --state DIR writes to");
    if (a->last && (a->live || a->for_s > 0))
        return args_refuse(error, error_n, "--last looks back: it goes with neither --for nor --live");
    if (a->live && a->json)
        return args_refuse(error, error_n, "--live draws on a terminal: it doesn't go with --json");
    return 0;
}

int xray_args_parse(int argc, char **argv, struct xray_args *ret, char *error, size_t error_n)
{
    struct xray_args a = {0};

    int r = args_parse(argc, argv, &table, &a, error, error_n);
    if (r == 0 && !a.help)
        r = check(&a, error, error_n);
    if (r == 0)
        *ret = a;
    return r;
}
