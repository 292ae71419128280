// SPDX-License-Identifier: Apache-2.0
// The judge's confusion table: every class of traces, many seeds, what it alarmed at and what it should have. Exit code 1 where
// a gate is missed. Traces go straight into judge_push(); one in some also goes through its CSV, and must give the same.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/judge.h"
#include "mem/recording.h"
#include "tracegen.h"

// What must hold: shares of all, and of any one class.
#define FALSE_ALL 0.01
#define FALSE_CLASS 0.05
#define RECALL_ALL 0.95
#define RECALL_CLASS 0.80
#define QUIET_LEAST 2000
#define LEAKS_LEAST 1000

// Seeds for tuning, and those that are held out from it. Nobody looks at single traces of the latter.
#define TUNING_FIRST 1
#define TUNING_N 60
#define HELD_OUT_FIRST 1000001
#define HELD_OUT_QUIET 72
#define HELD_OUT_LEAKS 50

#define EVENTS_MAX 64

struct outcome {
    bool done, early, hit, cause_right, csv_tried, csv_same;
    unsigned alarms, causes;
    double first, delay, share; // first alarm and delay after the onset, seconds; the delay's share of the leak's time
    double trace_time, judge_us, make_us;
    enum mem_verdict verdict;
    enum mem_cause cause;
    double onset;
    char sight[80]; // what the trace shows
};

struct task {
    enum trace_class class;
    uint64_t seed;
};

struct run {
    struct judge_event event[EVENTS_MAX];
    unsigned n;
    struct judge_report report;
};

static unsigned arg_csv_every = 41, arg_jobs = 2;
static bool arg_list;
static const char *arg_write;

static double now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void take(struct run *r, struct judge *j, const struct mem_sample *s)
{
    struct judge_event e[JUDGE_EVENTS_PER_PUSH];
    unsigned n = judge_push(j, s, e);

    for (unsigned i = 0; i < n && r->n < EVENTS_MAX; i++)
        r->event[r->n++] = e[i];
}

static void judge_rows(const struct trace *t, struct judge *j, struct run *ret)
{
    ret->n = 0;
    judge_init(j);
    for (size_t i = 0; i < t->n; i++)
        take(ret, j, &t->row[i]);
    judge_report(j, &ret->report);
}

static bool judge_text(const char *text, size_t n, struct judge *j, struct run *ret)
{
    struct recording *r;
    struct recording_error error = {0};
    struct mem_sample s;
    int rc = recording_open_text(text, n, &r, &error);

    ret->n = 0;
    judge_init(j);
    if (rc == 0) {
        while ((rc = recording_next(r, &s, &error)) == 1)
            take(ret, j, &s);
        recording_close(r);
    }
    if (rc < 0)
        fprintf(stderr, "judge-table: line %llu: %s\n", (unsigned long long)error.line, error.text);
    judge_report(j, &ret->report);
    return rc == 0;
}

static bool same(const struct run *a, const struct run *b)
{
    if (a->n != b->n || a->report.rows != b->report.rows || a->report.verdict != b->report.verdict ||
        a->report.cause != b->report.cause)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        const struct judge_event *x = &a->event[i], *y = &b->event[i];
        if (x->kind != y->kind || x->t != y->t || x->verdict != y->verdict || x->cause != y->cause)
            return false;
    }
    return true;
}

static void settle(const struct trace *t, const struct run *r, struct outcome *o)
{
    double onset = t->row[0].t + t->label.onset, end = t->row[t->n - 1].t;

    for (unsigned i = 0; i < r->n; i++) {
        const struct judge_event *e = &r->event[i];
        if (e->kind != JUDGE_RAISED)
            continue;
        if (o->alarms++ == 0)
            o->first = e->t - t->row[0].t;
        o->causes |= 1u << e->cause;
        if (!t->label.leak)
            continue;
        if (e->t < onset) {
            o->early = true;
        } else if (!o->hit) {
            o->hit = true;
            o->delay = e->t - onset;
            o->share = o->delay / (end - onset);
            o->cause_right = t->label.causes >> e->cause & 1;
        }
    }
    o->verdict = r->report.verdict;
    o->cause = r->report.cause;
    o->trace_time = end - t->row[0].t;
    o->onset = t->label.onset;
    static const char *const profiles[TRACE_PROFILE_N] = {"full", "watch", "sparse", "gvisor"};
    int n = snprintf(o->sight, sizeof o->sight, "%s %s, %d MiB, dt %g", profiles[t->profile], t->v2 ? "v2" : "v1",
                     (int)(t->spec.limit >> 20), t->spec.dt);
    if (t->split)
        n += snprintf(o->sight + n, sizeof o->sight - (size_t)n, ", split every %.0f s", t->split_every);
    snprintf(o->sight + n, sizeof o->sight - (size_t)n, "%s%s", t->requests ? ", requests" : "",
             t->host_mnt ? ", host's disk" : "");
    o->done = true;
}

