// SPDX-License-Identifier: Apache-2.0
#include "advice/fixes.h"

#include <stdio.h>
#include <string.h>

#include "../claim.h"
#include "mem/sample.h"

#define MIB (INT64_C(1) << 20)

static bool says(enum signature_id id, enum advice_app app, enum advice_server server, const char *what)
{
    const struct fix *fixes[FIX_MAX];
    char text[FIX_TEXT];
    unsigned n = fix_list(id, app, server, fixes);
    for (unsigned i = 0; i < n; i++)
        if (strstr(fix_text(fixes[i], NULL, "/x", text), what))
            return true;
    return false;
}

T(every_signature_has_a_fix_for_every_server_and_application)
{
    const struct fix *fixes[FIX_MAX];
    for (int id = SIG_NONE + 1; id < SIG_N; id++)
        for (int app = 0; app < APP_N; app++)
            for (int server = 0; server < SERVER_N; server++)
                if ((signature_get((enum signature_id)id)->app == APP_UNKNOWN ||
                     app == (int)signature_get((enum signature_id)id)->app) &&
                    (id != SIG_MAX_THREADS_AUTO || server == SERVER_FRANKENPHP) &&
                    (id != SIG_CHILDREN_BEYOND_LIMIT || (server != SERVER_UNKNOWN && server != SERVER_ROADRUNNER)) &&
                    fix_list((enum signature_id)id, (enum advice_app)app, (enum advice_server)server, fixes) == 0)
                    fail_msg("%s, %s, %s has no fix", signature_get((enum signature_id)id)->name,
                             advice_app_name((enum advice_app)app), advice_server_name((enum advice_server)server));
}

T(every_cause_that_can_grow_has_a_fix)
{
    const struct fix *fixes[FIX_MAX];
    static const enum mem_cause causes[] = {CAUSE_TMPFS,   CAUSE_SHARED_MEMORY, CAUSE_PHP_HEAP, CAUSE_NATIVE,
                                            CAUSE_GO_HEAP, CAUSE_PROCESS_ANON,  CAUSE_KERNEL,   CAUSE_UNKNOWN};
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        for (int server = 0; server < SERVER_N; server++)
            if (fix_list_cause(causes[i], (enum advice_server)server, fixes) == 0)
                fail_msg("%s has none", mem_cause_name(causes[i]));
}

T(settings_are_those_of_the_server_at_hand)
{
    assert_true(says(SIG_PHP_SESSIONS, APP_UNKNOWN, SERVER_FPM, "php_admin_value[session.save_handler] = redis"));
    assert_false(says(SIG_PHP_SESSIONS, APP_UNKNOWN, SERVER_FPM, "php_ini session.save_handler redis"));
    assert_true(says(SIG_PHP_SESSIONS, APP_UNKNOWN, SERVER_FRANKENPHP, "php_ini session.save_handler redis"));
    // Requests that wait for a thread are Go's memory, whatever its limit.
    assert_true(says(SIG_GO_NO_LIMIT, APP_UNKNOWN, SERVER_FRANKENPHP, "max_wait_time 10s"));
    assert_false(says(SIG_GO_NO_LIMIT, APP_UNKNOWN, SERVER_ROADRUNNER, "max_wait_time"));
    assert_true(says(SIG_NO_MEMORY_LIMIT, APP_UNKNOWN, SERVER_FRANKENPHP, "php_ini memory_limit"));
    // Symfony overrides php.ini where it has a handler of its own: its setting works in any case.
    assert_true(says(SIG_PHP_SESSIONS, APP_SYMFONY, SERVER_FPM, "handler_id: '%env(REDIS_URL)%'"));
    assert_false(says(SIG_PHP_SESSIONS, APP_SYMFONY, SERVER_FPM, "session.save_handler"));
    assert_true(says(SIG_PHP_SESSIONS, APP_UNKNOWN, SERVER_ROADRUNNER, "session.save_handler = redis"));
    assert_true(says(SIG_CORE_DUMPS, APP_UNKNOWN, SERVER_PLIMSOLL, "plimsoll.conf"));
}

