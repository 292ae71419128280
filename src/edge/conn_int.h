// SPDX-License-Identifier: Apache-2.0
// An HTTP/1 connection, shared by conn.c (reading) and conn_out.c (writing).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "edge/req.h"
#include "http/chunked.h"

struct out_seg; // a run of bytes to send: memory or a file's

enum conn_state {
    CONN_IDLE,  // waits for a request's first byte
    CONN_HEAD,  // has part of a head
    CONN_BODY,  // receives a body
    CONN_RUN,   // has the whole request, waits for its answer
    CONN_LINGER // has answered and closed its sending side; throws away what still comes
};

struct conn {
    uint32_t magic;
    struct watch watch;
    struct timer timer;
    struct task task;
    enum conn_state state;
    struct req_peer peer;
    bool admin;
    struct conn *idle_prev, *idle_next; // list of idle ones, oldest first
    struct conn *all_prev, *all_next;
    bool is_idle;

    // reading
    struct buf in;         // bytes received and not yet used
    size_t head_seen;      // of them, already searched for the head's end
    bool peer_closed;      // end of file was read
    bool body_full;        // the request takes no more body for now
    struct chunked chunked;
    bool is_chunked;
    uint64_t body_left;    // of a body with Content-Length
    uint64_t body_mark_ms; // body rate: since when, and how many bytes came
    uint64_t body_mark_n;
    unsigned n_requests;
    bool last_wait;        // the edge ends, and its first request is waited for a moment
    unsigned minor;
    bool keep_alive;
    bool client_closes;    // it said itself that nothing follows this request
    bool body_unread;      // the answer began before the body was received whole
    uint64_t linger_from_ms;

    // writing
    struct req *req;
    struct buf head;       // of the response, not yet sent
    bool head_pending, chunked_out, no_body_out, response_ended, broken;
    int64_t promised;      // body bytes still to come of a response with known length, -1 = unknown
    struct out_seg *out_first, *out_last;
    size_t out_mem;        // bytes in memory segments
    int64_t out_file;      // bytes of spool in segments
    int spool_fd;          // -1 = none
    int64_t spool_end;
    bool spool_failed;     // the file could not be made or written
    bool out_full;         // a write was refused; say so when there is room
    bool out_blocked;      // the socket takes no more for now
};

#define CONN_MAGIC 0x636f6e31u

extern const struct sink_ops conn_sink;

// conn_out.c
// Sends what is queued as far as the socket takes it; sets broken if the socket is.
void conn__flush(struct conn *c);
void conn__out_drop(struct conn *c); // forgets everything queued
static inline bool conn__out_pending(const struct conn *c)
{
    return c->out_first || c->head_pending;
}

// conn.c
void conn__wake(struct conn *c); // something changed: conn_settle looks at it at the end of this round
void conn__fix_events(struct conn *c);
void conn__arm_send_timer(struct conn *c);
// From now on the client has to send its body: what it was kept from sending before does not count.
void conn__restart_body_clock(struct conn *c);