static void write_label(const char *path, const struct trace *t, const struct run *r)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return;
    fprintf(
        f, "{\"class\": \"%s\", \"leak\": %s, \"onset\": %.3f, \"rise\": %.0f, \"swing\": %.0f, \"rows\": %zu,\n \"causes\": [",
        trace_class_name(t->spec.class), t->label.leak ? "true" : "false", t->label.onset, t->label.rise, t->label.swing, t->n);
    for (int c = 0, any = 0; c < CAUSE_N; c++)
        if (t->label.causes >> c & 1)
            fprintf(f, "%s\"%s\"", any++ ? ", " : "", mem_cause_name((enum mem_cause)c));
    fprintf(f, "],\n \"verdict\": \"%s\", \"cause\": \"%s\",\n \"raised\": [", mem_verdict_name(r->report.verdict),
            mem_cause_name(r->report.cause));
    for (unsigned i = 0, any = 0; i < r->n; i++)
        if (r->event[i].kind == JUDGE_RAISED)
            fprintf(f, "%s{\"t\": %.3f, \"verdict\": \"%s\", \"cause\": \"%s\"}", any++ ? ", " : "", r->event[i].t,
                    mem_verdict_name(r->event[i].verdict), mem_cause_name(r->event[i].cause));
    fprintf(f, "]}\n");
    fclose(f);
}

// DIR/CLASS-SEED.csv, and beside it .json with the label and what the judge said without the CSV.
static void write_trace(const struct trace *t, const struct run *r, const char *text, size_t n)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s-%llu.csv", arg_write, trace_class_name(t->spec.class), (unsigned long long)t->spec.seed);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(text, 1, n, f) != n)
        fprintf(stderr, "judge-table: %s: %s\n", path, strerror(errno));
    if (f)
        fclose(f);
    snprintf(path, sizeof path, "%s/%s-%llu.json", arg_write, trace_class_name(t->spec.class), (unsigned long long)t->spec.seed);
    write_label(path, t, r);
}

static void try_one(const struct task *task, size_t number, struct judge *j, struct outcome *o)
{
    struct trace t;
    struct run r, other;
    double began = now_us(), made;
    int rc = trace_make(&(struct trace_spec){.class = task->class, .seed = task->seed}, &t);

    if (rc < 0) {
        fprintf(stderr, "judge-table: %s, seed %llu: no trace whose label is true (%s)\n", trace_class_name(task->class),
                (unsigned long long)task->seed, strerror(-rc));
        return;
    }
    made = now_us();
    judge_rows(&t, j, &r);
    o->make_us = made - began;
    o->judge_us = (now_us() - made) / (double)t.n;
    settle(&t, &r, o);
    if (arg_write || (arg_csv_every && number % arg_csv_every == 0)) {
        size_t n;
        char *text = trace_csv(&t, &n);
        o->csv_tried = true;
        o->csv_same = text && judge_text(text, n, j, &other) && same(&r, &other);
        if (arg_write && text)
            write_trace(&t, &r, text, n);
        free(text);
    }
    trace_done(&t);
}

static int run_all(const struct task *tasks, size_t n, struct outcome *o)
{
    int failed = 0;

    fflush(NULL);
    for (unsigned job = 0; job < arg_jobs; job++) {
        pid_t pid = fork();
        if (pid < 0)
            return -errno;
        if (pid == 0) {
            struct judge *j = malloc(judge_size());
            for (size_t i = job; j && i < n; i += arg_jobs)
                try_one(&tasks[i], i, j, &o[i]);
            _exit(j ? 0 : 1);
        }
    }
    for (unsigned job = 0; job < arg_jobs; job++) {
        int status;
        if (wait(&status) < 0 || status != 0)
            failed = 1;
    }
    return failed ? -ECHILD : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n ? v[n / 2] : 0;
}

struct tally {
    size_t n, undone, alarmed, early, hit, cause, verdict[VERDICT_N], with_onset, csv_tried, csv_same;
    double *delay, *share, trace_time, judge_us, make_us;
};

static void count_in(struct tally *c, const struct outcome *o)
{
    c->n++;
    if (!o->done) {
        c->undone++;
        return;
    }
    c->alarmed += o->alarms > 0;
    c->early += o->early;
    c->with_onset += o->onset > 0;
    c->cause += o->cause_right;
    c->verdict[o->verdict]++;
    c->csv_tried += o->csv_tried;
    c->csv_same += o->csv_same;
    c->trace_time += o->trace_time;
    c->judge_us += o->judge_us;
    c->make_us += o->make_us;
    if (o->hit) {
        c->delay[c->hit] = o->delay;
        c->share[c->hit++] = o->share;
    }
}

