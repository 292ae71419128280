// SPDX-License-Identifier: Apache-2.0
// [route] rules: none is got around by another name of the same file, and which of several holds.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"

#include "base/addr.h"
#include "base/die.h"
#include "edge/resolve.h"
#include "edge/route.h"
#include "sites.h"

static char uploads[] = "/uploads/*", dir_all[] = "/dir/*", everything[] = "/*", scripts[] = "*.php",
            protected[] = "/protected/*";
static char *g_uploads = uploads, *g_dir = dir_all, *g_all = everything, *g_scripts = scripts, *g_protected = protected;

T(php_off_stops_scripts_by_any_name)
{
    rule(&g_uploads)->php = OFF;
    restart();
    static const char *const none[][2] = {
        {"/uploads/evil.php", "403"},
        {"/uploads/evil.php/x", "403"},
        {"/uploads/evil.php/x.css", "403"},
        {"/uploads//evil.php", "403"},
        {"/uploads/%65vil.php", "403"},
        {"/dir/../uploads/evil.php", "403"},
        {"/up.php", "403"},
        {"/up.php/x", "403"},
        {"/uploads/missing.php", "404"},
        {"/uploads/missing", "404"},
        {"/uploads/", "403"},
        {"/uploads/evil.php%20", "404"},
    };
    for (int walk = 0; walk < 2; walk++) {
        resolve_set_walk_only(walk);
        for (size_t i = 0; i < sizeof none / sizeof *none; i++)
            if (strcmp(get("front.test", none[i][0]), none[i][1]) != 0)
                fail_msg("%s: %s, not %s", none[i][0], get("front.test", none[i][0]), none[i][1]);
    }
    assert_string_equal(get("front.test", "/uploads/photo.jpg"), "file /uploads/photo.jpg");
    assert_string_equal(get("front.test", "/hello.php/uploads/x"), "php /hello.php + /uploads/x");
    assert_string_equal(get("front.test", "/missing"), FC);
}

T(php_off_leaves_a_folders_page)
{
    rule(&g_scripts)->php = OFF;
    restart();
    assert_string_equal(get("plain.test", "/"), "file /index.html");
    assert_string_equal(get("front.test", "/missing"), "404");
    assert_string_equal(get("front.test", "/index.php/a"), "403");
}

T(the_first_rule_that_sets_php_wins)
{
    static char exception[] = "/uploads/evil.php";
    static char *g = exception;
    rule(&g)->php = ON;
    rule(&g_uploads)->php = OFF;
    restart();
    assert_string_equal(get("plain.test", "/uploads/evil.php"), "php /uploads/evil.php");
    assert_string_equal(get("plain.test", "/uploads/evil.php/x"), "403"); // the URL is another path, only /uploads/* matches
}

T(the_first_rule_about_access_decides)
{
    static char picture[] = "/uploads/photo.jpg";
    static char *g_picture = picture;
    struct cidr ours = {.bits = 120};
    assert_true(addr_parse("192.0.2.0", ours.addr));
    rule(&g_picture)->allow = (struct conf_cidrs){&ours, 1};
    rule(&g_uploads)->deny = true;
    struct conf_route *both = rule(&g_dir);
    both->deny = true;
    both->allow = (struct conf_cidrs){&ours, 1};
    restart();
    assert_string_equal(get("plain.test", "/uploads/photo.jpg"), "file /uploads/photo.jpg");
    assert_string_equal(get("plain.test", "/pic.jpg"), "file /pic.jpg");
    assert_string_equal(get("plain.test", "/uploads/"), "403");
    assert_string_equal(get("plain.test", "/uploads/evil.php"), "403");
    assert_string_equal(get("plain.test", "/uploads/evil.php/x"), "403");
    assert_string_equal(get("plain.test", "/up.php"), "403");
    assert_string_equal(get("plain.test", "/dir/"), "php /dir/index.php");
    ours.addr[14] = 77; // somebody else's network
    assert_string_equal(get("plain.test", "/uploads/photo.jpg"), "403");
    assert_string_equal(get("plain.test", "/pic.jpg"), "403");
    assert_string_equal(get("plain.test", "/dir/"), "403");
    assert_string_equal(get("plain.test", "/dir/index.php/x"), "403");
    assert_string_equal(get("plain.test", "/dir"), "301 /dir/"); // not below /dir/
    assert_string_equal(get("plain.test", "/hello.php"), "php /hello.php");
}

