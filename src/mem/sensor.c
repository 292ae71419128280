// SPDX-License-Identifier: Apache-2.0
// A container's memory counters. Owns the descriptors of the kernel's files and one buffer for their text.
// Invariant: a field is known only if this read found it, whole and in range, in its file.
#include "mem/sensor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/kfile.h"

#define TEXT 16384                    // the longest of these files, vmstat, has about 5 KB
#define LEVELS_EVERY 8                // reads between two looks at the limits of ancestors
#define SANE_MAX (INT64_C(1) << 60)   // no machine has or counts more: garbage; and sums of a few can't overflow
#define HUGE_LIMIT (INT64_C(1) << 62) // where MemTotal isn't known: v1 says 2^63 - 4096 for no limit

enum feed_kind {
    FEED_NUMBER,
    FEED_KEYS,
    FEED_PSI,
};

struct feed {
    enum feed_kind kind;
    int fd;
    enum mem_field field;         // FEED_NUMBER
    const struct kfile_key *keys; // FEED_KEYS
    size_t n_keys;
};
#define FEEDS 10

struct level {
    int max, high, current, events; // descriptors
    int64_t limit;                  // the smaller of max and high; MEM_UNLIMITED; -1: not known
    bool by_high;
};

struct mem_sensor {
    enum mem_kind kind;
    int n_feeds, n_levels; // level 0: the group itself
    struct feed feeds[FEEDS];
    struct level levels[MEM_LEVELS + 1];
    int v1_limit;      // memory.limit_in_bytes, descriptor
    int64_t mem_total; // -1: not known
    unsigned until_levels; // reads
    struct mem_limit limit;
    char text[TEXT];
};

// Slots of kfile_keys() are fields; those that are only summands come behind them.
enum {
    SLOT_SLAB = 56,
    SLOT_MEM_TOTAL,
    SLOT_MEM_FREE,
    SLOT_BUFFERS,
    SLOT_CACHED,
    SLOT_SEC_PAGETABLES,
    SLOT_HIERARCHICAL,
};
_Static_assert((int)MEM_psi_full < (int)SLOT_SLAB, "slots of summands come behind the fields");
#define KEY(text, slot)                                                                                                          \
    {                                                                                                                            \
        {(text), sizeof(text) - 1}, (slot)                                                                                       \
    }

// In the order of the kernel's files. Keys move between versions, so they are looked for by name.
static const struct kfile_key v1_stat[] = {
    KEY("hierarchical_memory_limit", SLOT_HIERARCHICAL),
    KEY("total_cache", MEM_file),
    KEY("total_rss", MEM_anon),
    KEY("total_rss_huge", MEM_anon_thp),
    KEY("total_shmem", MEM_shmem),
    KEY("total_mapped_file", MEM_file_mapped),
    KEY("total_dirty", MEM_file_dirty),
    KEY("total_writeback", MEM_file_writeback),
    KEY("total_workingset_refault_anon", MEM_refault_anon),
    KEY("total_workingset_refault_file", MEM_refault_file),
    KEY("total_swap", MEM_swap),
    KEY("total_pgpgin", MEM_pgpgin),
    KEY("total_pgpgout", MEM_pgpgout),
    KEY("total_pgfault", MEM_pgfault),
    KEY("total_pgmajfault", MEM_pgmajfault),
    KEY("total_inactive_anon", MEM_inactive_anon),
    KEY("total_active_anon", MEM_active_anon),
    KEY("total_inactive_file", MEM_inactive_file),
    KEY("total_active_file", MEM_active_file),
    KEY("total_unevictable", MEM_unevictable),
    KEY("total_workingset_refault", MEM_refault_file), // before 5.9
};