T(settings_are_those_of_the_application_at_hand)
{
    assert_true(says(SIG_LOGS, APP_LARAVEL, SERVER_FPM, "LOG_CHANNEL=stderr"));
    assert_false(says(SIG_LOGS, APP_LARAVEL, SERVER_FPM, "monolog"));
    // Symfony's recipe has main of type fingers_crossed with options that no other type may have.
    assert_false(says(SIG_LOGS, APP_SYMFONY, SERVER_FPM, "main:"));
    assert_true(says(SIG_LOGS, APP_SULU, SERVER_FPM, "monolog")); // a Symfony application without a row of its own
    assert_false(says(SIG_LOGS, APP_UNKNOWN, SERVER_FPM, "monolog"));
    assert_true(says(SIG_SYMFONY_HTTP_CACHE, APP_SYMFONY, SERVER_FPM, "http_cache.store"));
    assert_false(says(SIG_SYMFONY_HTTP_CACHE, APP_SULU, SERVER_FPM, "http_cache.store")); // Sulu has its own kernel
    assert_true(says(SIG_SYMFONY_HTTP_CACHE, APP_SULU, SERVER_FPM, "SuluHttpCache"));
    assert_true(says(SIG_LARAVEL_CACHE, APP_LARAVEL, SERVER_UNKNOWN, "CACHE_STORE=redis"));
    assert_true(says(SIG_W3_TOTAL_CACHE, APP_WORDPRESS, SERVER_APACHE, "pgcache.engine redis"));
}

T(no_title_is_said_twice)
{
    const struct fix *fixes[FIX_MAX];
    for (int id = SIG_NONE + 1; id < SIG_N; id++)
        for (int server = 0; server < SERVER_N; server++) {
            unsigned n =
                fix_list((enum signature_id)id, signature_get((enum signature_id)id)->app, (enum advice_server)server, fixes);
            for (unsigned i = 0; i < n; i++)
                for (unsigned k = 0; k < i; k++)
                    assert_string_not_equal(fixes[i]->title, fixes[k]->title);
        }
}

T(placeholders_become_what_is_known)
{
    static const struct fix f = {"T", "here", "a={gomemlimit} b={max_children} c={path} d={tmpfs_size} e={memory_limit}", ""};
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    char text[FIX_TEXT];
    facts.limit = 1024 * MIB;
    facts.memory_limit = 128 * MIB;
    assert_string_equal(fix_text(&f, &facts, "/app/x", text), "T (here):\na=256MiB b=5 c=/app/x d=256m e=128M");
    // Measured: its text 45 MiB, OPcache 32 and Go's 64 leave less of a small container than three quarters.
    static const struct fix threads = {"T", "", "{threads}", ""};
    facts.limit = 256 * MIB;
    facts.memory_limit = 32 * MIB;
    assert_string_equal(fix_text(&threads, &facts, NULL, text), "T:\n5");
    facts.server = SERVER_FRANKENPHP;
    assert_string_equal(fix_text(&threads, &facts, NULL, text), "T:\n3");
}

T(placeholders_become_words_where_nothing_is_known)
{
    static const struct fix f = {"T", "", "a={gomemlimit} b={threads} c={path} d={tmpfs_size}", "note"};
    char text[FIX_TEXT];
    assert_string_equal(fix_text(&f, NULL, NULL, text), "T:\na=BYTES_FOR_GO b=NUMBER c=DIRECTORY d=SIZE\nnote");
}

T(a_directorys_name_never_becomes_a_command)
{
    static const struct fix f = {"T", "", "find {path} -delete", ""};
    static const char *const names[] = {"/tmp/a;reboot", "/tmp/$(reboot)", "/tmp/`reboot`", "/tmp/a b",
                                        "/tmp/a\nb",     "/tmp/'",         "/tmp/*"};
    char text[FIX_TEXT];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(fix_text(&f, NULL, names[i], text), "T:\nfind DIRECTORY -delete");
    assert_string_equal(fix_text(&f, NULL, "/srv/@x/a_b-1.2+é:3", text), "T:\nfind /srv/@x/a_b-1.2+é:3 -delete");
}

