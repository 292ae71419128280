// SPDX-License-Identifier: Apache-2.0
// The second half of loading: what nobody set is found, names become indexes, and the whole is checked.
// Runs in the master and the cli. Invariant: errors are added, nothing is thrown away; conf_load judges by them.
#include "conf/settle.h"

#include <errno.h>
#include <limits.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "conf/conf_int.h"

static char *keep(struct load *l, const char *s)
{
    return arena_strndup(&l->conf->arena, s, strlen(s));
}

static void found(struct load *l, enum conf_section s, unsigned index, const char *key, const char *how)
{
    conf__origin_set(l, conf_option_find(s, str_from(key)), index, NULL, LAYER_FOUND, how);
}

static void settle_workers(struct load *l)
{
    unsigned cpus = conf__cpus(), sum = 0;

    for (unsigned i = 0; i < l->conf->n_pools; i++) {
        struct conf_pool *p = &l->conf->pools[i];
        if (!p->workers) {
            p->workers = cpus * 2 > 1024 ? 1024 : cpus * 2;
            struct str how = arena_printf(&l->conf->arena, "found: 2 x %u CPU%s", cpus, cpus == 1 ? "" : "s");
            found(l, SEC_POOL, i, "pm.max_children", how.p);
        }
        sum += p->workers;
    }
    // One row each on the board, beside molds and edges of two generations.
    if (sum > 1200)
        conf__error(l, "pm.max_children: all pools together have %u workers, at most 1200 are possible", sum);
}

