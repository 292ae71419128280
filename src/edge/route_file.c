// SPDX-License-Identifier: Apache-2.0
// Which file answers, as nginx's try_files with php-fpm behind it would have it: script with PATH_INFO, the file itself, a
// folder's index, the front controller. Runs in the edge.
// Invariant: a script runs, and a file is sent, only after its URL's name, its resolved name (if links led there) and the
// rules for both let it; what is named like PHP source but does not run is never sent.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fdio.h"
#include "edge/route_parts.h"
#include "http/uri.h"

#define STATIC_METHODS STR("GET, HEAD, OPTIONS")

// How a candidate was come by.
enum reach { REACH_URL, REACH_SPLIT /* by cutting PATH_INFO off */, REACH_INDEX, REACH_FRONT };
// What came of it.
enum found { FOUND_NOTHING, FOUND_FOLDER, FOUND_ALL /* the plan is made */ };

struct look {
    struct req *r;
    struct rules *m;
    const struct root *root;
    bool alias; // root is a rule's: scripts run only if that rule says php = on, and no front controller stands in
};

static enum found fail(struct look *l, unsigned status, const char *why)
{
    route__status(l->r, status, why);
    return FOUND_ALL;
}

static bool is_missing(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -ENAMETOOLONG;
}

static enum found fail_errno(struct look *l, int rc)
{
    switch (-rc) {
    case EACCES:
    case EPERM:
        return fail(l, 403, "the file can't be read, or a symbolic link to it is not allowed");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return fail(l, 503, "no descriptor or memory to open the file with");
    case ENXIO: // sockets, and devices without a driver
    case ENODEV:
    case EXDEV:
    case EINVAL:
        return fail(l, 404, NULL);
    default:
        return fail(l, 500, strerror(-rc));
    }
}

void route__plan_static(struct req *r, int fd, const struct stat *st, struct str name)
{
    r->plan = PLAN_STATIC;
    r->file_fd = fd;
    r->file_size = st->st_size;
    r->file_mtime_s = st->st_mtim.tv_sec;
    r->file_mtime_ns = st->st_mtim.tv_nsec;
    r->file_path = name;
}

static enum found plan_script(struct look *l, struct str sub, struct str url, struct str path_info)
{
    struct req *r = l->r;
    size_t root_n = l->root->path.n == 1 ? 0 : l->root->path.n;
    char *name = arena_alloc(&r->arena, root_n + sub.n + 1);

    memcpy(name, l->root->path.p, root_n);
    memcpy(name + root_n, sub.p, sub.n);
    name[root_n + sub.n] = '\0';
    // The name is not resolved: applications derive URLs from it and DOCUMENT_ROOT, and nginx passes it so.
    r->script_filename = (struct str){name, root_n + sub.n};
    r->script_name = url;
    r->path_info = path_info;
    r->plan = PLAN_PHP;
    return FOUND_ALL;
}

static enum found plan_file(struct look *l, const struct resolved *res, struct str sub)
{
    struct req *r = l->r;

    if (l->m->file_denied) {
        close(res->fd);
        return fail(l, 403, "denied by a [route] rule");
    }
    if (!r->is_get && !r->is_head && !l->m->internal) {
        bool options = str_eq(r->method, STR("OPTIONS"));
        r->allow = STATIC_METHODS;
        close(res->fd);
        return fail(l, options ? 200 : 405, "method not allowed on a file");
    }
    route__plan_static(r, res->fd, &res->st, sub);
    r->file_root = l->root;
    return FOUND_ALL;
}

// The rules for where a link led to, if that is inside the document root, where rules have something to say.
static unsigned match_real(struct look *l, const char *real)
{
    const struct root *docs = &route__tables.site[l->r->site - route__tables.conf->sites];
    struct str name = str_from(real);
    size_t n = docs->path.n == 1 ? 0 : docs->path.n;

    if (!str_starts(name, (struct str){docs->path.p, n}) || name.p[n] != '/')
        return 0;
    return route__rules_match(l->r, l->m, (struct str){name.p + n, name.n - n}, false);
}

// A regular file was found: whether and how it answers. Takes res->fd over (-1: a script that was seen lately).
static enum found judge(struct look *l, struct resolved *res, struct str sub, struct str url, struct str path_info,
                        enum reach reach)
{
    bool script = path_is_php(sub);
    const struct rules before = *l->m;
    struct str real = res->linked ? str_from(res->real) : sub;
    unsigned status = 0;

