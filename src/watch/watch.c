// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray watch: starts, looks once a second, ends in order. Runs as a process of its own, mostly a sidecar; owns
// everything in the one struct watcher. Invariant: after the first look nothing on the way from a look to the log's line has to
// be allocated or read from a disk.
#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/human.h"
#include "base/log.h"
#include "watch/watch_int.h"

#define FAR_BEHIND 3         // looks due at once: the rest of them is left out
#define LAST_NOTICES_MS 5000 // for what is under way when watch is told to end
#define DELIVERED_MS 20
#define FIND_EVERY_US 1000000 // while the target isn't there

static struct watcher watcher;

// To the millisecond, as a recording has it: a replay then says the same.
double watch__t(const struct watcher *w)
{
    return rint((w->base_t + (double)(clock_us() - w->base_us) / 1e6 * w->args.time_scale) * 1000) / 1000;
}

static double wall(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void on_end_of_patience(struct timer *t)
{
    loop_stop(0);
}

// The last notices may be on their way still.
static void on_delivered(struct timer *t)
{
    if (watch__notices_pending(container_of(t, struct watcher, save)))
        timer_set(t, on_delivered, DELIVERED_MS);
    else
        loop_stop(0);
}

static void end(struct watcher *w)
{
    w->ending = true;
    timer_clear(&w->tick);
    timer_set(&w->end, on_end_of_patience, LAST_NOTICES_MS);
    timer_set(&w->save, on_delivered, 1); // not at once: the loop may not run yet
}

static int open_log(struct watcher *w)
{
    if (!w->args.log || strcmp(w->args.log, "-") == 0)
        return 0;
    int fd = open(w->args.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                  0644); // a fifo without a reader is an error
    if (fd < 0)
        return -errno;
    log_set_fd(fd);
    if (w->log_fd >= 0)
        close(w->log_fd);
    w->log_fd = fd;
    return 0;
}

static void save(struct watcher *w, enum state_end how)
{
    if (!w->lookout.eye || w->lookout.looks == 0)
        return;
    judge_report(w->lookout.judge, &w->report);
    if (how != STATE_GONE && w->report.verdict != VERDICT_SATURATED)
        watch__recognise(w); // also for the alarm of a stall
    if (w->state.dir >= 0)
        (void)state_write(&w->state, &w->lookout, &w->report, w->lookout.t, how);
}

static void on_save(struct timer *t)
{
    struct watcher *w = container_of(t, struct watcher, save);

    save(w, STATE_GOES_ON);
    if (w->lookout.eye && w->local.fd < 0) // the watch that had its name may have ended
        watch__serve_local(w);
    timer_set(t, on_save, STATE_EVERY_S * 1000);
}

static void write_row(struct watcher *w)
{
    if (!w->args.record)
        return;
    const struct history *h = &w->lookout.history;
    int r = 0;
    if (!w->recording) {
        r = recorder_open(&w->recorder, w->args.record, w->args.record_max, w->lookout.where.kind, w->lookout.see.sample);
        w->recording = r == 0;
        w->recorded_t = nextafter(w->lookout.t, -INFINITY);
    }
    // The row of this look, and those before it that could not be written: in a stall, a row may need memory there isn't.
    for (size_t i = history_after(h, w->recorded_t); r == 0 && i < h->n; i++) {
        r = recorder_write(&w->recorder, &h->row[i]);
        if (r == 0)
            w->recorded_t = h->row[i].t;
    }
    if (r < 0) {
        w->health.recording_errors++;
        if (!w->record_failing)
            log_warning("--record %s: %s: its rows wait in memory", w->args.record, strerror(-r));
    } else if (w->record_failing) {
        log_notice("--record %s: rows are written again", w->args.record);
    }
    w->record_failing = r < 0;
}

// The first look at a life: what an earlier watch knew of it is taken over.
static void begin_life(struct watcher *w)
{
    struct lookout *l = &w->lookout;
    char limit[HUMAN_N], time[HUMAN_N];
    static const char *const from[] = {"", "", ", by memory.high", ", of a cgroup above it", ", the RAM of the machine"};

    w->missing_said = false;
    log_notice("watching %s, limit %s%s, every %g s", l->target,
               l->limit.bytes == MEM_UNLIMITED ? "not known" : human_bytes(l->limit.bytes, limit), from[l->limit.from],
               w->args.interval_s);
    lookout_conf(l);
    int r = counting_open(&l->counting, w->args.requests, &l->conf, l->roots.proc, l->where.pid, l->roots.root);
    if (r < 0)
        log_warning("requests can't be counted: %s", strerror(-r));
    else
        log_notice("requests are counted by %s", requests_source_name(l->counting.source));
    if (w->state.dir >= 0 && state_begin(&w->state, l, l->see.sample) == -EBADMSG)
        log_warning("--state: the life that is kept there can't be read, it begins anew; what it was is put aside as previous.json");
    if (l->history.n > 0) {
        double last = l->history.row[l->history.n - 1].t, t = watch__t(w);
        log_notice("the history of this life goes on: %s in %zu rows", human_seconds(last - l->history.row[0].t, time),
                   l->history.n);
        if (t <= last) // the clock was put back
            w->base_t += last - t + w->args.interval_s;
    }
}

static void lose(struct watcher *w)
{
    struct lookout *l = &w->lookout;

    log_warning("%s is gone: its cgroup was removed or its last process ended", l->target);
    save(w, STATE_GONE);
    watch__end_alarms(w);
    lookout_leave(l);
    visits_close(&w->local);
    recorder_close(&w->recorder);
    w->recording = false;
    if (lookout_waits(l)) {
        log_notice("waiting for the next");
        w->missing_said = true;
    } else {
        end(w);
    }
}

static void find(struct watcher *w)
{
    char why[256];

    int r = lookout_find(&w->lookout, watch__t(w), why, sizeof why);
    if (r == 0) {
        watch__serve_local(w);
        return;
    }
    if (!w->missing_said)
        log_notice("waiting: %s", why);
    w->missing_said = true;
}

// A group that is there and has no process, or none any more: no life has begun.
static void pass_over(struct watcher *w)
{
    struct lookout *l = &w->lookout;

    if (!lookout_waits(l)) {
        log_warning("%s is gone: it has no process any more", l->target);
        end(w);
    } else if (!w->missing_said) {
        log_notice("waiting: %s has no process", l->target);
    }
    w->missing_said = true;
    lookout_leave(l);
    visits_close(&w->local);
}

static void look(struct watcher *w)
{
    struct judge_event events[JUDGE_EVENTS_PER_PUSH];
    struct lookout *l = &w->lookout;
    unsigned n = 0;
    double began = cpu_seconds();

    if (!l->eye)
        find(w);
    if (!l->eye)
        return;
    bool first = l->looks == 0;
    if (first) { // of what is there: its own row comes below
        if (lookout_peek(l, watch__t(w)) < 0) {
            pass_over(w);
            return;
        }
        begin_life(w);
    }
    int r = lookout_look(l, watch__t(w), events, &n);
    if (r == -ESRCH) {
        lose(w);
        return;
    }
    w->health.looks++;
    watch__repeat_alarms(w);
    watch__on_events(w, events, n);
    if (first)
        watch__settle_alarms(w);
    if (l->lacked && !w->lacked_said)
        log_warning("what is looked at has holes: %s", fd_why(l->lacked));
    w->lacked_said |= l->lacked != 0;
    if (l->hangs && !w->hangs_said)
        log_warning("a process can't be looked at: its memory map is locked, or a file system doesn't answer. Until it can be, "
                    "there are only the cgroup's own counters");
    else if (!l->hangs && w->hangs_said)
        log_notice("all processes can be looked at again");
    w->hangs_said = l->hangs;
    w->health.look_seconds += cpu_seconds() - began;
    write_row(w);
    if (w->state.dir >= 0) {
        state_row(&w->state, l);
        if (w->state.tail_size > STATE_TAIL_MAX || first)
            save(w, STATE_GOES_ON);
    }
}

static void on_tick(struct timer *t)
{
    struct watcher *w = container_of(t, struct watcher, tick);
    uint64_t step = (uint64_t)(w->args.interval_s * 1e6);

    look(w);
    if (w->ending)
        return;
    uint64_t now = clock_us();
    w->tick_us += !w->lookout.eye && step < FIND_EVERY_US / 10 ? FIND_EVERY_US / 10 : step;
    if (now > w->tick_us && (now - w->tick_us) / step >= FAR_BEHIND) {
        w->health.missed += (now - w->tick_us) / step;
        w->tick_us = now;
    }
    timer_set(t, on_tick, now >= w->tick_us ? 1 : (w->tick_us - now + 999) / 1000);
}

static void reopen(struct watcher *w)
{
    int r = open_log(w);
    if (r < 0)
        log_warning("--log %s: %s: the old file goes on", w->args.log, strerror(-r));
    if (w->recording) {
        r = recorder_reopen(&w->recorder);
        if (r < 0)
            log_warning("--record %s: %s: the old file goes on", w->args.record, strerror(-r));
    }
    log_notice("log and recording are opened anew");
}

static void on_signal(struct watch *watch, uint32_t events)
{
    struct watcher *w = container_of(watch, struct watcher, signals);
    struct signalfd_siginfo info;

    while (read(w->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reopen(w);
        } else if (info.ssi_signo == SIGCHLD) {
            hook_reap(&w->exec);
            hook_reap(&w->command);
        } else if (w->ending) { // a second time: at once
            loop_stop(0);
        } else {
            log_notice("told to end");
            save(w, STATE_TOLD_TO_END);
            end(w);
        }
    }
}

static int open_signals(struct watcher *w)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    w->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return w->signal_fd < 0 ? -errno : loop_add(&w->signals, w->signal_fd, EPOLLIN, on_signal);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "plimsoll-xray: watch: %s: %s\n", what, why);
    return 1;
}