static const struct kfile_key v2_stat[] = {
    KEY("anon", MEM_anon),
    KEY("file", MEM_file),
    KEY("kernel", MEM_kernel), // since 5.18
    KEY("kernel_stack", MEM_kernel_stack),
    KEY("pagetables", MEM_pagetables),
    KEY("sec_pagetables", SLOT_SEC_PAGETABLES),
    KEY("percpu", MEM_percpu),
    KEY("sock", MEM_sock),
    KEY("vmalloc", MEM_vmalloc),
    KEY("shmem", MEM_shmem),
    KEY("file_mapped", MEM_file_mapped),
    KEY("file_dirty", MEM_file_dirty),
    KEY("file_writeback", MEM_file_writeback),
    KEY("anon_thp", MEM_anon_thp),
    KEY("inactive_anon", MEM_inactive_anon),
    KEY("active_anon", MEM_active_anon),
    KEY("inactive_file", MEM_inactive_file),
    KEY("active_file", MEM_active_file),
    KEY("unevictable", MEM_unevictable),
    KEY("slab_reclaimable", MEM_slab_reclaimable),
    KEY("slab_unreclaimable", MEM_slab_unreclaimable),
    KEY("slab", SLOT_SLAB),
    KEY("workingset_refault_anon", MEM_refault_anon),
    KEY("workingset_refault_file", MEM_refault_file),
    KEY("workingset_refault", MEM_refault_file), // before 5.9
    KEY("pgfault", MEM_pgfault),
    KEY("pgmajfault", MEM_pgmajfault),
};

static const struct kfile_key v1_oom[] = {KEY("under_oom", MEM_under_oom), KEY("oom_kill", MEM_oom_kill)};
static const struct kfile_key v2_events[] = {KEY("high", MEM_events_high), KEY("max", MEM_events_max), KEY("oom", MEM_events_oom),
                                             KEY("oom_kill", MEM_oom_kill)};

static const struct kfile_key meminfo[] = {
    KEY("MemTotal", SLOT_MEM_TOTAL),
    KEY("MemFree", SLOT_MEM_FREE),
    KEY("Buffers", SLOT_BUFFERS),
    KEY("Cached", SLOT_CACHED),
    KEY("Active(anon)", MEM_active_anon),
    KEY("Inactive(anon)", MEM_inactive_anon),
    KEY("Active(file)", MEM_active_file),
    KEY("Inactive(file)", MEM_inactive_file),
    KEY("Unevictable", MEM_unevictable),
    KEY("Dirty", MEM_file_dirty),
    KEY("Writeback", MEM_file_writeback),
    KEY("AnonPages", MEM_anon),
    KEY("Mapped", MEM_file_mapped),
    KEY("Shmem", MEM_shmem),
    KEY("Slab", SLOT_SLAB),
    KEY("SReclaimable", MEM_slab_reclaimable),
    KEY("SUnreclaim", MEM_slab_unreclaimable),
    KEY("KernelStack", MEM_kernel_stack),
    KEY("PageTables", MEM_pagetables),
    KEY("SecPageTables", SLOT_SEC_PAGETABLES),
    KEY("Percpu", MEM_percpu),
    KEY("AnonHugePages", MEM_anon_thp),
};

static const struct kfile_key vmstat[] = {
    KEY("workingset_refault_anon", MEM_refault_anon),
    KEY("workingset_refault_file", MEM_refault_file),
    KEY("workingset_refault", MEM_refault_file),
    KEY("pgfault", MEM_pgfault),
    KEY("pgmajfault", MEM_pgmajfault),
    KEY("oom_kill", MEM_oom_kill),
};

