// SPDX-License-Identifier: Apache-2.0
// A configuration being served, from its start to its last process. Runs in the master. Owns the configuration, its
// references to listeners, its logs, its edge and its pools.
// Invariant: states only go forward (starting, ready, draining, closing); in CLOSING nothing is started any more, and the
// service is freed in a turn of its own once its last process is reaped.
#include "master/master_int.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/log.h"

#define START_LIMIT_MS 60000
#define DRAIN_GRACE_MS 1000

struct service *service_new(struct conf *conf, bool first)
{
    struct service *svc = xcalloc(1, sizeof *svc);

    svc->conf = conf;
    svc->first = first;
    svc->generation = ++master.last_generation;
    svc->logs = LOGS_INIT;
    svc->edge.peer = PEER_INIT;
    svc->pools = xcalloc(conf->n_pools, sizeof *svc->pools);
    for (size_t i = 0; i < conf->n_pools; i++)
        pool_init(&svc->pools[i], svc, (uint32_t)i);
    svc->next = master.services;
    master.services = svc;
    return svc;
}

static void release_listeners(struct service *svc)
{
    for (size_t i = 0; i < svc->n_listeners; i++)
        listener_unref(svc->listeners[i]);
    svc->n_listeners = 0;
    svc->admin = listener_unref(svc->admin);
}

void service_free(struct service *svc)
{
    for (struct service **at = &master.services; *at; at = &(*at)->next)
        if (*at == svc) {
            *at = svc->next;
            break;
        }
    if (master.current == svc)
        master.current = NULL;
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        pool_done(&svc->pools[i]);
    release_listeners(svc);
    timer_clear(&svc->limit);
    timer_clear(&svc->gone);
    timer_clear(&svc->edge.respawn);
    logs_close(&svc->logs);
    free(svc->listeners);
    free(svc->pools);
    conf_free(svc->conf);
    free(svc);
}

static void on_start_limit(struct timer *t)
{
    struct service *svc = container_of(t, struct service, limit);
    service_fail(svc, EXIT_PHP, "it was not ready within %d s", START_LIMIT_MS / 1000);
}

static void start_edge(struct service *svc)
{
    int rc = edge_start(svc);
    if (rc)
        service_fail(svc, EXIT_FAILED, "the edge could not be started: %s", strerror(-rc));
}

// An edge takes connections from its first moment on: where an older one serves (reload, upgrade), it waits for workers,
// because a failure until then must cost no request.
static bool has_predecessor(const struct service *svc)
{
    return !svc->first || upgrade_is_child();
}

// PHP takes longest: molds go first, and at the first start the edge comes up beside them.
void service_start(struct service *svc)
{
    timer_set(&svc->limit, on_start_limit, START_LIMIT_MS);
    for (size_t i = 0; i < svc->conf->n_pools && svc->state == SERVICE_STARTING; i++)
        pool_start(&svc->pools[i]);
    if (!has_predecessor(svc) && svc->state == SERVICE_STARTING)
        start_edge(svc);
}

void service_check(struct service *svc)
{
    if (svc->state != SERVICE_STARTING)
        return;
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        if (!svc->pools[i].n_live)
            return;
    if (!svc->edge.pid) {
        start_edge(svc);
        return;
    }
    if (!svc->edge.ready)
        return;
    svc->state = SERVICE_READY;
    timer_clear(&svc->limit);
    master_on_ready(svc);
}

void service_fail(struct service *svc, int code, const char *fmt, ...)
{
    char text[6000];
    va_list ap;

    if (svc->state != SERVICE_STARTING)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    bool edge_accepts = svc->edge.ready && has_predecessor(svc);
    if (edge_accepts)
        service_drain(svc, 1000, false); // it may hold requests: they get their 503
    else
        service_close(svc, 0);
    master_on_failure(svc, code, text);
}

static bool listens(const struct service *svc, const struct listener *l)
{
    for (size_t i = 0; svc && i < svc->n_listeners; i++)
        if (svc->listeners[i] == l)
            return true;
    return svc && l && svc->admin == l;
}

