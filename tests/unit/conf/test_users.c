// SPDX-License-Identifier: Apache-2.0
// Most of it needs root to be tried; the rest runs as anybody.
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../claim.h"
#include "conf_folder.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    folder_make();
    folder_write("app/public/index.php", "<?php\n");
    return 0;
}

static int teardown(void **state)
{
    folder_remove();
    return 0;
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void own(const char *name, uid_t uid)
{
    char *path = folder_path(name);
    assert_int_equal(chown(path, uid, (gid_t)-1), 0);
    free(path);
}

static void set_mode(const char *name, mode_t mode)
{
    char *path = folder_path(name);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

T(as_root_php_runs_as_the_folders_owner)
{
    need_root();
    struct passwd *found = getpwnam("nobody");
    assert_non_null(found);
    struct passwd copy = *found, *pw = &copy; // the next look-up overwrites it
    own("app", pw->pw_uid);
    struct conf *c = load_right(NULL, NULL, NULL);
    assert_string_equal(c->pools[0].user, "nobody");
    assert_int_equal(c->pools[0].uid, pw->pw_uid);
    assert_int_equal(c->pools[0].gid, pw->pw_gid);
    assert_string_equal(c->global.edge_user, "nobody");
    assert_int_equal(c->global.edge_uid, pw->pw_uid);
    conf_free(c);
}

T(as_root_roots_folder_is_run_by_www_data)
{
    need_root();
    struct conf *c = load_right(NULL, NULL, NULL);
    assert_string_equal(c->pools[0].user, "www-data");
    assert_non_null(strstr(conf__where(c, SEC_POOL, 0, "user"), "belongs to root"));
    conf_free(c);
}

T(a_uid_without_a_name_is_taken_as_a_number)
{
    need_root();
    own("app", 54321);
    struct conf *c = load_right(NULL, NULL, NULL);
    assert_string_equal(c->pools[0].user, "54321");
    assert_int_equal(c->pools[0].uid, 54321);
    conf_free(c);
    c = load_right(NULL, FLAGS("user", "54322", "group", "54323"), NULL);
    assert_int_equal(c->pools[0].uid, 54322);
    assert_int_equal(c->pools[0].gid, 54323);
    conf_free(c);
}

T(root_must_be_allowed_in_so_many_words)
{
    need_root();
    load_wrong(NULL, FLAGS("user", "root"), NULL, "PHP would run as root");
    load_wrong("[global]\nedge.user = root\n", NULL, NULL, "edge.user: is root");
    struct conf *c = load_right(NULL, FLAGS("user", "root", "allow_root", "yes"), NULL);
    assert_int_equal(c->pools[0].uid, 0);
    assert_int_equal(c->warnings.n, 1);
    conf_free(c);
}

T(a_user_or_group_that_is_not_there_is_an_error)
{
    need_root();
    load_wrong(NULL, FLAGS("user", "no-such-user"), NULL, "--user: there is no user 'no-such-user'");
    load_wrong(NULL, FLAGS("group", "no-such-group"), NULL, "--group: there is no group 'no-such-group'");
}

T(the_folder_that_blocks_is_named)
{
    need_root();
    set_mode("app", 0700);
    char *app = folder_path("app"), want[400];
    snprintf(want, sizeof want, "www-data can't get at it: %s doesn't let that user pass", app);
    load_wrong(NULL, NULL, NULL, want);
    set_mode("app", 0711); // passing is enough above the root
    conf_free(load_right(NULL, NULL, NULL));
    set_mode("app/public", 0711); // the root itself must be readable
    load_wrong(NULL, NULL, NULL, "doesn't let that user read");
    free(app);
}

T(the_users_groups_count)
{
    need_root();
    char *blocker = NULL, *path = folder_path("app");
    struct passwd *pw = getpwnam("www-data");
    assert_non_null(pw);
    set_mode("app", 0750);
    assert_int_equal(chown(path, 0, pw->pw_gid), 0);
    assert_int_equal(conf__reach(path, false, "www-data", pw->pw_uid, pw->pw_gid, &blocker), 0);
    assert_int_equal(conf__reach(path, true, "www-data", pw->pw_uid, pw->pw_gid, &blocker), -EACCES);
    assert_non_null(strstr(blocker, path));
    free(blocker);
    free(path);
}

T(the_php_ini_and_the_spool_folder_are_looked_at)
{
    need_root();
    folder_write("php.ini", "");
    folder_write("spool/x", "");
    set_mode("php.ini", 0600);
    load_wrong(NULL, FLAGS("php_ini", "php.ini"), NULL, "php_ini ");
    load_wrong(NULL, FLAGS("php_ini", "missing.ini"), NULL, "No such file");
    load_wrong(NULL, FLAGS("spool_dir", "spool"), NULL, "doesn't let that user write");
    set_mode("spool", 0777);
    set_mode("php.ini", 0644);
    conf_free(load_right(NULL, FLAGS("spool_dir", "spool", "php_ini", "php.ini"), NULL));
}

// Runs in a child that is not root, whoever runs the tests.
static int not_root(const char *const *flags, const char *part)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    int rc = load(NULL, flags, NULL, &c, &errors);
    if (!part)
        return rc != 0 || c->pools[0].user || c->pools[0].uid != (uid_t)-1 || c->global.edge_uid != (uid_t)-1;
    return rc == 0 || !strstr(errors.lines.v[0], part);
}

static void want_not_root(const char *const *flags, const char *part)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(not_root(flags, part));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

T(not_root_means_the_caller_and_nobody_else)
{
    want_not_root(NULL, NULL);
    want_not_root(FLAGS("user", "root"), "--user: only root can start processes as somebody else");
    want_not_root(FLAGS("group", "root"), "--group: only root can start processes as somebody else");
    if (geteuid() == 0)
        want_not_root(FLAGS("user", "65534"), NULL);
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(as_root_php_runs_as_the_folders_owner), CT(as_root_roots_folder_is_run_by_www_data),
       CT(a_uid_without_a_name_is_taken_as_a_number), CT(root_must_be_allowed_in_so_many_words),
       CT(a_user_or_group_that_is_not_there_is_an_error), CT(the_folder_that_blocks_is_named), CT(the_users_groups_count),
       CT(the_php_ini_and_the_spool_folder_are_looked_at), CT(not_root_means_the_caller_and_nobody_else))
