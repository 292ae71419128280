// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes. Runs in every process.
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"

void buf_done(struct buf *b)
{
    free(b->p);
    *b = BUF_INIT;
}

char *buf_reserve(struct buf *b, size_t room)
{
    must(room < SIZE_MAX / 4 && b->n < SIZE_MAX / 4);
    if (b->cap - b->n < room) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap - b->n < room)
            cap *= 2;
        b->p = xrealloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
    if (!n)
        return;
    memcpy(buf_reserve(b, n), data, n);
    b->n += n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    for (size_t room = 128;; ) {
        char *at = buf_reserve(b, room);
        va_start(ap, fmt);
        int n = vsnprintf(at, room, fmt, ap);
        va_end(ap);
        must(n >= 0);
        if ((size_t)n < room) {
            b->n += (size_t)n;
            return;
        }
        room = (size_t)n + 1;
    }
}

void buf_drop(struct buf *b, size_t n)
{
    must(n <= b->n);
    b->n -= n;
    if (b->n)
        memmove(b->p, b->p + n, b->n);
}
