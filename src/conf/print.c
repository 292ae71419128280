// SPDX-License-Identifier: Apache-2.0
// `plimsoll check`: what was found, and every option with its value and where that came from. Runs in the master and the cli.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "conf/conf_int.h"

void conf_print_findings(const struct conf *c, FILE *out)
{
    for (size_t i = 0; i < c->findings.n; i++)
        fprintf(out, "  %s\n", c->findings.v[i]);
    for (size_t i = 0; i < c->warnings.n; i++)
        fprintf(out, "  warning: %s\n", c->warnings.v[i]);
}

// What is known of one option (or pair) of a section's object.
struct line {
    const struct conf_option *option;
    const char *key;
    const char *const *values; // none: not set
    size_t n;
    const char *where;
    bool is_default;
};
typedef void (*line_fn)(void *arg, const struct line *line);

static void each_pair(const struct conf *c, const struct conf_option *o, unsigned index, const struct conf_pairs *pairs,
                      line_fn fn, void *arg)
{
    for (size_t i = 0; i < pairs->n; i++) {
        const struct conf_origin *og = conf__origin_find(c, o, index, pairs->v[i].key);
        const char *value = pairs->v[i].value;
        struct buf key = BUF_INIT;
        buf_printf(&key, "%s[%s]", o->key, pairs->v[i].key);
        buf_add(&key, "", 1);
        fn(arg, &(struct line){.option = o, .key = key.p, .values = &value, .n = 1, .where = og ? og->where : "default"});
        buf_done(&key);
    }
}

static void each_value(const struct conf *c, const struct conf_option *o, unsigned index, const void *object, line_fn fn,
                       void *arg)
{
    const struct conf_origin *og = conf__origin_find(c, o, index, NULL);
    struct line line = {.option = o, .key = o->key, .n = conf__format_count(c, o, object)};
    struct buf text = BUF_INIT;
    char **values = xcalloc(line.n + 1, sizeof *values);

    for (size_t i = 0; i < line.n; i++) {
        text.n = 0;
        conf__format(c, o, object, i, &text);
        values[i] = xstrndup(text.p ? text.p : "", text.n);
    }
    line.values = (const char *const *)values;
    line.where = og ? og->where : "default";
    line.is_default = !og || og->layer == LAYER_DEFAULT;
    fn(arg, &line);
    for (size_t i = 0; i < line.n; i++)
        free(values[i]);
    free(values);
    buf_done(&text);
}

static void each_option(const struct conf *c, enum conf_section s, unsigned index, line_fn fn, void *arg)
{
    const void *object = conf__object((struct conf *)c, s, index);

    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->section != s)
            continue;
        if (conf_kind_is_pairs(o->kind))
            each_pair(c, o, index, (const void *)((const char *)object + o->offset), fn, arg);
        else
            each_value(c, o, index, object, fn, arg);
    }
}

// A list's elements are quoted if they would be taken for two.
static bool needs_quotes(const struct conf_option *o, const char *s)
{
    const char *splits = o->kind == KIND_LIST ? " \t," : " \t";
    size_t n = strlen(s);
    bool list = o->kind == KIND_LIST || o->kind == KIND_GLOBS || o->kind == KIND_PATHS;

    if (!n || strchr("\"' \t", s[0]) || strchr(" \t\r", s[n - 1]) || (list && strpbrk(s, splits)))
        return true;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '\n' || s[i] == '\r' || (s[i] == ';' && (i == 0 || s[i - 1] == ' ' || s[i - 1] == '\t')) ||
            (s[i] == '$' && s[i + 1] == '{'))
            return true;
    return false;
}

static void quote(const char *s, struct buf *out)
{
    static const char known[] = "\"\\\n\t", as[] = "\"\\nt";

    buf_add(out, "\"", 1);
    for (; *s; s++) {
        const char *at = strchr(known, *s);
        if (at || (*s == '$' && s[1] == '{'))
            buf_add(out, "\\", 1);
        buf_add(out, at ? &as[at - known] : s, 1);
    }
    buf_add(out, "\"", 2); // with its NUL
}

static void print_line(void *arg, const struct line *l)
{
    if (!l->n && !l->is_default && conf_kind_repeats(l->option->kind)) // a list that was emptied
        fprintf(arg, "%-28s = %-32s ; %s\n", l->key, "\"\"", l->where);
    else if (!l->n)
        fprintf(arg, ";%-27s = %-32s ; %s\n", l->key, "", l->where);
    for (size_t i = 0; i < l->n; i++) {
        struct buf quoted = BUF_INIT;
        const char *value = l->values[i];
        if (needs_quotes(l->option, value)) {
            quote(value, &quoted);
            value = quoted.p;
        }
        fprintf(arg, "%-28s = %-32s ; %s\n", l->key, value, l->where);
        buf_done(&quoted);
    }
}

