// SPDX-License-Identifier: Apache-2.0
// A worker: a fork of the mold that runs one job at a time. It talks to one edge over a link of its own, and to the
// master, which gives it another edge when this one is gone.
#pragma once

#include <stdbool.h>

#include "ipc/link.h"
#include "ipc/msg_types.h"

#define WORKER_EXIT_ORDERLY 0
#define WORKER_EXIT_PROTOCOL 1 // the edge said something it may not say
#define WORKER_EXIT_RECYCLED 3 // after its max_requests

struct worker_start {
    struct msg_spawn spawn;
    int link[LINK_FDS], master_fd, chan_fd;
    const char *pool;
    bool catch_output, dumpable;
};

// Never returns.
_Noreturn void worker_run(const struct worker_start *start);
