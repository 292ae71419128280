// SPDX-License-Identifier: Apache-2.0
// A Caddyfile, as far as FrankenPHP's memory depends on it: num_threads, max_threads, php_ini; and Caddy's admin address and
// metrics. Owns nothing. Invariant: only the block of global options and the frankenphp and servers blocks in it are read;
// whatever else is there is passed over.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advice/server_conf_int.h"
#include "base/buf.h"

#define DEPTH_MAX 32
#define WORDS_MAX 8

struct caddy {
    struct php_values *p;
    struct server_conf *c;
    const char *path;
    unsigned line;
    int depth;
    enum block { BLOCK_OTHER, BLOCK_GLOBAL, BLOCK_SERVERS, BLOCK_FRANKENPHP, BLOCK_PHP_INI } block[DEPTH_MAX];
    bool unknown; // variables that can't be seen, files that are imported
    bool metrics;
    size_t expanded; // bytes so far: variables may make much of a small file
};

// "{$NAME}" and "{$NAME:default}" by the process's environment.
static void expand(struct caddy *k, const struct conf_view *v, struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n;) {
        struct str rest = {text.p + i, text.n - i}, inner;
        size_t end = str_starts(rest, STR("{$")) ? str_find(rest, '}') : SIZE_MAX;
        bool full = k->expanded + out->n > CONF_FILE_MAX;
        k->unknown = k->unknown || full;
        if (end == SIZE_MAX || end > 256 || full) {
            size_t n = str_find((struct str){rest.p + 1, rest.n - 1}, '{');
            n = n == SIZE_MAX ? rest.n : n + 1;
            if (!full)
                buf_add(out, rest.p, n);
            i += n;
            continue;
        }
        inner = (struct str){rest.p + 2, end - 2};
        size_t colon = str_find(inner, ':');
        struct str otherwise = colon == SIZE_MAX ? (struct str){"", 0} : (struct str){inner.p + colon + 1, inner.n - colon - 1};
        char name[260];
        snprintf(name, sizeof name, "%.*s", (int)(colon == SIZE_MAX ? inner.n : colon), inner.p);
        struct str value = conf_env(v, name);
        k->unknown = k->unknown || !v->environ;
        buf_add_str(out, value.p ? value : otherwise);
        i += end + 1;
    }
}

static unsigned split(struct str line, struct str words[WORDS_MAX])
{
    unsigned n = 0;

    while (n < WORDS_MAX) {
        line = str_trim(line);
        if (!line.n || line.p[0] == '#')
            break;
        char quote = line.p[0] == '"' || line.p[0] == '`' ? line.p[0] : 0;
        size_t length = 0;
        if (quote)
            line.p++, line.n--;
        while (length < line.n && (quote ? line.p[length] != quote : line.p[length] != ' ' && line.p[length] != '\t'))
            length++;
        words[n++] = (struct str){line.p, length};
        length += quote && length < line.n;
        line.p += length;
        line.n -= length;
    }
    return n;
}

static void take_frankenphp(struct caddy *k, const struct str *w, unsigned n)
{
    int64_t v;

    if (n < 2)
        return;
    if (str_eq(w[0], STR("num_threads")) && conf_count(w[1], &v)) {
        conf_set(&k->c->num_threads, v, k->path, k->line);
    } else if (str_eq(w[0], STR("max_threads"))) {
        k->c->max_threads_auto = str_eq(w[1], STR("auto"));
        if (conf_count(w[1], &v))
            conf_set(&k->c->max_threads, v, k->path, k->line);
    } else if (str_eq(w[0], STR("php_ini")) && n >= 3) {
        php_values_take(k->p, w[1], w[2], k->path, k->line);
    }
}

static void take_global(struct caddy *k, const struct str *w, unsigned n)
{
    k->metrics = k->metrics || str_eq(w[0], STR("metrics"));
    if (n < 2 || !str_eq(w[0], STR("admin")) || str_eq(w[1], STR("{")))
        return;
    k->c->admin_off = str_eq(w[1], STR("off"));
    if (!k->c->admin_off)
        conf_copy(k->c->admin, sizeof k->c->admin, w[1]);
}

