// SPDX-License-Identifier: Apache-2.0
// Range requests (RFC 9110 §14).
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define RANGES_MAX 16 // more is answered with the whole (RFC 9110 §14.2: many small ranges are an attack)

struct range {
    uint64_t first, n; // offset and length
};

// Returns how many satisfiable ranges there are in a representation of `size` bytes (overlapping ones are merged and
// order is kept), 0 when the field is to be ignored (malformed, another unit, too many), -1 when none can be
// satisfied (416).
int range_parse(struct str value, uint64_t size, struct range ret_ranges[RANGES_MAX]);
