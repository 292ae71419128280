// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "../claim.h"
#include "conf_folder.h"

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

static void want(enum conf_section s, const char *key, const char *given, const char *shown)
{
    struct buf file = BUF_INIT, out = BUF_INIT;
    const char *more = s == SEC_ROUTE ? "path = /x\ninternal = no\nphp = on\n" : "";
    bool is_path = strcmp(key, "path") == 0 || strcmp(key, "php") == 0;
    buf_printf(&file, "[%s%s]\n%s%s = %s\n", conf_section_name(s), s == SEC_GLOBAL ? "" : " www", is_path ? "deny = yes\n" : more,
               key, given);
    if (strcmp(key, "php") == 0)
        buf_printf(&file, "path = /x\n");
    buf_add(&file, "", 1);
    struct conf *c = load_right(file.p, NULL, NULL);
    const struct conf_option *o = conf_option_find(s, str_from(key));
    for (size_t i = 0; i < conf__format_count(c, o, conf__object(c, s, 0)); i++) {
        buf_printf(&out, "%s", i ? " " : "");
        conf__format(c, o, conf__object(c, s, 0), i, &out);
    }
    buf_add(&out, "", 1);
    assert_string_equal(out.p, shown);
    conf_free(c);
    buf_done(&file);
    buf_done(&out);
}

T(values_are_shown_as_they_could_be_written)
{
    want(SEC_GLOBAL, "send_timeout", "90", "90s");
    want(SEC_GLOBAL, "send_timeout", "120s", "2m");
    want(SEC_GLOBAL, "send_timeout", "1500ms", "1500ms");
    want(SEC_GLOBAL, "keepalive_timeout", "0", "0");
    want(SEC_GLOBAL, "body_memory", "65536", "64K");
    want(SEC_GLOBAL, "body_memory", "65535", "65535");
    want(SEC_GLOBAL, "response_spool", "2048M", "2G");
    want(SEC_GLOBAL, "log_format", "json", "json");
    want(SEC_GLOBAL, "ping.path", "/ping", "/ping");
    want(SEC_GLOBAL, "ping.path", "off", "off");
    want(SEC_GLOBAL, "pid", "/run/x", "/run/x");
    want(SEC_GLOBAL, "ready_fd", "5", "5");
    want(SEC_GLOBAL, "admin", "unix:/run/x", "unix:/run/x");
    want(SEC_GLOBAL, "listen", ":80 unix:/x", ":80 unix:/x");
    want(SEC_GLOBAL, "trusted_proxies", "10.0.0.0/8 2001:db8::/32", "10.0.0.0/8 2001:db8::/32");
    want(SEC_GLOBAL, "allow_root", "on", "yes");
    want(SEC_SITE, "follow_symlinks", "owner", "owner");
    want(SEC_SITE, "access_log", "off", "off");
    want(SEC_POOL, "pm.max_children", "7", "7");
    want(SEC_POOL, "rlimit_core", "unlimited", "unlimited");
    want(SEC_POOL, "rlimit_files", "4096", "4096");
    want(SEC_ROUTE, "expires", "30d", "30d");
    want(SEC_ROUTE, "max_body_size", "8M", "8M");
    want(SEC_ROUTE, "read_timeout", "5s", "5s");
    want(SEC_ROUTE, "redirect", "/y", "302 /y");
    want(SEC_ROUTE, "php", "off", "off");
    want(SEC_ROUTE, "path", "/a /b/*", "/a /b/*");
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(values_are_shown_as_they_could_be_written))
