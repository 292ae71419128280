// SPDX-License-Identifier: Apache-2.0
// From a world to the counters a kernel would show of it: columns that agree with each other (usage = anon + file + kernel,
// shmem on the anonymous LRU, sums over processes), page cache and dentries that yield at the limit, and the marks of a stall.
#include "trace_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// What goes on from row to row.
struct run {
    double dentries, dentries_want, cache_keep;
    double refault_rate, events_rate;
    double refault, events, fail, majfault, fault, pgpgin, pgpgout, some, full, oom;
    double answered, errors;
    int64_t peak;
    double rss_shared; // how much Σ RSS counts twice
    double lru;        // the inactive part of the file LRU
    bool psi, client;  // client: requests are counted by the client (req_ok), else by the server (requests)
    double split_next;
};

static int64_t pages(double bytes)
{
    return bytes <= 0 ? 0 : (int64_t)(bytes / 4096) * 4096;
}

static void put(struct trace *t, struct mem_sample *s, enum mem_field f, double v)
{
    if (!(t->columns[f / 64] >> (f % 64) & 1))
        return;
    mem_set(s, f, v <= 0 ? 0 : (int64_t)v);
}

static void put_pages(struct trace *t, struct mem_sample *s, enum mem_field f, double v)
{
    put(t, s, f, (double)pages(v));
}

static void want(struct trace *t, enum mem_field f)
{
    t->columns[f / 64] |= UINT64_C(1) << (f % 64);
}

static void drop(struct trace *t, enum mem_field f)
{
    t->columns[f / 64] &= ~(UINT64_C(1) << (f % 64));
}

static void want_all(struct trace *t, const enum mem_field *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        want(t, f[i]);
}
#define WANT(t, ...)                                                                                                             \
    want_all(t, (const enum mem_field[]){__VA_ARGS__}, sizeof((enum mem_field[]){__VA_ARGS__}) / sizeof(enum mem_field))

static void choose_requests(struct world *w, struct trace *t, struct run *run)
{
    run->client = chance(w, 0.5);
    if (t->requests) {
        if (run->client)
            WANT(t, MEM_req_ok, MEM_req_err, MEM_lat_p50, MEM_lat_max);
        else
            want(t, MEM_requests);
    }
}

static void choose_columns(struct world *w, struct trace *t, struct run *run)
{
    WANT(t, MEM_usage, MEM_shmem, MEM_nprocs);
    if (w->limit_told)
        want(t, MEM_limit);
    choose_requests(w, t, run);
    if (t->profile == TRACE_GVISOR) {
        want(t, MEM_sum_rss);
        if (w->need_mnt)
            WANT(t, MEM_mnt_used, MEM_mnt_inodes);
        return;
    }
    WANT(t, MEM_anon, MEM_file, MEM_inactive_file, MEM_active_file, MEM_kernel, MEM_mnt_used, MEM_mnt_inodes, MEM_inactive_anon,
         MEM_active_anon);
    if (t->split)
        WANT(t, MEM_php_heap, MEM_go_heap, MEM_native, MEM_deleted_files, MEM_segments, MEM_kernel_pinned);
    if (t->profile == TRACE_SPARSE) {
        static const enum mem_field maybe[] = {MEM_anon,       MEM_file,          MEM_kernel,      MEM_mnt_used,
                                               MEM_mnt_inodes, MEM_inactive_anon, MEM_active_anon, MEM_nprocs};
        for (size_t i = 0; i < sizeof maybe / sizeof *maybe; i++)
            if (chance(w, 0.25) && !(w->need_kernel && maybe[i] == MEM_kernel) &&
                !(w->need_mnt && (maybe[i] == MEM_mnt_used || maybe[i] == MEM_mnt_inodes)))
                drop(t, maybe[i]);
        return;
    }
    WANT(t, MEM_peak, MEM_anon_thp, MEM_file_mapped, MEM_file_dirty, MEM_file_writeback, MEM_refault_file, MEM_refault_anon,
         MEM_pgfault, MEM_pgmajfault, MEM_unevictable, MEM_oom_kill, MEM_nthreads, MEM_sum_rss, MEM_sum_rss_anon,
         MEM_sum_rss_file, MEM_sum_rss_shmem, MEM_sum_pss, MEM_sum_pss_anon, MEM_sum_pss_file, MEM_sum_pss_shmem,
         MEM_sum_private_dirty, MEM_working_set);
    if (!t->requests && t->profile == TRACE_FULL) // as where no client ran: 0 all along
        WANT(t, MEM_req_ok, MEM_req_err, MEM_lat_p50, MEM_lat_max);
    if (t->v2)
        WANT(t, MEM_kernel_stack, MEM_pagetables, MEM_percpu, MEM_slab_reclaimable, MEM_slab_unreclaimable, MEM_sock,
             MEM_events_high, MEM_events_max, MEM_events_oom);
    else
        WANT(t, MEM_failcnt, MEM_pgpgin, MEM_pgpgout, MEM_tcp, MEM_under_oom);
    if (run->psi)
        WANT(t, MEM_psi_some, MEM_psi_full);
}

