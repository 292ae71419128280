// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"
#include "conf_folder.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    folder_make();
    return 0;
}

static int teardown(void **state)
{
    folder_remove();
    return 0;
}

static void touch(const char *name)
{
    folder_write(name, "");
}

static void want_root(const struct conf *c, const char *name)
{
    char *want = folder_path(name), *real = realpath(want, NULL);
    assert_string_equal(c->sites[0].root, real);
    free(real);
    free(want);
}

static bool says(const struct conf_list *list, const char *part)
{
    for (size_t i = 0; i < list->n; i++)
        if (strstr(list->v[i], part))
            return true;
    return false;
}

static const struct conf_route *denies(const struct conf *c, const char *glob, bool php_only)
{
    for (size_t i = 0; i < c->n_routes; i++)
        for (size_t j = 0; j < c->routes[i].path.n; j++)
            if (strcmp(c->routes[i].path.v[j], glob) == 0 && (php_only ? c->routes[i].php == OFF : c->routes[i].deny))
                return &c->routes[i];
    return NULL;
}

T(the_first_folder_with_an_index_is_the_root)
{
    touch("app/web/index.html");
    touch("app/index.php");
    struct conf *c = load_right(NULL, NULL, NULL);
    want_root(c, "app/web");
    assert_null(c->sites[0].front_controller);
    conf_free(c);
    touch("app/public/index.php");
    c = load_right(NULL, NULL, NULL);
    want_root(c, "app/public");
    assert_string_equal(c->sites[0].front_controller, "/index.php");
    assert_true(says(&c->findings, "document root"));
    assert_true(says(&c->findings, "front controller /index.php (found"));
    conf_free(c);
}

T(an_empty_public_folder_is_not_taken)
{
    touch("app/public/robots.txt");
    touch("app/index.php");
    struct conf *c = load_right(NULL, NULL, NULL);
    want_root(c, "app");
    conf_free(c);
}

T(without_any_index_the_folder_itself_is_served_or_the_public_one_that_has_scripts)
{
    touch("app/hello.php");
    struct conf *c = load_right(NULL, NULL, NULL);
    want_root(c, "app");
    conf_free(c);
    touch("app/web/tool.php");
    c = load_right(NULL, NULL, NULL);
    want_root(c, "app/web");
    conf_free(c);
}

T(a_root_that_is_named_must_be_a_folder)
{
    touch("app/index.php");
    load_wrong(NULL, FLAGS("root", "publik"), NULL, "--root: ");
    load_wrong(NULL, FLAGS("root", "index.php"), NULL, "is not a folder");
    load_wrong(NULL, FLAGS("DIR", "/no/such/folder"), NULL, "DIR: /no/such/folder: No such file");
}

T(a_front_controller_that_is_named_must_exist)
{
    touch("app/index.php");
    touch("app/app.php");
    load_wrong(NULL, FLAGS("front_controller", "main.php"), NULL, "main.php does not exist");
    struct conf *c = load_right(NULL, FLAGS("front_controller", "app.php"), NULL);
    assert_string_equal(c->sites[0].front_controller, "/app.php");
    conf_free(c);
    c = load_right(NULL, FLAGS("front_controller", "off"), NULL);
    assert_null(c->sites[0].front_controller);
    conf_free(c);
}

T(an_absolute_root_alone_is_the_applications_folder_too)
{
    touch("other/index.php");
    char *text = folder_path("other");
    struct buf file = BUF_INIT;
    buf_printf(&file, "[site a]\nroot = %s\n", text);
    buf_add(&file, "", 1);
    struct conf *c = load_right(file.p, FLAGS("DIR", text), NULL);
    want_root(c, "other");
    conf_free(c);
    buf_done(&file);
    free(text);
    load_wrong("[site a]\ndir = other\n[site b]\nserver_name = b\n", NULL, NULL, "[site b] needs dir");
}

