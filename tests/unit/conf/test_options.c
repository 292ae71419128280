// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "../claim.h"
#include "conf/conf_int.h"

static bool documented(const char *s)
{
    size_t n = strlen(s);
    return n > 4 && (s[n - 1] == '.' || s[n - 1] == ')');
}

T(every_row_is_documented)
{
    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        if (!documented(o->text))
            print_message("%s: '%s'\n", o->key, o->text);
        assert_true(documented(o->text));
        assert_non_null(o->more);
        assert_true(o->more[0] == '\0' || documented(o->more));
        if (o->flag && o->kind != KIND_BOOL && strcmp(o->flag, "json") != 0)
            assert_true(o->value[0]); // --help shows what it takes
    }
}

T(keys_are_unique_in_their_section_and_flags_everywhere)
{
    for (size_t i = 0; i < conf_n_options; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct conf_option *a = &conf_options[i], *b = &conf_options[j];
            assert_false(a->section == b->section && strcmp(a->key, b->key) == 0);
            assert_false(a->flag && b->flag && strcmp(a->flag, b->flag) == 0);
            assert_false(a->letter && a->letter == b->letter);
        }
    }
}

T(environment_names_are_unique)
{
    char a[64], b[64];

    for (size_t i = 0; i < conf_n_options; i++)
        for (size_t j = 0; j < i; j++)
            if (conf_option_env(&conf_options[i], a, sizeof a) && conf_option_env(&conf_options[j], b, sizeof b))
                assert_string_not_equal(a, b);
    assert_true(conf_option_env(conf_option_find(SEC_POOL, STR("pm.max_children")), a, sizeof a));
    assert_string_equal(a, "PLIMSOLL_PM_MAX_CHILDREN");
    assert_false(conf_option_env(conf_option_find(SEC_POOL, STR("env")), a, sizeof a));
    assert_false(conf_option_env(conf_option_find(SEC_ROUTE, STR("path")), a, sizeof a));
}

T(flags_belong_to_sections_they_can_set)
{
    for (size_t i = 0; i < conf_n_options; i++)
        assert_false(conf_options[i].section == SEC_ROUTE && conf_options[i].flag);
}

T(nearest_name_is_near_or_nothing)
{
    assert_string_equal(conf_nearest_key(SEC_GLOBAL, "lissten"), "listen");
    assert_string_equal(conf_nearest_key(SEC_GLOBAL, "keepalive_timout"), "keepalive_timeout");
    assert_string_equal(conf_nearest_key(SEC_POOL, "pm.max_childs"), "pm.max_children");
    assert_string_equal(conf_nearest_key(SEC_POOL, "max_children"), "pm.max_children");
    assert_string_equal(conf_nearest_key(SEC_POOL, "workers"), "pm.max_children");
    assert_string_equal(conf_nearest_key(SEC_ROUTE, "paht"), "path");
    assert_null(conf_nearest_key(SEC_GLOBAL, "colour"));
    assert_null(conf_nearest_key(SEC_GLOBAL, ""));
    assert_null(conf_nearest_key(SEC_GLOBAL, "a_very_long_key_that_no_option_has_and_that_is_longer_than_any_table"));
    assert_string_equal(conf_nearest_flag("wokers"), "workers");
    assert_string_equal(conf_nearest_flag("pm.max_children"), "workers");
    assert_string_equal(conf_nearest_flag("lisetn"), "listen"); // neighbours swapped
    assert_null(conf_nearest_flag("x"));
}

T(words_of_other_servers_get_advice_that_fits)
{
    assert_non_null(strstr(conf_foreign_hint(SEC_POOL, "pm.min_spare_servers"), "pm.max_children"));
    assert_non_null(strstr(conf_foreign_hint(SEC_POOL, "listen.owner"), "remove it"));
    assert_non_null(strstr(conf_foreign_hint(SEC_SITE, "try_files"), "front_controller"));
    assert_non_null(strstr(conf_foreign_hint(SEC_ROUTE, "location ~ .php$ {"), "[route NAME]"));
    assert_null(conf_foreign_hint(SEC_GLOBAL, "listen"));
}

// An advice for a key that exists would hide the option.
T(no_option_of_ours_is_foreign)
{
    for (size_t i = 0; i < conf_n_options; i++)
        assert_null(conf_foreign_hint(conf_options[i].section, conf_options[i].key));
}

T(the_reference_and_the_help_name_every_option)
{
    char *text = NULL, *help = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    conf_print_reference(out);
    fclose(out);
    out = open_memstream(&help, &n);
    conf_print_help(CONF_COMMAND_SERVE, out);
    fclose(out);
    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        char want[128];
        snprintf(want, sizeof want, "### %s", o->key);
        if (o->section != SEC_COMMAND)
            assert_non_null(strstr(text, want));
        snprintf(want, sizeof want, "--%s", o->flag ? o->flag : "listen");
        assert_true(strstr(help, want) || strcmp(o->flag, "json") == 0);
    }
    free(text);
    free(help);
}

CLAIMS(C(every_row_is_documented), C(keys_are_unique_in_their_section_and_flags_everywhere), C(environment_names_are_unique),
       C(flags_belong_to_sections_they_can_set), C(nearest_name_is_near_or_nothing),
       C(words_of_other_servers_get_advice_that_fits), C(no_option_of_ours_is_foreign),
       C(the_reference_and_the_help_name_every_option))
