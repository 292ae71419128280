// SPDX-License-Identifier: Apache-2.0
// The link to one worker: requests in, responses out (ipc/link.h, ipc/chan.h, tbl/messages.def). Runs in the edge. Invariants: a
// number that a worker sends is checked against what it may be before it is used; a worker that breaks the protocol is
// ended; header blocks are copied before they are looked at.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/log.h"
#include "edge/dispatch.h"
#include "edge/edge_int.h"
#include "edge/req.h"
#include "edge/worker_int.h"

#define KILL_AGAIN_MS 50
// BODY messages that may lie unread in a link: far fewer than it holds, so that END and SPACE always find room.
#define BODY_MESSAGES_MAX 32

static void on_read_timer(struct timer *t);
static void on_terminate_timer(struct timer *t);

// ---- limits of time ----

static void ask_to_kill(struct worker *w);

static void on_kill_again(struct timer *t)
{
    ask_to_kill(container_of(t, struct worker, read_timer));
}

static void ask_to_kill(struct worker *w)
{
    struct msg_worker_kill kill = {.worker_id = w->id, .end = w->kill_end};
    int rc = msg_send(edge.master_fd, MSG_WORKER_KILL, &kill, NULL, 0, NULL, 0);

    if (rc == -EAGAIN) // many at once: an order to kill must not get lost
        timer_set(&w->read_timer, on_kill_again, KILL_AGAIN_MS);
    else if (rc)
        log_error("worker %d can't be ended: the master does not listen: %s", w->pid, strerror(-rc));
}

void worker__kill(struct worker *w, enum worker_end why)
{
    if (w->killed || w->gone)
        return;
    w->killed = true;
    w->kill_end = why;
    ask_to_kill(w);
}

static void wait_for_worker(struct worker *w)
{
    if (w->read_timeout_ms && !w->killed)
        timer_set(&w->read_timer, on_read_timer, w->read_timeout_ms);
}

static void time_is_up(struct worker *w, enum worker_end why, const char *reason)
{
    struct req *r = w->req;

    worker__kill(w, why);
    w->req = NULL;
    if (r) {
        r->worker = NULL;
        req_fail(r, 504, reason);
    }
    worker__resume(w); // what waited for the client is thrown away
}

static void on_read_timer(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, read_timer);

    if (w->state != WORKER_BUSY || w->answered || w->killed || !w->read_timeout_ms)
        return;
    if (w->body_left || w->head_left || (w->streaming && w->body_room == CHAN_BODY_BYTES)) {
        // It is the client that is slow: the worker can't go on. (With bytes of the body before it, it could.)
        timer_set(t, on_read_timer, w->read_timeout_ms);
        return;
    }
    time_is_up(w, WORKER_END_READ_TIMEOUT, "read_timeout");
}

static void on_terminate_timer(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, terminate_timer);

    if (w->state != WORKER_BUSY || w->killed || !w->terminate_at_ms)
        return;
    if (w->terminate_at_ms > loop_now_ms()) {
        timer_set(t, on_terminate_timer, w->terminate_at_ms - loop_now_ms());
        return;
    }
    time_is_up(w, WORKER_END_TERMINATE_TIMEOUT, "request_terminate_timeout");
}

// ---- requests in ----

static void copy_text(char *dst, size_t cap, struct str s)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
}

static void remember_for_log(struct worker *w, const struct req *r)
{
    copy_text(w->request_id, sizeof w->request_id, str_from(r->id));
    copy_text(w->method, sizeof w->method, r->method);
    copy_text(w->uri, sizeof w->uri, r->target);
    copy_text(w->script, sizeof w->script, r->script_filename);
    board_proc_set_request(w->seen, w->request_id, w->method, w->uri, w->script);
    board_proc_set_state(w->seen, BOARD_BUSY);
}

static int send_job(struct worker *w, const struct msg_job *job, int body_fd)
{
    if (job->body == JOB_BODY_FD) {
        struct msg_body_file file = {.job_id = job->job_id};
        int rc = msg_send(w->link[LINK_FILES], MSG_BODY_FILE, &file, NULL, 0, &body_fd, 1);
        if (rc)
            return rc;
    }
    return link_send(w->link[LINK_DOWN], MSG_JOB, job, NULL, 0);
}

