// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic: who owns the bytes that a cgroup is charged. Pure. Invariant: sum[c] is the sum of the entries of
// category c that have no parent and are charged here, and usage = the sums of ANON to UNEXPLAINED.
#include "mem/ledger_int.h"

#include "base/human.h"
#include "mem/mounts.h"
#include "mem/prices.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROCESSES_MAX 48         // with an entry of their own
#define SLACK (1 << 20)          // statvfs and counters are read at different instants
#define SHOWN_MIN INT64_C(65536) // smaller differences between a process and its parts aren't worth a line

const char *ledger_category_name(enum ledger_category category)
{
    static const char *const name[] = {
#define X(id, name) name,
        LEDGER_CATEGORIES(X)
#undef X
    };
    return (size_t)category < LEDGER_CATEGORY_N ? name[category] : "?";
}

bool ledger_balances(const struct ledger *l)
{
    int64_t residual = l->sum[LEDGER_UNEXPLAINED], bound = l->usage / 100 > l->reserve ? l->usage / 100 : l->reserve;
    return residual <= bound && -residual <= bound;
}

int ledger__add(struct ledger *l, enum ledger_category category, int parent, int64_t bytes, const char *format, ...)
{
    if (parent < 0)
        l->sum[category] += bytes;
    if (l->n == LEDGER_ENTRIES) {
        l->dropped++;
        return -1;
    }
    struct ledger_entry *e = &l->entry[l->n];
    e->category = category;
    e->parent = parent;
    e->bytes = bytes;
    e->estimate = e->elsewhere = e->growth_from_ages = false;
    e->pid = 0;
    e->role = ROLE_OTHER;
    e->growth_per_min = INT64_MIN;
    e->verdict = VERDICT_UNDECIDED;
    e->note[0] = '\0';
    va_list args;
    va_start(args, format);
    vsnprintf(e->name, sizeof e->name, format, args);
    va_end(args);
    return l->n++;
}

