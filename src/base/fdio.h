// SPDX-License-Identifier: Apache-2.0
// Small calls on descriptors that would otherwise be written in every process. All return 0 (or a count) or -errno.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
// strerror(error), but for a lack of descriptors with the cure.
const char *fd_why(int error);
// Closes *fd if it is not -1, and makes it -1.
void fd_close(int *fd);
// Writes all, also past EINTR and short writes (blocking descriptors only).
int fd_write_all(int fd, const void *data, size_t n);
// Whole file into malloc'ed memory with a NUL behind it; -EFBIG beyond max.
int fd_read_file(int dir_fd, const char *path, size_t max, char **ret_text, size_t *ret_n);
// An unlinked read-write file in dir: O_TMPFILE, else a made name unlinked at once. Returns the descriptor or -errno.
int fd_unlinked_file(const char *dir);
// True if the path lies on tmpfs or ramfs (statfs(2)).
bool fd_is_in_memory(const char *path);