    if (reach != REACH_URL)
        status = route__rules_match(l->r, l->m, url, reach != REACH_SPLIT);
    if (!status && res->linked)
        status = match_real(l, res->real);
    if (status) {
        fd_close(&res->fd);
        return fail(l, status, "denied by a [route] rule");
    }
    if (script && path_is_php(real) && !(l->alias && l->m->alias->php != ON)) {
        fd_close(&res->fd);
        if (!(reach == REACH_FRONT ? l->m->front_off : l->m->php_off))
            return plan_script(l, sub, url, path_info);
        if (reach == REACH_INDEX) { // the next one may be a page
            *l->m = before;
            return FOUND_NOTHING;
        }
        return fail(l, reach == REACH_FRONT ? 404 : 403, "php = off for this path");
    }
    // A store that only the application reaches (X-Accel-Redirect) may hold source that somebody uploaded, for download.
    bool store = l->alias && l->m->internal;
    if (!store && (path_is_source(sub) || path_is_source(real))) {
        fd_close(&res->fd);
        return fail(l, 404, "named like PHP source");
    }
    return plan_file(l, res, sub);
}

// Scripts that were found lately, without a link on the way: a busy script costs no system calls then. A second is less than
// OPcache takes to notice a change (opcache.revalidate_freq), and what is gone the worker answers with 404.
#define SEEN_MS 1000
#define SEEN_SLOTS 64 // a power of two
#define SEEN_PATH_MAX 232

static struct seen_script {
    const struct root *root;
    uint64_t until_ms;
    size_t n;
    char path[SEEN_PATH_MAX];
} seen_scripts[SEEN_SLOTS];

static struct seen_script *seen_slot(const struct root *root, struct str sub)
{
    uint32_t hash = 2166136261u ^ (uint32_t)(uintptr_t)root;

    for (size_t i = 0; i < sub.n; i++)
        hash = (hash ^ (unsigned char)sub.p[i]) * 16777619u;
    return &seen_scripts[hash & (SEEN_SLOTS - 1)];
}

static bool seen_lately(const struct root *root, struct str sub)
{
    const struct seen_script *s = seen_slot(root, sub);
    return s->root == root && s->until_ms > loop_now_ms() && str_eq(sub, (struct str){s->path, s->n});
}

static void remember_script(const struct root *root, struct str sub)
{
    struct seen_script *s = seen_slot(root, sub);

    if (sub.n > SEEN_PATH_MAX)
        return;
    s->root = root;
    s->until_ms = loop_now_ms() + SEEN_MS;
    s->n = sub.n;
    memcpy(s->path, sub.p, sub.n);
}

static enum found try_path(struct look *l, struct str sub, struct str url, struct str path_info, enum reach reach)
{
    struct resolved res; // 4 KB: set where it is used
    enum resolve_want want = path_is_php(sub) && !(l->alias && l->m->internal) ? RESOLVE_LOOK : RESOLVE_OPEN;
    bool may_remember = want == RESOLVE_LOOK && !l->alias; // an alias' root lives as long as its request

    res.fd = -1;
    res.linked = false;
    if (may_remember && seen_lately(l->root, sub))
        return judge(l, &res, sub, url, path_info, reach);
    int rc = resolve(l->root, sub.p, want, &res);
    if (rc == -EACCES && want == RESOLVE_OPEN) {
        // A folder need not be readable to be passed through.
        rc = resolve(l->root, sub.p, RESOLVE_LOOK, &res);
        if (!rc && !S_ISDIR(res.st.st_mode)) {
            close(res.fd);
            rc = -EACCES;
        }
    }
    if (rc)
        return is_missing(rc) ? FOUND_NOTHING : fail_errno(l, rc);
    if (S_ISDIR(res.st.st_mode)) {
        close(res.fd);
        return FOUND_FOLDER;
    }
    if (!S_ISREG(res.st.st_mode)) {
        close(res.fd);
        return fail(l, 404, "not a regular file");
    }
    if (may_remember && !res.linked)
        remember_script(l->root, sub);
    return judge(l, &res, sub, url, path_info, reach);
}