static double ratio(size_t a, size_t b)
{
    return b ? (double)a / (double)b : 0;
}

static void print_verdicts(const struct tally *c)
{
    for (int v = 0; v < VERDICT_N; v++)
        if (c->verdict[v])
            printf(" %s %zu", mem_verdict_name((enum mem_verdict)v), c->verdict[v]);
    printf("\n");
}

// One row a class; false where it misses its gate.
static bool print_class(enum trace_class class, struct tally *c)
{
    bool leaks = trace_class_leaks(class), ok = c->undone == 0 && c->csv_same == c->csv_tried;

    if (leaks) {
        double recall = ratio(c->hit, c->n), early = ratio(c->early, c->with_onset);
        ok = ok && recall >= RECALL_CLASS && c->early <= FALSE_CLASS * (double)c->n;
        printf("%s %-17s %4zu  recall %5.1f %%  early %4.1f %%  delay %5.0f s (%2.0f %%)  cause %5.1f %% ", ok ? "ok  " : "FAIL",
               trace_class_name(class), c->n, 100 * recall, 100 * early, median(c->delay, c->hit), 100 * median(c->share, c->hit),
               100 * ratio(c->cause, c->hit));
    } else {
        double wrong = ratio(c->alarmed, c->n);
        ok = ok && wrong <= FALSE_CLASS;
        printf("%s %-17s %4zu  false  %5.1f %%  %46s ", ok ? "ok  " : "FAIL", trace_class_name(class), c->n, 100 * wrong, "");
    }
    print_verdicts(c);
    if (c->undone || c->csv_same != c->csv_tried)
        printf("     %zu traces not made, %zu of %zu differ through CSV\n", c->undone, c->csv_tried - c->csv_same, c->csv_tried);
    return ok;
}

static bool gate(bool ok, const char *what)
{
    printf("%s %s\n", ok ? "ok  " : "FAIL", what);
    return ok;
}

static bool print_all(const struct tally *quiet, const struct tally *leaks, bool whole)
{
    char text[200];
    // An alarm before the onset is as false as one where nothing leaks.
    double wrong = ratio(quiet->alarmed + leaks->early, quiet->n + leaks->with_onset), recall = ratio(leaks->hit, leaks->n);
    bool ok = true;

    snprintf(text, sizeof text, "all: %zu traces that don't leak, %zu that do (at least %d and %d)", quiet->n, leaks->n,
             QUIET_LEAST, LEAKS_LEAST);
    ok &= gate(!whole || (quiet->n >= QUIET_LEAST && leaks->n >= LEAKS_LEAST), text);
    if (quiet->n) {
        snprintf(text, sizeof text, "all: false alarms %.2f %% (at most %.0f %%): %zu of %zu, and %zu of %zu before an onset",
                 100 * wrong, 100 * FALSE_ALL, quiet->alarmed, quiet->n, leaks->early, leaks->with_onset);
        ok &= gate(wrong <= FALSE_ALL && ratio(quiet->alarmed, quiet->n) <= FALSE_ALL, text);
    }
    if (leaks->n) {
        snprintf(text, sizeof text, "all: recall %.2f %% (at least %.0f %%), median delay %.0f s, cause right %.1f %%",
                 100 * recall, 100 * RECALL_ALL, median(leaks->delay, leaks->hit), 100 * ratio(leaks->cause, leaks->hit));
        ok &= gate(recall >= RECALL_ALL, text);
    }
    printf("     %.0f hours of traces; %.2f us a sample; %.1f ms to make a trace; %zu of %zu the same through CSV\n",
           (quiet->trace_time + leaks->trace_time) / 3600, (quiet->judge_us + leaks->judge_us) / (double)(quiet->n + leaks->n),
           (quiet->make_us + leaks->make_us) / 1e3 / (double)(quiet->n + leaks->n), quiet->csv_same + leaks->csv_same,
           quiet->csv_tried + leaks->csv_tried);
    return ok;
}

static void list_wrong(const struct task *task, const struct outcome *o)
{
    bool leaks = trace_class_leaks(task->class);
    const char *what = !o->done                   ? "not made"
                       : !leaks && o->alarms      ? "false alarm"
                       : o->early                 ? "before the onset"
                       : leaks && !o->hit         ? "missed"
                       : leaks && !o->cause_right ? "wrong cause"
                                                  : NULL;

    if (!what)
        return;
    printf(
        "     %s --class %s --seeds %llu (%s): alarms %u, first at %.0f s of %.0f, onset %.0f, in the end %s, cause %s, alarmed",
        what, trace_class_name(task->class), (unsigned long long)task->seed, o->sight, o->alarms, o->first, o->trace_time,
        o->onset, mem_verdict_name(o->verdict), mem_cause_name(o->cause));
    for (int c = 0; c < CAUSE_N; c++)
        if (o->causes >> c & 1)
            printf(" %s", mem_cause_name((enum mem_cause)c));
    printf("\n");
}

