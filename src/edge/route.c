// SPDX-License-Identifier: Apache-2.0
// The route step: the order in which a request is decided. Runs in the edge; owns the descriptors of document roots, rules'
// roots and X-Sendfile folders, opened once.
// Invariant: on return the plan is made, and every part of the request that the log or the error page reads is set.
#include "edge/route.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "edge/route_parts.h"
#include "http/uri.h"

#define ALL_METHODS STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")

struct route_tables route__tables;

static int open_root(struct root *root, const char *path, enum follow_symlinks follow)
{
    char resolved[PATH_MAX];

    root->follow = follow;
    root->fd = -1;
    if (!realpath(path, resolved))
        return -errno;
    root->fd = open(resolved, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0)
        return -errno;
    root->path = str_from(xstrdup(resolved));
    return 0;
}

static int open_site(const struct conf_site *site, size_t i, const char **ret_path)
{
    struct send_roots *send = &route__tables.send[i];
    int rc = open_root(&route__tables.site[i], site->root, site->follow_symlinks);

    *ret_path = site->root;
    if (rc)
        return rc;
    send->n = site->sendfile_root.n + 1;
    send->v = xcalloc(send->n, sizeof *send->v);
    for (size_t k = 0; k < send->n; k++)
        send->v[k].fd = -1;
    for (size_t k = 0; !rc && k < send->n; k++) {
        *ret_path = k ? site->sendfile_root.v[k - 1] : site->dir;
        rc = open_root(&send->v[k], *ret_path, site->follow_symlinks);
    }
    return rc;
}

int route_init(const struct conf *conf, const char **ret_path)
{
    struct route_tables *t = &route__tables;
    const char *path = "";
    int rc = 0;

    t->conf = conf;
    t->site = xcalloc(conf->n_sites, sizeof *t->site);
    t->send = xcalloc(conf->n_sites, sizeof *t->send);
    t->alias = xcalloc(conf->n_routes + 1, sizeof *t->alias);
    for (size_t i = 0; i < conf->n_sites; i++)
        t->site[i].fd = -1;
    for (size_t i = 0; i < conf->n_routes; i++)
        t->alias[i].fd = -1;
    for (size_t i = 0; !rc && i < conf->n_sites; i++)
        rc = open_site(&conf->sites[i], i, &path);
    for (size_t i = 0; !rc && i < conf->n_routes; i++) {
        if (!conf->routes[i].root)
            continue;
        path = conf->routes[i].root;
        rc = open_root(&t->alias[i], path, SYMLINKS_ON); // the site's setting is put in when it is used
    }
    if (rc) {
        *ret_path = path;
        route_done();
    }
    return rc;
}

static void close_root(struct root *root)
{
    fd_close(&root->fd);
    free((char *)root->path.p);
}

void route_done(void)
{
    struct route_tables *t = &route__tables;

    if (!t->conf)
        return;
    for (size_t i = 0; i < t->conf->n_sites; i++) {
        close_root(&t->site[i]);
        for (size_t k = 0; k < t->send[i].n; k++)
            close_root(&t->send[i].v[k]);
        free(t->send[i].v);
    }
    for (size_t i = 0; i < t->conf->n_routes; i++)
        close_root(&t->alias[i]);
    free(t->site);
    free(t->send);
    free(t->alias);
    *t = (struct route_tables){0};
}

// What an earlier round (before an internal redirect) left, and defaults for requests that don't get far.
static void reset(struct req *r)
{
    const struct str none = {"", 0};

    fd_close(&r->file_fd);
    r->file_root = NULL;
    r->n_routes = 0;
    r->plan = PLAN_NONE;
    r->plan_status = 0;
    r->location = r->allow = none;
    r->script_filename = r->script_name = r->path_info = r->file_path = r->path = none;
}

static bool is_ping(const struct req *r)
{
    const char *ping = route__tables.conf->global.ping_path;
    return ping && (r->is_get || r->is_head) && str_eq(r->path, str_from(ping));
}

static void answer_ping(struct req *r)
{
    static const struct field fresh = {{"Cache-Control", 13}, {"no-store", 8}, FIELD_CACHE_CONTROL};
    const char *text = route__tables.conf->global.ping_response;

    r->plan = PLAN_READY;
    req_answer(r, 200, &fresh, 1, STR("text/plain; charset=utf-8"), str_from(text ? text : "pong"));
}

