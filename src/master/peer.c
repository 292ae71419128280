// SPDX-License-Identifier: Apache-2.0
// The master's channel ends. Runs in the master. Owns the descriptors and the queued messages.
// Invariant: messages leave in the order they were sent; EPOLLOUT is watched for exactly while the queue is not empty.
#include "master/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"

// A peer that lets this many messages lie is stuck: it is treated as gone.
#define QUEUE_MAX 8192

struct peer_msg {
    struct peer_msg *next;
    enum msg_type type;
    unsigned n_fds;
    int fds[MSG_FDS_MAX];
    _Alignas(8) char body[MSG_BODY_MAX];
};

static void free_msg(struct peer_msg *m)
{
    for (unsigned i = 0; i < m->n_fds; i++)
        close(m->fds[i]);
    free(m);
}

void peer_close(struct peer *p)
{
    if (p->fd < 0)
        return;
    loop_del(&p->watch);
    fd_close(&p->fd);
    while (p->out) {
        struct peer_msg *m = p->out;
        p->out = m->next;
        free_msg(m);
    }
    p->n_out = 0;
}

static void lost(struct peer *p)
{
    peer_close(p);
    p->fn(p, NULL);
}

static int flush(struct peer *p)
{
    while (p->out) {
        struct peer_msg *m = p->out;
        int rc = msg_send(p->fd, m->type, m->body, NULL, 0, m->fds, m->n_fds);
        // ETOOMANYREFS: too many descriptors under way to processes that did not read them yet; later it goes.
        if (rc == -EAGAIN || rc == -ETOOMANYREFS)
            return 0;
        if (rc)
            return rc;
        p->out = m->next;
        p->n_out--;
        free_msg(m);
    }
    p->out_end = &p->out;
    loop_mod(&p->watch, EPOLLIN);
    return 0;
}

// One message a call: the callback may free the peer, and the loop comes back while there is more.
// Returns false when there was nothing or the peer is gone.
static bool receive(struct peer *p)
{
    struct msg m;

    int rc = msg_recv(p->fd, p->role, MSG_ROLE_MASTER, &m);
    if (rc == -EAGAIN)
        return false;
    if (rc <= 0) {
        if (rc < 0)
            log_error("channel to a process broke: %s", strerror(-rc));
        lost(p);
        return false;
    }
    p->fn(p, &m);
    msg_close_fds(&m);
    return true;
}

static void on_event(struct watch *w, uint32_t events)
{
    struct peer *p = container_of(w, struct peer, watch);

    if ((events & EPOLLOUT) && flush(p) < 0 && !(events & (EPOLLIN | EPOLLHUP))) {
        lost(p);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        (void)receive(p);
}

void peer_drain(struct peer *p)
{
    // Bounded: a broken peer's child may hold the other end and talk on.
    for (int i = 0; i < 64 && p->fd >= 0; i++)
        if (!receive(p))
            return;
}

int peer_open(struct peer *p, int fd, enum msg_role role, peer_fn fn)
{
    *p = (struct peer){.fd = fd, .role = role, .fn = fn};
    p->out_end = &p->out;
    int rc = fd_set_nonblock(fd, true);
    if (!rc)
        rc = loop_add(&p->watch, fd, EPOLLIN, on_event);
    if (rc)
        fd_close(&p->fd);
    return rc;
}

static bool queue(struct peer *p, enum msg_type type, const void *body, size_t body_n, const int *fds, unsigned n_fds)
{
    if (p->n_out >= QUEUE_MAX)
        return false;
    struct peer_msg *m = xcalloc(1, sizeof *m);
    m->type = type;
    memcpy(m->body, body, body_n);
    for (unsigned i = 0; i < n_fds; i++) {
        m->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (m->fds[i] < 0) {
            log_error("can't keep a descriptor for %s: %s", msg_name(type), strerror(errno));
            free_msg(m);
            return false;
        }
        m->n_fds++;
    }
    *p->out_end = m;
    p->out_end = &m->next;
    p->n_out++;
    loop_mod(&p->watch, EPOLLIN | EPOLLOUT);
    return true;
}

static size_t body_bytes(enum msg_type type)
{
    static const size_t bytes[MSG_TYPES] = {
#define MSG(name, from, to, type_, tail, fds_min, fds_max, text) [MSG_##name] = sizeof(type_),
#include "tbl/messages.def"
#undef MSG
    };
    return bytes[type];
}

bool peer_send(struct peer *p, enum msg_type type, const void *body, const int *fds, unsigned n_fds)
{
    if (p->fd < 0)
        return false;
    if (!p->out) {
        int rc = msg_send(p->fd, type, body, NULL, 0, fds, n_fds);
        if (!rc)
            return true;
        if (rc != -EAGAIN && rc != -ETOOMANYREFS)
            return false;
    }
    return queue(p, type, body, body_bytes(type), fds, n_fds);
}
