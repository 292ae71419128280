// SPDX-License-Identifier: Apache-2.0
// Shared memory objects by device and inode. Owns the table in struct segments. Invariant: no two entries have the same device
// and inode; within a round a process counts once for each.
#include "mem/segments.h"

#include "mem/kfile.h"
#include "mem/lines.h"
#include "mem/proc_roles.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MORE_MAX 16                  // entries for what lies beyond the table: kinds and devices
#define MAPPED_MIN 64                // entries that deleted files don't take
#define BYTES_MAX (INT64_C(1) << 50) // of one segment: sums can't overflow

const char *segment_kind_name(enum segment_kind kind)
{
    static const char *const name[] = {"shared anonymous memory", "SysV segment", "memfd", "deleted file"};
    return (size_t)kind < sizeof name / sizeof *name ? name[kind] : "?";
}

void segments_init(struct segments *g)
{
    g->n = g->dropped = 0; // the rest is written when it is used
    g->lost = false;
    g->round = 0;
    g->complete = false;
    g->unseen = 0;
}

void segments_begin(struct segments *g)
{
    if (g->keys_used)
        memset(g->key, 0, sizeof g->key);
    g->keys_used = false;
    g->round++;
    g->dropped = 0;
    g->lost = false;
    g->running_complete = true;
    g->running_unseen = 0;
}

void segments_end(struct segments *g)
{
    int n = 0;
    for (int i = 0; i < g->n; i++)
        if (g->s[i].seen == g->round)
            g->s[n++] = g->s[i];
    g->n = n;
    g->complete = g->running_complete;
    g->unseen = g->running_unseen;
}

void segments_refresh(struct segments *g, int proc, int max)
{
    for (int i = 0; i < g->n && max > 0; i++) {
        struct segment *s = &g->s[i];
        char name[96];
        struct stat st;
        if (!s->owner || s->bytes < 0 || s->estimate)
            continue;
        if (s->fd >= 0)
            snprintf(name, sizeof name, "%d/fd/%d", s->owner, s->fd);
        else if (s->end)
            snprintf(name, sizeof name, "%d/map_files/%" PRIx64 "-%" PRIx64, s->owner, s->start, s->end);
        else
            continue;
        max--;
        // The inode tells that it is still the same object: descriptors are used again, pids as well.
        if (kfile_stat(proc, name, &st) == 0 && st.st_ino == s->ino)
            s->bytes = (int64_t)st.st_blocks * 512;
    }
}

static struct segment *get(struct segments *g, enum segment_kind kind, dev_t dev, ino_t ino, int max)
{
    struct segment *s = NULL;
    for (int i = 0; i < g->n && !s; i++)
        if (g->s[i].dev == dev && g->s[i].ino == ino && (ino != SEGMENTS_MORE || g->s[i].kind == kind))
            s = &g->s[i];
    if (!s) {
        if (g->n >= max)
            return NULL;
        s = &g->s[g->n++];
        *s = (struct segment){.kind = kind, .dev = dev, .ino = ino, .bytes = -1, .seen = g->round - 1};
    }
    if (s->seen != g->round) {
        s->seen = g->round;
        s->owner = s->last = 0;
        s->holders = 0;
        s->bytes = s->pss = -1;
        s->fd = -1;
        s->start = s->end = 0;
        s->estimate = s->open = s->mapped = false;
    }
    return s;
}

struct segment *segments_get(struct segments *g, enum segment_kind kind, dev_t dev, ino_t ino)
{
    // Deleted files may come by the thousand: they leave room for what is mapped.
    return get(g, kind, dev, ino, kind == SEGMENT_DELETED ? SEGMENTS_MAX - MORE_MAX - MAPPED_MIN : SEGMENTS_MAX - MORE_MAX);
}

void segments_add_more(struct segments *g, const struct segment *s, pid_t pid)
{
    uint64_t key = ((uint64_t)s->ino * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)s->dev * UINT64_C(0xff51afd7ed558ccd)) | 1;
    uint32_t at = (uint32_t)(key >> 40) % SEGMENTS_KEYS;
    while (g->key[at] && g->key[at] != key)
        at = (at + 1) % SEGMENTS_KEYS;
    bool known = g->key[at], room = known || g->dropped < SEGMENTS_KEYS / 2;
    struct segment *all = room ? get(g, s->kind, s->dev, SEGMENTS_MORE, SEGMENTS_MAX) : NULL;
    if (!all || s->bytes < 0) {
        g->lost = true;
        return;
    }
    if (known) { // another process has it, too
        segments_hold(all, pid);
        return;
    }
    g->key[at] = key;
    g->keys_used = true;
    g->dropped++;
    if (!all->last) // the first of this round
        all->size = all->more = 0;
    all->bytes = (all->bytes < 0 ? 0 : all->bytes) + s->bytes;
    all->size = all->size + s->size;
    all->open = all->open || s->open;
    all->mapped = all->mapped || s->mapped;
    all->more++;
    segments_hold(all, pid);
    snprintf(all->name, sizeof all->name, "%d others", all->more);
}