T(no_rule_opens_what_a_built_in_one_closes)
{
    struct cidr ours = {.bits = 120};
    assert_true(addr_parse("192.0.2.0", ours.addr));
    rule(&g_all)->allow = (struct conf_cidrs){&ours, 1};
    struct conf_route *builtin = rule(&g_dir);
    builtin->deny = builtin->builtin = true;
    restart();
    assert_string_equal(get("plain.test", "/dir/index.php"), "403");
    assert_string_equal(get("plain.test", "/hello.php"), "php /hello.php");
}

T(a_link_into_a_denied_folder_is_denied)
{
    rule(&g_uploads)->deny = true;
    restart();
    assert_string_equal(get("plain.test", "/pic.jpg"), "403");
    assert_string_equal(get("plain.test", "/up.php"), "403");
    assert_string_equal(get_internal("plain.test", "/uploads/photo.jpg"), "file /uploads/photo.jpg");
}

T(the_ninth_matching_rule_still_denies)
{
    for (int i = 0; i < 9; i++)
        rule(&g_all)->max_body_size = 5;
    rule(&g_all)->deny = true;
    restart();
    assert_string_equal(get("plain.test", "/style.css"), "403");
}

T(internal_paths_are_reached_by_the_server_only)
{
    static char front[] = "/index.php", page[] = "/pages/index.html";
    static char *g_front = front, *g_page = page;
    rule(&g_front)->internal = true;
    rule(&g_page)->internal = true;
    struct conf_route *alias = rule(&g_protected);
    alias->internal = true;
    alias->root = send_root[0];
    restart();
    assert_string_equal(get("front.test", "/index.php"), "404");
    assert_string_equal(get("front.test", "/index.php/x"), "404");
    assert_string_equal(get("front.test", "/"), FC);
    assert_string_equal(get("front.test", "/missing"), FC);
    assert_string_equal(get("plain.test", "/pages/"), "file /pages/index.html");
    assert_string_equal(get("plain.test", "/pages/index.html"), "404");
    assert_string_equal(get("plain.test", "/protected/file.bin"), "404");
    assert_string_equal(get_internal("plain.test", "/protected/file.bin"), "file /file.bin");
    assert_string_equal(get_internal("plain.test", "/protected/upload.php"), "file /upload.php"); // a download
    assert_string_equal(get_internal("plain.test", "/protected/../.env"), "404");
    assert_string_equal(get_internal("plain.test", "/style.css"), "file /style.css");
    assert_string_equal(get_internal("plain.test", "/.env"), "404");
    assert_string_equal(get_internal("plain.test", "/page.phtml"), "404");
}

T(a_rules_root_stands_for_the_fixed_part_and_no_more)
{
    static char cut[] = "/i*", exact[] = "/file.bin";
    static char *g_cut = cut, *g_exact = exact;
    rule(&g_protected)->root = send_root[0];
    rule(&g_exact)->root = send_root[0];
    rule(&g_cut)->root = sites[0].root;
    restart();
    assert_string_equal(get("front.test", "/protected/file.bin"), "file /file.bin");
    assert_string_equal(get("front.test", "/file.bin"), "file /file.bin");
    assert_string_equal(get("front.test", "/protected/missing"), "404"); // the front controller is the site's
    assert_string_equal(get("front.test", "/protected/upload.php"), "404");
    assert_string_equal(get("front.test", "/protected/upload.php/x"), "404");
    assert_string_equal(get("front.test", "/protected/"), "403");
    assert_string_equal(get("front.test", "/protected/../../site/.git/config"), "400");
    assert_string_equal(get("front.test", "/i../.env"), "404");
    assert_string_equal(get("front.test", "/i../config/db.php"), "404");
    assert_string_equal(get("front.test", "/in.css"), "file /in.css");
}

T(a_rules_root_runs_scripts_only_when_told)
{
    struct conf_route *alias = rule(&g_protected);
    alias->root = send_root[0];
    alias->php = ON;
    restart();
    struct req *r = tree_req("GET", "plain.test", "/protected/upload.php/info");
    char *script = tree_path("store/upload.php");
    route_decide(r, false);
    assert_int_equal(r->plan, PLAN_PHP);
    assert_string_equal(r->script_filename.p, script);
    assert_string_equal(r->script_name.p, "/protected/upload.php");
    assert_string_equal(r->path_info.p, "/info");
    free(script);
    tree_req_free(r);
}

T(rules_hold_for_their_site_only)
{
    rule(&g_all)->deny = true;
    routes[0].site = "front";
    restart();
    assert_string_equal(get("front.test", "/style.css"), "403");
    assert_string_equal(get("plain.test", "/style.css"), "file /style.css");
}