struct look {
    double php, native, go, tmpfs, segments, deleted, files_n, dentries, pinned_kernel, cache, churn, workers;
    double anon, shmem, kernel, pinned; // kernel without dentries
    double limit, stall, dt;
    bool at_limit;
};

static void add_leak(const struct world *w, size_t i, double leak, struct look *k)
{
    double share = w->leak_also != w->leak_target ? leak / 2 : leak;
    enum target targets[2] = {w->leak_target, w->leak_also};

    for (int j = 0; j < (w->leak_also != w->leak_target ? 2 : 1); j++) {
        switch (targets[j]) {
        case T_PHP:
            k->php += share;
            break;
        case T_NATIVE:
            k->native += share;
            break;
        case T_GO:
            k->go += share * (1 + w->leak_teeth * fmod(w->t[i], 61.7) / 61.7);
            break;
        case T_TMPFS:
            k->tmpfs += share;
            k->files_n += share / w->leak_file_bytes;
            break;
        case T_DELETED:
            k->deleted += share;
            k->files_n += share / w->leak_file_bytes;
            break;
        case T_SEGMENTS:
            k->segments += share;
            break;
        case T_KERNEL:
            k->pinned_kernel += share;
            break;
        default:
            k->files_n += share / 950;
        }
    }
}

static void look_at(const struct world *w, size_t i, double leak, struct look *k)
{
    *k = (struct look){
        .php = fmax(0, w->value[T_PHP][i]),
        .native = fmax(0, w->value[T_NATIVE][i]),
        .go = fmax(0, w->value[T_GO][i]),
        .tmpfs = fmax(0, w->value[T_TMPFS][i]),
        .segments = fmax(0, w->value[T_SEGMENTS][i]),
        .deleted = fmax(0, w->value[T_DELETED][i]),
        .files_n = 10 + fmax(0, w->value[T_FILES_N][i]),
        .dentries = fmax(0, w->value[T_DENTRIES][i]),
        .pinned_kernel = fmax(0, w->value[T_KERNEL][i]),
        .churn = fmax(0, w->value[T_CHURN][i]),
        .cache = fmax(w->hot, w->value[T_CACHE][i]),
        .workers = fmax(1, w->value[T_WORKERS_N][i]),
        .limit = w->limits[i],
        .dt = i ? w->t[i] - w->t[i - 1] : w->dt,
    };
    add_leak(w, i, leak, k);
    k->anon = k->php + k->native + k->go;
    k->shmem = k->tmpfs + k->segments + k->deleted;
    k->kernel = 2e5 + k->anon / 512 + k->files_n * 950 + k->workers * 60e3 + k->pinned_kernel;
    k->pinned = k->anon + k->shmem + k->kernel;
}

// Bytes the kernel can't drop at row i, with so much leaked.
static double pinned_at(const struct world *w, size_t i, double leak)
{
    struct look k;

    look_at(w, i, leak, &k);
    return k.pinned;
}

// Page cache and dentries give way at the limit.
static void settle(struct world *w, struct look *k, struct run *run)
{
    run->dentries += fmax(0, k->dentries - run->dentries_want);
    run->dentries_want = k->dentries;
    double room = k->limit - k->pinned - 0.004 * k->limit;
    if (run->dentries > room - w->hot) // reclaimed, a good part at once
        run->dentries = fmax(0, fmin(run->dentries, room - w->hot)) * uniform(w, 0.3, 0.8);
    k->dentries = run->dentries;
    double cache = fmax(0.1 * w->hot, fmin(k->cache, room - k->dentries));
    k->at_limit = cache < k->cache;
    k->cache = cache;
    k->kernel += k->dentries;
}

