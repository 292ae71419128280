// SPDX-License-Identifier: Apache-2.0
// A thread that does what may hang, so that its owner goes on: /proc/PID/cmdline, smaps_rollup and others wait for the lock of a
// process's memory map, which may be held for long (a full container) or for ever (a file system that doesn't answer any more).
// One job at a time. It neither allocates nor logs.
#pragma once
#include <pthread.h>
#include <stdbool.h>

struct looker {
    bool there;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t begun, done;
    void (*job)(void *arg); // NULL: none is under way
    void *arg;
};

// Starts the thread. Without it (-errno) jobs are done by the caller.
int looker_start(struct looker *l);
// Does job(arg). False: it isn't done within ms and goes on; what it works on is its own until looker_is_idle() says otherwise.
bool looker_run(struct looker *l, void (*job)(void *arg), void *arg, int ms);
bool looker_is_idle(struct looker *l);
