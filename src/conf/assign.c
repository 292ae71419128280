// SPDX-License-Identifier: Apache-2.0
// Sets one option to one text, by the kind of its row. Runs in the master and the cli; what it makes lives in the arena.
// Invariant: a value that is refused leaves an error line that begins with where it came from, and nothing else changed.
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "conf/conf_int.h"

enum { PAIRS_MAX = 1000, LISTENS_MAX = 64 };

static bool refuse(struct load *l, const struct conf_assign *as, const char *reason)
{
    const struct conf_option *o = as->option;

    if (as->layer >= LAYER_ENV && !as->pair_key) // "--workers: '0' ..." says which option it is
        conf__error(l, "%s: '%s' %s", as->where, as->text, reason);
    else if (as->pair_key)
        conf__error(l, "%s: %s[%s]: '%s' %s", as->where, o->key, as->pair_key, as->text, reason);
    else
        conf__error(l, "%s: %s: '%s' %s", as->where, o->key, as->text, reason);
    return false;
}

static char *copy(struct load *l, const char *s)
{
    return arena_strndup(&l->conf->arena, s, strlen(s));
}

static bool is_off(const char *s)
{
    return strcmp(s, "off") == 0 || strcmp(s, "no") == 0 || strcmp(s, "none") == 0;
}

static const char *range_text(struct load *l, const struct conf_option *o)
{
    bool time = o->kind == KIND_TIME || o->kind == KIND_TIME64;
    const char *unit = time ? " ms" : o->kind == KIND_SIZE || o->kind == KIND_SIZE64 ? " bytes" : "";
    return arena_printf(&l->conf->arena, "is not between %llu and %llu%s", (unsigned long long)o->min, (unsigned long long)o->max,
                        unit)
        .p;
}

static bool assign_number(struct load *l, const struct conf_assign *as, void *field)
{
    const struct conf_option *o = as->option;
    const char *reason;
    uint64_t v;

    switch (o->kind) {
    case KIND_SIZE:
    case KIND_SIZE64:
        reason = conf__parse_size(as->text, &v);
        break;
    case KIND_TIME:
    case KIND_TIME64:
        reason = conf__parse_time(as->text, &v);
        break;
    default:
        reason = conf__parse_uint(as->text, &v);
        break;
    }
    if (!reason && (v < o->min || v > o->max))
        reason = range_text(l, o);
    if (reason)
        return refuse(l, as, reason);
    if (o->kind == KIND_SIZE)
        *(size_t *)field = (size_t)v;
    else if (o->kind == KIND_SIZE64 || o->kind == KIND_TIME64)
        *(int64_t *)field = (int64_t)v;
    else
        *(unsigned *)field = (unsigned)v;
    return true;
}

static bool assign_seconds(struct load *l, const struct conf_assign *as, int64_t *field)
{
    uint64_t ms;
    const char *reason = conf__parse_time(as->text, &ms);

    if (!reason && ms % 1000)
        reason = "is not a whole number of seconds";
    if (reason)
        return refuse(l, as, reason);
    *field = (int64_t)(ms / 1000);
    return true;
}

static bool assign_rlimit(struct load *l, const struct conf_assign *as, int64_t *field)
{
    uint64_t v;

    if (strcmp(as->text, "unlimited") == 0) {
        *field = INT64_MAX;
        return true;
    }
    if (conf__parse_size(as->text, &v) || v > INT64_MAX || v < as->option->min)
        return refuse(l, as, "is neither a number nor unlimited");
    *field = (int64_t)v;
    return true;
}

static bool assign_enum(struct load *l, const struct conf_assign *as, int *field)
{
    struct str rest = str_from(as->option->words), word;

    for (int i = 0; str_next(&rest, '|', &word); i++) {
        if (str_eq(word, str_from(as->text))) {
            *field = i;
            return true;
        }
    }
    return refuse(l, as, arena_printf(&l->conf->arena, "is none of %s", as->option->words).p);
}

static const char *check_pair_name(const struct conf_option *o, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    bool env = strcmp(o->key, "env") == 0;
    size_t n = 0;

    while (name[n] && (strchr(letters, name[n]) || (!env && strchr(".-", name[n]))))
        n++;
    if (!name[n] && n && !(env && name[0] >= '0' && name[0] <= '9'))
        return NULL;
    return env ? "has a name that no environment variable can have" : "has a name that no PHP setting can have";
}