static void go_on(struct world *w, size_t i, struct look *k, struct run *run)
{
    double dt = k->dt, s = k->stall, served = i ? w->cum[i] - w->cum[i - 1] : w->cum[0];

    run->refault += dt * (s > 0 ? s * uniform(w, 3000, 100000) : k->at_limit ? run->refault_rate * uniform(w, 0, 2) : 0);
    run->events += dt * (s > 0 ? s * uniform(w, 50, 650) : k->at_limit ? run->events_rate * uniform(w, 0, 2) : 0);
    run->fail += dt * (s > 0 ? uniform(w, 0, 50) : k->at_limit ? run->events_rate * uniform(w, 0, 2) : 0);
    run->majfault += dt * (s > 0 ? s * uniform(w, 20, 120) : k->at_limit ? uniform(w, 0, 0.5) : 0);
    run->fault += dt * (100 + w->rate[i] * 300);
    run->some += dt * (s > 0 ? uniform(w, 2e5, 6e5) : k->at_limit ? uniform(w, 0, 4000) : uniform(w, 0, 100));
    run->full += dt * (s > 0 ? uniform(w, 1e5, 4e5) : k->at_limit ? uniform(w, 0, 2000) : uniform(w, 0, 50));
    if (k->churn > 0 && k->at_limit && s == 0) { // reading goes on as fast as the disk gives
        run->refault += dt * k->churn * uniform(w, 0.5, 1.5);
        run->events += dt * k->churn / 32 * uniform(w, 0.5, 1.5);
        run->fail += dt * k->churn / 32;
        run->majfault += dt * uniform(w, 0, 6);
        run->some += dt * fmin(2e5, 4 * k->churn) * uniform(w, 0.3, 1);
        run->full += dt * fmin(7e4, k->churn) * uniform(w, 0.3, 1);
    }
    run->answered += s > 0.5 ? 0 : served;
    run->errors += s > 0.5 ? served : 0;
}

static void put_processes(struct world *w, struct trace *t, struct mem_sample *s, const struct look *k, const struct run *run)
{
    double n = floor(k->workers) + 1, mapped = fmin(k->cache, n * 3e6) + 0.5 * w->hot;
    double file = n * (k->stall > 0 ? 3e6 : 12e6), shm = n * fmin(k->segments, 4e6), anon = k->anon * run->rss_shared;

    put(t, s, MEM_nprocs, n);
    put(t, s, MEM_nthreads, n * 2 + (k->go > 0 ? 12 : 0));
    put_pages(t, s, MEM_sum_rss_anon, anon);
    put_pages(t, s, MEM_sum_rss_file, file);
    put_pages(t, s, MEM_sum_rss_shmem, shm);
    put(t, s, MEM_sum_rss, (double)(pages(anon) + pages(file) + pages(shm)));
    put_pages(t, s, MEM_sum_pss_anon, k->anon);
    put_pages(t, s, MEM_sum_pss_file, mapped);
    put_pages(t, s, MEM_sum_pss_shmem, fmin(k->segments, shm));
    put(t, s, MEM_sum_pss, (double)(pages(k->anon) + pages(mapped) + pages(fmin(k->segments, shm))));
    put_pages(t, s, MEM_sum_private_dirty, 0.93 * k->anon);
}

static void put_kernel(struct world *w, struct trace *t, struct mem_sample *s, const struct look *k, bool told)
{
    double inodes = k->files_n * 950, threads = k->workers * 60e3;

    put(t, s, MEM_kernel, k->kernel);
    put_pages(t, s, MEM_kernel_stack, k->workers * 20000);
    put_pages(t, s, MEM_pagetables, k->anon / 512 + k->workers * 30000);
    put(t, s, MEM_percpu, 30000);
    put(t, s, MEM_slab_reclaimable, k->dentries + 0.9 * inodes);
    put(t, s, MEM_slab_unreclaimable, 0.1 * inodes + 1e5 + k->pinned_kernel);
    put_pages(t, s, MEM_sock, w->rate[0] * 2000);
    put(t, s, MEM_tcp, 0);
    if (told)
        put(t, s, MEM_kernel_pinned, inodes + threads + k->anon / 512);
}

