// SPDX-License-Identifier: Apache-2.0
// A worker as the master sees it: spawned through its mold, known by its HELLO, given to the edge, replaced when it ends.
// Runs in the master. Owns the worker's struct, its master channel, its shared memory and, until an edge has it, the
// edge's end of its link. Invariant: a pid is only signalled between its HELLO and its reaping.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "ipc/chan.h"
#include "ipc/link.h"
#include "master/master_int.h"
#include "master/oom.h"

#define HELLO_LIMIT_MS 10000
#define TERM_TO_KILL_MS 1000
#define ATTACH_LEAST_MS 5000
// Between the end of its channel and its death: longer, and something is wrong with it.
#define EOF_TO_KILL_MS 1000

static void worker_free(struct worker *w)
{
    struct pool *p = w->pool;

    for (struct worker **at = &p->workers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    peer_close(&w->peer);
    timer_clear(&w->timer);
    link_close(w->link);
    fd_close(&w->chan_fd);
    fd_close(&w->smaps_fd);
    fd_close(&w->statm_fd);
    board_proc_free(w->row);
    free(w);
}

static bool in_request(const struct worker *w)
{
    uint32_t state = w->row ? atomic_load(&w->row->state) : BOARD_STARTING;
    return state == BOARD_BUSY || state == BOARD_FINISHING;
}

static void count_end(enum worker_end end)
{
    static const enum counter counters[WORKER_ENDS] = {
#define WORKER_END(name, label, failure, text) [WORKER_END_##name] = COUNTER_ENDS_##name,
#include "tbl/worker_ends.def"
#undef WORKER_END
    };
    count(counters[end]);
}

static enum worker_end classify(const struct worker *w, int status, int *ret_detail)
{
    *ret_detail = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (w->asked_end != WORKER_ENDS)
        return w->asked_end;
    if (w->pool->svc->state == SERVICE_CLOSING || (WIFSIGNALED(status) && master.stopping && WTERMSIG(status) == SIGTERM))
        return WORKER_END_SHUTDOWN;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL && oom_take_kill() ? WORKER_END_OOM : WORKER_END_SIGNAL;
    switch (WEXITSTATUS(status)) {
    case 0:
        return WORKER_END_ORDERLY;
    case 3:
        return WORKER_END_RECYCLED;
    default:
        return WORKER_END_EXIT;
    }
}

// The edge logs what hit a request, with script and URI. What it never saw, or can't tell for want of an edge, is told here.
static void log_end(const struct worker *w, enum worker_end end, int detail)
{
    char role[64], number[48] = "";

    if (!worker_end_is_failure(end) || (w->edge_serial && w->pool->svc->edge.pid))
        return;
    snprintf(role, sizeof role, "pool %.40s", w->pool->conf->name);
    if (end == WORKER_END_SIGNAL)
        snprintf(number, sizeof number, " %d (%s)", detail, strsignal(detail));
    else if (end == WORKER_END_EXIT)
        snprintf(number, sizeof number, " with status %d", detail);
    log_as(LOG_LEVEL_ERROR, role, "worker %u (pid %d) %s%s%s", w->id, w->pid, worker_end_text(end), number,
           in_request(w) ? " while it ran a request" : "");
}

static void gone(struct worker *w, enum worker_end end, int detail)
{
    struct pool *p = w->pool;
    struct msg_worker_gone body = {w->id, end, detail, 0};
    bool first = !w->row || atomic_load(&w->row->requests) == 0;
    // An end that nobody asked for and no request caused; also an exit 0 of a worker that never did anything, which would
    // otherwise be replaced for ever at full speed.
    bool bad = !in_request(w) && w->asked_end == WORKER_ENDS && !w->retiring && end != WORKER_END_SHUTDOWN &&
               (worker_end_is_failure(end) || (first && p->svc->state != SERVICE_DRAINING));

    log_end(w, end, detail);
    count_end(end);
    if (w->pid) {
        p->n_live--;
        gauge_add(COUNTER_WORKERS_TOTAL, -1);
    }
    if (w->edge_serial && w->edge_serial == p->svc->edge.serial)
        (void)peer_send(&p->svc->edge.peer, MSG_WORKER_GONE, &body, NULL, 0);
    worker_free(w);
    if (p->svc->state == SERVICE_CLOSING) {
        service_maybe_gone(p->svc);
        return;
    }
    if (bad)
        pool_on_bad_death(p);
    pool_fill(p);
    pool_retire_old(p);
}

void worker_on_exit(struct worker *w, int status)
{
    int detail;
    enum worker_end end = classify(w, status, &detail);
    gone(w, end, detail);
}

static void on_kill_time(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, timer);
    if (w->pid)
        kill(w->pid, SIGKILL);
}

