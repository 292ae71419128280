// SPDX-License-Identifier: Apache-2.0
// Amounts as people read them. Pure.
#include "base/human.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_LARGEST 0x1p56 // sums of some are still no overflow

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

// Digits and one point at the most; *ret_rest is what stands behind them.
static bool take_number(const char *text, double *ret, const char **ret_rest)
{
    char digits[40], *end;
    size_t n = strspn(text, "0123456789.");

    if (n >= sizeof digits || !(*text >= '0' && *text <= '9'))
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    *ret = strtod(digits, &end);
    *ret_rest = text + n;
    return !*end;
}

bool human_parse_bytes(const char *text, int64_t *ret)
{
    static const char units[] = "kmgtpe";
    double v;

    if (!take_number(text, &v, &text))
        return false;
    while (*text == ' ')
        text++;
    const char *unit = *text ? strchr(units, *text | 0x20) : NULL;
    if (unit) {
        for (const char *u = units; u <= unit; u++)
            v *= 1024;
        text++;
        if (*text == 'i')
            text++;
    }
    if (*text == 'B' || *text == 'b')
        text++;
    if (*text)
        return false;
    *ret = v >= BYTES_LARGEST ? (int64_t)BYTES_LARGEST : (int64_t)v;
    return true;
}

bool human_parse_seconds(const char *text, double *ret)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    double number;

    if (!take_number(text, &number, &text))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(text, units[i].unit)) {
            *ret = number * units[i].seconds;
            return true;
        }
    return false;
}