static void put_split(struct trace *t, struct mem_sample *s, const struct look *k)
{
    double stray = 0.02 * k->anon;

    put_pages(t, s, MEM_php_heap, k->php);
    put_pages(t, s, MEM_go_heap, k->go);
    put_pages(t, s, MEM_native, k->native + stray);
    put_pages(t, s, MEM_deleted_files, k->deleted);
    put_pages(t, s, MEM_segments, k->segments);
}

static void put_group(struct world *w, struct trace *t, struct mem_sample *s, const struct look *k, struct run *run)
{
    double file = (double)pages(k->cache), shmem = (double)pages(k->shmem), anon = (double)pages(k->anon);
    double reserve = uniform(w, 0, 131072.0 * w->cpus), inactive = run->lru + 0.05 * sin(w->t[0] + s->t / 700);
    double usage = (double)pages(anon + shmem + file + k->kernel + (t->v2 ? w->rate[0] * 2000 : 0) + reserve);

    usage = fmin(usage, (double)pages(k->limit));
    put(t, s, MEM_usage, usage);
    if ((int64_t)usage > run->peak)
        run->peak = (int64_t)usage;
    put(t, s, MEM_peak, (double)run->peak);
    put(t, s, MEM_limit, (double)pages(k->limit));
    put(t, s, MEM_file, file + shmem);
    put(t, s, MEM_anon, anon);
    put(t, s, MEM_anon_thp, floor(0.1 * anon / (2 * MIB)) * 2 * MIB);
    put(t, s, MEM_shmem, shmem);
    put_pages(t, s, MEM_file_mapped, k->segments + 0.5 * w->hot);
    put_pages(t, s, MEM_file_dirty, uniform(w, 0, 0.02) * file);
    put(t, s, MEM_file_writeback, 0);
    put_pages(t, s, MEM_inactive_anon, 0.97 * (anon + shmem));
    put(t, s, MEM_active_anon, anon + shmem - (double)pages(0.97 * (anon + shmem)));
    put_pages(t, s, MEM_inactive_file, inactive * file);
    put(t, s, MEM_active_file, file - (double)pages(inactive * file));
    put(t, s, MEM_unevictable, 0);
    put(t, s, MEM_working_set, usage - (double)pages(inactive * file));
    if (w->host_mnt) { // statvfs of the host's disk: nothing to do with the group
        put_pages(t, s, MEM_mnt_used, 2.4e10 + 2e6 * s->t + 1e8 * sin(s->t / 500));
        put(t, s, MEM_mnt_inodes, 580000 + s->t);
    } else {
        put_pages(t, s, MEM_mnt_used, k->tmpfs + k->deleted);
        put(t, s, MEM_mnt_inodes, k->files_n);
    }
}

