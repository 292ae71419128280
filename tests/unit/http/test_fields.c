// SPDX-License-Identifier: Apache-2.0
#include "http/fields.h"

#include "../claim.h"

static const char *const names[] = {
#define FIELD(id, name) name,
#include "tbl/fields.def"
#undef FIELD
};
#define COUNT (sizeof names / sizeof names[0])

T(every_row_is_found_in_any_case)
{
    char upper[64], lower[64];

    for (size_t i = 0; i < COUNT; i++) {
        size_t n = strlen(names[i]);
        for (size_t k = 0; k <= n; k++) {
            lower[k] = ascii_lower(names[i][k]);
            upper[k] = lower[k] >= 'a' && lower[k] <= 'z' ? (char)(lower[k] - 32) : lower[k];
        }
        assert_int_equal(field_id_of(str_from(names[i])), i + 1);
        assert_int_equal(field_id_of(str_from(lower)), i + 1);
        assert_int_equal(field_id_of(str_from(upper)), i + 1);
        assert_string_equal(field_name((enum field_id)(i + 1)), names[i]);
    }
}

T(names_are_tokens_and_stand_once)
{
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(field_name_is_valid(str_from(names[i])));
        assert_null(strchr(names[i], '_'));
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq_nocase(str_from(names[i]), str_from(names[k])));
    }
}

T(near_misses_are_other)
{
    assert_int_equal(field_id_of(STR("")), FIELD_OTHER);
    assert_int_equal(field_id_of(STR("Hos")), FIELD_OTHER);
    assert_int_equal(field_id_of(STR("Hosts")), FIELD_OTHER);
    assert_int_equal(field_id_of(STR("Content_Length")), FIELD_OTHER);
    assert_int_equal(field_id_of(STR("Content\rLength")), FIELD_OTHER);
    assert_int_equal(field_id_of(STR("Content-Lengtm")), FIELD_OTHER);
    // Every one with one letter changed.
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; names[i][k]; k++) {
            char text[64];
            strcpy(text, names[i]);
            text[k] = '!';
            assert_int_equal(field_id_of(str_from(text)), FIELD_OTHER);
        }
}

T(the_first_field_of_a_number_is_found)
{
    const struct field fields[] = {
        {STR("A"), STR("1"), FIELD_OTHER}, {STR("Host"), STR("2"), FIELD_HOST}, {STR("Host"), STR("3"), FIELD_HOST}};

    assert_ptr_equal(field_find(fields, 3, FIELD_HOST), &fields[1]);
    assert_null(field_find(fields, 3, FIELD_DATE));
    assert_null(field_find(NULL, 0, FIELD_HOST));
}

T(names_and_values_are_checked)
{
    assert_true(field_name_is_valid(STR("X-!#$%&'*+.^_`|~09aZ")));
    assert_false(field_name_is_valid(STR("")));
    assert_false(field_name_is_valid(STR("a b")));
    assert_false(field_name_is_valid(STR("a:")));
    assert_false(field_name_is_valid(STR("\xc3")));
    assert_false(field_name_is_valid(STR("a\0")));
    assert_true(field_value_is_valid(STR("")));
    assert_true(field_value_is_valid(STR("a\t \xc3\xa4~")));
    assert_false(field_value_is_valid(STR("a\r\nB: c")));
    assert_false(field_value_is_valid(STR("a\n")));
    assert_false(field_value_is_valid(STR("a\0")));
    assert_false(field_value_is_valid(STR("\x7f")));
    assert_false(field_value_is_valid(STR("\x1b")));
}

CLAIMS(C(every_row_is_found_in_any_case), C(names_are_tokens_and_stand_once), C(near_misses_are_other),
       C(the_first_field_of_a_number_is_found), C(names_and_values_are_checked))