// env[NAME] = $OTHER takes that variable of the server's environment, "" if it is not set: php-fpm's own files show it so.
// On the command line it is the shell's business.
static const char *env_value(const struct load *l, const struct conf_assign *as)
{
    if (as->layer != LAYER_FILE || as->text[0] != '$' || check_pair_name(as->option, as->text + 1))
        return as->text;
    const char *value = conf__env(l->args, as->text + 1);
    return value ? value : "";
}

static bool assign_pair(struct load *l, const struct conf_assign *as, struct conf_pairs *pairs)
{
    const char *value = as->text, *wrong = check_pair_name(as->option, as->pair_key);
    int32_t level;
    bool on;

    if (wrong)
        return refuse(l, as, wrong);
    if (strcmp(as->option->key, "env") == 0) {
        value = env_value(l, as);
    } else if (strcmp(as->pair_key, "error_reporting") == 0) {
        if (!conf__parse_error_level(value, &level))
            return refuse(l, as, "is neither a number nor an expression such as E_ALL & ~E_DEPRECATED");
        value = arena_printf(&l->conf->arena, "%d", (int)level).p;
    }
    if (as->option->kind == KIND_PAIRS_BOOL) {
        const char *reason = conf__parse_bool(value, &on);
        if (reason)
            return refuse(l, as, reason);
        value = on ? "1" : "0";
    }
    for (size_t i = 0; i < pairs->n; i++) {
        if (strcmp(pairs->v[i].key, as->pair_key) == 0) {
            pairs->v[i].value = copy(l, value);
            return true;
        }
    }
    if (pairs->n >= PAIRS_MAX)
        return refuse(l, as, "is one too many (1000 are possible)");
    if ((pairs->n & (pairs->n - 1)) == 0) { // full at powers of two
        struct conf_pair *grown = arena_alloc(&l->conf->arena, (pairs->n ? pairs->n * 2 : 1) * sizeof *grown);
        if (pairs->n)
            memcpy(grown, pairs->v, pairs->n * sizeof *grown);
        pairs->v = grown;
    }
    pairs->v[pairs->n++] = (struct conf_pair){copy(l, as->pair_key), copy(l, value)};
    return true;
}

static const char *check_header(const char *s)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Connection", "Date", "Trailer", "Upgrade"};
    size_t n = strspn(s, token);

    if (!n || s[n] != ':')
        return "is not 'Name: value'";
    for (const char *p = s + n; *p; p++)
        if ((unsigned char)*p < 0x20 && *p != '\t')
            return "holds a control character";
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        if (str_eq_nocase((struct str){s, n}, str_from(framing[i])))
            return "is a field that only the server can set";
    return NULL;
}

static bool add_element(struct load *l, const struct conf_assign *as, struct conf_list *list, struct str item)
{
    char *s = arena_strndup(&l->conf->arena, item.p, item.n);
    const char *reason = NULL;

    if (as->option->kind == KIND_GLOBS && s[0] != '/' && s[0] != '*')
        reason = "has a pattern that begins with neither / nor *";
    else if (as->option->kind == KIND_HEADERS)
        reason = check_header(s);
    else if (as->option->kind == KIND_PATHS)
        s = conf__path_join(&l->conf->arena, as->base, s);
    if (reason)
        return refuse(l, as, reason);
    conf__list_add(&l->conf->arena, list, s);
    return true;
}

static struct str next_word(struct str *rest, const char *separators)
{
    while (rest->n && strchr(separators, rest->p[0]))
        rest->p++, rest->n--;
    struct str word = {rest->p, 0};
    while (word.n < rest->n && !strchr(separators, rest->p[word.n]))
        word.n++;
    rest->p += word.n;
    rest->n -= word.n;
    return word;
}

