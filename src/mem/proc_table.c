// SPDX-License-Identifier: Apache-2.0
// The table of processes: who is there, status of each. Owns the list, two descriptors of each of the first few hundred processes
// and the room that splitting needs. Invariant: info[i] and slot[i], i < n, are of the same process; the hash holds each pid of
// the last list once.
#include "mem/proc_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mem/kfile.h"
#include "mem/proc_table_int.h"

#define KEEP_MAX 512      // processes whose descriptors stay open
#define KEEP_SPARE 64     // descriptors that aren't ours to take
#define NAME_ROUNDS 8     // every so many one process is asked for its name again
#define IGNORED_ROUNDS 60 // kernel threads and zombies are looked at again

enum { STATUS_PPID, STATUS_SIZE, STATUS_RSS, STATUS_ANON, STATUS_FILE, STATUS_SHMEM, STATUS_PTE, STATUS_SWAP, STATUS_THREADS };

// In the order of the file.
static const struct kfile_key status_keys[] = {
    {STR("PPid"), STATUS_PPID},    {STR("VmSize"), STATUS_SIZE},  {STR("VmRSS"), STATUS_RSS},
    {STR("RssAnon"), STATUS_ANON}, {STR("RssFile"), STATUS_FILE}, {STR("RssShmem"), STATUS_SHMEM},
    {STR("VmPTE"), STATUS_PTE},    {STR("VmSwap"), STATUS_SWAP},  {STR("Threads"), STATUS_THREADS},
};

// Who we are among them, and what we may.
static void look_at_self(struct proc_table *t)
{
    static const struct str key = STR("CapEff:");
    struct str rest, line;
    char text[4096];
    ssize_t n = readlinkat(t->proc, "self", text, sizeof text - 1);
    uint64_t pid;

    if (n > 0 && str_to_u64((struct str){text, (size_t)n}, &pid) && pid <= INT32_MAX)
        t->self = (pid_t)pid;
    t->is_root = geteuid() == 0;
    n = kfile_read(t->proc, "self/status", text, sizeof text);
    rest = (struct str){text, n > 0 ? (size_t)n : 0};
    while (kfile_line(&rest, &line)) {
        if (str_starts(line, key))
            t->may_ptrace = strtoull(line.p + key.n, NULL, 16) >> CAP_SYS_PTRACE & 1;
    }
}

int proc_table_open(int proc, int group, struct proc_table **ret)
{
    struct rlimit limit;

    if (proc < 0)
        return -EINVAL;
    struct proc_table *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    int r = proc_list_open(proc, group, &t->list);
    t->proc = proc;
    t->spare = -1;
    t->turn = 1;
    look_at_self(t);
    t->us_per_mib[0] = 30;
    t->us_per_mib[1] = 8;
    t->maps = calloc(1, sizeof *t->maps);
    t->chunks = chunks_room_new();
    t->keep_max = KEEP_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < KEEP_MAX * 3 + KEEP_SPARE)
        t->keep_max = limit.rlim_cur > KEEP_SPARE ? (int32_t)(limit.rlim_cur - KEEP_SPARE) / 3 : 0;
    if (r == 0 && (!t->maps || !t->chunks))
        r = -ENOMEM;
    if (r < 0) {
        proc_table_close(t);
        return r;
    }
    *ret = t;
    return 0;
}

static void let_go(struct proc_table *t, int32_t i)
{
    struct proc_slot *s = &t->slot[i];

    if (s->dir >= 0) {
        close(s->dir);
        close(s->status);
        t->kept--;
    }
    s->dir = s->status = -1;
}

struct proc_table *proc_table_close(struct proc_table *t)
{
    if (!t)
        return NULL;
    for (int32_t i = 0; i < t->n; i++)
        let_go(t, i);
    if (t->spare >= 0)
        close(t->spare);
    proc_list_close(t->list);
    chunks_room_free(t->chunks);
    free(t->maps);
    free(t);
    return NULL;
}

