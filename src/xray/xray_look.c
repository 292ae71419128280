// SPDX-License-Identifier: Apache-2.0
// Owns the descriptors of the target, its eye, its judge and the rows seen. One thread. The clock is the monotonic one, in
// seconds since the start; a watch's history lies before it.
#include "xray/xray_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdio.h"
#include "mem/kfile.h"
#include "mem/recording.h"
#include "watch/last.h"
#include "watch/watch_client.h"

#define REQUESTS_DEADLINE_MS 100
#define FILES_SEEN 20000
#define BALANCE_S 0.15
#define BALANCE_PAUSE_NS 10000000
#define AGAIN_WALK_US 50000   // a second; nobody runs us for long
#define LAST_WALK_MS_MAX 3000 // rounds are brought to their end before the answer
#define WATCH_TIMEOUT_MS 2000
#define WATCH_ANSWER_MAX (8u << 20)

struct xray_look {
    struct mem_roots roots;
    struct mem_where where;
    struct eye *eye;
    struct mem_sensor *sensor; // for where the limit comes from
    struct judge *judge;
    bool judged_own, from_watch, complete, machine;
    double start, shift; // shift: the history's last t, to which ours are added
    struct requests *requests;
    int proc_pid;
    unsigned own_notes; // of view.notes: those made while it was opened
    uint64_t pushed, stride;
    struct mem_sample rows[VIEW_ROWS];
    size_t n_rows;
    struct ledger ledger;
    struct xray_view view;
};

double xray_look_elapsed(const struct xray_look *l)
{
    return clock_s() - l->start;
}

static int __attribute__((format(printf, 4, 5))) fail(int r, char *error, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(error, n, fmt, ap);
    va_end(ap);
    return r;
}

// In the machine's own process namespace: no container, unless somebody limits us.
static bool is_host(const struct mem_roots *roots)
{
    char link[64];
    ssize_t n = readlinkat(roots->proc, "self/ns/pid", link, sizeof link - 1);

    link[n > 0 ? n : 0] = '\0';
    return !strcmp(link, "pid:[4026531836]"); // PROC_PID_INIT_INO
}

static bool is_limited(const struct mem_roots *roots, const struct mem_where *where)
{
    struct mem_sensor *sensor;
    struct mem_sample sample = {0};
    struct mem_limit limit = {.from = MEM_LIMIT_NONE};

    if (mem_sensor_open(roots, where, &sensor) != 0)
        return false;
    (void)mem_sensor_read(sensor, 0, &sample);
    mem_sensor_limit(sensor, &limit);
    mem_sensor_close(sensor);
    return limit.from == MEM_LIMIT_GROUP || limit.from == MEM_LIMIT_HIGH || limit.from == MEM_LIMIT_ANCESTOR;
}

