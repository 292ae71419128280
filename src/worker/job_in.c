// SPDX-License-Identifier: Apache-2.0
// The running job's body, from wherever the edge put it: the channel, a spool file, or a stream through the channel. Runs
// in a worker. Owns the spool descriptor. Invariant: a read is short only at the body's end.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fdio.h"
#include "ipc/chan.h"
#include "worker/worker_state.h"

#define RING CHAN_BODY_BYTES

static struct {
    uint32_t job_id, kind;
    uint64_t size, at;          // size: of inline and spooled bodies
    uint64_t arrived, told;     // of a stream: bytes in the ring so far, bytes whose room the edge knows of
    bool last;
    int fd;
} in = {.fd = -1};

void job_in_start(const struct msg_job *job, int fd)
{
    memset(&in, 0, sizeof in);
    in.job_id = job->job_id;
    in.kind = job->body;
    in.size = job->body_n;
    in.fd = fd;
}

void job_in_end(void)
{
    fd_close(&in.fd);
    in.kind = JOB_BODY_NONE;
}

void job_in_on_body(const struct msg_body *m)
{
    if (m->job_id != in.job_id)
        return; // of the job before
    if (in.kind != JOB_BODY_STREAM || in.last || m->n > RING - (in.arrived - in.at))
        worker__protocol("it sent a body that does not fit");
    in.arrived += m->n;
    in.last = m->last != 0;
}

static size_t read_inline(char *dst, size_t n)
{
    if (n > in.size - in.at)
        n = (size_t)(in.size - in.at);
    memcpy(dst, worker.chan.body + in.at, n);
    return n;
}

static size_t read_spool(char *dst, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = pread(in.fd, dst + done, n - done, (off_t)(in.at + done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        done += (size_t)r;
    }
    return done;
}

static void tell_taken(void)
{
    struct msg_took m = {.job_id = in.job_id, .n = (uint32_t)(in.at - in.told)};

    in.told = in.at;
    (void)worker__tell(MSG_TOOK, &m, NULL, 0); // a dead edge shows at the next receive
}

static size_t read_stream(char *dst, size_t n)
{
    size_t done = 0;

    while (done < n) {
        size_t have = (size_t)(in.arrived - in.at);
        if (!have) {
            if (in.last || worker.stray || worker.link[LINK_DOWN] < 0)
                break;
            tell_taken();
            if (!worker__wait())
                break;
            continue;
        }
        if (have > n - done)
            have = n - done;
        ring_read(worker.chan.body, RING, in.at, dst + done, have);
        in.at += have;
        done += have;
    }
    if (in.at - in.told >= RING / 2 && !in.last)
        tell_taken();
    return done;
}

enum engine_body job_in_body(int *ret_fd)
{
    if (in.kind == JOB_BODY_INLINE)
        return ENGINE_BODY_MEMORY;
    if (in.kind != JOB_BODY_FD || in.at)
        return ENGINE_BODY_STREAM;
    *ret_fd = in.fd;
    in.fd = -1;
    in.kind = JOB_BODY_NONE;
    return ENGINE_BODY_FILE;
}

size_t job_in_read(char *dst, size_t n)
{
    size_t done = 0;

    switch (in.kind) {
    case JOB_BODY_INLINE:
        done = read_inline(dst, n);
        in.at += done;
        break;
    case JOB_BODY_FD:
        done = read_spool(dst, n);
        in.at += done;
        break;
    case JOB_BODY_STREAM:
        return read_stream(dst, n);
    default:
        break;
    }
    return done;
}
