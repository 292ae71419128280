// SPDX-License-Identifier: Apache-2.0
#include "xray/xray_draw.h"

#include <stdlib.h>
#include <string.h>

#include "../claim.h"

static struct buf b;
static const struct screen plain = {.columns = 80}, utf8 = {.columns = 80, .utf8 = true},
                           colored = {.columns = 80, .utf8 = true, .color = true};

static const char *drawn(void)
{
    static char text[4096];
    memcpy(text, b.p ? b.p : "", b.n);
    text[b.n] = '\0';
    buf_done(&b);
    return text;
}

T(control_characters_from_outside_never_reach_the_terminal)
{
    draw_foreign(&b, &utf8, INK_PLAIN, "a\033[2J\x7f\x9b\nb\xc2\x9b\xe2\x80\xaez", 40);
    assert_string_equal(drawn(), "a?[2J???b??z");
}

T(bytes_that_are_no_utf8_become_question_marks)
{
    draw_foreign(&b, &utf8, INK_PLAIN, "\xc0\xaf-\xed\xa0\x80-\xf4\x90\x80\x80-\xe4\xbd", 40);
    assert_string_equal(drawn(), "?"
                                 "?-?"
                                 "?"
                                 "?-?"
                                 "?"
                                 "?"
                                 "?-?"
                                 "?");
    draw_foreign(&b, &utf8, INK_PLAIN, "na\xc3\xafve", 40);
    assert_string_equal(drawn(), "na\xc3\xafve");
}

T(a_screen_without_utf8_gets_ascii_only)
{
    draw(&b, &plain, INK_PLAIN, "≈ 1 × 2…");
    draw_foreign(&b, &plain, INK_PLAIN, "na\xc3\xafve", 40);
    draw_bar(&b, &plain, INK_RED, 1, 2, 8);
    int64_t values[] = {0, 5, 10};
    draw_sparkline(&b, &plain, values, 3, 10);
    const char *text = drawn();
    for (const char *p = text; *p; p++)
        assert_true((unsigned char)*p < 0x80);
    assert_string_equal(text, "~ 1 x 2...na?ve####...._=#");
}

T(long_paths_are_cut_in_the_middle)
{
    draw_foreign(&b, &plain, INK_PLAIN, "/app/var/cache/prod/http_cache/en/ab", 20);
    const char *text = drawn();
    assert_int_equal(strlen(text), 20);
    assert_string_equal(text, "/app/..._cache/en/ab");
}

T(no_color_where_none_is_wanted_and_none_left_on)
{
    draw(&b, &utf8, INK_RED, "x");
    assert_string_equal(drawn(), "x");
    draw(&b, &colored, INK_RED, "x");
    assert_string_equal(drawn(), "\033[31mx\033[0m");
}

T(columns_are_counted_without_escape_sequences)
{
    draw(&b, &colored, INK_RED, "≈ab");
    draw_to(&b, &colored, 6);
    draw(&b, &colored, INK_PLAIN, "c");
    assert_string_equal(drawn(), "\033[31m≈ab\033[0m   c");
}

T(a_line_is_cut_at_columns_not_at_bytes)
{
    draw(&b, &colored, INK_RED, "≈ab");
    draw(&b, &colored, INK_PLAIN, "cd");
    const char *line = drawn();
    size_t n = strlen(line);
    assert_int_equal(draw_cut(line, n, 3), strlen("\033[31m≈ab\033[0m"));
    assert_int_equal(draw_cut(line, n, 2), strlen("\033[31m≈a"));
    assert_int_equal(draw_cut(line, n, 0), strlen("\033[31m"));
    assert_int_equal(draw_cut(line, n, 5), n);
    assert_int_equal(draw_cut("\033[31", 4, 1), 4); // no end
}

T(words_wrap_at_the_screen_and_are_indented)
{
    static const struct screen narrow = {.columns = 12};
    draw_wrapped(&b, &narrow, INK_PLAIN, "one two three four", 2);
    assert_string_equal(drawn(), "one two\n  three four");
    // Sentences keep to a terminal that is too narrow for the tables.
    static const struct screen phone = {.columns = 80, .narrow = 12};
    draw_wrapped(&b, &phone, INK_PLAIN, "one two three four", 2);
    assert_string_equal(drawn(), "one two\n  three four");
}

T(a_bar_is_neither_over_nor_under_full)
{
    draw_bar(&b, &plain, INK_PLAIN, 30, 10, 4);
    draw_bar(&b, &plain, INK_PLAIN, -5, 10, 4);
    draw_bar(&b, &plain, INK_PLAIN, 5, 0, 4);
    assert_string_equal(drawn(), "####........");
}

T(a_sparkline_shows_the_last_values_between_least_and_most)
{
    int64_t values[] = {100, 1, 1, 2, 3};
    draw_sparkline(&b, &utf8, values, 5, 3);
    assert_string_equal(drawn(), "▁▅█");
    draw_sparkline(&b, &utf8, values + 1, 2, 3);
    assert_string_equal(drawn(), "▁▁");
    draw_sparkline(&b, &utf8, NULL, 0, 3);
    assert_string_equal(drawn(), "");
}

T(no_color_and_locale_are_asked_as_they_should_be)
{
    struct screen s;
    unsetenv("COLUMNS");
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    screen_init(&s, 999, COLOR_AUTO); // no descriptor: no terminal
    assert_true(s.utf8);
    assert_false(s.color);
    assert_int_equal(s.columns, 100);
    setenv("LC_ALL", "C", 1);
    setenv("LANG", "de_DE.UTF-8", 1);
    setenv("COLUMNS", "10", 1);
    screen_init(&s, 999, COLOR_ALWAYS);
    assert_false(s.utf8); // LC_ALL wins
    assert_true(s.color);
    assert_int_equal(s.columns, 80);
    assert_int_equal(s.narrow, 20);
    setenv("COLUMNS", "80", 1);
    screen_init(&s, 999, COLOR_AUTO);
    assert_int_equal(s.narrow, 0);
}

T(text_for_json_is_utf8_without_control_characters)
{
    char out[32];
    assert_string_equal(clean_utf8(out, sizeof out,
                                   "a\x01\xff"
                                   "b"),
                        "a\xEF\xBF\xBD\xEF\xBF\xBD"
                        "b");
    assert_string_equal(clean_utf8(out, 5, "\xc3\xaf\xc3\xaf\xc3\xaf"), "\xc3\xaf\xc3\xaf");
}

CLAIMS(C(control_characters_from_outside_never_reach_the_terminal), C(bytes_that_are_no_utf8_become_question_marks),
       C(a_screen_without_utf8_gets_ascii_only), C(long_paths_are_cut_in_the_middle),
       C(no_color_where_none_is_wanted_and_none_left_on), C(columns_are_counted_without_escape_sequences),
       C(words_wrap_at_the_screen_and_are_indented), C(a_line_is_cut_at_columns_not_at_bytes), C(a_bar_is_neither_over_nor_under_full),
       C(a_sparkline_shows_the_last_values_between_least_and_most), C(no_color_and_locale_are_asked_as_they_should_be),
       C(text_for_json_is_utf8_without_control_characters))
