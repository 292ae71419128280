// SPDX-License-Identifier: Apache-2.0
// Amounts as people read them. No locale is asked; the results are ASCII.
#pragma once
#include <stdint.h>

#define HUMAN_N 24 // room that each of these needs

// "17 B", "812 KiB", "3.1 MiB", "1.24 GiB": three digits, binary units; negative with a sign. Returns text.
const char *human_bytes(int64_t bytes, char text[HUMAN_N]);
// "45 s", "12 min", "3 h 20 min", "2 d 4 h"; negative and not finite: "?". Returns text.
const char *human_seconds(double seconds, char text[HUMAN_N]);
