// SPDX-License-Identifier: Apache-2.0
#include "ipc/chan.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../claim.h"

T(two_mappings_share_and_nobody_can_shrink_the_memory)
{
    struct chan a, b;
    int fd = chan_create();

    assert_true(fd >= 0);
    assert_int_equal(chan_map(fd, &a), 0);
    assert_int_equal(chan_map(fd, &b), 0);
    a.resp[5] = 'x';
    assert_int_equal(b.resp[5], 'x');
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, CHAN_BYTES * 2), -1);
    a.resp[CHAN_RESP_BYTES - 1] = 'y'; // still mapped to the end
    chan_unmap(&a);
    chan_unmap(&b);
    close(fd);
}

T(memory_that_could_be_shrunk_is_refused)
{
    struct chan c;
    int fd = memfd_create("x", MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, CHAN_BYTES), 0);
    assert_int_equal(chan_map(fd, &c), -EBADMSG);
    close(fd);
}

T(a_ring_keeps_bytes_across_its_end)
{
    char ring[16], out[10];

    for (uint64_t pos = 0; pos < 40; pos++) {
        memset(ring, 0, sizeof ring);
        ring_write(ring, sizeof ring, pos, "0123456789", 10);
        ring_read(ring, sizeof ring, pos, out, 10);
        assert_memory_equal(out, "0123456789", 10);
        struct str first = ring_piece(ring, sizeof ring, pos, 10);
        assert_int_equal(first.n, 16 - pos % 16 < 10 ? 16 - pos % 16 : 10);
    }
}

CLAIMS(C(two_mappings_share_and_nobody_can_shrink_the_memory), C(memory_that_could_be_shrunk_is_refused),
       C(a_ring_keeps_bytes_across_its_end))
