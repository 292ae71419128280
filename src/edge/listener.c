// SPDX-License-Identifier: Apache-2.0
// Accepting connections. Runs in the edge; owns the watches on the listening sockets. When descriptors run out it makes
// room by closing idle connections, else it pauses: clients then wait in the kernel's queue.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "base/log.h"
#include "base/loop.h"
#include "conf/conf.h"
#include "edge/edge_int.h"
#include "ipc/board.h"
#include "ipc/msg_types.h"

#define PAUSE_MS 100
#define ROUND_ACCEPTS 64
#define QUEUE_ROUNDS 64 // as many connections as a backlog of 4096 may hold
#define NOTSENT_LOWAT 16384 // a client that stops reading pins 144 KB of kernel memory instead of 2.8 MB

struct listener {
    struct watch watch;
    struct task task;
    bool admin;
};

static struct listener *listeners;
static size_t n_listeners;
static struct timer pause_timer;
static bool paused;
static uint64_t last_warning_ms;

static void set_paused(bool on)
{
    paused = on;
    for (size_t i = 0; i < n_listeners; i++)
        loop_mod(&listeners[i].watch, on && !listeners[i].admin ? 0 : EPOLLIN);
}

static void on_pause_over(struct timer *t)
{
    set_paused(false);
}

void listener_resume(void)
{
    if (paused && !edge.draining) {
        timer_clear(&pause_timer);
        set_paused(false);
    }
}

static void warn(const char *what)
{
    if (last_warning_ms && loop_now_ms() - last_warning_ms < 10000)
        return;
    last_warning_ms = loop_now_ms();
    log_warning("accepting connections: %s", what);
}

static void pause_accepting(void)
{
    set_paused(true);
    timer_set(&pause_timer, on_pause_over, PAUSE_MS);
}

// Takes what waits, at most ROUND_ACCEPTS; returns true if more may wait.
static bool accept_round(struct listener *l)
{
    struct watch *w = &l->watch;
    struct sockaddr_storage addr;

    for (int i = 0; i < ROUND_ACCEPTS; i++) {
        socklen_t n = sizeof addr;
        int fd = accept4(w->fd, (struct sockaddr *)&addr, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            // Only with the new one in hand: at the limit, and nobody waiting, no idle connection has to go.
            if (!l->admin && edge.n_conns >= edge.max_conns && !conn_close_oldest_idle()) {
                count(COUNTER_CONNECTIONS_REFUSED);
                warn("max_connections is reached and none is idle: new ones are closed");
                close(fd);
                continue;
            }
            conn_accept(fd, l->admin, &addr, n);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return false;
        if (errno == ECONNABORTED || errno == EINTR || errno == EPERM)
            continue;
        count(COUNTER_ACCEPT_ERRORS);
        if ((errno == EMFILE || errno == ENFILE) && conn_close_oldest_idle())
            continue;
        warn(strerror(errno));
        pause_accepting();
        return false;
    }
    return true;
}

static void on_turn(struct task *t)
{
    (void)accept_round(container_of(t, struct listener, task));
}

// After the other callbacks of the round: if DRAIN is among them, whoever connected after it is the next edge's.
static void on_connection(struct watch *w, uint32_t events)
{
    loop_defer(&container_of(w, struct listener, watch)->task, on_turn);
}

void listener_init(const int *fds, size_t n, int admin_fd)
{
    n_listeners = n + (admin_fd >= 0);
    listeners = xcalloc(n_listeners, sizeof *listeners);
    for (size_t i = 0; i < n_listeners; i++) {
        int fd = i < n ? fds[i] : admin_fd, one = 1, lowat = NOTSENT_LOWAT;
        listeners[i].admin = i == n;
        // Accepted sockets inherit both; on a unix socket they fail, which is right.
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
        int rc = loop_add(&listeners[i].watch, fd, EPOLLIN, on_connection);
        if (rc)
            log_error("a listening socket can't be watched: %s", strerror(-rc));
    }
}

static void stop(struct listener *l, bool take_waiting)
{
    int fd = l->watch.fd;

    if (!l->watch.added)
        return;
    // The kernel has accepted those in its queue: closing now would reset them, with their requests in them.
    for (int n = 0; take_waiting && n < QUEUE_ROUNDS && accept_round(l); n++)
        continue;
    loop_undefer(&l->task);
    loop_del(&l->watch);
    close(fd);
}

void listener_stop(uint64_t shared)
{
    for (size_t i = 0; i < n_listeners; i++) {
        struct listener *l = &listeners[i];
        bool is_shared = shared & (l->admin ? DRAIN_ADMIN : DRAIN_LISTENER(i));
        if (!l->admin || is_shared)
            stop(l, !is_shared);
    }
    timer_clear(&pause_timer);
}

void listener_stop_admin(void)
{
    for (size_t i = 0; i < n_listeners; i++)
        if (listeners[i].admin)
            stop(&listeners[i], true);
}
