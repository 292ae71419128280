// SPDX-License-Identifier: Apache-2.0
// Memory that lives as long as a request: many small allocations, one release. Blocks are kept in a small pool of the
// process, so a request usually allocates nothing from malloc.
#pragma once
#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t bytes; // sum of what was asked for, so that callers can bound it
};

#define ARENA_INIT ((struct arena){0})

// 16-byte aligned, not cleared; never NULL (dies when memory is out).
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_calloc(struct arena *a, size_t bytes);
char *arena_strndup(struct arena *a, const char *s, size_t n); // adds a NUL
struct str arena_str(struct arena *a, struct str s);           // copy, NUL behind it
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Gives everything back; the arena is empty and may be used again.
void arena_reset(struct arena *a);
