// SPDX-License-Identifier: Apache-2.0
#include "advice/signatures.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../claim.h"
#include "advice_tree.h"
#include "mem/sample.h"

#define H32 "00112233445566778899aabbccddeeff"
#define H40 "00112233445566778899aabbccddeeff00112233"
#define H60 "00112233445566778899aabbccddeeff00112233445566778899aabbccdd"
#define B20 "aB3-+9zZyYxXwW012345"

static struct tree tree;

static void plant(const char *const *names)
{
    tree_make(&tree);
    for (; *names; names++)
        tree_add(&tree, *names, 300);
}

// What `path` is found to be; the tree stands for the container's root.
static enum signature_id find(const char *path, struct signature_hit *ret)
{
    *ret = (struct signature_hit){.id = SIG_NONE};
    return signature_find_directory(tree.fd, "/", path, ret) ? ret->id : SIG_NONE;
}

struct example {
    enum signature_id id;
    const char *at;    // where growth was seen
    const char *place; // the directory that is named
    enum advice_app app;
    const char *const *files;
    const char *const *near_miss; // not this signature
};
#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct example examples[] = {
    {SIG_SYMFONY_HTTP_CACHE, "/app/var/cache/prod/http_cache/en", "/app/var/cache/prod/http_cache", APP_SYMFONY,
     FILES("app/var/cache/prod/http_cache/md/ab/cd/" H60, "app/var/cache/prod/http_cache/en/01/23/4567890123456789012345678901"),
     FILES("app/var/cache/prod/http_cache/md/readme", "app/var/cache/prod/http_cache/en/strings.po")},
    // An unusual place is no obstacle.
    {SIG_SYMFONY_HTTP_CACHE, "/tmp/x", "/tmp/x", APP_SYMFONY, FILES("tmp/x/md/ab/cd/" H60, "tmp/x/en/01/23/4567"),
     FILES("tmp/x/de/ab/cd/" H60, "tmp/x/en/01/23/4567")},
    {SIG_SYMFONY_HTTP_CACHE_LOCKS, "/app/var/cache/prod/http_cache", "/app/var/cache/prod/http_cache", APP_SYMFONY,
     FILES("app/var/cache/prod/http_cache/md/ab/cd/" H60), FILES("app/var/cache/prod/http_cache/md/ab/cd/" H40)},
    {SIG_SULU_HTTP_CACHE, "/app/var/cache/common/prod/http_cache/@", "/app/var/cache/common/prod/http_cache", APP_SULU,
     FILES("app/var/cache/common/prod/http_cache/@/A/+/" B20), FILES("app/var/cache/common/prod/http_cache/@/a/b/" B20)},
    {SIG_PSR6_HTTP_CACHE, "/app/var/cache/prod/http_cache", "/app/var/cache/prod/http_cache", APP_SYMFONY,
     FILES("app/var/cache/prod/http_cache/@/A/Q/" B20), FILES("app/var/cache/prod/http_cache/@/A/Q/short")},
    {SIG_SYMFONY_CACHE_POOL, "/app/var/cache/prod/pools/app", "/app/var/cache/prod/pools/app", APP_SYMFONY,
     FILES("app/var/cache/prod/pools/app/-kzzcSA5uW/7/X/" B20), FILES("app/var/cache/prod/pools/app/-kzzcSA5uW/7/x/" B20)},
    {SIG_SYMFONY_CACHE_POOL, "/tmp/symfony-cache", "/tmp/symfony-cache", APP_SYMFONY, FILES("tmp/symfony-cache/@/7/X/" B20),
     FILES("tmp/symfony-cache/@/7/" B20)},
    {SIG_TWIG_CACHE, "/app/var/cache/prod/twig", "/app/var/cache/prod/twig", APP_SYMFONY,
     FILES("app/var/cache/prod/twig/00/" H32 ".php"), FILES("app/var/cache/prod/twig/00/Template.php")},
    {SIG_LARAVEL_CACHE, "/srv/storage/framework/cache/data/ab", "/srv/storage/framework/cache/data", APP_LARAVEL,
     FILES("srv/storage/framework/cache/data/ab/cd/" H40), FILES("srv/storage/framework/cache/data/ab/cd/" H32)},
    {SIG_LARAVEL_SESSIONS, "/srv/storage/framework/sessions", "/srv/storage/framework/sessions", APP_LARAVEL,
     FILES("srv/storage/framework/sessions/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCd"),
     FILES("srv/storage/framework/uploads/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCd")},
    {SIG_LARAVEL_VIEWS, "/srv/storage/framework/views", "/srv/storage/framework/views", APP_LARAVEL,
     FILES("srv/storage/framework/views/" H40 ".php"), FILES("srv/storage/framework/views/welcome.php")},
    {SIG_WP_SUPER_CACHE, "/var/www/html/wp-content/cache/supercache", "/var/www/html/wp-content/cache", APP_WORDPRESS,
     FILES("var/www/html/wp-content/cache/supercache/example.com/about/index-https.html.gz"),
     FILES("var/www/html/wp-content/other/supercache/example.com/style.css")},
    {SIG_W3_TOTAL_CACHE, "/var/www/html/wp-content/cache/page_enhanced/example.com", "/var/www/html/wp-content/cache",
     APP_WORDPRESS, FILES("var/www/html/wp-content/cache/page_enhanced/example.com/about/_index_slash.html"),
     FILES("var/www/html/wp-content/x/page_enhanced/example.com/about/page.html")},
    {SIG_WP_CACHE, "/var/www/html/wp-content/cache/wp-rocket", "/var/www/html/wp-content/cache", APP_WORDPRESS,
     FILES("var/www/html/wp-content/cache/wp-rocket/example.com/index.html"),
     FILES("var/www/html/wp-content/uploads/cache/index.html")},
    {SIG_PHP_SESSIONS, "/var/lib/php/sessions", "/var/lib/php/sessions", APP_UNKNOWN,
     FILES("var/lib/php/sessions/sess_0123456789abcdefghijklmnop"), FILES("var/lib/php/sessions/session_0123456789")},
    {SIG_PHP_SESSIONS, "/tmp/s/a", "/tmp/s", APP_UNKNOWN, FILES("tmp/s/a/b/sess_abc"), FILES("tmp/s/a/b/session_abc")},
    {SIG_UPLOADS, "/tmp", "/tmp", APP_UNKNOWN, FILES("tmp/phpA1b2C3"), FILES("tmp/phpunit.xml")},
    {SIG_OPCACHE_FILES, "/var/opcache", "/var/opcache", APP_UNKNOWN, FILES("var/opcache/" H32 "/app/src/Kernel.php.bin"),
     FILES("var/opcache/" H32 "/app/src/Kernel.php")},
    {SIG_CORE_DUMPS, "/app", "/app", APP_UNKNOWN, FILES("app/core.4711"), FILES("app/core.php")},
    {SIG_LOGS, "/app/var/log", "/app/var/log", APP_UNKNOWN, FILES("app/var/log/prod.log", "app/var/log/prod.log.1"),
     FILES("app/var/log/catalogue")},
    {SIG_DEV_SHM, "/dev/shm", "/dev/shm", APP_UNKNOWN, FILES("dev/shm/my-cache"), FILES("dev/shmem/my-cache")},
};

