// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "../claim.h"
#include "conf/conf_int.h"

// Parses; returns the error ("" if there is none), and checks "key=value" pairs in order.
static char *parse(struct conf_args *args, enum conf_command command, char **argv)
{
    char *error = NULL;
    int n = 0;

    while (argv[n])
        n++;
    *args = (struct conf_args){0};
    int rc = conf_args_parse(args, command, n, argv, &error);
    assert_int_equal(rc == 0, error == NULL);
    return error;
}

#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})

static void want_pair(const struct conf_args *a, size_t i, const char *key, const char *value)
{
    assert_true(i < a->flags.n);
    assert_string_equal(a->flags.v[i].key, key);
    assert_string_equal(a->flags.v[i].value, value);
}

T(flags_take_values_in_every_usual_form)
{
    struct conf_args a;

    assert_null(parse(&a, CONF_COMMAND_SERVE,
                      ARGV("-l", ":1", "-l:2", "--listen=:3", "--listen", ":4", "-l=:5", "app", "--clear-env", "--allow-root=no",
                           "-c", "f", "-ra")));
    for (size_t i = 0; i < 5; i++) {
        char want[] = ":0";
        want[1] = (char)('1' + i);
        want_pair(&a, i, "listen", want);
    }
    want_pair(&a, 5, "clear_env", "yes");
    want_pair(&a, 6, "allow_root", "no");
    want_pair(&a, 7, "root", "a");
    assert_string_equal(a.dir, "app");
    assert_string_equal(a.file, "f");
    assert_non_null(a.cwd);
    conf_args_done(&a);
}

T(pairs_become_keys_with_brackets)
{
    struct conf_args a;

    assert_null(parse(&a, CONF_COMMAND_SERVE, ARGV("-d", "memory_limit=1G", "-dfoo", "--env", "A=b=c", "--env", "B=")));
    want_pair(&a, 0, "php_admin_value[memory_limit]", "1G");
    want_pair(&a, 1, "php_admin_value[foo]", "1");
    want_pair(&a, 2, "env[A]", "b=c");
    want_pair(&a, 3, "env[B]", "");
    conf_args_done(&a);
}

T(workers_is_the_key_pm_max_children)
{
    struct conf_args a;

    assert_null(parse(&a, CONF_COMMAND_SERVE, ARGV("--workers", "3", "--", "--odd-name")));
    want_pair(&a, 0, "pm.max_children", "3");
    assert_string_equal(a.dir, "--odd-name");
    conf_args_done(&a);
}

static void want_error(enum conf_command command, char **argv, const char *part)
{
    struct conf_args a;
    char *error = parse(&a, command, argv);

    assert_non_null(error);
    if (!strstr(error, part))
        print_message("%s\n", error);
    assert_non_null(strstr(error, part));
    free(error);
    conf_args_done(&a);
}

T(wrong_command_lines_are_refused_with_the_nearest_right_flag)
{
    want_error(CONF_COMMAND_SERVE, ARGV("--wokers", "3"), "unknown option --wokers; did you mean --workers?");
    want_error(CONF_COMMAND_SERVE, ARGV("--max-request=3"), "did you mean --max-requests?");
    want_error(CONF_COMMAND_SERVE, ARGV("-z"), "unknown option -z");
    want_error(CONF_COMMAND_SERVE, ARGV("--workers"), "--workers needs a value: N|auto");
    want_error(CONF_COMMAND_SERVE, ARGV("a", "b"), "only one folder");
    want_error(CONF_COMMAND_SERVE, ARGV("--env", "X"), "'X' is not K=V");
    want_error(CONF_COMMAND_SERVE, ARGV("-d", "=x"), "'=x' is not KEY=VALUE");
    want_error(CONF_COMMAND_SERVE, ARGV("--json"), "--json is not for this command");
    want_error(CONF_COMMAND_CHECK, ARGV("--json=1"), "--json takes no value");
    want_error(CONF_COMMAND_CLIENT, ARGV("--workers", "3"), "--workers is not for this command");
    want_error(CONF_COMMAND_CLIENT, ARGV("app"), "'app' is not for this command");
}

T(client_commands_take_their_three_flags)
{
    struct conf_args a;

    assert_null(parse(&a, CONF_COMMAND_CLIENT, ARGV("--json", "--control", "/x", "-c", "f", "--help")));
    assert_true(a.json);
    assert_true(a.help);
    want_pair(&a, 0, "control", "/x");
    conf_args_done(&a);
}

CLAIMS(C(flags_take_values_in_every_usual_form), C(pairs_become_keys_with_brackets), C(workers_is_the_key_pm_max_children),
       C(wrong_command_lines_are_refused_with_the_nearest_right_flag), C(client_commands_take_their_three_flags))
