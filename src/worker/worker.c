// SPDX-License-Identifier: Apache-2.0
// A worker's life: says hello, waits for jobs, runs them, leaves. Owns its channels and its mapping of the shared memory.
// Invariant: between jobs nothing of the last one is left but what PHP itself keeps.
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fdio.h"
#include "ipc/job.h"
#include "php/engine.h"
#include "worker/worker_state.h"

struct worker worker = {.link = {-1, -1, -1}, .master_fd = -1};
struct msg worker__msg;

static const struct engine_host host = {
    .head_begin = job_out_head_begin,
    .head_add = job_out_head_add,
    .head_end = job_out_head_end,
    .write = job_out_write,
    .flush = job_out_flush,
    .finish = job_out_finish,
    .finished = job_out_finished,
    .read = job_in_read,
    .body = job_in_body,
    .log = job_out_log,
};

_Noreturn void worker__protocol(const char *what)
{
    log_error("worker %u: the edge broke the protocol: %s", worker.id, what);
    _exit(WORKER_EXIT_PROTOCOL);
}

static void drop_edge(void)
{
    link_close(worker.link);
}

int worker__tell(enum msg_type type, const void *body, const void *tail, size_t tail_n)
{
    if (worker.stray || worker.link[LINK_UP] < 0)
        return -EPIPE;
    return link_send(worker.link[LINK_UP], type, body, tail, tail_n);
}

bool worker__wait(void)
{
    int rc = link_recv_down(worker.link[LINK_DOWN], &worker__msg);

    if (rc == -EPROTO || rc == -EPROTONOSUPPORT)
        worker__protocol("an unknown message");
    if (rc <= 0) {
        drop_edge();
        return false;
    }
    switch (worker__msg.type) {
    case MSG_SPACE:
        job_out_on_space(&worker__msg.as_SPACE);
        return true;
    case MSG_BODY:
        job_in_on_body(&worker__msg.as_BODY);
        return true;
    default:
        worker__protocol("a message out of turn");
    }
}

#define SHORT_JOB_US 1000

static uint64_t clock_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

// User and system time of the job in microseconds. Asking for it is a system call, so a short job is taken for its wall time,
// which is no system call; a long one pays what its short predecessors were taken for too much or too little.
static uint64_t job_cpu_us(uint64_t wall_us)
{
    static uint64_t told;

    if (wall_us < SHORT_JOB_US) {
        told += wall_us;
        return wall_us;
    }
    uint64_t now = clock_of(CLOCK_PROCESS_CPUTIME_ID), spent = now > told ? now - told : 0;
    told = now;
    return spent < wall_us ? spent : wall_us; // one thread: never more than the clock on the wall
}

// It was sent before the job, so it is there.
static int take_body_file(uint32_t job_id)
{
    if (msg_recv(worker.link[LINK_FILES], MSG_ROLE_EDGE, MSG_ROLE_WORKER, &worker__msg) != 1 ||
        worker__msg.type != MSG_BODY_FILE || worker__msg.as_BODY_FILE.job_id != job_id)
        worker__protocol("a job without its body");
    return worker__msg.fds[0];
}

