// SPDX-License-Identifier: Apache-2.0
// A Caddyfile, as far as FrankenPHP's memory depends on it: num_threads, max_threads, php_ini; and Caddy's admin address. Owns
// nothing. Invariant: only the block of global options and the frankenphp block in it are read; whatever else is there is passed
// over.
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
    enum block { BLOCK_OTHER, BLOCK_GLOBAL, BLOCK_FRANKENPHP, BLOCK_PHP_INI } block[DEPTH_MAX];
    bool variables_unknown;
};

// "{$NAME}" and "{$NAME:default}" by the process's environment.
static void expand(struct caddy *k, const struct conf_view *v, struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n;) {
        struct str rest = {text.p + i, text.n - i}, inner;
        size_t end = str_starts(rest, STR("{$")) ? str_find(rest, '}') : SIZE_MAX;
        if (end == SIZE_MAX || end > 256 || out->n > CONF_FILE_MAX) {
            size_t n = str_find((struct str){rest.p + 1, rest.n - 1}, '{');
            n = n == SIZE_MAX ? rest.n : n + 1;
            if (out->n <= CONF_FILE_MAX)
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
        k->variables_unknown = k->variables_unknown || !v->environ;
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
        else if (now == BLOCK_FRANKENPHP && str_eq(w[0], STR("php_ini")))
            inner = BLOCK_PHP_INI;
        if (now == BLOCK_GLOBAL && str_eq(w[0], STR("admin")) && n > 2)
            conf_copy(k->c->admin, sizeof k->c->admin, w[1]);
        if (k->depth < DEPTH_MAX)
            k->block[k->depth] = inner;
        k->depth++;
        return;
    }
    if (now == BLOCK_FRANKENPHP)
        take_frankenphp(k, w, n);
    else if (now == BLOCK_PHP_INI && n >= 2)
        php_values_take(k->p, w[0], w[1], k->path, k->line);
    else if (now == BLOCK_GLOBAL && n >= 2 && str_eq(w[0], STR("admin"))) {
        k->c->admin_off = str_eq(w[1], STR("off"));
        if (!k->c->admin_off)
            conf_copy(k->c->admin, sizeof k->c->admin, w[1]);
    }
}

static bool read_file(const struct conf_view *v, const char *path, struct php_values *p, struct server_conf *c)
{
    struct caddy k = {.p = p, .c = c, .path = path};
    struct buf whole = BUF_INIT;
    struct str line;
    size_t n;
    char *text = conf_read(v, path, &n);

    if (!text)
        return false;
    expand(&k, v, (struct str){text, n}, &whole);
    struct str rest = buf_str(&whole);
    while (conf_line(&rest, &line, &k.line))
        take(&k, line);
    // A variable may have held php_ini or threads.
    p->unreadable = p->unreadable || k.variables_unknown;
    buf_done(&whole);
    free(text);
    return true;
}

void conf_read_caddyfile(const struct conf_view *v, struct php_values *p, struct server_conf *c)
{
    static const char *const usual[] = {"/etc/frankenphp/Caddyfile", "/etc/caddy/Caddyfile"};
    struct str named = conf_arg(v, "-c", "--config");
    char cwd[400], path[512] = "";
    ssize_t n = readlinkat(v->dir, "cwd", cwd, sizeof cwd - 1);

    cwd[n > 0 ? n : 0] = '\0';
    if (!c->admin[0])
        conf_copy(c->admin, sizeof c->admin, STR("localhost:2019"));
    if (named.n && named.n < 400) {
        if (named.p[0] == '/')
            snprintf(path, sizeof path, "%.*s", STR_ARG(named));
        else if (n > 0)
            snprintf(path, sizeof path, "%.*s/%.*s", (int)(n < 100 ? n : 100), cwd, STR_ARG(named));
        // Its settings are in a file that we can't read (or in JSON): what php.ini says may not hold.
        if (!path[0] || str_ends(named, STR(".json")) || !read_file(v, path, p, c))
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