static void put_totals(struct world *w, struct trace *t, struct mem_sample *s, const struct look *k, struct run *run)
{
    put(t, s, MEM_refault_file, run->refault);
    put(t, s, MEM_refault_anon, 0);
    put(t, s, MEM_failcnt, run->fail);
    put(t, s, MEM_pgfault, run->fault);
    put(t, s, MEM_pgmajfault, run->majfault);
    put(t, s, MEM_pgpgin, run->fault + (double)run->peak / 4096 + run->refault);
    put(t, s, MEM_pgpgout, run->fault + run->refault);
    put(t, s, MEM_psi_some, run->some);
    put(t, s, MEM_psi_full, run->full);
    put(t, s, MEM_under_oom, 0);
    put(t, s, MEM_oom_kill, 0);
    put(t, s, MEM_events_high, 0);
    put(t, s, MEM_events_max, run->events);
    put(t, s, MEM_events_oom, 0);
    put(t, s, MEM_requests, run->answered);
    put(t, s, MEM_req_ok, t->requests && run->client ? run->answered : 0);
    put(t, s, MEM_req_err, t->requests && run->client ? run->errors : 0);
    put(t, s, MEM_lat_p50, t->requests && run->client ? (k->stall > 0.5 ? 20000 : uniform(w, 5, 30)) : 0);
    put(t, s, MEM_lat_max, t->requests && run->client ? (k->stall > 0.5 ? 90000 : uniform(w, 30, 900)) : 0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

// p95 - p5 of all but the leak itself.
static int swing_of(const struct world *w, double rise, double *ret)
{
    double *v = malloc(w->n * sizeof *v);

    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < w->n; i++) {
        double leak = rise * w->unit[i];
        v[i] = pinned_at(w, i, leak) - leak;
    }
    qsort(v, w->n, sizeof *v, by_value);
    *ret = v[w->n * 95 / 100] - v[w->n * 5 / 100];
    free(v);
    return 0;
}

static bool fits(const struct world *w, double rise)
{
    for (size_t i = 0; i < w->n; i++)
        if (pinned_at(w, i, rise * w->unit[i]) > 0.94 * w->limits[i] - w->hot)
            return false;
    return true;
}

// How much must leak: chosen now that all else is known. -ERANGE: it doesn't fit below the limit.
static int choose_rise(struct world *w, struct trace *t, double *ret_rise)
{
    double rise = 0, swing = 0, least = fmax(8 * MIB, 0.02 * w->limit), mult = 0;

    if (t->label.leak && w->to_the_limit) {
        double top = pinned_at(w, w->n - 1, 0);
        rise = (w->limit - top) * uniform(w, 1.05, 1.3);
    } else if (t->label.leak) {
        mult = log_uniform(w, w->leak_mult_lo, w->leak_mult_hi);
    }
    for (int again = 0; t->label.leak && again < 20; again++) {
        int rc = swing_of(w, rise, &swing);
        if (rc < 0)
            return rc;
        if (w->to_the_limit || rise >= 1.02 * fmax(least, swing))
            break;
        double was = rise;
        rise = fmax(mult * fmax(least, swing), was);
        while (rise > 1.1 * fmax(least, swing) && !fits(w, rise)) // less, where it would hit the limit
            rise = fmax(1.05 * fmax(least, swing), 0.8 * rise);
    }
    if (t->label.leak && rise < fmax(least, swing))
        return -ERANGE;
    if (!w->to_the_limit && !fits(w, rise))
        return -ERANGE;
    t->label.rise = rise;
    t->label.swing = swing;
    *ret_rise = rise;
    return 0;
}

int rows_make(struct world *w, struct trace *t)
{
    struct run run = {.refault_rate = log_uniform(w, 0.5, 150),
                      .events_rate = log_uniform(w, 0.1, 40),
                      .rss_shared = uniform(w, 1.0, 1.5),
                      .lru = uniform(w, 0.3, 0.9),
                      .psi = chance(w, 0.7)};
    double rise, served = uniform(w, 0, 1e6), began = chance(w, 0.2) ? 1.7e9 + uniform(w, 0, 1e8) : 0;
    int rc = choose_rise(w, t, &rise);

    if (rc < 0)
        return rc;
    run.answered = floor(served);
    run.refault = floor(uniform(w, 0, 5000));
    run.majfault = floor(uniform(w, 0, 100));
    choose_columns(w, t, &run);
    t->row = calloc(w->n, sizeof *t->row);
    if (!t->row)
        return -ENOMEM;
    t->n = w->n;
    for (size_t i = 0; i < w->n; i++) {
        struct mem_sample *s = &t->row[i];
        struct look k;
        double leak = rise * w->unit[i];
        look_at(w, i, leak, &k);
        if (w->to_the_limit && k.pinned > k.limit - 0.4 * w->hot) { // nothing is left to give: it stalls
            double over = k.pinned - (k.limit - 0.4 * w->hot);
            look_at(w, i, fmax(0, leak - over), &k);
            k.stall = fmin(1, over / (0.01 * k.limit) + 0.3);
        }
        s->t = round((began + w->t[i]) * 1000) / 1000;
        settle(w, &k, &run);
        go_on(w, i, &k, &run);
        put_group(w, t, s, &k, &run);
        put_processes(w, t, s, &k, &run);
        bool told = w->t[i] >= run.split_next;
        if (told)
            run.split_next = w->t[i] + w->sparse_split;
        put_kernel(w, t, s, &k, told);
        if (told)
            put_split(t, s, &k);
        put_totals(w, t, s, &k, &run);
    }
    return 0;
}
