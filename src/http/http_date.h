// SPDX-License-Identifier: Apache-2.0
// HTTP dates (RFC 9110 §5.6.7).
#pragma once
#include <stdbool.h>
#include <time.h>

#include "base/str.h"

#define HTTP_DATE_BYTES 30 // "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL

void http_date_format(time_t t, char dst[HTTP_DATE_BYTES]);
// All three forms that a recipient must accept; false if it is none.
bool http_date_parse(struct str text, time_t *ret_time);
// The current time's text, formatted once a second.
struct str http_date_now(void);
