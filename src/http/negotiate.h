// SPDX-License-Identifier: Apache-2.0
// Accept-Encoding (RFC 9110 §12.5.3) for precompressed siblings.
#pragma once
#include "base/str.h"

enum coding { CODING_IDENTITY, CODING_BR, CODING_ZSTD, CODING_GZIP, CODINGS };

// Which codings the client takes, best first by weight, ties in the order br, zstd, gzip; identity is not listed.
// value "" (or no field) gives none. Returns how many.
int negotiate_codings(struct str value, enum coding ret_codings[CODINGS]);
const char *coding_name(enum coding c);      // "br"
const char *coding_extension(enum coding c); // ".br"