void ledger__note(struct ledger *l, int index, const char *format, ...)
{
    if (index < 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(l->entry[index].note, sizeof l->entry[index].note, format, args);
    va_end(args);
}

void ledger__estimate(struct ledger *l, int index)
{
    if (index >= 0)
        l->entry[index].estimate = true;
}

// --- anonymous memory

static int64_t anon_of(const struct proc_info *p, bool by_pss)
{
    return by_pss ? p->pss_anon : p->rss_anon;
}

// Returns the bytes.
static int64_t add_part(struct ledger *l, int parent, int64_t bytes, const char *name)
{
    if (bytes <= 0)
        return 0;
    ledger__add(l, LEDGER_ANON, parent, bytes, "%s", name);
    return bytes;
}

static int add_named(struct ledger *l, int parent, int64_t bytes, const struct proc_info *p)
{
    const char *name = p->role == ROLE_OTHER && p->comm[0] ? p->comm : proc_role_name(p->role);
    int i = ledger__add(l, LEDGER_ANON, parent, bytes, "%s%s%s", name, p->pool[0] ? " " : "", p->pool);
    if (i < 0)
        return i;
    l->entry[i].pid = p->pid;
    l->entry[i].role = p->role;
    return i;
}

static void add_process(struct ledger *l, const struct proc_info *p, bool by_pss)
{
    int i = add_named(l, -1, anon_of(p, by_pss), p);
    if (i < 0)
        return;
    l->entry[i].estimate = !by_pss;
    if (!p->split_known)
        return;
    int64_t parts = add_part(l, i, p->split.php_heap, "PHP heap") + add_part(l, i, p->split.go_heap, "Go heap") +
                    add_part(l, i, p->split.native, "native") + add_part(l, i, p->split.stacks, "stacks") +
                    add_part(l, i, p->split.jit, "JIT");
    // Parts are what is resident; of what a fork shares, the process bears its share only.
    int64_t rest = anon_of(p, by_pss) - parts;
    if (rest < -SHOWN_MIN)
        ledger__estimate(l, ledger__add(l, LEDGER_ANON, i, rest, "shared after fork"));
    else if (rest > SHOWN_MIN)
        ledger__estimate(l, ledger__add(l, LEDGER_ANON, i, rest, "not told apart"));
}

// Those with the most get an entry, the others one together. Returns what all have.
static int64_t add_processes(const struct ledger_input *in, struct ledger *l, bool by_pss)
{
    int32_t top[PROCESSES_MAX];
    int n = 0, known = 0;
    int64_t sum = 0, rest = 0;
    for (int32_t i = 0; i < in->nprocs; i++) {
        int64_t bytes = anon_of(&in->procs[i], by_pss);
        if (bytes < 0)
            continue;
        known++;
        sum += bytes;
        int at = n;
        if (n == PROCESSES_MAX && bytes <= anon_of(&in->procs[top[n - 1]], by_pss))
            continue;
        if (n == PROCESSES_MAX)
            at--;
        else
            n++;
        for (; at > 0 && anon_of(&in->procs[top[at - 1]], by_pss) < bytes; at--)
            top[at] = top[at - 1];
        top[at] = i;
    }
    rest = sum;
    for (int i = 0; i < n; i++) {
        add_process(l, &in->procs[top[i]], by_pss);
        rest -= anon_of(&in->procs[top[i]], by_pss);
    }
    if (known > n) {
        int i = ledger__add(l, LEDGER_ANON, -1, rest, "%d other processes", known - n);
        if (!by_pss)
            ledger__estimate(l, i);
    }
    return sum;
}

// gVisor's status has no RssAnon: the sandbox's counter is all there is, with the processes' RSS beside it.
static void add_anon_by_counter_only(const struct ledger_input *in, struct ledger *l, int64_t anon)
{
    int all = ledger__add(l, LEDGER_ANON, -1, anon, "all processes");
    ledger__estimate(l, all);
    ledger__note(l, all, "this kernel doesn't tell a process's anonymous memory; below: resident memory, files it maps included");
    int64_t rest = anon;
    for (int32_t i = 0; i < in->nprocs && i < PROCESSES_MAX; i++) {
        if (in->procs[i].rss <= 0)
            continue;
        ledger__estimate(l, add_named(l, all, in->procs[i].rss, &in->procs[i]));
        rest -= in->procs[i].rss;
    }
    if (rest < 0)
        ledger__estimate(l, ledger__add(l, LEDGER_ANON, all, rest, "program text, and what processes share"));
}

// Owners and counter are read one after the other. Where memory moved meanwhile, or processes brought memory along from another
// cgroup, a line says so; what stays open between them is for the residual to show.
static void correct_pss(const struct ledger_input *in, struct ledger *l, int64_t sum)
{
    if (!mem_known(in->sample, MEM_anon))
        return;
    int64_t off = in->sample->v[MEM_anon] - sum, distance = off < 0 ? -off : off, moved = in->anon_moved;
    if (distance > l->reserve / 4 && distance <= 2 * moved) {
        int i = ledger__add(l, LEDGER_ANON, -1, off, "changed while it was read");
        ledger__estimate(l, i);
    } else if (off < 0 && distance > in->sample->v[MEM_anon] / 100 + l->reserve / 4) {
        int i = ledger__add(l, LEDGER_ANON, -1, off, "charged to another cgroup");
        ledger__estimate(l, i);
        ledger__note(l, i, "processes that were moved in here keep their older memory there");
    }
}

// A huge page is charged in whole until the kernel splits it, however little of it a process still maps: the LRU lists count the
// whole, rss and Pss what is mapped. (Go gives memory back page by page.)
static void add_partly_mapped(const struct ledger_input *in, struct ledger *l)
{
    const struct mem_sample *s = in->sample;
    if (!mem_known(s, MEM_anon) || !mem_known(s, MEM_shmem) || !mem_known(s, MEM_inactive_anon) ||
        !mem_known(s, MEM_active_anon) ||
        mem_get(s, MEM_swap, 0) > 0) // swapped-in pages without an owner are on these lists as well
        return;
    int64_t bytes = s->v[MEM_inactive_anon] + s->v[MEM_active_anon] - s->v[MEM_anon] - s->v[MEM_shmem];
    if (bytes <= l->reserve)
        return;
    int i = ledger__add(l, LEDGER_ANON, -1, bytes, "huge pages partly given back");
    ledger__estimate(l, i);
    ledger__note(l, i, "transparent huge pages are charged in whole until the kernel splits them");
}

static void add_anon(const struct ledger_input *in, struct ledger *l)
{
    bool counted = mem_known(in->sample, MEM_anon), all_pss = in->pss_fresh && in->nprocs > 0 && !in->procs_dropped;
    bool some_rss = false;
    for (int32_t i = 0; i < in->nprocs; i++) {
        all_pss = all_pss && in->procs[i].pss_known;
        some_rss = some_rss || in->procs[i].rss_anon >= 0;
    }
    int64_t anon = mem_get(in->sample, MEM_anon, 0);
    if (all_pss) { // the owners themselves; the group's counter isn't needed
        correct_pss(in, l, add_processes(in, l, true));
        return;
    }
    if (!some_rss) {
        if (counted)
            add_anon_by_counter_only(in, l, anon);
        return;
    }
    int64_t sum = add_processes(in, l, false);
    if (!counted || sum == anon)
        return;
    // Σ RssAnon counts pages shared after fork once a process: the group's counter says by how much.
    if (sum > anon) {
        int i = ledger__add(l, LEDGER_ANON, -1, anon - sum, "shared after fork");
        ledger__estimate(l, i);
        ledger__note(l, i, "counted in several processes above; the group is charged once");
    } else {
        int i = ledger__add(l, LEDGER_ANON, -1, anon - sum, "of no process in sight");
        ledger__estimate(l, i);
        ledger__note(l, i,
                     "the group's counter is higher than the sum of its processes: huge pages, swap cache, a process that ended");
    }
}

// --- page cache, kernel

static void add_cache(const struct ledger_input *in, struct ledger *l)
{
    const struct mem_sample *s = in->sample;
    int64_t cache;
    if (mem_known(s, MEM_file))
        cache = s->v[MEM_file] - mem_get(s, MEM_shmem, 0);
    else if (mem_known(s, MEM_inactive_file) && mem_known(s, MEM_active_file))
        cache = s->v[MEM_inactive_file] + s->v[MEM_active_file];
    else
        return;
    for (int i = 0; i < in->mounts->n; i++) // ramfs is page cache that can't be dropped
        if (in->mounts->m[i].kind == MOUNT_RAMFS && in->mounts->m[i].used > 0)
            cache -= in->mounts->m[i].used;
    if (cache < 0)
        cache = 0; // counters of different instants
    if (!mem_known(s, MEM_file_mapped)) {
        ledger__add(l, LEDGER_CACHE, -1, cache, "page cache");
        return;
    }
    // file_mapped includes what is mapped of shared memory.
    int64_t shared_mapped = 0;
    bool all = in->pss_fresh;
    for (int32_t i = 0; i < in->nprocs; i++) {
        all = all && in->procs[i].pss_known;
        shared_mapped += in->procs[i].pss_shmem > 0 ? in->procs[i].pss_shmem : 0;
    }
    if (!all)
        shared_mapped = l->sum[LEDGER_SHARED];
    for (int32_t i = 0; i < in->nprocs; i++)
        if (in->procs[i].rss_shmem > shared_mapped)
            shared_mapped = in->procs[i].rss_shmem;
    int64_t text = s->v[MEM_file_mapped] - shared_mapped;
    text = text < 0 ? 0 : text > cache ? cache : text;
    int i = ledger__add(l, LEDGER_CACHE, -1, text, "program text and data in use");
    ledger__estimate(l, i);
    ledger__note(l, i, "mapped by processes: without it the container stalls");
    i = ledger__add(l, LEDGER_CACHE, -1, cache - text, "reclaimable");
    ledger__estimate(l, i);
    ledger__note(l, i, "files read and written: the kernel takes it back when memory is short");
}

// Of file systems that can be this group's: not devtmpfs, whose nodes are the kernel's own, and none that holds more than the
// group has of all files in memory together.
static int64_t inodes_of(const struct mem_sample *s, const struct mounts *mounts)
{
    int64_t sum = 0, shmem = mem_get(s, MEM_shmem, INT64_MAX / 2);
    for (int i = 0; i < mounts->n; i++) {
        const struct mount *m = &mounts->m[i];
        bool ours = m->kind == MOUNT_TMPFS || m->kind == MOUNT_OVERLAY || m->kind == MOUNT_RAMFS;
        if (ours && m->inodes > 0 && (m->kind == MOUNT_RAMFS || m->used <= shmem + shmem / 64 + SLACK))
            sum += m->inodes;
    }
    return sum;
}

static void count_threads(const struct proc_info *procs, int32_t n, int64_t *ret_threads, int64_t *ret_tables)
{
    *ret_threads = *ret_tables = 0;
    for (int32_t i = 0; i < n; i++) {
        *ret_threads += procs[i].threads > 0 ? procs[i].threads : 1;
        *ret_tables += procs[i].page_tables > 0 ? procs[i].page_tables : 0;
    }
}

int64_t ledger_pinned(const struct mem_sample *sample, const struct proc_info *procs, int32_t nprocs, const struct mounts *mounts)
{
    int64_t threads, tables;
    count_threads(procs, nprocs, &threads, &tables);
    if (!nprocs && !mounts->n)
        return -1;
    int64_t stacks = mem_get(sample, MEM_kernel_stack, threads * MEM_STACK_BYTES);
    return inodes_of(sample, mounts) * MEM_INODE_BYTES + mem_get(sample, MEM_pagetables, tables) + stacks +
           mem_get(sample, MEM_sock, 0);
}

static int add_kernel_part(struct ledger *l, int parent, int64_t bytes, bool estimate, const char *name)
{
    int i = bytes > 0 ? ledger__add(l, LEDGER_KERNEL, parent, bytes, "%s", name) : -1;
    if (estimate)
        ledger__estimate(l, i);
    return i;
}

static void add_kernel(const struct ledger_input *in, struct ledger *l)
{
    static const struct {
        enum mem_field field;
        const char *name;
    } parts[] = {{MEM_slab_unreclaimable, "slab"},   {MEM_slab_reclaimable, "slab, reclaimable (inodes of tmpfs aren't)"},
                 {MEM_pagetables, "page tables"},    {MEM_kernel_stack, "threads' stacks"},
                 {MEM_percpu, "per-CPU structures"}, {MEM_vmalloc, "vmalloc"}};
    const struct mem_sample *s = in->sample;
    int64_t told = 0, inodes = inodes_of(s, in->mounts) * MEM_INODE_BYTES, threads, tables;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        told += mem_get(s, parts[i].field, 0);
    int64_t kernel = mem_get(s, MEM_kernel, told);
    if (!mem_known(s, MEM_kernel) && !told)
        return;
    int all = ledger__add(l, LEDGER_KERNEL, -1, kernel, "kernel memory");
    if (mem_known(s, MEM_sock) && s->v[MEM_sock] > 0)
        ledger__add(l, LEDGER_KERNEL, -1, s->v[MEM_sock], "socket buffers");
    if (told) {
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            int64_t bytes = mem_get(s, parts[i].field, 0);
            int part = add_kernel_part(l, all, bytes, false, parts[i].name);
            if (parts[i].field == MEM_slab_reclaimable && part >= 0)
                (void)add_kernel_part(l, part, inodes < bytes ? inodes : bytes, true, "inodes of files in memory");
        }
        return;
    }
    // v1 has the total alone: what can be counted is priced, the rest is called the rest.
    count_threads(in->procs, in->nprocs, &threads, &tables);
    int64_t stacks = threads * MEM_STACK_BYTES, left = kernel;
    inodes = inodes > left ? left : inodes; // files that another cgroup made
    left -= inodes;
    tables = tables > left ? left : tables;
    left -= tables;
    stacks = stacks > left ? left : stacks;
    (void)add_kernel_part(l, all, inodes, true, "inodes of files in memory");
    (void)add_kernel_part(l, all, tables, true, "page tables");
    (void)add_kernel_part(l, all, stacks, true, "threads' stacks");
    (void)add_kernel_part(l, all, left - stacks, true, "other slab: sockets, descriptors, inodes and names of files on disk");
}

