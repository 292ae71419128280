// SPDX-License-Identifier: Apache-2.0
// Small calls on descriptors. Runs in every process; owns nothing.
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int set_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0 || fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0)
        return -errno;
    return 0;
}

int fd_set_nonblock(int fd, bool on)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

const char *fd_why(int error)
{
    return error == EMFILE   ? "out of file descriptors: ulimit -n 1024 (docker run --ulimit nofile=1024)"
           : error == ENFILE ? "the machine is out of file descriptors: sysctl fs.file-max"
                             : strerror(error);
}

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int fd_write_all(int fd, const void *data, size_t n)
{
    const char *p = data;

    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int fd_read_file(int dir_fd, const char *path, size_t max, char **ret_text, size_t *ret_n)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    // The size that fstat tells is 0 for kernel files, so read until the end.
    size_t cap = 4096, n = 0;
    char *text = malloc(cap + 1);
    int rc = text ? 0 : -ENOMEM;
    while (!rc) {
        if (n == cap) {
            if (cap > max) {
                rc = -EFBIG;
                break;
            }
            char *grown = realloc(text, cap * 2 + 1);
            if (!grown) {
                rc = -ENOMEM;
                break;
            }
            text = grown;
            cap *= 2;
        }
        ssize_t r = read(fd, text + n, cap - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            rc = -errno;
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    close(fd);
    if (!rc && n > max)
        rc = -EFBIG;
    if (rc) {
        free(text);
        return rc;
    }
    text[n] = '\0';
    *ret_text = text;
    if (ret_n)
        *ret_n = n;
    return 0;
}

int fd_unlinked_file(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -errno;
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/.plimsoll-XXXXXX", dir) >= sizeof path)
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

bool fd_is_in_memory(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}