static void take(struct caddy *k, struct str line)
{
    struct str w[WORDS_MAX];
    unsigned n = split(line, w);

    if (!n)
        return;
    bool opens = str_eq(w[n - 1], STR("{")), closes = str_eq(w[0], STR("}"));
    enum block now = k->depth && k->depth <= DEPTH_MAX ? k->block[k->depth - 1] : BLOCK_OTHER;
    if (closes) {
        k->depth -= k->depth > 0;
        return;
    }
    if (opens) {
        enum block inner = BLOCK_OTHER;
        if (k->depth == 0 && n == 1)
            inner = BLOCK_GLOBAL;
        else if (now == BLOCK_GLOBAL && str_eq(w[0], STR("frankenphp")))
            inner = BLOCK_FRANKENPHP;
        else if (now == BLOCK_GLOBAL && str_eq(w[0], STR("servers")))
            inner = BLOCK_SERVERS;
        else if (now == BLOCK_FRANKENPHP && str_eq(w[0], STR("php_ini")))
            inner = BLOCK_PHP_INI;
        if (now == BLOCK_GLOBAL)
            take_global(k, w, n);
        k->metrics = k->metrics || (now == BLOCK_SERVERS && str_eq(w[0], STR("metrics")));
        if (k->depth < DEPTH_MAX)
            k->block[k->depth] = inner;
        k->depth++;
        return;
    }
    if (now != BLOCK_OTHER && str_eq(w[0], STR("import")))
        k->unknown = true;
    else if (now == BLOCK_FRANKENPHP)
        take_frankenphp(k, w, n);
    else if (now == BLOCK_PHP_INI && n >= 2)
        php_values_take(k->p, w[0], w[1], k->path, k->line);
    else if (now == BLOCK_GLOBAL)
        take_global(k, w, n);
    else if (now == BLOCK_SERVERS)
        k->metrics = k->metrics || str_eq(w[0], STR("metrics"));
}

static bool read_file(const struct conf_view *v, const char *path, struct php_values *p, struct server_conf *c)
{
    struct caddy k = {.p = p, .c = c, .path = path};
    struct buf expanded = BUF_INIT;
    struct str line, part;
    unsigned ignored = 0;
    size_t n;
    char *text = conf_read(v, path, &n);

    if (!text)
        return false;
    struct str rest = {text, n};
    while (conf_line(&rest, &line, &k.line)) {
        // A variable may hold several lines: all of them stand at this one.
        buf_drop(&expanded, expanded.n);
        expand(&k, v, line, &expanded);
        for (struct str parts = buf_str(&expanded); conf_line(&parts, &part, &ignored);)
            take(&k, part);
        k.expanded += expanded.n;
    }
    // What we didn't see may have held php_ini, threads, metrics.
    p->unreadable = p->unreadable || k.unknown;
    c->metrics_off = !k.metrics && !k.unknown;
    buf_done(&expanded);
    free(text);
    return true;
}

// `frankenphp php-server` reads no Caddyfile but that of an application embedded in it, which it unpacks to where it then works.
static bool is_php_server(const struct conf_view *v, const char *cwd)
{
    size_t first = v->args ? strnlen(v->args, v->args_n) + 1 : 0;
    const char *slash = strrchr(cwd, '/');

    return first < v->args_n && strncmp(v->args + first, "php-server", v->args_n - first) == 0 &&
           strncmp(slash ? slash + 1 : "", "frankenphp_", 11) != 0;
}

void conf_read_caddyfile(const struct conf_view *v, struct php_values *p, struct server_conf *c)
{
    static const char *const usual[] = {"/etc/frankenphp/Caddyfile", "/etc/caddy/Caddyfile"};
    struct str named = conf_arg(v, "-c", "--config"), admin = conf_env(v, "CADDY_ADMIN");
    char cwd[400], path[512];
    ssize_t n = readlinkat(v->dir, "cwd", cwd, sizeof cwd - 1);

    cwd[n > 0 ? n : 0] = '\0';
    if (is_php_server(v, cwd)) {
        c->admin_off = true;
        return;
    }
    if (!c->admin[0])
        conf_copy(c->admin, sizeof c->admin, admin.n ? admin : STR("localhost:2019"));
    if (named.n) {
        // Its settings are in a file that we can't read (or in JSON): what php.ini says may not hold.
        if (!conf_told_path(v, named, path, sizeof path) || str_ends(named, STR(".json")) || !read_file(v, path, p, c))
            p->unreadable = true;
        return;
    }
    if (n > 0) {
        snprintf(path, sizeof path, "%s/Caddyfile", cwd);
        if (read_file(v, path, p, c))
            return;
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (read_file(v, usual[i], p, c))
            return;
    }
}
