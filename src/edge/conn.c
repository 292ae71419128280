// SPDX-License-Identifier: Apache-2.0
// The HTTP/1 transport, reading side: from bytes to requests (RFC 9112). Runs in the edge; owns struct conn. Invariants:
// a connection has at most one request under way, what came behind it waits in c->in; an idle connection holds no buffer.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/die.h"
#include "base/log.h"
#include "edge/conn_int.h"
#include "edge/edge_int.h"
#include "http/h1_parse.h"
#include "http/uri.h"
#include "ipc/board.h"

#define SCRATCH_BYTES (64u << 10)
#define PIPELINE_MAX (64u << 10) // bytes kept behind the request under way
#define FIRST_REQUEST_MS 1000    // what a connection that never had one gets when the edge ends
// RFC 9112 §9.6: what a client still sends is read for a while, or a reset would take the last answer from it: until it has sent
// nothing for a time, at most for long; for less of it when the edge ends.
#define LINGER_SILENT_MS 5000
#define LINGER_MS 30000
#define LINGER_ENDING_MS 2000
#define RATE_SPAN_MS 10000 // a body's rate is judged over this span, so that a short pause harms nobody

static char scratch[SCRATCH_BYTES];
static struct conn *idle_first, *idle_last; // oldest first
static struct conn *all_first;

static void on_timer(struct timer *t);
static void conn_settle(struct task *t);

void conn__wake(struct conn *c)
{
    loop_defer(&c->task, conn_settle);
}

// ---- lists and life ----

static void idle_add(struct conn *c)
{
    if (c->is_idle)
        return;
    c->is_idle = true;
    c->idle_prev = idle_last;
    c->idle_next = NULL;
    *(idle_last ? &idle_last->idle_next : &idle_first) = c;
    idle_last = c;
    gauge_add(COUNTER_CONNECTIONS_IDLE, 1);
}

static void idle_del(struct conn *c)
{
    if (!c->is_idle)
        return;
    c->is_idle = false;
    *(c->idle_prev ? &c->idle_prev->idle_next : &idle_first) = c->idle_next;
    *(c->idle_next ? &c->idle_next->idle_prev : &idle_last) = c->idle_prev;
    gauge_add(COUNTER_CONNECTIONS_IDLE, -1);
}

// Closes and frees; only where no request's code is on the stack. A request under way learns that its client is gone.
static void conn_close(struct conn *c)
{
    struct req *r = c->req;

    must(c->magic == CONN_MAGIC);
    c->magic = 0;
    idle_del(c);
    timer_clear(&c->timer);
    loop_undefer(&c->task);
    loop_del(&c->watch);
    close(c->watch.fd);
    *(c->all_prev ? &c->all_prev->all_next : &all_first) = c->all_next;
    if (c->all_next)
        c->all_next->all_prev = c->all_prev;
    gauge_add(COUNTER_CONNECTIONS_OPEN, -1);
    (*(c->admin ? &edge.n_admin_conns : &edge.n_conns))--;
    if (r) {
        if (!c->response_ended || conn__out_pending(c))
            req_on_client_gone(r);
        req_release(r);
    }
    conn__out_drop(c);
    buf_done(&c->in);
    buf_done(&c->head);
    free(c);
    listener_resume();
    edge__check_drained();
}

// ---- timers ----

static void arm(struct conn *c, uint64_t ms)
{
    timer_set(&c->timer, on_timer, ms ? ms : UINT32_MAX);
}

// Reads on, or not: its time is up.
static void linger_on(struct conn *c)
{
    uint64_t most = edge.draining ? LINGER_ENDING_MS : LINGER_MS, gone = loop_now_ms() - c->linger_from_ms;

    if (gone >= most)
        c->broken = true;
    else
        arm(c, most - gone < LINGER_SILENT_MS ? most - gone : LINGER_SILENT_MS);
}

void conn__arm_send_timer(struct conn *c)
{
    arm(c, edge.conf->global.send_timeout_ms);
}

void conn__restart_body_clock(struct conn *c)
{
    c->body_mark_ms = loop_now_ms();
    c->body_mark_n = 0;
    arm(c, edge.conf->global.body_timeout_ms);
}

