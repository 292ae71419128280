// SPDX-License-Identifier: Apache-2.0
// A pool: keeps the number of workers, slows down when they die of themselves, and replaces its mold. Runs in the master.
// Owns the pool's timers; its molds and workers are linked here. Invariant: never more workers than pm.max_children, those
// that are leaving or dying included.
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "master/master_int.h"

#define BAD_DEATHS_WITHIN_MS 10000
#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 5000
#define CALM_MS 10000 // without a bad death: all is well again
#define MOLD_BACKOFF_FIRST_MS 100
#define MOLD_STEADY_MS 10000
// A retiring worker that still runs a request after this does not keep the next one waiting.
#define RETIRE_STEP_MS 2000

void pool_init(struct pool *p, struct service *svc, uint32_t index)
{
    *p = (struct pool){.svc = svc, .conf = &svc->conf->pools[index], .index = index, .up = true};
}

void pool_done(struct pool *p)
{
    timer_clear(&p->spawn_timer);
    timer_clear(&p->calm_timer);
    timer_clear(&p->mold_timer);
    timer_clear(&p->retire_timer);
}

static bool is_closing(const struct pool *p)
{
    return p->svc->state == SERVICE_CLOSING;
}

static void send_state(struct pool *p)
{
    struct msg_pool_state body = {p->index, p->up};
    (void)peer_send(&p->svc->edge.peer, MSG_POOL_STATE, &body, NULL, 0);
}

// Down: nobody answers and nobody will within the time of an ordinary fork.
void pool_tell_state(struct pool *p)
{
    bool starting = p->svc->state == SERVICE_STARTING;
    bool up = p->n_live || starting || (p->mold && !p->backoff_ms);

    if (up == p->up)
        return;
    p->up = up;
    if (up)
        log_notice("pool %s: is up again", p->conf->name);
    else
        log_error("pool %s: has no worker; requests get 503 until one runs", p->conf->name);
    send_state(p);
}

void pool_tell_edge_all(struct pool *p)
{
    send_state(p);
    for (struct worker *w = p->workers; w; w = w->next)
        worker_offer(w);
}

static void on_spawn_time(struct timer *t)
{
    pool_fill(container_of(t, struct pool, spawn_timer));
}

static void on_calm(struct timer *t)
{
    struct pool *p = container_of(t, struct pool, calm_timer);
    p->backoff_ms = 0;
    p->n_deaths = 0;
}

void pool_fill(struct pool *p)
{
    unsigned n = 0;

    if (is_closing(p) || !p->mold || timer_is_set(&p->spawn_timer))
        return;
    for (struct worker *w = p->workers; w; w = w->next)
        n++;
    for (; n < p->conf->workers; n++) {
        int rc = worker_spawn(p);
        if (!rc)
            continue;
        if (rc == -EPIPE)
            return; // the mold is gone: its successor goes on
        log_error("pool %s: can't start a worker: %s", p->conf->name, strerror(-rc));
        timer_set(&p->spawn_timer, on_spawn_time, BACKOFF_FIRST_MS);
        return;
    }
}

void pool_on_bad_death(struct pool *p)
{
    uint64_t now = clock_ms();

    memmove(p->deaths_ms, p->deaths_ms + 1, sizeof p->deaths_ms - sizeof p->deaths_ms[0]);
    p->deaths_ms[POOL_DEATHS - 1] = now;
    if (p->n_deaths < POOL_DEATHS)
        p->n_deaths++;
    if (p->backoff_ms)
        timer_set(&p->calm_timer, on_calm, CALM_MS + p->backoff_ms);
    bool many = p->n_deaths == POOL_DEATHS && now - p->deaths_ms[0] <= BAD_DEATHS_WITHIN_MS;
    if ((!many && !p->backoff_ms) || timer_is_set(&p->spawn_timer))
        return;
    p->backoff_ms = !p->backoff_ms ? BACKOFF_FIRST_MS : p->backoff_ms * 2;
    if (p->backoff_ms >= BACKOFF_MAX_MS) {
        p->backoff_ms = BACKOFF_MAX_MS;
        log_error("pool %s: workers of generation %u keep dying outside of requests; a new mold is started", p->conf->name,
                  p->mold ? p->mold->generation : 0);
        pool_renew_mold(p);
    } else {
        log_error("pool %s: workers keep dying outside of requests; the next are started in %u ms", p->conf->name, p->backoff_ms);
    }
    timer_set(&p->spawn_timer, on_spawn_time, p->backoff_ms);
    timer_set(&p->calm_timer, on_calm, CALM_MS + p->backoff_ms);
    pool_tell_state(p);
}

