// SPDX-License-Identifier: Apache-2.0
// A small server. Runs in watch; owns the listening socket and its visits. Invariant: nothing a visitor does or leaves undone
// holds anything but its own place, and that for SERVICE_TIME_S at most.
#include "watch/visits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/die.h"
#include "base/str.h"

#define PAUSE_MS 500

static void on_visitor(struct watch *w, uint32_t events);

static void leave(struct visit *v)
{
    struct service *s = v->service;

    timer_clear(&v->limit);
    loop_del(&v->watch);
    close(v->fd);
    v->fd = -1;
    loop_mod(&s->watch, EPOLLIN); // there is a place again
}

static void on_too_long(struct timer *t)
{
    leave(container_of(t, struct visit, limit));
}

// Sends what there is; asks for more. False: the visit has ended.
static bool send_on(struct visit *v)
{
    for (;;) {
        if (v->out_done == v->out_n) {
            if (!v->more) {
                leave(v);
                return false;
            }
            v->out_n = v->out_done = 0;
            v->more = false;
            v->service->answer(v);
            continue;
        }
        ssize_t n = send(v->fd, v->out + v->out_done, v->out_n - v->out_done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            loop_mod(&v->watch, EPOLLOUT);
            return true;
        }
        if (n < 0) {
            leave(v);
            return false;
        }
        v->out_done += (size_t)n;
    }
}

static void read_request(struct visit *v)
{
    ssize_t n = recv(v->fd, v->in + v->in_n, sizeof v->in - 1 - v->in_n, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        leave(v);
        return;
    }
    v->in_n += (size_t)n;
    v->in[v->in_n] = '\0';
    // A request that fills the buffer is answered as it stands: it isn't one of ours.
    if (v->service->is_whole(v) || v->in_n == sizeof v->in - 1) {
        v->more = true;
        (void)send_on(v);
    }
}

static void on_visitor(struct watch *w, uint32_t events)
{
    struct visit *v = container_of(w, struct visit, watch);

    if (v->out_n > 0)
        (void)send_on(v);
    else
        read_request(v);
}

static bool may_visit(const struct service *s, int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    if (!s->same_user)
        return true;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void on_pause_over(struct timer *t)
{
    loop_mod(&container_of(t, struct service, pause)->watch, EPOLLIN);
}

static void on_knock(struct watch *w, uint32_t events)
{
    struct service *s = container_of(w, struct service, watch);
    struct visit *v = NULL;

    for (size_t i = 0; i < SERVICE_VISITS && !v; i++)
        if (s->visits[i].fd < 0)
            v = &s->visits[i];
    if (!v) {
        loop_mod(w, 0);
        return;
    }
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) { // who knocks stays at the door
            loop_mod(w, 0);
            timer_set(&s->pause, on_pause_over, PAUSE_MS);
        }
        return;
    }
    v->fd = fd;
    v->in_n = v->out_n = v->out_done = 0;
    v->more = false;
    v->cursor = NAN;
    if (!may_visit(s, fd) || loop_add(&v->watch, fd, EPOLLIN, on_visitor) < 0) {
        close(fd);
        v->fd = -1;
        return;
    }
    timer_set(&v->limit, on_too_long, SERVICE_TIME_S * 1000);
}

// A socket file whose server is gone is in the way.
static void remove_stale(const struct sockaddr_un *un, socklen_t n)
{
    struct stat st;

    if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)un, n) < 0 && errno == ECONNREFUSED)
        unlink(un->sun_path);
    if (fd >= 0)
        close(fd);
}

int visits_listen(struct service *s, const struct sockaddr *addr, socklen_t n, mode_t mode)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
    bool file = addr->sa_family == AF_UNIX && un->sun_path[0];
    int on = 1;

    for (size_t i = 0; i < SERVICE_VISITS; i++) {
        s->visits[i].service = s;
        s->visits[i].fd = -1;
    }
    s->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return -errno;
    if (file)
        remove_stale(un, n);
    if (addr->sa_family != AF_UNIX)
        (void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    mode_t before = umask(0777 & ~mode);
    int bad = bind(s->fd, addr, n) < 0 ? -errno : 0;
    umask(before);
    if (!bad && file)
        s->unlink = xstrdup(un->sun_path);
    if (!bad && listen(s->fd, 16) < 0)
        bad = -errno;
    if (!bad)
        bad = loop_add(&s->watch, s->fd, EPOLLIN, on_knock);
    if (bad)
        visits_close(s);
    return bad;
}

void visits_close(struct service *s)
{
    if (s->fd < 0)
        return;
    for (size_t i = 0; i < SERVICE_VISITS; i++)
        if (s->visits[i].fd >= 0)
            leave(&s->visits[i]);
    timer_clear(&s->pause);
    loop_del(&s->watch);
    close(s->fd);
    s->fd = -1;
    if (s->unlink)
        unlink(s->unlink);
    free(s->unlink);
    s->unlink = NULL;
}

int visits_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_n, char *error, size_t error_n)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const char *colon = strrchr(text, ':');
    char name[64];
    uint64_t port;

    memset(ret, 0, sizeof *ret);
    if (strncmp(text, "unix:", 5) == 0) {
        if (!text[5] || strlen(text + 5) >= sizeof un.sun_path) {
            snprintf(error, error_n, "%.200s: the path is empty or longer than %zu bytes", text, sizeof un.sun_path - 1);
            return -EINVAL;
        }
        strcpy(un.sun_path, text + 5);
        memcpy(ret, &un, sizeof un);
        *ret_n = sizeof un;
        return 0;
    }
    size_t n = colon ? (size_t)(colon - text) : sizeof name;
    bool ok = n < sizeof name && str_to_u64(str_from(colon + 1), &port) && port >= 1 && port <= 65535;
    if (ok) {
        bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
        snprintf(name, sizeof name, "%.*s", (int)(n - (brackets ? 2 : 0)), text + (brackets ? 1 : 0));
        v4.sin_port = v6.sin6_port = htons((uint16_t)port);
        if (brackets && inet_pton(AF_INET6, name, &v6.sin6_addr) == 1) {
            memcpy(ret, &v6, sizeof v6);
            *ret_n = sizeof v6;
        } else if (!brackets && (!*name || strcmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &v4.sin_addr) == 1)) {
            memcpy(ret, &v4, sizeof v4);
            *ret_n = sizeof v4;
        } else {
            ok = false;
        }
    }
    if (!ok)
        snprintf(error, error_n, "%.200s: an IP address with a port (127.0.0.1:9750, [::1]:9750), :PORT or unix:PATH is wanted",
                 text);
    return ok ? 0 : -EINVAL;
}
