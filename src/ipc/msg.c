// SPDX-License-Identifier: Apache-2.0
// Messages between processes. Runs in all of them; owns nothing. Invariant: what msg_recv hands out fits its row of
// tbl/messages.def in direction, size and number of descriptors.
#include "ipc/msg.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/die.h"

struct wire_head {
    uint16_t proto, type;
    uint32_t tail_n;
};

struct row {
    const char *name, *text;
    size_t body_n, tail_max;
    unsigned fds_min, fds_max;
    enum msg_role from, to;
};

static const struct row rows[MSG_TYPES] = {
    [MSG_NONE] = {.name = "NONE"},
#define MSG(name_, from_, to_, type_, tail_, min_, max_, text_)                                                                  \
    [MSG_##name_] = {#name_, text_, sizeof(type_), tail_, min_, max_, MSG_ROLE_##from_, MSG_ROLE_##to_},
#include "tbl/messages.def"
#undef MSG
};

_Static_assert(sizeof(struct wire_head) == MSG_HEAD_BYTES, "as told");
#define MSG(name_, from_, to_, type_, tail_, min_, max_, text_)                                                                  \
    _Static_assert(sizeof(type_) <= MSG_BODY_MAX && (tail_) <= MSG_TAIL_MAX && (max_) <= MSG_FDS_MAX, "row fits struct msg");
#include "tbl/messages.def"
#undef MSG

static const char *const role_names[] = {"master", "edge", "mold", "worker"};

const char *msg_name(enum msg_type type)
{
    return (unsigned)type < MSG_TYPES ? rows[type].name : "unknown";
}

void msg_print_reference(void)
{
    printf("# Messages between processes\n\nGenerated from `src/tbl/messages.def`; protocol %d.\n\n", MSG_PROTO);
    printf("| message | from | to | bytes | descriptors | meaning |\n|---|---|---|---|---|---|\n");
    for (unsigned i = 1; i < MSG_TYPES; i++) {
        const struct row *r = &rows[i];
        printf("| %s | %s | %s | %zu", r->name, role_names[r->from], role_names[r->to], r->body_n);
        if (r->tail_max)
            printf(" + up to %zu", r->tail_max);
        printf(r->fds_min == r->fds_max ? " | %u" : " | %u–%u", r->fds_min, r->fds_max);
        printf(" | %s |\n", r->text);
    }
}

int msg_pair(int ret_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

bool msg_goes(enum msg_type type, enum msg_role from, enum msg_role to)
{
    return rows[type].from == from && rows[type].to == to;
}

size_t msg_encode(char *data, enum msg_type type, const void *body, const void *tail, size_t tail_n)
{
    must(type > MSG_NONE && type < MSG_TYPES);
    const struct row *r = &rows[type];
    must(tail_n <= r->tail_max);
    struct wire_head head = {MSG_PROTO, (uint16_t)type, (uint32_t)tail_n};
    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, body, r->body_n);
    if (tail_n)
        memcpy(data + sizeof head + r->body_n, tail, tail_n);
    return sizeof head + r->body_n + tail_n;
}

size_t msg_bytes(const void *data, size_t n)
{
    struct wire_head head;

    if (n < sizeof head)
        return 0;
    memcpy(&head, data, sizeof head);
    return head.type > MSG_NONE && head.type < MSG_TYPES ? sizeof head + rows[head.type].body_n : 0;
}

int msg_send(int fd, enum msg_type type, const void *body, const void *tail, size_t tail_n, const int *fds, unsigned n_fds)
{
    const struct row *r = &rows[type];
    must(type > MSG_NONE && type < MSG_TYPES);
    must(tail_n <= r->tail_max && n_fds >= r->fds_min && n_fds <= r->fds_max);

    struct wire_head head = {MSG_PROTO, (uint16_t)type, (uint32_t)tail_n};
    struct iovec iov[3] = {
        {&head, sizeof head},
        {(void *)(uintptr_t)body, r->body_n},
        {(void *)(uintptr_t)tail, tail_n},
    };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
    } control;
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = tail_n ? 3 : 2};
    if (n_fds) {
        memset(&control, 0, CMSG_SPACE(sizeof(int) * n_fds));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    for (;;) {
        if (sendmsg(fd, &m, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
    }
}

int msg_decode(const void *data, size_t n, unsigned n_fds, enum msg_role from, enum msg_role to, struct msg *ret_msg)
{
    struct wire_head head;

    if (n < sizeof head)
        return -EPROTO;
    memcpy(&head, data, sizeof head);
    if (head.proto != MSG_PROTO)
        return -EPROTONOSUPPORT;
    if (head.type == MSG_NONE || head.type >= MSG_TYPES)
        return -EPROTO;
    const struct row *r = &rows[head.type];
    if (r->from != from || r->to != to || head.tail_n > r->tail_max || n != sizeof head + r->body_n + head.tail_n)
        return -EPROTO;
    if (n_fds < r->fds_min || n_fds > r->fds_max)
        return -EPROTO;
    ret_msg->type = (enum msg_type)head.type;
    memcpy(ret_msg->body, (const char *)data + sizeof head, r->body_n);
    ret_msg->tail_n = head.tail_n;
    memcpy(ret_msg->tail, (const char *)data + sizeof head + r->body_n, head.tail_n);
    ret_msg->tail[head.tail_n] = '\0';
    return 1;
}

// Takes descriptors and credentials out of the control data.
static void read_control(struct msghdr *mh, struct msg *m)
{
    m->n_fds = 0;
    m->pid = 0;
    m->uid = (uid_t)-1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            m->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            must(m->n_fds <= MSG_FDS_MAX);
            memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred cred;
            memcpy(&cred, CMSG_DATA(c), sizeof cred);
            m->pid = cred.pid;
            m->uid = cred.uid;
        }
    }
}

int msg_recv(int fd, enum msg_role from, enum msg_role to, struct msg *ret_msg)
{
    char data[sizeof(struct wire_head) + MSG_BODY_MAX + MSG_TAIL_MAX];
    struct iovec iov = {data, sizeof data};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;

    // ECONNRESET tells, once, that the peer closed with messages of ours unread; what it sent before is still there.
    while ((n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC)) < 0 && (errno == EINTR || errno == ECONNRESET))
        continue;
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    read_control(&mh, ret_msg);
    int rc = n == 0 && !ret_msg->n_fds ? 0
             : mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)
                 ? -EPROTO
                 : msg_decode(data, (size_t)n, ret_msg->n_fds, from, to, ret_msg);
    if (rc <= 0)
        msg_close_fds(ret_msg);
    return rc;
}

void msg_close_fds(struct msg *m)
{
    for (unsigned i = 0; i < m->n_fds; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    m->n_fds = 0;
}