T(each_directory_is_recognised_by_what_is_inside)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *e = &examples[i];
        struct signature_hit hit;
        plant(e->files);
        assert_string_equal(signature_get(find(e->at, &hit))->name, signature_get(e->id)->name);
        assert_string_equal(hit.path, e->place);
        assert_int_equal(hit.app, e->app);
        tree_remove(&tree);
    }
}

T(a_near_miss_is_something_else)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *e = &examples[i];
        struct signature_hit hit;
        char at[256];
        plant(e->near_miss);
        // Growth is seen where the files are: the whole path of the first one's folder.
        snprintf(at, sizeof at, "/%s", e->near_miss[0]);
        for (char *end = strrchr(at, '/'); end; end = strrchr(at, '/')) {
            *end = '\0';
            if (at[0] && find(at, &hit) == e->id)
                fail_msg("%s is not %s", at, signature_get(e->id)->name);
        }
        tree_remove(&tree);
    }
}

T(every_row_for_directories_has_an_example)
{
    for (int id = SIG_NONE + 1; id < SIG_N; id++) {
        bool has = signature_get((enum signature_id)id)->kind != SIGNATURE_DIRECTORY;
        for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
            has |= examples[i].id == (enum signature_id)id;
        if (!has)
            fail_msg("%s has none", signature_get((enum signature_id)id)->name);
    }
}

// Logs look alike everywhere; which setting moves them depends on who writes them.
T(an_application_is_told_by_what_lies_in_its_folder_above_the_mount_too)
{
    static const struct {
        const char *beside;
        enum advice_app app;
    } known[] = {{"srv/web/bin/console", APP_SYMFONY},         {"srv/web/bin/adminconsole", APP_SULU},
                 {"srv/web/artisan", APP_LARAVEL},              {"srv/web/wp-settings.php", APP_WORDPRESS},
                 {"srv/web/bin/something", APP_UNKNOWN},        {"bin/console", APP_UNKNOWN},
                 {"srv/web/logs/old/artisan", APP_UNKNOWN}};
    struct signature_hit hit;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        plant(FILES("srv/web/logs/today.log", known[i].beside));
        assert_true(signature_find_directory(tree.fd, "/srv/web/logs", "/srv/web/logs", &hit));
        assert_int_equal(hit.id, SIG_LOGS);
        assert_int_equal(hit.app, known[i].app);
        tree_remove(&tree);
    }
}

T(files_beside_the_growing_directory_prove_nothing)
{
    struct signature_hit hit;
    plant(FILES("tmp/sess_abc", "tmp/mine/data.bin"));
    assert_int_equal(find("/tmp", &hit), SIG_PHP_SESSIONS);
    assert_int_equal(find("/tmp/mine", &hit), SIG_NONE);
    tree_remove(&tree);
}

