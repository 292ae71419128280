// SPDX-License-Identifier: Apache-2.0
// Decoder of the chunked transfer coding (RFC 9112 §7.1), for bytes that arrive in any pieces. Strict about CRLF, sizes and
// extensions' length; trailer fields are checked, bounded and thrown away.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct chunked {
    uint8_t state;
    uint8_t digits;
    uint64_t left;   // of the current chunk
    uint32_t line_n; // bytes of the current line or of all trailers, bounded
};

#define CHUNKED_INIT ((struct chunked){0})

// Takes bytes from data; *ret_used says how many. Returns 1 with *ret_data a run of body bytes (slice of data), 0 when all
// was used and more is needed, 2 at the end of the body (what follows in data belongs to the next request), -1 malformed.
int chunked_decode(struct chunked *c, const char *data, size_t n, size_t *ret_used, struct str *ret_data);

// The last n bytes of the run that chunked_decode just gave could not be used: they will be given to it again.
void chunked_give_back(struct chunked *c, size_t n);
