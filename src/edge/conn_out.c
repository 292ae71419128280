// SPDX-License-Identifier: Apache-2.0
// The HTTP/1 transport, writing side: heads, framing (RFC 9112 §6, §7) and what the socket does not take at once: memory up
// to response_buffer, then an unlinked file up to response_spool, then back-pressure. Runs in the edge. Invariant: bytes go
// out in the order they were given; while something is queued, nothing is written past it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "edge/conn_int.h"
#include "edge/edge_int.h"
#include "http/http_date.h"
#include "http/status.h"
#include "ipc/board.h"

#define FILE_ROUND_BYTES (1 << 20) // of a file at once, so that one fast client does not hold up the others
#define SMALL_FILE_BYTES (16 << 10) // read and sent with the head in one call: cheaper than two calls and a cork
#define SPOOL_PIECE_BYTES (64 << 10)
#define LIMIT_LEAST_BYTES (64 << 10)

struct out_seg {
    struct out_seg *next;
    int fd; // -1 = memory
    bool spool; // fd is the connection's spool file
    int64_t at, left; // position (file) or start (memory), and bytes to go
    char mem[];
};

static void seg_add(struct conn *c, struct out_seg *s)
{
    s->next = NULL;
    *(c->out_last ? &c->out_last->next : &c->out_first) = s;
    c->out_last = s;
}

static struct out_seg *seg_new(size_t mem_n)
{
    struct out_seg *s = xmalloc(sizeof *s + mem_n);
    *s = (struct out_seg){.fd = -1};
    return s;
}

static void seg_drop_first(struct conn *c)
{
    struct out_seg *s = c->out_first;

    c->out_first = s->next;
    if (!c->out_first)
        c->out_last = NULL;
    if (s->spool)
        c->out_file -= s->left;
    else if (s->fd >= 0)
        close(s->fd);
    else
        c->out_mem -= (size_t)s->left;
    free(s);
}

void conn__out_drop(struct conn *c)
{
    while (c->out_first)
        seg_drop_first(c);
    c->head_pending = false;
    c->head.n = 0;
    fd_close(&c->spool_fd);
    c->spool_end = 0;
}

// Appends to the spool file. Returns false if it can't be: then the caller keeps the bytes in memory.
static bool spool_add(struct conn *c, const char *p, size_t n)
{
    const struct conf_global *g = &edge.conf->global;

    if (c->spool_failed || !g->response_spool || c->out_file + (int64_t)n > g->response_spool)
        return false;
    if (c->spool_fd < 0) {
        c->spool_fd = fd_unlinked_file(g->spool_dir);
        c->spool_end = 0;
    }
    if (c->spool_fd < 0 || pwrite(c->spool_fd, p, n, c->spool_end) != (ssize_t)n) {
        count(COUNTER_SPOOL_ERRORS);
        c->spool_failed = true; // from now on the memory's limit is the limit
        if (c->spool_fd < 0)
            c->spool_fd = -1;
        return false;
    }
    count_add(COUNTER_SPOOL_RESPONSE_BYTES, n);
    struct out_seg *s = c->out_last;
    if (!s || !s->spool) {
        s = seg_new(0);
        s->fd = c->spool_fd;
        s->spool = true;
        s->at = c->spool_end;
        seg_add(c, s);
    }
    s->left += (int64_t)n;
    c->spool_end += (int64_t)n;
    c->out_file += (int64_t)n;
    return true;
}

static void queue_bytes(struct conn *c, const char *p, size_t n)
{
    if (!n)
        return;
    // Once something is in the file, what follows goes there too until it is drained, or the order would need more segments.
    bool to_file = c->out_mem + n > edge.conf->global.response_buffer || (c->out_last && c->out_last->spool);
    if (to_file && spool_add(c, p, n))
        return;
    struct out_seg *s = seg_new(n);
    memcpy(s->mem, p, n);
    s->left = (int64_t)n;
    c->out_mem += n;
    seg_add(c, s);
}

static void broke(struct conn *c)
{
    c->broken = true;
    c->out_blocked = false;
    conn__wake(c);
}

// After a short or refused write: wait for the socket.
static void blocked(struct conn *c)
{
    if (!c->out_blocked) {
        c->out_blocked = true;
        conn__fix_events(c);
    }
    conn__arm_send_timer(c);
}

