// SPDX-License-Identifier: Apache-2.0
// One container looked at: what is read when, and within which budget. Owns sensor, process table, mounts, walk and segments.
// Invariant: after eye_open() nothing is allocated, and an EYE_FIXED look opens nothing but what new processes and mounts need.
#include "mem/eye_int.h"

#include "mem/deleted.h"
#include "mem/kfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUDGET_US 1700           // a step ends a little late, and 2 ms a second is what all of them may take
#define FDS_MAX 20000            // descriptors of one process that are looked at
#define FULL_TRIES 4             // a full look is repeated while memory moves,
#define FULL_FIRST_US 150000     // for smaps_rollup in the first one
#define FULL_TRIES_US 80000      // and for so long
#define FULL_SEGMENTS_US 1000000 // what processes map and hold open can be made to take minutes
#define FULL_SPLIT_US 60000      // for the heaps of processes in a full look: the first answer is due in 300 ms
#define REFRESH_MAX 12           // segments whose size is looked at in every look
#define SEGMENTS_EVERY_S 4.0
#define ROLLUP_EVERY_S 30.0
#define SHARE_US 500 // of a second, for each of the two on average

static int64_t now_us(const struct eye *e)
{
    return e->options.now_us(e->options.clock_arg);
}

// --- mounts

static int open_proc_pid(const struct eye *e)
{
    char name[16] = "self";
    if (e->options.pid)
        snprintf(name, sizeof name, "%d", e->options.pid);
    int fd = kfile_open(e->roots.proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

// Is the mount namespace of this process one that hasn't been looked at? 0 where it may not be known.
static ino_t new_namespace(const struct eye *e, int proc_pid)
{
    struct stat st;
    if (e->n_namespaces == EYE_NAMESPACES || fstatat(proc_pid, "ns/mnt", &st, 0) < 0)
        return 0;
    for (int i = 0; i < e->n_namespaces; i++)
        if (e->namespaces[i] == st.st_ino)
            return 0;
    return st.st_ino;
}

// What other mount namespaces of the container's processes show: private /tmp directories, several containers in one group.
static void gather_others(struct eye *e, struct mounts *new)
{
    int32_t n;
    const struct proc_info *p = proc_table_get(e->table, &n);
    for (int32_t i = 0; i < n; i++) {
        int dir = proc_table_dir(e->table, i);
        ino_t ino = dir < 0 ? 0 : new_namespace(e, dir);
        if (!ino)
            continue;
        e->namespaces[e->n_namespaces++] = ino;
        int root = kfile_open(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
            continue;
        (void)mounts_gather(e->roots.proc, dir, root, e->gvisor, p[i].pid, e->scratch, sizeof e->scratch, new);
        close(root);
    }
}

static void read_mounts(struct eye *e)
{
    if (e->roots.root < 0)
        return;
    int pid = open_proc_pid(e);
    int32_t n;
    if (pid < 0) { // it has ended: another process of the container shows the same mounts
        (void)proc_table_get(e->table, &n);
        pid = n > 0 ? dup(proc_table_dir(e->table, 0)) : -1;
    }
    if (pid < 0)
        return;
    struct mounts new = {0};
    int r = mounts_gather(e->roots.proc, pid, e->roots.root, e->gvisor, 0, e->scratch, sizeof e->scratch, &new);
    e->n_namespaces = 0;
    e->mounts_stale = false;
    ino_t own = new_namespace(e, pid);
    if (own)
        e->namespaces[e->n_namespaces++] = own;
    if (own && r == 0)
        gather_others(e, &new);
    if (r == 0) {
        mounts_replace(&e->mounts, &new);
        eye__share_mounts(e, pid);
    } else {
        mounts_close(&new);
    }
    int fd = kfile_open(pid, "mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && e->mountinfo >= 0)
        close(e->mountinfo);
    if (fd >= 0)
        e->mountinfo = fd;
    close(pid);
}

static bool mounts_changed(const struct eye *e)
{
    struct pollfd p = {.fd = e->mountinfo, .events = POLLPRI};
    return e->mountinfo < 0 || e->mounts_stale || (poll(&p, 1, 0) > 0 && (p.revents & POLLPRI));
}

static void measure_mounts(struct eye *e)
{
    mounts_measure(&e->mounts);
    eye__use_walked(e);
    int64_t used = 0, inodes = 0;
    bool known = false;
    for (int i = 0; i < e->mounts.n; i++) {
        const struct mount *m = &e->mounts.m[i];
        if (m->kind == MOUNT_HUGETLB)
            continue;
        known = known || m->used >= 0;
        used += m->used > 0 ? m->used : 0;
        inodes += m->inodes > 0 ? m->inodes : 0;
    }
    if (!known)
        return;
    mem_set(&e->sample, MEM_mnt_used, used);
    mem_set(&e->sample, MEM_mnt_inodes, inodes);
}

// --- segments and deleted files, process by process

static bool is_in_memory(dev_t dev, void *arg)
{
    const struct eye *e = arg;
    return e->gvisor || mounts_find_dev(&e->mounts, dev) >= 0;
}

static bool is_ours(pid_t pid, void *arg)
{
    const struct eye *e = arg;
    char name[16];
    if (proc_table_find(e->table, pid))
        return true;
    if (!proc_table_find(e->table, 1)) // the IPC namespace may be others' too
        return false;
    snprintf(name, sizeof name, "%d", pid);
    return faccessat(e->roots.proc, name, F_OK, 0) < 0; // left behind by a process that has ended
}

static void look_into_process(struct eye *e, int32_t index, pid_t pid, bool smaps)
{
    int dir = proc_table_dir(e->table, index);
    if (dir < 0)
        return; // it has ended
    e->mounts_stale = e->mounts_stale || new_namespace(e, dir);
    // gVisor counts shared anonymous memory as anonymous.
    int r = e->gvisor ? 0 : segments_read_maps(&e->segments, dir, pid, smaps, is_in_memory, e, e->scratch, sizeof e->scratch);
    int q = deleted_read(&e->segments, dir, pid, FDS_MAX, is_in_memory, e);
    if (r == -EACCES || r == -EPERM || q == -EACCES || q == -EPERM) {
        e->segments.running_unseen++;
        e->segments.running_complete = false;
    }
    if (q == -EOVERFLOW)
        e->segments.running_complete = false;
}

static bool same_ipc_namespace(const struct eye *e)
{
    struct stat own, theirs;
    int pid = open_proc_pid(e);
    bool same = pid >= 0 && (fstatat(pid, "ns/ipc", &theirs, 0) < 0 || fstatat(e->roots.proc, "self/ns/ipc", &own, 0) < 0 ||
                             own.st_ino == theirs.st_ino);
    if (pid >= 0)
        close(pid);
    return same;
}

// In gVisor a deleted file has the device of a layer, not that of the mount that counts it.
static void move_to_sentry(struct eye *e)
{
    int sentry = -1;
    for (int i = 0; i < e->mounts.n && sentry < 0; i++)
        if (e->mounts.m[i].kind == MOUNT_SENTRY)
            sentry = i;
    for (int i = 0; sentry >= 0 && i < e->segments.n; i++) {
        struct segment *s = &e->segments.s[i];
        if (s->kind == SEGMENT_DELETED && mounts_find_dev(&e->mounts, s->dev) < 0)
            s->dev = e->mounts.m[sentry].dev;
    }
}

// True when the round is over.
static bool read_segments(struct eye *e, double t, int64_t budget_us, bool smaps)
{
    bool full = budget_us == INT64_MAX;
    int64_t start = now_us(e), most_us = full ? FULL_SEGMENTS_US : budget_us;
    int32_t n;
    const struct proc_info *p = proc_table_get(e->table, &n);
    if (e->segments_at < 0) {
        segments_begin(&e->segments);
        e->segments_at = 0;
    }
    while (e->segments_at < n) {
        look_into_process(e, e->segments_at, p[e->segments_at].pid, smaps);
        e->segments_at++;
        if (e->segments_at == n || now_us(e) - start < most_us)
            continue;
        if (!full)
            return false;
        e->segments.running_complete = false; // the rest of the processes is left out
        break;
    }
    if (!e->gvisor && same_ipc_namespace(e))
        (void)segments_read_sysv(&e->segments, e->roots.proc, is_ours, e, e->scratch, sizeof e->scratch);
    if (e->gvisor)
        move_to_sentry(e);
    if (proc_table_dropped(e->table))
        e->segments.running_complete = false;
    segments_end(&e->segments);
    e->segments_at = -1;
    e->segments_t = t;
    return true;
}

static void sum_segments(struct eye *e)
{
    const struct segments *g = &e->segments;
    bool sized = !g->lost && !e->gvisor;
    for (int i = 0; i < g->n; i++)
        sized = sized && (g->s[i].kind == SEGMENT_DELETED || (g->s[i].bytes >= 0 && !g->s[i].estimate));
    e->shared_bytes = g->complete && sized
                          ? segments_sum(g, SEGMENT_SHARED_ANON) + segments_sum(g, SEGMENT_SYSV) + segments_sum(g, SEGMENT_MEMFD)
                          : -1;
    e->deleted_bytes = g->complete && !g->lost ? segments_sum(g, SEGMENT_DELETED) : -1;
}

// Negative: not known.
static void put(struct mem_sample *s, enum mem_field f, int64_t value)
{
    if (value >= 0)
        mem_set(s, f, value);
    else
        s->known[f / 64] &= ~(UINT64_C(1) << (f % 64));
}

static void use_segments(struct eye *e)
{
    if (e->segments_t < 0)
        return;
    if (e->segments_at < 0) { // in the middle of a round the sums of the last one stand
        segments_refresh(&e->segments, e->roots.proc, REFRESH_MAX);
        sum_segments(e);
    }
    put(&e->sample, MEM_segments, e->shared_bytes);
    put(&e->sample, MEM_deleted_files, e->deleted_bytes >= 0 ? e->deleted_bytes : e->inferred_deleted);
}

static void use_pinned(struct eye *e)
{
    int32_t n;
    const struct proc_info *p = proc_table_get(e->table, &n);
    int64_t pinned = ledger_pinned(&e->sample, p, n, &e->mounts);
    int64_t kernel = mem_get(&e->sample, MEM_kernel, INT64_MAX);
    if (pinned >= 0 && !e->gvisor)
        mem_set(&e->sample, MEM_kernel_pinned, pinned < kernel ? pinned : kernel);
}

// --- looks

static void look_deeper(struct eye *e, double t)
{
    int64_t budget = e->options.budget_us, start = now_us(e);
    // Half of the looks walk; the others look into processes, if it is time, and walk with what is left.
    e->turn = (e->turn + 1) % 4;
    // What costs more comes less often: a process with thousands of descriptors is looked into in one go.
    double segments_every = (double)e->segments_cost_us / SHARE_US, rollup_every = (double)e->rollup_cost_us / SHARE_US;
    segments_every = segments_every > SEGMENTS_EVERY_S ? segments_every : SEGMENTS_EVERY_S;
    rollup_every = rollup_every > ROLLUP_EVERY_S ? rollup_every : ROLLUP_EVERY_S;
    bool due_segments = e->segments_at >= 0 || e->segments_t < 0 || t - e->segments_t >= segments_every;
    bool due_rollup = e->rolling || e->rollup_t < 0 || t - e->rollup_t >= rollup_every;
    if (e->turn == 1 && due_rollup) {
        e->rollup_cost_us = e->rolling ? e->rollup_cost_us : 0;
        e->rolling = !proc_table_rollup(e->table, budget, e->options.now_us, e->options.clock_arg);
        e->rollup_cost_us += now_us(e) - start;
        if (!e->rolling)
            e->rollup_t = t;
    } else if (e->turn == 3 && due_segments) {
        e->segments_cost_us = e->segments_at >= 0 ? e->segments_cost_us : 0;
        (void)read_segments(e, t, budget, false);
        e->segments_cost_us += now_us(e) - start;
    }
    int64_t left = budget - (now_us(e) - start);
    if (left > 0)
        (void)eye__walk(e, t, left);
}

// Anonymous memory by status and by smaps_rollup; the latter -1 where one process's isn't known.
static void sum_anon(const struct eye *e, int64_t *ret_rss, int64_t *ret_pss)
{
    int32_t n;
    const struct proc_info *p = proc_table_get(e->table, &n);
    *ret_rss = *ret_pss = 0;
    for (int32_t i = 0; i < n; i++) {
        *ret_rss += p[i].rss_anon > 0 ? p[i].rss_anon : 0;
        *ret_pss = *ret_pss < 0 || !p[i].pss_known ? -1 : *ret_pss + p[i].pss_anon;
    }
}

struct span {
    int64_t lo, hi;
};

static void widen(struct span *s, int64_t v)
{
    s->lo = v < s->lo ? v : s->lo;
    s->hi = v > s->hi ? v : s->hi;
}

// Counters and owners within a few milliseconds of each other, and again while they don't agree because memory moves.
static void read_together(struct eye *e, double t)
{
    struct span rss_span = {INT64_MAX, 0}, anon_span = {INT64_MAX, 0};
    int64_t rss, pss, off, start = now_us(e);
    for (int try = 0; try < FULL_TRIES; try++) {
        (void)proc_table_refresh(e->table, NULL);
        sum_anon(e, &rss, &pss);
        widen(&rss_span, rss);
        widen(&anon_span, mem_get(&e->sample, MEM_anon, 0));
        // The first answer must not wait for processes of gigabytes: it is by the counters, then, and the next one by owners.
        int64_t budget = e->looked_fully ? INT64_MAX : FULL_FIRST_US;
        e->pss_fresh = proc_table_rollup(e->table, budget, e->options.now_us, e->options.clock_arg);
        (void)mem_sensor_read(e->sensor, t, &e->sample);
        mounts_measure(&e->mounts);
        (void)proc_table_refresh(e->table, NULL);
        sum_anon(e, &rss, &pss);
        widen(&rss_span, rss);
        widen(&anon_span, mem_get(&e->sample, MEM_anon, 0));
        off = mem_get(&e->sample, MEM_anon, pss) - pss;
        if (!e->pss_fresh || pss < 0 || (off < LEDGER_RESERVE_PER_CPU && -off < LEDGER_RESERVE_PER_CPU) ||
            now_us(e) - start > FULL_TRIES_US)
            break;
    }
    int64_t by_rss = rss_span.hi - rss_span.lo, by_anon = anon_span.hi - anon_span.lo;
    e->anon_moved = by_rss > by_anon ? by_rss : by_anon;
}

static void look_fully(struct eye *e, double t)
{
    e->segments_at = -1;
    (void)read_segments(e, t, INT64_MAX, true);
    if (e->mounts_stale)
        read_mounts(e);
    // What relatives share must be known before a process is split.
    if (proc_table_unsplit(e->table) >= 0)
        (void)proc_table_rollup(e->table, FULL_FIRST_US, e->options.now_us, e->options.clock_arg);
    (void)eye_split(e, FULL_SPLIT_US);
    read_together(e, t);
    e->rolling = !e->pss_fresh;
    e->rollup_t = t;
    e->looked_fully = true;
}

int eye_look(struct eye *e, double t, enum eye_depth depth)
{
    int r = mem_sensor_read(e->sensor, t, &e->sample);
    e->sample.t = t;
    e->pss_fresh = false;
    int q = proc_table_refresh(e->table, &e->sample);
    if (mounts_changed(e))
        read_mounts(e);
    measure_mounts(e);
    if (depth == EYE_BUDGETED && q == 0)
        look_deeper(e, t);
    if (depth == EYE_FULL && q == 0) {
        look_fully(e, t);
        // The sums of what has been read just now.
        q = proc_table_refresh(e->table, &e->sample);
        measure_mounts(e);
    }
    use_segments(e);
    use_pinned(e);
    return r == -ESRCH || q == -ESRCH ? -ESRCH : 0;
}

bool eye_split(struct eye *e, int64_t budget_us)
{
    int64_t start = now_us(e);
    int32_t index;
    while ((index = proc_table_unsplit(e->table)) >= 0) {
        if (now_us(e) - start >= budget_us)
            return false;
        if (proc_table_split(e->table, index) < 0 && proc_table_unsplit(e->table) == index)
            return true; // it can't be: no use in trying for ever
    }
    return true;
}

void eye_view(const struct eye *e, struct eye_view *ret)
{
    *ret = (struct eye_view){
        .sample = &e->sample,
        .procs = proc_table_get(e->table, &ret->nprocs),
        .mounts = &e->mounts,
        .segments = &e->segments,
        .sight = proc_table_sight(e->table),
        .gvisor = e->gvisor,
    };
    (void)proc_table_get(e->table, &ret->nprocs);
    ret->procs_dropped = proc_table_dropped(e->table);
}

int eye_open(const struct mem_roots *roots, const struct mem_where *where, const struct eye_options *options, struct eye **ret)
{
    if (!options->now_us || roots->proc < 0)
        return -EINVAL;
    struct eye *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->roots = *roots;
    e->options = *options;
    if (!e->options.pid)
        e->options.pid = where->pid;
    if (e->options.budget_us <= 0)
        e->options.budget_us = BUDGET_US;
    e->gvisor = where->kind == MEM_KIND_GVISOR;
    e->mountinfo = -1;
    e->segments_at = -1;
    e->segments_t = e->rollup_t = e->walk_t = -1;
    e->inferred_deleted = -1;
    e->walk_idle = true;
    mounts_init(&e->mounts);
    segments_init(&e->segments);
    for (int i = 0; i < MOUNTS_MAX; i++)
        e->slot[i] = -1;
    struct mem_cpus cpus;
    mem_cpus(roots, e->options.pid, &cpus);
    e->ncpus = cpus.online;
    e->scan = scan_new();
    bool in_group = (where->kind == MEM_KIND_V1 || where->kind == MEM_KIND_V2) && !where->top;
    int r = e->scan ? mem_sensor_open(roots, where, &e->sensor) : -ENOMEM;
    if (r == 0)
        r = proc_table_open(roots->proc, in_group ? where->dir : -1, &e->table);
    if (r < 0) {
        eye_close(e);
        return r;
    }
    *ret = e;
    return 0;
}

struct eye *eye_close(struct eye *e)
{
    if (!e)
        return NULL;
    scan_free(e->scan);
    mounts_close(&e->mounts);
    if (e->mountinfo >= 0)
        close(e->mountinfo);
    if (e->table)
        proc_table_close(e->table);
    if (e->sensor)
        mem_sensor_close(e->sensor);
    free(e);
    return NULL;
}