static int open_file(int dir, const char *name)
{
    return dir < 0 ? -1 : kfile_open(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static void close_file(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void feed(struct mem_sensor *s, int dir, const char *name, struct feed f)
{
    f.fd = open_file(dir, name);
    if (f.fd >= 0 && s->n_feeds < FEEDS)
        s->feeds[s->n_feeds++] = f;
    else
        close_file(f.fd);
}
#define NUMBER(f) ((struct feed){.kind = FEED_NUMBER, .field = (f)})
#define KEYS(k) ((struct feed){.kind = FEED_KEYS, .keys = (k), .n_keys = sizeof(k) / sizeof *(k)})

static void open_v1(struct mem_sensor *s, int dir)
{
    feed(s, dir, "memory.usage_in_bytes", NUMBER(MEM_usage));
    feed(s, dir, "memory.stat", KEYS(v1_stat));
    feed(s, dir, "memory.kmem.usage_in_bytes", NUMBER(MEM_kernel));
    feed(s, dir, "memory.kmem.tcp.usage_in_bytes", NUMBER(MEM_tcp));
    feed(s, dir, "memory.max_usage_in_bytes", NUMBER(MEM_peak));
    feed(s, dir, "memory.failcnt", NUMBER(MEM_failcnt));
    feed(s, dir, "memory.oom_control", KEYS(v1_oom));
    s->v1_limit = open_file(dir, "memory.limit_in_bytes");
}

static void open_v2(struct mem_sensor *s, const struct mem_where *w)
{
    feed(s, w->dir, "memory.current", NUMBER(MEM_usage));
    feed(s, w->dir, "memory.stat", KEYS(v2_stat));
    feed(s, w->dir, "memory.peak", NUMBER(MEM_peak));
    feed(s, w->dir, "memory.swap.current", NUMBER(MEM_swap));
    feed(s, w->dir, "memory.events", KEYS(v2_events));
    for (int i = -1; i < w->levels; i++) {
        int dir = i < 0 ? w->dir : w->level[i];
        s->levels[s->n_levels++] = (struct level){.max = open_file(dir, "memory.max"),
                                                  .high = open_file(dir, "memory.high"),
                                                  .current = i < 0 ? -1 : open_file(dir, "memory.current"),
                                                  .events = i < 0 ? -1 : open_file(dir, "memory.events")};
    }
}

int mem_sensor_open(const struct mem_roots *roots, const struct mem_where *where, struct mem_sensor **ret)
{
    struct mem_sensor *s = calloc(1, sizeof *s);
    int64_t values[64];

    if (!s)
        return -ENOMEM;
    s->kind = where->kind;
    s->v1_limit = -1;
    s->mem_total = -1;
    s->limit = (struct mem_limit){.bytes = MEM_UNLIMITED, .from = MEM_LIMIT_NONE, .ancestor_usage = -1};
    ssize_t n = kfile_read(roots->proc, "meminfo", s->text, sizeof s->text);
    if (n > 0 && kfile_keys((struct str){s->text, (size_t)n}, meminfo, 1, values) >> SLOT_MEM_TOTAL & 1)
        s->mem_total = values[SLOT_MEM_TOTAL];
    switch (s->kind) {
    case MEM_KIND_V1:
        open_v1(s, where->dir);
        break;
    case MEM_KIND_V2:
        open_v2(s, where);
        break;
    case MEM_KIND_GVISOR:
        feed(s, roots->proc, "meminfo", KEYS(meminfo));
        if (where->dir >= 0)
            open_v1(s, where->dir);
        break;
    case MEM_KIND_MACHINE:
        feed(s, roots->proc, "meminfo", KEYS(meminfo));
        feed(s, roots->proc, "vmstat", KEYS(vmstat));
        break;
    }
    int before = s->n_feeds;
    if (s->kind == MEM_KIND_V2)
        feed(s, where->dir, "memory.pressure", (struct feed){.kind = FEED_PSI});
    if (s->n_feeds == before) // the machine's own: in cgroup v1 the group has none
        feed(s, roots->proc, "pressure/memory", (struct feed){.kind = FEED_PSI});
    *ret = s;
    return 0;
}

struct mem_sensor *mem_sensor_close(struct mem_sensor *s)
{
    if (!s)
        return NULL;
    for (int i = 0; i < s->n_feeds; i++)
        close_file(s->feeds[i].fd);
    for (int i = 0; i < s->n_levels; i++) {
        close_file(s->levels[i].max);
        close_file(s->levels[i].high);
        close_file(s->levels[i].current);
        close_file(s->levels[i].events);
    }
    close_file(s->v1_limit);
    free(s);
    return NULL;
}

static bool has_limit(const struct mem_sensor *s, int64_t bytes)
{
    return bytes < (s->mem_total > 0 ? s->mem_total : HUGE_LIMIT);
}

static void read_level(struct level *l)
{
    int64_t max, high;

    l->limit = -1;
    l->by_high = false;
    if (kfile_read_number(l->max, true, &max))
        l->limit = max;
    if (kfile_read_number(l->high, true, &high) && high < (l->limit < 0 ? MEM_UNLIMITED : l->limit)) {
        l->limit = high;
        l->by_high = true;
    }
}

// The tightest of the group's own limit and its ancestors'. False where even the own one isn't known.
static bool limit_v2(struct mem_sensor *s, struct mem_limit *ret)
{
    bool known = false;

    *ret = (struct mem_limit){.bytes = MEM_UNLIMITED, .from = MEM_LIMIT_NONE, .ancestor_usage = -1};
    for (int i = 0; i < s->n_levels; i++) {
        struct level *l = &s->levels[i];
        if (i == 0 || s->until_levels == 0)
            read_level(l);
        known |= i == 0 && l->limit >= 0;
        if (l->limit < 0 || !has_limit(s, l->limit) || l->limit >= ret->bytes)
            continue;
        known = true;
        ret->bytes = l->limit;
        ret->level = i;
        ret->from = l->by_high ? MEM_LIMIT_HIGH : i ? MEM_LIMIT_ANCESTOR : MEM_LIMIT_GROUP;
    }
    s->until_levels = (s->until_levels ? s->until_levels : LEVELS_EVERY) - 1;
    return known;
}

static bool limit_v1(struct mem_sensor *s, bool told, int64_t hierarchical, struct mem_limit *ret)
{
    int64_t own;
    bool has_own = kfile_read_number(s->v1_limit, false, &own);

    if (!told && !has_own)
        return false;
    *ret = (struct mem_limit){.bytes = MEM_UNLIMITED, .from = MEM_LIMIT_NONE, .ancestor_usage = -1};
    int64_t bytes = told && (!has_own || hierarchical < own) ? hierarchical : own;
    if (has_limit(s, bytes)) {
        ret->bytes = bytes;
        ret->level = has_own && bytes < own;
        ret->from = ret->level ? MEM_LIMIT_ANCESTOR : MEM_LIMIT_GROUP;
    }
    return true;
}

// found, values: what the keyed files held, the summands with them.
static void read_limit(struct mem_sensor *s, uint64_t found, const int64_t *values, struct mem_sample *io)
{
    struct mem_limit limit = {.bytes = MEM_UNLIMITED, .from = MEM_LIMIT_NONE, .ancestor_usage = -1};
    bool known;

    if (s->kind == MEM_KIND_V2)
        known = limit_v2(s, &limit);
    else if (s->kind == MEM_KIND_V1 || s->v1_limit >= 0)
        known = limit_v1(s, found >> SLOT_HIERARCHICAL & 1, values[SLOT_HIERARCHICAL], &limit);
    else
        known = s->mem_total > 0;
    if (known && limit.bytes == MEM_UNLIMITED && s->mem_total > 0)
        limit = (struct mem_limit){.bytes = s->mem_total, .from = MEM_LIMIT_RAM, .ancestor_usage = -1};
    if (limit.level > 0 && s->kind == MEM_KIND_V2) {
        const struct level *l = &s->levels[limit.level];
        if (!kfile_read_number(l->current, false, &limit.ancestor_usage))
            limit.ancestor_usage = -1;
        // "max" and "oom" are counted in the group whose limit was hit.
        int64_t at[64];
        ssize_t n = kfile_pread(l->events, s->text, sizeof s->text);
        uint64_t got = n > 0 ? kfile_keys((struct str){s->text, (size_t)n}, v2_events, 3, at) : 0;
        for (int f = MEM_events_high; f <= MEM_events_oom; f++)
            if (got >> f & 1)
                mem_set(io, (enum mem_field)f, at[f]);
    }
    s->limit = limit;
    if (known)
        mem_set(io, MEM_limit, limit.bytes);
}

// What the machine's or sandbox's meminfo means in the words of a cgroup.
static void use_meminfo(struct mem_sensor *s, uint64_t found, const int64_t *v, struct mem_sample *io)
{
    bool gvisor = s->kind == MEM_KIND_GVISOR;
#define HAS(slot) (found >> (slot)&1)

    if (HAS(SLOT_MEM_TOTAL))
        s->mem_total = v[SLOT_MEM_TOTAL];
    if (!mem_known(io, MEM_usage) && HAS(SLOT_MEM_TOTAL) && HAS(SLOT_MEM_FREE) && v[SLOT_MEM_FREE] <= v[SLOT_MEM_TOTAL])
        mem_set(io, MEM_usage, v[SLOT_MEM_TOTAL] - v[SLOT_MEM_FREE]);
    if (HAS(SLOT_CACHED))
        mem_set(io, MEM_file, v[SLOT_CACHED] + (HAS(SLOT_BUFFERS) ? v[SLOT_BUFFERS] : 0));
    // The sentry counts its tmpfs as anonymous too.
    if (gvisor && HAS(MEM_anon) && HAS(MEM_shmem))
        mem_set(io, MEM_anon, v[MEM_anon] > v[MEM_shmem] ? v[MEM_anon] - v[MEM_shmem] : 0);
    if (!gvisor && HAS(SLOT_SLAB) && HAS(MEM_kernel_stack) && HAS(MEM_pagetables))
        mem_set(io, MEM_kernel,
                v[SLOT_SLAB] + v[MEM_kernel_stack] + v[MEM_pagetables] + (HAS(SLOT_SEC_PAGETABLES) ? v[SLOT_SEC_PAGETABLES] : 0) +
                    (HAS(MEM_percpu) ? v[MEM_percpu] : 0));
}

// Before 5.18 v2 has no sum of the kernel's memory.
static void sum_kernel(uint64_t found, const int64_t *v, struct mem_sample *io)
{
    if (mem_known(io, MEM_kernel) || !HAS(SLOT_SLAB) || !HAS(MEM_kernel_stack))
        return;
    mem_set(io, MEM_kernel,
            v[SLOT_SLAB] + v[MEM_kernel_stack] + (HAS(MEM_pagetables) ? v[MEM_pagetables] : 0) +
                (HAS(SLOT_SEC_PAGETABLES) ? v[SLOT_SEC_PAGETABLES] : 0) + (HAS(MEM_percpu) ? v[MEM_percpu] : 0) +
                (HAS(MEM_vmalloc) ? v[MEM_vmalloc] : 0));
}

static void clear_own(struct mem_sample *io)
{
    for (int f = 0; f <= MEM_working_set; f++)
        io->known[f / 64] &= ~(UINT64_C(1) << (f % 64));
    io->known[MEM_psi_some / 64] &= ~(UINT64_C(1) << (MEM_psi_some % 64));
    io->known[MEM_psi_full / 64] &= ~(UINT64_C(1) << (MEM_psi_full % 64));
}

static void take_feed(const struct feed *f, struct str text, uint64_t *found, int64_t *values, struct mem_sample *io)
{
    int64_t v;

    if (f->kind == FEED_NUMBER) {
        if (kfile_number(text, false, &v) && v <= SANE_MAX)
            mem_set(io, f->field, v);
    } else if (f->kind == FEED_PSI) {
        if (kfile_psi(text, "some", &v))
            mem_set(io, MEM_psi_some, v);
        if (kfile_psi(text, "full", &v))
            mem_set(io, MEM_psi_full, v);
    } else {
        uint64_t got = kfile_keys(text, f->keys, f->n_keys, values);
        for (uint64_t rest = got & ~(UINT64_C(1) << SLOT_HIERARCHICAL); rest; rest &= rest - 1)
            if (values[__builtin_ctzll(rest)] > SANE_MAX)
                got &= ~(rest & -rest);
        *found |= got;
        for (uint64_t rest = got & ((UINT64_C(1) << SLOT_SLAB) - 1); rest; rest &= rest - 1)
            mem_set(io, (enum mem_field)__builtin_ctzll(rest), values[__builtin_ctzll(rest)]);
    }
}

int mem_sensor_read(struct mem_sensor *s, double t, struct mem_sample *io)
{
    uint64_t found = 0;
    int64_t values[64];
    int gone = 0;

    clear_own(io);
    io->t = t;
    for (int i = 0; i < s->n_feeds; i++) {
        ssize_t n = kfile_pread(s->feeds[i].fd, s->text, sizeof s->text);
        if (n == -ENODEV) // what a file of a removed group says
            gone = -ESRCH;
        if (n > 0)
            take_feed(&s->feeds[i], (struct str){s->text, (size_t)n}, &found, values, io);
    }
    if (s->kind == MEM_KIND_MACHINE || s->kind == MEM_KIND_GVISOR)
        use_meminfo(s, found, values, io);
    else if (s->kind == MEM_KIND_V2)
        sum_kernel(found, values, io);
    read_limit(s, found, values, io);
    if (mem_known(io, MEM_usage) && mem_known(io, MEM_inactive_file)) {
        int64_t set = io->v[MEM_usage] - io->v[MEM_inactive_file];
        mem_set(io, MEM_working_set, set > 0 ? set : 0);
    }
    return gone;
}

void mem_sensor_limit(const struct mem_sensor *s, struct mem_limit *ret)
{
    *ret = s->limit;
}
