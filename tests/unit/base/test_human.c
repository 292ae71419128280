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

CLAIMS(C(bytes_have_three_digits_and_a_binary_unit), C(seconds_are_told_in_at_most_two_units))
