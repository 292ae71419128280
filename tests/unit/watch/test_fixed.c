// SPDX-License-Identifier: Apache-2.0
#include "watch/fixed.h"

#include <math.h>
#include <string.h>

#include "../claim.h"

T(text_is_put_together)
{
    char p[32];
    struct fixed f;

    fixed_init(&f, p, sizeof p);
    fixed_add(&f, "%s %d", "a", 7);
    fixed_add(&f, "!");
    assert_string_equal(p, "a 7!");
    assert_int_equal(f.n, 4);
    assert_false(f.cut);
}

T(behind_what_does_not_fit_comes_nothing)
{
    char p[8];
    struct fixed f;

    fixed_init(&f, p, sizeof p);
    fixed_add(&f, "1234");
    fixed_add(&f, "56789");
    fixed_add(&f, "x");
    fixed_json(&f, "");
    assert_string_equal(p, "1234");
    assert_true(f.cut);
    fixed_init(&f, p, sizeof p);
    fixed_add(&f, "1234567"); // exactly the room there is
    assert_false(f.cut);
}

T(json_strings_are_valid_whatever_the_bytes)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\x01\x7f", "\"\\n\\u0009\\u0001\\u007f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"\xc3", "\"\xef\xbf\xbd\""},                                   // cut off
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                   // overlong
        {"\xed\xa0\x80x", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""}, // a surrogate
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    char p[64];
    struct fixed f;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixed_init(&f, p, sizeof p);
        fixed_json(&f, rows[i].text);
        assert_string_equal(p, rows[i].json);
    }
}

T(numbers_that_are_none_are_null)
{
    static const struct {
        double v;
        const char *json;
    } rows[] = {{0, "0"}, {-0.2, "-0"}, {1.6, "2"}, {NAN, "null"}, {INFINITY, "null"}, {1e300, "1000000000000000000"}};
    char p[64];
    struct fixed f;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixed_init(&f, p, sizeof p);
        fixed_json_whole(&f, rows[i].v);
        assert_string_equal(p, rows[i].json);
    }
}

T(labels_escape_what_openmetrics_wants_escaped)
{
    char p[64];
    struct fixed f;

    fixed_init(&f, p, sizeof p);
    fixed_label(&f, "/a\"b\\c\nd\te");
    assert_string_equal(p, "/a\\\"b\\\\c\\nd\te");
}

CLAIMS(C(text_is_put_together), C(behind_what_does_not_fit_comes_nothing), C(json_strings_are_valid_whatever_the_bytes),
       C(numbers_that_are_none_are_null), C(labels_escape_what_openmetrics_wants_escaped))
