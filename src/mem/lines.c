// SPDX-License-Identifier: Apache-2.0
// Lines of a kernel file. Owns nothing: descriptor and buffer are the caller's. Invariant: at <= have < size, and buf[at..have)
// holds what was read and not handed out yet.
#include "mem/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void lines_init(struct lines *l, int fd, char *buf, size_t size)
{
    *l = (struct lines){.fd = fd, .buf = buf, .size = size};
}

static int fill(struct lines *l)
{
    if (l->at) {
        memmove(l->buf, l->buf + l->at, l->have - l->at);
        l->have -= l->at;
        l->at = 0;
    }
    ssize_t n;
    do
        n = read(l->fd, l->buf + l->have, l->size - 1 - l->have);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    l->end = n == 0;
    l->have += (size_t)n;
    return 0;
}

int lines_next(struct lines *l, char **ret)
{
    for (;;) {
        char *start = l->buf + l->at, *newline = memchr(start, '\n', l->have - l->at);
        bool full = !newline && l->at == 0 && l->have == l->size - 1;
        if (newline || full || (l->end && l->have > l->at)) {
            char *end = newline ? newline : l->buf + l->have;
            *end = '\0';
            l->at = newline ? (size_t)(end - l->buf) + 1 : l->have;
            bool passed_over = l->skip;
            l->skip = full;
            if (passed_over)
                continue;
            *ret = start;
            return 1;
        }
        if (l->end)
            return 0;
        int r = fill(l);
        if (r < 0)
            return r;
    }
}
