// SPDX-License-Identifier: Apache-2.0
// A service's edge: forked, watched, replaced at once when it dies. Runs in the master; child_main in the edge until
// edge_main. Owns the edge's pid, channel and board row. Invariant: at most one edge a service, and only it is drained.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "edge/edge.h"
#include "master/master_int.h"
#include "master/privileges.h"

#define STEADY_MS 10000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000

_Noreturn static void child_main(struct service *svc, int channel)
{
    const struct conf_global *g = &svc->conf->global;
    size_t n = svc->n_listeners, n_keep = 0;
    int *listen_fds = xcalloc(n, sizeof *listen_fds), *keep = xcalloc(n + svc->logs.n + 4, sizeof *keep);

    for (size_t i = 0; i < n; i++)
        keep[n_keep++] = listen_fds[i] = svc->listeners[i]->fd;
    for (size_t i = 0; i < svc->logs.n; i++)
        keep[n_keep++] = svc->logs.access_fds[i];
    int admin_fd = svc->admin ? svc->admin->fd : -1;
    keep[n_keep++] = admin_fd;
    keep[n_keep++] = svc->logs.error_fd;
    keep[n_keep++] = channel;
    loop_done();
    privileges_close_others(keep, n_keep);
    free(keep);
    signals_reset_child();
    // A terminal's Ctrl-C goes to its foreground group: only the master decides what it means.
    (void)setpgid(0, 0);
    log_init("edge", svc->logs.error_fd);
    int rc = privileges_become(g->edge_user, g->edge_uid, g->edge_gid);
    if (rc) {
        log_error("can't become user %s: %s", g->edge_user ? g->edge_user : "of the edge", strerror(-rc));
        _exit(EXIT_FAILED);
    }
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0);
    if (!privileges_tie_to(master.pid))
        _exit(EXIT_FAILED);
    privileges_set_title(master.argv, "plimsoll: edge");
    struct edge_heritage h = {.conf = svc->conf,
                              .generation = svc->generation,
                              .master_fd = channel,
                              .listen_fds = listen_fds,
                              .n_listen = n,
                              .admin_fd = admin_fd,
                              .error_log_fd = svc->logs.error_fd,
                              .access_log_fds = svc->logs.access_fds};
    exit(edge_main(&h)); // not _exit: sanitizers report at exit
}

static void on_respawn(struct timer *t)
{
    struct edge_proc *e = container_of(t, struct edge_proc, respawn);
    struct service *svc = container_of(e, struct service, edge);
    int rc = edge_start(svc);

    if (rc) {
        log_error("can't start an edge: %s", strerror(-rc));
        timer_set(&e->respawn, on_respawn, BACKOFF_MAX_MS);
    }
}

static void on_edge(struct peer *peer, struct msg *m)
{
    struct service *svc = container_of(peer, struct service, edge.peer);

    if (!m) {
        // Without its channel an edge ends; one that does not is ended.
        if (svc->edge.pid && !svc->edge.draining)
            kill(svc->edge.pid, SIGKILL);
        return;
    }
    if (m->type == MSG_EDGE_READY) {
        svc->edge.ready = true;
        board_proc_set_state(svc->edge.row, BOARD_IDLE);
        service_check(svc);
        for (size_t i = 0; i < svc->conf->n_pools; i++)
            pool_retire_old(&svc->pools[i]);
    } else if (m->type == MSG_WORKER_KILL) {
        enum worker_end why = m->as_WORKER_KILL.end < WORKER_ENDS ? m->as_WORKER_KILL.end : WORKER_END_PROTOCOL;
        for (size_t i = 0; i < svc->conf->n_pools; i++)
            for (struct worker *w = svc->pools[i].workers; w; w = w->next)
                if (w->id == m->as_WORKER_KILL.worker_id) {
                    worker_kill(w, why);
                    return;
                }
    }
}

