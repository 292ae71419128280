// SPDX-License-Identifier: Apache-2.0
// Commands that are told of alarms: --exec and --webhook-command. Bounded in number and time, reaped, with the notice as JSON on
// their standard input and its parts in the environment; what they print goes to watch's log.
#pragma once
#include "watch/courier.h"

#define HOOK_TIME_S 30 // a command that runs longer is ended

struct hook {
    const char *command; // borrowed
    struct courier courier;
    pid_t pid; // 0: none runs
    bool asked_to_end;
    struct timer limit;
};

// tries: 1 for --exec; more where a command that fails is to be tried again.
void hook_init(struct hook *h, const char *name, const char *command, unsigned tries, double retry_s);
// A child has ended (SIGCHLD): looks whether it is this hook's.
void hook_reap(struct hook *h);
// Ends what runs.
void hook_done(struct hook *h);
