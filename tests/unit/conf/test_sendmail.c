// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <sys/stat.h>

#include "../claim.h"
#include "conf_folder.h"

static int setup(void **state)
{
    folder_make();
    folder_write("app/public/index.php", "<?php\n");
    folder_write("sendmail", "");
    return 0;
}

static int teardown(void **state)
{
    folder_remove();
    return 0;
}

static size_t warnings(const char *before, const char *name, const char *after)
{
    char *path = folder_path(name);
    struct buf file = BUF_INIT;
    buf_printf(&file, "[pool www]\n%s%s%s\n", before, path, after);
    buf_add(&file, "", 1);
    struct conf *c = load_right(file.p, NULL, NULL);
    size_t n = 0;
    for (size_t i = 0; i < c->warnings.n; i++)
        n += strstr(c->warnings.v[i], "no_new_privs") != NULL;
    conf_free(c);
    buf_done(&file);
    free(path);
    return n;
}

T(a_setgid_sendmail_is_warned_of_while_no_new_privs_is_on)
{
    char *path = folder_path("sendmail");
    assert_int_equal(warnings("php_admin_value[sendmail_path] = \"", "sendmail", " -t -i\""), 0);
    assert_int_equal(chmod(path, 02755), 0);
    assert_int_equal(warnings("php_admin_value[sendmail_path] = \"", "sendmail", " -t -i\""), 1);
    assert_int_equal(warnings("no_new_privs = no\nphp_admin_value[sendmail_path] = ", "sendmail", ""), 0);
    free(path);
}

T(the_php_ini_is_read_for_it)
{
    char *path = folder_path("sendmail");
    struct buf ini = BUF_INIT;
    assert_int_equal(chmod(path, 04755), 0);
    buf_printf(&ini, "; sendmail_path =\nsendmail_path = \"%s -t\"\n", path);
    buf_add(&ini, "", 1);
    folder_write("php.ini", ini.p);
    assert_int_equal(warnings("php_ini = ", "php.ini", ""), 1);
    folder_write("ini/php.ini", ini.p);
    assert_int_equal(warnings("php_ini = ", "ini", ""), 1);
    folder_write("php.ini", "sendmail_path =\n");
    buf_done(&ini);
    free(path);
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(a_setgid_sendmail_is_warned_of_while_no_new_privs_is_on), CT(the_php_ini_is_read_for_it))
