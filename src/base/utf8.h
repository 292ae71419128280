// SPDX-License-Identifier: Apache-2.0
// What is UTF-8 and what isn't: text from outside is shown, or put into JSON, only as such.
#pragma once
#include <stddef.h>

// Bytes (1 to 4) of the sequence that begins at p, of which n >= 1 may be read; 0 where it is none: cut off, overlong, a
// surrogate, beyond U+10FFFF. A NUL ends a sequence, so in text that ends in one n may be too large.
size_t utf8_length(const void *p, size_t n);
