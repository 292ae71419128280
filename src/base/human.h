// SPDX-License-Identifier: Apache-2.0
// Amounts as people read and write them. No locale is asked; the results are ASCII.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define HUMAN_N 24 // room that each of these needs

// "17 B", "812 KiB", "3.1 MiB", "1.24 GiB": three digits, binary units; negative with a sign. Returns text.
const char *human_bytes(int64_t bytes, char text[HUMAN_N]);
// "45 s", "12 min", "3 h 20 min", "2 d 4 h"; negative and not finite: "?". Returns text.
const char *human_seconds(double seconds, char text[HUMAN_N]);

// "128M", "1.5GiB", "512Mi", "64 MiB", "134217728": binary units; more than 2^56 is 2^56. False: no size.
bool human_parse_bytes(const char *text, int64_t *ret);
// "60", "1.5m", "500ms", "1h", "2d": seconds where no unit is given. False: no time.
bool human_parse_seconds(const char *text, double *ret);
