// SPDX-License-Identifier: Apache-2.0
// Lines of the judge from the fields of a sample. Pure functions.
#include "mem/judge_lines.h"

#include <math.h>

#include "mem/prices.h"

#define ABSURD (INT64_C(1) << 53) // bytes, counts: nothing real is larger, and sums of these stay exact
#define TMPFS_SLACK (4 << 20)     // statvfs and memory.stat are read at different instants
#define CAUSE_SHARE 0.35          // of the whole's rise, at least, to be named its cause

void judge_lines_clean(const struct mem_sample *s, struct mem_sample *ret)
{
    *ret = *s;
    for (int f = 0; f < MEM_N; f++) {
        if (!mem_known(s, f) || (s->v[f] >= 0 && s->v[f] <= ABSURD))
            continue;
        if (f == MEM_limit && s->v[f] > ABSURD)
            ret->v[f] = MEM_UNLIMITED;
        else
            ret->known[f / 64] &= ~(UINT64_C(1) << (f % 64));
    }
    if (mem_known(ret, MEM_limit) && ret->v[MEM_limit] == 0)
        ret->v[MEM_limit] = MEM_UNLIMITED;
}

static double get(const struct mem_sample *s, enum mem_field f)
{
    return mem_known(s, f) ? (double)s->v[f] : NAN;
}

static double or0(double v)
{
    return isnan(v) ? 0 : v;
}

// statvfs of a host's disk gets into recordings: a tmpfs of this group is at most its shmem (plus what others were charged for).
static bool mount_is_tmpfs(const struct mem_sample *s)
{
    double used = get(s, MEM_mnt_used), shmem = get(s, MEM_shmem);
    return !isnan(used) && !isnan(shmem) && used <= shmem * 1.02 + TMPFS_SLACK;
}

static double explained_kernel(const struct mem_sample *s)
{
    double kernel = get(s, MEM_kernel), counted = get(s, MEM_kernel_pinned);
    double sum = or0(get(s, MEM_kernel_stack)) + or0(get(s, MEM_pagetables)) + or0(get(s, MEM_percpu)) +
                 or0(get(s, MEM_slab_unreclaimable)) + or0(get(s, MEM_vmalloc));
    if (!mem_known(s, MEM_kernel_stack))
        sum += or0(get(s, MEM_nthreads)) * MEM_STACK_BYTES;
    if (mount_is_tmpfs(s))
        sum += or0(get(s, MEM_mnt_inodes)) * MEM_INODE_BYTES;
    if (isnan(counted) || counted < sum)
        counted = sum;
    return isnan(kernel) || counted < kernel ? counted : kernel;
}

static void set(struct line_values *l, enum mem_line line, double v)
{
    l->known[line] = !isnan(v);
    l->v[line] = v > 0 ? v : 0;
}

// How much of shmem may be shared segments where only file_mapped tells: program text is in that too, so that what counts is
// how it has changed. A cache in files grows without being mapped, a segment grows as it is touched.
static double mapped_cap(const struct mem_sample *s, struct line_values *l)
{
    double mapped = get(s, MEM_file_mapped), shmem = get(s, MEM_shmem);

    if (isnan(mapped))
        return NAN;
    if (!l->mapped_seen) {
        l->mapped_seen = true;
        l->mapped_first = mapped;
        l->shared_first = mapped < shmem ? mapped : shmem;
    }
    double cap = l->shared_first + mapped - l->mapped_first;
    return cap > 0 ? cap : 0;
}

