// SPDX-License-Identifier: Apache-2.0
// The ledger's files in memory and shared memory. The group's shmem counter is charged for both; what mounts and segments hold
// beyond it is charged elsewhere, and where sizes are only known between bounds it says what they come to. Pure.
#include "mem/ledger_int.h"

#include "base/human.h"
#include "mem/eye.h"
#include "mem/mounts.h"
#include "mem/prices.h"
#include "mem/segments.h"

#include <inttypes.h>
#include <string.h>

#define SUBSET_MAX 14 // mounts that are tried in all combinations; the largest ones
#define SLACK (128 * 1024)

struct shares {
    int64_t used[MOUNTS_MAX], here[MOUNTS_MAX]; // of each mount; what is charged here
    bool guessed;                               // by the sum that fits best
    int64_t rest;                               // of the shmem counter beyond mounts and segments; INT64_MIN: no counter
    int64_t unseen_least, unseen_most;          // shared memory that processes map whose maps can't be read
    int entry[MOUNTS_MAX];
};

static bool is_shmem(enum mount_kind kind)
{
    return kind != MOUNT_RAMFS && kind != MOUNT_HUGETLB;
}

static int64_t slack_of(int64_t bytes)
{
    return bytes / 100 > SLACK ? bytes / 100 : SLACK;
}

