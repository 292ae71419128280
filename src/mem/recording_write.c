// SPDX-License-Identifier: Apache-2.0
// Writes a recording's header and rows into the caller's buffer. No allocation: it goes on in a stall.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mem/recording.h"

static const char *const names[][2] = {
#define FIELD(id, kind, v1, v2, aliases, help) {v1, v2},
#include "tbl/mem_fields.def"
#undef FIELD
};

static bool holds(const uint64_t set[2], int f)
{
    return set[f / 64] >> (f % 64) & 1;
}

static char *put_text(char *p, const char *end, const char *text)
{
    size_t n = strlen(text);

    if (!p || n >= (size_t)(end - p))
        return NULL;
    memcpy(p, text, n);
    return p + n;
}

static char *put_number(char *p, const char *end, int64_t v)
{
    char text[24], *at = text + sizeof text - 1;
    uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;

    *at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (v < 0)
        *--at = '-';
    return put_text(p, end, at);
}

static size_t finish(char *buf, char *p, const char *end)
{
    p = put_text(p, end, "\n");
    if (!p)
        return 0;
    *p = '\0';
    return (size_t)(p - buf);
}

size_t recording_header(enum recording_names which, const uint64_t columns[2], char *buf, size_t cap)
{
    const char *end = buf + cap;
    char *p = put_text(buf, end, "t");

    for (int f = 0; f < MEM_N; f++)
        if (holds(columns, f)) {
            p = put_text(p, end, ",");
            p = put_text(p, end, names[f][which == RECORDING_V2]);
        }
    return finish(buf, p, end);
}

size_t recording_row(const struct mem_sample *s, const uint64_t columns[2], char *buf, size_t cap)
{
    const char *end = buf + cap;
    char t[48];
    int n = snprintf(t, sizeof t, "%.3f", s->t);

    if (n < 0 || n >= (int)sizeof t)
        return 0;
    if (t[n - 1] == '0') // milliseconds where there are any, else hundredths
        t[n - 1] = '\0';
    char *p = put_text(buf, end, t);
    for (int f = 0; f < MEM_N; f++) {
        if (!holds(columns, f))
            continue;
        p = put_text(p, end, ",");
        if (!mem_known(s, (enum mem_field)f))
            continue;
        p = f == MEM_limit && s->v[f] == MEM_UNLIMITED ? put_text(p, end, "max") : put_number(p, end, s->v[f]);
    }
    return finish(buf, p, end);
}