// Judged each time the body's timer is asked about, over spans of RATE_SPAN_MS.
static bool body_is_too_slow(struct conn *c)
{
    uint64_t span = loop_now_ms() - c->body_mark_ms, min = edge.conf->global.body_min_rate;
    if (!min || span < RATE_SPAN_MS)
        return false;
    bool slow = c->body_mark_n * 1000 / span < min;
    c->body_mark_ms = loop_now_ms();
    c->body_mark_n = 0;
    return slow;
}

// An answer to something that never became a request of the step table, and the end of the connection.
// method and target are for the log, as far as they are known.
static void refuse(struct conn *c, unsigned status, const char *why, struct str method, struct str target)
{
    struct req *r = req_new(&conn_sink, c);

    log_debug("%s: %s", c->peer.client_addr, why);
    r->peer = &c->peer;
    r->protocol = c->minor ? "HTTP/1.1" : "HTTP/1.0";
    r->method = method.n ? arena_str(&r->arena, method) : STR("-");
    r->target = r->path_raw = target.n ? arena_str(&r->arena, target) : STR("-");
    r->is_head = str_eq(r->method, STR("HEAD"));
    r->content_length = -1;
    r->admin = c->admin;
    c->req = r;
    c->keep_alive = false;
    c->body_unread = true;
    c->minor = 1;
    c->head_pending = c->chunked_out = c->no_body_out = c->response_ended = false;
    c->promised = -1;
    c->state = CONN_RUN;
    c->head_seen = 0;
    buf_done(&c->in);
    idle_del(c);
    req_fail(r, status, why);
}

// The client did not send in time what it owes: 408 (RFC 9110 §15.5.9).
static void time_out_reading(struct conn *c)
{
    count(c->state == CONN_BODY ? COUNTER_TIMEOUTS_BODY : COUNTER_TIMEOUTS_HEADER);
    if (c->state == CONN_HEAD) {
        refuse(c, 408, "the client was too slow sending its request's head", STR(""), STR(""));
        return;
    }
    c->keep_alive = false;
    if (c->req->head_sent)
        req_cut(c->req, "the client was too slow sending the body");
    else
        req_fail(c->req, 408, "the client was too slow sending the body");
}

static void on_timer(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    const struct conf_global *g = &edge.conf->global;

    must(c->magic == CONN_MAGIC);
    if (c->state == CONN_IDLE || c->state == CONN_LINGER) {
        conn_close(c);
        return;
    }
    if (c->state == CONN_HEAD || (c->state == CONN_BODY && !c->body_full && !c->response_ended)) {
        time_out_reading(c);
        arm(c, g->send_timeout_ms);
    } else if (c->out_first) { // not a head that waits for its worker
        count(COUNTER_TIMEOUTS_SEND);
        if (c->req)
            c->req->end_reason = "send_timeout";
        c->broken = true;
        conn__wake(c);
    } else {
        arm(c, g->keepalive_timeout_ms + g->send_timeout_ms); // the client owes nothing now
    }
}

// ---- requests ----

// Moves a slice from the buffer that was parsed to its copy, and puts a NUL behind it there.
static struct str moved(struct str s, const char *from, size_t from_n, char *to, struct arena *a)
{
    if (!s.p || s.p < from || s.p >= from + from_n)
        return s.p ? arena_str(a, s) : (struct str){"", 0};
    char *p = to + (s.p - from);
    p[s.n] = '\0';
    return (struct str){p, s.n};
}

