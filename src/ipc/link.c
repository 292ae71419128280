// SPDX-License-Identifier: Apache-2.0
// The channel between the edge and one worker. Runs in master (open), edge and worker; owns nothing. Invariants: each write
// is at most PIPE_BUF, so it is done as a whole or not at all; what is handed out fits its row of tbl/messages.def.
#include "ipc/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"

#define IS_UP(from, to) (MSG_ROLE_##from == MSG_ROLE_WORKER && MSG_ROLE_##to == MSG_ROLE_EDGE)
#define IS_DOWN(from, to) (MSG_ROLE_##from == MSG_ROLE_EDGE && MSG_ROLE_##to == MSG_ROLE_WORKER)
#define MSG(name, from, to, type, tail, fds_min, fds_max, text)                                                                  \
    _Static_assert(!IS_UP(from, to) || (!(fds_max) && MSG_HEAD_BYTES + sizeof(type) + (tail) <= LINK_UP_BYTES), "fits a packet");             \
    _Static_assert(!IS_DOWN(from, to) || (fds_min) || MSG_HEAD_BYTES + sizeof(type) + (tail) <= LINK_FRAME_BYTES, "fits a frame");
#include "tbl/messages.def"
#undef MSG
_Static_assert(LINK_UP_BYTES <= PIPE_BUF && LINK_FRAME_BYTES <= PIPE_BUF, "pipe writes are atomic");

void link_close(int fds[LINK_FDS])
{
    for (int i = 0; i < LINK_FDS; i++)
        fd_close(&fds[i]);
}

// gVisor's pipes have no packets: there a socket pair does the same.
static int open_up(int ret_ends[2])
{
    if (pipe2(ret_ends, O_CLOEXEC | O_DIRECT) == 0)
        return 0;
    return errno == EINVAL ? msg_pair(ret_ends) : -errno;
}

int link_open(int ret_edge[LINK_FDS], int ret_worker[LINK_FDS])
{
    int down[2] = {-1, -1}, up[2] = {-1, -1}, files[2] = {-1, -1}, rc;

    rc = pipe2(down, O_CLOEXEC) < 0 ? -errno : open_up(up);
    if (!rc)
        rc = msg_pair(files);
    // One way only: what a broken worker sends, with descriptors perhaps, is refused instead of lying there.
    if (!rc && shutdown(files[0], SHUT_RD) < 0)
        rc = -errno;
    int edge[LINK_FDS] = {down[1], up[0], files[0]}, worker[LINK_FDS] = {down[0], up[1], files[1]};
    for (int i = 0; i < LINK_FDS && !rc; i++)
        rc = fd_set_nonblock(edge[i], true);
    if (rc) {
        link_close(edge);
        link_close(worker);
        return rc;
    }
    memcpy(ret_edge, edge, sizeof edge);
    memcpy(ret_worker, worker, sizeof worker);
    return 0;
}

int link_send(int fd, enum msg_type type, const void *body, const void *tail, size_t tail_n)
{
    char data[LINK_UP_BYTES];
    bool down = msg_goes(type, MSG_ROLE_EDGE, MSG_ROLE_WORKER);

    must(down || msg_goes(type, MSG_ROLE_WORKER, MSG_ROLE_EDGE));
    size_t n = msg_encode(data, type, body, tail, tail_n);
    if (down) {
        memset(data + n, 0, LINK_FRAME_BYTES - n);
        n = LINK_FRAME_BYTES;
    }
    for (;;) {
        if (write(fd, data, n) >= 0)
            return 0;
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}

static int receive(int fd, void *data, size_t cap)
{
    ssize_t n;

    while ((n = read(fd, data, cap)) < 0)
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return (int)n;
}

int link_decode_frame(const void *data, size_t n, struct msg *ret_msg)
{
    size_t exact = msg_bytes(data, n);

    if (n != LINK_FRAME_BYTES || exact > n)
        return -EPROTO;
    return msg_decode(data, exact ? exact : n, 0, MSG_ROLE_EDGE, MSG_ROLE_WORKER, ret_msg);
}

static void comes_alone(struct msg *m)
{
    m->n_fds = 0;
    m->pid = 0;
    m->uid = (uid_t)-1;
}

int link_recv_down(int fd, struct msg *ret_msg)
{
    char data[LINK_FRAME_BYTES];
    int n = receive(fd, data, sizeof data);

    comes_alone(ret_msg);
    return n <= 0 ? n : link_decode_frame(data, (size_t)n, ret_msg);
}

int link_recv_up(int fd, struct msg *ret_msg)
{
    char data[LINK_UP_BYTES];
    int n = receive(fd, data, sizeof data);

    comes_alone(ret_msg);
    return n <= 0 ? n : msg_decode(data, (size_t)n, 0, MSG_ROLE_WORKER, MSG_ROLE_EDGE, ret_msg);
}

bool link_has_unread(int fd)
{
    int n = 0;

    return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}
