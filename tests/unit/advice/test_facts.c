// SPDX-License-Identifier: Apache-2.0
#include "advice/facts.h"

#include "../claim.h"

T(the_most_telling_role_names_the_server)
{
    struct proc_info p[] = {{.role = ROLE_APACHE, .rss_anon = -1, .memory_limit = -1},
                            {.role = ROLE_FPM_WORKER, .rss_anon = 10, .memory_limit = -1},
                            {.role = ROLE_CADDY, .rss_anon = 99, .memory_limit = -1},
                            {.role = ROLE_FPM_WORKER, .rss_anon = 30, .memory_limit = -1}};
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    advice_facts_from_procs(&f, p, 4);
    assert_int_equal(f.server, SERVER_FPM);
    assert_int_equal(f.worker_bytes, 20);
    assert_int_equal(f.worker_peak, 30);
    assert_true(f.go_runtime);
    assert_int_equal(f.php_heap, -1); // nobody could be split
}

T(heaps_add_up_over_processes)
{
    struct proc_info p[] = {
        {.role = ROLE_FPM_WORKER, .split_known = true, .split = {.php_heap = 5, .native = 2}, .memory_limit = 64},
        {.role = ROLE_FPM_WORKER, .split_known = true, .split = {.php_heap = 7, .native = 1}, .memory_limit = -1}};
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    advice_facts_from_procs(&f, p, 2);
    assert_int_equal(f.php_heap, 12);
    assert_int_equal(f.native, 3);
    assert_int_equal(f.memory_limit, 64);
}

T(paths_tell_of_applications)
{
    assert_int_equal(advice_app_of_path("/var/www/html/wp-content/cache"), APP_WORDPRESS);
    assert_int_equal(advice_app_of_path("/srv/storage/framework/cache/data"), APP_LARAVEL);
    assert_int_equal(advice_app_of_path("/srv/storage/logs"), APP_LARAVEL);
    assert_int_equal(advice_app_of_path("/app/var/cache/website/prod"), APP_SULU);
    assert_int_equal(advice_app_of_path("/app/var/cache/prod/pools"), APP_SYMFONY);
    assert_int_equal(advice_app_of_path("/tmp"), APP_UNKNOWN);
}

CLAIMS(C(the_most_telling_role_names_the_server), C(heaps_add_up_over_processes), C(paths_tell_of_applications))
