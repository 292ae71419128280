// SPDX-License-Identifier: Apache-2.0
// Whom PHP and the edge run as, and whether those users can get at what they need. Runs in the master and the cli.
// Owns nothing; conf__reach forks a child that becomes the user and looks, because only the kernel knows all the rules
// (groups, ACLs, user namespaces). Invariant: a configuration that would run PHP as root unasked is an error.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "conf/conf_int.h"

struct who {
    char *user, *group;
    uid_t uid;
    gid_t gid;
};

static char *keep(struct load *l, const char *s)
{
    return arena_strndup(&l->conf->arena, s, strlen(s));
}

static bool find_user(struct load *l, const char *where, const char *name, struct who *w)
{
    uint64_t n;
    struct passwd *pw = getpwnam(name);

    if (!pw && str_to_u64(str_from(name), &n) && n < UINT32_MAX) {
        pw = getpwuid((uid_t)n);
        if (!pw) { // a container's uid without a name
            w->user = keep(l, name);
            w->uid = (uid_t)n;
            w->gid = (gid_t)n;
            return true;
        }
    }
    if (!pw) {
        conf__error(l, "%s: there is no user '%s' on this system", where, name);
        return false;
    }
    w->user = keep(l, pw->pw_name);
    w->uid = pw->pw_uid;
    w->gid = pw->pw_gid;
    return true;
}

static bool find_group(struct load *l, const char *where, const char *name, struct who *w)
{
    uint64_t n;
    struct group *gr = getgrnam(name);

    if (gr) {
        w->gid = gr->gr_gid;
        w->group = keep(l, gr->gr_name);
        return true;
    }
    if (str_to_u64(str_from(name), &n) && n < UINT32_MAX) {
        w->gid = (gid_t)n;
        w->group = keep(l, name);
        return true;
    }
    conf__error(l, "%s: there is no group '%s' on this system", where, name);
    return false;
}

static void name_group(struct load *l, struct who *w)
{
    struct group *gr = w->group ? NULL : getgrgid(w->gid);
    if (gr)
        w->group = keep(l, gr->gr_name);
    else if (!w->group)
        w->group = keep(l, arena_printf(&l->conf->arena, "%u", (unsigned)w->gid).p);
}

static const struct conf_site *site_of_pool(const struct conf *c, unsigned pool)
{
    for (size_t i = 0; i < c->n_sites; i++)
        if (c->sites[i].pool == pool)
            return &c->sites[i];
    return &c->sites[0];
}

static void found(struct load *l, enum conf_section s, unsigned i, const char *key, const char *how)
{
    if (!conf__is_set(l->conf, s, i, key))
        conf__origin_set(l, conf_option_find(s, str_from(key)), i, NULL, LAYER_FOUND, how);
}

// As root: the user named, else the folder's owner, else www-data.
static bool pool_user(struct load *l, unsigned i, struct who *w)
{
    struct conf *c = l->conf;
    struct conf_pool *p = &c->pools[i];
    const char *dir = site_of_pool(c, i)->dir;
    struct stat st;

    if (conf__is_set(c, SEC_POOL, i, "user"))
        return find_user(l, conf__at(c, SEC_POOL, i, "user"), p->user, w);
    if (stat(dir, &st) != 0) {
        conf__error(l, "%s: %m", dir);
        return false;
    }
    if (st.st_uid != 0) {
        found(l, SEC_POOL, i, "user", arena_printf(&c->arena, "found: owner of %s", dir).p);
        return find_user(l, dir, arena_printf(&c->arena, "%u", (unsigned)st.st_uid).p, w);
    }
    if (!getpwnam("www-data")) {
        conf__error(l, "pool %s: %s belongs to root and there is no user www-data: say whom PHP shall run as, with --user",
                    p->name, dir);
        return false;
    }
    found(l, SEC_POOL, i, "user", arena_printf(&c->arena, "found: %s belongs to root", dir).p);
    return find_user(l, dir, "www-data", w);
}

