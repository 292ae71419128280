// SPDX-License-Identifier: Apache-2.0
// php.ini of a running PHP: the file its server takes, the conf.d beside it, what its arguments override. Owns nothing.
// Invariant: a default is only given as known where every file that could say otherwise has been read.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advice/server_conf_int.h"

// PHP's own defaults.
#define DEFAULT_MEMORY_LIMIT (INT64_C(128) << 20)
#define DEFAULT_OPCACHE_MIB 128
#define DEFAULT_INTERNED_MIB 8
#define DEFAULT_APCU (INT64_C(32) << 20)

bool server_conf_php_size(const char *text, int64_t *ret)
{
    char *end;
    int shift = 0;

    while (*text == ' ')
        text++;
    errno = 0;
    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    long long v = strtoll(text, &end, 0);
    if (errno || end == text)
        return false;
    while (*end == ' ')
        end++;
    switch (tolower((unsigned char)*end)) {
    case 'g':
        shift += 10;
        __attribute__((fallthrough));
    case 'm':
        shift += 10;
        __attribute__((fallthrough));
    case 'k':
        shift += 10;
        end++;
    }
    // "128MB" is 128 to PHP, with a warning; nobody means that, so it isn't taken for anything.
    if (*end)
        return false;
    if (v < 0) {
        if (v != -1)
            return false;
        *ret = 0;
        return true;
    }
    int64_t bytes;
    if (__builtin_mul_overflow(v, 1LL << shift, &bytes))
        return false;
    *ret = bytes;
    return true;
}

static bool size_of(struct str value, int64_t *ret)
{
    char text[32];

    if (value.n >= sizeof text)
        return false;
    if (value.n > 0) // an empty value has no place
        memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    return server_conf_php_size(text, ret);
}

// A number of MiB, with or without a unit behind it.
static bool mib_of(struct str value, int64_t *ret)
{
    int64_t v;

    if (!size_of(value, &v) || v < 0)
        return false;
    *ret = v < 1 << 20 ? v << 20 : v;
    return true;
}

static bool is_off(struct str value)
{
    return !value.n || str_eq_nocase(value, STR("0")) || str_eq_nocase(value, STR("off")) || str_eq_nocase(value, STR("no")) ||
           str_eq_nocase(value, STR("false")) || str_eq_nocase(value, STR("none"));
}

void php_values_take(struct php_values *p, struct str key, struct str value, const char *from, unsigned line)
{
    int64_t v;

    if (str_eq(key, STR("memory_limit"))) {
        // What PHP wouldn't take either, or a variable we don't see: then it isn't known.
        if (size_of(value, &v))
            conf_set(&p->memory_limit, v, from, line);
        else
            p->memory_limit = (struct conf_amount){0}, p->unreadable = true;
    } else if (str_eq(key, STR("opcache.memory_consumption")) && mib_of(value, &v)) {
        conf_set(&p->opcache, v, from, line);
    } else if (str_eq(key, STR("opcache.interned_strings_buffer")) && mib_of(value, &v)) {
        conf_set(&p->interned, v, from, line);
    } else if (str_eq(key, STR("opcache.jit_buffer_size")) && size_of(value, &v)) {
        conf_set(&p->jit, v, from, line);
    } else if (str_eq(key, STR("apc.shm_size")) && mib_of(value, &v)) {
        conf_set(&p->apcu, v, from, line);
    } else if (str_eq(key, STR("opcache.enable"))) {
        p->opcache_off = is_off(value);
    } else if (str_eq(key, STR("apc.enabled"))) {
        p->apcu_off = is_off(value);
    }
}

struct reading {
    const struct conf_view *v;
    struct php_values *p;
    bool found, has_ini; // a file of a folder; the php.ini
};

static void read_ini(void *arg, const char *path)
{
    struct reading *r = arg;
    size_t n;
    char *text = conf_read(r->v, path, &n);

    if (!text) {
        r->p->unreadable = r->p->unreadable || (errno != ENOENT && errno != ENOTDIR);
        return;
    }
    struct str rest = {text, n}, line, key, value, section;
    unsigned number = 0;
    bool of_all = true;
    r->found = true;
    while (conf_line(&rest, &line, &number)) {
        if (conf_is_section(line, &section))
            of_all = !str_starts(section, STR("PATH=")) && !str_starts(section, STR("HOST="));
        else if (of_all && conf_split(line, &key, &value))
            php_values_take(r->p, key, conf_expand(r->v, value), path, number);
    }
    free(text);
}