void segments_hold(struct segment *s, pid_t pid)
{
    if (!s->owner)
        s->owner = pid;
    if (s->last != pid)
        s->holders++;
    s->last = pid;
}

void segments_name(struct segment *s, const char *path)
{
    size_t n = strlen(path), cut = sizeof " (deleted)" - 1;
    if (n > cut && strcmp(path + n - cut, " (deleted)") == 0)
        n -= cut;
    size_t skip = n < SEGMENT_NAME ? 0 : n - (SEGMENT_NAME - 1);
    proc_roles_clean(path + skip, n - skip, s->name, sizeof s->name); // names are anybody's
}

static bool parse_hex(char **at, char end, uint64_t *ret)
{
    char *s = *at, *stop;
    if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'f')))
        return false;
    errno = 0;
    unsigned long long v = strtoull(s, &stop, 16);
    if (errno || *stop != end)
        return false;
    *at = stop + 1;
    *ret = v;
    return true;
}

int segments_parse_map(char *line, struct map_line *ret)
{
    struct map_line m = {0};
    uint64_t major_n, minor_n;
    char *at = line;
    if (!parse_hex(&at, '-', &m.start) || !parse_hex(&at, ' ', &m.end) || m.end < m.start || strlen(at) < 5 || at[4] != ' ')
        return -EINVAL;
    memcpy(m.perms, at, 4);
    at += 5;
    if (!parse_hex(&at, ' ', &m.offset) || !parse_hex(&at, ':', &major_n) || !parse_hex(&at, ' ', &minor_n) ||
        major_n > UINT32_MAX || minor_n > UINT32_MAX || *at < '0' || *at > '9')
        return -EINVAL;
    m.major = (unsigned)major_n;
    m.minor = (unsigned)minor_n;
    errno = 0;
    m.ino = strtoull(at, &at, 10);
    if (errno || (*at && *at != ' '))
        return -EINVAL;
    while (*at == ' ')
        at++;
    m.path = at;
    *ret = m;
    return 0;
}

static bool ends_deleted(const char *path)
{
    size_t n = strlen(path), m = sizeof " (deleted)" - 1;
    return n > m && strcmp(path + n - m, " (deleted)") == 0;
}

bool segments_kind_of(const char *path, enum segment_kind *ret)
{
    if (*path != '/' || !ends_deleted(path))
        return false;
    if (strcmp(path, "/dev/zero (deleted)") == 0)
        *ret = SEGMENT_SHARED_ANON;
    else if (strncmp(path, "/SYSV", 5) == 0 && strspn(path + 5, "0123456789abcdef") == 8)
        *ret = SEGMENT_SYSV;
    else if (strncmp(path, "/memfd:", 7) == 0)
        *ret = SEGMENT_MEMFD;
    else
        *ret = SEGMENT_DELETED;
    return true;
}

// The object's own size, where map_files may be followed (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE).
static bool stat_mapping(int proc_pid, const struct map_line *m, struct segment *s)
{
    char name[64];
    snprintf(name, sizeof name, "map_files/%" PRIx64 "-%" PRIx64, m->start, m->end);
    struct stat st;
    if (kfile_stat(proc_pid, name, &st) < 0 || st.st_ino != m->ino)
        return false;
    s->bytes = (int64_t)st.st_blocks * 512;
    s->size = st.st_size;
    s->estimate = false;
    if (s->owner == s->last && s->fd < 0) {
        s->start = m->start;
        s->end = m->end;
    }
    return true;
}

static bool take_kind(const struct map_line *m, segments_dev_fn in_memory, void *arg, enum segment_kind *ret)
{
    // A SysV segment's inode number is its shmid: the first one's is 0.
    if (!segments_kind_of(m->path, ret) || (!m->ino && *ret != SEGMENT_SYSV))
        return false;
    return *ret != SEGMENT_DELETED || in_memory(makedev(m->major, m->minor), arg);
}

