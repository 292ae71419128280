// SPDX-License-Identifier: Apache-2.0
// Gathers what tune reckons with: options first, then a recording, else the running container. What is read is never the php
// CLI's word. Owns nothing afterwards.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advice/server_conf.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/human.h"
#include "mem/budget.h"
#include "mem/cgroup_find.h"
#include "mem/eye.h"
#include "mem/judge.h"
#include "mem/kfile.h"
#include "mem/prices.h"
#include "mem/recording.h"
#include "mem/sensor.h"
#include "tune/tune_input.h"

// What an APCu in which nobody stores has touched at most: its header and the table of its slots. It is also the least that
// apc.shm_size may be.
#define APCU_UNUSED (INT64_C(1) << 20)
#define OPCACHE_LEAST (INT64_C(8) << 20) // opcache.memory_consumption takes no less

static void know(struct tune_amount *a, int64_t value, const char *from)
{
    if (a->known || value < 0) // what came first holds
        return;
    a->known = true;
    a->value = value;
    snprintf(a->from, sizeof a->from, "%s", from);
}

static void measure(struct tune_amount *a, int64_t value, const char *from)
{
    if (!a->known && value >= 0)
        a->measured = true;
    know(a, value, from);
}

static void assume(struct tune_amount *a, int64_t value, const char *from)
{
    if (!a->known)
        a->assumed = true;
    know(a, value, from);
}

// What a recording comes to.
struct seen {
    uint64_t rows;
    int64_t limit, segments, tmpfs, inodes, kernel, go, pss_file; // the highest (limit: the last); -1: not known
    int64_t first_requests, last_requests;
};

static void highest(int64_t *top, const struct mem_sample *s, enum mem_field f)
{
    if (mem_known(s, f) && s->v[f] > *top)
        *top = s->v[f];
}

static void see(struct seen *seen, const struct mem_sample *s)
{
    int64_t shmem = mem_get(s, MEM_shmem, -1), used = mem_get(s, MEM_mnt_used, -1);
    int64_t requests = mem_get(s, MEM_requests, mem_get(s, MEM_req_ok, -1));

    seen->rows++;
    seen->limit = mem_get(s, MEM_limit, seen->limit);
    highest(&seen->kernel, s, MEM_kernel);
    highest(&seen->go, s, MEM_go_heap);
    highest(&seen->pss_file, s, MEM_sum_pss_file);
    highest(&seen->segments, s, MEM_segments);
    if (used >= 0 && used <= shmem + (1 << 20)) { // else it is some disk's
        highest(&seen->tmpfs, s, MEM_mnt_used);
        highest(&seen->inodes, s, MEM_mnt_inodes);
        if (!mem_known(s, MEM_segments) && shmem - used > seen->segments)
            seen->segments = shmem - used;
    }
    if (requests >= 0) {
        if (seen->first_requests < 0)
            seen->first_requests = requests;
        seen->last_requests = requests;
    }
}

static bool is_php(const char *comm)
{
    return !strncmp(comm, "php", 3) || !strncmp(comm, "apache2", 7) || !strncmp(comm, "httpd", 5);
}

// The workers are those of the server's processes that aren't the oldest one, their master.
static void peaks_of(const struct recording_procs *procs, struct tune_input *in)
{
    unsigned n, workers = 0, master = 0;
    double sum = 0, squares = 0, top = 0, others = 0;
    int64_t base = -1;
    const struct recording_proc *p = recording_procs_get(procs, &n);

    for (unsigned i = 1; i < n; i++)
        if (is_php(p[i].comm) && (!is_php(p[master].comm) || p[i].pid < p[master].pid))
            master = i;
    for (unsigned i = 0; i < n; i++) {
        if (p[i].anon_max < 0)
            continue;
        if (i == master || !is_php(p[i].comm)) {
            others += (double)p[i].anon_max;
            continue;
        }
        workers++;
        sum += (double)p[i].anon_max;
        squares += (double)p[i].anon_max * (double)p[i].anon_max;
        top = fmax(top, (double)p[i].anon_max);
        base = base < 0 || p[i].anon_min < base ? p[i].anon_min : base;
    }
    if (workers < 2)
        return;
    double mean = sum / workers;
    measure(&in->base, base, "the recording: a worker's least private memory");
    measure(&in->others, (int64_t)others, "the recording: processes that are no workers");
    in->peaks = true;
    in->mean = (int64_t)(mean - (double)base);
    in->sd = (int64_t)sqrt(fmax(0, squares / workers - mean * mean));
    in->worst = (int64_t)(top - (double)base);
}

