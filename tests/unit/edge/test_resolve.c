// SPDX-License-Identifier: Apache-2.0
// Paths to files: what is found, what is not, and that nothing but a symbolic link leads out of the root. Every claim is
// tried with openat2 and with the walk that systems without it get.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../claim.h"

#include "base/die.h"
#include "edge/resolve.h"
#include "tree.h"

static struct root root;
static char *root_path;

// The outcome of one look-up in words: an error, or what was opened, and the resolved name below the tree if linked.
static const char *look(const char *path, enum follow_symlinks follow, enum resolve_want want)
{
    static char text[5000];
    struct resolved res = {.fd = -7};

    root.follow = follow;
    int rc = resolve(&root, path, want, &res);
    if (rc) {
        assert_int_equal(res.fd, -7); // untouched
        return strerrorname_np(-rc);
    }
    struct stat st;
    assert_int_equal(fstat(res.fd, &st), 0);
    assert_true(st.st_ino == res.st.st_ino && st.st_dev == res.st.st_dev);
    assert_true(fcntl(res.fd, F_GETFD) & FD_CLOEXEC);
    close(res.fd);
    const char *kind = S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "folder" : "special";
    if (!res.linked)
        return kind;
    size_t n = strlen(tree_dir);
    bool inside = strncmp(res.real, tree_dir, n) == 0;
    snprintf(text, sizeof text, "%s %s", kind, inside ? res.real + n : res.real);
    return text;
}

struct row {
    const char *path, *on, *off, *owner; // NULL: as on
};

static const struct row rows[] = {
    {"/", "folder", NULL, NULL},
    {"/hello.php", "file", NULL, NULL},
    {"/dir", "folder", NULL, NULL},
    {"/dir/", "folder", NULL, NULL},
    {"/dir/index.php", "file", NULL, NULL},
    {"/hello.php/", "ENOTDIR", NULL, NULL},
    {"/hello.php/x", "ENOTDIR", NULL, NULL},
    {"/missing", "ENOENT", NULL, NULL},
    {"/missing/x", "ENOENT", NULL, NULL},
    {"/in.css", "file /site/public/style.css", "EACCES", NULL},
    {"/chain.css", "file /site/public/style.css", "EACCES", NULL},
    {"/abs.css", "file /site/public/style.css", "EACCES", NULL},
    {"/self.css", "file /site/public/style.css", "EACCES", NULL},
    {"/out.txt", "file /outside/out.txt", "EACCES", "EACCES"},
    {"/relative.txt", "file /outside/out.txt", "EACCES", "EACCES"},
    {"/lib.php", "file /outside/lib.php", "EACCES", "EACCES"},
    {"/data", "folder /outside", "EACCES", NULL},
    {"/data/", "folder /outside", "EACCES", NULL},
    {"/data/out.txt", "file /outside/out.txt", "EACCES", NULL}, // the link's own target is the folder
    {"/data/.hidden.txt", "EACCES", NULL, NULL},
    {"/data/.ssh/id_rsa", "EACCES", NULL, NULL},
    {"/data/../public/style.css", "EACCES", NULL, NULL},
    {"/folder", "folder /site/public/pages", "EACCES", NULL},
    {"/folder/index.html", "file /site/public/pages/index.html", "EACCES", NULL},
    {"/notfolder", "ENOTDIR", "EACCES", NULL},
    {"/evil.jpg", "file /site/public/hello.php", "EACCES", NULL}, // names are the caller's to judge
    {"/env.txt", "EACCES", NULL, NULL},
    {"/git.txt", "EACCES", NULL, NULL},
    {"/hidden.txt", "EACCES", NULL, NULL},
    {"/key.txt", "EACCES", NULL, NULL},
    {"/loop", "ELOOP", "EACCES", NULL},
    {"/loop1", "ELOOP", "EACCES", NULL},
    {"/loop1/x", "ELOOP", "EACCES", NULL},
    {"/broken", "ENOENT", "EACCES", NULL},
    {"/slash", "folder /", "EACCES", NULL},
    {"/slash/etc/passwd", "file /etc/passwd", "EACCES", NULL},
    {"/.env", "EACCES", NULL, NULL},
    {"/.git/config", "EACCES", NULL, NULL},
    {"/.well-known/acme/token", "file", NULL, NULL},
    {"/.well-known/.secret", "EACCES", NULL, NULL},
    {"/..", "EACCES", NULL, NULL},
    {"/../outside/out.txt", "EACCES", NULL, NULL},
    {"/dir/../../outside/out.txt", "EACCES", NULL, NULL},
    {"/dir/./index.php", "EACCES", NULL, NULL},
    {"/i..", "folder", NULL, NULL},
    {"hello.php", "EINVAL", NULL, NULL},
    {"", "EINVAL", NULL, NULL},
};

