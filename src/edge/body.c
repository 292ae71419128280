// SPDX-License-Identifier: Apache-2.0
// A request's body before a worker gets it. Runs in the edge. Invariant: the bytes are either all in mem or all in fd.
#include "edge/body.h"

#include <errno.h>
#include <unistd.h>

#include "base/fdio.h"
#include "ipc/board.h"

void body_init(struct body *b)
{
    *b = (struct body){.fd = -1};
}

void body_done(struct body *b)
{
    buf_done(&b->mem);
    fd_close(&b->fd);
}

int body_add(struct body *b, const char *data, size_t n, size_t memory_max, const char *spool_dir)
{
    if (b->fd < 0 && b->n + n <= memory_max) {
        buf_add(&b->mem, data, n);
        b->n += n;
        return 0;
    }
    int rc = 0;
    if (b->fd < 0) {
        b->fd = fd_unlinked_file(spool_dir);
        if (b->fd < 0) {
            rc = b->fd;
            b->fd = -1;
        } else {
            rc = fd_write_all(b->fd, b->mem.p, b->mem.n);
            count_add(COUNTER_SPOOL_BODY_BYTES, b->mem.n);
            buf_done(&b->mem);
        }
    }
    if (!rc)
        rc = fd_write_all(b->fd, data, n);
    if (rc) {
        count(COUNTER_SPOOL_ERRORS);
        return rc;
    }
    count_add(COUNTER_SPOOL_BODY_BYTES, n);
    b->n += n;
    return 0;
}