// Files in memory and shared segments are both shmem: mounts say one, segments the other; else what processes map is shared.
static void read_shmem(const struct mem_sample *s, struct line_values *l)
{
    double shmem = get(s, MEM_shmem), deleted = get(s, MEM_deleted_files);
    if (isnan(shmem)) {
        set(l, LINE_SHARED_MEMORY, get(s, MEM_segments));
        set(l, LINE_DELETED_FILES, deleted);
        set(l, LINE_TMPFS, NAN);
        return;
    }
    double cap = get(s, MEM_segments);
    bool mounted = mount_is_tmpfs(s);
    double rest = shmem - (mounted ? get(s, MEM_mnt_used) : 0);
    if (isnan(cap) && mounted) // what no mount holds is in segments
        cap = rest;
    if (isnan(cap))
        cap = get(s, MEM_sum_pss_shmem);
    if (isnan(cap))
        cap = mapped_cap(s, l);
    double shared = isnan(cap) ? 0 : cap < rest ? cap : rest;
    shared = shared > 0 ? shared : 0;
    set(l, LINE_SHARED_MEMORY, shared);
    set(l, LINE_DELETED_FILES, deleted);
    set(l, LINE_TMPFS, shmem - shared - or0(deleted));
}

void judge_lines_read(const struct mem_sample *s, struct line_values *l)
{
    double usage = get(s, MEM_usage), anon = get(s, MEM_anon), shmem = get(s, MEM_shmem), kernel = get(s, MEM_kernel);
    double file = get(s, MEM_file), lru = get(s, MEM_inactive_file) + get(s, MEM_active_file);
    int64_t hard;
    l->pinned = explained_kernel(s);
    set(l, LINE_ANON, anon);
    set(l, LINE_PHP_HEAP, get(s, MEM_php_heap));
    set(l, LINE_GO_HEAP, get(s, MEM_go_heap));
    set(l, LINE_NATIVE, get(s, MEM_native));
    set(l, LINE_KERNEL, kernel);
    set(l, LINE_PAGE_CACHE, !isnan(lru) ? lru : file - shmem);
    read_shmem(s, l);
    // What stands in where the LRUs are not known: gVisor has usage only.
    if (mem_hard(s, &hard))
        l->hard = (double)hard;
    else if (!isnan(anon) && !isnan(shmem))
        l->hard = anon + shmem + or0(kernel);
    else if (mem_known(s, MEM_working_set))
        l->hard = get(s, MEM_working_set);
    else if (!isnan(usage))
        l->hard = usage - (isnan(file) || isnan(shmem) ? 0 : file - shmem);
    else
        l->hard = !isnan(anon) ? anon + or0(shmem) : -1;
    if (!isnan(anon) && !isnan(shmem))
        set(l, LINE_TOTAL, anon + shmem + l->pinned + or0(get(s, MEM_sock)));
    else
        set(l, LINE_TOTAL, l->hard < 0 ? NAN : l->hard - (isnan(kernel) ? 0 : kernel - l->pinned));
}

enum mem_cause judge_lines_cause(const double rise[LINE_N], double pinned_rise, bool anon_is_split)
{
    static const struct {
        enum mem_line line;
        enum mem_cause cause;
    } named[] = {{LINE_TMPFS, CAUSE_TMPFS},
                 {LINE_DELETED_FILES, CAUSE_DELETED_FILES},
                 {LINE_SHARED_MEMORY, CAUSE_SHARED_MEMORY},
                 {LINE_PHP_HEAP, CAUSE_PHP_HEAP},
                 {LINE_NATIVE, CAUSE_NATIVE},
                 {LINE_GO_HEAP, CAUSE_GO_HEAP}};
    enum mem_cause cause = CAUSE_UNKNOWN;
    double most = 0, split = 0;
    for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        double r = rise[named[i].line];
        if (isnan(r))
            continue;
        if (named[i].line == LINE_PHP_HEAP || named[i].line == LINE_NATIVE || named[i].line == LINE_GO_HEAP)
            split += r;
        if (r > most) {
            most = r;
            cause = named[i].cause;
        }
    }
    // The rest of anonymous memory that the split does not cover is a cause of its own.
    double anon = isnan(rise[LINE_ANON]) ? 0 : rise[LINE_ANON] - (anon_is_split ? split : 0);
    if (anon > most) {
        most = anon;
        cause = CAUSE_PROCESS_ANON;
    }
    if (pinned_rise > most) {
        most = pinned_rise;
        cause = CAUSE_KERNEL;
    }
    return most >= CAUSE_SHARE * rise[LINE_TOTAL] ? cause : CAUSE_UNKNOWN;
}
