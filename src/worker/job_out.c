// SPDX-License-Identifier: Apache-2.0
// The running job's response. Runs in a worker. Owns the write side of the response ring. Bytes are copied into the ring;
// the edge is told of them when half of it is filled, at flush(), and at the end: a small response is one message.
// Invariant: written - taken never exceeds the ring.
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/die.h"
#include "ipc/job.h"
#include "worker/worker_state.h"

#define RING CHAN_RESP_BYTES
#define TELL_AT (CHAN_RESP_BYTES / 2)
// A header block is read in one piece, so it must leave room in the ring; no client takes one like this anyway.
#define HEAD_MAX (64u << 10)

static struct {
    uint32_t job_id;
    uint64_t written, taken;
    uint32_t flags, status, head_n, body_n; // not told yet
    bool ended;  // END is told: what comes later is dropped
    bool asked;    // the edge owes a SPACE
    bool unwanted; // client or edge is gone
    struct buf head;
    bool head_too_big;
} out;

void job_out_start(uint32_t job_id)
{
    struct buf head = out.head;

    memset(&out, 0, sizeof out);
    out.head = head;
    out.job_id = job_id;
}

static bool is_unwanted(void)
{
    if (!out.unwanted)
        out.unwanted = worker.stray || worker.link[LINK_DOWN] < 0 ||
                       atomic_load_explicit(&worker.chan.flags->gone_job, memory_order_relaxed) == out.job_id;
    return out.unwanted;
}

static void send_resp(uint32_t flags, uint32_t exit_reason, uint64_t peak_bytes, uint64_t cpu_us)
{
    struct msg_resp m = {
        .job_id = out.job_id,
        .flags = out.flags | flags,
        .status = out.status,
        .head_n = out.head_n,
        .body_n = out.body_n,
        .exit_reason = exit_reason,
        .peak_bytes = peak_bytes,
        .cpu_us = cpu_us,
    };

    out.flags = out.status = out.head_n = out.body_n = 0;
    if (worker__tell(MSG_RESP, &m, NULL, 0) < 0)
        out.unwanted = true; // the main loop finds the end of file
}

static uint64_t space(void)
{
    return RING - (out.written - out.taken);
}

// Until there is room for n bytes. false: nobody wants them.
static bool wait_space(uint64_t n)
{
    while (!is_unwanted() && space() < n) {
        if (!out.asked) // what came may have been more of the request's body: one question, one answer
            send_resp(RESP_WANT_SPACE, 0, 0, 0);
        out.asked = true;
        if (!out.unwanted && !worker__wait())
            out.unwanted = true;
    }
    return !is_unwanted();
}

void job_out_on_space(const struct msg_space *m)
{
    if (m->job_id != out.job_id)
        return; // of the job before
    if (m->n > out.written - out.taken)
        worker__protocol("it freed more of the response ring than was written");
    out.taken += m->n;
    out.asked = false;
}

void job_out_head_begin(void)
{
    out.head.n = 0;
    out.head_too_big = false;
}

void job_out_head_add(struct str line)
{
    size_t need = line.n + 5;

    if (out.head.n + need > HEAD_MAX) {
        out.head_too_big = true;
        return;
    }
    char *base = buf_reserve(&out.head, need) - out.head.n;
    size_t n = head_block_add(base, out.head.n + need, out.head.n, line);
    must(n != 0);
    out.head.n = n;
}

void job_out_head_end(unsigned status, bool inform)
{
    if (out.ended || is_unwanted())
        return;
    if (out.head_too_big) {
        job_out_log(LOG_LEVEL_ERROR, STR("The response header is larger than 64 KB"));
        if (inform)
            return;
        out.head.n = 0;
        status = 500;
    }
    if (!wait_space(out.head.n))
        return;
    ring_write(worker.chan.resp, RING, out.written, out.head.p, out.head.n);
    out.written += out.head.n;
    out.flags |= RESP_HEAD;
    out.status = status;
    out.head_n = (uint32_t)out.head.n;
    if (inform)
        send_resp(RESP_INFORM, 0, 0, 0);
}

size_t job_out_write(const char *data, size_t n)
{
    size_t done = 0;

    if (out.ended)
        return n;
    while (done < n) {
        if (!wait_space(1))
            return done;
        uint64_t chunk = space();
        if (chunk > n - done)
            chunk = n - done;
        if (chunk > TELL_AT)
            chunk = TELL_AT;
        ring_write(worker.chan.resp, RING, out.written, data + done, chunk);
        out.written += chunk;
        out.body_n += (uint32_t)chunk;
        done += chunk;
        if (out.head_n + out.body_n >= TELL_AT)
            send_resp(0, 0, 0, 0);
    }
    return n;
}

bool job_out_flush(void)
{
    if (out.ended)
        return true;
    if (!is_unwanted() && (out.flags || out.body_n))
        send_resp(0, 0, 0, 0);
    return !is_unwanted();
}

void job_out_finish(void)
{
    if (!out.ended) // also when nobody wants it: the edge is to know that the answer is over before the job is
        send_resp(RESP_END, 0, 0, 0);
    out.ended = true;
}

bool job_out_finished(void)
{
    return out.ended;
}

// Long texts (stack traces) go in several lines' worth of messages, cut at line ends where possible.
void job_out_log(enum log_level level, struct str text)
{
    struct msg_log m = {.job_id = out.job_id, .level = (uint32_t)level};

    do {
        size_t n = text.n < MSG_LOG_BYTES ? text.n : MSG_LOG_BYTES;
        const char *cut = n < text.n ? memrchr(text.p, '\n', n) : NULL;
        if (cut && cut > text.p)
            n = (size_t)(cut - text.p) + 1;
        if (worker__tell(MSG_LOG, &m, text.p, n) < 0)
            log_as(level, "php", "%.*s", (int)n, text.p);
        text.p += n;
        text.n -= n;
    } while (text.n);
}

void job_out_done(bool leaving, uint32_t exit_reason, uint64_t peak_bytes, uint64_t cpu_us)
{
    uint32_t flags = RESP_DONE | (leaving ? RESP_LEAVING : 0u);

    if (!out.ended)
        flags |= RESP_END;
    send_resp(flags, exit_reason, peak_bytes, cpu_us);
}
