// SPDX-License-Identifier: Apache-2.0
// The monotonic clock. A wall clock is asked for only where a time of day is shown.
#pragma once
#include <stdint.h>

uint64_t clock_us(void);
uint64_t clock_ms(void);
double clock_s(void);
// clock_us(), for code that is brought its clock: struct eye_options.
int64_t clock_brought_us(void *unused);
