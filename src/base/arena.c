// SPDX-License-Identifier: Apache-2.0
// Request memory. Runs in the edge, which has one thread: the pool of spare blocks needs no lock.
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"

#define BLOCK_BYTES 4096
#define SPARE_MAX 256 // 1 MiB kept at most

struct arena_block {
    struct arena_block *next;
    size_t size, used; // of data
    _Alignas(16) char data[];
};

static struct arena_block *spare;
static unsigned n_spare;

static struct arena_block *block_new(size_t need)
{
    size_t plain = BLOCK_BYTES - sizeof(struct arena_block);
    struct arena_block *b;

    if (need <= plain && spare) {
        b = spare;
        spare = b->next;
        n_spare--;
    } else {
        size_t size = need <= plain ? plain : need;
        b = xmalloc(sizeof *b + size);
        b->size = size;
    }
    b->used = 0;
    return b;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    must(bytes < SIZE_MAX / 2);
    size_t need = (bytes + 15) & ~(size_t)15;
    struct arena_block *b = a->head;

    if (!b || b->size - b->used < need) {
        struct arena_block *fresh = block_new(need);
        if (b && need > BLOCK_BYTES / 4) { // a big piece of its own: keep filling the current block
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->head = fresh;
        }
        b = fresh;
    }
    void *p = b->data + b->used;
    b->used += need;
    a->bytes += bytes;
    return p;
}

void *arena_calloc(struct arena *a, size_t bytes)
{
    return memset(arena_alloc(a, bytes), 0, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_strndup(a, s.p, s.n), s.n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    must(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){p, (size_t)n};
}

void arena_reset(struct arena *a)
{
    for (struct arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (b->size == BLOCK_BYTES - sizeof *b && n_spare < SPARE_MAX) {
            b->next = spare;
            spare = b;
            n_spare++;
        } else {
            free(b);
        }
    }
    *a = ARENA_INIT;
}
