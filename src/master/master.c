// SPDX-License-Identifier: Apache-2.0
// The master: boot order, what becomes of a service, and the end. Runs in the master. Owns `master` and its own duplicate
// of the error log. Invariant: the loop ends only when every process it started is reaped, or was killed and given a second.
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "master/master_int.h"
#include "master/notify.h"
#include "master/oom.h"
#include "master/privileges.h"
#include "master/service_build.h"

// After the drain deadline the edge itself ends what runs; this much later the rest is killed.
#define STOP_GRACE_MS 500
#define REAP_LIMIT_MS 2000
#define LOG_PATIENCE_MS 200

struct master master;
static int own_log_fd = -1;

void master_use_logs(const struct service *svc)
{
    int fd = fcntl(svc->logs.error_fd, F_DUPFD_CLOEXEC, 3);

    log_set_level((enum log_level)svc->conf->global.log_level);
    if (fd < 0)
        return;
    log_set_fd(fd);
    fd_close(&own_log_fd);
    own_log_fd = fd;
}

static void finish(void)
{
    loop_stop(master.exit_code);
}

static void on_reap_limit(struct timer *t)
{
    log_error("some processes could not be ended");
    finish();
}

static void kill_all(void)
{
    for (struct service *s = master.services; s; s = s->next) {
        service_kill(s);
        service_close(s, REAP_LIMIT_MS);
    }
    timer_set(&master.stop_timer, on_reap_limit, REAP_LIMIT_MS);
}

static bool something_runs(void)
{
    for (struct service *s = master.services; s; s = s->next) {
        for (size_t i = 0; i < s->conf->n_pools; i++)
            for (struct worker *w = s->pools[i].workers; w; w = w->next) {
                uint32_t state = w->row ? atomic_load(&w->row->state) : BOARD_IDLE;
                if (state == BOARD_BUSY || state == BOARD_FINISHING)
                    return true;
            }
    }
    return false;
}

static void on_stop_limit(struct timer *t)
{
    for (struct service *s = master.services; s; s = s->next)
        if (s->edge.pid && !master.exit_code)
            master.exit_code = EXIT_CUT;
    if (!master.exit_code && something_runs()) {
        log_warning("the drain deadline passed: work after an answer was cut");
        master.exit_code = EXIT_CUT;
    }
    kill_all();
}

static void drain_all(unsigned deadline_ms, bool keep_idle)
{
    for (struct service *s = master.services; s; s = s->next) {
        if (s->state == SERVICE_STARTING) {
            reload_failed(s, "the server is stopping");
            service_close(s, STOP_GRACE_MS);
        } else {
            service_drain(s, deadline_ms, keep_idle);
        }
    }
}

void master_stop(const char *why)
{
    if (master.stopping && !master.handing_over)
        return;
    master.stopping = true;
    master.handing_over = false;
    unsigned timeout = master.current ? master.current->conf->global.shutdown_timeout_ms : 0;
    log_notice("%s: finishing what runs, at most %u s", why, (timeout + 999) / 1000);
    notify_send("STOPPING=1\nSTATUS=Finishing requests");
    atomic_store(&board->ready, 0);
    upgrade_cancel();
    drain_all(timeout, false);
    listeners_stop();
    timer_set(&master.stop_timer, on_stop_limit, (uint64_t)timeout + STOP_GRACE_MS);
    if (!master.services)
        finish();
}

void master_stop_now(void)
{
    log_notice("interrupted again: ending now");
    if (something_runs() && !master.exit_code)
        master.exit_code = EXIT_CUT;
    kill_all();
}

void master_hand_over(pid_t new_pid)
{
    log_notice("the new master (pid %d) is ready: this one finishes what runs", new_pid);
    notify_send("MAINPID=%d", new_pid);
    listeners_keep_files();
    control_close(NULL);
    master.stopping = master.handing_over = true;
    drain_all(NO_DEADLINE_MS, true);
    if (!master.services)
        finish();
}

// What `status` shows of the current service.
static void show_on_board(const struct service *svc)
{
    size_t n = 0;

    atomic_store(&board->generation, svc->generation);
    for (size_t i = 0; i < svc->n_listeners && n < sizeof board->listen; i++)
        n += (size_t)snprintf(board->listen + n, sizeof board->listen - n, "%s%s", i ? "\n" : "", svc->listeners[i]->shown);
}

void master_on_ready(struct service *svc)
{
    board_proc_set_state(master.row, BOARD_IDLE);
    atomic_store(&board->ready, 1);
    show_on_board(svc);
    if (!svc->first) {
        reload_done(svc);
        return;
    }
    master.current = svc;
    bool upgraded = upgrade_is_child();
    if (upgraded) {
        char why[512] = "";
        int rc = announce_pid_file(svc->conf);
        if (rc)
            log_error("can't write the pid file %s: %s", svc->conf->global.pid, strerror(-rc));
        if (control_open(svc->conf, true, why, sizeof why) < 0)
            log_error("%s", why);
    }
    announce_ready(svc, !upgraded);
    listeners_drop_unused();
    notify_send("READY=1\nMAINPID=%d\nSTATUS=Serving", getpid());
    if (upgraded)
        upgrade_say_ready();
}

