// SPDX-License-Identifier: Apache-2.0
#include "http/range.h"

#include <stdio.h>

#include "../claim.h"

static struct range got[RANGES_MAX];

static int parse(const char *value, uint64_t size)
{
    return range_parse(str_from(value), size, got);
}

static void one(const char *value, uint64_t size, uint64_t first, uint64_t n)
{
    assert_int_equal(parse(value, size), 1);
    assert_true(got[0].first == first);
    assert_true(got[0].n == n);
}

T(a_range_is_cut_to_the_size)
{
    one("bytes=0-0", 10, 0, 1);
    one("bytes=0-4", 10, 0, 5);
    one("bytes=5-", 10, 5, 5);
    one("bytes=9-9", 10, 9, 1);
    one("bytes=3-100", 10, 3, 7);
    one("bytes=-3", 10, 7, 3);
    one("bytes=-100", 10, 0, 10);
    one("BYTES=0-0", 10, 0, 1);
    one("bytes= 1-2 ", 10, 1, 2);
    one("bytes=,1-2,,", 10, 1, 2);
}

T(numbers_that_overflow_lie_behind_the_end)
{
    one("bytes=0-99999999999999999999", 10, 0, 10);
    one("bytes=-99999999999999999999999", 10, 0, 10);
    one("bytes=0000000000000000000000001-2", 10, 1, 2);
    assert_int_equal(parse("bytes=99999999999999999999-", 10), -1);
    assert_int_equal(parse("bytes=99999999999999999999-99999999999999999998", 10), -1);
    one("bytes=18446744073709551613-18446744073709551615", UINT64_MAX, UINT64_MAX - 2, 2);
}

T(what_lies_behind_the_end_cannot_be_satisfied)
{
    assert_int_equal(parse("bytes=10-", 10), -1);
    assert_int_equal(parse("bytes=10-20,30-", 10), -1);
    assert_int_equal(parse("bytes=-0", 10), -1);
    assert_int_equal(parse("bytes=0-0", 0), -1);
    assert_int_equal(parse("bytes=0-", 0), -1);
    one("bytes=20-30, 0-1", 10, 0, 2);
}

T(the_last_bytes_of_nothing_are_the_whole)
{
    assert_int_equal(parse("bytes=-5", 0), 0);
}

T(malformed_fields_are_ignored)
{
    static const char *const bad[] = {"",          "bytes",       "bytes=",      "bytes=,",       "bytes=-",     "bytes=5-3",
                                      "bytes=a-b", "lines=0-1",   "bytes=1-2-3", "bytes = 0-1",   "bytes=--1",   "bytes=0x1-2",
                                      "bytes=1",   "bytes=1 - 2", "bytes=+1-2",  "bytes=0-1;2-3", "bytes=0-1,x", "bytes:0-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], 10), 0);
}

T(several_ranges_keep_their_order)
{
    assert_int_equal(parse("bytes=8-9, 0-1,4-5", 10), 3);
    assert_int_equal(got[0].first, 8);
    assert_int_equal(got[1].first, 0);
    assert_int_equal(got[2].first, 4);
    assert_int_equal(parse("bytes=0-1,4-5,-2", 10), 3);
    assert_int_equal(got[2].first, 8);
}

T(ranges_that_overlap_or_touch_become_one)
{
    one("bytes=0-3,2-5", 10, 0, 6);
    one("bytes=5-6,3-4", 10, 3, 4);
    one("bytes=0-9,2-3", 10, 0, 10);
    one("bytes=2-3,0-9", 10, 0, 10);
    one("bytes=0-1,4-5,2-3", 10, 0, 6);
    assert_int_equal(parse("bytes=8-9,0-1,4-5,1-4", 10), 2);
    assert_int_equal(got[0].first, 8);
    assert_int_equal(got[1].first, 0);
    assert_int_equal(got[1].n, 6);
}

T(too_many_ranges_are_ignored)
{
    char value[256] = "bytes=0-0";
    size_t n = strlen(value);

    for (int i = 1; i < RANGES_MAX; i++)
        n += (size_t)snprintf(value + n, sizeof value - n, ",%d-%d", 2 * i, 2 * i);
    assert_int_equal(parse(value, 100), RANGES_MAX);
    assert_int_equal(got[RANGES_MAX - 1].first, 2 * (RANGES_MAX - 1));
    snprintf(value + n, sizeof value - n, ",0-0");
    assert_int_equal(parse(value, 100), 0);
    assert_int_equal(parse(value, 0), 0);
}

CLAIMS(C(a_range_is_cut_to_the_size), C(numbers_that_overflow_lie_behind_the_end),
       C(what_lies_behind_the_end_cannot_be_satisfied), C(the_last_bytes_of_nothing_are_the_whole),
       C(malformed_fields_are_ignored), C(several_ranges_keep_their_order), C(ranges_that_overlap_or_touch_become_one),
       C(too_many_ranges_are_ignored))
