// SPDX-License-Identifier: Apache-2.0
#include "base/args.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "../claim.h"

static struct args {
    bool on;
    const char *text;
    pid_t pid;
    double seconds, number;
    int64_t bytes;
    char letter;
} a;
static char error[256];

static bool take_letter(void *field, const char *value)
{
    *(char *)field = value[0];
    return value[1] == '\0';
}

#define AT(field) .at = offsetof(struct args, field)
static const struct arg_row rows[] = {
    {"on", ARG_SWITCH, AT(on)},
    {"text", ARG_TEXT, AT(text)},
    {"pid", ARG_PID, AT(pid)},
    {"seconds", ARG_SECONDS, AT(seconds), .least = 1, .most = 60},
    {"bytes", ARG_BYTES, AT(bytes), .least = 1024, .most = 1 << 20},
    {"number", ARG_NUMBER, AT(number), .least = 0.5, .most = 2},
    {"letter", ARG_OWN, AT(letter), .take = take_letter, .wanted = "no letter"},
    {"secret", ARG_SWITCH, AT(on), .hidden = true},
};
static const struct arg_table table = {rows, sizeof rows / sizeof *rows, "a process is --pid N"};

static int parse(const char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    a = (struct args){0};
    *error = '\0';
    return args_parse(argc, (char **)argv, &table, &a, error, sizeof error);
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})
#define REFUSED(said, ...)                                                                                                       \
    do {                                                                                                                         \
        assert_int_equal(PARSE(__VA_ARGS__), -EINVAL);                                                                           \
        assert_string_equal(error, said);                                                                                        \
    } while (0)

T(each_kind_fills_its_field)
{
    assert_int_equal(
        PARSE("--on", "--text", "x", "--pid=17", "--seconds", "1m", "--bytes=64K", "--number", "1.5", "--letter", "q"), 0);
    assert_true(a.on);
    assert_string_equal(a.text, "x");
    assert_int_equal(a.pid, 17);
    assert_true(a.seconds > 59.9 && a.seconds < 60.1);
    assert_int_equal(a.bytes, 65536);
    assert_true(a.number > 1.4 && a.number < 1.6);
    assert_int_equal(a.letter, 'q');
}

T(a_value_may_hold_an_equals_sign_or_begin_with_dashes)
{
    assert_int_equal(PARSE("--text=a=b"), 0);
    assert_string_equal(a.text, "a=b");
    assert_int_equal(PARSE("--text", "--on"), 0);
    assert_string_equal(a.text, "--on");
    assert_false(a.on);
}

T(the_bounds_themselves_are_allowed)
{
    assert_int_equal(PARSE("--seconds", "1", "--bytes", "1024", "--number", "2"), 0);
    REFUSED("--seconds: '61' is out of range (1 to 60)", "--seconds", "61");
    REFUSED("--bytes: '1023' is out of range (1024 to 1048576)", "--bytes", "1023");
    REFUSED("--number: '0.4' is out of range (0.5 to 2)", "--number", "0.4");
}

T(what_is_no_value_of_its_kind_is_refused_and_named)
{
    static const char *const no_pids[] = {"0", "-1", "1x", "99999999999", "4294967297", "0x10", " 1"};

    for (size_t i = 0; i < sizeof no_pids / sizeof *no_pids; i++) {
        assert_int_equal(PARSE("--pid", no_pids[i]), -EINVAL);
        assert_non_null(strstr(error, "is no process id"));
    }
    REFUSED("--number: '0x1' is no number (2, 0.5)", "--number", "0x1");
    REFUSED("--number: '.' is no number (2, 0.5)", "--number", ".");
    REFUSED("--letter: 'qq' is no letter", "--letter", "qq");
    REFUSED("--text wants a value", "--text=");
    REFUSED("--text wants a value", "--on", "--text");
    REFUSED("--on takes no value", "--on=yes");
}

T(what_is_no_option_is_told_with_the_nearest_that_is_public)
{
    REFUSED("there is no such option: --teext; did you mean --text?", "--teext");
    REFUSED("there is no such option: --secre; did you mean --seconds?", "--secre");
    REFUSED("there is no such option: --x", "--x");
    REFUSED("there is no such option: --tex=1; did you mean --text?", "--tex=1");
    REFUSED("'17' is no option; a process is --pid N", "17");
}

CLAIMS(C(each_kind_fills_its_field), C(a_value_may_hold_an_equals_sign_or_begin_with_dashes),
       C(the_bounds_themselves_are_allowed), C(what_is_no_value_of_its_kind_is_refused_and_named),
       C(what_is_no_option_is_told_with_the_nearest_that_is_public))
