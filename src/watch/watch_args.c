// SPDX-License-Identifier: Apache-2.0
// Reads the command line of watch, and its help. Owns nothing.
#include "watch/watch_args.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum kind { FLAG, TEXT, SECONDS, SIZE, NUMBER, PID };
struct option_row {
    const char *name;
    enum kind kind;
    size_t at; // of struct watch_args
    double least, most;
};
#define ROW(name, kind, field, ...)                                                                                              \
    {                                                                                                                            \
        name, kind, offsetof(struct watch_args, field), __VA_ARGS__                                                              \
    }
static const struct option_row option_rows[] = {
    ROW("self", FLAG, self, 0, 0),
    ROW("help", FLAG, help, 0, 0),
    ROW("pid", PID, pid, 1, INT_MAX),
    ROW("cgroup", TEXT, cgroup, 0, 0),
    ROW("process", TEXT, process, 0, 0),
    ROW("interval", SECONDS, interval_s, 0.01, 3600),
    ROW("record", TEXT, record, 0, 0),
    ROW("record-max", SIZE, record_max, 65536, 1e15),
    ROW("state", TEXT, state, 0, 0),
    ROW("log", TEXT, log, 0, 0),
    ROW("exec", TEXT, exec, 0, 0),
    ROW("webhook", TEXT, webhook, 0, 0),
    ROW("webhook-command", TEXT, webhook_command, 0, 0),
    ROW("listen", TEXT, listen, 0, 0),
    ROW("socket", TEXT, socket, 0, 0),
    ROW("requests", TEXT, requests, 0, 0),
    ROW("proc", TEXT, proc, 0, 0),
    ROW("sys", TEXT, sys, 0, 0),
    ROW("root", TEXT, root, 0, 0),
    ROW("time-scale", NUMBER, time_scale, 0.001, 1e6),
    ROW("retry", SECONDS, retry_s, 0.001, 3600),
};
#define N_ROWS (sizeof option_rows / sizeof *option_rows)

static const struct {
    const char *unit;
    double factor;
} seconds_units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}},
  size_units[] = {{"", 1}, {"k", 1024}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}}, no_units[] = {{"", 1}};

static int __attribute__((format(printf, 3, 4))) refuse(char *error, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(error, n, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

static bool amount(const char *text, enum kind kind, double *ret)
{
    size_t n = sizeof no_units / sizeof *no_units;
    char *end;

    if (text[0] < '0' || text[0] > '9' || text[1] == 'x' || text[1] == 'X')
        return false;
    double number = strtod(text, &end);
    if (kind == SECONDS)
        n = sizeof seconds_units / sizeof *seconds_units;
    else if (kind == SIZE)
        n = sizeof size_units / sizeof *size_units;
    for (size_t i = 0; i < n && isfinite(number); i++) {
        const char *unit = kind == SECONDS ? seconds_units[i].unit : kind == SIZE ? size_units[i].unit : no_units[i].unit;
        if (strcmp(end, unit) == 0) {
            *ret = number * (kind == SECONDS ? seconds_units[i].factor : kind == SIZE ? size_units[i].factor : 1);
            return true;
        }
    }
    return false;
}

static int set_value(struct watch_args *a, const struct option_row *row, const char *value, char *error, size_t error_n)
{
    void *at = (char *)a + row->at;
    double number;

    if (row->kind == TEXT) {
        if (!*value)
            return refuse(error, error_n, "--%s wants a value", row->name);
        *(const char **)at = value;
        return 0;
    }
    if (!amount(value, row->kind, &number) || (row->kind == PID && number != floor(number)))
        return refuse(error, error_n, "--%s: %.100s is no %s", row->name, value,
                      row->kind == SECONDS ? "time (1s, 500ms, 5m)"
                      : row->kind == SIZE  ? "size (64M, 1G)"
                                           : "number");
    if (number < row->least || number > row->most)
        return refuse(error, error_n, "--%s: %.100s is out of range (%.12g to %.12g)", row->name, value, row->least, row->most);
    if (row->kind == PID)
        *(pid_t *)at = (pid_t)number;
    else if (row->kind == SIZE)
        *(int64_t *)at = (int64_t)number;
    else
        *(double *)at = number;
    return 0;
}

static int settle(const struct watch_args *a, char *error, size_t error_n)
{
    int targets = (a->pid != 0) + (a->cgroup != NULL) + (a->process != NULL) + a->self;

    if (targets > 1)
        return refuse(error, error_n, "--self, --pid, --process and --cgroup name one target: give one of them");
    if (a->webhook && strncmp(a->webhook, "https://", 8) == 0)
        return refuse(error, error_n,
                      "--webhook speaks plain http only; for https: --webhook-command 'curl -sf -m 10 --data-binary @- %.200s'",
                      a->webhook);
    return 0;
}

int watch_args_parse(int argc, char **argv, struct watch_args *ret, char *error, size_t error_n)
{
    struct watch_args a = {.interval_s = 1, .record_max = 64 << 20, .time_scale = 1, .retry_s = 1};

    for (int i = 1; i < argc; i++) {
        const struct option_row *row = NULL;
        const char *name = argv[i];
        if (strcmp(name, "-h") == 0)
            name = "--help";
        if (strncmp(name, "--", 2) != 0)
            return refuse(error, error_n, "%.100s: there is no such argument", argv[i]);
        name += 2;
        const char *value = strchr(name, '=');
        size_t n = value ? (size_t)(value - name) : strlen(name);
        for (size_t k = 0; k < N_ROWS; k++)
            if (strlen(option_rows[k].name) == n && strncmp(option_rows[k].name, name, n) == 0)
                row = &option_rows[k];
        if (!row)
            return refuse(error, error_n, "%.100s: there is no such option", argv[i]);
        if (row->kind == FLAG) {
            if (value)
                return refuse(error, error_n, "--%s takes no value", row->name);
            *(bool *)((char *)&a + row->at) = true;
            continue;
        }
        if (!value && i + 1 >= argc)
            return refuse(error, error_n, "--%s wants a value", row->name);
        value = value ? value + 1 : argv[++i];
        int r = set_value(&a, row, value, error, error_n);
        if (r < 0)
            return r;
    }
    int r = settle(&a, error, error_n);
    if (r == 0)
        *ret = a;
    return r;
}
