// SPDX-License-Identifier: Apache-2.0
// Private to src/http: classes of bytes, so that checking a byte is one look-up.
#pragma once
#include <stdint.h>

enum char_class {
    CH_TOKEN = 1,      // tchar (RFC 9110 §5.6.2)
    CH_UNDERSCORE = 2, // '_'
    CH_TEXT = 4,       // may stand in a field value: HTAB, SP, visible, 0x80-0xff
    CH_TARGET = 8,     // may stand in a request target as received: visible but '#', 0x80-0xff
    CH_HOST = 16,      // unreserved (RFC 3986 §2.3), what a registered name is made of here
    CH_PATH = 32,      // pchar without '%', and '/': needs no escape in a path
    CH_ETAG = 64,      // etagc (RFC 9110 §8.8.3)
    CH_DIGIT = 128,
};

extern const uint8_t http__chars[256];

static inline unsigned http__class(char c)
{
    return http__chars[(unsigned char)c];
}

// 0 to 15, -1 if it is no hex digit.
static inline int http__hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
