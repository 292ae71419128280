// SPDX-License-Identifier: Apache-2.0
// Who gets which request: the pools' queues and free workers, and what the master says of workers. Runs in the edge; owns
// struct worker. Invariants: a request is in at most one of queue and worker; a queue is bounded in length and each wait in
// time; the last used worker is used first, so that few workers stay warm and the others stay small.
#include "edge/dispatch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/log.h"
#include "edge/edge_int.h"
#include "edge/req.h"
#include "edge/worker_int.h"

struct pool {
    const struct conf_pool *conf;
    struct worker *idle; // stack
    struct req *first, *last;
    unsigned n_queued, n_workers;
    uint64_t post_max_size; // of the PHP that came up last
    bool down; // the master says: no mold for now
};

static struct pool *pools;
static struct worker *all_workers;
static unsigned n_jobs; // in workers, also those that go on after their answer

void dispatch_init(const struct conf *conf, int master_fd)
{
    pools = xcalloc(conf->n_pools, sizeof *pools);
    for (size_t i = 0; i < conf->n_pools; i++)
        pools[i].conf = &conf->pools[i];
}

// ---- the queue ----

static void queue_add(struct pool *p, struct req *r)
{
    r->queued = true;
    r->queue_next = NULL;
    r->queue_prev = p->last;
    *(p->last ? &p->last->queue_next : &p->first) = r;
    p->last = r;
    p->n_queued++;
    r->queue_us = clock_us() - r->queue_us; // a moment while it waits, a span otherwise: it may wait twice
    gauge_add(COUNTER_QUEUE_LENGTH, 1);
}

static void queue_del(struct pool *p, struct req *r)
{
    if (!r->queued)
        return;
    r->queued = false;
    *(r->queue_prev ? &r->queue_prev->queue_next : &p->first) = r->queue_next;
    *(r->queue_next ? &r->queue_next->queue_prev : &p->last) = r->queue_prev;
    p->n_queued--;
    r->queue_us = clock_us() - r->queue_us;
    gauge_add(COUNTER_QUEUE_LENGTH, -1);
    timer_clear(&r->queue_timer);
}

static void on_queue_timeout(struct timer *t)
{
    struct req *r = container_of(t, struct req, queue_timer);

    queue_del(&pools[r->pool], r);
    count(COUNTER_QUEUE_TIMEOUT);
    req_fail(r, 503, "no worker became free within queue_timeout");
}

static void wait_in_queue(struct pool *p, struct req *r)
{
    queue_add(p, r);
    if (p->conf->queue_timeout_ms)
        timer_set(&r->queue_timer, on_queue_timeout, p->conf->queue_timeout_ms);
}

static void refuse(struct req *r, enum counter why, const char *text)
{
    count(why);
    req_fail(r, 503, text);
}

static struct worker *idle_take(struct pool *p)
{
    struct worker *w = p->idle;

    if (w) {
        p->idle = w->next_idle;
        w->next_idle = NULL;
    }
    return w;
}

static void idle_remove(struct pool *p, struct worker *w)
{
    for (struct worker **at = &p->idle; *at; at = &(*at)->next_idle)
        if (*at == w) {
            *at = w->next_idle;
            w->next_idle = NULL;
            return;
        }
}

static bool give(struct worker *w, struct req *r)
{
    if (!worker__give(w, r))
        return false;
    if (w->state == WORKER_BUSY)
        n_jobs++;
    else
        dispatch__on_free(w); // the request was answered at once: too large a head
    return true;
}

void dispatch_admit(struct req *r)
{
    struct pool *p = &pools[r->site->pool];
    struct worker *w;

    r->pool = r->site->pool;
    if (p->first == NULL)
        while ((w = idle_take(p)) != NULL)
            if (give(w, r))
                return;
    if (p->down && !p->n_workers) {
        refuse(r, COUNTER_QUEUE_DOWN, "PHP is not running for now");
        return;
    }
    if (p->n_queued >= p->conf->queue) {
        refuse(r, COUNTER_QUEUE_FULL, "the queue is full");
        return;
    }
    wait_in_queue(p, r);
}

