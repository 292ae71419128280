// SPDX-License-Identifier: Apache-2.0
// What costs more than a look: names and roles, smaps_rollup, the split of anonymous memory. Works on the slots of proc_table.c.
// Invariant: the parts of a split are never negative and add up to its total.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/kfile.h"
#include "mem/mounts.h"
#include "mem/proc_table_int.h"

#define TITLE_MAX 4096
#define CREDIT_US 120000 // saved up at most: a minute of 2 ms
#define CHANGED (256 << 10)
#define MIB (1 << 20)
#define COUNT_MAX (UINT64_C(16) << 30) // address space looked at page by page

int proc_table__open_file(struct proc_table *t, int32_t index, const char *name)
{
    int dir = proc_table_dir(t, index);

    if (dir < 0)
        return dir;
    int fd = kfile_open(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

static uint64_t digest_of(const char *text, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return h;
}

// The executable's path and, if it is another than before, what is in it.
static void look_at_exe(struct proc_table *t, int32_t index, int dir, char *path, size_t size)
{
    struct proc_slot *s = &t->slot[index];
    struct stat st;
    ssize_t n = readlinkat(dir, "exe", path, size - 1);

    path[n > 0 ? n : 0] = '\0';
    if (n <= 0 || kfile_stat(dir, "exe", &st) < 0 || !S_ISREG(st.st_mode) || (st.st_dev == s->exe_dev && st.st_ino == s->exe_ino))
        return;
    s->exe_dev = st.st_dev;
    s->exe_ino = st.st_ino;
    s->clues = (struct role_clues){0};
    // A file system in user space may keep us waiting for ever, for opening already.
    if (st.st_dev != t->exe_dev && mounts_is_fuse(dir, st.st_dev, t->scratch, sizeof t->scratch))
        return;
    t->exe_dev = st.st_dev;
    int fd = kfile_open(dir, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    proc_roles_look_at_exe(fd, &s->clues);
    close(fd);
}

void proc_table__name(struct proc_table *t, int32_t index, bool full)
{
    struct proc_info *p = &t->info[index];
    struct proc_slot *s = &t->slot[index];
    char title[TITLE_MAX], exe[512] = "";
    int dir = proc_table_dir(t, index), fd = dir < 0 ? -1 : kfile_open(dir, "cmdline", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, title, sizeof title - 1, 0);

    if (fd >= 0)
        close(fd);
    title[n > 0 ? n : 0] = '\0';
    uint64_t digest = digest_of(title, n > 0 ? (size_t)n : 0);
    int maps = proc_table__open_file(t, index, "maps");
    bool was_visible = p->visible;
    p->visible = maps >= 0;
    if (maps >= 0)
        close(maps);
    if (!full && digest == s->title_digest && p->visible == was_visible)
        return;
    s->title_digest = digest;
    s->split_denied = false;
    if (p->visible)
        look_at_exe(t, index, dir, exe, sizeof exe);
    struct role_clues clues = s->clues;
    clues.comm = p->comm;
    clues.cmdline = title;
    clues.cmdline_n = n > 0 ? (size_t)n : 0;
    clues.exe = exe;
    p->role = proc_roles_of(&clues);
    p->go = clues.go;
    p->php = clues.php || clues.frankenphp || p->role == ROLE_FRANKENPHP || p->role == ROLE_FPM_MASTER ||
             p->role == ROLE_FPM_WORKER || p->role == ROLE_PHP_CLI || p->role == ROLE_PLIMSOLL_MOLD ||
             p->role == ROLE_PLIMSOLL_WORKER;
    proc_roles_pool(&clues, p->pool);
}

enum { PSS, PSS_ANON, PSS_FILE, PSS_SHMEM, PRIVATE_DIRTY };

static const struct kfile_key rollup_keys[] = {
    {STR("Pss"), PSS},
    {STR("Pss_Anon"), PSS_ANON},
    {STR("Pss_File"), PSS_FILE},
    {STR("Pss_Shmem"), PSS_SHMEM},
    {STR("Private_Dirty"), PRIVATE_DIRTY},
};

static int roll_up(struct proc_table *t, int32_t index)
{
    struct proc_info *p = &t->info[index];
    int64_t v[PRIVATE_DIRTY + 1];
    int dir = proc_table_dir(t, index);
    ssize_t n = dir < 0 ? dir : kfile_read(dir, "smaps_rollup", t->scratch, sizeof t->scratch);

    t->slot[index].rolled = t->turn;
    if (n == -EACCES)
        p->visible = false;
    if (n < 0)
        return (int)n;
    uint64_t known = kfile_keys((struct str){t->scratch, (size_t)n}, rollup_keys, sizeof rollup_keys / sizeof rollup_keys[0], v);
    if (!(known >> PSS & 1))
        return -ENOTSUP;
    p->pss_known = true;
    p->pss = v[PSS];
    p->pss_anon = known >> PSS_ANON & 1 ? v[PSS_ANON] : -1;
    p->pss_file = known >> PSS_FILE & 1 ? v[PSS_FILE] : -1;
    p->pss_shmem = known >> PSS_SHMEM & 1 ? v[PSS_SHMEM] : -1;
    p->private_dirty = known >> PRIVATE_DIRTY & 1 ? v[PRIVATE_DIRTY] : -1;
    t->slot[index].anon_at_rollup = p->rss_anon;
    return 0;
}

// The part of a process's memory that is in one class or another.
struct part {
    int64_t exclusive, shared; // pages of its own; pages also mapped by a relative
};

static void take(struct part *to, const struct map_pages *pages)
{
    to->exclusive += pages->anon_exclusive;
    to->shared += pages->anon - pages->anon_exclusive;
}

enum { PART_PHP, PART_GO, PART_STACKS, PART_JIT, PART_NATIVE, PART_N };

static int part_of(enum span_class class)
{
    return class == SPAN_GO ? PART_GO : class == SPAN_STACK ? PART_STACKS : class == SPAN_JIT ? PART_JIT : PART_NATIVE;
}

// Pages of the spans that are counted one by one. all: native memory too, to learn how much of it relatives share; that comes
// last, because a sanitizer's or virtual machine's terabytes of nothing may use up what may be counted.
static int count_spans(struct proc_table *t, int pagemap, bool all, struct part part[PART_N], int64_t *ret_text)
{
    uint64_t room = COUNT_MAX;
    struct map_pages text = {0};
    int r = 0;

    for (int native = 0; native <= all; native++) {
        for (int32_t i = 0; i < t->maps->n && r >= 0; i++) {
            const struct map_span *s = &t->maps->span[i];
            struct map_pages pages = {0};
            int to = part_of(s->class);
            if (s->class == SPAN_TEXT && !native)
                r = proc_maps_count(pagemap, s->start, s->end, &room, &text);
            else if (s->class != SPAN_TEXT && (to == PART_NATIVE) == native)
                r = proc_maps_count(pagemap, s->start, s->end, &room, &pages);
            take(&part[to], &pages);
        }
    }
    take(&part[PART_NATIVE], &text);
    *ret_text = text.file;
    return r;
}

// The same without a pagemap: what smaps said of each mapping, of which no relative is known to share any.
static void take_resident(struct proc_table *t, struct part part[PART_N], int64_t *ret_text)
{
    *ret_text = 0;
    for (int32_t i = 0; i < t->maps->n; i++) {
        const struct map_span *s = &t->maps->span[i];
        if (s->class == SPAN_TEXT)
            *ret_text += s->resident;
        else
            part[part_of(s->class)].exclusive += s->resident;
    }
}

// PHP's heap lies in spans that were counted as something else.
static void take_php(const struct chunks *c, bool all, struct part part[PART_N])
{
    for (int class = 0; class < SPAN_CLASS_N; class ++) {
        const struct map_pages *pages = &c->resident[class];
        struct part *from = &part[part_of((enum span_class) class)];
        take(&part[PART_PHP], pages);
        if (!all && from == &part[PART_NATIVE])
            continue;
        from->exclusive -= pages->anon_exclusive;
        from->shared -= pages->anon - pages->anon_exclusive;
    }
}

// Relatives have part of its anonymous memory: more than what rounding and memory that moves make of it.
static bool shares(const struct proc_info *p, const struct proc_slot *s)
{
    return p->pss_known && p->pss_anon >= 0 && p->pss_anon < s->anon_at_rollup - s->anon_at_rollup / 50;
}

// Gives each part its bytes: own pages in full, shared ones by the share that makes the sum right.
static void share_out(struct proc_info *p, const struct part part[PART_N], int64_t total, double share)
{
    int64_t bytes[PART_NATIVE], sum = 0;

    for (int i = 0; i < PART_NATIVE; i++) {
        int64_t own = part[i].exclusive > 0 ? part[i].exclusive : 0, shared = part[i].shared > 0 ? part[i].shared : 0;
        bytes[i] = own + (int64_t)((double)shared * share);
        sum += bytes[i];
    }
    // Memory that came or went while we looked.
    for (int i = 0; i < PART_NATIVE && sum > total; i++)
        bytes[i] = (int64_t)((double)bytes[i] * ((double)total / (double)sum));
    p->split = (struct proc_split){.total = total,
                                   .php_heap = bytes[PART_PHP],
                                   .go_heap = bytes[PART_GO],
                                   .stacks = bytes[PART_STACKS],
                                   .jit = bytes[PART_JIT],
                                   .native = total};
    for (int i = 0; i < PART_NATIVE; i++)
        p->split.native -= bytes[i];
}

static void keep_split(struct proc_table *t, int32_t index, const struct chunks *c, struct part part[PART_N], bool all)
{
    struct proc_info *p = &t->info[index];
    struct proc_slot *s = &t->slot[index];
    int64_t rss = p->rss_anon, total = rss;
    double share = 1;

    if (p->pss_known && p->pss_anon >= 0 && rss >= 0) {
        // What has come since smaps_rollup was read is its own.
        total = p->pss_anon + (rss - s->anon_at_rollup);
        total = total > rss ? rss : total < 0 ? 0 : total;
    }
    if (all) {
        int64_t own = 0, shared = 0;
        for (int i = 0; i < PART_N; i++) {
            own += part[i].exclusive;
            shared += part[i].shared;
        }
        total = rss < 0 ? own + shared : total;
        share = shared > 0 ? (double)(total - own) / (double)shared : 1;
        share = share < 0 ? 0 : share > 1 ? 1 : share;
    }
    share_out(p, part, total < 0 ? 0 : total, share);
    p->split.php_heap_live = c->live < p->split.php_heap ? c->live : p->split.php_heap;
    p->split_known = true;
    p->php_bytes = c->bytes;
    p->php_heaps = c->heaps;
    p->heap_exact = c->heaps && c->exact;
    if (c->limit >= 0)
        p->memory_limit = c->limit;
    p->php = p->php || c->heaps || t->maps->php;
    s->anon_at_split = rss >= 0 ? rss : p->rss;
    s->split_unshared = !all && !p->pss_known;
}

static int split(struct proc_table *t, int32_t index, int dir, int mem, int pagemap)
{
    struct proc_info *p = &t->info[index];
    struct proc_slot *s = &t->slot[index];
    struct part part[PART_N] = {0};
    struct chunks chunks;
    int64_t text;
    int r = pagemap >= 0 ? proc_maps_read(dir, p->go, t->scratch, sizeof t->scratch, t->maps)
                         : proc_maps_read_smaps(dir, p->go, t->scratch, sizeof t->scratch, t->maps);

    if (r < 0)
        return r;
    if (!t->maps->n)
        return -ESRCH;
    if ((t->maps->php && !s->clues.php) || (t->maps->mod_php && !s->clues.mod_php)) {
        s->clues.php = true;
        s->clues.mod_php = t->maps->mod_php;
        proc_table__name(t, index, true);
    }
    // Only relatives that share memory make it necessary to count all of it.
    bool all = p->rss_anon < 0 || shares(p, s);
    chunks_tell_shared(t->chunks, all);
    if ((r = chunks_read(t->chunks, mem, pagemap, t->maps, &chunks)) < 0)
        return r;
    if (pagemap >= 0) {
        if ((r = count_spans(t, pagemap, all, part, &text)) < 0)
            return r;
    } else {
        take_resident(t, part, &text);
        // How much of PHP's address space is resident isn't told: all of it, as far as there is memory at all.
        int64_t most = part[PART_NATIVE].exclusive, php = chunks.bytes < most ? chunks.bytes : most;
        chunks.resident[SPAN_ANON] = (struct map_pages){.anon = php, .anon_exclusive = php};
        all = true;
    }
    p->text = text;
    take_php(&chunks, all, part);
    keep_split(t, index, &chunks, part, all);
    return 0;
}

int proc_table_split(struct proc_table *t, int32_t index)
{
    if (index < 0 || index >= t->n)
        return -EINVAL;
    int dir = proc_table_dir(t, index), r = dir < 0 ? dir : 0;
    int mem = r < 0 ? r : proc_table__open_file(t, index, "mem");
    int pagemap = r < 0 ? r : proc_table__open_file(t, index, "pagemap");

    if (r >= 0 && mem < 0)
        r = mem;
    else if (r >= 0 && pagemap < 0 && pagemap != -ENOENT)
        r = pagemap;
    if (r >= 0)
        r = split(t, index, dir, mem, pagemap);
    if (mem >= 0)
        close(mem);
    if (pagemap >= 0)
        close(pagemap);
    // A reason that lasts: others don't wait for it. A refusal may end with an exec, so a change of its name tries again.
    t->slot[index].split_denied = r < 0 && r != -ESRCH;
    t->slot[index].dead = t->slot[index].dead || r == -ESRCH; // until the next refresh
    return r;
}

int32_t proc_table_unsplit(const struct proc_table *t)
{
    int32_t found = -1;
    int64_t most = 0;

    for (int32_t i = 0; i < t->n; i++) {
        const struct proc_info *p = &t->info[i];
        const struct proc_slot *s = &t->slot[i];
        if (!p->visible || s->dead || s->split_denied)
            continue;
        int64_t anon = p->rss_anon >= 0 ? p->rss_anon : p->rss;
        bool stale = !p->split_known || (s->split_unshared && shares(p, s));
        int64_t change = stale ? anon + 1 : llabs(anon - s->anon_at_split) - CHANGED;
        if (change > most) {
            most = change;
            found = i;
        }
    }
    return found;
}

// Takes the turn of one process out of the credit: false where it isn't enough yet.
static bool afford(struct proc_table *t, int kind, int64_t budget_us, int32_t index)
{
    int64_t rss = t->info[index].rss > 0 ? t->info[index].rss : 0;
    return budget_us == INT64_MAX || (double)t->credit_us[kind] >= 50 + t->us_per_mib[kind] * (double)rss / MIB;
}

static void pay(struct proc_table *t, int kind, int64_t us, bool budgeted, int32_t index)
{
    double mib = (double)(t->info[index].rss > 0 ? t->info[index].rss : 0) / MIB;

    t->credit_us[kind] -= budgeted ? us : 0;
    if (mib >= 1)
        t->us_per_mib[kind] = 0.7 * t->us_per_mib[kind] + 0.3 * (double)us / mib;
}

static void earn(struct proc_table *t, int kind, int64_t budget_us)
{
    if (budget_us == INT64_MAX)
        return;
    t->credit_us[kind] += budget_us;
    if (t->credit_us[kind] > CREDIT_US)
        t->credit_us[kind] = CREDIT_US;
}

// Whose turn it is from *io_at on: first, in one pass, of those that never had one, then of those that had none in this turn. -1:
// all had theirs.
static int32_t next_to_roll(const struct proc_table *t, int32_t *io_at, bool *io_new)
{
    for (;; *io_at = 0, *io_new = false) {
        for (; *io_at < t->n; ++*io_at) {
            uint32_t rolled = t->slot[*io_at].rolled;
            if (t->info[*io_at].visible && (*io_new ? rolled == 0 : rolled != t->turn))
                return *io_at;
        }
        if (!*io_new)
            return -1;
    }
}

bool proc_table_rollup(struct proc_table *t, int64_t budget_us, int64_t (*now_us)(void *arg), void *clock_arg)
{
    bool budgeted = budget_us != INT64_MAX, new = true;
    int64_t spent = 0;
    int32_t at = 0, next;

    earn(t, 0, budget_us);
    while ((next = next_to_roll(t, &at, &new)) >= 0) {
        if (!afford(t, 0, budget_us, next) || (budgeted && spent >= budget_us))
            return false;
        int64_t from = now_us(clock_arg);
        (void)roll_up(t, next);
        int64_t us = now_us(clock_arg) - from;
        spent += us;
        pay(t, 0, us, budgeted, next);
    }
    t->turn++;
    return true;
}

bool proc_table_split_some(struct proc_table *t, int64_t budget_us, int64_t (*now_us)(void *arg), void *clock_arg)
{
    bool budgeted = budget_us != INT64_MAX;
    int64_t spent = 0;

    earn(t, 1, budget_us);
    for (;;) {
        int32_t next = proc_table_unsplit(t);
        if (next < 0)
            return true;
        if (!afford(t, 1, budget_us, next) || (budgeted && spent >= budget_us))
            return false;
        int64_t from = now_us(clock_arg);
        (void)proc_table_split(t, next);
        int64_t us = now_us(clock_arg) - from;
        spent += us;
        pay(t, 1, us, budgeted, next);
    }
}
