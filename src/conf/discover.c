// SPDX-License-Identifier: Apache-2.0
// What a folder tells about itself: which application it is, its document root and front controller, and what clients must
// not see of it (tbl/apps.def). Runs in the master and the cli; looks only, opens nothing for keeps.
// Invariant: nothing is guessed silently: each thing found becomes a sentence of conf.findings and an origin.
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_int.h"

#define SCRIPT_SEARCH_MAX 1000 // names looked at in a folder

enum app {
#define APP(id, name, root, front, markers) APP_##id,
#define APP_DENY(id, glob)
#define APP_NOPHP(id, glob)
#include "tbl/apps.def"
#undef APP
#undef APP_DENY
#undef APP_NOPHP
    APPS,
    APP_EVERY = APPS,
    APP_TOP,
    APP_VENDOR,
};

static const struct {
    const char *name, *root, *front, *markers;
} apps[APPS] = {
#define APP(id, name, root, front, markers) [APP_##id] = {name, root, front, markers},
#define APP_DENY(id, glob)
#define APP_NOPHP(id, glob)
#include "tbl/apps.def"
#undef APP
#undef APP_DENY
#undef APP_NOPHP
};

static const struct {
    int app;
    bool deny; // else: scripts are not run
    const char *glob;
} rules[] = {
#define APP(id, name, root, front, markers)
#define APP_DENY(id, glob) {APP_##id, true, glob},
#define APP_NOPHP(id, glob) {APP_##id, false, glob},
#include "tbl/apps.def"
#undef APP
#undef APP_DENY
#undef APP_NOPHP
};

static bool exists(const char *dir, const char *name, mode_t type)
{
    char path[PATH_MAX];
    struct stat st;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path || stat(path, &st) != 0)
        return false;
    return !type || (st.st_mode & S_IFMT) == type;
}

static bool has_markers(const char *dir, const char *markers)
{
    struct str rest = str_from(markers), one;
    char name[128];

    while (str_next(&rest, '|', &one)) {
        snprintf(name, sizeof name, "%.*s", STR_ARG(one));
        if (!exists(dir, name, 0))
            return false;
    }
    return true;
}

static int recognise(const char *dir)
{
    for (int i = 0; i < APPS; i++)
        if (has_markers(dir, apps[i].markers))
            return i;
    return -1;
}

// The application, also where somebody serves its document root itself (app/public instead of app).
static int recognise_around(struct arena *a, const char *dir)
{
    int app = recognise(dir);
    if (app >= 0)
        return app;
    const char *base = strrchr(dir, '/');
    app = base && base != dir ? recognise(conf__path_join(a, dir, "..")) : -1;
    return app >= 0 && strcmp(apps[app].root, base + 1) == 0 ? app : -1;
}

static bool can_be_root(const char *dir, const char *sub)
{
    char index[64];

    if (!exists(dir, sub, S_IFDIR))
        return false;
    const char *const names[] = {"index.php", "app.php", "index.html"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(index, sizeof index, "%s/%s", sub, names[i]);
        if (exists(dir, index, S_IFREG))
            return true;
    }
    return false;
}

// True if the folder itself holds a script, whatever its name.
static bool has_script(const char *dir, const char *sub)
{
    char path[PATH_MAX];
    struct dirent *e;
    bool has = false;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, sub) >= sizeof path)
        return false;
    DIR *d = opendir(path);
    for (int n = 0; d && !has && n < SCRIPT_SEARCH_MAX && (e = readdir(d)); n++)
        has = str_ends(str_from(e->d_name), STR(".php"));
    if (d)
        closedir(d);
    return has;
}

static void found(struct load *l, enum conf_section s, unsigned index, const char *key, const char *how)
{
    conf__origin_set(l, conf_option_find(s, str_from(key)), index, NULL, LAYER_FOUND,
                     arena_printf(&l->conf->arena, "found: %s", how).p);
}

static char *resolve_dir(struct load *l, const char *path, const char *what)
{
    char real[PATH_MAX];
    struct stat st;

    if (!realpath(path, real) || stat(real, &st) != 0)
        conf__error(l, "%s: %s: %m", what, path);
    else if (!S_ISDIR(st.st_mode))
        conf__error(l, "%s: %s is not a folder", what, path);
    else
        return arena_strndup(&l->conf->arena, real, strlen(real));
    return NULL;
}