// Which of its sockets another edge accepts on: the current service's, or after a hand-over the new master's.
static uint64_t shared_sockets(const struct service *svc)
{
    uint64_t shared = 0;

    if (master.handing_over)
        return UINT64_MAX;
    if (svc == master.current)
        return 0;
    for (size_t i = 0; i < svc->n_listeners; i++)
        if (listens(master.current, svc->listeners[i]))
            shared |= DRAIN_LISTENER(i);
    return shared | (listens(master.current, svc->admin) ? DRAIN_ADMIN : 0);
}

static void on_drain_limit(struct timer *t)
{
    struct service *svc = container_of(t, struct service, limit);
    log_error("edge (pid %d) does not end; it is killed", svc->edge.pid);
    service_close(svc, 0);
}

void service_drain(struct service *svc, unsigned deadline_ms, bool keep_idle)
{
    struct msg_drain body = {deadline_ms, keep_idle, shared_sockets(svc)};

    if (svc->state == SERVICE_CLOSING)
        return;
    if (!svc->edge.pid || !peer_send(&svc->edge.peer, MSG_DRAIN, &body, NULL, 0)) {
        service_close(svc, 0);
        return;
    }
    svc->state = SERVICE_DRAINING;
    svc->edge.draining = true;
    if (keep_idle)
        release_listeners(svc); // it starts no edge any more; an address that the configuration lost is free at once
    timer_clear(&svc->limit);
    if (deadline_ms != NO_DEADLINE_MS) // past it the edge has ended, or it hangs
        timer_set(&svc->limit, on_drain_limit, (uint64_t)deadline_ms + DRAIN_GRACE_MS);
    board_proc_set_state(svc->edge.row, BOARD_LEAVING);
}

void service_kill(struct service *svc)
{
    if (svc->edge.pid)
        kill(svc->edge.pid, SIGKILL);
    for (size_t i = 0; i < svc->conf->n_pools; i++) {
        for (struct mold *m = svc->pools[i].molds; m; m = m->next)
            kill(m->pid, SIGKILL);
        for (struct worker *w = svc->pools[i].workers; w; w = w->next)
            if (w->pid)
                kill(w->pid, SIGKILL);
    }
}

static void on_leftover_limit(struct timer *t)
{
    service_kill(container_of(t, struct service, limit));
}

// A worker may still be at work after its answer (fastcgi_finish_request): as long as its pool's limits allow.
static unsigned leftover_limit(const struct service *svc)
{
    unsigned limit = 5000;

    for (size_t i = 0; i < svc->conf->n_pools; i++) {
        const struct conf_pool *c = &svc->conf->pools[i];
        unsigned ms = c->request_terminate_timeout_ms ? c->request_terminate_timeout_ms : c->read_timeout_ms;
        limit = ms > limit ? ms : limit;
    }
    return limit;
}

void service_close(struct service *svc, unsigned leftover_ms)
{
    if (svc->state == SERVICE_CLOSING)
        return;
    svc->state = SERVICE_CLOSING;
    timer_clear(&svc->edge.respawn);
    if (svc->edge.pid) {
        kill(svc->edge.pid, SIGKILL); // first: it would log that its channel broke
        peer_close(&svc->edge.peer);
    }
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        pool_close(&svc->pools[i]);
    timer_set(&svc->limit, on_leftover_limit, leftover_ms ? leftover_ms : leftover_limit(svc));
    service_maybe_gone(svc);
}

static void on_gone(struct timer *t)
{
    struct service *svc = container_of(t, struct service, gone);

    if (svc->edge.pid)
        return;
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        if (svc->pools[i].molds || svc->pools[i].workers)
            return;
    master_on_gone(svc);
}

// In a turn of its own: the caller may hold pointers into the service.
void service_maybe_gone(struct service *svc)
{
    if (svc->state == SERVICE_CLOSING)
        timer_set(&svc->gone, on_gone, 0);
}
