// SPDX-License-Identifier: Apache-2.0
// Text in a buffer of fixed size. Runs in watch; owns nothing. Invariant: n < cap and p[n] is NUL.
#include "watch/fixed.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void fixed_init(struct fixed *f, char *p, size_t cap)
{
    *f = (struct fixed){.p = p, .cap = cap};
    p[0] = '\0';
}

void fixed_add(struct fixed *f, const char *fmt, ...)
{
    va_list ap;

    if (f->cut)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(f->p + f->n, f->cap - f->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= f->cap - f->n) {
        f->p[f->n] = '\0';
        f->cut = true;
        return;
    }
    f->n += (size_t)n;
}

static void add_bytes(struct fixed *f, const char *p, size_t n)
{
    if (f->cut || n >= f->cap - f->n) {
        f->cut = true;
        return;
    }
    memcpy(f->p + f->n, p, n);
    f->n += n;
    f->p[f->n] = '\0';
}

static void add_clean(struct fixed *f, const char *text, bool json)
{
    const unsigned char *s = (const unsigned char *)text;
    char code[8];

    while (*s) {
        size_t n = utf8_length(s, 4);
        if (n == 0) {
            add_bytes(f, "\xef\xbf\xbd", 3);
            s++;
            continue;
        }
        if (*s == '"' || *s == '\\') {
            add_bytes(f, (char[]){'\\', (char)*s}, 2);
        } else if (*s == '\n') {
            add_bytes(f, "\\n", 2);
        } else if (json && (*s < 0x20 || *s == 0x7f)) {
            snprintf(code, sizeof code, "\\u%04x", *s);
            add_bytes(f, code, 6);
        } else {
            add_bytes(f, (const char *)s, n);
        }
        s += n;
    }
}

void fixed_json(struct fixed *f, const char *text)
{
    add_bytes(f, "\"", 1);
    add_clean(f, text, true);
    add_bytes(f, "\"", 1);
}

void fixed_json_whole(struct fixed *f, double value)
{
    if (isfinite(value))
        fixed_add(f, "%.0f", fmin(1e18, fmax(-1e18, value)) + 0.0);
    else
        fixed_add(f, "null");
}

void fixed_label(struct fixed *f, const char *text)
{
    add_clean(f, text, false);
}