T(applications_are_recognised_by_their_files)
{
    const struct {
        const char *files[4], *app, *root;
        bool front;
    } rows[] = {
        {{"app/bin/console", "app/public/index.php"}, "Symfony", "app/public", true},
        {{"app/bin/adminconsole", "app/bin/console", "app/public/index.php"}, "Sulu", "app/public", true},
        {{"app/artisan", "app/bootstrap/app.php", "app/public/index.php"}, "Laravel", "app/public", true},
        {{"app/wp-settings.php", "app/wp-includes/version.php", "app/index.php"}, "WordPress", "app", true},
        {{"app/doku.php", "app/lib/exe/fetch.php", "app/index.php"}, "DokuWiki", "app", false},
        {{"app/show_config_errors.php", "app/libraries/x", "app/templates/x", "app/index.php"}, "phpMyAdmin", "app", false},
        {{"app/core/lib/Drupal.php", "app/index.php"}, "Drupal", "app", true},
        {{"app/web/core/lib/Drupal.php", "app/web/index.php"}, "Drupal", "app/web", true},
        {{"app/bin/magento", "app/pub/index.php", "app/index.php"}, "Magento", "app/pub", true},
        {{"app/public/index.php"}, "none", "app/public", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; j < 4 && rows[i].files[j]; j++)
            touch(rows[i].files[j]);
        struct conf *c = load_right(NULL, NULL, NULL);
        assert_string_equal(c->sites[0].app, rows[i].app);
        want_root(c, rows[i].root);
        assert_int_equal(c->sites[0].front_controller != NULL, rows[i].front);
        conf_free(c);
        folder_remove();
        folder_make();
    }
}

T(an_application_is_recognised_from_its_document_root_too)
{
    touch("app/artisan");
    touch("app/bootstrap/app.php");
    touch("app/public/index.php");
    char *dir = folder_path("app/public");
    struct conf *c = load_right(NULL, FLAGS("DIR", dir), NULL);
    assert_string_equal(c->sites[0].app, "Laravel");
    want_root(c, "app/public");
    assert_non_null(denies(c, "/storage/*", true));
    conf_free(c);
    free(dir);
}

T(builtin_routes_say_what_the_applications_htaccess_says)
{
    touch("app/doku.php");
    touch("app/lib/exe/fetch.php");
    touch("app/index.php");
    touch("app/vendor/autoload.php");
    struct conf *c = load_right("[route mine]\npath = /x\ndeny = yes\n", NULL, NULL);
    assert_string_equal(c->routes[0].name, "mine");
    assert_non_null(denies(c, "/data/*", false));
    assert_non_null(denies(c, "/conf/*", false));
    assert_non_null(denies(c, "/composer.json", false));
    assert_non_null(denies(c, "/vendor/*", false));
    assert_false(denies(c, "/data/*", false)->files_only);
    assert_true(denies(c, "*.sql", false)->files_only); // a wiki page may be called so
    assert_string_equal(denies(c, "/data/*", false)->site, "default");
    assert_true(denies(c, "/data/*", false)->builtin);
    assert_true(says(&c->findings, "denied (DokuWiki): /data/*"));
    conf_free(c);
    c = load_right("[site default]\nbuiltin_denies = no\n", NULL, NULL);
    assert_int_equal(c->n_routes, 0);
    conf_free(c);
}

T(uploads_of_wordpress_are_not_run)
{
    touch("app/wp-settings.php");
    touch("app/wp-includes/version.php");
    touch("app/index.php");
    struct conf *c = load_right(NULL, NULL, NULL);
    assert_non_null(denies(c, "/wp-content/uploads/*", true));
    assert_non_null(denies(c, "/wp-config.php", false));
    assert_null(denies(c, "/vendor/*", false));
    conf_free(c);
}

T(a_public_folder_needs_no_rules_for_what_lies_above_it)
{
    touch("app/public/index.php");
    touch("app/vendor/autoload.php");
    struct conf *c = load_right(NULL, NULL, NULL);
    assert_null(denies(c, "/composer.json", false));
    assert_null(denies(c, "/vendor/*", false));
    assert_non_null(denies(c, "*.sql", false));
    conf_free(c);
}

T(serving_the_folder_above_the_public_one_is_warned_of)
{
    touch("app/artisan");
    touch("app/bootstrap/app.php");
    touch("app/public/index.php");
    struct conf *c = load_right(NULL, FLAGS("root", "."), NULL);
    assert_true(says(&c->warnings, "Laravel's is public/"));
    conf_free(c);
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(the_first_folder_with_an_index_is_the_root), CT(an_empty_public_folder_is_not_taken),
       CT(without_any_index_the_folder_itself_is_served_or_the_public_one_that_has_scripts), CT(a_root_that_is_named_must_be_a_folder),
       CT(a_front_controller_that_is_named_must_exist), CT(an_absolute_root_alone_is_the_applications_folder_too),
       CT(applications_are_recognised_by_their_files), CT(an_application_is_recognised_from_its_document_root_too),
       CT(builtin_routes_say_what_the_applications_htaccess_says), CT(uploads_of_wordpress_are_not_run),
       CT(a_public_folder_needs_no_rules_for_what_lies_above_it), CT(serving_the_folder_above_the_public_one_is_warned_of))
