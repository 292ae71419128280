// SPDX-License-Identifier: Apache-2.0
// A worker as the edge sees it, shared by dispatch.c (who gets which request), worker_link.c (the channel),
// worker_request.c (what it is told) and php_response.c (what comes back).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/str.h"
#include "ipc/board.h"
#include "ipc/chan.h"
#include "ipc/link.h"
#include "ipc/msg.h"
#include "ipc/worker_end.h"

struct req;

enum worker_state {
    WORKER_IDLE,
    WORKER_BUSY,    // runs a job
    WORKER_LEAVING, // was told to go, or said that it goes
    WORKER_LOST     // its channel ended; waits for the master to say why
};

struct worker {
    uint32_t magic;
    uint32_t id;
    unsigned pool;
    int pid;
    enum worker_state state;
    struct watch watch; // of the link's way up
    int link[LINK_FDS]; // ipc/link.h
    struct chan chan;
    struct worker *next_idle; // stack of the pool
    struct worker *prev, *next; // all
    struct board_proc *seen; // row of the board, may be NULL

    uint32_t job_id;
    struct req *req; // whose answer is still wanted; NULL when it has it, or is gone
    bool retire;     // leave after this job

    // response ring
    uint64_t ring_pos;  // bytes of the ring consumed in this job
    size_t head_left;   // of the current RESP: header block not yet read
    size_t body_left;   // of the current RESP: body not yet taken
    uint32_t taken;     // consumed since the worker was told
    uint32_t flags;     // of the current RESP, still to be acted on
    struct msg_resp resp;
    bool head_seen, answered; // the head, RESP_END
    bool in_go_on;
    bool heard;         // something came from it since it was given the job
    bool lost_busy; // it was lost while it ran a job

    // body ring of a streamed body
    uint64_t body_pos;
    size_t body_room;
    uint32_t body_untold;   // bytes in the ring of which the worker does not know yet
    unsigned body_messages; // BODY messages of which some may be unread
    bool streaming;

    // limits of time; timers are left set when a job ends and looked at when they fire
    struct timer read_timer, terminate_timer;
    unsigned read_timeout_ms;
    uint64_t terminate_at_ms; // 0 = none
    bool killed;
    enum worker_end kill_end;
    bool gone; // the master says that it is no more; kept until the client has taken what it left in the ring
    struct task free_task;

    // for the log line when it dies; the request may be gone by then
    char request_id[40], method[16], uri[200], script[256];
};

#define WORKER_MAGIC 0x776f726bu

// worker_link.c
// Puts a request to an idle worker. Returns false if it could not be given (the worker is then lost).
bool worker__give(struct worker *w, struct req *r);
void worker__on_event(struct watch *watch, uint32_t events);
// Goes on with a response that had to wait for the client.
void worker__resume(struct worker *w);
// Nobody wants the answer any more; the job goes on, its output is thrown away and PHP is told.
void worker__detach(struct worker *w, bool client_gone);
void worker__kill(struct worker *w, enum worker_end why);
size_t worker__body_add(struct worker *w, const char *data, size_t n);
void worker__body_end(struct worker *w, bool client_gone);
// Reads what is left in the link of a worker that has exited; what waits for the client goes on waiting.
void worker__drain(struct worker *w);

// dispatch.c
void dispatch__on_free(struct worker *w);  // it can have a request
void dispatch__job_over(struct worker *w); // its job is done; then the same
void dispatch__on_lost(struct worker *w, unsigned status, const char *why); // the channel ended or broke

// worker_request.c
// Writes a request into the worker's memory; body_n: UINT64_MAX = unknown. Returns its bytes, 0 if it does not fit.
size_t worker__encode(struct worker *w, const struct req *r, uint64_t body_n);

// php_response.c
// The header block of a response that a worker began. Answers by head, or by an internal redirect or file
// (X-Accel-Redirect, X-Sendfile): then the worker is detached. whole: body_n is the body's exact length.
void php_response_head(struct worker *w, struct req *r, unsigned status, const char *block, size_t n, bool whole,
                       uint64_t body_n);
void php_response_inform(struct req *r, unsigned status, const char *block, size_t n);
