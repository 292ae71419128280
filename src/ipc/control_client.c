// SPDX-License-Identifier: Apache-2.0
// The client's side of the control socket. Runs in the cli; owns the connection's buffers, the caller its descriptor.
#include "ipc/control_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fdio.h"

#define LINE_MAX_BYTES 65536

int control_ask(const char *path, const char *command)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char line[64];

    size_t n = strlen(path), m = strlen(command);
    if (n >= sizeof sa.sun_path || m + 1 >= sizeof line)
        return -ENAMETOOLONG;
    memcpy(sa.sun_path, path, n);
    memcpy(line, command, m);
    line[m] = '\n';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = 0;
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        rc = -errno;
    else if (send(fd, line, m + 1, MSG_NOSIGNAL) != (ssize_t)(m + 1))
        rc = -EPIPE;
    if (rc)
        fd_close(&fd);
    return rc ? rc : fd;
}

static ssize_t read_some(int fd, struct buf *b)
{
    ssize_t n;

    do
        n = read(fd, buf_reserve(b, 4096), 4096);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        b->n += (size_t)n;
    return n < 0 ? -errno : n;
}

int control_read_all(int fd, size_t max, struct buf *ret_answer)
{
    ssize_t n;

    while ((n = read_some(fd, ret_answer)) > 0)
        if (ret_answer->n > max)
            return -EFBIG;
    return (int)n;
}

int control_read_lines(int fd, control_line_fn fn, void *arg)
{
    struct buf b = BUF_INIT;
    ssize_t n;

    while ((n = read_some(fd, &b)) > 0) {
        char *end;
        while ((end = memchr(b.p, '\n', b.n))) {
            *end = '\0';
            fn(b.p, arg);
            buf_drop(&b, (size_t)(end - b.p) + 1);
        }
        if (b.n > LINE_MAX_BYTES) {
            n = -EFBIG;
            break;
        }
    }
    if (n == 0 && b.n) { // a last line without its end: the server died while it wrote
        buf_add(&b, "", 1);
        fn(b.p, arg);
    }
    buf_done(&b);
    return (int)n;
}