static int start(struct watcher *w)
{
    char why[256];

    int r = open_log(w);
    if (r < 0)
        return fail(w->args.log, strerror(-r));
    log_init("watch", log_fd());
    log_dont_wait(); // whoever reads it may hang in the stall that it tells of
    loop_init();
    r = open_signals(w);
    if (r < 0)
        return fail("signals", strerror(-r));
    w->base_us = clock_us();
    w->base_t = w->health.started = wall();
    r = lookout_init(&w->lookout, &w->args, why, sizeof why);
    if (r < 0)
        return fail("it can't look", why);
    r = lookout_find(&w->lookout, w->base_t, why, sizeof why);
    if (r == -ESRCH && lookout_waits(&w->lookout)) {
        log_notice("waiting: %s", why);
        w->missing_said = true;
    } else if (r < 0) {
        return fail("there is nothing to watch", why);
    } else {
        watch__serve_local(w);
    }
    if (w->args.state) {
        r = state_open(&w->state, w->args.state);
        if (r < 0)
            return fail(w->args.state, r == -EBUSY ? "another watch uses it" : strerror(-r));
    }
    if (w->args.listen)
        r = watch__serve_metrics(w);
    return r > 0 ? r : 0;
}

static void finish(struct watcher *w)
{
    hook_done(&w->exec);
    hook_done(&w->command);
    webhook_done(&w->webhook);
    visits_close(&w->local);
    visits_close(&w->metrics);
    recorder_close(&w->recorder);
    state_close(&w->state);
    lookout_done(&w->lookout);
    loop_done();
    if (w->signal_fd >= 0)
        close(w->signal_fd);
}

