// SPDX-License-Identifier: Apache-2.0
// The monotonic clock. Runs everywhere; owns nothing.
#include "base/clock.h"

#include <time.h>

uint64_t clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_ms(void)
{
    return clock_us() / 1000u;
}

double clock_s(void)
{
    return (double)clock_us() / 1e6;
}

int64_t clock_brought_us(void *unused)
{
    (void)unused;
    return (int64_t)clock_us();
}
