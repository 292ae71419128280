// SPDX-License-Identifier: Apache-2.0
// Two kinds of check: ours is a crash, theirs is an error. must() states what our own code guarantees; what comes from
// outside (peers, files, users) is never checked with it.
#pragma once
#include <stddef.h>

_Noreturn void die_at(const char *file, int line, const char *what);

#define must(cond) ((cond) ? (void)0 : die_at(__FILE__, __LINE__, #cond))

// Fixed-size allocations: they end the process when memory is out, so they never return NULL.
void *xmalloc(size_t bytes);
void *xcalloc(size_t n, size_t bytes);
void *xrealloc(void *p, size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);
