// SPDX-License-Identifier: Apache-2.0
// Text put together in a buffer of fixed size: nothing is allocated, so that it also works in the middle of a stall. The first
// piece that doesn't fit and all behind it are left out, and `cut` says so; the text is always NUL-terminated.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct fixed {
    char *p;
    size_t n, cap;
    bool cut;
};

void fixed_init(struct fixed *f, char *p, size_t cap);
void fixed_add(struct fixed *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
void fixed_json(struct fixed *f, const char *text);
// A whole number for JSON; what isn't finite becomes null.
void fixed_json_whole(struct fixed *f, double value);
// The value of a label in OpenMetrics, without its quotes.
void fixed_label(struct fixed *f, const char *text);
