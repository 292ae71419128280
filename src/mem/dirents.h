// SPDX-License-Identifier: Apache-2.0
// A directory's entries as getdents64(2) gives them: into the caller's buffer, so that a look allocates nothing, as opendir(3) would.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct dirent_raw {
    uint64_t ino;
    int64_t off;
    unsigned short reclen; // to the next entry
    unsigned char type;
    char name[];
};

// Fills buf, which is aligned to 8. Bytes, 0 at the end, or -1 with errno.
static inline long dirents_read(int fd, void *buf, size_t size)
{
    return syscall(SYS_getdents64, fd, buf, size);
}