static void on_no_hello(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, timer);
    struct pool *p = w->pool;
    log_error("pool %s: worker %u did not answer within %d s", p->conf->name, w->id, HELLO_LIMIT_MS / 1000);
    // It is the mold that hangs, or what comes out of it does: with another one it may go better.
    if (p->mold && p->mold->generation == w->generation && p->svc->state != SERVICE_STARTING) {
        p->mold->hangs = true;
        pool_renew_mold(p);
    }
    gone(w, WORKER_END_SPAWN, 0);
}

static void on_not_attached(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, timer);
    log_warning("pool %s: worker %u (pid %d) still runs a request of the lost edge; it is replaced", w->pool->conf->name, w->id,
                w->pid);
    worker_kill(w, WORKER_END_READ_TIMEOUT);
}

void worker_kill(struct worker *w, enum worker_end why)
{
    if (!w->pid || w->killing)
        return;
    w->killing = true;
    w->asked_end = why;
    kill(w->pid, why == WORKER_END_PROTOCOL ? SIGKILL : SIGTERM);
    timer_set(&w->timer, on_kill_time, TERM_TO_KILL_MS);
}

void worker_close(struct worker *w)
{
    if (!w->pid) {
        gone(w, WORKER_END_SHUTDOWN, 0);
        return;
    }
    peer_close(&w->peer);
    link_close(w->link);
}

void worker_offer(struct worker *w)
{
    struct service *svc = w->pool->svc;
    struct msg_worker_add body = {w->id, w->pool->index, w->generation, w->pid, w->post_max_size};
    int fds[LINK_FDS + 1] = {w->link[LINK_DOWN], w->link[LINK_UP], w->link[LINK_FILES], w->chan_fd};

    if (!w->attached || w->link[LINK_UP] < 0 || w->killing || !svc->edge.pid)
        return;
    if (!peer_send(&svc->edge.peer, MSG_WORKER_ADD, &body, fds, LINK_FDS + 1))
        return;
    link_close(w->link);
    w->edge_serial = svc->edge.serial;
}

static void on_hello(struct worker *w, struct msg *m)
{
    struct pool *p = w->pool;
    pid_t pid = m->pid ? m->pid : m->as_WORKER_HELLO.pid;
    int status;

    if (w->pid || m->as_WORKER_HELLO.worker_id != w->id || pid <= 1 || pid == master.pid) {
        log_error("pool %s: worker %u introduces itself wrongly", p->conf->name, w->id);
        peer_close(&w->peer);
        if (w->pid)
            worker_kill(w, WORKER_END_PROTOCOL);
        else
            gone(w, WORKER_END_SPAWN, 0);
        return;
    }
    timer_clear(&w->timer);
    w->pid = pid;
    w->attached = true;
    if (m->n_fds == 2) {
        w->smaps_fd = m->fds[0];
        w->statm_fd = m->fds[1];
        m->fds[0] = m->fds[1] = -1;
    }
    p->n_live++;
    gauge_add(COUNTER_WORKERS_TOTAL, 1);
    count(COUNTER_WORKERS_STARTED);
    w->row = board_proc_add(BOARD_WORKER, w->pid, w->id, w->generation, p->conf->name);
    if (signals_take_orphan(pid, &status)) { // it ended before we knew its name
        worker_on_exit(w, status);
        return;
    }
    pool_tell_state(p);
    worker_offer(w);
    service_check(p->svc);
    pool_retire_old(p);
}

