// SPDX-License-Identifier: Apache-2.0
// Hostile paths over a real tree: each gets what it should and no more. And methods, links, replaced folders.
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

struct row {
    const char *path, *plain, *front; // NULL: as plain
};

static const struct row rows[] = {
    // what is there
    {"/", "php /index.php", NULL},
    {"/?a=1", "php /index.php", NULL},
    {"/index.php", "php /index.php", NULL},
    {"/hello.php", "php /hello.php", NULL},
    {"/hello%2ephp", "php /hello.php", NULL},
    {"/%68ello.php", "php /hello.php", NULL},
    {"//hello.php", "php /hello.php", NULL},
    {"/dir/..//hello.php", "php /hello.php", NULL},
    {"/style.css", "file /style.css", NULL},
    {"/empty.txt", "file /empty.txt", NULL},
    {"/sp%20ace/a%20b.css", "file /sp ace/a b.css", NULL},
    {"/%C3%A4.css", "file /\xc3\xa4.css", NULL},
    {"/incl.css", "file /incl.css", NULL},
    {"/php", "file /php", NULL},
    {"/x.phpunit.js", "file /x.phpunit.js", NULL},
    {"/index.php.html", "file /index.php.html", NULL},
    // folders
    {"/dir", "301 /dir/", NULL},
    {"/dir?x=1&y=/..", "301 /dir/?x=1&y=/..", NULL},
    {"/dir?", "301 /dir/?", NULL},
    {"/sp%20ace", "301 /sp%20ace/", NULL},
    {"//dir", "301 /dir/", NULL},
    {"/dir/", "php /dir/index.php", NULL},
    {"/pages/", "file /pages/index.html", NULL},
    {"/nothing", "301 /nothing/", NULL},
    {"/nothing/", "403", FC},
    {"/foo.php", "301 /foo.php/", NULL},
    {"/foo.php/", "403", FC},
    {"/foo.php/in.css", "file /foo.php/in.css", NULL},
    // what is not there
    {"/missing", "404", FC},
    {"/missing/", "404", FC},
    {"/missing/deeper?q", "404", FC},
    {"/missing.php", "404", NULL},
    {"/dir/missing.php", "404", NULL},
    {"/missing.php/x", "404", FC},
    {"/style.css/", "404", FC},
    {"/style.css/x", "404", FC},
    {"/HELLO.php", "404", NULL},
    // PATH_INFO
    {"/hello.php/", "php /hello.php + /", NULL},
    {"/hello.php/a/b", "php /hello.php + /a/b", NULL},
    {"/hello.php/a%2Fb//c", "php /hello.php + /a/b/c", NULL},
    {"/hello.php/x.php", "php /hello.php + /x.php", NULL},
    {"/hello.php/x.php/y", "php /hello.php + /x.php/y", NULL},
    {"/hello.php/.hidden", "php /hello.php + /.hidden", NULL},
    {"/photo.jpg/x.php", "404", NULL},
    {"/photo.jpg/x.php/y", "404", FC},
    {"/uploads/photo.jpg/.php", "404", NULL},
    {"/uploads/photo.jpg%00.php", "400", NULL},
    // out of the root
    {"/..", "400", NULL},
    {"/../", "400", NULL},
    {"/../config/db.php", "400", NULL},
    {"/../../outside/out.txt", "400", NULL},
    {"/dir/../../config/db.php", "400", NULL},
    {"/%2e%2e/config/db.php", "400", NULL},
    {"/.%2e/config/db.php", "400", NULL},
    {"/%2E%2E%2Fconfig/db.php", "400", NULL},
    {"/dir%2f..%2f..%2fconfig/db.php", "400", NULL},
    {"/%252e%252e/config/db.php", "404", NULL},
    {"/..;/config/db.php", "404", NULL},
    {"/..%5cconfig%5cdb.php", "404", NULL},
    {"/%c0%ae%c0%ae/config/db.php", "404", NULL},
    {"/%c0%ae%c0%ae%c0%afoutside%c0%afout.txt", "404", FC},
    {"/%u002e%u002e/config/db.php", "400", NULL},
    {"/%ef%bc%8e%ef%bc%8e/config/db.php", "404", NULL},
    {"/i../../style.css", "file /style.css", NULL},
    {"/i../", "403", FC},
    {"/%", "400", NULL},
    {"/%2", "400", NULL},
    {"/%zz", "400", NULL},
    {"/%0a", "400", NULL},
    {"/hello.php%0d%0aX: y", "400", NULL},
    {"/etc/passwd", "404", FC},
    {"/proc/self/environ", "404", FC},
    // hidden
    {"/.env", "404", NULL},
    {"/%2eenv", "404", NULL},
    {"/.git/config", "404", NULL},
    {"/.git", "404", NULL},
    {"/.git/", "404", NULL},
    {"/.missing", "404", NULL},
    {"/uploads/.user.ini", "404", NULL},
    {"/dir/.htaccess", "404", NULL},
    {"/.well-known/acme/token", "file /.well-known/acme/token", NULL},
    {"/.well-known/.secret", "404", NULL},
    {"/.well-known/missing", "404", FC},
    {"/.well-known/../.env", "404", NULL},
    {"/.x.php/y", "404", NULL},
    // source
    {"/UPPER.PHP", "404", NULL},
    {"/UPPER.PHP/x", "404", FC},
    {"/page.phtml", "404", NULL},
    {"/old.php5", "404", NULL},
    {"/a.phps", "404", NULL},
    {"/lib.inc", "404", NULL},
    {"/index.php~", "404", NULL},
    {"/index.php%7e", "404", NULL},
    {"/index.php.bak", "404", NULL},
    {"/x.php.orig", "404", NULL},
    {"/x.php.swp", "404", NULL},
    {"/dot.php.", "404", NULL},
    {"/space.php%20", "404", NULL},
    {"/x.php.txt", "404", NULL},
    {"/x.PhP.save", "404", NULL},
    {"/x.php%C5%BF", "404", NULL}, // a long s, which some case foldings make an s
    {"/index.php%20", "404", FC},
    {"/index.php.", "404", FC},
    {"/index.php::$DATA", "404", FC},
    {"/index.php%5c", "404", FC},
    {"/index.php;.css", "404", FC},
    {"/hello.php%3f.css", "404", FC},
    {"/hello.php%23", "404", FC},
    {"/wiki/Config.inc", "404", FC},
    // links
    {"/in.css", "file /in.css", NULL},
    {"/abs.css", "file /abs.css", NULL},
    {"/out.txt", "file /out.txt", NULL},
    {"/data", "301 /data/", NULL},
    {"/data/out.txt", "file /data/out.txt", NULL},
    {"/data/lib.php", "php /data/lib.php", NULL},
    {"/lib.php", "php /lib.php", NULL},
    {"/lib.php/info", "php /lib.php + /info", NULL},
    {"/evil.jpg", "404", NULL},
    {"/evil2.jpg", "404", NULL},
    {"/evil2.jpg/x.php", "404", NULL},
    {"/run.php", "404", NULL},
    {"/run.php/x", "404", NULL},
    {"/env.txt", "403", NULL},
    {"/git.txt", "403", NULL},
    {"/hidden.txt", "403", NULL},
    {"/key.txt", "403", NULL},
    {"/data/.hidden.txt", "404", NULL},
    {"/data/.ssh/id_rsa", "404", NULL},
    {"/loop", "404", FC},
    {"/broken", "404", FC},
    {"/folder/", "file /folder/index.html", NULL},
    // what is no file
    {"/fifo", "404", NULL},
    {"/socket", "404", NULL},
    {"/null.txt", "404", NULL},
    {"/slash/dev/zero", "404", NULL},
    // targets that are no path
    {"", "400", NULL},
    {"hello.php", "400", NULL},
};