static void on_mold_time(struct timer *t)
{
    pool_renew_mold(container_of(t, struct pool, mold_timer));
}

static void renew_later(struct pool *p)
{
    unsigned ms = MOLD_BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < p->mold_failures && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    timer_set(&p->mold_timer, on_mold_time, ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

void pool_renew_mold(struct pool *p)
{
    if (is_closing(p) || p->starting)
        return;
    timer_clear(&p->mold_timer);
    p->starting = mold_start(p);
    if (!p->starting) {
        p->mold_failures++;
        renew_later(p);
    }
}

void pool_start(struct pool *p)
{
    p->starting = mold_start(p);
    if (!p->starting)
        service_fail(p->svc, EXIT_PHP, "pool %s: the mold could not be started", p->conf->name);
}

void pool_on_mold_ready(struct pool *p, struct mold *m)
{
    p->starting = NULL;
    if (p->mold)
        mold_close(p->mold);
    p->mold = m;
    if (p->svc->state != SERVICE_STARTING)
        log_notice("pool %s: generation %u is up (mold pid %d)", p->conf->name, m->generation, m->pid);
    if (!p->backoff_ms) // else its workers wait as long as the old mold's would: it may be no better
        timer_clear(&p->spawn_timer);
    pool_tell_state(p);
    pool_fill(p);
    pool_retire_old(p);
}

void pool_on_mold_gone(struct pool *p, struct mold *m, const char *how)
{
    bool was_starting = p->starting == m;

    if (p->starting == m)
        p->starting = NULL;
    if (p->mold == m)
        p->mold = NULL;
    if (m->closing || is_closing(p))
        return;
    if (p->svc->state == SERVICE_STARTING) {
        service_fail(p->svc, EXIT_PHP, "pool %s: PHP did not start: %s", p->conf->name, how);
        return;
    }
    count(COUNTER_MOLDS_LOST);
    log_error("pool %s: mold (pid %d, generation %u) %s%s", p->conf->name, m->pid, m->generation,
              was_starting ? "did not come up: " : "", how);
    // The first successor comes at once; if molds die young, later and later.
    if (!was_starting && clock_ms() - m->started_ms >= MOLD_STEADY_MS)
        p->mold_failures = 0;
    if (p->mold_failures++ == 0)
        pool_renew_mold(p);
    else
        renew_later(p);
    pool_tell_state(p);
}

static void on_retire_time(struct timer *t)
{
    pool_retire_old(container_of(t, struct pool, retire_timer));
}

// One worker of an older generation after another: it ends its job, leaves, is replaced by a fork of the new mold.
void pool_retire_old(struct pool *p)
{
    struct worker *old = NULL;
    bool starting = false;

    if (is_closing(p) || !p->mold || p->svc->state == SERVICE_STARTING)
        return;
    for (struct worker *w = p->workers; w; w = w->next) {
        starting |= !w->pid;
        if (w->pid && !w->retiring && !w->killing && w->generation != p->mold->generation && w->edge_serial)
            old = w;
        if (w->retiring && timer_is_set(&p->retire_timer))
            return; // one at a time
    }
    if (!old)
        return;
    if (!starting && p->svc->edge.ready) {
        struct msg_retire body = {old->id, 0};
        old->retiring = peer_send(&p->svc->edge.peer, MSG_RETIRE, &body, NULL, 0);
    }
    timer_set(&p->retire_timer, on_retire_time, RETIRE_STEP_MS);
}

void pool_close(struct pool *p)
{
    struct worker *next_worker;

    pool_done(p);
    for (struct mold *m = p->molds; m; m = m->next)
        mold_close(m);
    for (struct worker *w = p->workers; w; w = next_worker) {
        next_worker = w->next;
        worker_close(w);
    }
}
