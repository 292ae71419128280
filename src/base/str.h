// SPDX-License-Identifier: Apache-2.0
// A slice of bytes that somebody else owns, and what HTTP needs to do with one. ASCII only: no locale is ever asked.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_ARG(s) (int)(s).n, (s).p // for "%.*s"

static inline struct str str_from(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
// Position of c or SIZE_MAX.
size_t str_find(struct str s, char c);
// Without leading and trailing SP and HTAB.
struct str str_trim(struct str s);
// Takes the next element of a list separated by sep off *rest, trimmed; false at the end.
bool str_next(struct str *rest, char sep, struct str *ret_item);
// Decimal digits only, the whole slice, no overflow; false otherwise.
bool str_to_u64(struct str s, uint64_t *ret_value);
// A glob with * (any run of bytes, / included) and ? (one byte); everything else is literal.
bool str_glob(struct str pattern, struct str s);
