// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <stdint.h>

#include "../claim.h"

// By the definition: the number is put together and must need that many bytes.
static size_t by_definition(const unsigned char *s, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    uint32_t code = length > 1 ? s[0] & (0x7fu >> length) : s[0];

    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    return length > 1 && (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) ? 0 : length;
}

T(a_sequence_is_what_the_definition_says)
{
    static const unsigned char rest[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};

    for (unsigned a = 0; a < 256; a++)
        for (size_t b = 0; b < sizeof rest; b++)
            for (size_t c = 0; c < sizeof rest; c++)
                for (size_t d = 0; d < sizeof rest; d++)
                    for (size_t n = 1; n <= 4; n++) {
                        unsigned char s[] = {(unsigned char)a, rest[b], rest[c], rest[d]};
                        if (utf8_length(s, n) != by_definition(s, n))
                            fail_msg("%02x %02x %02x %02x, %zu of them", s[0], s[1], s[2], s[3], n);
                    }
}

CLAIMS(C(a_sequence_is_what_the_definition_says))
