// SPDX-License-Identifier: Apache-2.0
// A mold as the master sees it: plimsoll-php, started as the pool's user, which starts PHP once and then forks workers.
// Runs in the master; child_main in the child until exec. Owns the mold's struct, channel and the pipe of what PHP says.
// Invariant: descriptor 3 of a mold is its channel, 4 its settings, and it inherits nothing else but 0 to 2.
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
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
#include "ipc/pool_spec.h"
#include "master/master_int.h"
#include "master/privileges.h"

#define READY_LIMIT_MS 30000
#define CLOSE_TO_KILL_MS 2000

static size_t add_pairs(struct pool_pair *to, size_t n, enum pool_pair_kind kind, const struct conf_pairs *from)
{
    for (size_t i = 0; i < from->n; i++)
        to[n++] = (struct pool_pair){kind, from->v[i].key, from->v[i].value};
    return n;
}

static int make_spec(const struct conf_pool *c)
{
    size_t n = 0, room = c->env.n + c->php_value.n + c->php_flag.n + c->php_admin_value.n + c->php_admin_flag.n;
    struct pool_pair *pairs = xcalloc(room, sizeof *pairs);
    struct passwd *pw = geteuid() == 0 && c->uid != (uid_t)-1 ? getpwuid(c->uid) : NULL;

    n = add_pairs(pairs, n, POOL_ENV, &c->env);
    n = add_pairs(pairs, n, POOL_VALUE, &c->php_value);
    n = add_pairs(pairs, n, POOL_FLAG, &c->php_flag);
    n = add_pairs(pairs, n, POOL_ADMIN_VALUE, &c->php_admin_value);
    n = add_pairs(pairs, n, POOL_ADMIN_FLAG, &c->php_admin_flag);
    struct pool_spec spec = {.pool = c->name,
                             .php_ini = c->php_ini,
                             .user = pw ? pw->pw_name : NULL,
                             .home = pw ? pw->pw_dir : NULL,
                             .clear_env = c->clear_env,
                             .catch_workers_output = c->catch_workers_output,
                             .dumpable = c->dumpable,
                             .pairs = pairs,
                             .n_pairs = n};
    int fd = pool_spec_encode(&spec);
    free(pairs);
    return fd;
}

_Noreturn static void child_fails(const char *what, int err)
{
    dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(err));
    _exit(127);
}

// Puts fd at `to` without overwriting the others: all were moved above 9 before.
static void place(int fd, int to)
{
    if (dup2(fd, to) < 0)
        _exit(127);
}

