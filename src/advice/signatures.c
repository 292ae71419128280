// SPDX-License-Identifier: Apache-2.0
// The table of what is known to bite, and who matches. A pure library: reads directories through the descriptor it is given,
// within a fixed budget; owns nothing.
#include "advice/signatures.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "advice/shape.h"
#include "base/str.h"
#include "mem/sample.h"

#define SIGNATURE_OPENS 512
#define SIGNATURE_NAMES 16384
#define ANCESTORS 24

static const struct signature signatures[SIG_N] = {
    [SIG_NONE] = {.kind = SIGNATURE_CONDITION, .name = "", .paths = "", .shape = "", .what = "", .cause = ""},
#define SIGNATURE(id, name_, kind_, paths_, shape_, app_, what_, cause_)                                                         \
    [SIG_##id] = {SIGNATURE_##kind_, APP_##app_, name_, paths_, shape_, what_, cause_},
#include "tbl/signatures.def"
#undef SIGNATURE
};

const struct signature *signature_get(enum signature_id id)
{
    return &signatures[(unsigned)id < SIG_N ? id : SIG_NONE];
}

static bool path_matches(const char *globs, const char *path)
{
    struct str rest = str_from(globs), glob;

    if (!*globs)
        return true;
    while (str_next(&rest, ' ', &glob))
        if (glob.n && str_glob(glob, str_from(path)))
            return true;
    return false;
}

// Whose folder is it? An application's own is known by the program that every one of its kind has there.
static enum advice_app app_in(int fd)
{
    static const struct {
        const char *file;
        enum advice_app app;
    } marks[] = {{"bin/adminconsole", APP_SULU},
                 {"bin/websiteconsole", APP_SULU},
                 {"bin/console", APP_SYMFONY},
                 {"artisan", APP_LARAVEL},
                 {"wp-settings.php", APP_WORDPRESS}};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (faccessat(fd, marks[i].file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return marks[i].app;
    return APP_UNKNOWN;
}

// The directories from `top` down to `path`, each open.
struct ancestors {
    int n;
    enum advice_app app; // whose folder the deepest of them, or of those above `top`, is
    int fd[ANCESTORS];
    size_t length[ANCESTORS]; // of the path of each
};

// Opens each directory on the way, symlinks not followed: those of another mount namespace would lead astray.
static void open_ancestors(int root_fd, const char *top, const char *path, struct ancestors *ret)
{
    size_t top_length = strlen(top);
    int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    const char *p = path;
    char name[256];

    ret->n = 0;
    ret->app = APP_UNKNOWN;
    if (top_length == 1)
        top_length = 0; // "/"
    while (fd >= 0) {
        size_t at = (size_t)(p - path);
        enum advice_app app = at > 0 ? app_in(fd) : APP_UNKNOWN; // "/" has a bin of its own
        if (app != APP_UNKNOWN)
            ret->app = app;
        if (at >= top_length && at > 0) {
            if (ret->n == ANCESTORS) { // keep the deepest
                close(ret->fd[0]);
                memmove(ret->fd, ret->fd + 1, sizeof ret->fd - sizeof *ret->fd);
                memmove(ret->length, ret->length + 1, sizeof ret->length - sizeof *ret->length);
                ret->n--;
            }
            ret->length[ret->n] = at;
            ret->fd[ret->n++] = fd;
        }
        while (*p == '/')
            p++;
        size_t n = strcspn(p, "/");
        int parent = fd;
        if (n == 0 || n >= sizeof name)
            fd = -1;
        else {
            memcpy(name, p, n);
            name[n] = '\0';
            fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        }
        if (ret->n == 0 || ret->fd[ret->n - 1] != parent)
            close(parent);
        p += n;
    }
}

bool signature_find_directory(int root_fd, const char *top, const char *path, struct signature_hit *ret)
{
    struct shape_budget budget = {SIGNATURE_OPENS, SIGNATURE_NAMES};
    struct ancestors a;
    bool found = false;

    if (root_fd < 0 || path[0] != '/' || strlen(path) >= SIGNATURE_PATH)
        return false;
    open_ancestors(root_fd, top, path, &a);
    for (int id = SIG_NONE + 1; id < SIG_N && !found; id++) {
        const struct signature *s = &signatures[id];
        if (s->kind != SIGNATURE_DIRECTORY)
            continue;
        // By its inside the topmost that fits is the whole of it; by its path alone the deepest says most.
        for (int k = 0; k < a.n && !found; k++) {
            int i = s->shape[0] ? k : a.n - 1 - k;
            char at[SIGNATURE_PATH];
            memcpy(at, path, a.length[i]);
            at[a.length[i]] = '\0';
            const char *rel = path + a.length[i] + (path[a.length[i]] == '/');
            if (!path_matches(s->paths, at) || !shape_has_inside(s->shape, rel) || !shape_matches(a.fd[i], s->shape, &budget))
                continue;
            found = true;
            ret->id = (enum signature_id)id;
            memcpy(ret->path, at, a.length[i] + 1);
            enum advice_app app = a.app != APP_UNKNOWN ? a.app : advice_app_of_path(at);
            ret->app = s->app == APP_UNKNOWN || (s->app == APP_SYMFONY && app == APP_SULU) ? app : s->app;
        }
    }
    for (int i = 0; i < a.n; i++)
        close(a.fd[i]);
    return found;
}

static bool is_limited(const struct advice_facts *f)
{
    return f->limit > 0 && f->limit != MEM_UNLIMITED;
}

static bool holds(enum signature_id id, const struct advice_facts *f)
{
    switch (id) {
    case SIG_GO_NO_LIMIT:
        return f->go_runtime && f->gomemlimit_known && !f->gomemlimit_set;
    case SIG_MAX_THREADS_AUTO: // harmless where the host is no larger than the container
        return f->server == SERVER_FRANKENPHP && f->max_threads_known && f->max_threads_auto && is_limited(f) &&
               f->host_ram > f->limit && f->memory_limit != 0; // without memory_limit it is 2 x num_threads
    case SIG_CHILDREN_BEYOND_LIMIT: {
        int64_t n = f->server == SERVER_FRANKENPHP ? f->num_threads : f->max_children;
        return is_limited(f) && n > 0 && f->memory_limit > 0 && f->memory_limit > f->limit / n;
    }
    case SIG_NO_MEMORY_LIMIT:
        return f->memory_limit == 0;
    case SIG_HUGE_PAGES: // a few huge pages are none's trouble
        return f->anon > 0 && f->anon_thp >= (INT64_C(64) << 20) && f->anon_thp >= f->anon / 2;
    default:
        return false;
    }
}

unsigned signature_find_conditions(const struct advice_facts *f, enum signature_id *ret, unsigned max)
{
    unsigned n = 0;

    for (int id = SIG_NONE + 1; id < SIG_N && n < max; id++)
        if (signatures[id].kind == SIGNATURE_CONDITION && holds((enum signature_id)id, f))
            ret[n++] = (enum signature_id)id;
    return n;
}