bool worker__give(struct worker *w, struct req *r)
{
    bool stream = r->has_body && !r->buffering && !r->n_redirects;
    bool has_body = r->has_body && !stream && !r->n_redirects && r->body.n;
    uint64_t body_n = stream ? (r->content_length >= 0 ? (uint64_t)r->content_length : UINT64_MAX) : has_body ? r->body.n : 0;

    must(w->state == WORKER_IDLE);
    size_t n = worker__encode(w, r, body_n);
    if (!n) {
        req_fail(r, 431, "the request's head does not fit into a worker's memory");
        return true;
    }
    struct msg_job job = {.job_id = ++w->job_id, .request_n = (uint32_t)n, .body_n = body_n};
    job.body = stream ? JOB_BODY_STREAM : !has_body ? JOB_BODY_NONE : r->body.fd >= 0 ? JOB_BODY_FD : JOB_BODY_INLINE;
    if (job.body == JOB_BODY_INLINE) {
        must(r->body.n <= CHAN_BODY_BYTES);
        memcpy(w->chan.body, r->body.mem.p, r->body.mem.n);
    }
    w->state = WORKER_BUSY;
    w->req = r;
    w->ring_pos = 0;
    w->head_left = w->body_left = 0;
    w->taken = 0;
    w->flags = 0;
    w->head_seen = w->answered = false;
    w->streaming = stream;
    w->heard = false;
    w->body_pos = 0;
    w->body_room = CHAN_BODY_BYTES;
    w->body_untold = w->body_messages = 0;
    w->read_timeout_ms = r->read_timeout_ms;
    w->terminate_at_ms = r->terminate_timeout_ms ? loop_now_ms() + r->terminate_timeout_ms : 0;
    r->worker = w;
    r->worker_pid = w->pid;
    r->step = REQ_RUN;
    remember_for_log(w, r);
    int rc = send_job(w, &job, r->body.fd);
    if (rc) {
        // It died while idle; nothing of the request was seen by anybody.
        w->req = NULL;
        r->worker = NULL;
        r->step = REQ_ADMIT;
        w->state = WORKER_IDLE;
        if (rc != -EPIPE) // alive, and yet it reads nothing
            worker__kill(w, WORKER_END_PROTOCOL);
        dispatch__on_lost(w, 0, strerror(-rc));
        return false;
    }
    count(COUNTER_PHP_REQUESTS);
    gauge_add(COUNTER_WORKERS_BUSY, 1);
    wait_for_worker(w);
    if (r->terminate_timeout_ms)
        timer_set(&w->terminate_timer, on_terminate_timer, r->terminate_timeout_ms);
    if (stream && r->body.complete) // an empty one, whose end came while the request was queued
        worker__body_end(w, false);
    return true;
}

static void tell_body(struct worker *w, uint32_t last)
{
    struct msg_body m = {.job_id = w->job_id, .n = w->body_untold, .last = last};

    w->body_untold = 0;
    w->body_messages++;
    (void)link_send(w->link[LINK_DOWN], MSG_BODY, &m, NULL, 0); // if it is gone, its end of file tells
}

size_t worker__body_add(struct worker *w, const char *data, size_t n)
{
    size_t took = n < w->body_room ? n : w->body_room;

    if (!w->streaming)
        return n; // its job has no body (an internal redirect's), or no more of it is wanted
    if (!took)
        return 0;
    ring_write(w->chan.body, CHAN_BODY_BYTES, w->body_pos, data, took);
    w->body_pos += took;
    w->body_room -= took;
    w->body_untold += (uint32_t)took;
    // Many small pieces while the worker is busy elsewhere: it is told of them together, when it asks for more.
    if (w->body_messages < BODY_MESSAGES_MAX)
        tell_body(w, 0);
    return took;
}

void worker__body_end(struct worker *w, bool client_gone)
{
    if (!w->streaming)
        return;
    w->streaming = false;
    tell_body(w, client_gone ? 2 : 1);
    wait_for_worker(w); // from here on it is the worker that is waited for
}

void worker__detach(struct worker *w, bool client_gone)
{
    if (w->req)
        w->req->worker = NULL;
    w->req = NULL;
    if (client_gone)
        atomic_store_explicit(&w->chan.flags->gone_job, w->job_id, memory_order_release);
    if (w->streaming)
        worker__body_end(w, true);
    if (w->state == WORKER_BUSY)
        board_proc_set_state(w->seen, BOARD_FINISHING);
    if (w->body_left)
        worker__resume(w); // what waited for the client is thrown away
}

// ---- responses out ----

static void tell_space(struct worker *w)
{
    struct msg_space m = {.job_id = w->job_id, .n = w->taken};

    w->taken = 0;
    (void)link_send(w->link[LINK_DOWN], MSG_SPACE, &m, NULL, 0);
}

static void consume(struct worker *w, size_t n)
{
    w->ring_pos += n;
    w->taken += (uint32_t)n;
}

