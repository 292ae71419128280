// SPDX-License-Identifier: Apache-2.0
// Loads the configuration: collects assignments from file, environment and flags and sets them in the order of their rank;
// settle.c then finds what nobody set and checks the whole. Runs in the master and the cli.
// Invariant: conf_load returns either a whole configuration or at least one error line, never half of one.
#include "conf/conf_int.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "conf/ini.h"
#include "conf/settle.h"

// ---- small things the other files of this folder use ----

void conf__list_add(struct arena *a, struct conf_list *list, const char *s)
{
    if ((list->n & (list->n - 1)) == 0) { // full at powers of two
        char **grown = arena_alloc(a, (list->n ? list->n * 2 : 1) * sizeof *grown);
        if (list->n)
            memcpy(grown, list->v, list->n * sizeof *grown);
        list->v = grown;
    }
    list->v[list->n++] = arena_strndup(a, s, strlen(s));
}

static void error_line(struct conf_errors *e, char *line)
{
    if (e->lines.n >= CONF_ERRORS_MAX) {
        free(line);
        return;
    }
    e->lines.v = xrealloc(e->lines.v, (e->lines.n + 1) * sizeof *e->lines.v);
    e->lines.v[e->lines.n++] = line;
    if (e->lines.n == CONF_ERRORS_MAX - 1)
        error_line(e, xstrdup("... and more"));
}

void conf__error(struct load *l, const char *fmt, ...)
{
    char *line;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&line, fmt, ap) < 0)
        line = xstrdup("out of memory");
    va_end(ap);
    error_line(l->errors, line);
}

static void sentence(struct load *l, struct conf_list *list, const char *fmt, va_list ap)
{
    char *line;

    if (vasprintf(&line, fmt, ap) < 0)
        return;
    conf__list_add(&l->conf->arena, list, line);
    free(line);
}

void conf__warn(struct load *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sentence(l, &l->conf->warnings, fmt, ap);
    va_end(ap);
}

void conf__finding(struct load *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sentence(l, &l->conf->findings, fmt, ap);
    va_end(ap);
}

void conf_errors_done(struct conf_errors *e)
{
    for (size_t i = 0; i < e->lines.n; i++)
        free(e->lines.v[i]);
    free(e->lines.v);
    *e = (struct conf_errors){0};
}

void *conf__object(struct conf *c, enum conf_section s, unsigned index)
{
    switch (s) {
    case SEC_GLOBAL:
        return &c->global;
    case SEC_SITE:
        return &c->sites[index];
    case SEC_POOL:
        return &c->pools[index];
    case SEC_ROUTE:
        return &c->routes[index];
    default:
        must(!"a section with options");
    }
    return NULL;
}

struct conf_origin *conf__origin_find(const struct conf *c, const struct conf_option *o, unsigned index, const char *pair_key)
{
    for (size_t i = c->n_origins; i-- > 0;) { // from the end: what was set last is asked for most
        struct conf_origin *og = &c->origins[i];
        if (og->option == o && og->index == index && (!pair_key || strcmp(og->pair_key, pair_key) == 0))
            return og;
    }
    return NULL;
}

void conf__origin_set(struct load *l, const struct conf_option *o, unsigned index, const char *pair_key, enum conf_layer layer,
                      const char *where)
{
    struct conf *c = l->conf;
    struct conf_origin *og = conf__origin_find(c, o, index, pair_key);

    if (!og) {
        if (c->n_origins == l->cap_origins) {
            l->cap_origins = l->cap_origins ? l->cap_origins * 2 : 128;
            struct conf_origin *grown = arena_alloc(&c->arena, l->cap_origins * sizeof *grown);
            if (c->n_origins)
                memcpy(grown, c->origins, c->n_origins * sizeof *grown);
            c->origins = grown;
        }
        og = &c->origins[c->n_origins++];
        *og = (struct conf_origin){.option = o, .index = index};
        og->pair_key = pair_key ? arena_strndup(&c->arena, pair_key, strlen(pair_key)) : NULL;
    }
    og->layer = layer;
    og->where = arena_strndup(&c->arena, where, strlen(where));
}

bool conf__is_set(const struct conf *c, enum conf_section s, unsigned index, const char *key)
{
    struct conf_origin *og = conf__origin_find(c, conf_option_find(s, str_from(key)), index, NULL);
    return og && og->layer != LAYER_DEFAULT && og->layer != LAYER_FOUND;
}

const char *conf__where(const struct conf *c, enum conf_section s, unsigned index, const char *key)
{
    struct conf_origin *og = conf__origin_find(c, conf_option_find(s, str_from(key)), index, NULL);
    return og ? og->where : "default";
}

const char *conf__at(struct conf *c, enum conf_section s, unsigned index, const char *key)
{
    struct conf_origin *og = conf__origin_find(c, conf_option_find(s, str_from(key)), index, NULL);

    if (!og || og->layer == LAYER_DEFAULT || og->layer == LAYER_FOUND)
        return key;
    return og->layer == LAYER_FILE ? arena_printf(&c->arena, "%s: %s", og->where, key).p : og->where;
}

