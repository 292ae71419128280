// SPDX-License-Identifier: Apache-2.0
// Reads the command line of watch, and its help. Owns nothing.
#include "watch/watch_args.h"

#include <string.h>

#include "base/args.h"
#include "watch/watch.h"

const char watch_usage[] =
    "Usage: plimsoll-xray watch [--self | --pid N | --process NAME | --cgroup PATH] [OPTIONS]\n"
    "\n"
    "Looks at a container's memory once a second for as long as it lives and alarms when it grows without end, or stalls.\n"
    "Without a target: the container it runs in.\n"
    "\n"
    "  --self               this process's own container\n"
    "  --pid N              the container of process N; ends when that is gone\n"
    "  --process NAME       that of the oldest process called NAME; waits for it and for its successors\n"
    "  --cgroup PATH        a memory cgroup: a path below /sys/fs/cgroup, or relative to the memory hierarchy; waits for it\n"
    "  --interval T         time between two looks (1s); 10ms to 1h\n"
    "  --log FILE           where alarms and messages go; - is standard error (-)\n"
    "  --exec CMD           run at each alarm and when it is over: PLIMSOLL_VERDICT and others in the environment, JSON on its\n"
    "                       standard input\n"
    "  --webhook URL        the same JSON is posted there; http:// with an IP address or localhost\n"
    "  --webhook-command CMD  for https: a command that posts its standard input, tried again when it fails:\n"
    "                       'curl -sf -m 10 --data-binary @- https://example.org/hook'\n"
    "  --listen ADDR        OpenMetrics for Prometheus on 127.0.0.1:9750, [::1]:9750, :9750 (loopback) or unix:PATH\n"
    "  --record FILE        a row of CSV a look, to be read by xray --replay; added to where there is one\n"
    "  --record-max SIZE    at that size FILE becomes FILE.1 and a new one is begun (64M)\n"
    "  --state DIR          keeps a bounded history there, for xray --last and for a watch that is started again\n"
    "  --socket S           where xray asks: a path, or @name (@plimsoll-watch-INODE of the cgroup)\n"
    "  --requests URL       where requests are counted: unix:/run/php/fpm.sock|/status, http://127.0.0.1:2019/metrics, tcp\n"
    "  --version, --help\n"
    "\n"
    "HUP opens log and recording anew; TERM and INT end it. Exit codes: 0 told to end, or what it watched is gone; 1 it failed;\n"
    "2 the command line.\n";

#define AT(field) .at = offsetof(struct watch_args, field)
static const struct arg_row rows[] = {
    {"self", ARG_SWITCH, AT(self)},
    {"pid", ARG_PID, AT(pid)},
    {"process", ARG_TEXT, AT(process)},
    {"cgroup", ARG_TEXT, AT(cgroup)},
    {"interval", ARG_SECONDS, AT(interval_s), .least = 0.01, .most = 3600},
    {"log", ARG_TEXT, AT(log)},
    {"exec", ARG_TEXT, AT(exec)},
    {"webhook", ARG_TEXT, AT(webhook)},
    {"webhook-command", ARG_TEXT, AT(webhook_command)},
    {"listen", ARG_TEXT, AT(listen)},
    {"record", ARG_TEXT, AT(record)},
    {"record-max", ARG_BYTES, AT(record_max), .least = 65536, .most = 1e15},
    {"state", ARG_TEXT, AT(state)},
    {"socket", ARG_TEXT, AT(socket)},
    {"requests", ARG_TEXT, AT(requests)},
    {"help", ARG_SWITCH, AT(help)},
    {"proc", ARG_TEXT, AT(proc), .hidden = true},
    {"sys", ARG_TEXT, AT(sys), .hidden = true},
    {"root", ARG_TEXT, AT(root), .hidden = true},
    {"time-scale", ARG_NUMBER, AT(time_scale), .least = 0.001, .most = 1e6, .hidden = true},
    {"retry", ARG_SECONDS, AT(retry_s), .least = 0.001, .most = 3600, .hidden = true},
};
static const struct arg_table table = {rows, sizeof rows / sizeof *rows, "a process is --pid N, a cgroup --cgroup PATH"};

static int settle(const struct watch_args *a, char *error, size_t error_n)
{
    int targets = (a->pid != 0) + (a->cgroup != NULL) + (a->process != NULL) + a->self;

    if (targets > 1)
        return args_refuse(error, error_n, "--self, --pid, --process and --cgroup name one target: give one of them");
    if (a->webhook && strncmp(a->webhook, "https://", 8) == 0)
        return args_refuse(
            error, error_n,
            "--webhook speaks plain http only; for https: --webhook-command 'curl -sf -m 10 --data-binary @- %.200s'",
            a->webhook);
    return 0;
}

int watch_args_parse(int argc, char **argv, struct watch_args *ret, char *error, size_t error_n)
{
    struct watch_args a = {.interval_s = 1, .record_max = 64 << 20, .time_scale = 1, .retry_s = 1};

    int r = args_parse(argc - 1, argv + 1, &table, &a, error, error_n);
    if (r == 0)
        r = settle(&a, error, error_n);
    if (r == 0)
        *ret = a;
    return r;
}
