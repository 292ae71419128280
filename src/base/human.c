// SPDX-License-Identifier: Apache-2.0
// Amounts as people read them. Pure.
#include "base/human.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

const char *human_bytes(int64_t bytes, char text[HUMAN_N])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = bytes < 0 ? -(double)bytes : (double)bytes;
    const char *sign = bytes < 0 ? "-" : "";
    size_t unit = 0;

    // 999.5 would be printed with four digits: it belongs to the next unit.
    while (amount >= (unit == 0 ? 1000 : 999.5) && unit + 1 < sizeof units / sizeof *units) {
        amount /= 1024;
        unit++;
    }
    int decimals = unit == 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
    snprintf(text, HUMAN_N, "%s%.*f %s", sign, decimals, amount, units[unit]);
    return text;
}

const char *human_seconds(double seconds, char text[HUMAN_N])
{
    if (!isfinite(seconds) || seconds < 0)
        snprintf(text, HUMAN_N, "?");
    else if (seconds < 99.5)
        snprintf(text, HUMAN_N, "%.0f s", seconds);
    else if (seconds < 99.5 * 60)
        snprintf(text, HUMAN_N, "%.0f min", seconds / 60);
    else if (seconds < 36 * 3600)
        snprintf(text, HUMAN_N, "%d h %d min", (int)(seconds / 3600), (int)(seconds / 60) % 60);
    else if (seconds < 1000.0 * 86400)
        snprintf(text, HUMAN_N, "%d d %d h", (int)(seconds / 86400), (int)(seconds / 3600) % 24);
    else
        snprintf(text, HUMAN_N, "years");
    return text;
}