static bool assign_list(struct load *l, const struct conf_assign *as, struct conf_list *list)
{
    struct str rest = str_from(as->text), word;

    if (as->quoted || as->option->kind == KIND_HEADERS)
        return !rest.n || add_element(l, as, list, rest);
    const char *separators = as->option->kind == KIND_LIST ? " \t," : " \t";
    while ((word = next_word(&rest, separators)).n)
        if (!add_element(l, as, list, word))
            return false;
    return true;
}

static bool assign_cidrs(struct load *l, const struct conf_assign *as, struct conf_cidrs *list)
{
    struct str rest = str_from(as->text), word;

    while ((word = next_word(&rest, " \t,")).n) {
        char *s = arena_strndup(&l->conf->arena, word.p, word.n);
        const char *reason = conf__parse_cidrs(&l->conf->arena, s, list);
        if (reason) {
            conf__error(l, "%s: %s: '%s' %s", as->where, as->option->key, s, reason);
            return false;
        }
    }
    return true;
}

static bool assign_listen(struct load *l, const struct conf_assign *as)
{
    struct conf_global *g = &l->conf->global;
    struct arena *a = &l->conf->arena;
    struct conf_listen one;
    const char *reason = NULL;

    if (as->option->kind == KIND_ADMIN && is_off(as->text)) {
        g->admin = NULL;
        return true;
    }
    if (as->option->kind == KIND_ADMIN) {
        reason = conf__parse_listen(a, as->text, &one);
        if (reason)
            return refuse(l, as, reason);
        g->admin = arena_alloc(a, sizeof one);
        *g->admin = one;
        return true;
    }
    struct str rest = str_from(as->text), word;
    while (!reason && (word = next_word(&rest, " \t,")).n) {
        reason = conf__parse_listen(a, arena_strndup(a, word.p, word.n), &one);
        if (reason)
            break;
        for (size_t i = 0; i < g->n_listen; i++)
            if (strcmp(g->listen[i].text, one.text) == 0 && (one.is_unix || one.port))
                reason = "is given twice";
        if (g->n_listen >= LISTENS_MAX)
            reason = "is one too many (64 are possible)";
        if (reason)
            break;
        struct conf_listen *grown = arena_alloc(a, (g->n_listen + 1) * sizeof *grown);
        if (g->n_listen)
            memcpy(grown, g->listen, g->n_listen * sizeof *grown);
        grown[g->n_listen] = one;
        g->listen = grown;
        g->n_listen++;
    }
    return reason ? refuse(l, as, reason) : true;
}

static bool assign_redirect(struct load *l, const struct conf_assign *as, struct conf_route *r)
{
    const char *s = as->text;
    unsigned status = 302;

    if (strspn(s, "0123456789") == 3 && (s[3] == ' ' || s[3] == '\t')) {
        status = (unsigned)atoi(s);
        s += 3 + strspn(s + 3, " \t");
    }
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        return refuse(l, as, "has a status other than 301, 302, 303, 307 and 308");
    if (s[0] != '/' && strncmp(s, "http://", 7) != 0 && strncmp(s, "https://", 8) != 0)
        return refuse(l, as, "is not [STATUS] /path or [STATUS] https://host/path");
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return refuse(l, as, "holds white space or a control character");
    r->redirect = copy(l, s);
    r->redirect_status = status;
    return true;
}

static bool assign_path(struct load *l, const struct conf_assign *as, char **field)
{
    enum conf_kind kind = as->option->kind;
    const char *s = as->text;

    if (kind != KIND_PATH && is_off(s)) {
        *field = NULL;
        return true;
    }
    if (!*s)
        return refuse(l, as, "is empty");
    *field = kind == KIND_LOG && strcmp(s, "-") == 0 ? copy(l, "-") : conf__path_join(&l->conf->arena, as->base, s);
    return true;
}

// A URL path: "/index.php"; for a front controller the slash may be left out.
static bool assign_url_path(struct load *l, const struct conf_assign *as, char **field)
{
    const char *s = as->text;
    bool front = as->option->kind == KIND_FRONT;

    if (is_off(s)) {
        *field = NULL;
        return true;
    }
    if (s[0] != '/' && !front)
        return refuse(l, as, "doesn't begin with /");
    if (!*s || strpbrk(s, "?#% \t") || strstr(s, "//") || strstr(s, "/../") || strncmp(s, "../", 3) == 0)
        return refuse(l, as, "is not a plain path");
    if (front && !str_ends(str_from(s), STR(".php")))
        return refuse(l, as, "doesn't end in .php");
    *field = conf__path_join(&l->conf->arena, "/", s);
    return true;
}

