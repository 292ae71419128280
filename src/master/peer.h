// SPDX-License-Identifier: Apache-2.0
// The master's end of a channel to one process: receives in the loop, and queues what the socket does not take at once, so
// that a peer that does not read never stops the master.
#pragma once
#include <stdbool.h>

#include "base/loop.h"
#include "ipc/msg.h"

struct peer;
// m is NULL when the peer is gone or broke the protocol: the channel is closed already. It may free the peer's owner.
typedef void (*peer_fn)(struct peer *p, struct msg *m);

struct peer_msg;
struct peer {
    int fd; // -1 = closed
    enum msg_role role;
    peer_fn fn;
    struct watch watch;
    struct peer_msg *out, **out_end;
    unsigned n_out;
};

#define PEER_INIT ((struct peer){.fd = -1})

// Takes fd. Returns 0 or -errno (fd is closed then).
int peer_open(struct peer *p, int fd, enum msg_role role, peer_fn fn);
void peer_close(struct peer *p); // no-op when closed
// Sends, or queues with duplicates of fds (they stay the caller's). False if the peer is gone; its end of file tells.
bool peer_send(struct peer *p, enum msg_type type, const void *body, const int *fds, unsigned n_fds);
// Receives what is there now, for a peer whose process was just reaped.
void peer_drain(struct peer *p);
