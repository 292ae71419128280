// SPDX-License-Identifier: Apache-2.0
// The control socket: one command a connection, from the same user or root; the answer, then the end. Runs in the master.
// Owns the socket, its file and the clients. Invariant: a client can hold one of CLIENTS places for a bounded time, and
// what it does not read is dropped: the master never waits for it.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "ipc/status_json.h"
#include "master/listen_open.h"
#include "master/master_int.h"

#define CLIENTS 8
#define ASK_LIMIT_MS 5000
#define RELOAD_LIMIT_MS 120000 // longer than a reload can take
#define COMMAND_BYTES 64

enum waits { WAITS_COMMAND, WAITS_RELOAD, WAITS_STOP, WAITS_SENT };

struct client {
    int fd; // -1 = free place
    enum waits waits;
    struct watch watch;
    struct timer limit;
    char command[COMMAND_BYTES];
    size_t n;
    struct buf out;
};

static struct client clients[CLIENTS];
static struct watch accept_watch;
static int listen_fd = -1;
static char *path;
static dev_t path_dev;
static ino_t path_ino;

const char *control_path(void)
{
    return path;
}

static void client_close(struct client *c)
{
    char ignored[4096];

    // Closed with bytes unread, the socket would give the client a reset in place of its answer.
    for (int i = 0; i < 16 && recv(c->fd, ignored, sizeof ignored, MSG_DONTWAIT) > 0; i++)
        ;
    loop_del(&c->watch);
    timer_clear(&c->limit);
    fd_close(&c->fd);
    buf_done(&c->out);
}

static void on_limit(struct timer *t)
{
    client_close(container_of(t, struct client, limit));
}

// Sends what the socket takes; a client that got its answer is closed.
static void client_flush(struct client *c)
{
    while (c->out.n) {
        ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            client_close(c);
            return;
        }
        buf_drop(&c->out, (size_t)n);
    }
    if (!c->out.n && c->waits == WAITS_SENT) {
        client_close(c);
        return;
    }
    loop_mod(&c->watch, EPOLLIN | (c->out.n ? (uint32_t)EPOLLOUT : 0));
}

static void client_answer(struct client *c, const char *text)
{
    buf_add(&c->out, text, strlen(text));
    c->waits = WAITS_SENT;
    timer_set(&c->limit, on_limit, ASK_LIMIT_MS);
    client_flush(c);
}

static void answer_result(struct client *c, const char *error)
{
    char *line = error && *error ? xasprintf("error: %s\n", error) : xstrdup("ok\n");

    client_answer(c, line);
    free(line);
}

static void run_status(struct client *c)
{
    char *json = status_json();

    buf_add(&c->out, json, strlen(json));
    free(json);
    client_answer(c, "\n");
}

static void run_reload(struct client *c)
{
    c->waits = WAITS_RELOAD; // before it begins: it may be over at once
    timer_set(&c->limit, on_limit, RELOAD_LIMIT_MS);
    const char *refused = reload_begin();
    if (refused)
        answer_result(c, refused);
}

static void run_stop(struct client *c)
{
    static const char text[] = "stopping: finishing what runs\n";

    c->waits = WAITS_STOP;
    timer_clear(&c->limit);
    buf_add(&c->out, text, sizeof text - 1);
    client_flush(c);
    master_stop("stop on the control socket");
}

static void run_command(struct client *c, const char *command)
{
    if (strcmp(command, "status") == 0)
        run_status(c);
    else if (strcmp(command, "reload") == 0)
        run_reload(c);
    else if (strcmp(command, "stop") == 0)
        run_stop(c);
    else if (strcmp(command, "reopen") == 0) {
        master_reopen_logs();
        answer_result(c, NULL);
    } else
        answer_result(c, "unknown command; there are status, reload, stop and reopen");
}