static int report(const struct task *tasks, size_t n, const struct outcome *o, bool whole)
{
    struct tally quiet = {.delay = calloc(n, sizeof(double)), .share = calloc(n, sizeof(double))};
    struct tally leaks = {.delay = calloc(n, sizeof(double)), .share = calloc(n, sizeof(double))};
    double *delay = calloc(n, sizeof *delay), *share = calloc(n, sizeof *share);
    bool ok = true;

    if (!quiet.delay || !quiet.share || !leaks.delay || !leaks.share || !delay || !share)
        return 1;
    for (enum trace_class class = 0; class < TRACE_CLASS_N; class ++) {
        struct tally c = {.delay = delay, .share = share};
        for (size_t i = 0; i < n; i++)
            if (tasks[i].class == class) {
                count_in(&c, &o[i]);
                count_in(trace_class_leaks(class) ? &leaks : &quiet, &o[i]);
            }
        if (c.n == 0)
            continue;
        ok &= print_class(class, &c);
        for (size_t i = 0; arg_list && i < n; i++)
            if (tasks[i].class == class)
                list_wrong(&tasks[i], &o[i]);
    }
    ok &= print_all(&quiet, &leaks, whole);
    free(quiet.delay);
    free(quiet.share);
    free(leaks.delay);
    free(leaks.share);
    free(delay);
    free(share);
    return ok ? 0 : 1;
}

static int usage(int rc)
{
    fprintf(
        rc ? stderr : stdout,
        "usage: judge-table [--tuning] [--class NAME]... [--seeds FIRST[-LAST]] [--list] [--csv-every N] [--jobs N] [--write "
        "DIR]\n"
        "  Without options: the seeds held out from tuning, %d a class, %d a leaking one; exit code 1 where a gate is missed.\n"
        "  --tuning   seeds %d to %d of each class, and a list of the traces judged wrong\n"
        "  --write    the traces into DIR as CLASS-SEED.csv, their labels beside them as .json\n",
        HELD_OUT_QUIET, HELD_OUT_LEAKS, TUNING_FIRST, TUNING_N);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"tuning", 0, NULL, 't'}, {"class", 1, NULL, 'c'},     {"seeds", 1, NULL, 's'},
                                            {"list", 0, NULL, 'l'},   {"csv-every", 1, NULL, 'v'}, {"jobs", 1, NULL, 'j'},
                                            {"write", 1, NULL, 'w'},  {"help", 0, NULL, 'h'},      {0}};
    unsigned long long first = 0, last = 0;
    bool tuning = false, some = false, chosen[TRACE_CLASS_N] = {false};
    enum trace_class class;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 't':
            tuning = arg_list = true;
            break;
        case 'c':
            if (trace_class_find(optarg, &class) < 0)
                return usage(2);
            chosen[class] = some = true;
            break;
        case 's':
            if (sscanf(optarg, "%llu-%llu", &first, &last) < 2)
                last = first;
            break;
        case 'l':
            arg_list = true;
            break;
        case 'v':
            arg_csv_every = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'j':
            arg_jobs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'w':
            arg_write = optarg;
            break;
        case 'h':
            return usage(0);
        default:
            return usage(2);
        }
    }
    if (optind < argc || arg_jobs < 1 || arg_jobs > 64 || first > last || last - first > 1000000)
        return usage(2);

    bool whole = !tuning && !some && first == 0;
    size_t n = 0, most = (last > 0 ? last - first + 1 : 1000) * TRACE_CLASS_N;
    struct task *tasks = calloc(most, sizeof *tasks);
    if (!tasks)
        return 1;
    for (uint64_t k = 0; k < most / TRACE_CLASS_N; k++) // by seed first, so that jobs get an even share
        for (class = 0; class < TRACE_CLASS_N; class ++) {
            uint64_t count = last                       ? last - first + 1
                             : tuning                   ? TUNING_N
                             : trace_class_leaks(class) ? HELD_OUT_LEAKS
                                                        : HELD_OUT_QUIET;
            if (k < count && (!some || chosen[class]))
                tasks[n++] = (struct task){class, (last ? first : tuning ? TUNING_FIRST : HELD_OUT_FIRST) + k};
        }
    struct outcome *o = mmap(NULL, n * sizeof *o, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (o == MAP_FAILED)
        return 1;
    int rc = run_all(tasks, n, o);
    if (rc < 0)
        fprintf(stderr, "judge-table: a job failed\n");
    int missed = report(tasks, n, o, whole);
    free(tasks);
    return rc < 0 || missed;
}