static void take_root(struct load *l, struct conf_site *site, unsigned index, const char *sub, const char *how)
{
    site->root = resolve_dir(l, conf__path_join(&l->conf->arena, site->dir, sub), "root");
    found(l, SEC_SITE, index, "root", how);
}

static void find_root(struct load *l, struct conf_site *site, unsigned index, int app)
{
    static const char *const tried[] = {"public", "web", "pub", "docroot", "htdocs", "public_html", "."};
    const size_t n_tried = sizeof tried / sizeof *tried;

    if (app >= 0 && apps[app].root[0] && can_be_root(site->dir, apps[app].root)) {
        take_root(l, site, index, apps[app].root, apps[app].name);
        return;
    }
    for (size_t i = 0; i < n_tried; i++) {
        if (app >= 0 && !apps[app].root[0] && strcmp(tried[i], ".") != 0)
            continue; // an application that is served from its own folder may hold a folder "web" of its own
        if (!can_be_root(site->dir, tried[i]))
            continue;
        take_root(l, site, index, tried[i], strcmp(tried[i], ".") == 0 ? "it has an index file itself" : "it has an index file");
        return;
    }
    for (size_t i = 0; i + 1 < n_tried; i++)
        if (has_script(site->dir, tried[i])) {
            take_root(l, site, index, tried[i], "it has scripts, though no index file");
            return;
        }
    // Folders are not listed and dotfiles not sent, so what is published is what somebody knows the name of.
    take_root(l, site, index, ".", "there is no index file; name another with --root");
}

static void find_front(struct load *l, struct conf_site *site, unsigned index, int app)
{
    struct arena *a = &l->conf->arena;

    if (conf__is_set(l->conf, SEC_SITE, index, "front_controller")) {
        if (site->front_controller && !exists(site->root, site->front_controller + 1, S_IFREG))
            conf__error(l, "%s: %s%s does not exist", conf__at(l->conf, SEC_SITE, index, "front_controller"), site->root,
                        site->front_controller);
        return;
    }
    const char *name = app >= 0 ? apps[app].front : exists(site->root, "index.php", S_IFREG) ? "index.php" : "app.php";
    bool there = name[0] && exists(site->root, name, S_IFREG);
    site->front_controller = there ? conf__path_join(a, "/", name) : NULL;
    found(l, SEC_SITE, index, "front_controller",
          there                  ? "it exists"
          : app >= 0 && !name[0] ? arena_printf(a, "%s has none", apps[app].name).p
                                 : "no such script");
}

static void set_dir(struct load *l, struct conf_site *site, unsigned index, const char *given_root)
{
    struct conf *c = l->conf;

    if (!conf__is_set(c, SEC_SITE, index, "dir")) {
        if (given_root && given_root[0] == '/') {
            site->dir = conf__path_join(&c->arena, "/", given_root);
            found(l, SEC_SITE, index, "dir", "the root");
        } else if (index == 0) {
            site->dir = conf__path_join(&c->arena, l->cwd, ".");
            found(l, SEC_SITE, index, "dir", "the current folder");
        } else {
            conf__error(l, "%s:%u: [site %s] needs dir, the application's folder, or an absolute root", c->file, site->line,
                        site->name);
            site->dir = NULL;
            return;
        }
    }
    site->dir = resolve_dir(l, site->dir, index || c->file ? arena_printf(&c->arena, "[site %s] dir", site->name).p : "DIR");
}

