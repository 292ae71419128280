// SPDX-License-Identifier: Apache-2.0
// php-fpm's configuration: pools, their limits, where they listen and tell their status; Plimsoll's, whose keys have the same
// names. Owns nothing. Invariant: included files are read to a bounded depth and number.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice/server_conf_int.h"

#define INCLUDE_DEPTH 4
#define FILES_MAX 512

struct fpm {
    const struct conf_view *v;
    struct php_values *p;
    struct server_conf *c;
    bool plimsoll;
    int depth, files;
    struct conf_pool *pool; // the section at hand; NULL: global
};

static struct conf_pool *pool_of(struct fpm *f, struct str name)
{
    struct server_conf *c = f->c;
    char shown[sizeof c->pool[0].name];

    conf_copy(shown, sizeof shown, name);
    for (int32_t i = 0; i < c->n_pools; i++) {
        if (strcmp(c->pool[i].name, shown) == 0)
            return &c->pool[i];
    }
    if (c->n_pools == CONF_POOLS) {
        c->pools_dropped++;
        return NULL;
    }
    struct conf_pool *pool = &c->pool[c->n_pools++];
    *pool = (struct conf_pool){0};
    memcpy(pool->name, shown, sizeof shown);
    return pool;
}

// A value in which $pool stands for the pool's name.
static void take_text(const struct conf_pool *pool, struct str value, char *to, size_t size)
{
    char text[512];
    size_t n = 0;

    for (size_t i = 0; i < value.n && n < sizeof text - sizeof pool->name;) {
        if (value.n - i >= 5 && memcmp(value.p + i, "$pool", 5) == 0) {
            size_t length = strlen(pool->name);
            memcpy(text + n, pool->name, length);
            n += length;
            i += 5;
        } else {
            text[n++] = value.p[i++];
        }
    }
    conf_copy(to, size, (struct str){text, n});
}

static void take_pool(struct fpm *f, struct str key, struct str value, const char *path, unsigned line)
{
    static const struct {
        struct str key;
        size_t at;
    } counts[] = {
        {STR("pm.max_children"), offsetof(struct conf_pool, max_children)},
        {STR("pm.max_requests"), offsetof(struct conf_pool, max_requests)},
    };
    static const struct {
        struct str key;
        size_t at;
    } texts[] = {
        {STR("listen"), offsetof(struct conf_pool, listen)},
        {STR("pm.status_path"), offsetof(struct conf_pool, status_path)},
        {STR("pm.status_listen"), offsetof(struct conf_pool, status_listen)},
    };
    struct conf_pool *pool = f->pool;
    int64_t v;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (!str_eq(key, counts[i].key))
            continue;
        if (conf_count(value, &v))
            conf_set((struct conf_amount *)(void *)((char *)pool + counts[i].at), v, path, line);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (str_eq(key, texts[i].key))
            take_text(pool, value, (char *)pool + texts[i].at, CONF_ADDRESS);
    }
    if (f->plimsoll && str_eq(key, STR("php_ini")) && value.n < 256) {
        char folder[256];
        bool file = str_ends(value, STR("/php.ini"));
        snprintf(folder, sizeof folder, "%.*s", (int)(file ? value.n - 8 : value.n), value.p);
        php_values_read(f->v, (const char *const[]){folder, NULL}, f->p, f->c);
    }
    if (str_eq(key, STR("pm")))
        pool->pm = str_eq(value, STR("static"))     ? CONF_PM_STATIC
                   : str_eq(value, STR("dynamic"))  ? CONF_PM_DYNAMIC
                   : str_eq(value, STR("ondemand")) ? CONF_PM_ONDEMAND
                                                    : CONF_PM_UNKNOWN;
    if (str_eq(key, STR("php_admin_value[memory_limit]")) || str_eq(key, STR("php_value[memory_limit]"))) {
        struct php_values own = {0};
        php_values_take(&own, STR("memory_limit"), value, path, line);
        if (own.memory_limit.known)
            pool->memory_limit = own.memory_limit;
    }
}