static void try_rows(void)
{
    alarm(60); // for a fifo
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        const char *front = row->front ? row->front : row->plain, *got = get("plain.test", row->path);
        if (strcmp(got, row->plain) != 0)
            fail_msg("%s: %s, not %s", row->path, got, row->plain);
        got = get("front.test", row->path);
        if (strcmp(got, front) != 0)
            fail_msg("%s with a front controller: %s, not %s", row->path, got, front);
    }
    alarm(0);
}

T(each_path_gets_what_it_should_and_no_more)
{
    try_rows();
}

T(without_openat2_the_same)
{
    resolve_set_walk_only(true);
    try_rows();
}

T(names_of_any_length_are_just_missing)
{
    static char path[20000];

    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    assert_string_equal(get("plain.test", path), "404");
    assert_string_equal(get("front.test", path), FC);
    memcpy(path + sizeof path - 6, ".php", 4);
    assert_string_equal(get("plain.test", path), "404");
}

T(links_are_followed_as_told)
{
    assert_string_equal(get("off.test", "/in.css"), "403");
    assert_string_equal(get("off.test", "/data/out.txt"), "403");
    assert_string_equal(get("off.test", "/lib.php"), "403");
    assert_string_equal(get("off.test", "/style.css"), "file /style.css");
    if (!tree_is_root)
        return;
    assert_string_equal(get("owner.test", "/in.css"), "file /in.css");
    assert_string_equal(get("owner.test", "/out.txt"), "403");
    assert_string_equal(get("owner.test", "/lib.php"), "403");
}

