// SPDX-License-Identifier: Apache-2.0
// Reads the command line of xray. Owns nothing; refuses what it doesn't know, with the nearest it does.
#include "xray/xray_args.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum kind { FLAG, TEXT };
struct option_row {
    const char *name;
    enum kind kind;
    size_t at; // of struct xray_args
};
#define ROW(name, kind, field)                                                                                                   \
    {                                                                                                                            \
        name, kind, offsetof(struct xray_args, field)                                                                            \
    }
static const struct option_row option_rows[] = {
    ROW("self", FLAG, self),     ROW("json", FLAG, json),         ROW("live", FLAG, live),     ROW("last", FLAG, last),
    ROW("help", FLAG, help),     ROW("cgroup", TEXT, cgroup),     ROW("report", TEXT, report), ROW("state", TEXT, state),
    ROW("socket", TEXT, socket), ROW("requests", TEXT, requests), ROW("replay", TEXT, replay), ROW("proc", TEXT, proc),
    ROW("sys", TEXT, sys),       ROW("root", TEXT, root),         ROW("pid", TEXT, pid),       ROW("for", TEXT, for_s),
    ROW("color", TEXT, color),
};
#define N_ROWS (sizeof option_rows / sizeof *option_rows)

bool xray_seconds(const char *text, double *ret)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    double number = strtod(text, &end);
    if (!isfinite(number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(end, units[i].unit)) {
            *ret = number * units[i].seconds;
            return true;
        }
    return false;
}

static int __attribute__((format(printf, 3, 4))) refuse(char *error, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(error, n, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

static int set_value(struct xray_args *a, const struct option_row *row, const char *value, char *error, size_t error_n)
{
    char *end;

    if (!*value)
        return refuse(error, error_n, "--%s wants a value", row->name);
    if (row->at == offsetof(struct xray_args, pid)) {
        errno = 0;
        long pid = strtol(value, &end, 10);
        if (*end || errno || pid < 1 || pid > INT_MAX)
            return refuse(error, error_n, "--pid: '%.60s' is no process id", value);
        a->pid = (pid_t)pid;
    } else if (row->at == offsetof(struct xray_args, for_s)) {
        if (!xray_seconds(value, &a->for_s) || a->for_s < 1 || a->for_s > XRAY_FOR_MAX)
            return refuse(error, error_n, "--for: '%.60s' is no time between 1s and 24h (60s, 5m, 1h)", value);
    } else if (row->at == offsetof(struct xray_args, color)) {
        static const char *const words[] = {"auto", "always", "never"};
        size_t i = 0;
        while (i < 3 && strcmp(words[i], value))
            i++;
        if (i == 3)
            return refuse(error, error_n, "--color: '%.60s' is none of auto, always, never", value);
        a->color = (enum xray_color)i;
    } else {
        memcpy((char *)a + row->at, &value, sizeof value);
    }
    return 0;
}

static const struct option_row *find_row(const char *name, size_t n)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(option_rows[i].name) == n && !memcmp(option_rows[i].name, name, n))
            return &option_rows[i];
    return NULL;
}

// Which of the public options begins like it.
static const char *nearest(const char *name)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (!strncmp(option_rows[i].name, name, 2) && name[0] && name[1])
            return option_rows[i].name;
    return NULL;
}

static int check(const struct xray_args *a, char *error, size_t error_n)
{
    if ((a->pid != 0) + (a->cgroup != NULL) + a->self > 1)
        return refuse(error, error_n, "--pid, --cgroup and --self name one target: give one of them");
    if (a->replay && (a->pid || a->cgroup || a->self || a->for_s > 0 || a->live || a->report || a->last))
        return refuse(error, error_n, "--replay judges a recording: it goes with --json only");
    if (a->last && !a->state)
        return refuse(error, error_n, "--last wants --state DIR, the folder that watch --state DIR writes to");
    if (a->last && (a->live || a->for_s > 0))
        return refuse(error, error_n, "--last looks back: it goes with neither --for nor --live");
    if (a->live && a->json)
        return refuse(error, error_n, "--live draws on a terminal: it doesn't go with --json");
    return 0;
}

int xray_args_parse(int argc, char **argv, struct xray_args *ret, char *error, size_t error_n)
{
    struct xray_args a = {0};

    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!strcmp(arg, "-h"))
            arg = "--help";
        if (strncmp(arg, "--", 2) != 0)
            return refuse(error, error_n, "'%.60s' is no option; a process is --pid N, a cgroup --cgroup PATH", arg);
        size_t n = strcspn(arg + 2, "=");
        const struct option_row *row = find_row(arg + 2, n);
        if (!row) {
            const char *near = nearest(arg + 2);
            return refuse(error, error_n, "unknown option '%.60s'%s%s%s", arg, near ? "; did you mean --" : "", near ? near : "",
                          near ? "?" : "");
        }
        bool has_value = arg[2 + n] == '=';
        if (row->kind == FLAG) {
            if (has_value)
                return refuse(error, error_n, "--%s takes no value", row->name);
            *(bool *)((char *)&a + row->at) = true;
            continue;
        }
        if (!has_value && i + 1 >= argc)
            return refuse(error, error_n, "--%s wants a value", row->name);
        int r = set_value(&a, row, has_value ? arg + 3 + n : argv[++i], error, error_n);
        if (r)
            return r;
    }
    int r = a.help ? 0 : check(&a, error, error_n);
    if (r == 0)
        *ret = a;
    return r;
}