static void print_route_line(void *arg, const struct line *l)
{
    if (!l->is_default) // what a route doesn't say is the site's
        print_line(arg, l);
}

static void print_section(const struct conf *c, enum conf_section s, unsigned index, const char *name, FILE *out)
{
    if (name)
        fprintf(out, "\n[%s %s]\n", conf_section_name(s), name);
    else
        fprintf(out, "\n[%s]\n", conf_section_name(s));
    each_option(c, s, index, s == SEC_ROUTE ? print_route_line : print_line, out);
}

static void print_builtin(const struct conf_route *r, FILE *out)
{
    fprintf(out, "\n; %s%s%s\n; %s for", r->name, r->site ? ", site " : "", r->site ? r->site : "",
            r->deny ? r->files_only ? "deny = yes (files only)" : "deny = yes" : "php = off");
    for (size_t i = 0; i < r->path.n; i++)
        fprintf(out, " %s", r->path.v[i]);
    fprintf(out, "\n");
}

static void print_text(const struct conf *c, FILE *out)
{
    fprintf(out, "; %s%s\n", c->file ? "configuration file " : "no configuration file", c->file ? c->file : "");
    print_section(c, SEC_GLOBAL, 0, NULL, out);
    for (unsigned i = 0; i < c->n_sites; i++)
        print_section(c, SEC_SITE, i, c->sites[i].name, out);
    for (unsigned i = 0; i < c->n_pools; i++)
        print_section(c, SEC_POOL, i, c->pools[i].name, out);
    for (unsigned i = 0; i < c->n_routes; i++) {
        if (c->routes[i].builtin)
            print_builtin(&c->routes[i], out);
        else
            print_section(c, SEC_ROUTE, i, c->routes[i].name, out);
    }
}

// A string for JSON whatever its bytes are.
static json_t *text(const char *s)
{
    json_t *j = json_string(s);
    if (j)
        return j;
    struct buf b = BUF_INIT;
    for (; *s; s++) {
        if ((unsigned char)*s < 0x80)
            buf_add(&b, s, 1);
        else
            buf_printf(&b, "\\x%02x", (unsigned char)*s);
    }
    j = json_stringn(b.p, b.n);
    buf_done(&b);
    return j;
}

static void json_line(void *arg, const struct line *l)
{
    json_t *value = conf_kind_repeats(l->option->kind) ? json_array() : l->n ? text(l->values[0]) : json_null();

    for (size_t i = 0; json_is_array(value) && i < l->n; i++)
        json_array_append_new(value, text(l->values[i]));
    json_object_set_new(arg, l->key,
                        json_pack("{s:o, s:o, s:b}", "value", value, "origin", text(l->where), "default", l->is_default));
}

static json_t *json_section(const struct conf *c, enum conf_section s, unsigned index, const char *name)
{
    json_t *options = json_object();

    each_option(c, s, index, json_line, options);
    return name ? json_pack("{s:o, s:o}", "name", text(name), "options", options) : options;
}

static json_t *json_list(const struct conf_list *list)
{
    json_t *a = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(a, text(list->v[i]));
    return a;
}

void conf_print_errors(const struct conf_errors *e, FILE *out)
{
    json_t *all = json_pack("{s:s, s:o}", "schema", "plimsoll.check/1", "errors", json_list(&e->lines));
    json_dumpf(all, out, JSON_INDENT(2));
    fprintf(out, "\n");
    json_decref(all);
}

static void print_json(const struct conf *c, FILE *out)
{
    json_t *sites = json_array(), *pools = json_array(), *routes = json_array();

    for (unsigned i = 0; i < c->n_sites; i++)
        json_array_append_new(sites, json_section(c, SEC_SITE, i, c->sites[i].name));
    for (unsigned i = 0; i < c->n_pools; i++)
        json_array_append_new(pools, json_section(c, SEC_POOL, i, c->pools[i].name));
    for (unsigned i = 0; i < c->n_routes; i++) {
        const struct conf_route *r = &c->routes[i];
        json_array_append_new(routes, r->builtin
                                          ? json_pack("{s:o, s:b, s:o, s:b, s:b}", "name", text(r->name), "builtin", 1, "path",
                                                      json_list(&r->path), "deny", r->deny, "files_only", r->files_only)
                                          : json_section(c, SEC_ROUTE, i, r->name));
    }
    json_t *all =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "plimsoll.check/1", "file",
                  c->file ? text(c->file) : json_null(), "findings", json_list(&c->findings), "warnings", json_list(&c->warnings),
                  "global", json_section(c, SEC_GLOBAL, 0, NULL), "sites", sites, "pools", pools, "routes", routes);
    json_dumpf(all, out, JSON_INDENT(2));
    fprintf(out, "\n");
    json_decref(all);
}

void conf_print_effective(const struct conf *c, bool json, FILE *out)
{
    if (json)
        print_json(c, out);
    else
        print_text(c, out);
}
