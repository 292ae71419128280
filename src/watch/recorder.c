// SPDX-License-Identifier: Apache-2.0
// Writes a recording. Runs in watch; owns the file's descriptor. Invariant: what is in the file are whole rows under one header;
// a row that could be written only in part is ended by a newline, and readers pass it over.
#include "watch/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/recording.h"

// Fields that come to be known later than at the first look: heaps that are split in turn, requests, smaps_rollup.
static const enum mem_field later[] = {MEM_nprocs,       MEM_nthreads,      MEM_sum_rss,  MEM_sum_rss_anon,
                                       MEM_sum_rss_file, MEM_sum_rss_shmem, MEM_sum_pss,  MEM_sum_pss_anon,
                                       MEM_sum_pss_file, MEM_sum_pss_shmem, MEM_mnt_used, MEM_mnt_inodes,
                                       MEM_php_heap,     MEM_go_heap,       MEM_native,   MEM_deleted_files,
                                       MEM_segments,     MEM_kernel_pinned, MEM_requests, MEM_sum_private_dirty};

void recorder_columns(enum mem_kind kind, const struct mem_sample *first, uint64_t ret_columns[2])
{
    ret_columns[0] = first->known[0];
    ret_columns[1] = first->known[1];
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (kind != MEM_KIND_GVISOR ||
            (later[i] != MEM_sum_rss_anon && later[i] != MEM_sum_rss_file && later[i] != MEM_sum_rss_shmem))
            ret_columns[later[i] / 64] |= UINT64_C(1) << (later[i] % 64);
}

static size_t header(const struct recorder *r, char *text, size_t cap)
{
    return recording_header(r->v2 ? RECORDING_V2 : RECORDING_V1, r->columns, text, cap);
}

static int write_row(struct recorder *r, const char *text, size_t n)
{
    size_t done = 0;
    int error = 0;

    while (done < n && !error) {
        ssize_t w = write(r->fd, text + done, n - done);
        if (w >= 0)
            done += (size_t)w;
        else if (errno != EINTR)
            error = -errno;
    }
    r->size += (int64_t)done;
    // The disk is full, or memory is: end the row that was begun; if that fails as well, the next start does it.
    if (error && done && write(r->fd, "\n", 1) == 1)
        r->size++;
    return error;
}

// Is the file's header ours? -ENODATA: it is empty.
static int compare_header(const struct recorder *r, int fd)
{
    char ours[RECORDING_TEXT_MAX], theirs[RECORDING_TEXT_MAX];
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) // a pipe or a device: written to, never read
        return -ENODATA;
    size_t n = header(r, ours, sizeof ours);
    ssize_t got = pread(fd, theirs, n, 0);
    if (got < 0)
        return -errno;
    if (got == 0)
        return -ENODATA;
    return (size_t)got == n && memcmp(ours, theirs, n) == 0 ? 0 : -EBADMSG;
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    return fd < 0 ? -errno : fd;
}

static void move_away(const char *path)
{
    char old[4096];
    struct stat st;

    if (lstat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))) // a device stays where it is
        return;
    if ((size_t)snprintf(old, sizeof old, "%s.1", path) < sizeof old)
        (void)rename(path, old);
}

// A new descriptor for the path, at the place where the next row goes. 0 or -errno.
static int begin(struct recorder *r, int *ret_fd, int64_t *ret_size)
{
    char text[RECORDING_TEXT_MAX], last;
    struct stat st;

    int fd = open_file(r->path);
    if (fd < 0)
        return fd;
    int same = compare_header(r, fd);
    if (same == -EBADMSG || (same == 0 && fstat(fd, &st) == 0 && st.st_size >= r->max)) {
        close(fd);
        move_away(r->path);
        fd = open_file(r->path);
        if (fd < 0)
            return fd;
        same = compare_header(r, fd);
        // It couldn't be moved: neither is a foreign file written into nor ours made larger.
        int bad = same == -EBADMSG ? -EEXIST : same == 0 ? -EFBIG : 0;
        if (bad) {
            close(fd);
            return bad;
        }
    }
    size_t n = 0;
    if (same != 0) // empty, or a pipe, which can't be looked into
        n = header(r, text, sizeof text);
    else if (fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
        text[n++] = '\n'; // the last run ended in the middle of a row
    struct recorder new = {.fd = fd};
    int bad = n ? write_row(&new, text, n) : 0;
    if (bad) {
        close(fd);
        return bad;
    }
    *ret_size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
    *ret_fd = fd;
    return 0;
}

int recorder_open(struct recorder *r, const char *path, int64_t max, enum mem_kind kind, const struct mem_sample *first)
{
    *r = (struct recorder){.path = path, .max = max, .fd = -1, .v2 = kind == MEM_KIND_V2};
    recorder_columns(kind, first, r->columns);
    return begin(r, &r->fd, &r->size);
}

int recorder_reopen(struct recorder *r)
{
    int fd;
    int64_t size;

    int bad = begin(r, &fd, &size);
    if (bad)
        return bad;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = fd;
    r->size = size;
    return 0;
}

int recorder_write(struct recorder *r, const struct mem_sample *s)
{
    char text[RECORDING_TEXT_MAX];

    if (r->fd < 0 || r->size >= r->max) {
        int bad = recorder_reopen(r);
        if (bad)
            return bad;
    }
    size_t n = recording_row(s, r->columns, text, sizeof text);
    return n ? write_row(r, text, n) : -EMSGSIZE;
}

void recorder_close(struct recorder *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}
