// SPDX-License-Identifier: Apache-2.0
// The command line of plimsoll-xray watch.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct watch_args {
    pid_t pid;           // 0: not given
    const char *cgroup;  // NULL: not given, as all texts
    const char *process; // the oldest process of that name, looked for again when it has ended
    bool self, help;
    double interval_s;
    const char *record;
    int64_t record_max; // bytes; at that size it becomes FILE.1
    const char *state, *log, *exec, *webhook, *webhook_command, *listen, *socket, *requests;
    // For tests.
    const char *proc, *sys, *root;
    double time_scale; // seconds of t in one of the clock
    double retry_s;    // the first pause before a webhook is tried again
};

// 0, or -EINVAL with the reason in `error`. Texts are borrowed from argv.
int watch_args_parse(int argc, char **argv, struct watch_args *ret, char *error, size_t error_n);
