// SPDX-License-Identifier: Apache-2.0
#include "xray/xray_args.h"

#include <errno.h>
#include <string.h>

#include "../claim.h"

static struct xray_args a;
static char error[256];

static int parse(const char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    memset(&a, 0, sizeof a);
    return xray_args_parse(argc, (char **)argv, &a, error, sizeof error);
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

T(values_come_behind_a_space_or_an_equals_sign)
{
    assert_int_equal(PARSE("--pid", "17", "--for=5m", "--json", "--color", "never", "--report", "a.html"), 0);
    assert_int_equal(a.pid, 17);
    assert_true(a.for_s > 299 && a.for_s < 301);
    assert_true(a.json);
    assert_int_equal(a.color, COLOR_NEVER);
    assert_string_equal(a.report, "a.html");
}

T(nothing_at_all_is_one_look_at_this_container)
{
    assert_int_equal(parse((const char *const[]){NULL}), 0);
    assert_int_equal(a.pid, 0);
    assert_null(a.cgroup);
    assert_true(a.for_s == 0);
}

T(what_is_no_option_is_refused_with_the_nearest)
{
    assert_int_equal(PARSE("--jsn"), -EINVAL);
    assert_non_null(strstr(error, "did you mean --json?"));
    assert_int_equal(PARSE("17"), -EINVAL);
    assert_non_null(strstr(error, "--pid N"));
    assert_int_equal(PARSE("--pid"), -EINVAL);
    assert_int_equal(PARSE("--json=yes"), -EINVAL);
    assert_int_equal(PARSE("--cgroup="), -EINVAL);
}

T(numbers_that_are_none_are_refused)
{
    assert_int_equal(PARSE("--pid", "0"), -EINVAL);
    assert_int_equal(PARSE("--pid", "-1"), -EINVAL);
    assert_int_equal(PARSE("--pid", "99999999999"), -EINVAL);
    assert_int_equal(PARSE("--pid", "1x"), -EINVAL);
    assert_int_equal(PARSE("--for", "0"), -EINVAL);
    assert_int_equal(PARSE("--for", "2d"), -EINVAL);
    assert_int_equal(PARSE("--for", "nan"), -EINVAL);
    assert_int_equal(PARSE("--for", "1e400"), -EINVAL);
    assert_int_equal(PARSE("--color", "red"), -EINVAL);
}

T(one_target_and_one_form_of_answer)
{
    assert_int_equal(PARSE("--pid", "1", "--self"), -EINVAL);
    assert_int_equal(PARSE("--cgroup", "a", "--pid", "1"), -EINVAL);
    assert_int_equal(PARSE("--live", "--json"), -EINVAL);
    assert_int_equal(PARSE("--last"), -EINVAL);
    assert_int_equal(PARSE("--last", "--state", "/tmp"), 0);
    assert_int_equal(PARSE("--replay", "a.csv", "--for", "5s"), -EINVAL);
    assert_int_equal(PARSE("--replay", "a.csv", "--json"), 0);
}

T(help_is_given_whatever_else_is_wrong)
{
    assert_int_equal(PARSE("--pid", "1", "--self", "--help"), 0);
    assert_true(a.help);
    assert_int_equal(PARSE("-h"), 0);
    assert_true(a.help);
}

CLAIMS(C(values_come_behind_a_space_or_an_equals_sign), C(nothing_at_all_is_one_look_at_this_container),
       C(what_is_no_option_is_refused_with_the_nearest), C(numbers_that_are_none_are_refused),
       C(one_target_and_one_form_of_answer), C(help_is_given_whatever_else_is_wrong))