static void settle_pools_of_sites(struct load *l)
{
    struct conf *c = l->conf;

    for (unsigned i = 0; i < c->n_sites; i++) {
        struct conf_site *site = &c->sites[i];
        size_t at = 0;
        while (site->pool_name && at < c->n_pools && strcmp(c->pools[at].name, site->pool_name) != 0)
            at++;
        if (at < c->n_pools) {
            site->pool = (unsigned)at;
            if (!site->pool_name) {
                found(l, SEC_SITE, i, "pool", "found: the first pool");
                site->pool_name = c->pools[0].name;
            }
            continue;
        }
        const char *names[64];
        size_t n = c->n_pools < 64 ? c->n_pools : 64;
        for (size_t j = 0; j < n; j++)
            names[j] = c->pools[j].name;
        const char *near = conf_nearest(site->pool_name, names, n);
        conf__error(l, "%s: there is no [pool %s]%s%s%s", conf__at(c, SEC_SITE, i, "pool"), site->pool_name,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
}

static void check_server_names(struct load *l)
{
    struct conf *c = l->conf;

    for (unsigned i = 0; i < c->n_sites; i++) {
        struct conf_list *names = &c->sites[i].server_name;
        const char *where = conf__at(c, SEC_SITE, i, "server_name");
        for (size_t j = 0; j < names->n; j++) {
            const char *s = names->v[j], *star = strchr(s, '*');
            if ((star && (star != s || s[1] != '.' || !s[2] || strchr(s + 1, '*'))) || strpbrk(s, "/:~ ") || !*s)
                conf__error(l, "%s: '%s' is neither a host name, *.example.org nor _ (no port, no regular expression)", where, s);
            for (char *p = names->v[j]; *p; p++)
                *p = ascii_lower(*p);
            for (unsigned k = 0; k < i; k++)
                for (size_t m = 0; m < c->sites[k].server_name.n; m++)
                    if (strcmp(c->sites[k].server_name.v[m], s) == 0)
                        conf__error(l, "%s: '%s' is [site %s]'s already", where, s, c->sites[k].name);
        }
        if (i > 0 && !names->n)
            conf__error(l,
                        "%s:%u: [site %s] needs server_name: only the first site may go without; _ stands for every other host",
                        c->file, c->sites[i].line, c->sites[i].name);
    }
}

static void check_index_names(struct load *l)
{
    for (unsigned i = 0; i < l->conf->n_sites; i++) {
        const struct conf_list *index = &l->conf->sites[i].index;
        for (size_t j = 0; j < index->n; j++)
            if (strchr(index->v[j], '/') || index->v[j][0] == '.')
                conf__error(l, "%s: '%s' is not a plain file name", conf__at(l->conf, SEC_SITE, i, "index"), index->v[j]);
    }
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool route_does_something(const struct conf_route *r)
{
    return r->php != UNSET || r->deny || r->internal || r->allow.n || r->redirect || r->header.n || r->expires_s >= 0 ||
           r->root || r->max_body_size >= 0 || r->read_timeout_ms >= 0 || r->request_terminate_timeout_ms >= 0 ||
           r->request_buffering != UNSET;
}

static void settle_routes(struct load *l)
{
    struct conf *c = l->conf;

    for (unsigned i = 0; i < c->n_routes; i++) {
        struct conf_route *r = &c->routes[i];
        bool known = !r->site;
        for (size_t j = 0; j < c->n_sites; j++)
            known = known || strcmp(c->sites[j].name, r->site) == 0;
        if (!known)
            conf__error(l, "%s: there is no [site %s]", conf__at(c, SEC_ROUTE, i, "site"), r->site);
        if (!r->path.n)
            conf__error(l, "%s: [route %s] needs path, such as path = /uploads/*", c->file, r->name);
        if (!route_does_something(r))
            conf__error(l, "%s: [route %s] says nothing but its path: give it php, deny, allow, redirect, header or another key",
                        c->file, r->name);
        if (r->root && !is_dir(r->root))
            conf__error(l, "%s: %s is not a folder", conf__at(c, SEC_ROUTE, i, "root"), r->root);
        if (r->deny && r->redirect)
            conf__error(l, "%s: [route %s] has both deny and redirect", c->file, r->name);
    }
}

static bool is_loopback(const struct conf_listen *l)
{
    if (l->is_unix)
        return true;
    return l->host && (strncmp(l->host, "127.", 4) == 0 || strcmp(l->host, "::1") == 0);
}

static void settle_listen(struct load *l)
{
    struct conf_global *g = &l->conf->global;

    if (!g->n_listen)
        conf__error(l, "%s: no address is left", conf__at(l->conf, SEC_GLOBAL, 0, "listen"));
    if (g->admin && !is_loopback(g->admin) && !g->admin_allow_remote)
        conf__error(l,
                    "%s: %s can be reached by others; use 127.0.0.1:PORT or unix:PATH, or set admin.allow_remote = yes "
                    "if a firewall stands before it",
                    conf__at(l->conf, SEC_GLOBAL, 0, "admin"), g->admin->text);
    for (size_t i = 0; g->admin && i < g->n_listen; i++)
        if (strcmp(g->admin->text, g->listen[i].text) == 0 && (g->admin->is_unix || g->admin->port))
            conf__error(l, "%s: %s is a listen address as well", conf__at(l->conf, SEC_GLOBAL, 0, "admin"), g->admin->text);
    if (!conf__is_set(l->conf, SEC_GLOBAL, 0, "control")) {
        char *path = conf_default_control_path(geteuid(), l->args->environ);
        g->control = keep(l, path);
        g->control_by_default = true;
        free(path);
    }
    if (g->control && strlen(g->control) > 107)
        conf__error(l, "%s: '%s' is longer than a Unix socket's path may be (107 bytes)",
                    conf__at(l->conf, SEC_GLOBAL, 0, "control"), g->control);
}

// The first that the edge may write to: a container's root is often read-only, with a volume at /tmp. Disks come first.
static const char *find_spool(const struct conf_global *g)
{
    static const char *const places[] = {"/var/tmp", "/tmp", "/dev/shm"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *blocker = NULL;
        bool fits = is_dir(places[i]) && conf__reach(places[i], true, g->edge_user, g->edge_uid, g->edge_gid, &blocker) == 0;
        free(blocker);
        if (fits)
            return places[i];
    }
    return NULL;
}

// After the users: it depends on them.
static void settle_spool(struct load *l)
{
    struct conf_global *g = &l->conf->global;

    if (!g->spool_dir) {
        const char *place = find_spool(g);
        if (!place) {
            conf__error(l, "neither /var/tmp nor /tmp nor /dev/shm can be written to: name a folder for large request bodies with "
                           "--spool-dir (in a container, a volume)");
            return;
        }
        g->spool_dir = keep(l, place);
        found(l, SEC_GLOBAL, 0, "spool_dir", "found: it can be written to");
    }
    const char *where = conf__at(l->conf, SEC_GLOBAL, 0, "spool_dir");
    if (!is_dir(g->spool_dir)) {
        conf__error(l, "%s: %s is not a folder", where, g->spool_dir);
        g->spool_dir = NULL;
        return;
    }
    g->spool_in_memory = fd_is_in_memory(g->spool_dir);
    if (!g->spool_in_memory)
        return;
    if (!conf__is_set(l->conf, SEC_GLOBAL, 0, "response_spool")) {
        g->response_spool = 0;
        found(l, SEC_GLOBAL, 0, "response_spool", "found: spool_dir is in memory");
    }
    conf__warn(l,
               "spool_dir %s is in memory (tmpfs): large request bodies will count as memory of this container; name a folder on "
               "a disk with --spool-dir if there is one",
               g->spool_dir);
}

static void settle_binary(struct load *l)
{
    struct conf_global *g = &l->conf->global;
    char self[PATH_MAX];

    if (g->plimsoll_php)
        return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *dir = "/usr/bin";
    if (n > 0) {
        self[n] = '\0';
        dir = dirname(self);
    }
    // Built and installed both are side by side; a package may put what nobody calls by hand into its own folder.
    static const char *const places[] = {"", "../lib/plimsoll", "../libexec/plimsoll"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *at = conf__path_join(&l->conf->arena, dir, places[i]);
        g->plimsoll_php = conf__path_join(&l->conf->arena, at, "plimsoll-php");
        if (access(g->plimsoll_php, X_OK) == 0)
            break;
        if (i + 1 == sizeof places / sizeof *places) // not there: the place it should be at, for the message at start
            g->plimsoll_php = conf__path_join(&l->conf->arena, dir, "plimsoll-php");
    }
    found(l, SEC_GLOBAL, 0, "plimsoll_php", "found: beside plimsoll");
}

static void settle_limits(struct load *l)
{
    struct conf_global *g = &l->conf->global;

    if (g->request_line_max > g->header_max)
        conf__error(l, "%s: larger than header_max", conf__at(l->conf, SEC_GLOBAL, 0, "request_line_max"));
    if (!g->error_log)
        conf__error(l, "%s: there must be an error log: a file, or - for standard error",
                    conf__at(l->conf, SEC_GLOBAL, 0, "error_log"));
    if (g->ping_response && strlen(g->ping_response) > 1024)
        conf__error(l, "%s: longer than 1024 bytes", conf__at(l->conf, SEC_GLOBAL, 0, "ping.response"));
}

char *conf_default_control_path(uid_t uid, char **env)
{
    if (uid == 0)
        return xstrdup("/run/plimsoll/control.sock");
    for (char **e = env; e && *e; e++)
        if (strncmp(*e, "XDG_RUNTIME_DIR=/", 17) == 0 && is_dir(*e + 16))
            return xasprintf("%s/plimsoll.sock", *e + 16);
    return xasprintf("/tmp/plimsoll-%u/control.sock", (unsigned)uid);
}

void conf__settle(struct load *l)
{
    struct conf *c = l->conf;

    settle_workers(l);
    settle_pools_of_sites(l);
    check_server_names(l);
    check_index_names(l);
    settle_listen(l);
    settle_binary(l);
    settle_limits(l);
    size_t before = l->errors->lines.n;
    for (unsigned i = 0; i < c->n_sites; i++)
        conf__discover_site(l, &c->sites[i], i);
    settle_routes(l);
    if (l->errors->lines.n != before)
        return;
    conf__resolve_users(l);
    if (l->errors->lines.n != before)
        return;
    settle_spool(l);
    conf__check_access(l);
    conf__warn_of_sendmail(l);
    conf__add_builtin_routes(l);
}
