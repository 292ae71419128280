// SPDX-License-Identifier: Apache-2.0
// Opens listening sockets. Runs in the master. Owns nothing.
#include "master/listen_open.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// The kernel lowers it to net.core.somaxconn. Connections wait here while an edge is replaced.
#define BACKLOG 4096

#define NO_NAME (-EADDRNOTAVAIL)

static int bind_and_listen(const struct sockaddr *sa, socklen_t n, bool both_families)
{
    int on = 1, off = 0;

    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (sa->sa_family != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (sa->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? &off : &on, sizeof on);
    if (bind(fd, sa, n) < 0 || listen(fd, BACKLOG) < 0) {
        int err = errno;
        close(fd);
        return -err;
    }
    return fd;
}

static int listen_any(uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};

    int fd = bind_and_listen((const struct sockaddr *)&six, sizeof six, true);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
        fd = bind_and_listen((const struct sockaddr *)&four, sizeof four, false);
    return fd;
}

int listen_inet(const char *host, uint16_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    char service[8];
    int fd = NO_NAME;

    if (!host || !*host)
        return listen_any(port);
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return NO_NAME;
    // A name may have several addresses (localhost: ::1 and 127.0.0.1): the IPv4 one is what most clients mean.
    for (int pass = 0; pass < 2 && fd < 0; pass++)
        for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
            if ((a->ai_family == AF_INET) == (pass == 0))
                fd = bind_and_listen(a->ai_addr, a->ai_addrlen, false);
    freeaddrinfo(found);
    return fd;
}

// Replaces the file if it is a socket that nobody listens on any more.
static int remove_stale(const struct sockaddr_un *un)
{
    struct stat st;

    if (lstat(un->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int rc = connect(fd, (const struct sockaddr *)un, sizeof *un);
    int err = errno;
    close(fd);
    if (rc == 0 || err != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(un->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int listen_unix(const char *path, mode_t mode)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof un.sun_path)
        return -ENAMETOOLONG;
    memcpy(un.sun_path, path, strlen(path) + 1);
    int rc = remove_stale(&un);
    if (rc)
        return rc;
    mode_t old = umask(0777 & ~mode);
    int fd = bind_and_listen((const struct sockaddr *)&un, sizeof un, false);
    umask(old);
    return fd;
}

static const char *hint(const struct conf_listen *l, int error)
{
    switch (-error) {
    case EACCES:
        return l->is_unix ? "; the folder must be writable for this user"
                          : "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE";
    case EADDRINUSE:
        return l->is_unix ? "; another server answers there"
                          : "; another program listens there ('ss -ltnp' tells which), or choose another address";
    case EADDRNOTAVAIL:
        return "; this machine has no such address";
    case ENOENT:
        return l->is_unix ? "; its folder does not exist" : "";
    case EEXIST:
        return "; a file that is not a socket is in the way";
    case ENAMETOOLONG:
        return "; the system allows 107 bytes";
    default:
        return "";
    }
}

void listen_explain(const struct conf_listen *l, int error, char *why, size_t why_cap)
{
    snprintf(why, why_cap, "can't listen on %s: %s%s", l->text, strerror(-error), hint(l, error));
}
