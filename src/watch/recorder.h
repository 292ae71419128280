// SPDX-License-Identifier: Apache-2.0
// The recording that watch writes: the traces' CSV. The descriptor stays open; a file of an earlier run goes on where its columns
// are ours, else it becomes FILE.1.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/cgroup_find.h"
#include "mem/sample.h"

struct recorder {
    const char *path; // borrowed
    int64_t max, size;
    int fd; // -1: not open
    bool v2;
    uint64_t columns[2];
};

// The columns a recording of this kind has: what `first` knows and what may become known later.
void recorder_columns(enum mem_kind kind, const struct mem_sample *first, uint64_t ret_columns[2]);
// 0 or -errno.
int recorder_open(struct recorder *r, const char *path, int64_t max, enum mem_kind kind, const struct mem_sample *first);
// Adds a row; at `max` bytes begins anew. 0 or -errno: the row is lost, the next is tried again.
int recorder_write(struct recorder *r, const struct mem_sample *s);
// Opens the path again (it was moved away). 0 or -errno; then the old file goes on.
int recorder_reopen(struct recorder *r);
void recorder_close(struct recorder *r);