static void read_file(void *arg, const char *path)
{
    struct fpm *f = arg;
    size_t n;

    if (f->depth == INCLUDE_DEPTH || ++f->files > FILES_MAX)
        return;
    char *text = conf_read(f->v, path, &n);
    if (!text)
        return;
    struct str rest = {text, n}, line, key, value, section;
    unsigned number = 0;
    while (conf_line(&rest, &line, &number)) {
        if (conf_is_section(line, &section)) {
            // Plimsoll: "[pool NAME]", others aren't pools.
            bool is_pool = f->plimsoll ? str_starts(section, STR("pool ")) : !str_eq_nocase(section, STR("global"));
            struct str name = f->plimsoll && is_pool ? str_trim((struct str){section.p + 5, section.n - 5}) : section;
            f->pool = is_pool ? pool_of(f, name) : NULL;
            continue;
        }
        if (!conf_split(line, &key, &value))
            continue;
        value = conf_expand(f->v, value);
        if (str_eq(key, STR("include"))) {
            char pattern[512];
            bool absolute = value.n && value.p[0] == '/';
            const char *slash = strrchr(path, '/');
            int length = snprintf(pattern, sizeof pattern, "%.*s%.*s", absolute || !slash ? 0 : (int)(slash - path) + 1, path,
                                  STR_ARG(value));
            if (length > 0 && (size_t)length < sizeof pattern) {
                f->depth++;
                conf_each_file(f->v, pattern, read_file, f);
                f->depth--;
            }
        } else if (f->pool) {
            take_pool(f, key, value, path, number);
        } else if (f->plimsoll && (str_starts(key, STR("pm.")) || str_starts(key, STR("php_")))) {
            f->pool = pool_of(f, STR("default"));
            if (f->pool)
                take_pool(f, key, value, path, number);
            f->pool = NULL;
        } else if (f->plimsoll && str_eq(key, STR("admin"))) {
            conf_copy(f->c->admin, sizeof f->c->admin, value);
            f->c->admin_off = str_eq(value, STR("off"));
        }
    }
    free(text);
}

void conf_read_fpm(const struct conf_view *v, const char *path, bool plimsoll, struct php_values *p, struct server_conf *c)
{
    struct fpm f = {.v = v, .p = p, .c = c, .plimsoll = plimsoll};
    struct conf_amount children = {0};
    bool all_children = true, own_limits = true;

    read_file(&f, path);
    for (int32_t i = 0; i < c->n_pools; i++) {
        const struct conf_pool *pool = &c->pool[i];
        if (pool->max_children.known) {
            children.value += pool->max_children.value;
            if (!children.known)
                memcpy(children.from, pool->max_children.from, sizeof children.from);
            children.known = true;
        }
        all_children = all_children && pool->max_children.known;
        if (pool->max_requests.known && (!c->max_requests.known || pool->max_requests.value == 0 ||
                                         (c->max_requests.value && pool->max_requests.value > c->max_requests.value)))
            c->max_requests = pool->max_requests;
        const struct conf_amount *own = &pool->memory_limit;
        if (own->known &&
            (!c->memory_limit.known || own->value == 0 || (c->memory_limit.value && own->value > c->memory_limit.value)))
            c->memory_limit = *own;
        own_limits = own_limits && own->known;
    }
    if (all_children && !c->pools_dropped)
        c->max_children = children;
    // A pool without a limit of its own has php.ini's, which may be the larger.
    if (c->memory_limit.known && !own_limits) {
        php_values_finish(p, &(struct server_conf){0});
        if (!p->memory_limit.known || p->memory_limit.value == 0 ||
            (c->memory_limit.value && p->memory_limit.value > c->memory_limit.value))
            c->memory_limit = p->memory_limit;
    }
}
