// SPDX-License-Identifier: Apache-2.0
// Which php.ini is read, and the pool's own settings on top of it. Runs in the mold, before and just after PHP starts.
//
// Order, later wins: php.ini and conf.d, php_value/php_flag, php_admin_value/php_admin_flag, then what we must have. All of
// them go through PHP's own parser as "ini entries", so that settings which count at start only (opcache.preload,
// extension) work too; the admin ones are locked afterwards.
#include "php/php_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "ipc/pool_spec.h"

#define XSTR_(x) #x
#define XSTR(x) XSTR_(x)
#define PHP_FPM_DIR "/etc/php/" XSTR(PHP_MAJOR_VERSION) "." XSTR(PHP_MINOR_VERSION) "/fpm"

// OPcache's force_restart_timeout makes it kill processes that hold its lock; ours hold it for a request only, and the
// master alone ends processes.
#define FORCED "opcache.force_restart_timeout=0\n"

static struct buf entries;
static bool scan_dir_is_ours;

// What php-fpm has in its php.ini where there is one, but PHP has not by itself: a query string is no argument list.
static void on_ini_defaults(HashTable *configuration)
{
    zval v;

    ZVAL_NEW_STR(&v, zend_string_init("0", 1, 1));
    zend_hash_str_update(configuration, "register_argc_argv", sizeof("register_argc_argv") - 1, &v);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

// PHP has no other way to be told where conf.d is.
static void set_scan_dir(const char *dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/conf.d", dir);
    if (!getenv("PHP_INI_SCAN_DIR") && is_dir(path)) {
        setenv("PHP_INI_SCAN_DIR", path, 1);
        scan_dir_is_ours = true;
    }
}

void engine__ini_read(void)
{
    if (scan_dir_is_ours)
        unsetenv("PHP_INI_SCAN_DIR");
    scan_dir_is_ours = false;
}

static int choose_file(const char *php_ini, sapi_module_struct *sapi, char *ret_why, size_t why_cap)
{
    char path[PATH_MAX];

    if (!*php_ini) {
        if (getenv("PHPRC") || getenv("PHP_INI_SCAN_DIR") || !is_file(PHP_FPM_DIR "/php.ini"))
            return 0;
        sapi->php_ini_path_override = strdup(PHP_FPM_DIR "/php.ini");
        set_scan_dir(PHP_FPM_DIR);
        return 0;
    }
    if (is_dir(php_ini)) {
        snprintf(path, sizeof path, "%s/php.ini", php_ini);
        set_scan_dir(php_ini);
    } else {
        snprintf(path, sizeof path, "%s", php_ini);
        char *slash = strrchr(path, '/');
        if (slash && slash != path) {
            *slash = '\0';
            set_scan_dir(path);
            *slash = '/';
        }
    }
    if (access(path, R_OK) < 0) {
        snprintf(ret_why, why_cap, "php_ini: %s can't be read by the pool's user", path);
        return -1;
    }
    sapi->php_ini_path_override = strdup(path);
    set_scan_dir(PHP_FPM_DIR); // where the given one brought no conf.d: extensions are still needed
    return 0;
}

static bool is_true(const char *v)
{
    return !strcasecmp(v, "on") || !strcasecmp(v, "yes") || !strcasecmp(v, "true") || !strcmp(v, "1");
}

// 'raw' where possible: PHP's parser then takes the value as it is.
static void add_quoted(const char *value)
{
    if (!strchr(value, '\'')) {
        buf_printf(&entries, "'%s'\n", value);
        return;
    }
    buf_add(&entries, "\"", 1);
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_add(&entries, "\\", 1);
        buf_add(&entries, p, 1);
    }
    buf_add(&entries, "\"\n", 2);
}

static int add_pair(const struct pool_pair *p, char *ret_why, size_t why_cap)
{
    bool flag = p->kind == POOL_FLAG || p->kind == POOL_ADMIN_FLAG;

    if (p->name[strspn(p->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")]) {
        snprintf(ret_why, why_cap, "\"%s\" is no name of a PHP setting", p->name);
        return -1;
    }
    if (strchr(p->value, '\'') && strstr(p->value, "${")) {
        snprintf(ret_why, why_cap, "%s: a value with both ' and ${ can't be given here; put it into a php.ini", p->name);
        return -1;
    }
    buf_printf(&entries, "%s=", p->name);
    add_quoted(flag ? (is_true(p->value) ? "1" : "0") : p->value);
    return 0;
}

int engine__ini_prepare(const struct pool_spec *spec, sapi_module_struct *sapi, char *ret_why, size_t why_cap)
{
    sapi->ini_defaults = on_ini_defaults;
    if (choose_file(spec->php_ini, sapi, ret_why, why_cap) < 0)
        return -1;
    for (int admin = 0; admin <= 1; admin++)
        for (size_t i = 0; i < spec->n_pairs; i++) {
            const struct pool_pair *p = &spec->pairs[i];
            bool is_admin = p->kind == POOL_ADMIN_VALUE || p->kind == POOL_ADMIN_FLAG;
            if (p->kind != POOL_ENV && is_admin == (bool)admin && add_pair(p, ret_why, why_cap) < 0)
                return -1;
        }
    buf_add(&entries, FORCED, sizeof FORCED); // with its NUL
    return 0;
}

const char *engine__ini_entries(void)
{
    return entries.p;
}

void engine__ini_lock(const struct pool_spec *spec)
{
    for (size_t i = 0; i < spec->n_pairs; i++) {
        const struct pool_pair *p = &spec->pairs[i];
        if (p->kind == POOL_ENV || !strcmp(p->name, "extension") || !strcmp(p->name, "zend_extension"))
            continue;
        zend_ini_entry *e = zend_hash_str_find_ptr(EG(ini_directives), p->name, strlen(p->name));
        if (!e)
            log_warning("PHP has no setting \"%s\": no extension of that name is loaded", p->name);
        else if (p->kind == POOL_ADMIN_VALUE || p->kind == POOL_ADMIN_FLAG)
            e->modifiable = ZEND_INI_SYSTEM;
    }
}
