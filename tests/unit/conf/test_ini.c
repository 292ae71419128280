// SPDX-License-Identifier: Apache-2.0
#include "conf/ini.h"

#include <stdlib.h>
#include <string.h>

#include "../claim.h"
#include "base/die.h"

static struct arena arena;

static size_t parse(const char *text, struct ini_item **ret_items)
{
    static char name[] = "NAME=value of it", empty[] = "EMPTY=";
    char *env[] = {name, empty, NULL};
    size_t n;

    arena_reset(&arena);
    ini_parse(&arena, str_from(text), env, ret_items, &n);
    return n;
}

// One line in a section: its value, or its error with a '!' before it.
static void want(const char *line, const char *value)
{
    struct ini_item *it;
    size_t n = parse(line, &it);

    assert_int_equal(n, 1);
    if (value[0] == '!') {
        assert_int_equal(it[0].type, INI_ERROR);
        assert_non_null(strstr(it[0].value, value + 1));
    } else {
        assert_int_equal(it[0].type, INI_KEY);
        assert_string_equal(it[0].value, value);
    }
    arena_reset(&arena);
}

T(items_come_in_file_order_with_their_lines)
{
    struct ini_item *it;
    size_t n = parse("; c\n\n[global]\na = 1\n# c\n[ pool  www ] ; c\n  env[X]=2\n", &it);

    assert_int_equal(n, 4);
    assert_int_equal(it[0].type, INI_SECTION);
    assert_string_equal(it[0].key, "global");
    assert_string_equal(it[0].value, "");
    assert_int_equal(it[0].line, 3);
    assert_string_equal(it[1].key, "a");
    assert_int_equal(it[1].line, 4);
    assert_string_equal(it[2].key, "pool");
    assert_string_equal(it[2].value, "www");
    assert_string_equal(it[3].key, "env[X]");
    assert_string_equal(it[3].value, "2");
    assert_int_equal(it[3].line, 7);
    arena_reset(&arena);
}

T(values_end_at_a_comment_only_after_white_space)
{
    want("a = b ; c", "b");
    want("a = b;c", "b;c");
    want("a = b # c", "b # c");
    want("a = ; c", "");
    want("a =", "");
    want("a = b = c", "b = c");
    want("a =   spaces  inside   ", "spaces  inside");
}

T(quotes_keep_everything_and_know_their_escapes)
{
    want("a = \" b ; c \"", " b ; c ");
    want("a = \"x\\\"y\\\\z\\n\\t\\${NAME}\"", "x\"y\\z\n\t${NAME}");
    want("a = \"b\" ; c", "b");
    want("a = \"b\" c", "!text after the closing '\"'");
    want("a = \"b", "!closing '\"' is missing");
    want("a = \"b\\", "!must be followed by");
    want("a = \"\\q\"", "!must be followed by");
    want("a = 'b \\n ${NAME} \" ; c'", "b \\n ${NAME} \" ; c");
    want("a = 'self' x", "!text after the closing \"'\"");
    want("a = 'b", "!closing \"'\" is missing");
    want("a = it's", "it's");
}

T(environment_variables_are_put_in_or_refused)
{
    want("a = x${NAME}y", "xvalue of ity");
    want("a = \"x${NAME}y\"", "xvalue of ity");
    want("a = x${EMPTY}y", "xy");
    want("a = ${NAM}", "!environment variable NAM is not set");
    want("a = ${}", "!needs a name");
    want("a = ${NAME", "!needs a name");
    want("a = $NAME $", "$NAME $");
}

T(what_is_no_ini_is_an_error_with_a_reason)
{
    want("just words", "!neither '[section]' nor 'key = value'");
    want("= value", "!a key is missing");
    want("[global", "!']' is missing");
    want("[global] x", "!text after the section's ']'");
    want("[ ]", "!a section without a name");
    want("location / {", "!nginx");
}

T(crlf_and_a_byte_order_mark_are_tolerated)
{
    struct ini_item *it;
    size_t n = parse("\xef\xbb\xbf[global]\r\na = b\r\n", &it);

    assert_int_equal(n, 2);
    assert_string_equal(it[0].key, "global");
    assert_string_equal(it[1].value, "b");
    arena_reset(&arena);
}

T(a_nul_byte_is_refused)
{
    struct ini_item *it;
    size_t n;

    ini_parse(&arena, STR("a = b\0c\nd = e\n"), NULL, &it, &n);
    assert_int_equal(n, 2);
    assert_int_equal(it[0].type, INI_ERROR);
    assert_non_null(strstr(it[0].value, "NUL"));
    assert_string_equal(it[1].key, "d");
    arena_reset(&arena);
}

T(lines_and_files_are_bounded)
{
    size_t big = INI_FILE_MAX + 1;
    char *text = xmalloc(big);
    struct ini_item *it;
    size_t n;

    memset(text, 'a', big);
    ini_parse(&arena, (struct str){text, big}, NULL, &it, &n);
    assert_int_equal(n, 1);
    assert_non_null(strstr(it[0].value, "larger than 1 MiB"));
    ini_parse(&arena, (struct str){text, INI_LINE_MAX + 1}, NULL, &it, &n);
    assert_int_equal(n, 1);
    assert_non_null(strstr(it[0].value, "longer than 64 KiB"));
    memcpy(text, "a = ", 4);
    ini_parse(&arena, (struct str){text, INI_LINE_MAX}, NULL, &it, &n);
    assert_int_equal(n, 1);
    assert_int_equal(strlen(it[0].value), INI_LINE_MAX - 4);
    arena_reset(&arena);
    free(text);
}

CLAIMS(C(items_come_in_file_order_with_their_lines), C(values_end_at_a_comment_only_after_white_space),
       C(quotes_keep_everything_and_know_their_escapes), C(environment_variables_are_put_in_or_refused),
       C(what_is_no_ini_is_an_error_with_a_reason), C(crlf_and_a_byte_order_mark_are_tolerated), C(a_nul_byte_is_refused),
       C(lines_and_files_are_bounded))