static void resolve_pool_as_root(struct load *l, unsigned i)
{
    struct conf *c = l->conf;
    struct conf_pool *p = &c->pools[i];
    struct who w = {0};

    if (!pool_user(l, i, &w))
        return;
    if (p->group && !find_group(l, conf__at(c, SEC_POOL, i, "group"), p->group, &w))
        return;
    name_group(l, &w);
    found(l, SEC_POOL, i, "group", "found: the user's group");
    if (w.uid == 0 && !c->global.allow_root) {
        conf__error(
            l,
            "pool %s: PHP would run as root: name another user with --user (or user = in [pool %s]), or say --allow-root if "
            "that is really meant",
            p->name, p->name);
        return;
    }
    if (w.uid == 0)
        conf__warn(l, "pool %s: PHP runs as root, as --allow-root says: any hole in the application owns this machine", p->name);
    p->user = w.user;
    p->group = w.group;
    p->uid = w.uid;
    p->gid = w.gid;
    conf__finding(l, "%s%s%sPHP runs as %s (%s)", c->n_pools > 1 ? "pool " : "", c->n_pools > 1 ? p->name : "",
                  c->n_pools > 1 ? ": " : "", p->user, conf__where(c, SEC_POOL, i, "user"));
}

static void resolve_edge_as_root(struct load *l)
{
    struct conf_global *g = &l->conf->global;
    const struct conf_pool *first = &l->conf->pools[0];
    struct who w = {.user = first->user, .group = first->group, .uid = first->uid, .gid = first->gid};

    if (g->edge_user) {
        w.group = NULL;
        if (!find_user(l, conf__at(l->conf, SEC_GLOBAL, 0, "edge.user"), g->edge_user, &w))
            return;
    }
    if (g->edge_group && !find_group(l, conf__at(l->conf, SEC_GLOBAL, 0, "edge.group"), g->edge_group, &w))
        return;
    name_group(l, &w);
    if (w.uid == 0 && !g->allow_root)
        conf__error(l, "%s: is root; name another user, or say --allow-root", conf__at(l->conf, SEC_GLOBAL, 0, "edge.user"));
    found(l, SEC_GLOBAL, 0, "edge.user", "found: the first pool's user");
    found(l, SEC_GLOBAL, 0, "edge.group", "found: that user's group");
    g->edge_user = w.user;
    g->edge_group = w.group;
    g->edge_uid = w.uid;
    g->edge_gid = w.gid;
}

// Not root: setuid is impossible, so a user or group that is named must be the caller's own.
static void refuse_others(struct load *l, enum conf_section s, unsigned i, const char *key, char **name, bool group)
{
    const char *where = conf__at(l->conf, s, i, key);
    struct who w = {0};

    if (!*name)
        return;
    if (!(group ? find_group(l, where, *name, &w) : find_user(l, where, *name, &w)))
        return;
    if (group ? w.gid != getegid() : w.uid != geteuid())
        conf__error(l, "%s: only root can start processes as somebody else ('%s'): start plimsoll as root, or leave it out",
                    where, *name);
    *name = NULL;
}

void conf__resolve_users(struct load *l)
{
    struct conf *c = l->conf;
    size_t before = l->errors->lines.n;

    for (unsigned i = 0; i < c->n_pools; i++) {
        c->pools[i].uid = (uid_t)-1;
        c->pools[i].gid = (gid_t)-1;
        if (l->as_root) {
            resolve_pool_as_root(l, i);
            continue;
        }
        refuse_others(l, SEC_POOL, i, "user", &c->pools[i].user, false);
        refuse_others(l, SEC_POOL, i, "group", &c->pools[i].group, true);
        found(l, SEC_POOL, i, "user", "found: the caller");
        found(l, SEC_POOL, i, "group", "found: the caller's");
    }
    c->global.edge_uid = (uid_t)-1;
    c->global.edge_gid = (gid_t)-1;
    if (l->as_root && l->errors->lines.n == before) {
        resolve_edge_as_root(l);
    } else if (!l->as_root) {
        refuse_others(l, SEC_GLOBAL, 0, "edge.user", &c->global.edge_user, false);
        refuse_others(l, SEC_GLOBAL, 0, "edge.group", &c->global.edge_group, true);
        found(l, SEC_GLOBAL, 0, "edge.user", "found: the caller");
        found(l, SEC_GLOBAL, 0, "edge.group", "found: the caller's");
    }
}