static void serve_queue(struct pool *p)
{
    while (p->first && p->idle) {
        struct req *r = p->first;
        struct worker *w = idle_take(p);
        // Out of the queue first: the answer may begin before give returns. If that worker is lost, the next one gets it.
        queue_del(p, r);
        while (w && !give(w, r))
            w = idle_take(p);
        if (!w)
            wait_in_queue(p, r);
    }
}

// With neither workers nor a mold to make them, waiting is in vain.
static void refuse_if_down(struct pool *p)
{
    while (p->down && !p->n_workers && p->first) {
        struct req *r = p->first;
        queue_del(p, r);
        refuse(r, COUNTER_QUEUE_DOWN, "PHP is not running for now");
    }
}

static void worker_free(struct worker *w)
{
    *(w->prev ? &w->prev->next : &all_workers) = w->next;
    if (w->next)
        w->next->prev = w->prev;
    timer_clear(&w->read_timer);
    timer_clear(&w->terminate_timer);
    loop_undefer(&w->free_task);
    loop_del(&w->watch);
    link_close(w->link);
    chan_unmap(&w->chan);
    w->magic = 0;
    free(w);
}

static void on_free_task(struct task *t)
{
    worker_free(container_of(t, struct worker, free_task));
}

// ---- workers ----

static void tell_to_leave(struct worker *w)
{
    struct msg_empty none = {0};

    w->state = WORKER_LEAVING;
    board_proc_set_state(w->seen, BOARD_LEAVING);
    (void)link_send(w->link[LINK_DOWN], MSG_LEAVE, &none, NULL, 0);
}

void dispatch__on_free(struct worker *w)
{
    struct pool *p = &pools[w->pool];

    if (w->state == WORKER_IDLE && w->retire) {
        tell_to_leave(w);
    } else if (w->state == WORKER_IDLE) {
        board_proc_set_state(w->seen, BOARD_IDLE);
        w->next_idle = p->idle;
        p->idle = w;
        serve_queue(p);
    } else {
        board_proc_set_state(w->seen, BOARD_LEAVING);
    }
}

// A job is over: its worker may have another. Counted here because only given jobs end.
static void job_over(void)
{
    must(n_jobs > 0);
    n_jobs--;
    edge__check_drained();
}

void dispatch__job_over(struct worker *w)
{
    job_over();
    dispatch__on_free(w);
}

void dispatch__on_lost(struct worker *w, unsigned status, const char *why)
{
    struct req *r = w->req;
    bool was_busy = w->state == WORKER_BUSY;

    if (w->state == WORKER_LOST)
        return;
    idle_remove(&pools[w->pool], w);
    w->state = WORKER_LOST;
    w->lost_busy = was_busy;
    w->body_left = w->head_left = 0;
    w->flags = 0;
    pools[w->pool].n_workers--;
    loop_del(&w->watch); // the timers find a state that they leave alone, or ask the master to kill again
    link_close(w->link);
    w->req = NULL;
    if (r) {
        r->worker = NULL;
        req_fail(r, status ? status : 502, why);
    }
    if (was_busy) {
        gauge_add(COUNTER_WORKERS_BUSY, -1);
        job_over();
    }
    if (w->gone)
        loop_defer(&w->free_task, on_free_task);
    refuse_if_down(&pools[w->pool]);
}

static struct worker *worker_find(uint32_t id)
{
    for (struct worker *w = all_workers; w; w = w->next)
        if (w->id == id)
            return w;
    return NULL;
}

void dispatch_on_worker_add(struct msg *m)
{
    const struct msg_worker_add *a = &m->as_WORKER_ADD;
    struct chan chan;

    if (a->pool >= edge.conf->n_pools) {
        log_error("the master added a worker of pool %u, which this configuration does not have", a->pool);
        return;
    }
    int rc = chan_map(m->fds[LINK_FDS], &chan);
    if (rc) {
        log_error("the memory of worker %d can't be mapped: %s", a->pid, strerror(-rc));
        struct msg_worker_kill kill = {.worker_id = a->worker_id, .end = WORKER_END_SPAWN};
        (void)msg_send(edge.master_fd, MSG_WORKER_KILL, &kill, NULL, 0, NULL, 0);
        return;
    }
    struct worker *w = xcalloc(1, sizeof *w);
    w->magic = WORKER_MAGIC;
    w->id = a->worker_id;
    w->pool = a->pool;
    w->pid = a->pid;
    pools[a->pool].post_max_size = a->post_max_size;
    w->chan = chan;
    w->seen = board_proc_find(BOARD_WORKER, w->id);
    for (int i = 0; i < LINK_FDS; i++) {
        w->link[i] = m->fds[i];
        m->fds[i] = -1;
    }
    rc = loop_add(&w->watch, w->link[LINK_UP], EPOLLIN, worker__on_event);
    must(rc == 0);
    w->next = all_workers;
    if (all_workers)
        all_workers->prev = w;
    all_workers = w;
    pools[w->pool].n_workers++;
    w->state = WORKER_IDLE;
    dispatch__on_free(w);
}

