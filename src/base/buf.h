// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes, owned. Its growth is bounded by the caller, who knows the limit.
#pragma once
#include <stddef.h>

#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap;
};

#define BUF_INIT ((struct buf){0})

void buf_done(struct buf *b);                                // frees; b is empty again
char *buf_reserve(struct buf *b, size_t room);               // where room bytes may be written; then add to b->n
void buf_add(struct buf *b, const void *data, size_t n);
static inline void buf_add_str(struct buf *b, struct str s) { buf_add(b, s.p, s.n); }
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_drop(struct buf *b, size_t n);                      // removes the first n bytes
static inline struct str buf_str(const struct buf *b) { return (struct str){b->p, b->n}; }