// Deployments replace folders: if ours was deleted, its name may stand for a new one.
static bool root_renew(const struct root *root)
{
    struct stat st;
    struct root *own = (struct root *)root; // of route__tables

    if (fstat(root->fd, &st) < 0 || st.st_nlink)
        return false;
    int fd = open(root->path.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    close(own->fd);
    own->fd = fd;
    return true;
}

// No file is there for it. Missing scripts are not the front controller's: nginx's `try_files $fastcgi_script_name =404`.
static enum found try_front(struct look *l)
{
    struct str front = str_from(l->r->site->front_controller);

    if (!front.n || l->alias || l->m->front_off)
        return FOUND_NOTHING;
    enum found found = try_path(l, front, front, (struct str){"", 0}, REACH_FRONT);
    return found == FOUND_FOLDER ? FOUND_NOTHING : found;
}

static enum found try_folder(struct look *l, struct str sub, struct str url)
{
    const struct conf_list *index = &l->r->site->index;
    struct resolved res;

    for (size_t i = 0; i < index->n; i++) {
        struct str name = str_from(index->v[i]);
        struct str file = arena_printf(&l->r->arena, "%.*s%s", STR_ARG(sub), name.p);
        struct str file_url = l->alias ? arena_printf(&l->r->arena, "%.*s%s", STR_ARG(url), name.p) : file;
        if (try_path(l, file, file_url, (struct str){"", 0}, REACH_INDEX) == FOUND_ALL)
            return FOUND_ALL;
    }
    if (try_front(l) == FOUND_ALL)
        return FOUND_ALL;
    int rc = resolve(l->root, sub.p, RESOLVE_LOOK, &res);
    if (rc)
        return is_missing(rc) ? FOUND_NOTHING : fail_errno(l, rc);
    close(res.fd);
    return fail(l, S_ISDIR(res.st.st_mode) ? 403 : 404, "a folder without an index file");
}

// The folder's own name ends in '/'. A reference without host is enough (RFC 9110 §10.2.2) and is right behind any proxy;
// it can't lead to another host, for the path is normalised.
static enum found redirect_to_folder(struct look *l)
{
    struct req *r = l->r;
    char *to = arena_alloc(&r->arena, 3 * r->path.n + r->query.n + 3);
    size_t n = uri_encode_path(r->path, to);

    to[n++] = '/';
    if (r->has_query) {
        to[n++] = '?';
        memcpy(to + n, r->query.p, r->query.n);
        n += r->query.n;
    }
    to[n] = '\0';
    r->location = (struct str){to, n};
    return fail(l, 301, NULL);
}

// "/a.php/b" is script "/a.php" with PATH_INFO "/b", cut at the first ".php/". Returns where, 0 if there is no such place.
static size_t split_at(struct str sub)
{
    const char *at = sub.n > 5 ? memmem(sub.p + 1, sub.n - 1, ".php/", 5) : NULL;
    return at ? (size_t)(at - sub.p) + 4 : 0;
}

static enum found find(struct look *l, struct str sub, struct str url)
{
    size_t cut = split_at(sub);

    if (cut) {
        struct str script = arena_str(&l->r->arena, (struct str){sub.p, cut});
        struct str info = {sub.p + cut, sub.n - cut};
        if (path_is_hidden(script))
            return fail(l, 404, "hidden");
        enum found found = try_path(l, script, arena_str(&l->r->arena, (struct str){url.p, url.n - info.n}), info, REACH_SPLIT);
        if (found == FOUND_ALL)
            return found;
        if (found == FOUND_NOTHING)
            return try_front(l);
        // a folder of that name: the path is an ordinary one
    }
    if (path_is_hidden(sub))
        return fail(l, 404, "hidden");
    if (sub.p[sub.n - 1] == '/')
        return try_folder(l, sub, url);
    switch (try_path(l, sub, url, (struct str){"", 0}, REACH_URL)) {
    case FOUND_ALL:
        return FOUND_ALL;
    case FOUND_FOLDER:
        return redirect_to_folder(l);
    case FOUND_NOTHING:
        break;
    }
    return path_is_php(sub) ? FOUND_NOTHING : try_front(l);
}

void route__file(struct req *r, struct rules *m)
{
    struct look l = {.r = r, .m = m, .root = &route__tables.site[r->site - route__tables.conf->sites]};
    struct str sub = r->path;

    if (m->alias) {
        struct root *own = arena_alloc(&r->arena, sizeof *own);
        *own = route__tables.alias[m->alias - route__tables.conf->routes];
        own->follow = r->site->follow_symlinks;
        l.root = own;
        l.alias = true;
        sub.p += m->alias_n;
        sub.n -= m->alias_n;
    }
    if (find(&l, sub, r->path) == FOUND_ALL)
        return;
    if (!l.alias && root_renew(l.root) && find(&l, sub, r->path) == FOUND_ALL)
        return;
    route__status(r, 404, NULL);
}
