// SPDX-License-Identifier: Apache-2.0
#include "http/conditional.h"

#include "../claim.h"

#define MTIME 784111777
#define EXACT "Sun, 06 Nov 1994 08:49:37 GMT"
#define OLD "Sun, 06 Nov 1994 08:49:36 GMT"
#define NEW "Sun, 06 Nov 1994 08:49:38 GMT"

static struct field fields[4];
static size_t n_fields;
static bool use_range;

static void with(enum field_id id, const char *value)
{
    fields[n_fields++] = (struct field){str_from(field_name(id)), str_from(value), id};
}

static enum cond_result evaluate(bool get, const char *etag)
{
    enum cond_result rc = cond_evaluate(fields, n_fields, get, str_from(etag), MTIME, &use_range);
    n_fields = 0;
    return rc;
}

static enum cond_result get_with(enum field_id id, const char *value, const char *etag)
{
    with(id, value);
    return evaluate(true, etag);
}

T(without_conditions_everything_passes)
{
    assert_int_equal(evaluate(true, "\"a\""), COND_PASS);
    assert_true(use_range);
}

T(if_match_compares_strongly)
{
    assert_int_equal(get_with(FIELD_IF_MATCH, "\"a\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_MATCH, "\"x\" , \"a\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_MATCH, "*", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_MATCH, "*", ""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_MATCH, "\"x\"", "\"a\""), COND_FAILED);
    assert_int_equal(get_with(FIELD_IF_MATCH, "W/\"a\"", "\"a\""), COND_FAILED);
    assert_int_equal(get_with(FIELD_IF_MATCH, "W/\"a\"", "W/\"a\""), COND_FAILED);
    assert_int_equal(get_with(FIELD_IF_MATCH, "\"a\"", "W/\"a\""), COND_FAILED);
    assert_int_equal(get_with(FIELD_IF_MATCH, "\"a\"", ""), COND_FAILED);
    assert_int_equal(get_with(FIELD_IF_MATCH, "", "\"a\""), COND_FAILED);
    assert_int_equal(get_with(FIELD_IF_MATCH, "a", "\"a\""), COND_FAILED);
}

T(if_none_match_compares_weakly)
{
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"a\"", "\"a\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "W/\"a\"", "\"a\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"a\"", "W/\"a\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"x\",, W/\"y\",\"a\"", "\"a\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "*", "\"a\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"x\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"A\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "w/\"a\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"\"", ""), COND_PASS);
}

T(a_matching_none_match_fails_other_methods)
{
    with(FIELD_IF_NONE_MATCH, "*");
    assert_int_equal(evaluate(false, "\"a\""), COND_FAILED);
    with(FIELD_IF_NONE_MATCH, "\"x\"");
    assert_int_equal(evaluate(false, "\"a\""), COND_PASS);
}

T(several_lines_are_one_list)
{
    with(FIELD_IF_NONE_MATCH, "\"x\"");
    with(FIELD_IF_NONE_MATCH, "\"a\"");
    assert_int_equal(evaluate(true, "\"a\""), COND_NOT_MODIFIED);
}

T(commas_and_stars_inside_quotes_are_part_of_a_tag)
{
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"x,\\\",\"a\"", "\"a\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"x,y\"", "\"x,y\""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"*\"", "\"a\""), COND_PASS);
}

T(what_stands_behind_a_malformed_tag_is_not_read)
{
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "x, \"a\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"x\" \"a\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"x, \"a\"", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "\"a", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "W/", "\"a\""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_NONE_MATCH, "*, \"a\"", "\"a\""), COND_PASS);
}

T(dates_are_compared_by_the_second)
{
    assert_int_equal(get_with(FIELD_IF_MODIFIED_SINCE, EXACT, ""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_MODIFIED_SINCE, NEW, ""), COND_NOT_MODIFIED);
    assert_int_equal(get_with(FIELD_IF_MODIFIED_SINCE, OLD, ""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_UNMODIFIED_SINCE, EXACT, ""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_UNMODIFIED_SINCE, NEW, ""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_UNMODIFIED_SINCE, OLD, ""), COND_FAILED);
}

T(invalid_dates_are_ignored)
{
    assert_int_equal(get_with(FIELD_IF_MODIFIED_SINCE, "garbage", ""), COND_PASS);
    assert_int_equal(get_with(FIELD_IF_UNMODIFIED_SINCE, "garbage", ""), COND_PASS);
    with(FIELD_IF_MODIFIED_SINCE, NEW);
    with(FIELD_IF_MODIFIED_SINCE, NEW);
    assert_int_equal(evaluate(true, ""), COND_PASS);
}

T(if_modified_since_is_for_get_and_head)
{
    with(FIELD_IF_MODIFIED_SINCE, EXACT);
    assert_int_equal(evaluate(false, ""), COND_PASS);
}

T(tags_go_before_dates)
{
    with(FIELD_IF_NONE_MATCH, "\"x\"");
    with(FIELD_IF_MODIFIED_SINCE, EXACT);
    assert_int_equal(evaluate(true, "\"a\""), COND_PASS);
    with(FIELD_IF_MATCH, "\"a\"");
    with(FIELD_IF_UNMODIFIED_SINCE, OLD);
    assert_int_equal(evaluate(true, "\"a\""), COND_PASS);
}

T(if_match_goes_before_if_none_match)
{
    with(FIELD_IF_NONE_MATCH, "\"a\"");
    with(FIELD_IF_MATCH, "\"x\"");
    assert_int_equal(evaluate(true, "\"a\""), COND_FAILED);
    with(FIELD_IF_NONE_MATCH, "\"a\"");
    with(FIELD_IF_MATCH, "\"a\"");
    assert_int_equal(evaluate(true, "\"a\""), COND_NOT_MODIFIED);
}

T(if_range_wants_exactly_this_version)
{
    static const struct {
        const char *value, *etag;
        bool holds;
    } rows[] = {{"\"a\"", "\"a\"", true},    {"\"x\"", "\"a\"", false},     {"W/\"a\"", "\"a\"", false},
                {"\"a\"", "W/\"a\"", false}, {"W/\"a\"", "W/\"a\"", false}, {EXACT, "\"a\"", true},
                {OLD, "\"a\"", false},       {NEW, "\"a\"", false},         {"garbage", "\"a\"", false},
                {"", "\"a\"", false},        {"*", "\"a\"", false},         {"\"a\", \"a\"", "\"a\"", false}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(get_with(FIELD_IF_RANGE, rows[i].value, rows[i].etag), COND_PASS);
        assert_int_equal(use_range, rows[i].holds);
    }
    with(FIELD_IF_RANGE, "\"a\"");
    with(FIELD_IF_RANGE, "\"a\"");
    evaluate(true, "\"a\"");
    assert_false(use_range);
}

CLAIMS(C(without_conditions_everything_passes), C(if_match_compares_strongly), C(if_none_match_compares_weakly),
       C(a_matching_none_match_fails_other_methods), C(several_lines_are_one_list),
       C(commas_and_stars_inside_quotes_are_part_of_a_tag), C(what_stands_behind_a_malformed_tag_is_not_read),
       C(dates_are_compared_by_the_second), C(invalid_dates_are_ignored), C(if_modified_since_is_for_get_and_head),
       C(tags_go_before_dates), C(if_match_goes_before_if_none_match), C(if_range_wants_exactly_this_version))
