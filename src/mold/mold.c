// SPDX-License-Identifier: Apache-2.0
// The mold, and the entry of plimsoll-php: starts PHP once for a pool, then forks workers when the master says so. It runs
// as the pool's user: the master dropped rights before exec. Owns the channel to the master. Invariant: it never runs a
// request, so what its workers inherit is a PHP that has just started.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/log.h"
#include "ipc/msg.h"
#include "ipc/pool_spec.h"
#include "mold/title.h"
#include "mold/trim.h"
#include "php/engine.h"
#include "worker/worker.h"

extern char **environ;

static struct pool_spec spec;

_Noreturn static void fail(const char *why)
{
    if (msg_send(POOL_MOLD_FD, MSG_MOLD_FAILED, &(struct msg_empty){0}, why, strlen(why), NULL, 0) < 0)
        log_error("%s", why); // else the master says it
    _exit(1);
}

static void set_environment(void)
{
    if (spec.clear_env)
        clearenv();
    for (size_t i = 0; i < spec.n_pairs; i++)
        if (spec.pairs[i].kind == POOL_ENV)
            setenv(spec.pairs[i].name, spec.pairs[i].value, 1);
    if (*spec.user)
        setenv("USER", spec.user, 1);
    if (*spec.home)
        setenv("HOME", spec.home, 1);
}

// php://stdin is empty, whatever the server's own standard input is; and PHP never gets 1 or 2 for a file of its own.
static void hold_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2) {
        dup2(fd, 0);
        close(fd);
    }
}

static unsigned count_threads(void)
{
    char line[128];
    unsigned n = 1;
    FILE *f = fopen("/proc/self/status", "re");

    if (!f)
        return 1;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Threads: %u", &n) == 1)
            break;
    fclose(f);
    return n > 255 ? 255 : n;
}

static void start_php(void)
{
    char why[512];
    struct msg_mold_ready ready;

    if (engine_start(&spec, why, sizeof why) < 0)
        fail(why);
    engine_describe(&ready);
    ready.thread_count_at_fork = (uint8_t)count_threads();
    if (msg_send(POOL_MOLD_FD, MSG_MOLD_READY, &ready, NULL, 0, NULL, 0) < 0)
        _exit(1);
}

// In the worker-to-be: its parent is the process in between, which is about to end. The death signal is bound to the
// parent of that moment, so it must be asked for after the master took us over.
static void await_adoption(pid_t between)
{
    while (getppid() == between)
        usleep(20);
}

_Noreturn static void become_worker(const struct msg *m, pid_t between)
{
    struct worker_start start = {
        .spawn = m->as_SPAWN,
        .link = {m->fds[LINK_DOWN], m->fds[LINK_UP], m->fds[LINK_FILES]},
        .master_fd = m->fds[LINK_FDS],
        .chan_fd = m->fds[LINK_FDS + 1],
        .pool = spec.pool,
        .catch_output = spec.catch_workers_output,
        .dumpable = spec.dumpable,
    };
    char title[96];

    close(POOL_MOLD_FD);
    await_adoption(between);
    snprintf(title, sizeof title, "plimsoll: worker %s", spec.pool);
    title_set(title);
    worker_run(&start);
}

// Returns 0 or errno.
static int spawn(const struct msg *m)
{
    int status;
    pid_t between = fork();

    if (between < 0)
        return errno;
    if (between == 0) {
        between = getpid();
        pid_t pid = fork();
        if (pid == 0)
            become_worker(m, between);
        _exit(pid < 0 ? errno : 0);
    }
    while (waitpid(between, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

// Not sooner than this after the last order: right after the start every millisecond is somebody's first answer.
#define TRIM_AFTER_MS 1000

static void serve_master(void)
{
    static struct msg m;
    struct pollfd order = {POOL_MOLD_FD, POLLIN, 0};
    bool trimmed = false;

    for (;;) {
        if (!trimmed && poll(&order, 1, TRIM_AFTER_MS) == 0) {
            mold_trim();
            trimmed = true;
        }
        int rc = msg_recv(POOL_MOLD_FD, MSG_ROLE_MASTER, MSG_ROLE_MOLD, &m);
        if (rc == 0)
            _exit(0);
        if (rc < 0) {
            log_error("message of the master: %s", strerror(-rc));
            _exit(1);
        }
        int err = spawn(&m);
        if (err) {
            struct msg_spawn_failed failed = {.worker_id = m.as_SPAWN.worker_id, .error = err};
            (void)msg_send(POOL_MOLD_FD, MSG_SPAWN_FAILED, &failed, NULL, 0, NULL, 0);
        }
        msg_close_fds(&m);
    }
}

int main(int argc, char **argv)
{
    char text[128];
    int rc;

    if (fcntl(POOL_MOLD_FD, F_GETFD) < 0 || fcntl(POOL_SPEC_FD, F_GETFD) < 0) {
        fprintf(stderr, "plimsoll-php is started by plimsoll; see plimsoll help\n");
        return 2;
    }
    fd_set_cloexec(POOL_MOLD_FD, true);
    hold_standard_fds();
    log_init("mold", 2);
    if ((rc = pool_spec_decode(POOL_SPEC_FD, &spec)) < 0) {
        fail(rc == -EPROTONOSUPPORT ? "plimsoll and plimsoll-php are of different versions: restart needed"
                                    : "the pool's settings can't be read");
    }
    close(POOL_SPEC_FD);
    // A Ctrl-C is for the master, which ends us in order.
    (void)setpgid(0, 0);
    title_init(argc, argv);
    snprintf(text, sizeof text, "plimsoll: mold %s", spec.pool);
    title_set(text);
    prctl(PR_SET_NAME, "plimsoll-mold");
    snprintf(text, sizeof text, "mold %s", spec.pool);
    log_init(text, 2);
    set_environment();
    start_php();
    serve_master();
    return 0;
}