static void on_eof(struct worker *w)
{
    if (!w->pid) {
        gone(w, WORKER_END_SPAWN, 0);
        return;
    }
    if (!w->killing)
        timer_set(&w->timer, on_kill_time, EOF_TO_KILL_MS);
}

static void on_worker(struct peer *peer, struct msg *m)
{
    struct worker *w = container_of(peer, struct worker, peer);

    if (!m) {
        on_eof(w);
    } else if (m->type == MSG_WORKER_HELLO) {
        on_hello(w, m);
    } else if (m->type == MSG_ATTACHED && w->pid && !w->attached && !w->killing) {
        w->attached = true;
        timer_clear(&w->timer);
        board_proc_set_state(w->row, BOARD_IDLE);
        worker_offer(w);
    }
}

// With a jitter of a tenth, so that workers started together don't leave together.
static uint32_t jittered(unsigned max_requests)
{
    uint32_t random = 0, room = max_requests / 10;

    if (!room || getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        return max_requests;
    return max_requests - random % (room + 1);
}

int worker_spawn(struct pool *p)
{
    struct mold *mold = p->mold;
    int ours[LINK_FDS] = {-1, -1, -1}, its[LINK_FDS] = {-1, -1, -1}, to_master[2] = {-1, -1}, on = 1;
    struct msg_spawn body = {++master.last_worker_id, jittered(p->conf->max_requests), mold->generation, 0};

    int chan_fd = chan_create();
    int rc = chan_fd < 0 ? chan_fd : link_open(ours, its);
    if (!rc)
        rc = msg_pair(to_master);
    if (!rc) {
        struct worker *w = xcalloc(1, sizeof *w);
        // The kernel names the sender then: a worker can't give another's pid, which we might kill.
        (void)setsockopt(to_master[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
        *w = (struct worker){.pool = p,
                             .id = body.worker_id,
                             .generation = body.generation,
                             .asked_end = WORKER_ENDS,
                             .link = {ours[LINK_DOWN], ours[LINK_UP], ours[LINK_FILES]},
                             .chan_fd = chan_fd,
                             .smaps_fd = -1,
                             .statm_fd = -1,
                             .post_max_size = mold->post_max_size,
                             .peer = PEER_INIT};
        rc = peer_open(&w->peer, to_master[0], MSG_ROLE_WORKER, on_worker);
        to_master[0] = -1;
        int fds[LINK_FDS + 2] = {its[LINK_DOWN], its[LINK_UP], its[LINK_FILES], to_master[1], chan_fd};
        if (!rc && !peer_send(&mold->peer, MSG_SPAWN, &body, fds, LINK_FDS + 2))
            rc = -EPIPE;
        if (!rc) {
            timer_set(&w->timer, on_no_hello, HELLO_LIMIT_MS);
            w->next = p->workers;
            p->workers = w;
            chan_fd = -1; // its now
            for (int i = 0; i < LINK_FDS; i++)
                ours[i] = -1;
        } else {
            peer_close(&w->peer);
            free(w);
        }
    }
    link_close(ours);
    link_close(its);
    fd_close(&to_master[0]);
    fd_close(&to_master[1]);
    fd_close(&chan_fd);
    return rc;
}

void worker_on_edge_lost(struct worker *w)
{
    const struct conf_pool *conf = w->pool->conf;
    unsigned limit = conf->request_terminate_timeout_ms ? conf->request_terminate_timeout_ms : conf->read_timeout_ms;
    struct msg_empty body = {0};
    int its[LINK_FDS];

    w->edge_serial = 0;
    w->retiring = false; // the next edge is told again
    // Without HELLO, or with our end still in hand: the link it reads is good for the next edge as well.
    if (!w->pid || w->killing || w->link[LINK_UP] >= 0)
        return;
    int rc = link_open(w->link, its);
    if (!rc) {
        if (!peer_send(&w->peer, MSG_ATTACH, &body, its, LINK_FDS))
            rc = -EPIPE;
        link_close(its);
    }
    w->attached = false;
    if (rc)
        worker_kill(w, WORKER_END_SHUTDOWN);
    else
        timer_set(&w->timer, on_not_attached, limit > ATTACH_LEAST_MS ? limit : ATTACH_LEAST_MS);
}
