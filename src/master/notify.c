// SPDX-License-Identifier: Apache-2.0
// The master's word to systemd. Runs in the master. Owns nothing but the address.
#include "master/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/die.h"

static char *variable; // as it was
static struct sockaddr_un address;
static socklen_t address_n; // 0 = nobody listens

void notify_init(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;

    variable = path ? xstrdup(path) : NULL;
    unsetenv("NOTIFY_SOCKET"); // not for PHP
    path = variable;
    address_n = 0;
    if (n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path, n);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; // the abstract namespace
    address_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

const char *notify_socket(void)
{
    return variable;
}

void notify_send(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!address_n)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (n > 0 && (size_t)n < sizeof text)
        (void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&address, address_n);
    close(fd);
}
