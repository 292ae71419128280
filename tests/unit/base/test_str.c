// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

#include "../claim.h"

T(numbers_are_whole_decimal_and_bounded)
{
    uint64_t v = 7;

    assert_true(str_to_u64(STR("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &v));
    assert_false(str_to_u64(STR(""), &v));
    assert_false(str_to_u64(STR("+1"), &v));
    assert_false(str_to_u64(STR("1 "), &v));
    assert_false(str_to_u64(STR("0x1"), &v));
    assert_true(v == UINT64_MAX);
}

T(a_list_gives_its_items_trimmed_and_then_ends)
{
    struct str rest = STR(" a ,b,, c"), item;
    const char *want[] = {"a", "b", "", "c"};

    for (int i = 0; i < 4; i++) {
        assert_true(str_next(&rest, ',', &item));
        assert_true(str_eq(item, str_from(want[i])));
    }
    assert_false(str_next(&rest, ',', &item));
}

T(globs_match_as_documented)
{
    const struct {
        const char *pattern, *text;
        bool match;
    } rows[] = {
        {"/uploads/*", "/uploads/a/b.php", true}, {"/uploads/*", "/uploads", false}, {"*.php", "/a.php", true},
        {"*.php", "/a.php/x", false},             {"/a?c", "/abc", true},            {"/a?c", "/ac", false},
        {"*", "", true},                          {"", "", true},                    {"", "a", false},
        {"/*/x/*", "/a/b/x/c", true},             {"a*b*c", "aXbYbZc", true},        {"a*b*c", "aXbYbZ", false},
        {"[ab]", "a", false},                     {"[ab]", "[ab]", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(str_glob(str_from(rows[i].pattern), str_from(rows[i].text)), rows[i].match);
}

T(comparing_without_case_is_ascii_only)
{
    assert_true(str_eq_nocase(STR("Content-Type"), STR("cONTENT-tYPE")));
    assert_false(str_eq_nocase(STR("k"), STR("\xe2\x84\xaa"))); // KELVIN SIGN folds to k elsewhere
    assert_false(str_eq_nocase(STR("[") , STR("{")));
}

CLAIMS(C(numbers_are_whole_decimal_and_bounded), C(a_list_gives_its_items_trimmed_and_then_ends), C(globs_match_as_documented),
       C(comparing_without_case_is_ascii_only))