static void decide(struct req *r, bool internal)
{
    struct rules m = {.internal = internal,
                      .buffering = UNSET,
                      .max_body_size = -1,
                      .read_timeout_ms = -1,
                      .terminate_timeout_ms = -1,
                      .expires_s = -1};
    char *path = arena_alloc(&r->arena, r->path_raw.n + 1);
    long n = uri_normalize(r->path_raw, path);
    if (n < 0) {
        route__status(r, 400, "malformed path");
        route__rules_limits(r, &m);
        return;
    }
    r->path = (struct str){path, (size_t)n};
    if (!internal && is_ping(r)) {
        route__rules_limits(r, &m);
        answer_ping(r);
        return;
    }
    unsigned status = route__rules_match(r, &m, r->path, false);
    if (status)
        route__status(r, status, "denied by a [route] rule");
    else if (m.redirect)
        route__rules_redirect(r, m.redirect);
    else
        route__file(r, &m);
    route__rules_limits(r, &m);
    if (r->plan != PLAN_STATUS) // an error must not be kept for as long as the page
        route__rules_expires(r, &m);
}

void route_decide(struct req *r, bool internal)
{
    const struct rules none = {.buffering = UNSET, .max_body_size = -1, .read_timeout_ms = -1, .terminate_timeout_ms = -1};
    bool good_host = true;

    reset(r);
    if (!internal) {
        r->site = &route__tables.conf->sites[0];
        r->host = (struct str){"", 0};
        route__client(r);
        good_host = route__site(r);
        r->pool = r->site->pool;
    }
    if (good_host && !str_eq(r->method, STR("TRACE")) && !str_eq(r->method, STR("CONNECT")) &&
        (internal || !str_eq(r->target, STR("*")))) {
        decide(r, internal);
        return;
    }
    route__rules_limits(r, &none);
    if (!good_host) {
        route__status(r, 400, "malformed host");
        return;
    }
    bool of_server = str_eq(r->target, STR("*"));
    if (of_server && !str_eq(r->method, STR("OPTIONS"))) {
        route__status(r, 400, "only OPTIONS may ask for *");
        return;
    }
    r->allow = ALL_METHODS;
    route__status(r, of_server ? 200 : 405, "method not allowed");
}

// ---- X-Sendfile ----

// Takes "." and ".." out of an absolute path, as text; dst has room for PATH_MAX bytes.
static bool tidy(const char *path, char *dst)
{
    size_t n = 0;

    if (path[0] != '/')
        return false;
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            while (n && dst[--n] != '/')
                ;
        } else if (len && !(len == 1 && p[0] == '.')) {
            if (n + len + 2 > PATH_MAX)
                return false;
            dst[n++] = '/';
            memcpy(dst + n, p, len);
            n += len;
        }
        p += len;
    }
    dst[n] = '\0';
    return n > 0;
}

// What of path lies below base: "/x" of "/base/x"; NULL if it is elsewhere.
static const char *below(const char *path, struct str base)
{
    size_t n = base.n == 1 ? 0 : base.n;
    return strncmp(path, base.p, n) == 0 && path[n] == '/' ? path + n : NULL;
}

static bool open_below(struct req *r, const struct root *root, const char *sub, bool source_too)
{
    struct resolved res;

    if (resolve(root, sub, RESOLVE_OPEN, &res))
        return false;
    struct str real = str_from(res.linked ? res.real : sub);
    if (!S_ISREG(res.st.st_mode) || (!source_too && (path_is_source(str_from(sub)) || path_is_source(real)))) {
        close(res.fd);
        return false;
    }
    fd_close(&r->file_fd);
    r->file_root = NULL;
    route__plan_static(r, res.fd, &res.st, arena_str(&r->arena, str_from(sub)));
    return true;
}

// Folders given for it come first: what users upload there may be PHP source to be downloaded. Below the site's own folder
// lies the application, and its source is not sent.
static bool open_text(struct req *r, const char *path)
{
    size_t i = (size_t)(r->site - route__tables.conf->sites);
    const struct send_roots *send = &route__tables.send[i];

    for (size_t k = send->n; k-- > 0;) {
        const char *given = k ? r->site->sendfile_root.v[k - 1] : r->site->dir;
        const char *sub = below(path, send->v[k].path);
        if (!sub)
            sub = below(path, str_from(given));
        if (sub && open_below(r, &send->v[k], sub, k > 0))
            return true;
    }
    const char *sub = below(path, route__tables.site[i].path);
    if (!sub)
        sub = below(path, str_from(r->site->root));
    return sub && open_below(r, &route__tables.site[i], sub, false);
}

bool route_open_sendfile(struct req *r, const char *path)
{
    char text[PATH_MAX], real[PATH_MAX];

    if (!tidy(path, text))
        return false;
    if (open_text(r, text))
        return true;
    // The same folder by another name (a link above it): only the resolved name tells.
    return r->site->follow_symlinks == SYMLINKS_ON && realpath(text, real) && strcmp(real, text) != 0 && open_text(r, real);
}
