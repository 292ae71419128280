// SPDX-License-Identifier: Apache-2.0
// The shared memory between the edge and one worker: a memfd that the master makes, sealed so that nobody can shrink it
// under the other's feet. It holds bulk bytes only; lengths and decisions travel as messages (ipc/msg.h). The edge trusts
// nothing in it: it copies header blocks out before it parses them, and a worker that scribbles spoils its own response.
//
//   page 0     flags the edge sets and the worker reads (client gone)
//   request    the request block (ipc/job.h), written by the edge before JOB
//   body       the inline body, or the ring of a streamed one
//   response   the ring the worker writes and the edge sends from; every job starts at its beginning, so a small response
//              touches one page
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define CHAN_FLAGS_BYTES 4096u
#define CHAN_REQUEST_BYTES (128u << 10)
#define CHAN_BODY_BYTES (64u << 10) // a power of two
#define CHAN_RESP_BYTES (256u << 10) // a power of two
#define CHAN_BYTES (CHAN_FLAGS_BYTES + CHAN_REQUEST_BYTES + CHAN_BODY_BYTES + CHAN_RESP_BYTES)

struct chan_flags {
    _Atomic uint32_t gone_job; // id of the job whose client is gone; 0 = none
};

struct chan {
    struct chan_flags *flags;
    char *request, *body, *resp;
};

// Master: makes the memory. Returns a descriptor (close-on-exec, sealed) or -errno.
int chan_create(void);
// Maps it. -EBADMSG if the descriptor has not the size and seals that chan_create gives.
int chan_map(int fd, struct chan *ret_chan);
void chan_unmap(struct chan *c);

// A ring of `size` bytes (power of two) at base; pos counts bytes since the job began and never wraps in itself.
// Copies in/out across the end.
void ring_write(char *base, uint32_t size, uint64_t pos, const void *src, size_t n);
void ring_read(const char *base, uint32_t size, uint64_t pos, void *dst, size_t n);
// The contiguous piece at pos, at most n bytes: for writev and direct reads.
struct str ring_piece(const char *base, uint32_t size, uint64_t pos, size_t n);