static void use_recording(const struct seen *seen, const struct judge_report *r, struct tune_input *in)
{
    know(&in->limit, seen->limit, "the recording");
    measure(&in->hot_file, r->hot_file > seen->pss_file ? r->hot_file : seen->pss_file,
            "the recording: file pages that processes need");
    measure(&in->shared, seen->segments, "the recording: the most there was, and half as much again");
    measure(&in->tmpfs, seen->tmpfs, "the recording: the most there was");
    measure(&in->inodes, seen->inodes, "the recording: the most there were");
    if (seen->kernel >= 0) { // inodes are counted by themselves
        int64_t inodes = in->inodes.known ? in->inodes.value * MEM_INODE_BYTES : 0;
        measure(&in->kernel, seen->kernel > inodes ? seen->kernel - inodes : 0, "the recording: the most there was");
    }
    measure(&in->go_live, seen->go, "the recording: the most there was");
    if (seen->last_requests > seen->first_requests)
        in->requests = (uint64_t)(seen->last_requests - seen->first_requests);
    in->growing = r->verdict == VERDICT_GROWING || r->verdict == VERDICT_SATURATED;
    in->growing_cause = r->cause;
    for (enum mem_line l = LINE_ANON; l < LINE_N; l++)
        if ((l == LINE_ANON || l == LINE_PHP_HEAP || l == LINE_NATIVE) && r->line[l].known && r->line[l].per_request_known)
            in->bytes_per_request = fmax(in->bytes_per_request, r->line[l].bytes_per_request.lo);
}

static struct recording_procs *procs_beside(const char *path, int *ret_fd)
{
    struct recording_procs *procs = NULL;
    size_t n = strlen(path);
    char *beside = NULL;

    if (n < 4 || strcmp(path + n - 4, ".csv") != 0 || asprintf(&beside, "%.*s.procs.csv", (int)(n - 4), path) < 0)
        return NULL;
    *ret_fd = open(beside, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*ret_fd >= 0 && recording_procs_open(*ret_fd, &procs, NULL) < 0)
        procs = NULL;
    free(beside);
    return procs;
}

static int read_rows(struct recording *r, struct recording_procs *procs, struct judge *j, struct seen *seen,
                     struct recording_error *error)
{
    struct judge_event events[JUDGE_EVENTS_PER_PUSH];
    struct mem_sample s;
    int rc;

    while ((rc = recording_next(r, &s, error)) == 1) {
        if (procs && recording_procs_fill(procs, &s, NULL) < 0)
            procs = NULL;
        see(seen, &s);
        (void)judge_push(j, &s, events);
    }
    return rc;
}