// Splits "env[NAME]"; false if the brackets are broken.
bool conf__split_key(struct arena *a, const char *key, struct str *ret_name, const char **ret_pair_key)
{
    size_t n = strlen(key), open = strcspn(key, "[");

    *ret_name = (struct str){key, open};
    *ret_pair_key = NULL;
    if (open == n)
        return true;
    if (n < open + 3 || key[n - 1] != ']')
        return false;
    *ret_pair_key = arena_strndup(a, key + open + 1, n - open - 2);
    return !strpbrk(*ret_pair_key, "[]= \t");
}

// Joined and cleaned of "//", "." and ".." by text alone: symbolic links are looked at when the file is.
char *conf__path_join(struct arena *a, const char *base, const char *path)
{
    struct str whole = path[0] == '/' ? str_from(path) : arena_printf(a, "%s/%s", base, path);
    char *out = arena_alloc(a, whole.n + 2);
    struct str rest = whole, part;
    size_t n = 0;

    while (rest.p) {
        size_t slash = str_find(rest, '/');
        part = (struct str){rest.p, slash == SIZE_MAX ? rest.n : slash};
        rest = slash == SIZE_MAX ? (struct str){0} : (struct str){rest.p + slash + 1, rest.n - slash - 1};
        if (!part.n || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            while (n && out[--n] != '/')
                continue;
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    if (!n)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}

// ---- the file ----

const char *conf__env(const struct conf_args *args, const char *name)
{
    size_t n = strlen(name);

    for (char **e = args->environ; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=' && (*e)[n + 1])
            return *e + n + 1;
    return NULL;
}

static void read_config_file(struct load *l, struct conf_file *ret_file)
{
    struct conf *c = l->conf;
    const char *given = l->args->file ? l->args->file : conf__env(l->args, "PLIMSOLL_CONFIG");
    char *text;
    size_t n;

    *ret_file = (struct conf_file){.dir = l->cwd};
    if (!given)
        return;
    c->file = conf__path_join(&c->arena, l->cwd, given);
    int rc = fd_read_file(-1, c->file, INI_FILE_MAX, &text, &n);
    if (rc) {
        conf__error(l, "%s: can't be read: %s", c->file, rc == -EFBIG ? "it is larger than 1 MiB" : strerror(-rc));
        return;
    }
    ini_parse(&c->arena, (struct str){text, n}, l->args->environ, &ret_file->items, &ret_file->n);
    free(text);
    char *dir = arena_strndup(&c->arena, c->file, strlen(c->file));
    ret_file->dir = dirname(dir);
}

// ---- environment and flags ----

static void apply_env(struct load *l)
{
    struct conf *c = l->conf;
    char name[64];

    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        const char *value = conf_option_env(o, name, sizeof name) ? conf__env(l->args, name) : NULL;
        if (!value)
            continue;
        struct conf_assign as = {.option = o, .text = value, .layer = LAYER_ENV, .base = l->cwd};
        as.where = arena_printf(&c->arena, "environment %s", name).p;
        conf__assign(l, &as);
    }
}

static bool env_is_known(const char *name, size_t n)
{
    char known[64];

    for (size_t i = 0; i < conf_n_options; i++)
        if (conf_option_env(&conf_options[i], known, sizeof known) && str_eq(str_from(known), (struct str){name, n}))
            return true;
    return false;
}

// An unknown PLIMSOLL_ variable is only warned of, because others set such too: Kubernetes gives every pod PLIMSOLL_PORT and
// the like when there is a Service of that name.
static void warn_of_unknown_env(struct load *l)
{
    static const char *const kubernetes[] = {"PLIMSOLL_PORT*", "PLIMSOLL_SERVICE_*", "PLIMSOLL_*_PORT*", "PLIMSOLL_*_SERVICE_*"};

    for (char **e = l->args->environ; e && *e; e++) {
        struct str name = {*e, strcspn(*e, "=")};
        if (!str_starts(name, STR("PLIMSOLL_")) || str_eq(name, STR("PLIMSOLL_CONFIG")) || env_is_known(name.p, name.n))
            continue;
        bool others = false;
        for (size_t i = 0; i < sizeof kubernetes / sizeof *kubernetes; i++)
            others = others || str_glob(str_from(kubernetes[i]), name);
        if (others)
            continue;
        char *key = arena_strndup(&l->conf->arena, name.p + 9, name.n - 9), near_env[64];
        for (char *p = key; *p; p++)
            *p = ascii_lower(*p);
        const char *near = NULL;
        for (enum conf_section s = SEC_GLOBAL; !near && s < SEC_ROUTE; s++) {
            near = conf_nearest_key(s, key);
            if (near && !conf_option_env(conf_option_find(s, str_from(near)), near_env, sizeof near_env))
                near = NULL;
        }
        if (near)
            conf__warn(l, "environment %.*s is no option and is ignored; did you mean %s?", STR_ARG(name), near_env);
        else
            conf__warn(l, "environment %.*s is no option and is ignored", STR_ARG(name));
    }
}

static void apply_flags(struct load *l)
{
    for (size_t i = 0; i < l->args->flags.n; i++) {
        const struct conf_pair *flag = &l->args->flags.v[i];
        const struct conf_option *o = NULL;
        struct str name;
        const char *pair_key;

        conf__split_key(&l->conf->arena, flag->key, &name, &pair_key);
        for (enum conf_section s = SEC_GLOBAL; !(o && o->flag) && s < SEC_ROUTE; s++)
            o = conf_option_find(s, name);
        if (!o || !o->flag || (pair_key != NULL) != conf_kind_is_pairs(o->kind)) {
            conf__error(l, "--%s: not an option", flag->key);
            continue;
        }
        struct conf_assign as = {.option = o, .pair_key = pair_key, .text = flag->value, .layer = LAYER_FLAG, .base = l->cwd};
        as.where = arena_printf(&l->conf->arena, "--%s", o->flag).p;
        conf__assign(l, &as);
    }
    if (l->args->dir) {
        struct conf_assign as = {.option = conf_option_find(SEC_SITE, STR("dir")),
                                 .text = l->args->dir,
                                 .layer = LAYER_FLAG,
                                 .where = "DIR",
                                 .base = l->cwd};
        conf__assign(l, &as);
    }
}

static void apply_port(struct load *l)
{
    const char *port = conf__env(l->args, "PORT");
    if (!port || conf__is_set(l->conf, SEC_GLOBAL, 0, "listen"))
        return;
    uint64_t n;
    if (conf__parse_uint(port, &n) || n > 65535) {
        conf__error(l, "environment PORT: '%s' is not a port", port);
        return;
    }
    struct conf_assign as = {
        .option = conf_option_find(SEC_GLOBAL, STR("listen")), .layer = LAYER_ENV, .where = "environment PORT"};
    as.text = arena_printf(&l->conf->arena, ":%u", (unsigned)n).p;
    conf__assign(l, &as);
}

static void begin(struct load *l, const struct conf_args *args, struct conf_errors *errors)
{
    char cwd[PATH_MAX];

    *l = (struct load){.conf = xcalloc(1, sizeof *l->conf), .errors = errors, .args = args, .as_root = geteuid() == 0};
    const char *at = args->cwd ? args->cwd : getcwd(cwd, sizeof cwd) ? cwd : "/";
    l->cwd = arena_strndup(&l->conf->arena, at, strlen(at));
}

static void collect(struct load *l)
{
    struct conf_file file;

    read_config_file(l, &file);
    conf__apply_sections(l, &file);
    apply_env(l);
    apply_flags(l);
    apply_port(l);
}

int conf_load(const struct conf_args *args, struct conf **ret_conf, struct conf_errors *errors)
{
    struct load l;

    begin(&l, args, errors);
    size_t before = errors->lines.n;
    collect(&l);
    warn_of_unknown_env(&l);
    if (errors->lines.n == before)
        conf__settle(&l);
    if (errors->lines.n != before) {
        conf_free(l.conf);
        return -1;
    }
    *ret_conf = l.conf;
    return 0;
}

int conf__load_text(struct str text, struct conf **ret_conf, struct conf_errors *errors)
{
    struct conf_args args = {.cwd = (char[]){"/"}};
    struct conf_file file = {.dir = "/"};
    struct load l;

    begin(&l, &args, errors);
    l.conf->file = conf__path_join(&l.conf->arena, "/", "text");
    ini_parse(&l.conf->arena, text, NULL, &file.items, &file.n);
    conf__apply_sections(&l, &file);
    if (errors->lines.n) {
        conf_free(l.conf);
        return -1;
    }
    *ret_conf = l.conf;
    return 0;
}

char *conf_control_path(const struct conf_args *args, struct conf_errors *errors)
{
    struct conf_errors ignored = {0};
    struct load l;
    char *path = NULL;

    begin(&l, args, &ignored);
    collect(&l);
    const struct conf_origin *og = conf__origin_find(l.conf, conf_option_find(SEC_GLOBAL, STR("control")), 0, NULL);
    if (og && og->layer != LAYER_DEFAULT)
        path = l.conf->global.control ? xstrdup(l.conf->global.control) : NULL;
    else
        path = conf_default_control_path(geteuid(), args->environ);
    // A file that isn't there is the caller's slip; other mistakes in it don't matter for finding the socket.
    if (l.conf->file && access(l.conf->file, R_OK) != 0) {
        l.errors = errors;
        conf__error(&l, "%s: can't be read: %s", l.conf->file, strerror(errno));
        free(path);
        path = NULL;
    }
    conf_errors_done(&ignored);
    conf_free(l.conf);
    return path;
}

struct conf *conf_free(struct conf *c)
{
    if (c) {
        struct arena a = c->arena;
        arena_reset(&a);
        free(c);
    }
    return NULL;
}
