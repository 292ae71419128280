// SPDX-License-Identifier: Apache-2.0
// Lines of a kernel file of any length, read through the caller's buffer. A line longer than the buffer is handed out cut off.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct lines {
    int fd;
    char *buf;
    size_t size, at, have;
    bool end, skip; // end of file; the rest of a cut line is passed over
};

void lines_init(struct lines *l, int fd, char *buf, size_t size);
// The next line without its newline, writable, valid until the next call: 1; 0 at the end; -errno.
int lines_next(struct lines *l, char **ret);
