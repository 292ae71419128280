// SPDX-License-Identifier: Apache-2.0
// Keeps a process's memory where it is, so that it goes on in a stall: there the kernel evicts program text, the watcher's too.
#pragma once
#include <stddef.h>

#define MEMLOCK_TEXT 240

struct memlock {
    size_t locked_bytes;     // 0: nothing could be locked
    char text[MEMLOCK_TEXT]; // in words: how much, and if not all of it, why and what to do
};

// Locks the program, its data, stack and heap as they are now, without touching what was never used. Where the limit is too small
// it locks what fits, the program first. Never fails: ret says what came of it.
void memlock_all(struct memlock *ret);