T(redirects_fill_in_their_variables)
{
    static char old[] = "/old*", whole[] = "/whole*", bare[] = "/bare*";
    static char *g_old = old, *g_whole = whole, *g_bare = bare;
    struct conf_route *x = rule(&g_old);
    x->redirect = "https://$host/new$uri";
    x->redirect_status = 308;
    x = rule(&g_whole);
    x->redirect = "https://other.test$request_uri";
    x->redirect_status = 302;
    x = rule(&g_bare);
    x->redirect = "$request_uri";
    x->redirect_status = 302;
    restart();
    assert_string_equal(get("Plain.test:8080", "/old/a%20b"), "308 https://plain.test/new/old/a%20b");
    assert_string_equal(get("plain.test", "/whole/?a=%20"), "302 https://other.test/whole/?a=%20");
    assert_string_equal(get("plain.test", "//bare.test/x"), "302 /bare.test/x");
    assert_string_equal(get("plain.test", "///\\bare.test/x"), "404");
    assert_string_equal(get("plain.test", "/old/%0d%0aSet-Cookie:x"), "400");
}

T(settings_come_from_the_first_rule_then_site_and_pool)
{
    struct conf_route *x = rule(&g_uploads);
    x->max_body_size = 0;
    x->request_buffering = OFF;
    x = rule(&g_all);
    x->max_body_size = 77;
    x->read_timeout_ms = 123;
    x->site = "front";
    restart();
    struct req *r = tree_req("GET", "front.test", "/uploads/evil.php");
    route_decide(r, false);
    assert_int_equal(r->max_body_size, 0);
    assert_false(r->buffering);
    assert_int_equal(r->read_timeout_ms, 123);
    assert_int_equal(r->terminate_timeout_ms, 9000);
    assert_int_equal(r->n_routes, 2);
    tree_req_free(r);
    r = tree_req("GET", "plain.test", "/hello.php");
    route_decide(r, false);
    assert_int_equal(r->max_body_size, 1000);
    assert_true(r->buffering);
    assert_int_equal(r->read_timeout_ms, 60000);
    assert_int_equal(r->terminate_timeout_ms, 0);
    tree_req_free(r);
}

static const char *extra(const struct req *r, const char *name, int which)
{
    for (unsigned i = 0; i < r->n_extra; i++)
        if (str_eq_nocase(r->extra[i].name, str_from(name)) && which-- == 0)
            return r->extra[i].value.p;
    return NULL;
}

T(header_names_are_set_by_one_rule)
{
    static char *first[] = {"Link: </a>", "Link: </b>", "X-One: 1"}, *second[] = {"X-One:2", "X-Two:  2 "};
    struct conf_route *x = rule(&g_dir);
    x->header = (struct conf_list){first, 3};
    x->expires_s = 3600;
    rule(&g_all)->header = (struct conf_list){second, 2};
    restart();
    struct req *r = tree_req("GET", "plain.test", "/dir/");
    route_decide(r, false);
    assert_string_equal(extra(r, "Link", 0), "</a>");
    assert_string_equal(extra(r, "Link", 1), "</b>");
    assert_null(extra(r, "Link", 2)); // though the rule matched the folder and its index
    assert_string_equal(extra(r, "X-One", 0), "1");
    assert_null(extra(r, "X-One", 1));
    assert_int_equal(strncmp(extra(r, "X-Two", 0), "2", 1), 0);
    assert_string_equal(extra(r, "Cache-Control", 0), "max-age=3600");
    assert_int_equal(strlen(extra(r, "Expires", 0)), 29);
    tree_req_free(r);
    r = tree_req("GET", "plain.test", "/dir/missing");
    route_decide(r, false);
    assert_null(extra(r, "Cache-Control", 0)); // a 404 is not kept for an hour
    assert_string_equal(extra(r, "X-One", 0), "1");
    tree_req_free(r);
}

WITH_TREE(S(php_off_stops_scripts_by_any_name), S(php_off_leaves_a_folders_page), S(the_first_rule_that_sets_php_wins),
          S(the_first_rule_about_access_decides), S(no_rule_opens_what_a_built_in_one_closes),
          S(a_link_into_a_denied_folder_is_denied), S(the_ninth_matching_rule_still_denies),
          S(internal_paths_are_reached_by_the_server_only), S(a_rules_root_stands_for_the_fixed_part_and_no_more),
          S(a_rules_root_runs_scripts_only_when_told), S(rules_hold_for_their_site_only), S(redirects_fill_in_their_variables),
          S(settings_come_from_the_first_rule_then_site_and_pool), S(header_names_are_set_by_one_rule))