// Adds up Pss of the segments that no stat could size.
static int read_smaps(struct segments *g, int proc_pid, segments_dev_fn in_memory, void *arg, char *scratch, size_t size)
{
    int fd = kfile_open(proc_pid, "smaps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct lines lines;
    lines_init(&lines, fd, scratch, size);
    struct segment *s = NULL;
    char *line;
    int r;
    while ((r = lines_next(&lines, &line)) > 0) {
        struct map_line m;
        enum segment_kind kind;
        if (*line >= 'A' && *line <= 'Z') {
            if (!s || strncmp(line, "Pss:", 4) != 0)
                continue;
            int64_t kib = strtoll(line + 4, NULL, 10);
            s->pss = (s->pss < 0 ? 0 : s->pss) + (kib > 0 && kib < BYTES_MAX / 1024 ? kib * 1024 : 0);
            if (s->estimate || s->bytes < 0) {
                s->bytes = s->pss;
                s->estimate = true;
            }
        } else {
            bool ours = segments_parse_map(line, &m) == 0 && take_kind(&m, in_memory, arg, &kind);
            s = ours ? segments_get(g, kind, makedev(m.major, m.minor), m.ino) : NULL;
        }
    }
    close(fd);
    return r;
}

int segments_read_maps(struct segments *g, int proc_pid, pid_t pid, bool smaps, segments_dev_fn in_memory, void *arg,
                       char *scratch, size_t size)
{
    int fd = kfile_open(proc_pid, "maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct lines lines;
    lines_init(&lines, fd, scratch, size);
    char *line;
    int r;
    bool unsized = false;
    while ((r = lines_next(&lines, &line)) > 0) {
        struct map_line m;
        enum segment_kind kind;
        if (segments_parse_map(line, &m) < 0 || !take_kind(&m, in_memory, arg, &kind))
            continue;
        struct segment *s = segments_get(g, kind, makedev(m.major, m.minor), m.ino);
        if (!s) {
            struct segment one = {.kind = kind, .dev = makedev(m.major, m.minor), .ino = m.ino, .bytes = -1, .mapped = true};
            (void)stat_mapping(proc_pid, &m, &one);
            segments_add_more(g, &one, pid);
            continue;
        }
        segments_hold(s, pid);
        segments_name(s, m.path);
        s->mapped = true;
        int64_t size_here = (int64_t)(m.end - m.start + m.offset);
        if (s->size < size_here)
            s->size = size_here;
        if ((s->bytes < 0 || s->estimate) && !stat_mapping(proc_pid, &m, s))
            unsized = true;
    }
    close(fd);
    if (r < 0)
        return r;
    return unsized && smaps ? read_smaps(g, proc_pid, in_memory, arg, scratch, size) : 0;
}

static struct segment *find_sysv(struct segments *g, ino_t id)
{
    for (int i = 0; i < g->n; i++)
        if (g->s[i].kind == SEGMENT_SYSV && g->s[i].ino == id && g->s[i].dev)
            return &g->s[i];
    return NULL;
}

int segments_read_sysv(struct segments *g, int proc, segments_pid_fn is_ours, void *arg, char *scratch, size_t size)
{
    int fd = kfile_open(proc, "sysvipc/shm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct lines lines;
    lines_init(&lines, fd, scratch, size);
    char *line;
    int r;
    while ((r = lines_next(&lines, &line)) > 0) {
        // key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap
        int64_t id, bytes, rss, cpid;
        if (sscanf(line, "%*d %" SCNd64 " %*s %" SCNd64 " %" SCNd64 " %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNd64, &id, &bytes,
                   &cpid, &rss) != 4 ||
            id < 0 || rss < 0 || rss > BYTES_MAX || cpid < 0 || cpid > INT32_MAX)
            continue;
        struct segment *s = find_sysv(g, (ino_t)id);
        if (s && s->seen != g->round) // not mapped any more: it is left to its maker
            s = NULL;
        if (!s) {
            if (is_ours && !is_ours((pid_t)cpid, arg))
                continue;
            s = segments_get(g, SEGMENT_SYSV, 0, (ino_t)id);
            if (!s) {
                segments_add_more(g, &(struct segment){.kind = SEGMENT_SYSV, .ino = (ino_t)id, .bytes = rss}, (pid_t)cpid);
                continue;
            }
            segments_hold(s, (pid_t)cpid);
            snprintf(s->name, sizeof s->name, "shmid %" PRId64, id);
        }
        if (s->bytes < 0 || s->estimate) {
            s->bytes = rss;
            s->estimate = false;
        }
        s->size = bytes;
    }
    close(fd);
    return r;
}

int64_t segments_sum(const struct segments *g, enum segment_kind kind)
{
    int64_t sum = 0;
    for (int i = 0; i < g->n; i++)
        if (g->s[i].kind == kind && g->s[i].bytes > 0)
            sum += g->s[i].bytes;
    return sum;
}
