// SPDX-License-Identifier: Apache-2.0
// Signals by descriptor, and the reaping of children. Runs in the master. Owns the signal descriptor and a short memory of
// children nobody knew: the master is a subreaper, so processes that workers left behind come here too and go quietly.
// Invariant: nothing happens in a signal handler; there is none.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "master/master_int.h"

#define ORPHANS 64
// Longer than a HELLO can lie unread, shorter than pids come round again.
#define ORPHAN_MS 2000

static const int handled[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
#define N_HANDLED (sizeof handled / sizeof *handled)

static struct watch watch;
static struct {
    pid_t pid;
    int status;
    uint64_t at_ms;
} orphans[ORPHANS];
static unsigned next_orphan;

bool signals_take_orphan(pid_t pid, int *ret_status)
{
    uint64_t now = clock_ms();

    for (unsigned i = 0; i < ORPHANS; i++)
        if (orphans[i].pid == pid && now - orphans[i].at_ms <= ORPHAN_MS) {
            *ret_status = orphans[i].status;
            orphans[i].pid = 0;
            return true;
        }
    return false;
}

static void keep_orphan(pid_t pid, int status)
{
    unsigned at = next_orphan++ % ORPHANS;
    orphans[at].pid = pid;
    orphans[at].status = status;
    orphans[at].at_ms = clock_ms();
}

static bool on_service_exit(struct service *svc, pid_t pid, int status)
{
    if (svc->edge.pid == pid) {
        edge_on_exit(svc, status);
        return true;
    }
    for (size_t i = 0; i < svc->conf->n_pools; i++) {
        struct pool *p = &svc->pools[i];
        for (struct worker *w = p->workers; w; w = w->next)
            if (w->pid == pid) {
                worker_on_exit(w, status);
                return true;
            }
        for (struct mold *m = p->molds; m; m = m->next)
            if (m->pid == pid) {
                mold_on_exit(m, status);
                return true;
            }
    }
    return false;
}

void signals_reap(void)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        bool known = upgrade_on_exit(pid, status);
        for (struct service *svc = master.services; svc && !known; svc = svc->next)
            known = on_service_exit(svc, pid, status);
        if (!known)
            keep_orphan(pid, status);
    }
}

static void on_signal(int sig)
{
    const char *refused;

    switch (sig) {
    case SIGCHLD:
        signals_reap();
        break;
    case SIGINT:
        if (master.interrupts++ && master.stopping)
            master_stop_now();
        else
            master_stop("SIGINT");
        break;
    case SIGTERM:
    case SIGQUIT:
        master_stop(sig == SIGTERM ? "SIGTERM" : "SIGQUIT");
        break;
    case SIGHUP:
        refused = reload_begin();
        if (refused)
            log_warning("SIGHUP is refused: %s", refused);
        break;
    case SIGUSR1:
        master_reopen_logs();
        break;
    case SIGUSR2:
        upgrade_begin();
        break;
    }
}

static void on_readable(struct watch *w, uint32_t events)
{
    struct signalfd_siginfo info;

    while (read(w->fd, &info, sizeof info) == sizeof info)
        on_signal((int)info.ssi_signo);
}

int signals_init(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < N_HANDLED; i++)
        sigaddset(&set, handled[i]);
    // An inherited SIG_IGN (nohup's HUP, a shell's INT for background jobs) would keep the signal from the descriptor.
    for (size_t i = 0; i < N_HANDLED; i++)
        signal(handled[i], SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    return loop_add(&watch, fd, EPOLLIN, on_readable);
}

void signals_reset_child(void)
{
    sigset_t none;

    for (size_t i = 0; i < N_HANDLED; i++)
        signal(handled[i], SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}
