// SPDX-License-Identifier: Apache-2.0
// A request's body before a worker gets it: bytes in memory up to body_memory, then an unlinked spool file.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct body {
    struct buf mem; // all of it while fd is -1
    int fd;         // spool file, -1 = none
    uint64_t n;     // received so far
    bool complete;
};

void body_init(struct body *b);
void body_done(struct body *b);
// Appends. Returns 0, or -errno of the spool file (ENOSPC, EIO...); the body is then useless.
int body_add(struct body *b, const char *data, size_t n, size_t memory_max, const char *spool_dir);