static void add_beside(const struct ledger_input *in, struct ledger *l)
{
    if (mem_get(in->sample, MEM_tcp, 0) > 0) {
        int i = ledger__add(l, LEDGER_BESIDE, -1, in->sample->v[MEM_tcp], "TCP buffers");
        ledger__note(l, i, "cgroup v1 counts them apart: not in usage");
    }
    for (int i = 0; i < in->mounts->n; i++) {
        const struct mount *m = &in->mounts->m[i];
        if (m->kind == MOUNT_HUGETLB && m->used > 0)
            ledger__note(l, ledger__add(l, LEDGER_BESIDE, -1, m->used, "%s", m->path), "huge pages: not in usage");
    }
    if (mem_get(in->sample, MEM_swap, 0) > 0)
        ledger__note(l, ledger__add(l, LEDGER_BESIDE, -1, in->sample->v[MEM_swap], "swapped out"),
                     "on the swap device: not in usage");
}

// --- the whole

static int count_unmeasured(const struct mounts *mounts)
{
    int n = 0;
    for (int i = 0; i < mounts->n; i++)
        n += mounts->m[i].kind != MOUNT_HUGETLB && mounts->m[i].fd < 0 && !mounts->m[i].shadowed;
    return n;
}

static void add_unexplained(const struct ledger_input *in, struct ledger *l)
{
    char reserve[HUMAN_N];
    int64_t named = 0;
    for (int c = 0; c < LEDGER_UNEXPLAINED; c++)
        named += l->sum[c];
    if (!mem_known(in->sample, MEM_usage)) {
        l->usage = named;
        return;
    }
    int i = ledger__add(l, LEDGER_UNEXPLAINED, -1, l->usage - named, "unexplained");
    int64_t residual = l->usage - named;
    if (in->gvisor)
        ledger__note(l, i, "by the sandbox's own counters: what it doesn't count isn't seen here");
    else if (residual <= l->reserve && -residual <= l->reserve)
        ledger__note(l, i, "kernel charge reserve: up to %s are charged ahead", human_bytes(l->reserve, reserve));
    else if (residual < 0)
        ledger__note(l, i, "more was found than is charged here: memory of other cgroups, or it changed while being read");
    else if (count_unmeasured(in->mounts))
        ledger__note(l, i,
                     "%d file systems in memory can't be measured from here: look from inside, or with --cap-add SYS_PTRACE",
                     count_unmeasured(in->mounts));
    else if (in->sight != SIGHT_FULL)
        ledger__note(l, i, "owners aren't visible from here: memfds, shared memory of ended processes, other mount namespaces");
    else
        ledger__note(l, i, "no process, mount or segment in sight owns it: another mount namespace, a descriptor in flight");
}

void ledger_build(const struct ledger_input *in, struct ledger *ret)
{
    ret->n = ret->dropped = 0;
    memset(ret->sum, 0, sizeof ret->sum);
    ret->usage = mem_get(in->sample, MEM_usage, 0);
    ret->limit = mem_get(in->sample, MEM_limit, MEM_UNLIMITED);
    if (!mem_hard(in->sample, &ret->hard))
        ret->hard = -1;
    ret->reserve = (int64_t)LEDGER_RESERVE_PER_CPU * (in->ncpus ? in->ncpus : 1);
    ret->sight = in->sight;
    ret->complete = in->complete;
    add_anon(in, ret);
    add_partly_mapped(in, ret);
    ledger__add_files(in, ret);
    add_cache(in, ret);
    add_kernel(in, ret);
    add_unexplained(in, ret);
    add_beside(in, ret);
}
