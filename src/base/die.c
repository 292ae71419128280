// SPDX-License-Identifier: Apache-2.0
// The end of a process that found itself broken, and the allocations that may end it. Runs in every process.
#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void die_at(const char *file, int line, const char *what)
{
    log_error("broken invariant at %s:%d: %s", file, line, what);
    abort();
}

static void *or_die(void *p)
{
    if (!p)
        die_at(__FILE__, __LINE__, "out of memory");
    return p;
}

void *xmalloc(size_t bytes)
{
    return or_die(malloc(bytes ? bytes : 1));
}

void *xcalloc(size_t n, size_t bytes)
{
    return or_die(calloc(n ? n : 1, bytes ? bytes : 1));
}

void *xrealloc(void *p, size_t bytes)
{
    return or_die(realloc(p, bytes ? bytes : 1));
}

char *xstrdup(const char *s)
{
    return or_die(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
    return or_die(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return or_die(n < 0 ? NULL : text);
}
