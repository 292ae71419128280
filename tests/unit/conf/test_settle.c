// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

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

T(sites_find_their_pools_by_name)
{
    struct conf *c = load_right(
        "[site a]\ndir = app\n[site b]\ndir = app\nserver_name = B.example\npool = two\n[pool one]\n[pool two]\n", NULL, NULL);

    assert_int_equal(c->sites[0].pool, 0);
    assert_string_equal(c->sites[0].pool_name, "one");
    assert_int_equal(c->sites[1].pool, 1);
    assert_string_equal(c->sites[1].server_name.v[0], "b.example"); // hosts are compared in lower case
    conf_free(c);
    load_wrong("[site a]\ndir = app\npool = tow\n[pool one]\n[pool two]\n", NULL, NULL,
               "/test.ini:3: pool: there is no [pool tow]; did you mean 'two'?");
}

T(server_names_are_host_names_and_unique)
{
    load_wrong("[site a]\ndir = app\nserver_name = x:80\n", NULL, NULL, "'x:80' is neither a host name");
    load_wrong("[site a]\ndir = app\nserver_name = www.*.org\n", NULL, NULL, "'www.*.org' is neither a host name");
    load_wrong("[site a]\ndir = app\nserver_name = ~^x$\n", NULL, NULL, "no regular expression");
    load_wrong("[site a]\ndir = app\nserver_name = x\n[site b]\ndir = app\nserver_name = X\n", NULL, NULL,
               "'x' is [site a]'s already");
    load_wrong("[site a]\ndir = app\n[site b]\ndir = app\n", NULL, NULL, "[site b] needs server_name");
}

T(routes_are_checked_as_a_whole)
{
    load_wrong("[route a]\ndeny = yes\n", NULL, NULL, "[route a] needs path");
    load_wrong("[route a]\npath = /x\n", NULL, NULL, "[route a] says nothing but its path");
    load_wrong("[route a]\npath = /x\ndeny = yes\nsite = b\n", NULL, NULL, "/test.ini:4: site: there is no [site b]");
    load_wrong("[route a]\npath = /x\nroot = /no/such/folder\n", NULL, NULL, "root: /no/such/folder is not a folder");
    load_wrong("[route a]\npath = /x\ndeny = yes\nredirect = /y\n", NULL, NULL, "both deny and redirect");
}

T(an_admin_address_others_can_reach_must_be_allowed)
{
    load_wrong(NULL, FLAGS("admin", ":9145"), NULL, "--admin: :9145 can be reached by others");
    load_wrong(NULL, FLAGS("admin", "10.0.0.1:9145"), NULL, "can be reached by others");
    struct conf *c = load_right("[global]\nadmin.allow_remote = yes\n", FLAGS("admin", ":9145"), NULL);
    assert_int_equal(c->global.admin->port, 9145);
    conf_free(c);
    for (int i = 0; i < 3; i++) {
        const char *const fine[] = {"127.0.0.1:0", "[::1]:9", "unix:/run/a.sock"};
        c = load_right(NULL, FLAGS("admin", fine[i]), NULL);
        assert_string_equal(c->global.admin->text, fine[i]);
        conf_free(c);
    }
    load_wrong(NULL, FLAGS("admin", "127.0.0.1:9", "listen", "127.0.0.1:9"), NULL, "is a listen address as well");
}

T(a_spool_folder_in_memory_is_said_and_takes_no_responses)
{
    struct conf *c = load_right(NULL, FLAGS("spool_dir", "/dev/shm"), NULL);

    if (!c->global.spool_in_memory) { // no tmpfs there
        conf_free(c);
        skip();
    }
    assert_int_equal(c->global.response_spool, 0);
    assert_int_equal(c->warnings.n, 1);
    assert_non_null(strstr(c->warnings.v[0], "/dev/shm is in memory"));
    conf_free(c);
    c = load_right("[global]\nresponse_spool = 5M\n", FLAGS("spool_dir", "/dev/shm"), NULL);
    assert_int_equal(c->global.response_spool, 5 << 20);
    conf_free(c);
}

T(limits_must_fit_together)
{
    load_wrong("[global]\nrequest_line_max = 8k\nheader_max = 4k\n", NULL, NULL, "larger than header_max");
    load_wrong("[global]\nerror_log = off\n", NULL, NULL, "there must be an error log");
    load_wrong("[pool a]\npm.max_children = 1000\n[pool b]\npm.max_children = 1000\n", NULL, NULL, "at most 1200");
    load_wrong(NULL, FLAGS("spool_dir", "/no/such/folder"), NULL, "--spool-dir: /no/such/folder is not a folder");
    load_wrong("[site a]\nindex = a/b.php\n", NULL, NULL, "is not a plain file name");
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(sites_find_their_pools_by_name), CT(server_names_are_host_names_and_unique), CT(routes_are_checked_as_a_whole),
       CT(an_admin_address_others_can_reach_must_be_allowed), CT(a_spool_folder_in_memory_is_said_and_takes_no_responses),
       CT(limits_must_fit_together))
