// SPDX-License-Identifier: Apache-2.0
#include "base/human.h"

#include <math.h>

#include "../claim.h"

T(bytes_have_three_digits_and_a_binary_unit)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "0.98 KiB"},
        {1024, "1.00 KiB"},
        {1536, "1.50 KiB"},
        {10239, "10.0 KiB"},
        {102400, "100 KiB"},
        {1023488, "0.98 MiB"}, // 999.5 KiB would have four digits
        {3250586, "3.10 MiB"},
        {268435456, "256 MiB"},
        {1331439862, "1.24 GiB"},
        {-3250586, "-3.10 MiB"},
        {INT64_MAX, "8.00 EiB"},
        {INT64_MIN, "-8.00 EiB"},
    };
    char text[HUMAN_N];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(human_bytes(rows[i].bytes, text), rows[i].text);
}

T(seconds_are_told_in_at_most_two_units)
{
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {
        {0, "0 s"}, {99.4, "99 s"},      {99.6, "2 min"}, {720, "12 min"},         {12000, "3 h 20 min"},
        {-1, "?"},  {187200, "2 d 4 h"}, {1e12, "years"}, {(double)INFINITY, "?"}, {(double)NAN, "?"},
    };
    char text[HUMAN_N];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(human_seconds(rows[i].seconds, text), rows[i].text);
}

T(sizes_are_read_as_people_write_them)
{
    const int64_t mib = 1 << 20;
    const struct {
        const char *text;
        int64_t bytes; // -1: refused
    } rows[] = {
        {"128M", 128 * mib},
        {"128m", 128 * mib},
        {"1.5GiB", 1536 * mib},
        {"512Mi", 512 * mib},
        {"2g", 2048 * mib},
        {"1048576", mib},
        {"64 MiB", 64 * mib},
        {"1k", 1024},
        {"0", 0},
        {"9999999999999T", INT64_C(1) << 56},
        {"", -1},
        {"M", -1},
        {"-1", -1},
        {"12x", -1},
        {"1.2.3M", -1},
        {"0x10", -1},
        {"1e3", -1},
        {"128MM", -1},
        {"nan", -1},
        {".", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t v = -1;
        bool ok = human_parse_bytes(rows[i].text, &v);
        if (ok != (rows[i].bytes >= 0) || (ok && v != rows[i].bytes))
            fail_msg("%s: %lld", rows[i].text, (long long)v);
    }
}

T(times_are_read_with_and_without_a_unit)
{
    const struct {
        const char *text;
        double seconds; // -1: refused
    } rows[] = {
        {"90", 90},     {"60s", 60},  {"1.5m", 90}, {"5min", 300}, {"2h", 7200}, {"1d", 86400},
        {"500ms", 0.5}, {"0", 0},     {"", -1},     {"-5s", -1},   {"5 s", -1},  {"5y", -1},
        {"1ns", -1},    {"soon", -1}, {"nan", -1},  {"1e400", -1}, {"0x1", -1},  {"1.2.3", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double v = -1;
        bool ok = human_parse_seconds(rows[i].text, &v);
        if (ok != (rows[i].seconds >= 0) || (ok && (v < rows[i].seconds - 1e-9 || v > rows[i].seconds + 1e-9)))
            fail_msg("%s: %g", rows[i].text, v);
    }
}

CLAIMS(C(bytes_have_three_digits_and_a_binary_unit), C(seconds_are_told_in_at_most_two_units),
       C(sizes_are_read_as_people_write_them), C(times_are_read_with_and_without_a_unit))
