// SPDX-License-Identifier: Apache-2.0
// CSV for recordings: whatever the bytes are, each call does bounded work in bounded memory. Owns the buffer for a descriptor.
#include "mem/csv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

int csv_init_fd(struct csv *c, int fd, size_t max)
{
    *c = (struct csv){.fd = fd, .max = max, .buf = malloc(max + 2)};
    c->p = c->buf;
    return c->buf ? 0 : -ENOMEM;
}

void csv_init_text(struct csv *c, const char *p, size_t n, size_t max)
{
    *c = (struct csv){.fd = -1, .max = max, .p = p, .n = n, .end = true};
}

void csv_done(struct csv *c)
{
    free(c->buf);
    *c = (struct csv){.fd = -1, .end = true};
}

// Reads more behind what is unread; there is room for a whole line and its end.
static int read_more(struct csv *c)
{
    size_t size = c->max + 2;

    if (c->n)
        memmove(c->buf, c->p, c->n);
    c->p = c->buf;
    ssize_t got;
    do
        got = read(c->fd, c->buf + c->n, size - c->n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got == 0)
        c->end = true;
    c->n += (size_t)got;
    return 0;
}

static void drop(struct csv *c, size_t n)
{
    c->p += n;
    c->n -= n;
}

int csv_next(struct csv *c, struct str *ret_line)
{
    for (size_t looked = 0;;) {
        const char *lf = c->n > looked ? memchr(c->p + looked, '\n', c->n - looked) : NULL;
        size_t n = lf ? (size_t)(lf - c->p) : c->n;
        if (c->skipping) {
            drop(c, lf ? n + 1 : n);
            looked = 0;
            if (lf)
                c->skipping = false;
            else if (c->end)
                return CSV_END;
        } else if (n > c->max) { // told at once, whether or not its end is here
            c->line++;
            drop(c, lf ? n + 1 : n);
            c->skipping = !lf;
            return CSV_LINE_TOO_LONG;
        } else if (lf || c->end) {
            if (n == 0 && !lf)
                return CSV_END;
            c->line++;
            *ret_line = (struct str){c->p, n};
            if (n && c->p[n - 1] == '\r')
                ret_line->n--;
            drop(c, lf ? n + 1 : n);
            return lf ? CSV_LINE : CSV_LINE_UNFINISHED;
        } else {
            looked = n;
        }
        if (c->n == 0 && c->end && !c->skipping)
            continue; // comes to CSV_END above
        if (!lf && !c->end) {
            int rc = read_more(c);
            if (rc < 0)
                return rc;
        }
    }
}

bool csv_field(struct str *rest, bool *started, struct str *ret_field)
{
    size_t at = 0;
    bool quoted = false;

    if (*started) {
        if (rest->n == 0)
            return false;
        rest->p++; // the comma
        rest->n--;
    }
    *started = true;
    while (at < rest->n && (quoted || rest->p[at] != ',')) {
        quoted ^= rest->p[at] == '"';
        at++;
    }
    struct str field = str_trim((struct str){rest->p, at});
    if (field.n >= 2 && field.p[0] == '"' && field.p[field.n - 1] == '"')
        field = str_trim((struct str){field.p + 1, field.n - 2});
    rest->p += at;
    rest->n -= at;
    *ret_field = field;
    return true;
}

static bool is_nothing(struct str s)
{
    static const char *const words[] = {"-", "na", "n/a", "nan", "null", "none", "unknown"};

    if (s.n == 0)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(s, str_from(words[i])))
            return true;
    return false;
}

enum csv_number csv_double(struct str s, double *ret)
{
    char text[64], *end;

    if (is_nothing(s))
        return CSV_NOTHING;
    if (s.n >= sizeof text)
        return CSV_GARBAGE;
    for (size_t i = 0; i < s.n; i++) { // no hexadecimal, no infinity
        char ch = s.p[i];
        if (!(ch >= '0' && ch <= '9') && ch != '.' && ch != '-' && ch != '+' && ch != 'e' && ch != 'E')
            return CSV_GARBAGE;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v))
        return CSV_GARBAGE;
    *ret = v;
    return CSV_NUMBER;
}

enum csv_number csv_int64(struct str s, int64_t *ret)
{
    if (s.n > 0 && s.n <= 19) { // digits only: exact, and the common case
        uint64_t v = 0;
        size_t i = 0;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            v = v * 10 + (uint64_t)(s.p[i] - '0');
        if (i == s.n) {
            *ret = v > INT64_MAX ? INT64_MAX : (int64_t)v;
            return CSV_NUMBER;
        }
    }
    double v;
    enum csv_number what = csv_double(s, &v);
    if (what != CSV_NUMBER)
        return what;
    if (v < 0)
        return CSV_GARBAGE;
    *ret = v >= 0x1p63 ? INT64_MAX : (int64_t)(v + 0.5 < 0x1p63 ? v + 0.5 : v);
    return CSV_NUMBER;
}