// One writev. Returns bytes written, 0 when the socket is full, -1 when it is broken.
static ssize_t send_iov(struct conn *c, struct iovec *iov, int n, int flags)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};

    for (;;) {
        ssize_t w = sendmsg(c->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
        if (w >= 0) {
            count_add(COUNTER_BYTES_OUT, (uint64_t)w);
            return w;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        return -1;
    }
}

// Sends iov, queues what the socket does not take. Only when nothing is queued.
static void send_or_queue(struct conn *c, struct iovec *iov, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    ssize_t w = send_iov(c, iov, n, 0);
    if (w < 0) {
        broke(c);
        return;
    }
    if ((size_t)w == total)
        return;
    for (int i = 0; i < n; i++) {
        size_t skip = (size_t)w < iov[i].iov_len ? (size_t)w : iov[i].iov_len;
        w -= (ssize_t)skip;
        queue_bytes(c, (char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
    }
    blocked(c);
}

// Like sendfile, but by copying. sendfile lends the file's pages to the socket: what is punched out of a spool file while it
// is still on its way (on loopback even after it is acknowledged) would arrive as zeros.
static ssize_t send_copied(struct conn *c, const struct out_seg *s, size_t n)
{
    static char piece[SPOOL_PIECE_BYTES];
    ssize_t got = pread(s->fd, piece, n < sizeof piece ? n : sizeof piece, s->at);

    return got <= 0 ? got : send(c->watch.fd, piece, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Sends from a file segment. Returns 1 when it is done, 0 when the socket is full, -1 when it broke.
static int send_file(struct conn *c, struct out_seg *s)
{
    int64_t round = FILE_ROUND_BYTES;

    while (s->left > 0) {
        if (round <= 0)
            return 0; // others' turn; the socket is writable, so the loop comes back at once
        off_t at = s->at;
        size_t n = (size_t)(s->left < round ? s->left : round);
        ssize_t w = s->spool ? send_copied(c, s, n) : sendfile(c->watch.fd, s->fd, &at, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (w <= 0) {
            if (w == 0)
                log_warning("a file became shorter while it was sent; the answer is cut");
            return -1;
        }
        count_add(COUNTER_BYTES_OUT, (uint64_t)w);
        s->at += w;
        s->left -= w;
        round -= w;
        if (s->spool) {
            c->out_file -= w;
            // What is sent need not lie on the disk any longer; where holes can't be made, it lies until the end.
            (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, s->at);
        }
    }
    return 1;
}

static int send_memory(struct conn *c, struct out_seg *s)
{
    struct iovec iov = {s->mem + s->at, (size_t)s->left};
    ssize_t w = send_iov(c, &iov, 1, s->next ? MSG_MORE : 0);

    if (w < 0)
        return -1;
    s->at += w;
    s->left -= w;
    c->out_mem -= (size_t)w;
    return s->left == 0;
}

// A head that waits for its body's first bytes goes in front of what is queued.
static void queue_head(struct conn *c)
{
    if (!c->head_pending)
        return;
    c->head_pending = false;
    queue_bytes(c, c->head.p, c->head.n);
    c->head.n = 0;
}

void conn__flush(struct conn *c)
{
    while (c->out_first && !c->broken) {
        struct out_seg *s = c->out_first;
        int rc = s->fd >= 0 ? send_file(c, s) : send_memory(c, s);
        if (rc < 0) {
            broke(c);
            return;
        }
        if (rc == 0) {
            blocked(c);
            return;
        }
        seg_drop_first(c);
    }
    if (c->out_blocked) {
        c->out_blocked = false;
        conn__fix_events(c);
    }
    if (c->spool_fd >= 0 && !c->out_first) { // give the disk its blocks back
        fd_close(&c->spool_fd);
        c->spool_end = 0;
    }
    conn__wake(c);
}

// ---- what requests call ----

static void add_field(struct buf *b, struct str name, struct str value)
{
    char *p = buf_reserve(b, name.n + value.n + 4);

    memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = ':';
    *p++ = ' ';
    if (value.n)
        memcpy(p, value.p, value.n);
    p += value.n;
    *p++ = '\r';
    *p++ = '\n';
    b->n += name.n + value.n + 4;
}

static void add_status_line(struct buf *b, unsigned status, struct str reason)
{
    if (status == 200 && !reason.n) { // most answers
        buf_add_str(b, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    buf_printf(b, "HTTP/1.1 %03u ", status % 1000);
    buf_add_str(b, reason.n ? reason : str_from(status_reason(status)));
    buf_add(b, "\r\n", 2);
}

static void add_number(struct buf *b, struct str name, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    add_field(b, name, (struct str){digits + at, sizeof digits - at});
}

static void sink_inform(struct req *r, unsigned status, const struct field *fields, size_t n)
{
    struct conn *c = r->sink_arg;
    struct buf b = BUF_INIT;

    if (c->minor == 0 || c->head_pending || c->broken || r->head_sent)
        return;
    add_status_line(&b, status, (struct str){NULL, 0});
    for (size_t i = 0; i < n; i++)
        add_field(&b, fields[i].name, fields[i].value);
    buf_add(&b, "\r\n", 2);
    if (c->out_first) {
        queue_bytes(c, b.p, b.n);
    } else {
        struct iovec iov = {b.p, b.n};
        send_or_queue(c, &iov, 1);
    }
    buf_done(&b);
    conn__wake(c);
}

static void sink_want_body(struct req *r)
{
    sink_inform(r, 100, NULL, 0);
}

// True if a response of that status has no body at all (RFC 9112 §6.3), or must not: 205 says so with a length of 0 (RFC 9110).
static bool never_has_body(unsigned status)
{
    return status == 204 || status == 205 || status == 304 || status < 200;
}

static void sink_head(struct req *r, unsigned status, const struct field *fields, size_t n, int64_t body_n)
{
    struct conn *c = r->sink_arg;
    struct buf *b = &c->head;
    bool has_date = false, has_server = false;

    if (c->body_unread || edge.draining)
        c->keep_alive = false;
    c->no_body_out = r->is_head || never_has_body(status);
    c->chunked_out = !c->no_body_out && body_n < 0 && c->minor;
    if (!c->no_body_out && body_n < 0 && !c->minor)
        c->keep_alive = false; // HTTP/1.0: the end of the connection is the end of the body
    c->promised = c->no_body_out ? 0 : body_n;

    b->n = 0;
    buf_reserve(b, 512);
    add_status_line(b, status, r->reason);
    for (size_t i = 0; i < n; i++) {
        switch (fields[i].id) {
        case FIELD_CONNECTION:
        case FIELD_KEEP_ALIVE:
        case FIELD_TRANSFER_ENCODING:
        case FIELD_UPGRADE:
        case FIELD_TRAILER:
            continue; // the transport's own
        case FIELD_CONTENT_LENGTH:
            // A HEAD or 304 may tell the length of what it does not send; elsewhere body_n says it.
            if (body_n >= 0 || !c->no_body_out || status == 204 || status == 205 || status < 200)
                continue;
            break;
        case FIELD_DATE:
            has_date = true;
            break;
        case FIELD_SERVER:
            has_server = true;
            break;
        default:
            break;
        }
        add_field(b, fields[i].name, fields[i].value);
    }
    if (!has_server)
        add_field(b, STR("Server"), STR("plimsoll"));
    if (!has_date)
        add_field(b, STR("Date"), http_date_now());
    if (c->chunked_out)
        add_field(b, STR("Transfer-Encoding"), STR("chunked"));
    else if (status == 205)
        add_number(b, STR("Content-Length"), 0);
    else if (body_n >= 0 && status != 204 && status >= 200 && !(status == 304 && body_n == 0))
        add_number(b, STR("Content-Length"), (uint64_t)body_n);
    if (!c->keep_alive)
        add_field(b, STR("Connection"), STR("close"));
    else if (!c->minor)
        add_field(b, STR("Connection"), STR("keep-alive"));
    buf_add(b, "\r\n", 2);
    c->head_pending = true;
}

static void sink_cut(struct req *r)
{
    struct conn *c = r->sink_arg;

    c->keep_alive = false;
    c->response_ended = true;
    // What is on its way may still be sent; then the connection ends without the response's proper end.
    c->head_pending = false;
    c->head.n = 0;
    c->broken = !c->out_first;
    conn__wake(c);
}

static size_t sink_write(struct req *r, struct str a, struct str b, bool last)
{
    struct conn *c = r->sink_arg;
    const struct conf_global *g = &edge.conf->global;
    size_t n = a.n + b.n, all = n;
    struct iovec iov[6];
    int n_iov = 0;
    char size_line[20];

    if (c->broken || c->response_ended)
        return n;
    int64_t limit = (int64_t)g->response_buffer + (c->spool_failed ? 0 : g->response_spool);
    if (limit < LIMIT_LEAST_BYTES)
        limit = LIMIT_LEAST_BYTES; // what stands between the parts of a multipart answer is never refused
    if (c->out_first && n && (int64_t)(c->out_mem + n) + c->out_file > limit) {
        c->out_full = true;
        return 0;
    }
    if (c->no_body_out) {
        n = a.n = b.n = 0;
    } else if (c->promised >= 0) { // more than was promised would be read as the next response
        if ((uint64_t)n > (uint64_t)c->promised) {
            n = (size_t)c->promised;
            if (a.n > n)
                a.n = n;
            b.n = n - a.n;
        }
        c->promised -= (int64_t)n;
        if (last && c->promised > 0) {
            log_warning("the answer to %.*s is shorter than its Content-Length says; the connection is cut", STR_ARG(r->target));
            c->keep_alive = false;
        }
    }
    if (!r->is_head)
        r->bytes_out -= all - n; // the caller counts all of it
    bool had_head = c->head_pending;
    if (had_head) {
        iov[n_iov++] = (struct iovec){c->head.p, c->head.n};
        c->head_pending = false;
    }
    if (c->chunked_out && n) {
        int w = snprintf(size_line, sizeof size_line, "%zx\r\n", n);
        iov[n_iov++] = (struct iovec){size_line, (size_t)w};
    }
    if (a.n)
        iov[n_iov++] = (struct iovec){(void *)(uintptr_t)a.p, a.n};
    if (b.n)
        iov[n_iov++] = (struct iovec){(void *)(uintptr_t)b.p, b.n};
    if (c->chunked_out && (n || last)) {
        static char ends[] = "\r\n0\r\n\r\n";
        char *from = n ? ends : ends + 2;
        iov[n_iov++] = (struct iovec){from, (n ? 2u : 0u) + (last ? 5u : 0u)};
    }
    c->response_ended = last;
    if (c->out_first)
        for (int i = 0; i < n_iov; i++)
            queue_bytes(c, iov[i].iov_base, iov[i].iov_len);
    else if (n_iov)
        send_or_queue(c, iov, n_iov);
    if (had_head)
        c->head.n = 0;
    conn__wake(c);
    return all;
}

// Small files: read here, sent with the head in one call.
static bool file_by_reading(struct conn *c, struct req *r, int fd, int64_t offset, int64_t n, bool last)
{
    static char small[SMALL_FILE_BYTES];

    if (n > SMALL_FILE_BYTES || c->out_first)
        return false;
    ssize_t got = pread(fd, small, (size_t)n, offset);
    if (got != n)
        return false;
    close(fd);
    (void)sink_write(r, (struct str){small, (size_t)n}, (struct str){NULL, 0}, last);
    return true;
}

static void sink_file(struct req *r, int fd, int64_t offset, int64_t n, bool last)
{
    struct conn *c = r->sink_arg;

    must(c->no_body_out || c->promised < 0 || n <= c->promised);
    if (c->broken || c->no_body_out || n == 0) {
        close(fd);
        (void)sink_write(r, (struct str){NULL, 0}, (struct str){NULL, 0}, last);
        return;
    }
    if (file_by_reading(c, r, fd, offset, n, last))
        return;
    must(!c->chunked_out);
    bool idle = !c->out_first;
    if (idle && c->head_pending) {
        struct iovec iov = {c->head.p, c->head.n};
        ssize_t w = send_iov(c, &iov, 1, MSG_MORE);
        if (w < 0) {
            close(fd);
            broke(c);
            return;
        }
        c->head_pending = false;
        queue_bytes(c, c->head.p + w, c->head.n - (size_t)w);
        c->head.n = 0;
    }
    queue_head(c);
    struct out_seg *s = seg_new(0);
    s->fd = fd;
    s->at = offset;
    s->left = n;
    seg_add(c, s);
    if (c->promised >= 0)
        c->promised -= n;
    c->response_ended = last;
    if (idle)
        conn__flush(c);
    conn__wake(c);
}

static void sink_resume_body(struct req *r)
{
    struct conn *c = r->sink_arg;

    if (c->body_full) {
        c->body_full = false;
        conn__restart_body_clock(c);
        conn__wake(c);
    }
}

const struct sink_ops conn_sink = {
    .inform = sink_inform,
    .head = sink_head,
    .write = sink_write,
    .file = sink_file,
    .cut = sink_cut,
    .resume_body = sink_resume_body,
    .want_body = sink_want_body,
};