static int32_t *hash_find(struct proc_table *t, pid_t pid)
{
    uint32_t mask = (uint32_t)t->hash_n - 1, at = (uint32_t)pid * UINT32_C(2654435761) & mask;

    while (t->hash_n && t->hash[at].pid) {
        if (t->hash[at].pid == pid)
            return &t->hash[at].index;
        at = (at + 1) & mask;
    }
    return NULL;
}

static void hash_add(struct proc_table *t, pid_t pid, int32_t index)
{
    uint32_t mask = (uint32_t)t->hash_n - 1, at = (uint32_t)pid * UINT32_C(2654435761) & mask;

    while (t->hash[at].pid)
        at = (at + 1) & mask;
    t->hash[at].pid = pid;
    t->hash[at].index = index;
}

static int open_dir(const struct proc_table *t, pid_t pid)
{
    char name[16];

    snprintf(name, sizeof name, "%d", pid);
    int fd = kfile_open(t->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

// Field 22 of stat, behind a name that may hold anything: the last ")" ends it.
static int read_start_time(int dir, uint64_t *ret)
{
    char text[1024];
    ssize_t n = kfile_read(dir, "stat", text, sizeof text);
    char *p = n > 0 ? strrchr(text, ')') : NULL;
    struct str rest, word;

    if (n < 0)
        return (int)n;
    if (!p)
        return -EINVAL;
    rest = str_from(p + 1);
    for (int field = 3; field <= 22; field++) {
        if (!kfile_word(&rest, &word))
            return -EINVAL;
    }
    return str_to_u64(word, ret) ? 0 : -EINVAL;
}

// The rest of the line "Key:\tvalue" of a text that begins with it or has it behind a newline.
static struct str find_line(struct str text, const char *key, size_t key_n)
{
    struct str line;

    for (int i = 0; i < 16 && kfile_line(&text, &line); i++) {
        if (line.n > key_n && memcmp(line.p, key, key_n) == 0)
            return str_trim((struct str){line.p + key_n, line.n - key_n});
    }
    return (struct str){"", 0};
}

// Takes a status into p. False: a kernel thread, a zombie, garbage: something without memory.
static bool take_status(struct str text, struct proc_info *p, bool *ret_renamed)
{
    int64_t v[STATUS_THREADS + 1];
    uint64_t known = kfile_keys(text, status_keys, sizeof status_keys / sizeof status_keys[0], v);
    struct str name = find_line(text, "Name:", 5), uid = find_line(text, "Uid:", 4), real_uid;
    char comm[sizeof p->comm];
    uint64_t number;

    if (!(known >> STATUS_SIZE & 1) && !(known >> STATUS_RSS & 1))
        return false;
#define TAKE(slot, otherwise) (known >> (slot)&1 ? v[slot] : (otherwise))
    p->ppid = (pid_t)TAKE(STATUS_PPID, 0);
    p->rss = TAKE(STATUS_RSS, -1);
    p->rss_anon = TAKE(STATUS_ANON, -1);
    p->rss_file = TAKE(STATUS_FILE, -1);
    p->rss_shmem = TAKE(STATUS_SHMEM, -1);
    p->page_tables = TAKE(STATUS_PTE, -1);
    p->swap = TAKE(STATUS_SWAP, -1);
    int64_t threads = TAKE(STATUS_THREADS, 1);
#undef TAKE
    p->threads = threads > INT32_MAX ? INT32_MAX : (int32_t)threads;
    if (kfile_word(&uid, &real_uid) && str_to_u64(real_uid, &number) && number <= UINT32_MAX)
        p->uid = (uid_t)number;
    proc_roles_clean(name.p, name.n, comm, sizeof comm);
    *ret_renamed = strcmp(comm, p->comm) != 0;
    memcpy(p->comm, comm, sizeof comm);
    return true;
}

// Adds a process at the end. 0; -ENODATA: it has no memory of its own; -errno.
static int add(struct proc_table *t, pid_t pid)
{
    int32_t i = t->n;
    struct proc_info *p = &t->info[i];
    struct proc_slot *s = &t->slot[i];
    bool renamed;
    int dir = open_dir(t, pid);

    if (dir < 0)
        return dir;
    *p = (struct proc_info){.pid = pid,
                            .pss = -1,
                            .pss_anon = -1,
                            .pss_file = -1,
                            .pss_shmem = -1,
                            .private_dirty = -1,
                            .text = -1,
                            .php_bytes = -1,
                            .memory_limit = -1};
    *s = (struct proc_slot){.dir = -1, .status = -1, .born = t->round};
    int status = kfile_open(dir, "status", O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = status < 0 ? -errno : 0;
    ssize_t n = r < 0 ? r : kfile_pread(status, t->scratch, sizeof t->scratch);
    if (n >= 0)
        r = take_status((struct str){t->scratch, (size_t)n}, p, &renamed) ? read_start_time(dir, &p->start_time) : -ENODATA;
    else
        r = (int)n;
    if (r < 0) {
        if (status >= 0)
            close(status);
        close(dir);
        return r;
    }
    s->dir = dir;
    s->status = status;
    t->kept++;
    t->n++;
    proc_table__name(t, i, true);
    if (t->kept > t->keep_max)
        let_go(t, i);
    return 0;
}

// Returns 0 or, where a process that is there couldn't be added, why: then it has its turn again.
static int add_new(struct proc_table *t)
{
    int32_t n;
    int error = 0;
    const pid_t *pids = proc_list_pids(t->list, &n);

    for (int32_t i = 0; i < n && t->n < PROC_TABLE_MAX; i++) {
        int32_t *index = hash_find(t, pids[i]);
        if (!index || *index != -1)
            continue;
        int32_t at = t->n;
        int r = add(t, pids[i]);
        *index = r == 0 ? at : -1;
        if (r == -ENODATA && t->n_ignored < IGNORED_MAX) {
            *index = -2;
            t->ignored[t->n_ignored++] = pids[i];
        }
        if (r < 0 && r != -ENODATA && r != -ENOENT && r != -ESRCH) { // we lack descriptors
            t->list_stale = true;
            error = r;
        }
    }
    return error;
}

// Drops the slots that are dead or not in the list, and makes the hash anew from the list.
static void settle(struct proc_table *t)
{
    int32_t n, kept = 0;
    const pid_t *pids = proc_list_pids(t->list, &n);

    for (t->hash_n = 64; t->hash_n < 2 * n; t->hash_n *= 2)
        ;
    memset(t->hash, 0, (size_t)t->hash_n * sizeof t->hash[0]);
    for (int32_t i = 0; i < n; i++)
        hash_add(t, pids[i], -1);
    for (int32_t i = 0; i < t->n_ignored; i++) {
        int32_t *index = hash_find(t, t->ignored[i]);
        if (index)
            *index = -2;
    }
    for (int32_t i = 0; i < t->n; i++) {
        int32_t *index = t->slot[i].dead ? NULL : hash_find(t, t->info[i].pid);
        if (!index) {
            let_go(t, i);
            continue;
        }
        if (kept != i) {
            t->info[kept] = t->info[i];
            t->slot[kept] = t->slot[i];
        }
        *index = kept++;
    }
    t->n = kept;
}

// A process whose descriptors aren't kept: opened, and told from another that has its pid by now.
static ssize_t read_status_anew(struct proc_table *t, const struct proc_info *p)
{
    uint64_t start_time;
    int dir = open_dir(t, p->pid);

    if (dir < 0)
        return dir;
    int r = read_start_time(dir, &start_time);
    ssize_t n = r < 0 ? r : start_time != p->start_time ? -ESRCH : kfile_read(dir, "status", t->scratch, sizeof t->scratch);
    close(dir);
    return n;
}

static void look(struct proc_table *t, int32_t i)
{
    struct proc_info *p = &t->info[i];
    struct proc_slot *s = &t->slot[i];
    bool renamed = false;
    ssize_t n = s->status >= 0 ? kfile_pread(s->status, t->scratch, sizeof t->scratch) : read_status_anew(t, p);

    if (n <= 0 || !take_status((struct str){t->scratch, (size_t)n}, p, &renamed)) {
        s->dead = true;
        t->list_stale = true;
        return;
    }
    s->dead = false;
    // Titles and roles settle in the first seconds of a life; later each has its turn.
    uint32_t age = t->round - s->born;
    if (renamed)
        proc_table__name(t, i, true);
    else if (age == 1 || age == 2 || age == 5 || i == t->next_named)
        proc_table__name(t, i, false);
}

// Processes that the table has no room for: status of each, summed up in *sum, threads and processes too.
static void look_at_rest(struct proc_table *t, struct proc_info *sum, int32_t *ret_n)
{
    int32_t n;
    const pid_t *pids = proc_list_pids(t->list, &n);
    char name[32];
    bool renamed;

    *sum = (struct proc_info){0};
    *ret_n = 0;
    for (int32_t i = 0; t->n == PROC_TABLE_MAX && i < n; i++) {
        const int32_t *index = hash_find(t, pids[i]);
        struct proc_info p = {0};
        if (!index || *index != -1)
            continue;
        snprintf(name, sizeof name, "%d/status", pids[i]);
        ssize_t got = kfile_read(t->proc, name, t->scratch, sizeof t->scratch);
        if (got <= 0 || !take_status((struct str){t->scratch, (size_t)got}, &p, &renamed))
            continue;
        ++*ret_n;
#define ADD(field) sum->field = sum->field < 0 || p.field < 0 ? -1 : sum->field + p.field
        ADD(rss);
        ADD(rss_anon);
        ADD(rss_file);
        ADD(rss_shmem);
#undef ADD
        sum->threads += p.threads;
    }
}

static void sum_up(const struct proc_table *t, const struct proc_info *rest, int32_t n_rest, struct mem_sample *io)
{
    struct proc_info sum = *rest;
    struct proc_split split = {0};
    int64_t pss = 0, pss_anon = 0, pss_file = 0, pss_shmem = 0, private_dirty = 0;
    bool rolled = n_rest == 0 && t->list_n_dropped == 0, all_seen = rolled;

#define ADD(field) sum.field = sum.field < 0 || p->field < 0 ? -1 : sum.field + p->field
    for (int32_t i = 0; i < t->n; i++) {
        const struct proc_info *p = &t->info[i];
        ADD(rss);
        ADD(rss_anon);
        ADD(rss_file);
        ADD(rss_shmem);
        sum.threads += p->threads;
        rolled = rolled && p->pss_known && p->pss_anon >= 0;
        pss += p->pss;
        pss_anon += p->pss_anon;
        pss_file += p->pss_file;
        pss_shmem += p->pss_shmem;
        private_dirty += p->private_dirty;
        all_seen = all_seen && p->visible && !t->slot[i].split_denied;
        split.php_heap += p->split.php_heap;
        split.go_heap += p->split.go_heap;
        split.native += p->split_known ? p->split.native + p->split.stacks + p->split.jit : p->rss_anon > 0 ? p->rss_anon : 0;
    }
#undef ADD
    mem_set(io, MEM_nprocs, t->n + n_rest + t->list_n_dropped);
    mem_set(io, MEM_nthreads, sum.threads + t->list_n_dropped);
    const struct {
        enum mem_field field;
        bool known;
        int64_t value;
    } fields[] = {
        {MEM_sum_rss, sum.rss >= 0, sum.rss},
        {MEM_sum_rss_anon, sum.rss_anon >= 0, sum.rss_anon},
        {MEM_sum_rss_file, sum.rss_file >= 0, sum.rss_file},
        {MEM_sum_rss_shmem, sum.rss_shmem >= 0, sum.rss_shmem},
        {MEM_sum_pss, rolled, pss},
        {MEM_sum_pss_anon, rolled, pss_anon},
        {MEM_sum_pss_file, rolled, pss_file},
        {MEM_sum_pss_shmem, rolled, pss_shmem},
        {MEM_sum_private_dirty, rolled, private_dirty},
        {MEM_php_heap, all_seen && t->all_split_once, split.php_heap},
        {MEM_go_heap, all_seen && t->all_split_once, split.go_heap},
        {MEM_native, all_seen && t->all_split_once, split.native},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].known)
            mem_set(io, fields[i].field, fields[i].value);
    }
}

int proc_table_refresh(struct proc_table *t, struct mem_sample *io)
{
    struct proc_info rest;
    int32_t n_rest;
    int error = 0;
    bool changed;
    int r = proc_list_read(t->list, &changed);

    if (r < 0)
        return r;
    t->round++;
    if (t->round % IGNORED_ROUNDS == 0 && t->n_ignored) {
        t->n_ignored = 0;
        changed = true;
    }
    if (changed || t->list_stale) {
        t->list_stale = false;
        settle(t);
        error = add_new(t);
    }
    bool stale = t->list_stale;
    t->list_stale = false;
    t->next_named = t->round % NAME_ROUNDS == 0 && t->n ? (int32_t)(t->round / NAME_ROUNDS % (uint32_t)t->n) : -1;
    for (int32_t i = 0; i < t->n; i++) {
        if (t->slot[i].born != t->round)
            look(t, i);
    }
    if (t->list_stale) { // some died; others may have their pids by now
        t->list_stale = false;
        settle(t);
        error = add_new(t);
    }
    t->list_stale = t->list_stale || stale;
    look_at_rest(t, &rest, &n_rest);
    t->list_n_dropped = proc_list_dropped(t->list);
    t->not_in_table = n_rest + t->list_n_dropped;
    bool all_split = true;
    for (int32_t i = 0; i < t->n && all_split && !t->all_split_once; i++)
        all_split = t->info[i].split_known;
    t->all_split_once = t->all_split_once || (all_split && t->n);
    if (io)
        sum_up(t, &rest, n_rest, io);
    // Nobody can be looked at is another thing than nobody is there.
    return t->n + t->not_in_table ? 0 : error ? error : -ESRCH;
}

const struct proc_info *proc_table_get(const struct proc_table *t, int32_t *ret_n)
{
    *ret_n = t->n;
    return t->info;
}

const struct proc_info *proc_table_find(const struct proc_table *t, pid_t pid)
{
    for (int32_t i = 0; i < t->n; i++) {
        if (t->info[i].pid == pid)
            return &t->info[i];
    }
    return NULL;
}

int32_t proc_table_dropped(const struct proc_table *t)
{
    return t->not_in_table;
}

enum sight proc_table_sight(const struct proc_table *t)
{
    int32_t visible = 0, others = 0;

    for (int32_t i = 0; i < t->n; i++) {
        if (t->info[i].pid == t->self)
            continue;
        others++;
        visible += t->info[i].visible;
    }
    if (visible == others)
        return others || t->may_ptrace ? SIGHT_FULL : t->is_root ? SIGHT_DOCKER : SIGHT_NONE;
    return visible || t->is_root ? SIGHT_DOCKER : SIGHT_NONE;
}

int proc_table_dir(struct proc_table *t, int32_t index)
{
    if (index < 0 || index >= t->n)
        return -EINVAL;
    if (t->slot[index].dir >= 0)
        return t->slot[index].dir;
    // One descriptor stands in for all that aren't kept.
    uint64_t start_time;
    int dir = open_dir(t, t->info[index].pid);
    if (dir < 0)
        return dir;
    int r = read_start_time(dir, &start_time);
    if (r < 0 || start_time != t->info[index].start_time) {
        close(dir);
        return r < 0 ? r : -ESRCH;
    }
    if (t->spare >= 0)
        close(t->spare);
    t->spare = dir;
    return dir;
}
