// SPDX-License-Identifier: Apache-2.0
// The command: one look, or as many as --for asks, then the answer in the form asked for. Owns standard output; progress goes to
// standard error, and only where that is a terminal.
#include "xray/xray_run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/human.h"
#include "report/report.h"
#include "xray/replay.h"
#include "xray/xray_args.h"
#include "xray/xray_json.h"
#include "xray/xray_live.h"
#include "xray/xray_look.h"
#include "xray/xray_text.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define FIRST_MS 250       // of walking before a first answer is shown on a terminal
#define WALK_MS_MAX 20000  // an end, however many files there are
#define HISTORY_SECONDS 60 // what is recommended where nothing was seen yet

static volatile sig_atomic_t interrupted;

static void on_wake(int signal) // ends a sleep
{
    (void)signal;
}

// Takes the signals that end it, in a thread: a look may hang for good (docs/xray.md), and then no handler would ever run. The first
// one asks for an answer on what was seen, the second ends it at once.
static void *take_signals(void *arg)
{
    sigset_t set;
    int n;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    while (sigwait(&set, &n) == 0) {
        if (interrupted)
            _exit(128 + n);
        interrupted = 1;
        pthread_kill(*(pthread_t *)arg, SIGUSR1);
    }
    return NULL;
}

static void mind_signals(void)
{
    static pthread_t self, thread;
    struct sigaction wake = {.sa_handler = on_wake};
    sigset_t set;

    sigaction(SIGUSR1, &wake, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    self = pthread_self();
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 && pthread_create(&thread, NULL, take_signals, &self) != 0)
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

struct run {
    const struct xray_args *args;
    struct xray_look *look;
    struct screen screen;
    bool show_progress, progress_shown;
};

static void clear_progress(struct run *r)
{
    if (r->progress_shown)
        fputs("\r\033[K", stderr);
    r->progress_shown = false;
}

static void __attribute__((format(printf, 2, 3))) progress(struct run *r, const char *fmt, ...)
{
    char line[200];
    va_list ap;

    if (!r->show_progress)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r%.*s\033[K", r->screen.columns - 1, line);
    r->progress_shown = true;
}

// Writes out; 0 or -errno.
static int print(struct buf *b)
{
    int r = fd_write_all(STDOUT_FILENO, b->p, b->n);

    buf_done(b);
    return r;
}

// On a terminal people see the ledger at once, then the rest.
static int first_answer(struct run *r)
{
    struct buf b = BUF_INIT;

    xray_text_first(&b, &r->screen, xray_look_view(r->look));
    return print(&b);
}

static int walk(struct run *r, bool *io_first_shown)
{
    bool terminal = isatty(STDOUT_FILENO) && !r->args->json;
    bool done = xray_look_walk(r->look, FIRST_MS);
    int spent = FIRST_MS, rc = 0;

    if (terminal && (!done || r->args->for_s > 0)) {
        rc = first_answer(r);
        *io_first_shown = true;
    }
    while (rc == 0 && !done && spent < WALK_MS_MAX && !interrupted) {
        double covered = xray_look_covered(r->look);
        if (covered >= 0)
            progress(r, "walking files in memory: %.0f %%", covered * 100);
        else
            progress(r, "walking files in memory");
        done = xray_look_walk(r->look, 100);
        spent += 100;
    }
    clear_progress(r);
    return rc;
}

static void sleep_until(double elapsed, const struct xray_look *l)
{
    double left = elapsed - xray_look_elapsed(l);

    if (left > 0 && !interrupted) {
        struct timespec t = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
        (void)nanosleep(&t, NULL); // a signal ends it
    }
}

// A sample a second for --for seconds. 0; -ESRCH: the container ended meanwhile.
static int watch_it(struct run *r)
{
    double begin = xray_look_elapsed(r->look);

    for (int i = 0; !interrupted; i++) {
        int rc = xray_look_again(r->look);
        if (rc)
            return rc;
        double seen = xray_look_elapsed(r->look) - begin;
        if (r->show_progress) {
            const struct xray_view *v = xray_look_view(r->look);
            char usage[HUMAN_N], rate[HUMAN_N];
            progress(r, "%3.0f of %.0f s  %s  %s%s/min  %s", seen, r->args->for_s, human_bytes(v->ledger->usage, usage),
                     v->judge.bytes_per_min.mid >= 0 ? "+" : "", human_bytes((int64_t)v->judge.bytes_per_min.mid, rate),
                     words_of_verdict(v->finding.verdict));
        }
        if (seen >= r->args->for_s)
            break;
        sleep_until(begin + i + 1, r->look);
    }
    clear_progress(r);
    return 0;
}

static int write_report(const struct run *r, const struct xray_view *v)
{
    static char pastes[FIX_MAX][FIX_TEXT], fix_notes[FIX_MAX][FIX_TEXT];
    struct report_fix fixes[FIX_MAX];
    const char *notes[VIEW_NOTES];
    struct report_amount others[OTHER_NUMBERS];
    char made[64];
    time_t t = (time_t)v->made;
    struct tm utc;

    gmtime_r(&t, &utc);
    strftime(made, sizeof made, "%Y-%m-%d %H:%M:%S UTC", &utc);
    for (unsigned i = 0; i < v->n_fixes; i++) {
        const struct fix *f = v->fixes[i];
        fixes[i] = (struct report_fix){f->title, f->where, fix_fill(f->paste, &v->facts, v->finding.place, pastes[i]),
                                       fix_fill(f->note, &v->facts, v->finding.place, fix_notes[i])};
    }
    for (unsigned i = 0; i < v->n_notes; i++)
        notes[i] = v->notes[i];
    for (int i = 0; i < OTHER_NUMBERS; i++)
        others[i] = (struct report_amount){v->others[i].who, v->others[i].bytes, v->others[i].misses};
    struct report_input in = {.target = v->target,
                              .made = made,
                              .headline = v->headline,
                              .ledger = v->ledger,
                              .judge = v->judged ? &v->judge : NULL,
                              .events = v->events,
                              .n_events = v->n_events,
                              .rows = v->rows,
                              .n_rows = v->n_rows,
                              .procs = v->see.procs,
                              .n_procs = (size_t)v->see.nprocs,
                              .fixes = fixes,
                              .n_fixes = v->n_fixes,
                              .others = others,
                              .n_others = OTHER_NUMBERS,
                              .notes = notes,
                              .n_notes = v->n_notes};
    int fd = open(r->args->report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int rc = fd < 0 ? -errno : report_write(fd, &in);
    if (fd >= 0 && close(fd) != 0 && rc == 0)
        rc = -errno;
    if (rc)
        fprintf(stderr, "plimsoll-xray: %s: %s\n", r->args->report, strerror(-rc));
    return rc;
}

static void hint(const struct run *r, struct xray_view *v, bool gone)
{
    char needed[HUMAN_N];

    if (gone)
        snprintf(v->hint, sizeof v->hint, "The container ended while it was looked at.");
    else if (interrupted)
        snprintf(v->hint, sizeof v->hint, "Ended early; the verdict is on what was seen.");
    else if (!v->judged)
        snprintf(v->hint, sizeof v->hint,
                 "One look. For a verdict: plimsoll-xray --for %ds. For one at any time: plimsoll-xray watch, running beside the "
                 "server.",
                 HISTORY_SECONDS);
    else if (v->finding.verdict == VERDICT_UNDECIDED && v->finding.seconds_needed > 0)
        snprintf(v->hint, sizeof v->hint, "A verdict needs %s more: plimsoll-xray --for %.0fs, or plimsoll-xray watch.",
                 human_seconds(v->finding.seconds_needed, needed), r->args->for_s + v->finding.seconds_needed);
    else
        v->hint[0] = '\0';
}

static int answer(struct run *r, bool gone, bool first_shown)
{
    struct xray_view *v = (struct xray_view *)xray_look_view(r->look); // the hint is ours to add
    struct buf b = BUF_INIT;

    hint(r, v, gone);
    if (r->args->json) {
        xray_json(&b, v);
    } else {
        if (first_shown)
            buf_add(&b, "\n", 1);
        xray_text(&b, &r->screen, v);
    }
    int rc = print(&b);
    if (rc)
        fprintf(stderr, "plimsoll-xray: standard output: %s\n", strerror(-rc));
    if (r->args->report && write_report(r, v) != 0)
        rc = -EIO;
    return rc ? EXIT_FAILED : 0;
}

static int look(const struct xray_args *args)
{
    struct run r = {.args = args, .show_progress = isatty(STDERR_FILENO) && !args->live};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    bool gone = false, first_shown = false;
    char error[512] = "";

    sigaction(SIGPIPE, &ignore, NULL);
    screen_init(&r.screen, STDOUT_FILENO, args->color);
    int rc = xray_look_open(args, &r.look, error, sizeof error);
    if (rc) {
        fprintf(stderr, "plimsoll-xray: %s\n", error);
        return rc == -ENOENT || rc == -ESRCH || rc == -EINVAL || rc == -ENOTDIR ? EXIT_USAGE : EXIT_FAILED;
    }
    if (args->last) {
        rc = xray_look_last(r.look, args->state, args->json);
        xray_look_close(r.look);
        return rc;
    }
    rc = xray_look_ask_watch(r.look, args->socket);
    if (rc && args->socket) {
        fprintf(stderr, "plimsoll-xray: --socket %s: %s\n", args->socket,
                rc == -ENOENT || rc == -ECONNREFUSED ? "no watch listens there"
                : rc == -EACCES                      ? "that watch is another user's"
                                                     : strerror(-rc));
        xray_look_close(r.look);
        return EXIT_USAGE;
    }
    if (args->live) {
        rc = xray_live(r.look, args->for_s, args->color);
        xray_look_close(r.look);
        return rc;
    }
    mind_signals();
    rc = walk(&r, &first_shown);
    if (rc == 0 && args->for_s > 0)
        gone = watch_it(&r) == -ESRCH || xray_look_last_time(r.look) == -ESRCH;
    clear_progress(&r);
    rc = answer(&r, gone, first_shown);
    xray_look_close(r.look);
    return rc;
}

int xray_run(int argc, char **argv)
{
    struct xray_args args;
    char error[256];

    if (xray_args_parse(argc, argv, &args, error, sizeof error) != 0) {
        fprintf(stderr, "plimsoll-xray: %s\nTry: plimsoll-xray --help\n", error);
        return EXIT_USAGE;
    }
    if (args.help) {
        fputs(xray_usage, stdout);
        return fflush(stdout) ? EXIT_FAILED : 0;
    }
    if (args.replay)
        return replay_run(args.replay, args.json);
    return look(&args);
}