static void on_client(struct watch *w, uint32_t events)
{
    struct client *c = container_of(w, struct client, watch);
    char ignored[256];

    if (events & EPOLLOUT)
        client_flush(c);
    if (c->fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    bool asking = c->waits == WAITS_COMMAND;
    ssize_t n = asking ? recv(c->fd, c->command + c->n, sizeof c->command - 1 - c->n, MSG_DONTWAIT)
                       : recv(c->fd, ignored, sizeof ignored, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_close(c);
        return;
    }
    if (!asking)
        return;
    c->n += (size_t)n;
    c->command[c->n] = '\0';
    char *end = memchr(c->command, '\n', c->n);
    if (end) {
        *end = '\0';
        run_command(c, c->command);
    } else if (c->n == sizeof c->command - 1) {
        answer_result(c, "the command is too long");
    }
}

static void on_accept(struct watch *w, uint32_t events)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    struct client *c = NULL;

    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || (peer.uid != 0 && peer.uid != geteuid())) {
        static const char text[] = "error: only the server's user and root may ask\n";
        (void)send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    for (size_t i = 0; i < CLIENTS && !c; i++)
        if (clients[i].fd < 0)
            c = &clients[i];
    if (!c) {
        static const char text[] = "error: too many clients, try again\n";
        (void)send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    *c = (struct client){.fd = fd, .out = BUF_INIT};
    if (loop_add(&c->watch, fd, EPOLLIN, on_client) < 0) {
        fd_close(&c->fd);
        return;
    }
    timer_set(&c->limit, on_limit, ASK_LIMIT_MS);
}

void control_say(const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].fd >= 0 && clients[i].waits == WAITS_RELOAD) {
            buf_printf(&clients[i].out, "%s\n", text);
            client_flush(&clients[i]);
        }
    free(text);
}

void control_reload_result(const char *error)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].fd >= 0 && clients[i].waits == WAITS_RELOAD)
            answer_result(&clients[i], error);
}

static void make_folder(const char *file)
{
    char *folder = xstrdup(file), *slash = strrchr(folder, '/');

    if (slash && slash != folder) {
        *slash = '\0';
        (void)mkdir(folder, 0700);
    }
    free(folder);
}

// Bound under a name of its own and renamed: whoever connects meets the old server or the new one, never nobody.
static int listen_by_rename(const char *target)
{
    char *temporary = xasprintf("%s.%d", target, getpid());

    int fd = listen_unix(temporary, 0600);
    if (fd >= 0 && rename(temporary, target) < 0) {
        int err = errno;
        unlink(temporary);
        close(fd);
        fd = -err;
    }
    free(temporary);
    return fd;
}

int control_open(const struct conf *conf, bool take_over, char *why, size_t why_cap)
{
    const char *wanted = conf->global.control;
    char *used = wanted ? xstrdup(wanted) : NULL;
    struct stat st;

    for (size_t i = 0; i < CLIENTS; i++)
        clients[i].fd = -1;
    if (!used)
        return 0;
    make_folder(used);
    int fd = take_over ? listen_by_rename(used) : listen_unix(used, 0600);
    if (fd == -EADDRINUSE) {
        // Another server of this user lives there, as two with default settings would.
        free(used);
        used = xasprintf("%s-%d", wanted, getpid());
        fd = listen_unix(used, 0600);
        if (fd >= 0)
            snprintf(why, why_cap, "another server answers on the control socket %s; this one uses %s", wanted, used);
    }
    int rc = fd < 0 ? fd : loop_add(&accept_watch, fd, EPOLLIN, on_accept);
    if (rc) {
        if (fd >= 0)
            close(fd);
        snprintf(why, why_cap, "can't open the control socket %s: %s", used, strerror(-rc));
        free(used);
        return rc;
    }
    listen_fd = fd;
    path = used;
    if (stat(path, &st) == 0) {
        path_dev = st.st_dev;
        path_ino = st.st_ino;
    }
    return 0;
}

void control_close(const char *stop_result)
{
    struct stat st;

    if (listen_fd < 0)
        return;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];
        if (c->fd >= 0 && c->waits == WAITS_STOP && stop_result)
            answer_result(c, stop_result);
        if (c->fd >= 0)
            client_close(c);
    }
    loop_del(&accept_watch);
    fd_close(&listen_fd);
    if (stat(path, &st) == 0 && st.st_dev == path_dev && st.st_ino == path_ino)
        unlink(path);
    free(path);
    path = NULL;
}