static void take_head(struct worker *w)
{
    struct req *r = w->req;
    size_t n = w->head_left;
    bool inform = w->flags & RESP_INFORM;

    w->head_left = 0;
    if (r && !r->ended) {
        char *block = arena_alloc(&r->arena, n + 1);
        ring_read(w->chan.resp, CHAN_RESP_BYTES, w->ring_pos, block, n);
        consume(w, n);
        if (inform)
            php_response_inform(r, w->resp.status, block, n);
        else
            php_response_head(w, r, w->resp.status, block, n, w->flags & RESP_END && !(w->flags & RESP_CUT), w->body_left);
        return;
    }
    consume(w, n);
}

// Gives the client what the ring holds. Returns false when it does not take all for now.
static bool take_body(struct worker *w)
{
    struct req *r = w->req;
    bool last = (w->flags & RESP_END) && !(w->flags & RESP_CUT);

    if (r && r->head_sent && !r->ended && (w->body_left || last)) {
        struct str a = ring_piece(w->chan.resp, CHAN_RESP_BYTES, w->ring_pos, w->body_left);
        struct str b = {w->chan.resp, w->body_left - a.n};
        size_t took = req_write(r, a, b, last);
        w->body_left -= took;
        consume(w, took);
        return w->body_left == 0;
    }
    if (r && r->head_sent && !r->ended && w->flags & RESP_HEAD) {
        // flush() before the first byte of the body: the client is to see the head now.
        (void)req_write(r, (struct str){NULL, 0}, (struct str){NULL, 0}, false);
        return true;
    }
    consume(w, w->body_left); // nobody wants it
    w->body_left = 0;
    return true;
}

static void job_done(struct worker *w, bool leaving)
{
    if (w->seen) {
        atomic_fetch_add_explicit(&w->seen->requests, 1, memory_order_relaxed);
        atomic_store_explicit(&w->seen->peak_bytes, w->resp.peak_bytes, memory_order_relaxed);
        atomic_store_explicit(&w->seen->cpu_us, w->resp.cpu_us, memory_order_relaxed);
    }
    gauge_add(COUNTER_WORKERS_BUSY, -1);
    w->streaming = false;
    w->terminate_at_ms = 0;
    w->state = leaving ? WORKER_LEAVING : WORKER_IDLE;
    dispatch__job_over(w);
}

// Acts on the current RESP as far as the client lets it.
static void act_on_resp(struct worker *w)
{
    if (w->head_left || w->flags & RESP_HEAD) {
        take_head(w);
        w->flags &= ~(uint32_t)RESP_INFORM;
    }
    bool all = take_body(w);
    w->flags &= ~(uint32_t)RESP_HEAD;
    if (!all) {
        loop_mod(&w->watch, 0); // its next message waits, too
        return;
    }
    if (w->watch.added)
        loop_mod(&w->watch, EPOLLIN);
    else if (loop_add(&w->watch, w->link[LINK_UP], EPOLLIN, worker__on_event) < 0)
        worker__kill(w, WORKER_END_PROTOCOL);
    struct req *r = w->req;
    uint32_t flags = w->flags;
    w->flags = 0;
    if (flags & RESP_END) {
        w->answered = true;
        if (r) {
            if (flags & RESP_CUT && r->head_sent)
                req_cut(r, "the script ended in the middle of its answer");
            else if (!r->head_sent && !r->ended)
                req_fail(r, 502, "the worker ended its answer without a head");
            r->worker = NULL;
            w->req = NULL;
        }
        if (!(flags & RESP_DONE))
            board_proc_set_state(w->seen, BOARD_FINISHING);
    }
    if (flags & RESP_WANT_SPACE)
        tell_space(w);
    if (flags & RESP_DONE)
        job_done(w, flags & RESP_LEAVING);
}

static void go_on(struct worker *w)
{
    if (w->in_go_on)
        return; // a filter detached the worker from inside: the outer call goes on
    w->in_go_on = true;
    act_on_resp(w);
    w->in_go_on = false;
}

void worker__resume(struct worker *w)
{
    if (w->state == WORKER_BUSY && (w->body_left || w->flags))
        go_on(w);
}

static const char *resp_is_wrong(const struct worker *w, const struct msg_resp *m)
{
    uint32_t f = m->flags;

    if (w->state != WORKER_BUSY || m->job_id != w->job_id)
        return "an answer to no request";
    if ((uint64_t)m->head_n + m->body_n > CHAN_RESP_BYTES - w->taken)
        return "more bytes than the ring holds";
    if (m->head_n && !(f & RESP_HEAD))
        return "a header block without its flag";
    if (f & RESP_HEAD && (m->status < 100 || m->status > 999))
        return "an impossible status";
    if ((f & RESP_INFORM) && (!(f & RESP_HEAD) || m->status < 100 || m->status > 199 || m->status == 101 || m->body_n))
        return "a malformed 1xx answer";
    if (f & RESP_HEAD && w->head_seen)
        return "a second head";
    if (m->body_n && !w->head_seen && !(f & RESP_HEAD))
        return "a body without a head";
    if (w->answered && (m->body_n || m->head_n || f & (RESP_END | RESP_HEAD)))
        return "bytes after the answer's end";
    if ((f & RESP_DONE) && !(f & RESP_END) && !w->answered)
        return "done without an answer";
    if ((f & RESP_LEAVING) && !(f & RESP_DONE))
        return "leaving while it works";
    return NULL;
}