static bool assign_fd(struct load *l, const struct conf_assign *as, int *field)
{
    uint64_t v;

    if (is_off(as->text)) {
        *field = -1;
        return true;
    }
    if (conf__parse_uint(as->text, &v) || v < as->option->min || v > as->option->max)
        return refuse(l, as, "is not the number of an open descriptor (3 or more)");
    *field = (int)v;
    return true;
}

static bool assign_bool(struct load *l, const struct conf_assign *as, void *field)
{
    bool on;
    const char *reason = conf__parse_bool(as->text, &on);

    if (reason)
        return refuse(l, as, reason);
    if (as->option->kind == KIND_TRI)
        *(enum tristate *)field = on ? ON : OFF;
    else
        *(bool *)field = on;
    return true;
}

static bool assign_value(struct load *l, const struct conf_assign *as, void *object)
{
    const struct conf_option *o = as->option;
    void *field = (char *)object + o->offset;

    switch (o->kind) {
    case KIND_BOOL:
    case KIND_TRI:
        return assign_bool(l, as, field);
    case KIND_WORKERS:
        if (strcmp(as->text, "auto") == 0) {
            *(unsigned *)field = 0;
            return true;
        }
        __attribute__((fallthrough));
    case KIND_UINT:
    case KIND_SIZE:
    case KIND_SIZE64:
    case KIND_TIME:
    case KIND_TIME64:
        return assign_number(l, as, field);
    case KIND_SECONDS:
        return assign_seconds(l, as, field);
    case KIND_RLIMIT:
        return assign_rlimit(l, as, field);
    case KIND_ENUM:
        return assign_enum(l, as, field);
    case KIND_STATIC:
        return strcmp(as->text, "static") == 0 ||
               refuse(l, as,
                      "is not possible: plimsoll keeps a fixed number of workers, because a replacement costs "
                      "milliseconds: remove pm and set pm.max_children");
    case KIND_FD:
        return assign_fd(l, as, field);
    case KIND_STRING:
    case KIND_SUBDIR:
        if (!*as->text && o->kind == KIND_SUBDIR)
            return refuse(l, as, "is empty");
        *(char **)field = copy(l, as->text);
        return true;
    case KIND_PATH:
    case KIND_PATH_OFF:
    case KIND_LOG:
        return assign_path(l, as, field);
    case KIND_FRONT:
    case KIND_URLPATH_OFF:
        return assign_url_path(l, as, field);
    case KIND_LIST:
    case KIND_GLOBS:
    case KIND_PATHS:
    case KIND_HEADERS:
        return assign_list(l, as, field);
    case KIND_CIDRS:
        return assign_cidrs(l, as, field);
    case KIND_PAIRS:
    case KIND_PAIRS_BOOL:
        return assign_pair(l, as, field);
    case KIND_LISTENS:
    case KIND_ADMIN:
        return assign_listen(l, as);
    case KIND_REDIRECT:
        return assign_redirect(l, as, object);
    case KIND_NONE:
        break;
    }
    return true;
}

bool conf__assign(struct load *l, const struct conf_assign *as)
{
    const struct conf_option *o = as->option;
    void *object = conf__object(l->conf, o->section, as->index);
    struct conf_origin *before = conf__origin_find(l->conf, o, as->index, as->pair_key);

    // A later layer replaces an earlier one's list; within one layer elements add up.
    if (conf_kind_repeats(o->kind) && before && before->layer != as->layer) {
        if (o->kind == KIND_LISTENS)
            l->conf->global.n_listen = 0;
        else if (o->kind == KIND_CIDRS)
            ((struct conf_cidrs *)(void *)((char *)object + o->offset))->n = 0;
        else
            ((struct conf_list *)(void *)((char *)object + o->offset))->n = 0;
    }
    if (!assign_value(l, as, object))
        return false;
    conf__origin_set(l, o, as->index, as->pair_key, as->layer, as->where);
    return true;
}