static void each_way(void (*try)(void))
{
    resolve_set_walk_only(false);
    try();
    resolve_set_walk_only(true);
    try();
    resolve_set_walk_only(false);
}

static void check(const struct row *row, const char *what, const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0)
        fail_msg("\"%s\" with follow_symlinks = %s: %s, not %s", row->path, what, got, expected);
}

static void try_rows(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        check(row, "on", look(row->path, SYMLINKS_ON, RESOLVE_LOOK), row->on);
        check(row, "off", look(row->path, SYMLINKS_OFF, RESOLVE_LOOK), row->off ? row->off : row->on);
        if (tree_is_root)
            check(row, "owner", look(row->path, SYMLINKS_OWNER, RESOLVE_LOOK), row->owner ? row->owner : row->on);
    }
}

static void try_opening(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i], "on, opened", look(rows[i].path, SYMLINKS_ON, RESOLVE_OPEN), rows[i].on);
}

T(each_path_resolves_by_the_rules)
{
    each_way(try_rows);
}

T(what_is_opened_is_what_is_looked_up)
{
    each_way(try_opening);
}

static void try_reading(void)
{
    struct resolved res;
    char text[64];

    root.follow = SYMLINKS_ON;
    assert_int_equal(resolve(&root, "/chain.css", RESOLVE_OPEN, &res), 0);
    ssize_t n = read(res.fd, text, sizeof text);
    close(res.fd);
    assert_int_equal(n, strlen("site/public/style.css"));
    assert_memory_equal(text, "site/public/style.css", (size_t)n);
}

T(an_opened_link_is_read_from_its_target)
{
    each_way(try_reading);
}

static void try_special(void)
{
    alarm(60); // a blocking open would never return
    const char *fifo = look("/fifo", SYMLINKS_ON, RESOLVE_OPEN);
    assert_string_equal(fifo, "special");
    assert_string_equal(look("/fifo", SYMLINKS_ON, RESOLVE_LOOK), "special");
    const char *socket = look("/socket", SYMLINKS_ON, RESOLVE_OPEN);
    assert_true(strcmp(socket, "special") == 0 || strcmp(socket, "ENXIO") == 0);
    alarm(0);
}

T(special_files_do_not_block)
{
    each_way(try_special);
}

static void try_lengths(void)
{
    char path[8000];

    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[257] = '\0';
    assert_string_equal(look(path, SYMLINKS_ON, RESOLVE_OPEN), "ENAMETOOLONG");
    path[257] = 'a';
    for (size_t i = 200; i < sizeof path; i += 200)
        path[i] = '/';
    path[sizeof path - 1] = '\0';
    const char *got = look(path, SYMLINKS_ON, RESOLVE_OPEN);
    assert_true(strcmp(got, "ENAMETOOLONG") == 0 || strcmp(got, "ENOENT") == 0);
}

T(names_too_long_are_errors_not_overruns)
{
    each_way(try_lengths);
}

