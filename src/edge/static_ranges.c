// SPDX-License-Identifier: Apache-2.0
// multipart/byteranges answers. Runs in the edge. Each part has a descriptor of its own, as the transport takes them over
// and sends them when it can; all are had before the first byte goes out.
#include "edge/static_ranges.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "edge/req.h"

#define STR_NONE ((struct str){"", 0})

static bool dup_all(int fd, int *fds, int n)
{
    for (int i = 0; i < n - 1; i++) {
        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0) {
            while (i-- > 0)
                close(fds[i]);
            return false;
        }
    }
    fds[n - 1] = fd;
    return true;
}

// A boundary that a file can't hold on purpose.
static struct str make_boundary(struct req *r)
{
    uint64_t random[2] = {0, 0};

    (void)getrandom(random, sizeof random, GRND_NONBLOCK);
    return arena_printf(&r->arena, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
}

bool static_ranges_answer(struct req *r, int fd, int64_t size, const struct range *ranges, int n_ranges, struct str type,
                          struct field *fields, size_t n)
{
    int fds[RANGES_MAX];
    struct str heads[RANGES_MAX];

    if (!dup_all(fd, fds, n_ranges))
        return false;
    struct str boundary = make_boundary(r);
    struct str end = arena_printf(&r->arena, "\r\n--%.*s--\r\n", STR_ARG(boundary));
    int64_t total = (int64_t)end.n;
    for (int i = 0; i < n_ranges; i++) {
        unsigned long long first = ranges[i].first, last = first + ranges[i].n - 1;
        heads[i] = arena_printf(&r->arena, "%s--%.*s\r\nContent-Type: %.*s\r\nContent-Range: bytes %llu-%llu/%lld\r\n\r\n",
                                i ? "\r\n" : "", STR_ARG(boundary), STR_ARG(type), first, last, (long long)size);
        total += (int64_t)(heads[i].n + ranges[i].n);
    }
    struct str multipart = arena_printf(&r->arena, "multipart/byteranges; boundary=%.*s", STR_ARG(boundary));
    fields[n] = (struct field){STR("Content-Type"), multipart, FIELD_CONTENT_TYPE};
    req_head(r, 206, fields, n + 1, total);
    for (int i = 0; i < n_ranges; i++) {
        // A few KiB in all at most: less than any transport's buffer, so a short write is a broken transport.
        if (req_write(r, heads[i], STR_NONE, false) != heads[i].n) {
            req_cut(r, "the transport took no part header");
            while (i < n_ranges)
                close(fds[i++]);
            return true;
        }
        req_file(r, fds[i], (int64_t)ranges[i].first, (int64_t)ranges[i].n, false);
    }
    if (req_write(r, end, STR_NONE, true) != end.n)
        req_cut(r, "the transport took no last boundary");
    return true;
}