static void begin_request(struct conn *c, const struct h1_request *h, const char *data, size_t head_n)
{
    struct req *r = req_new(&conn_sink, c);
    char *copy = arena_alloc(&r->arena, head_n + 1);

    memcpy(copy, data, head_n);
    if (h->n_dropped)
        count_add(COUNTER_FIELDS_DROPPED, h->n_dropped);
    struct field *fields = arena_alloc(&r->arena, (h->n_fields + 1) * sizeof *fields);
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct field *f = &h->fields[i];
        fields[i].name = moved(f->name, data, head_n, copy, &r->arena);
        fields[i].value = moved(f->value, data, head_n, copy, &r->arena);
        fields[i].id = f->id;
    }
    r->fields = fields;
    r->n_fields = h->n_fields;
    r->method = moved(h->method, data, head_n, copy, &r->arena);
    bool has_path = h->form == H1_TARGET_ORIGIN || h->form == H1_TARGET_ABSOLUTE; // else it is * or CONNECT's host:port
    r->target = moved(has_path ? h->path_query : h->target, data, head_n, copy, &r->arena);
    if (r->target.p[0] == '?') // http://host?query: its path is / (RFC 9110 4.2.3)
        r->target = arena_printf(&r->arena, "/%.*s", STR_ARG(r->target));
    uri_split(r->target, &r->path_raw, &r->query, &r->has_query);
    // Copied: a NUL behind an absolute-form authority would fall on the target's first byte.
    r->authority = arena_str(&r->arena, h->host);
    r->protocol = h->minor ? "HTTP/1.1" : "HTTP/1.0";
    r->peer = &c->peer;
    r->is_head = str_eq(r->method, STR("HEAD"));
    r->is_get = str_eq(r->method, STR("GET"));
    r->admin = c->admin;
    r->content_length = h->has_content_length ? (int64_t)h->content_length : -1;
    r->has_body = h->has_body;
    r->expects_continue = h->expect_continue && h->minor;

    c->req = r;
    c->minor = h->minor;
    c->n_requests++;
    c->keep_alive = h->keep_alive && !edge.draining && c->n_requests < edge.conf->global.keepalive_requests;
    c->client_closes = !h->keep_alive;
    c->is_chunked = h->chunked;
    c->chunked = CHUNKED_INIT;
    c->body_left = h->has_content_length ? h->content_length : 0;
    c->body_full = false;
    c->body_unread = h->has_body;
    c->head_pending = c->chunked_out = c->no_body_out = c->response_ended = false;
    c->promised = -1;
    c->state = h->has_body ? CONN_BODY : CONN_RUN;
    c->out_full = false;
    if (h->has_body)
        conn__restart_body_clock(c);
}

// The answer is out: waits for the next request, or ends the connection. Returns false if it is gone.
static bool finish_request(struct conn *c)
{
    struct req *r = c->req;

    c->req = NULL;
    req_release(r);
    buf_done(&c->head);
    if (edge.draining && !edge.keep_idle)
        c->keep_alive = false;
    if (c->keep_alive && !c->body_unread) {
        c->state = CONN_IDLE;
        c->head_seen = 0;
        return true;
    }
    if (c->client_closes && !c->body_unread && !c->in.n) {
        conn_close(c);
        return false;
    }
    c->state = CONN_LINGER;
    c->linger_from_ms = loop_now_ms();
    buf_done(&c->in);
    shutdown(c->watch.fd, SHUT_WR);
    linger_on(c);
    return true;
}

// Body bytes out of data; returns how many were used.
static size_t feed_body(struct conn *c, const char *data, size_t n)
{
    struct req *r = c->req;
    size_t used = 0;

    while (used < n && !c->body_full && !c->response_ended) {
        struct str run = {data + used, n - used < c->body_left ? n - used : (size_t)c->body_left};
        size_t step = run.n;
        int kind = 1;
        if (c->is_chunked)
            kind = chunked_decode(&c->chunked, data + used, n - used, &step, &run);
        if (kind < 0) {
            count(COUNTER_REQUESTS_BAD);
            c->keep_alive = false;
            if (r->head_sent)
                req_cut(r, "malformed chunked body");
            else
                req_fail(r, 400, "malformed chunked body");
            return n;
        }
        size_t took = kind == 1 ? req_body_add(r, run.p, run.n) : 0;
        if (kind == 1 && took < run.n) {
            // What was decoded and not taken is seen again later: step back over it.
            step -= run.n - took;
            if (c->is_chunked)
                chunked_give_back(&c->chunked, run.n - took);
            c->body_full = true;
        }
        c->body_mark_n += took;
        c->body_left -= c->is_chunked ? 0 : took;
        used += step;
        if (c->is_chunked ? kind == 2 : !c->body_left) {
            c->state = CONN_RUN;
            c->body_unread = false;
            if (!c->response_ended)
                req_body_end(r);
            return used;
        }
        if (kind == 0)
            return used;
    }
    return c->response_ended ? n : used;
}

static void wait_for_head(struct conn *c)
{
    const struct conf_global *g = &edge.conf->global;

    c->head_seen = c->in.n;
    if (c->in.n) {
        if (c->state != CONN_HEAD)
            arm(c, g->header_timeout_ms); // for the whole head: a byte now and then does not move it
        c->state = CONN_HEAD;
        idle_del(c);
    } else {
        buf_done(&c->in);
        c->state = CONN_IDLE;
        if (!c->is_idle)
            arm(c, c->n_requests ? g->keepalive_timeout_ms : g->header_timeout_ms);
        idle_add(c);
    }
}

