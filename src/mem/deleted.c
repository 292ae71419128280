// SPDX-License-Identifier: Apache-2.0
// What processes have open though no directory names it any more. Owns nothing between calls. Invariant: only files whose link
// count is 0 count, whatever a name says.
#include "mem/deleted.h"

#include "mem/dirents.h"
#include "mem/kfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

// Of a file system that no mountpoint shows (unmounted while in use, another mount namespace).
static bool is_on_tmpfs(int fds, const char *name)
{
    struct statfs st;
    int fd = kfile_open(fds, name, O_PATH | O_CLOEXEC);
    bool is = fd >= 0 && fstatfs(fd, &st) == 0 && (st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC);
    if (fd >= 0)
        close(fd);
    return is;
}

static void look_at(struct segments *g, int fds, const char *name, pid_t pid, segments_dev_fn in_memory, void *arg)
{
    char path[512];
    ssize_t n = readlinkat(fds, name, path, sizeof path - 1);
    if (n <= 0)
        return;
    path[n] = '\0';
    // A longer path is cut off before " (deleted)": then only the link count can tell.
    enum segment_kind kind = SEGMENT_DELETED;
    if (path[0] != '/' || (!segments_kind_of(path, &kind) && n < (ssize_t)sizeof path - 1))
        return;
    struct stat st;
    if (kfile_stat(fds, name, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 0)
        return;
    if (kind == SEGMENT_DELETED && !in_memory(st.st_dev, arg) && (major(st.st_dev) || !is_on_tmpfs(fds, name)))
        return;
    struct segment *s = segments_get(g, kind, st.st_dev, st.st_ino);
    if (!s) {
        segments_add_more(g,
                          &(struct segment){.kind = kind,
                                            .dev = st.st_dev,
                                            .ino = st.st_ino,
                                            .bytes = (int64_t)st.st_blocks * 512,
                                            .size = st.st_size,
                                            .open = true},
                          pid);
        return;
    }
    segments_hold(s, pid);
    segments_name(s, path);
    if (s->owner == pid)
        s->fd = (int)strtol(name, NULL, 10);
    s->open = true;
    s->estimate = false;
    s->bytes = (int64_t)st.st_blocks * 512;
    s->size = st.st_size;
}

int deleted_read(struct segments *g, int proc_pid, pid_t pid, unsigned fds_max, segments_dev_fn in_memory, void *arg)
{
    int fds = kfile_open(proc_pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fds < 0)
        return -errno;
    _Alignas(8) char buf[4096];
    long got;
    unsigned looked = 0;
    int r = 0;
    while (!r && (got = dirents_read(fds, buf, sizeof buf)) > 0) {
        for (long at = 0; at < got;) {
            const struct dirent_raw *d = (const void *)(buf + at);
            at += d->reclen;
            if (d->name[0] < '0' || d->name[0] > '9')
                continue;
            if (looked++ == fds_max) {
                r = -EOVERFLOW;
                break;
            }
            look_at(g, fds, d->name, pid, in_memory, arg);
        }
    }
    if (!r && got < 0)
        r = -errno;
    close(fds);
    return r;
}
