// SPDX-License-Identifier: Apache-2.0
#include "http/http_date.h"

#include <stdint.h>

#include "../claim.h"

static void formatted(time_t t, const char *expected)
{
    char text[HTTP_DATE_BYTES];
    http_date_format(t, text);
    assert_string_equal(text, expected);
}

static void parsed(const char *text, time_t expected)
{
    time_t t = 1;
    assert_true(http_date_parse(str_from(text), &t));
    assert_true(t == expected);
}

T(dates_are_formatted_as_rfc_9110_has_them)
{
    formatted(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    formatted(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    formatted(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
    formatted(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    formatted(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
    formatted(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
}

T(years_stay_within_four_digits)
{
    formatted(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    formatted(INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT");
}

T(all_three_forms_are_read)
{
    parsed("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    parsed("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    parsed("Sun Nov  6 08:49:37 1994", 784111777);
    parsed("Wed Nov 16 08:49:37 1994", 784975777);
    parsed(" Sun, 06 Nov 1994 08:49:37 GMT ", 784111777);
    parsed("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800);
}

static int year_of(time_t t)
{
    struct tm tm;

    gmtime_r(&t, &tm);
    return tm.tm_year + 1900;
}

T(two_digit_years_lie_at_most_fifty_years_ahead)
{
    time_t t;

    for (int yy = 0; yy < 100; yy++) {
        char text[] = "Sunday, 06-Nov-00 08:49:37 GMT";
        text[15] = (char)('0' + yy / 10);
        text[16] = (char)('0' + yy % 10);
        int before = year_of(time(NULL)); // a year may begin meanwhile
        assert_true(http_date_parse(str_from(text), &t));
        int read = year_of(t), after = year_of(time(NULL));
        assert_int_equal(read % 100, yy);
        assert_in_range(read, before - 99, after + 50);
    }
}

T(what_is_no_date_is_refused)
{
    static const char *const bad[] = {"",
                                      "garbage",
                                      "0",
                                      "784111777",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nov 1994 08:49:37 GMT+1",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Son, 06 Nov 1994 08:49:37 GMT",
                                      "Sun 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 94 08:49:37 GMT",
                                      "Sun, 31 Nov 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Wed, 29 Feb 1995 08:49:37 GMT",
                                      "Thu, 29 Feb 1900 08:49:37 GMT",
                                      "Wed, 30 Feb 2000 08:49:37 GMT",
                                      "Mon, 31 Apr 2000 08:49:37 GMT",
                                      "Tue, 32 Jan 2000 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 06 Nov 1994 8:49:37 GMT",
                                      "Sun, -6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06-Nov-94 08:49:37 GMT",
                                      "Sun Nov 6 08:49:37 1994",
                                      "Sun Nov  6 08:49:37 1994 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"};
    time_t t = 7;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(http_date_parse(str_from(bad[i]), &t));
    assert_true(t == 7);
}

T(formatting_and_parsing_agree_with_the_c_library)
{
    char text[HTTP_DATE_BYTES], other[64];

    // A prime step, so that every field takes many values; from the year 1 to 9999.
    for (int64_t s = -62135596800; s < 253402300799; s += 7777777 * 3 + 1) {
        time_t t = (time_t)s, back;
        struct tm tm;
        http_date_format(t, text);
        gmtime_r(&t, &tm);
        strftime(other, sizeof other, "%a, %d %b ", &tm);
        assert_memory_equal(text, other, 12);
        assert_true(http_date_parse(str_from(text), &back) && back == t);
    }
}

T(now_is_a_date_of_now)
{
    time_t before = time(NULL), t;
    struct str text = http_date_now();

    assert_int_equal(text.n, 29);
    assert_true(http_date_parse(text, &t));
    assert_true(t >= before && t <= time(NULL));
}

CLAIMS(C(dates_are_formatted_as_rfc_9110_has_them), C(years_stay_within_four_digits), C(all_three_forms_are_read),
       C(two_digit_years_lie_at_most_fifty_years_ahead), C(what_is_no_date_is_refused),
       C(formatting_and_parsing_agree_with_the_c_library), C(now_is_a_date_of_now))