// Looks for a head in c->in. Returns true if one was found (or refused), so that there is more to do.
static bool take_head(struct conn *c)
{
    static struct h1_request head; // 20 KB: not for the stack, and only valid within this call
    const struct conf_global *g = &edge.conf->global;
    struct h1_limits limits = {g->request_line_max, g->header_max, g->header_count_max};
    const char *why = "bad request";

    long rc = c->in.n > c->head_seen ? h1_parse_request(c->in.p, c->in.n, c->head_seen, &limits, &head, &why) : 0;
    if (rc == 0) {
        wait_for_head(c);
        return false;
    }
    idle_del(c);
    c->head_seen = 0;
    if (rc < 0) {
        count(COUNTER_REQUESTS_BAD);
        refuse(c, (unsigned)-rc, why, head.method, head.target);
        return true;
    }
    begin_request(c, &head, c->in.p, (size_t)rc);
    buf_drop(&c->in, (size_t)rc);
    req_start(c->req);
    return true;
}

// Brings a connection forward as far as it goes: the only place where requests begin and end, and where it is closed.
static void conn_settle(struct task *t)
{
    struct conn *c = container_of(t, struct conn, task);

    must(c->magic == CONN_MAGIC);
    for (;;) {
        if (c->broken) {
            conn_close(c);
            return;
        }
        if (c->req && c->response_ended) {
            if (c->state == CONN_BODY) // nobody reads the rest of the body
                buf_done(&c->in);
            if (conn__out_pending(c))
                break;
            if (!finish_request(c))
                return;
            continue;
        }
        if (c->state == CONN_BODY && c->in.n && !c->body_full) {
            size_t used = feed_body(c, c->in.p, c->in.n);
            buf_drop(&c->in, used);
            if (used)
                continue;
            break;
        }
        if ((c->state == CONN_IDLE || c->state == CONN_HEAD) && take_head(c))
            continue;
        break;
    }
    if (c->peer_closed && !c->in.n) {
        // Nothing more will come. A request under way is still answered: the client may have closed one direction only.
        if (c->state == CONN_IDLE || c->state == CONN_LINGER || (c->state == CONN_BODY && !c->response_ended)) {
            conn_close(c);
            return;
        }
        c->keep_alive = false;
    }
    if (c->peer_closed && c->state == CONN_HEAD) {
        conn_close(c);
        return;
    }
    conn__fix_events(c);
}

// ---- the socket ----

void conn__fix_events(struct conn *c)
{
    bool want_read = !c->peer_closed && !(c->state == CONN_RUN && c->in.n >= PIPELINE_MAX) && !(c->state == CONN_BODY && c->body_full);
    loop_mod(&c->watch, (want_read ? (uint32_t)EPOLLIN : 0) | (c->out_blocked ? (uint32_t)EPOLLOUT : 0));
}

static void on_readable(struct conn *c)
{
    ssize_t n = recv(c->watch.fd, scratch, sizeof scratch, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        c->peer_closed = true;
        c->broken = c->broken || n < 0;
        return;
    }
    count_add(COUNTER_BYTES_IN, (uint64_t)n);
    if (c->state == CONN_LINGER) {
        linger_on(c);
        return;
    }
    idle_del(c); // it may not be closed for another's sake any more
    if (c->state == CONN_BODY && !c->response_ended) {
        if (body_is_too_slow(c)) {
            time_out_reading(c);
            return;
        }
        arm(c, edge.conf->global.body_timeout_ms);
        if (!c->in.n) { // the usual case of a big body: not copied twice
            size_t used = feed_body(c, scratch, (size_t)n);
            buf_add(&c->in, scratch + used, (size_t)n - used);
            return;
        }
    }
    buf_add(&c->in, scratch, (size_t)n);
}