static bool read_folder(struct reading *r, const char *folder, struct server_conf *c)
{
    static const char *const scanned[] = {"conf.d", "php.d"};
    char path[512];
    bool any = false;

    snprintf(path, sizeof path, "%.480s/php.ini", folder);
    r->found = false;
    if (!r->has_ini)
        read_ini(r, path);
    if (r->found) {
        conf_copy(c->php_ini, sizeof c->php_ini, str_from(path));
        any = true;
    }
    struct str elsewhere = conf_env(r->v, "PHP_INI_SCAN_DIR");
    for (size_t i = 0; !elsewhere.p && i < sizeof scanned / sizeof scanned[0]; i++) {
        snprintf(path, sizeof path, "%.480s/%s/*.ini", folder, scanned[i]);
        r->found = false;
        conf_each_file(r->v, path, read_ini, r);
        any = any || r->found;
    }
    return any;
}

static void read_cwd(struct reading *r, struct server_conf *c)
{
    char cwd[480], path[512];
    ssize_t n = readlinkat(r->v->dir, "cwd", cwd, sizeof cwd - 1);

    // Unlike a deleted one's, a directory's path begins with a slash and is there.
    if (n <= 0 || cwd[0] != '/')
        return;
    cwd[n] = '\0';
    snprintf(path, sizeof path, "%s/php.ini", n > 1 ? cwd : "");
    read_ini(r, path);
    r->has_ini = r->found;
    if (r->found)
        conf_copy(c->php_ini, sizeof c->php_ini, str_from(path));
}

void php_values_read(const struct conf_view *v, const char *const *folders, struct php_values *p, struct server_conf *c)
{
    struct reading r = {.v = v, .p = p};
    struct str named = v->php_args ? conf_arg(v, "-c", "--php-ini") : (struct str){NULL, 0}, rc = conf_env(v, "PHPRC"),
               scan = conf_env(v, "PHP_INI_SCAN_DIR"), folder;
    char path[512];

    // A folder or a file named by the one who started it; else the usual places.
    named = named.p ? named : rc;
    if (named.n && named.n < sizeof path) {
        snprintf(path, sizeof path, "%.*s", STR_ARG(named));
        if (str_ends(named, STR(".ini"))) {
            read_ini(&r, path);
            conf_copy(c->php_ini, sizeof c->php_ini, named);
        } else {
            (void)read_folder(&r, path, c);
        }
    } else {
        if (v->php_cwd)
            read_cwd(&r, c);
        for (; *folders && !read_folder(&r, *folders, c); folders++)
            ;
    }
    while (scan.p && str_next(&scan, ':', &folder)) {
        snprintf(path, sizeof path, "%.*s/*.ini", folder.n < 480 ? (int)folder.n : 480, folder.p);
        if (folder.n)
            conf_each_file(v, path, read_ini, &r);
    }
    for (size_t at = 0; v->php_args && v->args && at < v->args_n;) {
        struct str word = {v->args + at, strnlen(v->args + at, v->args_n - at)}, key, value;
        at += word.n + 1;
        if (str_eq(word, STR("-d")) && at < v->args_n) {
            word = (struct str){v->args + at, strnlen(v->args + at, v->args_n - at)};
            at += word.n + 1;
        } else if (word.n > 2 && str_starts(word, STR("-d"))) {
            word = (struct str){word.p + 2, word.n - 2};
        } else {
            continue;
        }
        if (conf_split(word, &key, &value))
            php_values_take(p, key, value, "its arguments", 0);
    }
}

void php_values_finish(struct php_values *p, struct server_conf *c)
{
    static const char by_default[] = "PHP's default";

    if (!p->unreadable) {
        if (!p->memory_limit.known)
            conf_set(&p->memory_limit, DEFAULT_MEMORY_LIMIT, by_default, 0);
        if (!p->opcache.known)
            conf_set(&p->opcache, (int64_t)DEFAULT_OPCACHE_MIB << 20, by_default, 0);
        if (!p->interned.known)
            conf_set(&p->interned, (int64_t)DEFAULT_INTERNED_MIB << 20, by_default, 0);
        if (!p->apcu.known)
            conf_set(&p->apcu, DEFAULT_APCU, by_default, 0);
    }
    if (!c->memory_limit.known)
        c->memory_limit = p->memory_limit;
    // Interned strings lie within memory_consumption; the JIT's buffer is added to it.
    if (p->opcache.known) {
        c->opcache_bytes = p->opcache;
        c->opcache_bytes.value = p->opcache_off ? 0 : p->opcache.value + (p->jit.known ? p->jit.value : 0);
    }
    if (p->apcu.known) {
        c->apcu_bytes = p->apcu;
        c->apcu_bytes.value = p->apcu_off ? 0 : p->apcu.value;
    }
}