void master_on_failure(struct service *svc, int code, const char *text)
{
    if (!svc->first) {
        reload_failed(svc, text);
        return;
    }
    log_error("%s", text);
    if (strcmp(svc->conf->global.error_log, "-") != 0)
        dprintf(STDERR_FILENO, "plimsoll: %s\n", text);
    notify_send("STATUS=%.300s", text);
    if (!master.exit_code)
        master.exit_code = code;
    master.stopping = true;
    timer_set(&master.stop_timer, on_stop_limit, STOP_GRACE_MS);
}

void master_on_gone(struct service *svc)
{
    uint32_t generation = svc->generation;

    service_free(svc);
    if (master.stopping && !master.services)
        finish();
    else
        log_notice("generation %u is gone", generation);
}

static void reopen(struct service *svc)
{
    struct logs opened;
    char why[512];
    size_t n = 0;

    if (logs_open(&opened, svc->conf, why, sizeof why) < 0) {
        log_error("logs stay as they are: %s", why);
        return;
    }
    logs_close(&svc->logs);
    svc->logs = opened;
    if (svc == master.current)
        master_use_logs(svc);
    for (size_t i = 0; i < opened.n; i++)
        n += opened.access_fds[i] >= 0;
    if (n < MSG_FDS_MAX) {
        edge_send_logs(svc);
    } else if (svc == master.current) {
        log_notice("more than %d access logs: they are reopened by a reload", MSG_FDS_MAX - 1);
        const char *refused = reload_begin();
        if (refused)
            log_error("logs are not reopened: %s", refused);
    }
}

void master_reopen_logs(void)
{
    for (struct service *s = master.services; s; s = s->next)
        if (s->state == SERVICE_READY || s->state == SERVICE_DRAINING)
            reopen(s);
    log_notice("logs reopened");
}

static int fail_early(struct service *svc, int code, const char *why)
{
    log_error("%s", why);
    if (log_fd() != STDERR_FILENO && strcmp(svc->conf->global.error_log, "-") != 0)
        dprintf(STDERR_FILENO, "plimsoll: %s\n", why);
    if (svc)
        service_free(svc);
    return code;
}

// A standard descriptor that is closed would be given to a socket, and then written to as if it were a terminal.
static void open_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    fd_close(&fd);
}

static int boot(struct conf *conf)
{
    struct service *svc;
    char why[1024] = "";
    int rc;

    loop_init();
    if ((rc = signals_init()) != 0 || (rc = board_create()) != 0) {
        snprintf(why, sizeof why, "can't start: %s", strerror(-rc));
        conf_free(conf);
        return fail_early(NULL, EXIT_FAILED, why);
    }
    master.row = board_proc_add(BOARD_MASTER, master.pid, 0, 0, NULL);
    oom_init();
    listeners_init();
    int code = service_build(conf, true, &svc, why, sizeof why);
    if (code)
        return fail_early(NULL, code, why);
    if (conf->global.ready_fd >= 0 && !upgrade_is_child())
        (void)fd_set_cloexec(conf->global.ready_fd, true);
    master_use_logs(svc);
    if (!upgrade_is_child()) {
        rc = announce_pid_file(conf);
        if (rc) {
            snprintf(why, sizeof why, "can't write the pid file %s: %s", conf->global.pid, strerror(-rc));
            return fail_early(svc, EXIT_FAILED, why);
        }
        rc = control_open(conf, false, why, sizeof why);
        if (rc < 0 && !conf->global.control_by_default)
            return fail_early(svc, EXIT_FAILED, why);
        if (rc < 0) // a read-only container
            log_warning("%s: status, reload and stop won't reach this server, signals will; --control names another place", why);
        else if (*why)
            log_notice("%s", why);
    }
    service_start(svc);
    return -1;
}

int master_main(struct conf *conf, const struct conf_args *args, char **argv)
{
    master = (struct master){.args = args, .argv = argv, .pid = getpid()};
    open_standard_fds();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_NAME, "plimsoll: master");
    log_init("master", STDERR_FILENO);
    log_wait_at_most(LOG_PATIENCE_MS); // the edge's too: whoever reads the log may hang
    notify_init();
    upgrade_init();
    privileges_raise_limits();
    int code = boot(conf);
    if (code < 0)
        code = loop_run();
    control_close(code == EXIT_CUT ? "the drain deadline passed and requests were cut" : "");
    announce_done();
    listeners_close_all();
    if (code == 0)
        log_notice("ended in order");
    return code;
}