static void on_socket(struct watch *w, uint32_t events)
{
    struct conn *c = container_of(w, struct conn, watch);

    must(c->magic == CONN_MAGIC);
    if (events & EPOLLOUT) {
        conn__flush(c);
        if (!c->out_first && c->req && c->out_full && !c->broken) {
            c->out_full = false;
            req_on_drain(c->req);
        }
    }
    // While we linger our direction is closed, and a hang-up only says that the client's is, too: what it sent is read first,
    // for a close with unread bytes resets the connection and the answer with it.
    bool lingers = c->state == CONN_LINGER && !(events & EPOLLERR) && events & EPOLLIN;
    if (events & (EPOLLHUP | EPOLLERR) && !lingers) {
        // Both directions are closed, or the connection was reset: nobody is there to be answered.
        c->broken = c->peer_closed = true;
    } else if (events & EPOLLIN) {
        on_readable(c);
    }
    conn__wake(c);
}

static void set_peer(struct conn *c, const struct sockaddr *sa)
{
    struct sockaddr_storage local;
    socklen_t n = sizeof local;
    const struct sockaddr_in *in = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;

    if (sa->sa_family == AF_UNIX || getsockname(c->watch.fd, (struct sockaddr *)&local, &n) < 0) {
        // Peers on a unix socket count as loopback, as trusted_proxies says.
        const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
        c->peer.is_unix = sa->sa_family == AF_UNIX;
        c->peer.trusted = c->peer.is_unix && conf_cidrs_contain(&edge.conf->global.trusted_proxies, loopback);
        snprintf(c->peer.client_addr, sizeof c->peer.client_addr, "unix");
        snprintf(c->peer.server_addr, sizeof c->peer.server_addr, "unix");
        return;
    }
    uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};
    if (sa->sa_family == AF_INET) {
        memcpy(addr + 12, &in->sin_addr, 4);
        c->peer.client_port = ntohs(in->sin_port);
    } else {
        memcpy(addr, &in6->sin6_addr, 16);
        c->peer.client_port = ntohs(in6->sin6_port);
    }
    addr_text(addr, c->peer.client_addr);
    c->peer.trusted = conf_cidrs_contain(&edge.conf->global.trusted_proxies, addr);
    uint8_t mine[16] = {[10] = 0xff, [11] = 0xff};
    if (local.ss_family == AF_INET) {
        memcpy(mine + 12, &((struct sockaddr_in *)&local)->sin_addr, 4);
        c->peer.server_port = ntohs(((struct sockaddr_in *)&local)->sin_port);
    } else {
        memcpy(mine, &((struct sockaddr_in6 *)&local)->sin6_addr, 16);
        c->peer.server_port = ntohs(((struct sockaddr_in6 *)&local)->sin6_port);
    }
    addr_text(mine, c->peer.server_addr);
}

void conn_accept(int fd, bool admin, const void *addr, unsigned addr_n)
{
    struct conn *c = xcalloc(1, sizeof *c);

    c->magic = CONN_MAGIC;
    c->admin = admin;
    c->spool_fd = -1;
    c->promised = -1;
    c->minor = 1;
    int rc = loop_add(&c->watch, fd, EPOLLIN, on_socket);
    if (rc) {
        count(COUNTER_ACCEPT_ERRORS);
        close(fd);
        free(c);
        return;
    }
    set_peer(c, addr);
    c->all_next = all_first;
    if (all_first)
        all_first->all_prev = c;
    all_first = c;
    (*(admin ? &edge.n_admin_conns : &edge.n_conns))++;
    count(COUNTER_CONNECTIONS_ACCEPTED);
    gauge_add(COUNTER_CONNECTIONS_OPEN, 1);
    wait_for_head(c);
    // The request is usually there already: try before the next wait.
    on_readable(c);
    conn__wake(c);
}

bool conn_close_oldest_idle(void)
{
    if (!idle_first)
        return false;
    conn_close(idle_first);
    return true;
}

void conn_close_idle(void)
{
    for (struct conn *c = idle_first, *next; c; c = next) {
        next = c->idle_next;
        if (c->n_requests) {
            conn_close(c);
        } else if (!c->last_wait) { // asked again, it does not get another
            c->last_wait = true;
            arm(c, FIRST_REQUEST_MS);
        }
    }
}

unsigned conn_cut_all(void)
{
    unsigned n = 0;

    for (struct conn *c = all_first; c; c = c->all_next) {
        if (c->req && !c->admin && (!c->response_ended || conn__out_pending(c)))
            n++;
        shutdown(c->watch.fd, SHUT_RDWR);
    }
    return n;
}