// ---- can they get there? ----

// Walks down path; returns 0, or errno and how many bytes of path lead to what blocks.
static int walk(const char *path, bool write_wanted, size_t *ret_n)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    if (n >= sizeof part)
        return ENAMETOOLONG;
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        struct stat st;
        bool last = i == n;
        int mode = !last ? X_OK : write_wanted ? W_OK | X_OK : R_OK;
        if (stat(part, &st) == 0 && S_ISDIR(st.st_mode))
            mode |= X_OK;
        if (access(part, mode) != 0) { // real and effective ids are the same here; faccessat2(2) is refused by old runtimes
            *ret_n = i;
            return errno;
        }
    }
    return 0;
}

static int become(const char *user, uid_t uid, gid_t gid)
{
    uint64_t numeric;
    bool named = user && !str_to_u64(str_from(user), &numeric);

    if ((named ? initgroups(user, gid) : setgroups(0, NULL)) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return errno;
    return 0;
}

int conf__reach(const char *path, bool write_wanted, const char *user, uid_t uid, gid_t gid, char **ret_blocker)
{
    struct {
        int err;
        size_t n;
    } said = {0};
    char real[PATH_MAX];

    // The folders that really lead there; as root we can always find out.
    if (!realpath(path, real)) {
        *ret_blocker = xstrdup(path);
        return -errno;
    }
    if (uid == (uid_t)-1) {
        said.err = walk(real, write_wanted, &said.n);
    } else {
        int pipe_fd[2], status;
        if (pipe2(pipe_fd, O_CLOEXEC) != 0)
            return -errno;
        pid_t pid = fork();
        if (pid == 0) {
            said.err = become(user, uid, gid);
            if (!said.err)
                said.err = walk(real, write_wanted, &said.n);
            _exit(write(pipe_fd[1], &said, sizeof said) == sizeof said ? 0 : 1);
        }
        close(pipe_fd[1]);
        if (pid < 0 || read(pipe_fd[0], &said, sizeof said) != sizeof said)
            said.err = EIO;
        close(pipe_fd[0]);
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    if (said.err)
        *ret_blocker = said.n ? xstrndup(real, said.n) : xstrdup(real);
    return -said.err;
}

static void check_reach(struct load *l, const char *what, const char *path, bool write_wanted, const char *user, uid_t uid,
                        gid_t gid)
{
    char *blocker = NULL;
    int rc = conf__reach(path, write_wanted, user, uid, gid, &blocker);

    if (rc) {
        const char *who = user && uid != (uid_t)-1 ? user : "this user";
        if (rc == -EACCES)
            conf__error(l, "%s %s: %s can't %s it: %s doesn't let that user %s; change its rights, or name another user or place",
                        what, path, who, write_wanted ? "write to" : "get at", blocker ? blocker : path,
                        blocker && strcmp(blocker, path) != 0 ? "pass"
                        : write_wanted                        ? "write"
                                                              : "read");
        else
            conf__error(l, "%s %s: %s", what, path, strerror(-rc));
    }
    free(blocker);
}

void conf__check_access(struct load *l)
{
    const struct conf *c = l->conf;
    const struct conf_global *g = &c->global;

    for (size_t i = 0; i < c->n_sites; i++) {
        const struct conf_site *s = &c->sites[i];
        const struct conf_pool *p = &c->pools[s->pool];
        size_t before = l->errors->lines.n;
        check_reach(l, "document root", s->root, false, p->user, p->uid, p->gid);
        if (l->errors->lines.n == before && g->edge_uid != p->uid)
            check_reach(l, "document root", s->root, false, g->edge_user, g->edge_uid, g->edge_gid);
    }
    for (unsigned i = 0; i < c->n_pools; i++) {
        const struct conf_pool *p = &c->pools[i];
        if (p->php_ini)
            check_reach(l, "php_ini", p->php_ini, false, p->user, p->uid, p->gid);
    }
    if (g->spool_dir)
        check_reach(l, "spool_dir", g->spool_dir, true, g->edge_user, g->edge_uid, g->edge_gid);
}