static int from_recording(const char *path, struct tune_input *in)
{
    struct recording_error error = {0};
    struct recording *r = NULL;
    struct judge_report report;
    struct seen seen = {0, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    int procs_fd = -1, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct judge *j = malloc(judge_size());

    if (!j)
        return 1;
    int rc = fd < 0 ? -errno : recording_open(fd, &r, &error);
    if (fd < 0)
        snprintf(error.text, sizeof error.text, "%s", strerror(errno));
    if (rc == 0) {
        struct recording_procs *procs = procs_beside(path, &procs_fd);
        judge_init(j);
        rc = read_rows(r, procs, j, &seen, &error);
        judge_report(j, &report);
        use_recording(&seen, &report, in);
        if (procs)
            peaks_of(procs, in);
        recording_procs_close(procs);
    }
    recording_close(r);
    free(j);
    if (fd >= 0)
        close(fd);
    if (procs_fd >= 0)
        close(procs_fd);
    if (rc < 0) {
        fprintf(stderr, "plimsoll-xray: %s", path);
        if (error.line)
            fprintf(stderr, ", line %llu", (unsigned long long)error.line);
        fprintf(stderr, ": %s\n", error.text);
        return 2;
    }
    return 0;
}

static bool is_worker(enum proc_role role)
{
    return role == ROLE_FPM_WORKER || role == ROLE_APACHE || role == ROLE_PLIMSOLL_WORKER || role == ROLE_PHP_CLI;
}

static int64_t private_of(const struct proc_info *p)
{
    return p->pss_known ? p->pss_anon : p->rss_anon;
}

static void use_processes(const struct eye_view *v, struct tune_input *in)
{
    int64_t base = -1, others = 0;

    for (int32_t i = 0; i < v->nprocs; i++) {
        const struct proc_info *p = &v->procs[i];
        if (p->role == ROLE_FRANKENPHP || p->role == ROLE_XRAY || private_of(p) < 0)
            continue; // FrankenPHP's threads and Go heap are reckoned by themselves
        if (!is_worker(p->role))
            others += private_of(p);
        else if (base < 0 || private_of(p) < base)
            base = private_of(p);
    }
    measure(&in->base, base, "the running workers: the least private memory of one");
    if (base >= 0)
        measure(&in->others, others, "the running processes that are no workers");
}

// What APCu has touched of its segment, which is told by its size. 0: there is none; -1: not known.
static int64_t apcu_touched(const struct segments *g, int64_t size, int64_t opcache)
{
    int64_t least = 0, most = 0;
    int n = 0;

    if (!g || !g->complete || g->unseen || g->dropped)
        return -1;
    for (int i = 0; i < g->n; i++) {
        const struct segment *s = &g->s[i];
        if (s->size != size)
            continue;
        if (s->bytes < 0)
            return -1;
        least = !n || s->bytes < least ? s->bytes : least;
        most = s->bytes > most ? s->bytes : most;
        n++;
    }
    if (size == opcache && n <= 2) // one of them is OPcache's
        return n == 2 ? least : 0;
    return most;
}

// Not one segment is there that OPcache could use: it isn't loaded, as in an image whose php.ini doesn't ask for it.
static bool has_no_opcache(const struct segments *g)
{
    if (!g || !g->complete || g->unseen || g->dropped)
        return false;
    for (int i = 0; i < g->n; i++)
        if (g->s[i].size >= OPCACHE_LEAST)
            return false;
    return true;
}

static void use_shared(const struct eye_view *v, const struct server_conf *c, struct tune_input *in)
{
    int64_t opcache = c->opcache_bytes.value, apcu = c->apcu_bytes.known ? c->apcu_bytes.value : 0;
    char from[sizeof in->shared.from], one[HUMAN_N], two[HUMAN_N], three[HUMAN_N], four[HUMAN_N];

    if (!c->opcache_bytes.known || in->shared.known)
        return;
    if (opcache && has_no_opcache(v->segments)) {
        know(&in->shared, 0, "no process has shared memory for OPcache: it isn't loaded");
        return;
    }
    int64_t touched = apcu ? apcu_touched(v->segments, apcu, opcache) : 0;
    if (touched < 0 || touched > APCU_UNUSED) {
        snprintf(from, sizeof from, "OPcache (%s) and APCu (%s) as configured: %.64s", human_bytes(opcache, one),
                 human_bytes(apcu, two), c->opcache_bytes.from);
    } else if (!touched) { // off, or not loaded
        apcu = 0;
        snprintf(from, sizeof from, "OPcache as configured: %.64s", c->opcache_bytes.from);
    } else {
        in->apcu_size = apcu;
        in->apcu_touched = touched;
        apcu = in->apcu_counted = apcu < APCU_UNUSED ? apcu : APCU_UNUSED;
        snprintf(from, sizeof from, "OPcache as configured (%s) + %s for APCu, of whose %s %s are touched: %.48s",
                 human_bytes(opcache, one), human_bytes(apcu, two), human_bytes(in->apcu_size, three),
                 human_bytes(touched, four), c->opcache_bytes.from);
    }
    know(&in->shared, opcache + apcu, from);
}

static void use_view(const struct eye_view *v, const struct server_conf *c, struct tune_input *in)
{
    const struct mem_sample *s = v->sample;
    int64_t tmpfs = mem_get(s, MEM_mnt_used, -1), shmem = mem_get(s, MEM_shmem, INT64_MAX);
    bool ours = tmpfs <= shmem; // else some of it is charged to others

    if (c->memory_limit.known)
        know(&in->memory_limit, c->memory_limit.value, c->memory_limit.from);
    for (int32_t i = 0; i < v->nprocs && !in->memory_limit.known; i++)
        know(&in->memory_limit, v->procs[i].memory_limit,
             v->procs[i].role == ROLE_FPM_MASTER ? "php-fpm's master; a pool may say otherwise" : "the running process");
    use_shared(v, c, in);
    measure(&in->hot_file, mem_get(s, MEM_sum_pss_file, -1), "the running processes: file pages they map");
    measure(&in->tmpfs, ours ? tmpfs : shmem, "the running container: what there is now");
    if (ours)
        measure(&in->inodes, mem_get(s, MEM_mnt_inodes, -1), "the running container: what there is now");
    if (mem_known(s, MEM_kernel)) {
        int64_t inodes = in->inodes.known ? in->inodes.value * MEM_INODE_BYTES : 0, kernel = s->v[MEM_kernel];
        measure(&in->kernel, kernel > inodes ? kernel - inodes : 0, "the running container: what there is now");
    }
    measure(&in->go_live, mem_get(s, MEM_go_heap, -1), "the running container");
    use_processes(v, in);
    if (in->server == SERVER_UNKNOWN)
        in->server = c->server;
}

static void limit_of(const struct mem_roots *roots, const struct mem_where *where, struct tune_input *in)
{
    static const char *const from[] = {
        [MEM_LIMIT_NONE] = "nothing limits the container",
        [MEM_LIMIT_GROUP] = "the container's",
        [MEM_LIMIT_HIGH] = "memory.high: it is throttled from there on",
        [MEM_LIMIT_ANCESTOR] = "of a group above the container",
        [MEM_LIMIT_RAM] = "the machine's memory: nothing limits the container",
    };
    struct mem_sensor *sensor;
    struct mem_sample sample = {0};
    struct mem_limit limit;

    if (mem_sensor_open(roots, where, &sensor) < 0)
        return;
    (void)mem_sensor_read(sensor, 0, &sample);
    mem_sensor_limit(sensor, &limit);
    in->limit_is_ram = limit.from == MEM_LIMIT_RAM;
    know(&in->limit, limit.bytes, from[limit.from]);
    mem_sensor_close(sensor);
}

static int from_container(const struct mem_roots *roots, const struct tune_args *args, struct tune_input *in)
{
    struct mem_where where;
    struct eye *eye;
    struct eye_options options = {.pid = args->pid, .now_us = clock_brought_us};

    int rc = mem_where_find(roots, args->pid, &where);
    if (rc < 0)
        return rc;
    limit_of(roots, &where, in);
    if (eye_open(roots, &where, &options, &eye) == 0) {
        struct eye_view v;
        struct server_conf c;
        (void)eye_look(eye, 0, EYE_FULL); // what can't be seen stays unknown
        eye_view(eye, &v);
        server_conf_read(roots->proc, v.procs, v.nprocs, &c);
        use_view(&v, &c, in);
        eye_close(eye);
    }
    int lacked = kfile_lacked();
    if (lacked)
        fprintf(stderr, "plimsoll-xray tune: what was measured has holes: %s\n", fd_why(lacked));
    mem_where_close(&where);
    return 0;
}

int tune_measure(const struct tune_args *args, struct tune_input *ret)
{
    bool live = !args->recording && args->limit < 0;
    struct mem_roots roots;
    int rc = 0;

    *ret = (struct tune_input){.server = args->server, .cpus = args->cpus};
    know(&ret->limit, args->limit, "--limit");
    know(&ret->memory_limit, args->memory_limit, "--memory-limit");
    know(&ret->shared, args->opcache, "--opcache");
    know(&ret->tmpfs, args->tmpfs, "--tmpfs");
    if (args->cpus > 0)
        snprintf(ret->cpus_from, sizeof ret->cpus_from, "--cpus");
    if (args->recording)
        rc = from_recording(args->recording, ret);
    if (rc == 0 && mem_roots_open(args->proc, args->sys, &roots) == 0) {
        (void)mem_roots_enter(&roots, args->root, args->pid);
        if (ret->cpus <= 0) {
            struct mem_cpus cpus;
            mem_cpus(&roots, args->pid, &cpus);
            ret->cpus = cpus.usable;
            snprintf(ret->cpus_from, sizeof ret->cpus_from, "%s",
                     !live              ? "this machine's: give --cpus"
                     : cpus.quota > 0   ? "the running container's quota"
                     : cpus.allowed > 0 ? "the CPUs it may use"
                                        : "not known: give --cpus");
        }
        // A process that was named must be there; else what can't be seen stays unknown.
        if (live && from_container(&roots, args, ret) == -ESRCH && args->pid) {
            fprintf(stderr, "plimsoll-xray tune: there is no process %d\n", (int)args->pid);
            rc = 2;
        }
        mem_roots_close(&roots);
    }
    if (!(ret->cpus > 0)) {
        ret->cpus = 1;
        snprintf(ret->cpus_from, sizeof ret->cpus_from, "not known: give --cpus");
    }
    return rc;
}

// What was measured is what there was: it doesn't stay below `least`.
static void at_least(struct tune_amount *a, int64_t least, const char *why)
{
    size_t n = strlen(a->from);

    if (!a->measured || a->value >= least)
        return;
    a->value = least;
    snprintf(a->from + n, sizeof a->from - n, "; %s", why);
}

void tune_assume(struct tune_input *in, enum advice_server server)
{
    const int64_t mib = INT64_C(1) << 20;
    bool franken = server == SERVER_FRANKENPHP, limited = in->limit.known && in->limit.value != MEM_UNLIMITED;
    int64_t limit = limited ? in->limit.value : INT64_MAX, text = (franken ? 64 : 32) * mib;
    int64_t files = limit / 50 < 16 * mib ? limit / 50 : 16 * mib;
    int64_t shared = limit / 8 < 16 * mib ? 16 * mib : limit / 8 < 128 * mib ? limit / 8 / mib * mib : 128 * mib;

    assume(&in->memory_limit, 128 * mib, "PHP's default: give --memory-limit");
    assume(&in->hot_file, text, "assumed: program text of PHP and the server");
    at_least(&in->hot_file, text / 2, "but never less than half of what is usual");
    if (in->shared.measured) // OPcache goes on filling
        in->shared.value = (in->shared.value * 3 / 2 + mib) / mib * mib;
    assume(&in->shared, shared, "assumed: an eighth of the limit, at most 128 MiB, for OPcache; or give --opcache");
    at_least(&in->shared, 16 * mib, "but never less than 16 MiB");
    assume(&in->tmpfs, files, "assumed: uploads, sessions; give --tmpfs");
    at_least(&in->tmpfs, files, "and room for uploads, sessions");
    assume(&in->inodes, in->tmpfs.value / 16384, "assumed: files of 16 KiB");
    assume(&in->kernel, 8 * mib, "assumed");
    at_least(&in->kernel, 2 * mib, "and sockets under load");
    assume(&in->go_live, 0, "assumed");
    assume(&in->others, (franken ? 8 : server == SERVER_PLIMSOLL ? 24 : 16) * mib, "assumed: masters and the web server");
    // Threads share all but their globals and stacks: 0.3 MiB each with PHP 8.4 and a dozen extensions.
    assume(&in->base, (franken ? 2 : 12) * mib,
           franken ? "assumed: a thread's globals and stack" : "assumed: PHP and its extensions, before a request");
    at_least(&in->base, (franken ? 1 : 6) * mib, "more once it has served a request");
}