T(a_number_that_would_not_fit_is_not_proposed)
{
    static const struct fix f = {"T", "", "{threads} {gomemlimit}", "{max_children} fit"};
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    char text[FIX_TEXT];
    facts.limit = 128 * MIB;
    facts.memory_limit = 512 * MIB;
    facts.go_heap = 100 * MIB;
    assert_string_equal(fix_text(&f, &facts, NULL, text), "T:\nNUMBER BYTES_FOR_GO\nnone fit");
}

T(a_share_of_memory_is_each_workers_part_or_fewer_workers)
{
    static const struct fix f = {"T", "", "{memory_share}", "or {max_children}"};
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    char text[FIX_TEXT];
    facts.limit = 1000 * MIB;
    facts.max_children = 10;
    facts.memory_limit = 128 * MIB;
    assert_string_equal(fix_text(&f, &facts, NULL, text), "T:\n65M\nor 5");
    facts.max_children = 100;
    assert_string_equal(fix_text(&f, &facts, NULL, text), "T:\nFEWER_WORKERS_FIRST\nor 5");
}

T(more_workers_than_fit_are_made_fewer_first)
{
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    const struct fix *fixes[FIX_MAX];
    char text[FIX_TEXT];
    facts.limit = 1000 * MIB;
    facts.max_children = 50;
    facts.memory_limit = 128 * MIB;
    assert_int_equal(fix_list(SIG_CHILDREN_BEYOND_LIMIT, APP_UNKNOWN, SERVER_FPM, fixes), 2);
    // Dynamic spare workers above max_children keep php-fpm from starting.
    assert_string_equal(fix_fill(fixes[0]->paste, &facts, NULL, text), "pm = static\npm.max_children = 5");
    assert_string_equal(fix_fill(fixes[1]->paste, &facts, NULL, text), "php_admin_value[memory_limit] = FEWER_WORKERS_FIRST");
    facts.max_children = 10;
    assert_string_equal(fix_fill(fixes[1]->paste, &facts, NULL, text), "php_admin_value[memory_limit] = 65M");
}

T(braces_of_a_setting_stay)
{
    static const struct fix f = {"T", "", "log {\n    output stderr\n} {unknown_thing} {", ""};
    char text[FIX_TEXT];
    assert_string_equal(fix_text(&f, NULL, NULL, text), "T:\nlog {\n    output stderr\n} {unknown_thing} {");
}

T(no_fix_is_cut)
{
    const struct fix *fixes[FIX_MAX];
    char text[FIX_TEXT];
    for (int id = SIG_NONE + 1; id < SIG_N; id++)
        for (int app = 0; app < APP_N; app++)
            for (int server = 0; server < SERVER_N; server++) {
                unsigned n = fix_list((enum signature_id)id, (enum advice_app)app, (enum advice_server)server, fixes);
                for (unsigned i = 0; i < n; i++)
                    assert_true(strlen(fix_text(fixes[i], NULL, "/app/var/cache/prod/http_cache", text)) < FIX_TEXT - 1);
            }
}

CLAIMS(C(every_signature_has_a_fix_for_every_server_and_application), C(every_cause_that_can_grow_has_a_fix),
       C(settings_are_those_of_the_server_at_hand), C(settings_are_those_of_the_application_at_hand), C(no_title_is_said_twice),
       C(placeholders_become_what_is_known), C(placeholders_become_words_where_nothing_is_known),
       C(a_number_that_would_not_fit_is_not_proposed), C(a_share_of_memory_is_each_workers_part_or_fewer_workers),
       C(more_workers_than_fit_are_made_fewer_first), C(braces_of_a_setting_stay), C(no_fix_is_cut), C(a_directorys_name_never_becomes_a_command))