void conf__discover_site(struct load *l, struct conf_site *site, unsigned index)
{
    struct conf *c = l->conf;
    const char *given_root = conf__is_set(c, SEC_SITE, index, "root") ? site->root : NULL;

    set_dir(l, site, index, given_root);
    if (!site->dir)
        return;
    int app = recognise_around(&c->arena, site->dir);
    site->app = arena_strndup(&c->arena, app < 0 ? "none" : apps[app].name, strlen(app < 0 ? "none" : apps[app].name));
    if (given_root) {
        site->root = resolve_dir(l, conf__path_join(&c->arena, site->dir, given_root), conf__at(c, SEC_SITE, index, "root"));
    } else {
        find_root(l, site, index, app);
    }
    if (!site->root)
        return;
    find_front(l, site, index, app);
    const char *of = c->n_sites > 1 ? arena_printf(&c->arena, "site %s: ", site->name).p : "";
    conf__finding(l, "%sdocument root %s (%s)%s%s", of, site->root, conf__where(c, SEC_SITE, index, "root"),
                  app >= 0 ? ", application " : "", app >= 0 ? apps[app].name : "");
    if (site->front_controller)
        conf__finding(l, "%sfront controller %s (%s)", of, site->front_controller,
                      conf__where(c, SEC_SITE, index, "front_controller"));
    else
        conf__finding(l, "%sno front controller (%s)", of, conf__where(c, SEC_SITE, index, "front_controller"));
    if (app >= 0 && apps[app].root[0] && strcmp(site->root, site->dir) == 0 && recognise(site->dir) == app)
        conf__warn(l, "%sthe document root is %s itself; %s's is %s/", of, site->dir, apps[app].name, apps[app].root);
}

// One builtin route: the rows of `app` of one sort, for one site. Nothing if there are none.
static void add_rules(struct load *l, struct conf_site *site, int app, bool deny, const char *label)
{
    struct conf *c = l->conf;
    struct conf_route r = {.builtin = true,
                           .site = site->name,
                           .deny = deny,
                           .php = deny ? UNSET : OFF,
                           .files_only = app == APP_EVERY,
                           .expires_s = -1,
                           .max_body_size = -1,
                           .read_timeout_ms = -1,
                           .request_terminate_timeout_ms = -1,
                           .request_buffering = UNSET};
    struct buf said = BUF_INIT;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].app != app || rules[i].deny != deny)
            continue;
        conf__list_add(&c->arena, &r.path, rules[i].glob);
        buf_printf(&said, " %s", rules[i].glob);
    }
    if (r.path.n) {
        struct str name = arena_printf(&c->arena, "builtin: %s", label);
        r.name = arena_strndup(&c->arena, name.p, name.n);
        struct conf_route *grown = arena_alloc(&c->arena, (c->n_routes + 1) * sizeof *grown);
        if (c->n_routes)
            memcpy(grown, c->routes, c->n_routes * sizeof *grown);
        grown[c->n_routes++] = r;
        c->routes = grown;
        conf__finding(l, "%s%s%s (%s):%.*s", c->n_sites > 1 ? "site " : "", c->n_sites > 1 ? site->name : "",
                      c->n_sites > 1 ? (deny ? ": denied" : ": PHP not run")
                      : deny         ? "denied"
                                     : "PHP not run",
                      label, STR_ARG(buf_str(&said)));
    }
    buf_done(&said);
}

void conf__add_builtin_routes(struct load *l)
{
    struct conf *c = l->conf;

    for (size_t i = 0; i < c->n_sites; i++) {
        struct conf_site *site = &c->sites[i];
        if (!site->builtin_denies)
            continue;
        int app = recognise_around(&c->arena, site->dir);
        // Rows are written for the application's own document root.
        if (app >= 0) {
            add_rules(l, site, app, true, apps[app].name);
            add_rules(l, site, app, false, apps[app].name);
        }
        if (app == APP_DRUPAL_COMPOSER || app == APP_TYPO3_COMPOSER) {
            int same = app == APP_DRUPAL_COMPOSER ? APP_DRUPAL : APP_TYPO3;
            add_rules(l, site, same, true, apps[app].name);
            add_rules(l, site, same, false, apps[app].name);
        }
        if (strcmp(site->root, site->dir) == 0) {
            add_rules(l, site, APP_TOP, true, "root is the application's folder");
            if (exists(site->root, "vendor/autoload.php", S_IFREG))
                add_rules(l, site, APP_VENDOR, true, "Composer's packages");
        }
        add_rules(l, site, APP_EVERY, true, "copies, dumps and other scripts");
    }
}
