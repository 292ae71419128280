// SPDX-License-Identifier: Apache-2.0
// Asks a running watch. Runs in xray; owns one socket for the time of the question.
#include "watch/watch_client.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"

int watch_socket_address(const char *name, uint64_t ino, struct sockaddr_un *ret, socklen_t *ret_n)
{
    char own[64];

    if (!name) {
        snprintf(own, sizeof own, "@plimsoll-watch-%" PRIu64, ino);
        name = own;
    }
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof ret->sun_path)
        return -ENAMETOOLONG;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, n);
    *ret_n = sizeof *ret;
    if (*name == '@') { // an abstract name is as long as it is said to be
        ret->sun_path[0] = '\0';
        *ret_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    }
    return 0;
}

// 0 once fd is ready; -ETIMEDOUT.
static int wait_for(int fd, short events, uint64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    uint64_t now = clock_ms();

    int n = now >= until_ms ? 0 : poll(&p, 1, (int)(until_ms - now));
    return n > 0 || (n < 0 && errno == EINTR) ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int check_peer(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
        return -errno;
    return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EACCES;
}

static int send_request(int fd, const char *request, uint64_t until_ms)
{
    char line[64];

    int n = snprintf(line, sizeof line, "%s\n", request);
    if (n < 0 || n >= (int)sizeof line)
        return -EINVAL;
    int r = wait_for(fd, POLLOUT, until_ms);
    if (r < 0)
        return r;
    ssize_t done = send(fd, line, (size_t)n, MSG_NOSIGNAL);
    return done == n ? 0 : done < 0 ? -errno : -EPROTO;
}

static int read_answer(int fd, uint64_t until_ms, size_t max, char **ret_text, size_t *ret_n)
{
    size_t n = 0, cap = 65536;
    char *text = malloc(cap);
    int r = text ? 0 : -ENOMEM;

    while (r == 0) {
        if (n + 1 == cap) {
            char *more = n > max ? NULL : realloc(text, cap * 2);
            if (!more) {
                r = n > max ? -EMSGSIZE : -ENOMEM;
                break;
            }
            text = more;
            cap *= 2;
        }
        r = wait_for(fd, POLLIN, until_ms);
        if (r < 0)
            break;
        ssize_t got = recv(fd, text + n, cap - 1 - n, 0);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            r = -errno;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    if (r == 0 && n == 0)
        r = -EACCES; // it hung up: we aren't its user
    else if (r == 0 && n > max)
        r = -EMSGSIZE;
    else if (r == 0 && n > 6 && strncmp(text, "error:", 6) == 0)
        r = -EPROTO;
    if (r < 0) {
        free(text);
        return r;
    }
    text[n] = '\0';
    *ret_text = text;
    *ret_n = n;
    return 0;
}

// A connection, still without a word said. The descriptor or -errno.
static int knock(const char *name, uint64_t ino)
{
    struct sockaddr_un addr;
    socklen_t addr_n;

    int r = watch_socket_address(name, ino, &addr, &addr_n);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = connect(fd, (struct sockaddr *)&addr, addr_n) < 0 ? -errno : check_peer(fd);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

int watch_check(const char *name, uint64_t ino)
{
    int fd = knock(name, ino);

    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int watch_ask(const char *name, uint64_t ino, const char *request, int timeout_ms, size_t max, char **ret_text, size_t *ret_n)
{
    uint64_t until = clock_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);

    int fd = knock(name, ino);
    if (fd < 0)
        return fd;
    int r = send_request(fd, request, until);
    if (r == 0)
        r = read_answer(fd, until, max, ret_text, ret_n);
    close(fd);
    return r;
}