static void log_death(const struct worker *w, enum worker_end end, int detail, bool in_request)
{
    char how[96];

    if (end == WORKER_END_SIGNAL)
        snprintf(how, sizeof how, "%s %d (%s)", worker_end_text(end), detail, sigdescr_np(detail) ? sigdescr_np(detail) : "?");
    else if (end == WORKER_END_EXIT)
        snprintf(how, sizeof how, "%s with status %d", worker_end_text(end), detail);
    else
        snprintf(how, sizeof how, "%s", worker_end_text(end));
    if (in_request)
        log_warning("worker %d of pool %s %s while it ran %s for %s %s, request %s", w->pid, pools[w->pool].conf->name, how,
                    w->script, w->method, w->uri, w->request_id);
    else if (worker_end_is_failure(end))
        log_warning("worker %d of pool %s %s outside a request", w->pid, pools[w->pool].conf->name, how);
}

void dispatch_on_worker_gone(const struct msg *m)
{
    const struct msg_worker_gone *g = &m->as_WORKER_GONE;
    struct worker *w = worker_find(g->worker_id);

    if (!w)
        return;
    worker__drain(w); // its last answer may still be there
    bool in_request = w->state == WORKER_BUSY || w->lost_busy;
    enum worker_end end = w->killed ? w->kill_end : (enum worker_end)g->end;
    log_death(w, end, g->detail, in_request);
    w->gone = true;
    w->seen = NULL; // its row on the board may be another's now
    if (w->state == WORKER_LOST)
        worker_free(w);
    // else the client has not yet taken what lies in the ring; behind it comes the channel's end, and then it is lost
}

void dispatch_on_retire(uint32_t worker_id)
{
    struct worker *w = worker_find(worker_id);

    if (!w)
        return;
    w->retire = true;
    if (w->state == WORKER_IDLE) {
        idle_remove(&pools[w->pool], w);
        tell_to_leave(w);
    }
}

void dispatch_on_pool_state(const struct msg *m)
{
    const struct msg_pool_state *s = &m->as_POOL_STATE;

    if (s->pool >= edge.conf->n_pools)
        return;
    struct pool *p = &pools[s->pool];
    p->down = !s->up;
    refuse_if_down(p);
}

uint64_t dispatch_post_max_size(unsigned pool)
{
    return pools[pool].post_max_size;
}

// ---- requests that change their mind ----

void dispatch_abandon(struct req *r)
{
    if (r->queued)
        queue_del(&pools[r->pool], r);
    if (r->worker)
        worker__detach(r->worker, true);
}

void dispatch_forget(struct req *r)
{
    if (r->queued)
        queue_del(&pools[r->pool], r);
    if (r->worker)
        worker__detach(r->worker, r->client_gone || !r->ended);
}

void dispatch_on_drain(struct req *r)
{
    if (r->worker)
        worker__resume(r->worker);
}

size_t dispatch_body_add(struct req *r, const char *data, size_t n)
{
    if (r->worker)
        return worker__body_add(r->worker, data, n);
    return r->queued ? 0 : n; // nobody reads it any more
}

void dispatch_body_end(struct req *r, bool client_gone)
{
    if (r->worker)
        worker__body_end(r->worker, client_gone);
}

unsigned dispatch_n_running(void)
{
    unsigned n = n_jobs;

    for (size_t i = 0; i < edge.conf->n_pools; i++)
        n += pools[i].n_queued;
    return n;
}

unsigned dispatch_n_unseen(void)
{
    unsigned n = 0;

    for (struct worker *w = all_workers; w; w = w->next)
        n += w->state == WORKER_BUSY && !w->req;
    return n;
}
