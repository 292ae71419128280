// SPDX-License-Identifier: Apache-2.0
// Several ranges of a file as multipart/byteranges (RFC 9110 §14.6).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "http/fields.h"
#include "http/range.h"

struct req;

// fields (n of them, room for one more) without Content-Type, which is `type` in each part. Takes fd over; false when
// descriptors ran out: then nothing was sent and fd is still the caller's.
bool static_ranges_answer(struct req *r, int fd, int64_t size, const struct range *ranges, int n_ranges, struct str type,
                          struct field *fields, size_t n);
