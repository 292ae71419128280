// SPDX-License-Identifier: Apache-2.0
// Messages between processes: one row of tbl/messages.def each. They go over SOCK_SEQPACKET pairs (here) or, between edge
// and worker, over pipes (ipc/link.h). Bulk bytes (requests, bodies,
// responses) lie in shared memory (ipc/chan.h); everything that decides something travels here, because the kernel copies
// it: a peer can't change it after it was checked.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/msg_types.h"

#define MSG_PROTO 2 // raised with every change of a message: after an upgrade, old and new processes refuse each other
#define MSG_FDS_MAX 16
#define MSG_BODY_MAX 512
#define MSG_TAIL_MAX 4096
#define MSG_HEAD_BYTES 8 // version, type, length of the tail

enum msg_role { MSG_ROLE_MASTER, MSG_ROLE_EDGE, MSG_ROLE_MOLD, MSG_ROLE_WORKER };

enum msg_type {
    MSG_NONE,
#define MSG(name, from, to, type, tail, fds_min, fds_max, text) MSG_##name,
#include "tbl/messages.def"
#undef MSG
    MSG_TYPES
};

struct msg {
    enum msg_type type;
    unsigned n_fds;
    int fds[MSG_FDS_MAX]; // the receiver's to close; take one by setting it to -1
    pid_t pid;            // of the sender, from the kernel; 0 unless the socket has SO_PASSCRED
    uid_t uid;
    size_t tail_n;
    union {
        _Alignas(8) char body[MSG_BODY_MAX];
#define MSG(name, from, to, type, tail, fds_min, fds_max, text) type as_##name;
#include "tbl/messages.def"
#undef MSG
    };
    char tail[MSG_TAIL_MAX + 1]; // NUL behind it
};

// Both ends: close-on-exec; blocking unless the caller changes it. Returns 0 or -errno.
int msg_pair(int ret_fds[2]);

// Sends one message; fds stay the caller's. Returns 0, -EAGAIN (queue full, only when non-blocking), -EPIPE (the peer is
// gone) or another -errno. A message that does not fit its row is a bug of ours and dies.
int msg_send(int fd, enum msg_type type, const void *body, const void *tail, size_t tail_n, const int *fds, unsigned n_fds);

// Receives one message that `from` may send to `to`. Returns 1; 0 when the peer closed; -EAGAIN; -EPROTO for a message
// that the table does not allow (its descriptors are closed); -EPROTONOSUPPORT for another MSG_PROTO; or another -errno.
int msg_recv(int fd, enum msg_role from, enum msg_role to, struct msg *ret_msg);
void msg_close_fds(struct msg *m); // those not taken

const char *msg_name(enum msg_type type);
// Prints the table as Markdown (docs/messages.md).
void msg_print_reference(void);

// The parts that ipc/link.h needs. Who sends a type to whom; the bytes of one encoded message, of which there must be room for
// MSG_HEAD_BYTES, its body and its tail; the bytes without tail that a message says it has, 0 if it is none.
bool msg_goes(enum msg_type type, enum msg_role from, enum msg_role to);
size_t msg_encode(char *data, enum msg_type type, const void *body, const void *tail, size_t tail_n);
size_t msg_bytes(const void *data, size_t n);
// Checks and copies one datagram; separate from the socket so that it can be fuzzed. Same results as msg_recv.
int msg_decode(const void *data, size_t n, unsigned n_fds, enum msg_role from, enum msg_role to, struct msg *ret_msg);