T(nothing_above_the_mount_point_is_looked_at)
{
    struct signature_hit hit;
    plant(FILES("c/md/ab/cd/" H60, "c/en/ab/cd/x"));
    assert_true(signature_find_directory(tree.fd, "/c", "/c/en/ab", &hit));
    assert_false(signature_find_directory(tree.fd, "/c/en", "/c/en/ab", &hit));
    tree_remove(&tree);
}

T(links_and_missing_paths_are_not_followed)
{
    struct signature_hit hit;
    plant(FILES("c/md/ab/cd/" H60, "c/en/ab/cd/x"));
    assert_int_equal(symlinkat("c", tree.fd, "link"), 0);
    assert_int_equal(find("/link", &hit), SIG_NONE);
    assert_int_equal(find("/nothing/here", &hit), SIG_NONE);
    assert_false(signature_find_directory(-1, "/", "/c", &hit));
    assert_false(signature_find_directory(tree.fd, "/", "relative", &hit));
    tree_remove(&tree);
}

static bool has_condition(const struct advice_facts *f, enum signature_id id)
{
    enum signature_id found[SIG_N];
    unsigned n = signature_find_conditions(f, found, SIG_N);
    for (unsigned i = 0; i < n; i++)
        if (found[i] == id)
            return true;
    return false;
}

#define MIB (INT64_C(1) << 20)

T(a_go_runtime_without_gomemlimit_is_told_only_where_its_environment_was_seen)
{
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    f.go_runtime = true;
    assert_false(has_condition(&f, SIG_GO_NO_LIMIT));
    f.gomemlimit_known = true;
    assert_true(has_condition(&f, SIG_GO_NO_LIMIT));
    f.gomemlimit_set = true;
    assert_false(has_condition(&f, SIG_GO_NO_LIMIT));
}

T(max_threads_auto_matters_where_the_host_is_larger_than_the_container)
{
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    f.server = SERVER_FRANKENPHP;
    f.max_threads_known = f.max_threads_auto = true;
    f.limit = 512 * MIB;
    f.host_ram = 65536 * MIB;
    assert_true(has_condition(&f, SIG_MAX_THREADS_AUTO));
    f.host_ram = 512 * MIB;
    assert_false(has_condition(&f, SIG_MAX_THREADS_AUTO));
    f.host_ram = 65536 * MIB;
    f.max_threads_auto = false;
    assert_false(has_condition(&f, SIG_MAX_THREADS_AUTO));
}

T(children_times_memory_limit_is_held_against_the_limit)
{
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    f.server = SERVER_FPM;
    f.limit = 512 * MIB;
    f.memory_limit = 128 * MIB;
    f.max_children = 5;
    assert_true(has_condition(&f, SIG_CHILDREN_BEYOND_LIMIT));
    f.max_children = 4;
    assert_false(has_condition(&f, SIG_CHILDREN_BEYOND_LIMIT));
    f.max_children = 5;
    f.limit = MEM_UNLIMITED;
    assert_false(has_condition(&f, SIG_CHILDREN_BEYOND_LIMIT));
}

T(no_memory_limit_is_not_the_same_as_not_known)
{
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    assert_false(has_condition(&f, SIG_NO_MEMORY_LIMIT));
    f.memory_limit = 0;
    assert_true(has_condition(&f, SIG_NO_MEMORY_LIMIT));
}

T(huge_pages_are_told_when_they_are_half_of_much)
{
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    f.anon = 300 * MIB;
    f.anon_thp = 150 * MIB;
    assert_true(has_condition(&f, SIG_HUGE_PAGES));
    f.anon_thp = 140 * MIB;
    assert_false(has_condition(&f, SIG_HUGE_PAGES));
    f.anon = f.anon_thp = 60 * MIB;
    assert_false(has_condition(&f, SIG_HUGE_PAGES));
}

T(an_id_outside_the_table_is_nothing)
{
    assert_string_equal(signature_get((enum signature_id)9999)->name, "");
}

CLAIMS(C(each_directory_is_recognised_by_what_is_inside), C(a_near_miss_is_something_else),
       C(every_row_for_directories_has_an_example), C(an_application_is_told_by_what_lies_in_its_folder_above_the_mount_too),
       C(files_beside_the_growing_directory_prove_nothing),
       C(nothing_above_the_mount_point_is_looked_at), C(links_and_missing_paths_are_not_followed),
       C(a_go_runtime_without_gomemlimit_is_told_only_where_its_environment_was_seen),
       C(max_threads_auto_matters_where_the_host_is_larger_than_the_container),
       C(children_times_memory_limit_is_held_against_the_limit), C(no_memory_limit_is_not_the_same_as_not_known),
       C(huge_pages_are_told_when_they_are_half_of_much), C(an_id_outside_the_table_is_nothing))