static int init(struct watcher *w, int argc, char **argv)
{
    char error[512];

    *w = (struct watcher){.log_fd = -1, .signal_fd = -1, .state = {.dir = -1, .tail = -1}, .recorder.fd = -1};
    w->metrics.fd = w->local.fd = w->webhook.fd = -1;
    w->lookout.where.dir = -1;
    w->lookout.roots = (struct mem_roots){-1, -1, -1};
    w->facts = (struct advice_facts)ADVICE_FACTS_UNKNOWN;
    int r = watch_args_parse(argc, argv, &w->args, error, sizeof error);
    if (r == 0 && w->args.webhook && !w->args.help)
        r = webhook_init(&w->webhook, w->args.webhook, w->args.retry_s, error, sizeof error);
    if (r < 0) {
        fprintf(stderr, "plimsoll-xray: watch: %s\nTry 'plimsoll-xray watch --help'.\n", error);
        return 2;
    }
    struct requests_target target;
    r = w->args.requests && !w->args.help ? requests_parse(w->args.requests, &target) : 0;
    if (r < 0) {
        fprintf(stderr, "plimsoll-xray: watch: --requests %s: %s\n", w->args.requests,
                r == -EADDRNOTAVAIL ? "names can't be looked up here: give an IP address"
                                    : "this is no place where requests are counted");
        return 2;
    }
    hook_init(&w->exec, "--exec", w->args.exec, 1, w->args.retry_s);
    hook_init(&w->command, "--webhook-command", w->args.webhook_command, 6, w->args.retry_s);
    if (gethostname(w->host, sizeof w->host - 1) < 0)
        w->host[0] = '\0';
    return 0;
}

int watch_run(int argc, char **argv)
{
    struct watcher *w = &watcher;

    int code = init(w, argc, argv);
    if (code)
        return code;
    if (w->args.help) {
        fputs(watch_usage, stdout);
        return 0;
    }
    code = start(w);
    if (code == 0) {
        w->tick_us = clock_us();
        on_tick(&w->tick);
        if (!w->ending) {
            if (w->lookout.eye)
                watch__rehearse(w);
            memlock_all(&w->memlock);
            w->health.locked_bytes = (int64_t)w->memlock.locked_bytes;
            log_notice("%s", w->memlock.text);
            timer_set(&w->save, on_save, STATE_EVERY_S * 1000);
        }
        code = loop_run();
    }
    finish(w);
    return code;
}
