// SPDX-License-Identifier: Apache-2.0
// The shared memory between edge and worker. Runs in master (create), edge and worker (map).
#include "ipc/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int chan_create(void)
{
    int fd = memfd_create("plimsoll-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, CHAN_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        int err = errno;
        close(fd);
        return -err;
    }
    return fd;
}

int chan_map(int fd, struct chan *ret_chan)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    int seals = fcntl(fd, F_GET_SEALS);
    if (st.st_size != CHAN_BYTES || seals < 0 || (seals & SEALS) != SEALS)
        return -EBADMSG;
    char *base = mmap(NULL, CHAN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    ret_chan->flags = (struct chan_flags *)(void *)base;
    ret_chan->request = base + CHAN_FLAGS_BYTES;
    ret_chan->body = ret_chan->request + CHAN_REQUEST_BYTES;
    ret_chan->resp = ret_chan->body + CHAN_BODY_BYTES;
    return 0;
}

void chan_unmap(struct chan *c)
{
    if (c->flags)
        munmap(c->flags, CHAN_BYTES);
    memset(c, 0, sizeof *c);
}

struct str ring_piece(const char *base, uint32_t size, uint64_t pos, size_t n)
{
    size_t at = (size_t)(pos & (size - 1)), run = size - at;
    return (struct str){base + at, n < run ? n : run};
}

void ring_write(char *base, uint32_t size, uint64_t pos, const void *src, size_t n)
{
    must(n <= size);
    struct str first = ring_piece(base, size, pos, n);
    memcpy(base + (first.p - base), src, first.n);
    if (n > first.n)
        memcpy(base, (const char *)src + first.n, n - first.n);
}

void ring_read(const char *base, uint32_t size, uint64_t pos, void *dst, size_t n)
{
    must(n <= size);
    struct str first = ring_piece(base, size, pos, n);
    memcpy(dst, first.p, first.n);
    if (n > first.n)
        memcpy((char *)dst + first.n, base, n - first.n);
}
