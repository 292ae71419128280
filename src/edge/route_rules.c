// SPDX-License-Identifier: Apache-2.0
// [route] sections: which of them match a path, and what they set. Runs in the edge.
// Of each setting the first matching rule that sets it wins; a header name is set by one rule only. Built-in denies hold on
// top of that: `path = /*, allow = 10.0.0.0/8` must not open to the office what the application's .htaccess closes to all.
// A file has up to three paths (asked for, script, resolved): each is matched for itself, and one denial is enough.
#include <stdio.h>
#include <time.h>

#include "base/addr.h"
#include "edge/route_parts.h"
#include "http/http_date.h"
#include "http/uri.h"

static bool is_of_site(const struct conf_route *rule, const struct conf_site *site)
{
    return !rule->site || strcmp(rule->site, site->name) == 0;
}

// The glob of the rule that matches, or NULL.
static const char *matching_glob(const struct conf_route *rule, struct str path)
{
    for (size_t i = 0; i < rule->path.n; i++)
        if (str_glob(str_from(rule->path.v[i]), path))
            return rule->path.v[i];
    return NULL;
}

// `deny` alone: nobody. `allow` with or without it: only those.
static bool is_denied(const struct req *r, const struct conf_route *rule)
{
    uint8_t addr[16];

    if (!rule->allow.n)
        return rule->deny;
    char text[ADDR_TEXT_BYTES];
    if (r->client_addr.n >= sizeof text)
        return true;
    memcpy(text, r->client_addr.p, r->client_addr.n);
    text[r->client_addr.n] = '\0';
    return !addr_parse(text, addr) || !conf_cidrs_contain(&rule->allow, addr);
}

static bool has_extra(const struct req *r, unsigned n, struct str name)
{
    for (unsigned i = 0; i < n; i++)
        if (str_eq_nocase(r->extra[i].name, name))
            return true;
    return false;
}

static void add_headers(struct req *r, const struct conf_route *rule)
{
    unsigned n_before = r->n_extra; // one rule may give a name twice (Link), two rules may not

    for (size_t i = 0; i < rule->header.n; i++) {
        struct str rest = str_from(rule->header.v[i]);
        size_t colon = str_find(rest, ':');
        if (colon == SIZE_MAX)
            continue; // conf refuses it
        struct str name = {rest.p, colon};
        if (!has_extra(r, n_before, name))
            req_add_extra(r, name, str_trim((struct str){rest.p + colon + 1, rest.n - colon - 1}));
    }
}

static void take_first(int64_t *setting, int64_t value)
{
    if (*setting < 0)
        *setting = value;
}

static void gather(struct req *r, struct rules *m, const struct conf_route *rule, const char *glob)
{
    if (r->n_routes < sizeof r->route / sizeof *r->route)
        r->route[r->n_routes++] = rule;
    if (m->buffering == UNSET)
        m->buffering = rule->request_buffering;
    take_first(&m->max_body_size, rule->max_body_size);
    take_first(&m->read_timeout_ms, rule->read_timeout_ms);
    take_first(&m->terminate_timeout_ms, rule->request_terminate_timeout_ms);
    take_first(&m->expires_s, rule->expires_s);
    if (!m->redirect && rule->redirect_status)
        m->redirect = rule;
    if (!m->alias && rule->root) {
        // Cut at a '/': "/i*" must not turn "/i../x" into "../x".
        size_t fixed = strcspn(glob, "*?");
        while (fixed && glob[fixed - 1] != '/')
            fixed--;
        m->alias = rule;
        m->alias_n = fixed ? fixed - 1 : 0;
    }
    add_headers(r, rule);
}

unsigned route__rules_match(struct req *r, struct rules *m, struct str path, bool inside)
{
    const struct conf *c = route__tables.conf;
    enum tristate php = UNSET;
    unsigned status = 0;
    bool access_is_set = false;

    for (size_t i = 0; i < c->n_routes; i++) {
        const struct conf_route *rule = &c->routes[i];
        const char *glob = is_of_site(rule, r->site) ? matching_glob(rule, path) : NULL;
        if (!glob)
            continue;
        if ((rule->deny || rule->allow.n) && (rule->builtin || !access_is_set)) {
            bool denied = !m->internal && is_denied(r, rule);
            if (denied && rule->files_only)
                m->file_denied = true;
            else if (denied)
                status = 403;
            access_is_set |= !rule->builtin;
        }
        if (rule->internal && !m->internal && !inside && !status)
            status = 404;
        if (php == UNSET && rule->php != UNSET) {
            php = rule->php;
            m->front_off |= php == OFF && !rule->builtin;
        }
        gather(r, m, rule, glob);
    }
    m->php_off |= php == OFF;
    return status;
}

void route__rules_limits(struct req *r, const struct rules *m)
{
    const struct conf_pool *pool = &route__tables.conf->pools[r->site->pool];

    r->max_body_size = m->max_body_size >= 0 ? m->max_body_size : r->site->max_body_size;
    r->buffering = m->buffering == UNSET ? r->site->request_buffering : m->buffering == ON;
    r->read_timeout_ms = m->read_timeout_ms >= 0 ? (unsigned)m->read_timeout_ms : pool->read_timeout_ms;
    r->terminate_timeout_ms =
        m->terminate_timeout_ms >= 0 ? (unsigned)m->terminate_timeout_ms : pool->request_terminate_timeout_ms;
}

// A variable at the front of s, "" if there is none; *ret_n is how long its name is.
static struct str variable(struct req *r, struct str s, size_t *ret_n)
{
    if (str_starts(s, STR("$request_uri"))) {
        *ret_n = 12;
        return r->target;
    }
    if (str_starts(s, STR("$uri"))) {
        char *coded = arena_alloc(&r->arena, 3 * r->path.n + 1);
        *ret_n = 4;
        return (struct str){coded, uri_encode_path(r->path, coded)};
    }
    if (str_starts(s, STR("$host"))) {
        *ret_n = 5;
        return r->host;
    }
    *ret_n = 1;
    return (struct str){s.p, 1};
}

void route__rules_redirect(struct req *r, const struct conf_route *rule)
{
    struct str from = str_from(rule->redirect);
    struct buf to = BUF_INIT;

    while (from.n) {
        size_t n = 1;
        struct str piece = from.p[0] == '$' ? variable(r, from, &n) : (struct str){from.p, 1};
        buf_add_str(&to, piece);
        from.p += n;
        from.n -= n;
    }
    // "$request_uri" for a request of "//evil.example/" (or "/\evil.example") would lead to another host.
    size_t skip = 0;
    if (rule->redirect[0] == '$')
        while (skip + 1 < to.n && to.p[skip] == '/' && (to.p[skip + 1] == '/' || to.p[skip + 1] == '\\'))
            to.p[++skip] = '/';
    r->location = arena_str(&r->arena, (struct str){to.p + skip, to.n - skip});
    buf_done(&to);
    route__status(r, rule->redirect_status, NULL);
}

void route__rules_expires(struct req *r, const struct rules *m)
{
    if (m->expires_s < 0)
        return;
    unsigned n = r->n_extra;
    if (!has_extra(r, n, STR("Expires"))) {
        char *text = arena_alloc(&r->arena, HTTP_DATE_BYTES);
        http_date_format(time(NULL) + (time_t)m->expires_s, text);
        req_add_extra(r, STR("Expires"), str_from(text));
    }
    if (!has_extra(r, n, STR("Cache-Control")))
        req_add_extra(r, STR("Cache-Control"), arena_printf(&r->arena, "max-age=%lld", (long long)m->expires_s));
}