// Each process namespace has a process 1, and its status is everybody's to read, but for hidepid.
static bool hides_processes(const struct mem_roots *roots)
{
    int fd = openat(roots->proc, "1/status", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == EPERM || errno == EACCES;
    close(fd);
    return false;
}

static int find_target(struct xray_look *l, const struct xray_args *args, char *error, size_t n)
{
    pid_t pid = args->pid;
    int r;

    if (args->cgroup) {
        r = mem_where_path(&l->roots, args->cgroup, &l->where);
        if (r == -EINVAL)
            return fail(r, error, n, "%s is no memory cgroup: it has no memory.* files", args->cgroup);
        if (r)
            return fail(r, error, n, "cgroup %s: %s", args->cgroup, fd_why(-r));
        pid = l->where.pid;
    } else {
        r = mem_where_find(&l->roots, pid, &l->where);
        if (r == -ESRCH && pid)
            return fail(r, error, n, "there is no process %ld here", (long)pid);
        if (r)
            return fail(r, error, n, "can't tell the cgroup of process %s%ld: %s", pid ? "" : "self ", (long)pid, fd_why(-r));
    }
    if (!pid && !args->cgroup && !args->self && is_host(&l->roots) && !is_limited(&l->roots, &l->where)) {
        mem_where_close(&l->where);
        memset(&l->where, 0, sizeof l->where);
        l->where.kind = MEM_KIND_MACHINE;
        l->where.dir = -1;
    }
    l->machine = l->where.kind == MEM_KIND_MACHINE;
    r = mem_roots_enter(&l->roots, args->root, pid);
    if (r && args->root)
        return fail(r, error, n, "--root %s: %s", args->root, fd_why(-r));
    if (r && pid) {
        l->roots.root = -1;
        view_note(
            &l->view,
            "The files of process %ld can't be entered (%s): mounts and files in memory are not shown. Cure: %s--cap-add SYS_PTRACE.",
            (long)pid, fd_why(-r), geteuid() ? "run it as root with " : "");
    }
    char name[16] = "self";
    if (pid)
        snprintf(name, sizeof name, "%d", (int)pid);
    l->proc_pid = openat(l->roots.proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    l->view.pid = args->pid;
    l->view.uid = geteuid();
    l->view.hidden = !args->proc && hides_processes(&l->roots);
    return 0;
}

static void describe(struct xray_look *l, const struct xray_args *args)
{
    struct xray_view *v = &l->view;
    const char *what = args->pid ? "process" : args->cgroup ? "cgroup" : "this container";
    char number[16] = "";

    v->kind = l->where.kind;
    v->machine = l->machine;
    snprintf(v->cgroup, sizeof v->cgroup, "%s", l->where.path);
    if (args->pid)
        snprintf(number, sizeof number, " %ld", (long)args->pid);
    if (l->machine && !args->pid)
        snprintf(v->target, sizeof v->target, "the whole machine: no memory limit holds here");
    else if (l->machine)
        snprintf(v->target, sizeof v->target, "process%s: no memory cgroup limits it, so the whole machine", number);
    else if (l->where.kind == MEM_KIND_GVISOR)
        snprintf(v->target, sizeof v->target, "%s%s in gVisor%s%s", what, number, v->cgroup[0] ? ", " : "", v->cgroup);
    else
        snprintf(v->target, sizeof v->target, "%s%s, cgroup %s %s", what, number, mem_kind_name(v->kind), v->cgroup);
}

static int open_eye(struct xray_look *l, const struct xray_args *args, char *error, size_t n)
{
    struct eye_options options = {.pid = l->where.pid, .now_us = clock_brought_us, .epoch_s = time(NULL)};

    if (args->pid)
        options.pid = args->pid;
    int r = eye_open(&l->roots, &l->where, &options, &l->eye);
    if (r == -ESRCH)
        return fail(r, error, n, "there is no process in %s", l->where.path);
    if (r)
        return fail(r, error, n, "can't look at it: %s", fd_why(-r));
    (void)mem_sensor_open(&l->roots, &l->where, &l->sensor);
    l->judge = malloc(judge_size());
    if (!l->judge)
        return fail(-ENOMEM, error, n, "out of memory");
    judge_init(l->judge);
    return 0;
}

static int open_requests(struct xray_look *l, const struct xray_args *args, char *error, size_t n)
{
    struct requests_target target;
    int r = 0;

    if (args->requests) {
        r = requests_parse(args->requests, &target);
        if (r == -EADDRNOTAVAIL)
            return fail(-EINVAL, error, n, "--requests %s: names are not looked up; give an address, or localhost",
                        args->requests);
        if (r)
            return fail(-EINVAL, error, n, "--requests %s: no URL that is known here", args->requests);
    }
    server_conf_read(l->roots.proc, l->view.see.procs, l->view.see.nprocs, &l->view.conf);
    if (!args->requests && !requests_find(&l->view.conf, l->roots.root, &target) && requests_parse("tcp", &target) != 0)
        return 0;
    return requests_open(&target, l->proc_pid, &l->requests) == -ENOMEM ? fail(-ENOMEM, error, n, "out of memory") : 0;
}

int xray_look_open(const struct xray_args *args, struct xray_look **ret, char *error, size_t error_n)
{
    struct xray_look *l = calloc(1, sizeof *l);
    int r;

    if (!l)
        return fail(-ENOMEM, error, error_n, "out of memory");
    l->proc_pid = l->where.dir = l->roots.root = -1;
    l->stride = 1;
    l->start = clock_s();
    r = mem_roots_open(args->proc, args->sys, &l->roots);
    if (r) {
        l->roots.proc = l->roots.cgroup = -1;
        r = fail(r, error, error_n, "%s can't be opened (%s): %s", args->proc ? args->proc : "/proc", fd_why(-r),
                 args->proc ? "it should be a copy of /proc" : "mount it first (mount -t proc proc /proc)");
    } else if (faccessat(l->roots.proc, "self/status", F_OK, 0) != 0 && faccessat(l->roots.proc, "meminfo", F_OK, 0) != 0)
        r = fail(-ENOENT, error, error_n, "%s is empty: %s", args->proc ? args->proc : "/proc",
                 args->proc ? "it should be a copy of /proc" : "mount it first (mount -t proc proc /proc)");
    if (r == 0)
        r = find_target(l, args, error, error_n);
    if (r == 0)
        r = open_eye(l, args, error, error_n);
    if (r == 0) {
        describe(l, args);
        r = xray_look_first(l);
        if (r)
            fail(r, error, error_n, "there is no process in %s any more", l->where.path);
    }
    if (r == 0)
        r = open_requests(l, args, error, error_n);
    if (r) {
        xray_look_close(l);
        return r;
    }
    *ret = l;
    return 0;
}

struct xray_look *xray_look_close(struct xray_look *l)
{
    if (!l)
        return NULL;
    l->eye = l->eye ? eye_close(l->eye) : NULL;
    l->sensor = l->sensor ? mem_sensor_close(l->sensor) : NULL;
    l->requests = l->requests ? requests_close(l->requests) : NULL;
    if (l->where.dir >= 0 || l->where.levels)
        mem_where_close(&l->where);
    mem_roots_close(&l->roots);
    if (l->proc_pid >= 0)
        close(l->proc_pid);
    free(l->judge);
    free(l);
    return NULL;
}

// Keeps rows for the picture: when full, every second one goes, and from then on half as many come.
static void keep_row(struct xray_look *l, const struct mem_sample *s)
{
    if (l->pushed++ % l->stride)
        return;
    if (l->n_rows == VIEW_ROWS) {
        for (size_t i = 0; i < VIEW_ROWS / 2; i++)
            l->rows[i] = l->rows[2 * i];
        l->n_rows = VIEW_ROWS / 2;
        l->stride *= 2;
    }
    l->rows[l->n_rows++] = *s;
}

static void push(struct xray_look *l, const struct mem_sample *s)
{
    struct judge_event events[JUDGE_EVENTS_PER_PUSH];
    struct xray_view *v = &l->view;
    unsigned n = judge_push(l->judge, s, events);

    for (unsigned i = 0; i < n; i++) {
        if (v->n_events == VIEW_EVENTS)
            memmove(v->events, v->events + 1, --v->n_events * sizeof *events);
        v->events[v->n_events++] = events[i];
    }
    keep_row(l, s);
}

static void judge_sample(struct xray_look *l, const struct mem_sample *s, double t)
{
    struct mem_sample shifted = *s;

    shifted.t = t;
    if (l->view.requests_known)
        mem_set(&shifted, MEM_requests, l->view.requests.total);
    push(l, &shifted);
    l->judged_own = true;
}

static void count_requests(struct xray_look *l)
{
    struct requests_answer answer;

    if (!l->requests)
        return;
    int r = requests_ask(l->requests, REQUESTS_DEADLINE_MS, &answer);
    if (r == 0) {
        l->view.requests = answer;
        l->view.requests_known = true;
    }
}

int xray_look_first(struct xray_look *l)
{
    int r = eye_look(l->eye, xray_look_elapsed(l), EYE_FULL);

    eye_view(l->eye, &l->view.see);
    return r == -ESRCH ? r : 0;
}

bool xray_look_walk(struct xray_look *l, int budget_ms)
{
    if (!l->complete)
        l->complete = eye_walk(l->eye, xray_look_elapsed(l), budget_ms * INT64_C(1000));
    return l->complete;
}

double xray_look_covered(const struct xray_look *l)
{
    struct scan_progress p;

    eye_progress(l->eye, &p);
    return p.covered;
}

int xray_look_again(struct xray_look *l)
{
    double t = xray_look_elapsed(l);
    int r = eye_look(l->eye, t, EYE_BUDGETED);

    eye_view(l->eye, &l->view.see);
    if (r == -ESRCH)
        return r;
    (void)eye_walk(l->eye, t, AGAIN_WALK_US);
    count_requests(l);
    judge_sample(l, l->view.see.sample, l->shift + t);
    return 0;
}

int xray_look_last_time(struct xray_look *l)
{
    // The round that is under way began long ago: what it leaves out the next one has.
    for (int i = 0; i < 2; i++)
        for (int ms = 0; ms < LAST_WALK_MS_MAX && !eye_walk(l->eye, xray_look_elapsed(l), 100000); ms += 100)
            ;
    return xray_look_first(l);
}

int xray_look_ask_watch(struct xray_look *l, const char *socket)
{
    struct recording *recording;
    struct recording_error error;
    struct mem_sample s;
    char *csv;
    size_t n;

    if (!socket && l->where.ino == 0)
        return -ENOENT;
    int r = watch_ask(socket, l->where.ino, "history", WATCH_TIMEOUT_MS, WATCH_ANSWER_MAX, &csv, &n);
    if (r)
        return r;
    r = recording_open_text(csv, n, &recording, &error);
    if (r == 0) {
        while (recording_next(recording, &s, &error) == 1) {
            push(l, &s);
            l->shift = s.t;
            l->from_watch = true;
        }
        recording_close(recording);
    }
    free(csv);
    return r;
}

int xray_look_last(const struct xray_look *l, const char *state_dir, bool json)
{
    return last_run(state_dir, &l->roots, l->machine ? NULL : &l->where, json);
}

static int64_t host_ram(const struct xray_look *l)
{
    static const struct kfile_key keys[] = {{{"MemTotal", 8}, 0}};
    char text[4096];
    int64_t value;
    ssize_t n = kfile_read(l->roots.proc, "meminfo", text, sizeof text);

    return n > 0 && kfile_keys((struct str){text, (size_t)n}, keys, 1, &value) == 1 ? value : -1;
}

static void fill_facts(struct xray_look *l)
{
    struct xray_view *v = &l->view;
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;
    struct mem_cpus cpus;
    struct mem_sample s = {0};

    mem_cpus(&l->roots, l->where.pid, &cpus);
    v->cpus = cpus.usable;
    v->host_ram = host_ram(l);
    if (l->sensor) {
        (void)mem_sensor_read(l->sensor, 0, &s);
        mem_sensor_limit(l->sensor, &v->limit);
    }
    f.limit = v->ledger->limit;
    f.host_ram = v->host_ram;
    f.cpus = (int32_t)(cpus.usable < 1 ? 1 : cpus.usable);
    f.hard = v->ledger->hard;
    f.anon = mem_get(v->see.sample, MEM_anon, -1);
    f.anon_thp = mem_get(v->see.sample, MEM_anon_thp, -1);
    advice_facts_from_procs(&f, v->see.procs, (unsigned)v->see.nprocs);
    server_conf_facts(&v->conf, &f);
    for (int i = 0; i < v->n_big && f.app == APP_UNKNOWN; i++)
        f.app = advice_app_of_path(v->big[i].path);
    v->facts = f;
}

static void fill_directories(struct xray_look *l)
{
    struct xray_view *v = &l->view;
    struct eye_dir fast[VIEW_DIRS];

    v->n_big = eye_dirs(l->eye, SCAN_BY_BYTES, VIEW_DIRS, v->big);
    int n = eye_dirs(l->eye, SCAN_BY_GROWTH, VIEW_DIRS, fast);
    v->n_fast = v->n_files = 0;
    for (int i = 0; i < n; i++)
        if (fast[i].growth_per_min != INT64_MIN && fast[i].growth_per_min > 0)
            v->fast[v->n_fast++] = fast[i];
    const struct eye_dir *d = v->n_fast ? &v->fast[0] : v->n_big ? &v->big[0] : NULL;
    if (!d || d->files > FILES_SEEN) // of so many, no single one says anything
        return;
    n = v->n_fast ? eye_files(l->eye, d->id, SCAN_BY_GROWTH, VIEW_FILES, v->files) : 0;
    v->files_grow = n > 0 && v->files[0].growth_per_min > d->growth_per_min / 4;
    if (!v->files_grow)
        n = eye_files(l->eye, d->id, SCAN_BY_BYTES, VIEW_FILES, v->files);
    v->n_files = n > 0 ? n : 0;
    snprintf(v->files_dir, sizeof v->files_dir, "%.*s", (int)sizeof v->files_dir - 1, d->path);
}

static void fill_finding(struct xray_look *l)
{
    struct xray_view *v = &l->view;
    struct eye_dir dirs[2 * VIEW_DIRS];
    size_t n = 0;

    for (int i = 0; i < v->n_fast; i++)
        dirs[n++] = v->fast[i];
    for (int i = 0; i < v->n_big; i++)
        dirs[n++] = v->big[i];
    struct finding_input in = {.judge = &v->judge,
                               .sample = v->see.sample,
                               .dirs = dirs,
                               .n_dirs = n,
                               .mounts = v->see.mounts,
                               .segments = v->see.segments,
                               .procs = v->see.procs,
                               .n_procs = (size_t)v->see.nprocs,
                               .facts = &v->facts,
                               .requests_estimated = v->requests_known && v->requests.estimate,
                               .root_fd = l->roots.root};
    finding_make(&in, &v->finding);
    // The directories of one store are one line.
    v->n_fast = eye_dirs_merge(v->fast, v->n_fast, v->finding.place, SCAN_BY_GROWTH);
    v->n_big = eye_dirs_merge(v->big, v->n_big, v->finding.place, SCAN_BY_BYTES);
    if (v->finding.app != APP_UNKNOWN)
        v->facts.app = v->finding.app;
    finding_text(&v->finding, v->headline);
    v->n_fixes = finding_fixes(&v->finding, &v->facts, v->fixes);
    v->n_conditions = signature_find_conditions(&v->facts, v->conditions, VIEW_CONDITIONS);
}

// Counters and owners can't be read at one instant, and the kernel adds its counters up late: where memory moves too fast for
// them to agree, they are read again.
static void make_ledger(struct xray_look *l)
{
    double end = clock_s() + BALANCE_S;

    eye_ledger(l->eye, &l->ledger);
    while (!ledger_balances(&l->ledger) && clock_s() < end) {
        nanosleep(&(struct timespec){.tv_nsec = BALANCE_PAUSE_NS}, NULL);
        if (eye_look(l->eye, xray_look_elapsed(l), EYE_FULL) == -ESRCH)
            return;
        eye_ledger(l->eye, &l->ledger);
    }
}

const struct xray_view *xray_look_view(struct xray_look *l)
{
    struct xray_view *v = &l->view;

    if (!v->ledger)
        l->own_notes = v->n_notes;
    v->n_notes = l->own_notes;
    v->made = time(NULL);
    make_ledger(l);
    v->ledger = &l->ledger;
    eye_view(l->eye, &v->see);
    eye_progress(l->eye, &v->walk);
    fill_directories(l);
    if (l->pushed == 0 || (l->from_watch && !l->judged_own)) // one look: the judge says how many more it needs
        judge_sample(l, v->see.sample, l->shift + xray_look_elapsed(l));
    v->judged = l->pushed > 1;
    v->from_watch = l->from_watch;
    judge_report(l->judge, &v->judge);
    v->rows = l->rows;
    v->n_rows = l->n_rows;
    if (!v->requests_known)
        count_requests(l);
    fill_facts(l);
    fill_finding(l);
    other_numbers(v->see.sample, v->others);
    int lacked = kfile_lacked();
    if (lacked)
        v->lacked_files = lacked;
    view_notes(v);
    return v;
}
