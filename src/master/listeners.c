// SPDX-License-Identifier: Apache-2.0
// Listening sockets by configuration. Runs in the master. Owns every listening descriptor; services hold references.
// Invariant: a socket that a new configuration still names is never closed in between, so no connection is refused.
#include "master/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "master/listen_open.h"

#define SYSTEMD_FIRST_FD 3

static struct listener *all;
static bool keep_files;
static struct listener **from_systemd; // in systemd's order, without the admin one
static size_t n_from_systemd;

static char *shown_text(int fd)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    char addr[INET6_ADDRSTRLEN];

    if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
        return xstrdup("?");
    if (ss.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&ss;
        inet_ntop(AF_INET, &in->sin_addr, addr, sizeof addr);
        return xasprintf("%s:%u", addr, ntohs(in->sin_port));
    }
    if (ss.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)&ss;
        inet_ntop(AF_INET6, &in->sin6_addr, addr, sizeof addr);
        return xasprintf("[%s]:%u", addr, ntohs(in->sin6_port));
    }
    if (ss.ss_family == AF_UNIX && n > offsetof(struct sockaddr_un, sun_path)) {
        const struct sockaddr_un *un = (const void *)&ss;
        return xasprintf("unix:%.*s", (int)(n - offsetof(struct sockaddr_un, sun_path)), un->sun_path);
    }
    return xstrdup("?");
}

// Takes fd.
static struct listener *listener_new(const char *text, bool admin, int fd)
{
    struct listener *l = xcalloc(1, sizeof *l);
    struct stat st;

    l->text = xstrdup(text);
    l->admin = admin;
    l->fd = fd;
    l->shown = shown_text(fd);
    if (strncmp(l->shown, "unix:/", 6) == 0 && stat(l->shown + 5, &st) == 0 && S_ISSOCK(st.st_mode)) {
        l->path = xstrdup(l->shown + 5);
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    l->next = all;
    all = l;
    return l;
}

static void listener_free(struct listener *l)
{
    struct stat st;

    for (struct listener **at = &all; *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    // Only our own file: another server may have put its socket there since.
    if (l->path && !keep_files && stat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
    fd_close(&l->fd);
    free(l->text);
    free(l->shown);
    free(l->path);
    free(l);
}

static bool is_listening(int fd)
{
    int on = 0, type = 0;
    socklen_t n = sizeof on;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) < 0 || !on)
        return false;
    n = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

// systemd's sockets outlive us: their files are not ours to unlink.
static void take_systemd(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    struct str rest = str_from(names ? names : ""), name;
    uint64_t n, for_pid;

    if (!pid || !count || !str_to_u64(str_from(pid), &for_pid) || (pid_t)for_pid != getpid() ||
        !str_to_u64(str_from(count), &n) || n > 64)
        return;
    from_systemd = xcalloc(n + 1, sizeof(struct listener *));
    for (uint64_t i = 0; i < n; i++) {
        int fd = SYSTEMD_FIRST_FD + (int)i;
        bool admin = str_next(&rest, ':', &name) && str_eq(name, STR("admin"));
        if (!is_listening(fd)) {
            log_warning("descriptor %d from systemd is not a listening stream socket (Accept=no is needed); it is left alone",
                        fd);
            continue;
        }
        (void)fd_set_cloexec(fd, true);
        (void)fd_set_nonblock(fd, true);
        struct listener *l = listener_new("systemd", admin, fd);
        free(l->path);
        l->path = NULL;
        if (!admin)
            from_systemd[n_from_systemd++] = l;
    }
}

// "FD=KIND TEXT" a line; KIND is A (admin), L or S (from systemd).
static void take_inherited(void)
{
    const char *list = getenv(ENV_INHERIT_FDS);
    struct str rest = str_from(list ? list : ""), line;

    from_systemd = from_systemd ? from_systemd : xcalloc(65, sizeof(struct listener *));
    while (str_next(&rest, '\n', &line)) {
        size_t eq = str_find(line, '=');
        uint64_t fd;
        if (eq == SIZE_MAX || line.n < eq + 4 || !str_to_u64((struct str){line.p, eq}, &fd) || fd > 1 << 20 ||
            !is_listening((int)fd))
            continue;
        char kind = line.p[eq + 1];
        char *text = xstrndup(line.p + eq + 3, line.n - eq - 3);
        (void)fd_set_cloexec((int)fd, true);
        struct listener *l = listener_new(text, kind == 'A', (int)fd);
        free(text);
        if (strcmp(l->text, "systemd") == 0) {
            free(l->path);
            l->path = NULL;
            if (!l->admin && n_from_systemd < 64)
                from_systemd[n_from_systemd++] = l;
        }
    }
}

void listeners_init(void)
{
    take_systemd();
    take_inherited();
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    unsetenv(ENV_INHERIT_FDS);
}

bool listeners_from_systemd(void)
{
    return n_from_systemd > 0;
}

struct listener *listener_get_systemd(size_t n)
{
    if (n >= n_from_systemd)
        return NULL;
    from_systemd[n]->refs++;
    return from_systemd[n];
}

struct listener *listener_get_systemd_admin(void)
{
    for (struct listener *l = all; l; l = l->next)
        if (l->admin && strcmp(l->text, "systemd") == 0) {
            l->refs++;
            return l;
        }
    return NULL;
}

static bool is_taken(const struct listener *l, struct listener *const *taken, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (taken[i] == l)
            return true;
    return false;
}

int listener_get(const struct conf_listen *conf, bool admin, struct listener *const *taken, size_t n_taken,
                 struct listener **ret_listener, char *why, size_t why_cap)
{
    for (struct listener *l = all; l; l = l->next) {
        bool same = strcmp(l->text, conf->text) == 0 || (admin && strcmp(l->text, "systemd") == 0);
        if (l->admin == admin && same && !is_taken(l, taken, n_taken)) {
            l->refs++;
            *ret_listener = l;
            return 0;
        }
    }
    // Whoever is in front may connect as any user; what is running here is for the server's own user and group to see.
    int fd = conf->is_unix ? listen_unix(conf->path, admin ? 0660 : 0666) : listen_inet(conf->host, conf->port);
    if (fd < 0) {
        listen_explain(conf, fd, why, why_cap);
        return fd;
    }
    struct listener *l = listener_new(conf->text, admin, fd);
    l->refs = 1;
    *ret_listener = l;
    return 0;
}

struct listener *listener_unref(struct listener *l)
{
    // systemd's are kept even while a configuration has no use for them: they can't be opened again.
    if (l && --l->refs == 0 && strcmp(l->text, "systemd") != 0)
        listener_free(l);
    return NULL;
}

void listeners_drop_unused(void)
{
    for (struct listener *l = all, *next; l; l = next) {
        next = l->next;
        if (!l->refs && strcmp(l->text, "systemd") != 0)
            listener_free(l);
    }
}

void listeners_stop(void)
{
    for (struct listener *l = all; l; l = l->next)
        fd_close(&l->fd);
}

void listeners_keep_files(void)
{
    keep_files = true;
}

void listeners_close_all(void)
{
    while (all)
        listener_free(all);
}

void listeners_each(void (*fn)(const struct listener *l, void *arg), void *arg)
{
    for (const struct listener *l = all; l; l = l->next)
        fn(l, arg);
}