// What a script started and never waited for (proc_open without proc_close) has ended since. Between jobs no child is anybody's:
// PHP lets go of all it knows at a request's end, and the mold's are not ours.
static void reap_children(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

static void run_job(struct msg *m)
{
    static struct job job;
    static struct job_field fields[JOB_FIELDS_MAX];
    const struct msg_job head = m->as_JOB;
    struct engine_result result;

    if (head.request_n > CHAN_REQUEST_BYTES ||
        (head.body == JOB_BODY_INLINE && head.body_n > CHAN_BODY_BYTES))
        worker__protocol("a job that fits nothing");
    if (job_decode(worker.chan.request, head.request_n, &job, fields) < 0)
        worker__protocol("a request block that can't be read");
    uint64_t began = clock_of(CLOCK_MONOTONIC);
    job_out_start(head.job_id);
    job_in_start(&head, head.body == JOB_BODY_FD ? take_body_file(head.job_id) : -1);
    engine_run(&job, head.body == JOB_BODY_NONE ? 0 : head.body_n, &result);
    if (worker.stray)
        _exit(0);
    job_in_end();
    worker.jobs++;
    bool leaving = worker.max_requests && worker.jobs >= worker.max_requests;
    job_out_done(leaving, (uint32_t)result.end, result.peak_bytes, job_cpu_us(clock_of(CLOCK_MONOTONIC) - began));
    if (leaving)
        _exit(WORKER_EXIT_RECYCLED);
    reap_children();
}

// Until the edge is gone.
static void serve_edge(void)
{
    struct msg *m = &worker__msg;

    while (worker.link[LINK_DOWN] >= 0) {
        int rc = link_recv_down(worker.link[LINK_DOWN], m);
        if (rc == -EPROTO || rc == -EPROTONOSUPPORT)
            worker__protocol("an unknown message");
        if (rc <= 0) {
            drop_edge();
            return;
        }
        switch (m->type) {
        case MSG_JOB:
            run_job(m);
            break;
        case MSG_LEAVE:
            _exit(WORKER_EXIT_ORDERLY);
        default: // SPACE or BODY that crossed the end of the last job
            break;
        }
    }
}

static void wait_for_edge(void)
{
    int rc = msg_recv(worker.master_fd, MSG_ROLE_MASTER, MSG_ROLE_WORKER, &worker__msg);

    if (rc != 1 || worker__msg.type != MSG_ATTACH)
        _exit(WORKER_EXIT_ORDERLY);
    memcpy(worker.link, worker__msg.fds, sizeof worker.link);
    (void)msg_send(worker.master_fd, MSG_ATTACHED, &(struct msg_attached){.worker_id = worker.id}, NULL, 0, NULL, 0);
}

static void say_hello(void)
{
    struct msg_worker_hello hello = {.worker_id = worker.id, .pid = getpid()};
    int fds[2] = {
        open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC),
        open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
    };
    bool have = fds[0] >= 0 && fds[1] >= 0;

    if (msg_send(worker.master_fd, MSG_WORKER_HELLO, &hello, NULL, 0, fds, have ? 2 : 0) < 0)
        _exit(WORKER_EXIT_ORDERLY);
    fd_close(&fds[0]);
    fd_close(&fds[1]);
}

static void on_stray_fork(void)
{
    worker.stray = true;
}

// A script's own fork ends in the terminal's or the master's way, not in ours.
static void reset_signals(void)
{
    static const int back_to_default[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t none;

    for (size_t i = 0; i < sizeof back_to_default / sizeof *back_to_default; i++)
        signal(back_to_default[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Without catch_workers_output what PHP and its children write by themselves goes nowhere; our own lines still arrive.
static void set_output(const struct worker_start *start)
{
    char role[64];
    int log_fd_own = 2;

    if (!start->catch_output) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        log_fd_own = fcntl(2, F_DUPFD_CLOEXEC, 5);
        if (null >= 0) {
            dup2(null, 1);
            dup2(null, 2);
            close(null);
        }
    }
    snprintf(role, sizeof role, "worker %s", start->pool);
    log_init(role, log_fd_own < 0 ? 2 : log_fd_own);
}

_Noreturn void worker_run(const struct worker_start *start)
{
    int rc;

    worker.id = start->spawn.worker_id;
    worker.max_requests = start->spawn.max_requests;
    memcpy(worker.link, start->link, sizeof worker.link);
    worker.master_fd = start->master_fd;
    reset_signals();
    set_output(start);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A worker that wakes up does not push the edge off its CPU, which would otherwise wake the next one a moment later: fewer
    // switches, 5 to 10 % less CPU a short request. Its share of the CPU stays the same.
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    prctl(PR_SET_DUMPABLE, start->dumpable ? 1 : 0);
    prctl(PR_SET_NAME, "plimsoll-worker");
    if ((rc = chan_map(start->chan_fd, &worker.chan)) < 0) {
        log_error("can't map the channel: %s", strerror(-rc));
        _exit(WORKER_EXIT_PROTOCOL);
    }
    close(start->chan_fd);
    engine_child_init(&host);
    pthread_atfork(NULL, NULL, on_stray_fork);
    say_hello();
    for (;;) {
        serve_edge();
        wait_for_edge();
    }
}
