// SPDX-License-Identifier: Apache-2.0
// Decoder of the chunked transfer coding. Pure; runs in the edge, owns nothing. Invariant: the body and its end are the same
// whatever the pieces in which the bytes arrive.
#include "http/chunked.h"

#include "http/http_int.h"

#define LINE_MAX_BYTES 1024     // a chunk-size line: extensions are allowed, and nobody uses them
#define TRAILERS_MAX_BYTES 8192 // all trailer fields together

enum state {
    SIZE,       // first hex digit
    SIZE_MORE,  // further ones
    SIZE_SPACE, // white space that only an extension may follow
    EXTENSION,  // up to CR
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, // first byte of a line
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    END,
};

static bool add_digit(struct chunked *c, int digit)
{
    if (digit < 0 || ++c->digits > 16 || c->left >> 59)
        return false; // lengths stay below 2^63
    c->left = c->left << 4 | (uint64_t)digit;
    return true;
}

// One byte of a chunk-size line.
static bool take_size(struct chunked *c, char b)
{
    if (++c->line_n > LINE_MAX_BYTES)
        return false;
    switch (c->state) {
    case SIZE:
        c->digits = 0;
        c->left = 0;
        c->state = SIZE_MORE;
        return add_digit(c, http__hex(b));
    case SIZE_MORE:
    case SIZE_SPACE:
        if (b == ';')
            c->state = EXTENSION;
        else if (b == ' ' || b == '\t')
            c->state = SIZE_SPACE;
        else if (c->state == SIZE_SPACE)
            return false;
        else if (b == '\r')
            c->state = SIZE_LF;
        else
            return add_digit(c, http__hex(b));
        return true;
    case EXTENSION:
        if (b == '\r')
            c->state = SIZE_LF;
        return b == '\r' || http__class(b) & CH_TEXT;
    default: // SIZE_LF
        c->line_n = 0;
        c->state = c->left ? DATA : TRAILER;
        return b == '\n';
    }
}

// One byte of the trailer section, the empty line at its end included.
static bool take_trailer(struct chunked *c, char b)
{
    if (++c->line_n > TRAILERS_MAX_BYTES)
        return false;
    switch (c->state) {
    case TRAILER:
        c->state = b == '\r' ? END_LF : TRAILER_NAME;
        return b == '\r' || http__class(b) & CH_TOKEN;
    case TRAILER_NAME:
        if (b == ':')
            c->state = TRAILER_VALUE;
        return b == ':' || http__class(b) & CH_TOKEN;
    case TRAILER_VALUE:
        if (b == '\r')
            c->state = TRAILER_LF;
        return b == '\r' || http__class(b) & CH_TEXT;
    case TRAILER_LF:
        c->state = TRAILER;
        return b == '\n';
    default: // END_LF
        c->state = END;
        return b == '\n';
    }
}

int chunked_decode(struct chunked *c, const char *data, size_t n, size_t *ret_used, struct str *ret_data)
{
    for (size_t at = 0;; at++) {
        if (c->state == END) {
            *ret_used = at;
            return 2;
        }
        if (at == n) {
            *ret_used = n;
            return 0;
        }
        if (c->state == DATA) {
            size_t run = c->left < n - at ? (size_t)c->left : n - at;
            c->left -= run;
            if (!c->left)
                c->state = DATA_CR;
            *ret_data = (struct str){data + at, run};
            *ret_used = at + run;
            return 1;
        }
        if (c->state == DATA_CR || c->state == DATA_LF) {
            if (data[at] != (c->state == DATA_CR ? '\r' : '\n'))
                return -1;
            c->state = c->state == DATA_CR ? DATA_LF : SIZE;
        } else if (!(c->state < DATA ? take_size(c, data[at]) : take_trailer(c, data[at]))) {
            return -1;
        }
    }
}

void chunked_give_back(struct chunked *c, size_t n)
{
    if (n) {
        c->left += n;
        c->state = DATA;
    }
}