static void broke_protocol(struct worker *w, const char *what)
{
    log_error("worker %d sent %s; it is ended", w->pid, what);
    worker__kill(w, WORKER_END_PROTOCOL);
    dispatch__on_lost(w, 502, "the worker broke the protocol");
}

static void on_resp(struct worker *w, const struct msg_resp *m)
{
    const char *wrong = resp_is_wrong(w, m);

    if (wrong) {
        broke_protocol(w, wrong);
        return;
    }
    w->resp = *m;
    w->flags = m->flags;
    w->head_seen = w->head_seen || (m->flags & (RESP_HEAD | RESP_INFORM)) == RESP_HEAD;
    w->head_left = m->head_n;
    w->body_left = m->body_n;
    if (!(m->flags & RESP_DONE))
        wait_for_worker(w);
    go_on(w);
}

static void on_took(struct worker *w, const struct msg_took *m)
{
    if (w->state != WORKER_BUSY || m->job_id != w->job_id)
        return; // of a job that is over
    if (m->n > CHAN_BODY_BYTES - w->body_room) {
        broke_protocol(w, "that it took more of the body than there was");
        return;
    }
    w->body_room += m->n;
    // Only when it has taken all that it was told of has it read all messages: each of its reads ends in a TOOK.
    if (w->body_untold == CHAN_BODY_BYTES - w->body_room) {
        w->body_messages = 0;
        if (w->body_untold)
            tell_body(w, 0);
    }
    wait_for_worker(w);
    if (w->req)
        w->req->sink->resume_body(w->req);
}

static void on_log(struct worker *w, const struct msg *m)
{
    char role[64];
    unsigned level = m->as_LOG.level;

    snprintf(role, sizeof role, "php %d", w->pid);
    enum log_level l = level > LOG_LEVEL_DEBUG ? LOG_LEVEL_NOTICE : (enum log_level)level;
    if (m->as_LOG.job_id && m->as_LOG.job_id == w->job_id)
        log_as(l, role, "[%s] %s", w->request_id, m->tail);
    else
        log_as(l, role, "%s", m->tail);
}

// It is dead. A job that it never read goes to another: nobody has seen anything of it.
static void on_end(struct worker *w)
{
    struct req *r = w->req;
    bool unread = w->state == WORKER_BUSY && !w->heard && !w->streaming && r && link_has_unread(w->link[LINK_DOWN]);

    if (!unread) {
        dispatch__on_lost(w, 502, "the worker died");
        return;
    }
    w->req = NULL;
    r->worker = NULL;
    dispatch__on_lost(w, 502, "the worker died");
    w->lost_busy = false; // it ran nothing
    dispatch_admit(r);
}

// Returns false when there is nothing (more) to read, or the worker is lost.
static bool read_message(struct worker *w)
{
    struct msg m;
    int rc = link_recv_up(w->link[LINK_UP], &m);

    w->heard |= rc > 0;
    if (rc == -EAGAIN)
        return false;
    if (rc == -EPROTO || rc == -EPROTONOSUPPORT) {
        broke_protocol(w, rc == -EPROTO ? "a message that it may not send" : "a message of another version: restart needed");
        return false;
    }
    if (rc <= 0) {
        on_end(w);
        return false;
    }
    switch (m.type) {
    case MSG_RESP:
        on_resp(w, &m.as_RESP);
        break;
    case MSG_TOOK:
        on_took(w, &m.as_TOOK);
        break;
    case MSG_LOG:
        on_log(w, &m);
        break;
    default:
        must(!"the table allows no other message from a worker");
    }
    return w->state != WORKER_LOST && !w->body_left;
}

void worker__on_event(struct watch *watch, uint32_t events)
{
    struct worker *w = container_of(watch, struct worker, watch);

    must(w->magic == WORKER_MAGIC);
    if (events & EPOLLIN) {
        (void)read_message(w);
        return;
    }
    // The other end is closed. With EPOLLIN off (the client is slow) its last message still waits to be read.
    if (w->body_left || w->flags & RESP_HEAD)
        loop_del(&w->watch);
    else if (events & (EPOLLHUP | EPOLLERR))
        on_end(w);
}

void worker__drain(struct worker *w)
{
    while (w->state != WORKER_LOST && !w->body_left && read_message(w))
        continue;
    // A child of it may hold its ends open.
    if (w->state != WORKER_LOST && !w->body_left)
        on_end(w);
}