T(methods_on_files_and_scripts)
{
    assert_string_equal(ask("HEAD", "plain.test", "/style.css"), "file /style.css");
    assert_string_equal(ask("POST", "plain.test", "/style.css"), "405 GET, HEAD, OPTIONS");
    assert_string_equal(ask("get", "plain.test", "/style.css"), "405 GET, HEAD, OPTIONS");
    assert_string_equal(ask("OPTIONS", "plain.test", "/style.css"), "200 GET, HEAD, OPTIONS");
    assert_string_equal(ask("DELETE", "plain.test", "/hello.php"), "php /hello.php");
    assert_string_equal(ask("PROPFIND", "front.test", "/dav/x"), FC);
    assert_string_equal(ask("POST", "plain.test", "/dir/"), "php /dir/index.php");
    assert_string_equal(ask("TRACE", "plain.test", "/hello.php"), "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_string_equal(ask("CONNECT", "plain.test", "plain.test:80"), "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_string_equal(ask("trace", "plain.test", "/hello.php"), "php /hello.php");
    assert_string_equal(ask("OPTIONS", "plain.test", "*"), "200 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_string_equal(ask("GET", "plain.test", "*"), "400");
}

T(ping_answers_on_its_path_only)
{
    assert_string_equal(get("plain.test", "/ping"), "ready 200");
    assert_string_equal(recorded.body, "pong");
    assert_string_equal(recorded_field("Cache-Control"), "no-store");
    assert_string_equal(get("plain.test", "/ping/"), "404");
    assert_string_equal(ask("POST", "front.test", "/ping"), FC);
    assert_string_equal(get_internal("plain.test", "/ping"), "404");
}

T(a_document_root_that_was_replaced_is_found_again)
{
    char *root = tree_path("site/fresh"), *file = tree_path("site/fresh/a.css");
    assert_int_equal(mkdir(root, 0755), 0);
    char *before = sites[WILD].root;
    route_done();
    sites[WILD].root = root;
    restart();
    assert_string_equal(get("a.wild.test", "/a.css"), "404");
    assert_int_equal(rmdir(root), 0);
    assert_string_equal(get("a.wild.test", "/a.css"), "404");
    assert_int_equal(mkdir(root, 0755), 0);
    tree_write("site/fresh/a.css", "x");
    assert_string_equal(get("a.wild.test", "/a.css"), "file /a.css");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(root), 0);
    route_done();
    sites[WILD].root = before;
    free(root);
    free(file);
}

T(a_root_that_is_not_there_is_named)
{
    const char *path = NULL;
    char *before = sites[ANY].root;
    route_done();
    sites[ANY].root = "/nonexistent";
    assert_int_equal(route_init(&conf, &path), -ENOENT);
    assert_string_equal(path, "/nonexistent");
    sites[ANY].root = before;
    start();
}

T(no_descriptors_left_is_the_servers_fault)
{
    tree_no_descriptors(true);
    const char *text = get("front.test", "/style.css");
    tree_no_descriptors(false);
    assert_string_equal(text, "503");
}

T(no_descriptor_is_left_open_by_any_decision)
{
    int before = dup(0);
    close(before);
    try_rows();
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

WITH_TREE(S(each_path_gets_what_it_should_and_no_more), S(without_openat2_the_same), S(names_of_any_length_are_just_missing),
          S(links_are_followed_as_told), S(methods_on_files_and_scripts), S(ping_answers_on_its_path_only),
          S(a_document_root_that_was_replaced_is_found_again), S(a_root_that_is_not_there_is_named),
          S(no_descriptors_left_is_the_servers_fault), S(no_descriptor_is_left_open_by_any_decision))