int edge_start(struct service *svc)
{
    struct edge_proc *e = &svc->edge;
    int pair[2];

    int rc = msg_pair(pair);
    if (rc)
        return rc;
    pid_t pid = fork();
    if (pid < 0) {
        rc = -errno;
        close(pair[0]);
        close(pair[1]);
        return rc;
    }
    if (pid == 0)
        child_main(svc, pair[1]);
    close(pair[1]);
    e->pid = pid;
    e->serial = ++master.last_edge_serial;
    e->ready = e->draining = false;
    e->started_ms = clock_ms();
    e->row = board_proc_add(BOARD_EDGE, pid, 0, svc->generation, NULL);
    count(COUNTER_EDGES_STARTED);
    rc = peer_open(&e->peer, pair[0], MSG_ROLE_EDGE, on_edge);
    if (rc) // it sees the end of its channel and exits
        log_error("can't watch the edge: %s", strerror(-rc));
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        pool_tell_edge_all(&svc->pools[i]);
    return 0;
}

void edge_send_logs(struct service *svc)
{
    int fds[MSG_FDS_MAX];
    struct msg_logs body = {0};
    unsigned n = 0;

    fds[n++] = svc->logs.error_fd;
    for (size_t i = 0; i < svc->logs.n && n < MSG_FDS_MAX; i++)
        if (svc->logs.access_fds[i] >= 0)
            fds[n++] = svc->logs.access_fds[i];
    body.n_access = n - 1;
    (void)peer_send(&svc->edge.peer, MSG_LOGS, &body, fds, n);
}

static const char *describe(int status, char *text, size_t cap)
{
    if (WIFSIGNALED(status))
        snprintf(text, cap, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, cap, "exited with status %d", WEXITSTATUS(status));
    return text;
}

// What an edge counted up and can't count down again. With another edge at work the numbers are its as well: then they stay.
static void reset_gauges(void)
{
    for (struct service *s = master.services; s; s = s->next)
        if (s->edge.pid)
            return;
    static const enum counter gauges[] = {COUNTER_CONNECTIONS_OPEN, COUNTER_CONNECTIONS_IDLE, COUNTER_QUEUE_LENGTH,
                                          COUNTER_WORKERS_BUSY};
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
        atomic_store(&board->counters[gauges[i]], 0);
}

void edge_on_exit(struct service *svc, int status)
{
    struct edge_proc *e = &svc->edge;
    char how[96];
    bool steady = clock_ms() - e->started_ms >= STEADY_MS;

    peer_close(&e->peer);
    board_proc_free(e->row);
    e->row = NULL;
    pid_t pid = e->pid;
    e->pid = 0;
    e->ready = false;
    describe(status, how, sizeof how);
    if (svc->state == SERVICE_CLOSING) {
        service_maybe_gone(svc);
        return;
    }
    if (svc->state == SERVICE_DRAINING) {
        bool cut = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        if (cut && !(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CUT))
            log_error("edge (pid %d) %s while it drained", pid, how);
        if (cut && master.stopping && !master.exit_code)
            master.exit_code = EXIT_CUT;
        service_close(svc, 0);
        return;
    }
    if (svc->state == SERVICE_STARTING) {
        service_fail(svc, EXIT_FAILED, "the edge %s before it was ready", how);
        return;
    }
    count(COUNTER_EDGES_LOST);
    log_error("edge (pid %d) %s; a new one is started", pid, how);
    reset_gauges();
    e->quick_deaths = steady ? 0 : e->quick_deaths + 1;
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        for (struct worker *w = svc->pools[i].workers; w; w = w->next)
            worker_on_edge_lost(w);
    unsigned ms = 0;
    for (unsigned i = 2; i <= e->quick_deaths && ms < BACKOFF_MAX_MS; i++)
        ms = ms ? ms * 2 : BACKOFF_FIRST_MS;
    timer_set(&e->respawn, on_respawn, ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}