// 41 links, one behind the other in the path or each to the next: more than the kernel follows.
static void try_deep(void)
{
    char path[300] = "";

    for (int i = 0; i < 40; i++)
        strcat(path, "/here");
    strcat(path, "/style.css");
    assert_string_equal(look(path, SYMLINKS_ON, RESOLVE_LOOK), "file /site/public/style.css");
    assert_string_equal(look(path, SYMLINKS_ON, RESOLVE_OPEN), "file /site/public/style.css");
    memmove(path + 5, path, strlen(path) + 1);
    assert_string_equal(look(path, SYMLINKS_ON, RESOLVE_LOOK), "ELOOP");
    assert_string_equal(look("/deep0", SYMLINKS_ON, RESOLVE_LOOK), "ELOOP");
    assert_string_equal(look("/deep1", SYMLINKS_ON, RESOLVE_LOOK), "file /site/public/style.css");
}

T(as_many_links_are_followed_as_the_kernel_would)
{
    char from[100], to[20];

    for (int i = 0; i <= 40; i++) {
        snprintf(from, sizeof from, "%s/deep%d", root_path, i);
        snprintf(to, sizeof to, "deep%d", i + 1);
        assert_int_equal(symlink(i == 40 ? "style.css" : to, from), 0);
    }
    each_way(try_deep);
}