_Noreturn static void child_main(const struct pool *p, int channel, int spec, int out)
{
    const struct conf_pool *c = p->conf;
    char *program = p->svc->conf->global.plimsoll_php;
    char *argv[] = {xasprintf("plimsoll-php: mold %s", c->name), NULL};

    signals_reset_child();
    (void)setpgid(0, 0);
    int moved[] = {fcntl(channel, F_DUPFD, 10), fcntl(spec, F_DUPFD, 10), fcntl(out, F_DUPFD, 10), open("/dev/null", O_RDONLY)};
    place(moved[2], STDERR_FILENO);
    place(moved[2], STDOUT_FILENO);
    place(moved[3], STDIN_FILENO);
    place(moved[0], POOL_MOLD_FD);
    place(moved[1], POOL_SPEC_FD);
    int keep[] = {POOL_MOLD_FD, POOL_SPEC_FD};
    privileges_close_others(keep, 2);
    // Opened while we may: the pool's user need not be able to walk to the program (a checkout below /root).
    int program_fd = open(program, O_PATH | O_CLOEXEC);
    int rc = privileges_limit(c);
    if (rc)
        child_fails("rlimit_files or rlimit_core can't be set", -rc);
    rc = privileges_become(c->user, c->uid, c->gid);
    if (rc)
        child_fails(xasprintf("can't become user %s", c->user ? c->user : "of the pool"), -rc);
    if (c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fails("no_new_privs can't be set", errno);
    if (!privileges_tie_to(master.pid))
        _exit(EXIT_FAILED);
    execv(program, argv);
    if (errno == EACCES && program_fd >= 0)
        execveat(program_fd, "", argv, environ, AT_EMPTY_PATH);
    child_fails(xasprintf("can't run %s", program), errno);
}

static void mold_free(struct mold *m)
{
    for (struct mold **at = &m->pool->molds; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            break;
        }
    peer_close(&m->peer);
    timer_clear(&m->limit);
    catcher_release(m->catcher);
    board_proc_free(m->row);
    free(m->failure);
    free(m);
}

static void on_kill_time(struct timer *t)
{
    struct mold *m = container_of(t, struct mold, limit);
    kill(m->pid, SIGKILL);
}

static void on_not_ready(struct timer *t)
{
    struct mold *m = container_of(t, struct mold, limit);
    free(m->failure);
    m->failure = xasprintf("it was not ready within %d s", READY_LIMIT_MS / 1000);
    kill(m->pid, SIGKILL);
}

void mold_close(struct mold *m)
{
    if (m->closing)
        return;
    m->closing = true;
    peer_close(&m->peer);
    catcher_set_quiet(m->catcher, !m->pool->conf->catch_workers_output);
    timer_set(&m->limit, on_kill_time, m->hangs ? 0 : CLOSE_TO_KILL_MS);
}

static void on_ready(struct mold *m, const struct msg_mold_ready *facts)
{
    if (m->ready || m->closing)
        return;
    timer_clear(&m->limit);
    m->ready = true;
    m->post_max_size = facts->post_max_size;
    m->pool->facts = *facts;
    // Texts from another process: their ends are not taken on trust.
    m->pool->facts.php_version[sizeof facts->php_version - 1] = '\0';
    m->pool->facts.ini_path[sizeof facts->ini_path - 1] = '\0';
    m->pool->facts.upload_tmp_dir[sizeof facts->upload_tmp_dir - 1] = '\0';
    catcher_set_quiet(m->catcher, !m->pool->conf->catch_workers_output);
    board_proc_set_state(m->row, BOARD_IDLE);
    pool_on_mold_ready(m->pool, m);
}

static void on_mold(struct peer *peer, struct msg *msg)
{
    struct mold *m = container_of(peer, struct mold, peer);

    if (!msg) {
        // It is ending, or useless without its channel.
        timer_set(&m->limit, on_kill_time, CLOSE_TO_KILL_MS);
        if (m->pool->mold == m)
            m->pool->mold = NULL;
        return;
    }
    if (msg->type == MSG_MOLD_READY) {
        on_ready(m, &msg->as_MOLD_READY);
    } else if (msg->type == MSG_MOLD_FAILED) {
        free(m->failure);
        m->failure = xstrdup(msg->tail);
    } else if (msg->type == MSG_SPAWN_FAILED) {
        log_error("pool %s: the mold can't fork worker %u: %s", m->pool->conf->name, msg->as_SPAWN_FAILED.worker_id,
                  strerror(msg->as_SPAWN_FAILED.error));
        // The worker's channels close with the mold's copies: that end of file does the rest.
    }
}

struct mold *mold_start(struct pool *p)
{
    int pair[2], out = -1, spec = make_spec(p->conf);
    const char *what = "settings";

    int rc = spec < 0 ? spec : msg_pair(pair);
    if (rc < 0)
        goto fail_spec;
    what = "pipe";
    struct catcher *catcher = catcher_new(p->conf->name, &out);
    if (!catcher) {
        rc = -errno;
        goto fail_pair;
    }
    what = "fork";
    pid_t pid = fork();
    if (pid == 0)
        child_main(p, pair[1], spec, out);
    rc = pid < 0 ? -errno : 0;
    close(out);
    if (rc) {
        catcher_release(catcher);
        goto fail_pair;
    }
    close(spec);
    close(pair[1]);
    struct mold *m = xcalloc(1, sizeof *m);
    *m = (struct mold){.next = p->molds, .pool = p, .pid = pid, .started_ms = clock_ms(), .catcher = catcher};
    // The molds of a new configuration share its number; one that replaces a lost mold gets its own.
    m->generation = p->svc->state == SERVICE_STARTING ? p->svc->generation : ++master.last_generation;
    p->molds = m;
    m->row = board_proc_add(BOARD_MOLD, pid, 0, m->generation, p->conf->name);
    count(COUNTER_MOLDS_STARTED);
    timer_set(&m->limit, on_not_ready, READY_LIMIT_MS);
    rc = peer_open(&m->peer, pair[0], MSG_ROLE_MOLD, on_mold);
    if (rc)
        log_error("can't watch a mold: %s", strerror(-rc));
    return m;

fail_pair:
    close(pair[0]);
    close(pair[1]);
fail_spec:
    fd_close(&spec);
    log_error("pool %s: can't start a mold: %s: %s", p->conf->name, what, strerror(-rc));
    return NULL;
}

void mold_on_exit(struct mold *m, int status)
{
    struct pool *p = m->pool;
    char how[4096];
    int n;

    // What it said before it died may still lie in the channel and the pipe.
    if (!m->closing)
        peer_drain(&m->peer);
    if (WIFSIGNALED(status))
        n = snprintf(how, sizeof how, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        n = snprintf(how, sizeof how, "exited with status %d", WEXITSTATUS(status));
    if (m->failure)
        n = snprintf(how, sizeof how, "%s", m->failure);
    const char *last = m->ready ? "" : catcher_last_words(m->catcher);
    if (*last && n >= 0 && (size_t)n < sizeof how)
        snprintf(how + n, sizeof how - (size_t)n, "; it said: %s", last);
    pool_on_mold_gone(p, m, how);
    mold_free(m);
    if (p->svc->state == SERVICE_CLOSING)
        service_maybe_gone(p->svc);
}