// Which mounts are charged here, where all together are more than the group's counter: the combination that comes closest to it
// from below, and of the largest one left over as much as is missing.
static void choose_mounts(const struct ledger_input *in, struct shares *sh, int64_t counter)
{
    int order[SUBSET_MAX], n = 0;
    for (int i = 0; i < in->mounts->n; i++) {
        if (!is_shmem(in->mounts->m[i].kind) || sh->used[i] <= 0)
            continue;
        if (n == SUBSET_MAX && sh->used[order[n - 1]] >= sh->used[i])
            continue;
        int at = n < SUBSET_MAX ? n++ : n - 1;
        for (; at > 0 && sh->used[order[at - 1]] < sh->used[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    unsigned best = 0;
    int64_t best_sum = 0, slack = slack_of(counter);
    for (unsigned set = 1; set < 1u << n; set++) {
        int64_t sum = 0;
        for (int i = 0; i < n && sum <= counter + slack; i++)
            if (set >> i & 1)
                sum += sh->used[order[i]];
        if (sum <= counter + slack && sum > best_sum) {
            best = set;
            best_sum = sum;
        }
    }
    for (int i = 0; i < in->mounts->n; i++)
        if (is_shmem(in->mounts->m[i].kind))
            sh->here[i] = 0;
    int64_t missing = counter > best_sum ? counter - best_sum : 0;
    for (int i = 0; i < n; i++) {
        if (best >> i & 1)
            sh->here[order[i]] = sh->used[order[i]];
        else if (missing > slack) {
            sh->here[order[i]] = missing < sh->used[order[i]] ? missing : sh->used[order[i]];
            missing -= sh->here[order[i]];
        }
    }
    sh->guessed = true;
}

// Exact sizes of segments and lower bounds of the others; deleted files that lie on no mount in sight.
static int64_t sum_segments(const struct ledger_input *in)
{
    int64_t sum = 0;
    for (int i = 0; i < in->segments->n; i++) {
        const struct segment *s = &in->segments->s[i];
        bool within = s->kind == SEGMENT_DELETED && mounts_find_dev(in->mounts, s->dev) >= 0;
        if (!within && s->bytes > 0)
            sum += s->bytes;
    }
    return sum;
}

// Where maps can't be read, status tells how much shared memory each process has touched. They share it: it is at least what one
// has beyond what is seen in others' maps (fpm's workers map the OPcache of their master), and at most what all have together.
static void find_unseen(const struct ledger_input *in, struct shares *sh)
{
    int64_t seen = 0;
    sh->unseen_least = sh->unseen_most = 0;
    if (!in->segments->unseen)
        return;
    for (int i = 0; i < in->segments->n; i++)
        if (in->segments->s[i].kind != SEGMENT_DELETED && in->segments->s[i].bytes > 0)
            seen += in->segments->s[i].bytes;
    for (int32_t i = 0; i < in->nprocs; i++) {
        int64_t bytes = in->procs[i].rss_shmem > 0 && !in->procs[i].visible ? in->procs[i].rss_shmem : 0;
        sh->unseen_most += bytes;
        if (bytes - seen > sh->unseen_least)
            sh->unseen_least = bytes - seen;
    }
}

static void share_out(const struct ledger_input *in, struct shares *sh)
{
    int64_t named = 0;
    for (int i = 0; i < in->mounts->n; i++) {
        const struct mount *m = &in->mounts->m[i];
        sh->used[i] = m->kind == MOUNT_HUGETLB ? 0 : m->used > 0 ? m->used : 0;
        sh->here[i] = sh->used[i];
        if (is_shmem(m->kind))
            named += sh->used[i];
    }
    sh->guessed = false;
    sh->rest = INT64_MIN;
    if (!mem_known(in->sample, MEM_shmem))
        return;
    int64_t counter = in->sample->v[MEM_shmem] - sum_segments(in) - sh->unseen_least;
    if (counter < 0)
        counter = 0;
    if (named > counter + slack_of(counter)) {
        choose_mounts(in, sh, counter);
        named = 0;
        for (int i = 0; i < in->mounts->n; i++)
            if (is_shmem(in->mounts->m[i].kind))
                named += sh->here[i];
    }
    sh->rest = counter - named;
}

// --- files

static void add_directories(const struct ledger_input *in, struct ledger *l, int mount, int parent)
{
    const char *base = in->mounts->m[mount].path;
    int entry[LEDGER_DIRS_MAX];
    int n = in->n_dirs < LEDGER_DIRS_MAX ? in->n_dirs : LEDGER_DIRS_MAX;
    for (int i = 0; i < n; i++)
        entry[i] = -2;
    // Shorter paths first: they are what the longer ones are a part of.
    for (int round = 0; round < n; round++) {
        int next = -1;
        for (int i = 0; i < n; i++)
            if (entry[i] == -2 && in->dirs[i].mount == mount &&
                (next < 0 || strlen(in->dirs[i].path) < strlen(in->dirs[next].path)))
                next = i;
        if (next < 0)
            return;
        const struct eye_dir *d = &in->dirs[next];
        int above = parent, at = parent;
        size_t longest = 0;
        for (int i = 0; i < n; i++) {
            size_t m = strlen(in->dirs[i].path);
            if (entry[i] >= 0 && m > longest && strncmp(d->path, in->dirs[i].path, m) == 0 && d->path[m] == '/') {
                above = entry[i];
                longest = m;
            }
        }
        if (strcmp(d->path, base) != 0) {
            at = ledger__add(l, LEDGER_FILES, above, d->bytes, "%s", d->path);
            if (d->files_per_min > 0)
                ledger__note(l, at, "%" PRId64 " file%s, %" PRId64 " more a minute", d->files, d->files == 1 ? "" : "s",
                             d->files_per_min);
            else
                ledger__note(l, at, "%" PRId64 " file%s", d->files, d->files == 1 ? "" : "s");
        }
        entry[next] = at;
        if (at >= 0) {
            l->entry[at].growth_per_min = d->growth_per_min;
            l->entry[at].growth_from_ages = d->growth_from_ages;
        }
    }
}

static void add_deleted_file(struct ledger *l, int parent, const struct segment *s)
{
    int i = ledger__add(l, LEDGER_FILES, parent, s->bytes, "%s (deleted)", s->name);
    if (i < 0)
        return;
    l->entry[i].pid = s->owner;
    ledger__note(l, i, "%s by %d process%s", s->open ? "held open" : "mapped", s->holders, s->holders == 1 ? "" : "es");
}

// What statvfs counts and neither the walk nor a descriptor in sight accounts for.
static void add_not_found(const struct ledger_input *in, struct ledger *l, int mount, int parent, int64_t deleted)
{
    const struct scan_total *walked = &in->walked[mount];
    const struct mount *m = &in->mounts->m[mount];
    if (!in->complete || !walked->known || !m->sized)
        return;
    int64_t gap = m->used - walked->bytes - deleted;
    if (gap <= slack_of(m->used))
        return;
    int i = ledger__add(l, LEDGER_FILES, parent, gap, "in no directory we could read");
    ledger__estimate(l, i);
    if (!m->whole)
        ledger__note(l, i, "only a part of this file system is mounted here");
    else if (walked->missed)
        ledger__note(l, i, "%u directories can't be read; or deleted and still open: its owner isn't visible", walked->missed);
    else if (in->segments->unseen)
        ledger__note(l, i, "deleted but still open; its owner isn't visible (--cap-add SYS_PTRACE shows it)");
    else
        ledger__note(l, i, "written since it was walked, or deleted and held by another container");
}

static void add_elsewhere(struct ledger *l, const struct mount *m, int64_t bytes, bool gvisor)
{
    int i = ledger__add(l, LEDGER_FILES, -1, bytes, "%s", m->path);
    l->sum[LEDGER_FILES] -= bytes;
    if (i < 0)
        return;
    l->entry[i].elsewhere = l->entry[i].estimate = true;
    ledger__note(
        l, i, gvisor ? "not in the sandbox's memory: on the host's disk" : "charged to another cgroup: whoever wrote it first");
}

static void add_mounts(const struct ledger_input *in, struct ledger *l, struct shares *sh)
{
    for (int i = 0; i < in->mounts->n; i++) {
        const struct mount *m = &in->mounts->m[i];
        sh->entry[i] = -1;
        if (sh->used[i] <= 0)
            continue;
        if (sh->used[i] > sh->here[i])
            add_elsewhere(l, m, sh->used[i] - sh->here[i], in->gvisor);
        if (!sh->here[i])
            continue;
        int e = ledger__add(l, LEDGER_FILES, -1, sh->here[i], "%s", m->path);
        sh->entry[i] = e;
        if (sh->guessed || m->kind == MOUNT_SENTRY)
            ledger__estimate(l, e);
        char cost[HUMAN_N];
        if (m->pid)
            ledger__note(l, e, "%s, seen by process %d only (its own mount namespace)", mount_kind_name(m->kind), m->pid);
        else if (m->inodes > 0 && !in->gvisor)
            ledger__note(l, e, "%s, %" PRId64 " inodes: about %s of kernel memory besides", mount_kind_name(m->kind), m->inodes,
                         human_bytes(m->inodes * MEM_INODE_BYTES, cost));
        else
            ledger__note(l, e, "%s", mount_kind_name(m->kind));
        if (e < 0)
            continue;
        int64_t deleted = 0;
        for (int j = 0; j < in->segments->n; j++) {
            const struct segment *s = &in->segments->s[j];
            if (s->kind == SEGMENT_DELETED && s->dev == m->dev && s->bytes > 0) {
                add_deleted_file(l, e, s);
                deleted += s->bytes;
            }
        }
        add_directories(in, l, i, e);
        add_not_found(in, l, i, e, deleted);
    }
    for (int j = 0; j < in->segments->n; j++) {
        const struct segment *s = &in->segments->s[j];
        if (s->kind == SEGMENT_DELETED && s->bytes > 0 && mounts_find_dev(in->mounts, s->dev) < 0)
            add_deleted_file(l, -1, s);
    }
}

// --- shared memory

static const struct proc_info *owner_of(const struct ledger_input *in, pid_t pid)
{
    for (int32_t i = 0; i < in->nprocs; i++)
        if (in->procs[i].pid == pid)
            return &in->procs[i];
    return NULL;
}

static bool is_php(enum proc_role role)
{
    return role == ROLE_FPM_MASTER || role == ROLE_FPM_WORKER || role == ROLE_FRANKENPHP || role == ROLE_APACHE ||
           role == ROLE_PHP_CLI || role == ROLE_PLIMSOLL_MOLD || role == ROLE_PLIMSOLL_WORKER;
}

static void add_segment(const struct ledger_input *in, struct ledger *l, const struct segment *s, int64_t bytes)
{
    const struct proc_info *p = owner_of(in, s->owner);
    char size[HUMAN_N];
    int i;
    if (s->kind == SEGMENT_SHARED_ANON && p && is_php(p->role))
        i = ledger__add(l, LEDGER_SHARED, -1, bytes, "shared memory of %s (OPcache, APCu)", proc_role_name(p->role));
    else if (s->kind == SEGMENT_SHARED_ANON)
        i = ledger__add(l, LEDGER_SHARED, -1, bytes, "shared memory of %s", p && p->comm[0] ? p->comm : "a process");
    else
        i = ledger__add(l, LEDGER_SHARED, -1, bytes, "%s %s", segment_kind_name(s->kind), s->name);
    if (i < 0)
        return;
    l->entry[i].pid = s->owner;
    l->entry[i].role = p ? p->role : ROLE_OTHER;
    l->entry[i].estimate = s->estimate;
    ledger__note(l, i, "%s reserved, %d process%s", human_bytes(s->size, size), s->holders, s->holders == 1 ? "" : "es");
}

static void add_segments(const struct ledger_input *in, struct ledger *l, struct shares *sh)
{
    for (int i = 0; i < in->segments->n; i++) {
        const struct segment *s = &in->segments->s[i];
        if (s->kind == SEGMENT_DELETED || s->bytes < 0)
            continue;
        int64_t bytes = s->bytes, room = s->size - s->bytes;
        // Page tables show what living processes have touched; what ended ones have left in it is in the counter only.
        if (s->estimate && sh->rest != INT64_MIN && sh->rest > 0 && room > 0) {
            int64_t more = sh->rest < room ? sh->rest : room;
            bytes += more;
            sh->rest -= more;
        }
        if (bytes > 0)
            add_segment(in, l, s, bytes);
    }
}

static void add_unseen_segments(const struct ledger_input *in, struct ledger *l, const struct shares *sh)
{
    int64_t bytes = sh->unseen_least;
    if (sh->rest != INT64_MIN)
        bytes = sh->rest + bytes < sh->unseen_most ? sh->rest + bytes : sh->unseen_most;
    if (bytes <= 0 || !sh->unseen_most)
        return;
    bool php = false;
    for (int32_t i = 0; i < in->nprocs; i++)
        php = php || (is_php(in->procs[i].role) && in->procs[i].rss_shmem > 0);
    char text[HUMAN_N];
    int i = ledger__add(l, LEDGER_SHARED, -1, bytes, "shared memory of %s", php ? "processes (OPcache, APCu)" : "processes");
    ledger__estimate(l, i);
    ledger__note(l, i, "from the group's counter; a single process maps at most %s of it", human_bytes(sh->unseen_least, text));
}

void ledger__add_files(const struct ledger_input *in, struct ledger *l)
{
    struct shares sh;
    find_unseen(in, &sh);
    share_out(in, &sh);
    add_mounts(in, l, &sh);
    add_segments(in, l, &sh);
    add_unseen_segments(in, l, &sh);
}
