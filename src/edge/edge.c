// SPDX-License-Identifier: Apache-2.0
// The edge process: its start, the master's messages, and its end. Owns struct edge. Invariant: once draining, no new
// connection is accepted and every answer closes its connection.
#include "edge/edge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/loop.h"
#include "conf/conf.h"
#include "edge/access_log.h"
#include "edge/dispatch.h"
#include "edge/edge_int.h"
#include "edge/route.h"
#include "ipc/board.h"
#include "ipc/link.h"
#include "ipc/msg.h"

#define EXIT_OK 0
#define EXIT_FAILURE_RUNTIME 1
#define EXIT_CUT 7
#define FDS_RESERVED 64 // descriptors that are not client connections: logs, files being opened; workers' come on top

struct edge edge;
static struct watch master_watch;
static struct timer drain_timer;
static struct task idle_task, end_task;

static void finish(int result)
{
    access_log_flush();
    loop_stop(result);
}

static bool has_answered(void)
{
    return edge.n_conns == 0 && dispatch_n_running() == 0;
}

// The admin listener goes last, and what it accepted is answered as well.
static void try_end(struct task *t)
{
    if (!has_answered())
        return;
    listener_stop_admin();
    if (!edge.keep_idle)
        conn_close_idle();
    if (edge.n_admin_conns == 0)
        finish(EXIT_OK);
}

void edge__check_drained(void)
{
    if (edge.draining && has_answered())
        loop_defer(&end_task, try_end); // in a turn of its own: it closes connections, and one of them may have called
}

static void on_drain_deadline(struct timer *t)
{
    unsigned cut = conn_cut_all() + dispatch_n_unseen();
    if (cut)
        log_warning("the drain deadline passed: %u requests were cut", cut);
    finish(cut ? EXIT_CUT : EXIT_OK);
}

static void close_idle(struct task *t)
{
    if (!edge.keep_idle)
        conn_close_idle();
    edge__check_drained();
}

static void on_drain(const struct msg_drain *d)
{
    edge.draining = true;
    edge.keep_idle = d->keep_idle != 0;
    listener_stop(d->shared);
    // After what was just accepted has been looked at: it may have its request with it.
    loop_defer(&idle_task, close_idle);
    timer_set(&drain_timer, on_drain_deadline, d->deadline_ms);
}

static void on_logs(struct msg *m)
{
    size_t n_sites = edge.conf->n_sites;
    int *fds = xcalloc(n_sites, sizeof *fds);
    unsigned next = 1;

    for (size_t i = 0; i < n_sites; i++) {
        fds[i] = -1;
        if (edge.conf->sites[i].access_log && next < m->n_fds) {
            fds[i] = m->fds[next];
            m->fds[next++] = -1;
        }
    }
    // Replaced in place: the number stays, and nothing that holds it needs to be told.
    (void)dup3(m->fds[0], log_fd(), O_CLOEXEC);
    access_log_reopen(fds);
    free(fds);
}

static void on_master(struct watch *w, uint32_t events)
{
    struct msg m;
    int rc = msg_recv(w->fd, MSG_ROLE_MASTER, MSG_ROLE_EDGE, &m);

    if (rc == -EAGAIN)
        return;
    if (rc <= 0) {
        log_error("the channel to the master broke%s%s", rc ? ": " : "", rc ? strerror(-rc) : "");
        loop_stop(EXIT_FAILURE_RUNTIME);
        return;
    }
    switch (m.type) {
    case MSG_WORKER_ADD:
        dispatch_on_worker_add(&m);
        break;
    case MSG_WORKER_GONE:
        dispatch_on_worker_gone(&m);
        break;
    case MSG_RETIRE:
        dispatch_on_retire(m.as_RETIRE.worker_id);
        break;
    case MSG_POOL_STATE:
        dispatch_on_pool_state(&m);
        break;
    case MSG_LOGS:
        on_logs(&m);
        break;
    case MSG_DRAIN:
        on_drain(&m.as_DRAIN);
        break;
    default:
        log_error("the master sent %s, which this edge does not know: restart needed", msg_name(m.type));
        break;
    }
    msg_close_fds(&m);
}

static unsigned connections_allowed(unsigned wanted)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur == RLIM_INFINITY)
        return wanted;
    rlim_t reserved = FDS_RESERVED;
    for (size_t i = 0; i < edge.conf->n_pools; i++)
        reserved += LINK_FDS * edge.conf->pools[i].workers;
    unsigned room = r.rlim_cur > reserved + 16 ? (unsigned)(r.rlim_cur - reserved) : 16;
    if (room < wanted)
        log_notice("max_connections is %u: the limit of open files (%llu) allows no more", room, (unsigned long long)r.rlim_cur);
    return room < wanted ? room : wanted;
}

int edge_main(const struct edge_heritage *h)
{
    const char *bad_path;

    signal(SIGPIPE, SIG_IGN);
    log_init("edge", h->error_log_fd);
    loop_init();
    edge = (struct edge){.conf = h->conf, .master_fd = h->master_fd, .generation = h->generation};
    edge.max_conns = connections_allowed(h->conf->global.max_connections);
    int rc = route_init(h->conf, &bad_path);
    if (rc) {
        log_error("can't open the document root %s: %s", bad_path, strerror(-rc));
        return EXIT_FAILURE_RUNTIME;
    }
    access_log_init(h->conf, h->access_log_fds);
    dispatch_init(h->conf, h->master_fd);
    (void)fd_set_nonblock(h->master_fd, true);
    rc = loop_add(&master_watch, h->master_fd, EPOLLIN, on_master);
    must(rc == 0);
    listener_init(h->listen_fds, h->n_listen, h->admin_fd);
    struct msg_empty none = {0};
    rc = msg_send(h->master_fd, MSG_EDGE_READY, &none, NULL, 0, NULL, 0);
    if (rc) {
        log_error("the master is gone: %s", strerror(-rc));
        return EXIT_FAILURE_RUNTIME;
    }
    int result = loop_run();
    access_log_flush();
    return result;
}