static void try_leaks(void)
{
    int before = dup(0);
    close(before);
    try_rows();
    try_opening();
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

T(no_descriptor_is_left_open)
{
    each_way(try_leaks);
}

T(only_the_part_below_the_roots_own_folders_is_judged_hidden)
{
    struct resolved res;
    char *hidden_root = tree_path("site/.var"), *link = tree_path("site/.var/style.css"),
         *target = tree_path("site/public/style.css");
    struct root r = {.fd = open(hidden_root, O_PATH | O_CLOEXEC), .path = str_from(hidden_root), .follow = SYMLINKS_ON};

    assert_int_equal(symlink("doc.pdf", link), 0);
    for (int walk = 0; walk < 2; walk++) {
        resolve_set_walk_only(walk);
        assert_int_equal(resolve(&r, "/style.css", RESOLVE_LOOK, &res), 0);
        assert_true(res.linked);
        close(res.fd);
    }
    resolve_set_walk_only(false);
    close(r.fd);
    free(hidden_root);
    free(link);
    free(target);
}

T(the_whole_file_system_may_be_a_root)
{
    struct resolved res;
    struct root r = {.fd = open("/", O_PATH | O_CLOEXEC), .path = STR("/"), .follow = SYMLINKS_ON};
    char *path = xasprintf("%s/site/public/out.txt", tree_dir), *real = tree_path("outside/out.txt");

    for (int walk = 0; walk < 2; walk++) {
        resolve_set_walk_only(walk);
        assert_int_equal(resolve(&r, path, RESOLVE_LOOK, &res), 0);
        assert_true(res.linked);
        assert_string_equal(res.real, real);
        close(res.fd);
    }
    resolve_set_walk_only(false);
    close(r.fd);
    free(path);
    free(real);
}

T(hidden_names_are_recognised)
{
    static const char *const hidden[] = {"/.env",
                                         "/a/.b/c",
                                         "/.",
                                         "/..",
                                         "/a/..",
                                         "/.well-known/.x",
                                         "/.well-knownx",
                                         "/a/.well-known/x",
                                         "/.well-known/acme/.git/config"};
    static const char *const open_ones[] = {"/",    "/a", "/a.b", "/a./b", "/.well-known", "/.well-known/", "/.well-known/acme/x",
                                            "/a..b"};

    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (!path_is_hidden(str_from(hidden[i])))
            fail_msg("%s is hidden", hidden[i]);
    for (size_t i = 0; i < sizeof open_ones / sizeof *open_ones; i++)
        if (path_is_hidden(str_from(open_ones[i])))
            fail_msg("%s is not hidden", open_ones[i]);
}

T(source_names_are_recognised)
{
    static const char *const source[] = {
        "/a.php",      "/a.PHP",     "/a.pHp",          "/a.php5",       "/a.php7",   "/a.phtml",   "/a.PHTML",
        "/a.pht",      "/a.phps",    "/a.inc",          "/a.INC",        "/a.php~",   "/a.php.bak", "/a.php.BAK",
        "/a.php.orig", "/a.php.swp", "/a.php_old",      "/a.php-save",   "/a.php.",   "/a.php..",   "/a.php ",
        "/a.php .",    "/a.php#",    "/#a.php#",        "/a.php.txt",    "/a.php.gz", "/a.php.br",  "/a.inc.php.old",
        "/db.inc~",    "/d/a.php.1", "/a.php.dpkg-old", "/a.php::$DATA", "/a.php\\",  "/a.phar",    "/a.b.php3.c"};
    static const char *const plain[] = {"/a.css",          "/php",          "/a.xphp",      "/phpinfo.html", "/a.php.html",
                                        "/Class.php.HTML", "/x.phpunit.js", "/a.php/b.css", "/a.incl",       "/a.include.zip",
                                        "/increase.css",   "/a.phone.zip",  "/aphp.txt",    "/a.php.png",    "/"};

    for (size_t i = 0; i < sizeof source / sizeof *source; i++)
        if (!path_is_source(str_from(source[i])))
            fail_msg("%s may be source", source[i]);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (path_is_source(str_from(plain[i])))
            fail_msg("%s is no source", plain[i]);
    assert_true(path_is_php(STR("/a.php")));
    assert_false(path_is_php(STR("/a.PHP")));
    assert_false(path_is_php(STR("/a.php/")));
    assert_false(path_is_php(STR("/a.php ")));
}

T(unreadable_folders_and_files_are_told_apart_from_missing_ones)
{
    char *file = tree_path("site/public/private/x.txt"), *folder = tree_path("site/public/private");

    assert_int_equal(chmod(file, 0), 0);
    if (tree_is_root)
        assert_int_equal(seteuid(65534), 0);
    for (int walk = 0; walk < 2; walk++) {
        resolve_set_walk_only(walk);
        assert_string_equal(look("/private/x.txt", SYMLINKS_ON, RESOLVE_OPEN), "EACCES");
        assert_string_equal(look("/private/x.txt", SYMLINKS_ON, RESOLVE_LOOK), "file");
    }
    if (tree_is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(folder, 0700), 0);
    if (tree_is_root)
        assert_int_equal(seteuid(65534), 0);
    else
        assert_int_equal(chmod(folder, 0), 0);
    for (int walk = 0; walk < 2; walk++) {
        resolve_set_walk_only(walk);
        assert_string_equal(look("/private/x.txt", SYMLINKS_ON, RESOLVE_LOOK), "EACCES");
    }
    if (tree_is_root)
        assert_int_equal(seteuid(0), 0);
    resolve_set_walk_only(false);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(file, 0644), 0);
    free(file);
    free(folder);
}

static int set_up(void **state)
{
    tree_make();
    root_path = tree_path("site/public");
    root = (struct root){.fd = open(root_path, O_PATH | O_CLOEXEC), .path = str_from(root_path), .follow = SYMLINKS_ON};
    return root.fd < 0;
}

static int tear_down(void **state)
{
    close(root.fd);
    free(root_path);
    tree_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        C(each_path_resolves_by_the_rules),
        C(what_is_opened_is_what_is_looked_up),
        C(an_opened_link_is_read_from_its_target),
        C(special_files_do_not_block),
        C(names_too_long_are_errors_not_overruns),
        C(as_many_links_are_followed_as_the_kernel_would),
        C(no_descriptor_is_left_open),
        C(only_the_part_below_the_roots_own_folders_is_judged_hidden),
        C(the_whole_file_system_may_be_a_root),
        C(hidden_names_are_recognised),
        C(source_names_are_recognised),
        C(unreadable_folders_and_files_are_told_apart_from_missing_ones),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
