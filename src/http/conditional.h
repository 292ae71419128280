// SPDX-License-Identifier: Apache-2.0
// Conditional requests (RFC 9110 §13), in the order of §13.2.2.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/str.h"
#include "http/fields.h"

enum cond_result { COND_PASS, COND_NOT_MODIFIED, COND_FAILED /* 412 */ };

// etag with its quotes (and W/ if weak), "" = none; mtime of the representation. get_or_head: method is GET or HEAD.
// *ret_use_range says whether a Range field may be used (If-Range holds or is absent).
enum cond_result cond_evaluate(const struct field *fields, size_t n_fields, bool get_or_head, struct str etag, time_t mtime,
                               bool *ret_use_range);
