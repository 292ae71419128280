// SPDX-License-Identifier: Apache-2.0
// The walk of file systems in memory, in steps. Owns the descriptors of the directories it stands in. Invariant: frames 0..depth
// are an open path from the root of slot at_slot downwards; names of directories still to be entered lie on one stack, those of
// the innermost frame last, and a frame may only fill it so far that each deeper one still has room for a name.
#include "mem/scan_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mem/dirents.h"
#include "mem/kfile.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define NAME_ROOM 258        // the longest name, NUL, length
#define ENTRIES_PER_CHECK 32 // between two looks at the clock: about 50 µs
#define BASE_DS_MIN 50       // a rate needs five seconds
#define BASE_DS_MAX 300      // and looks half a minute back, or one round where that is longer

int scan__stat(bool *no_statx, int fd, const char *name, bool by_size, struct scan_stat *ret)
{
    if (!*no_statx) {
        struct statx x;
        unsigned mask = STATX_BASIC_STATS | STATX_BTIME;
        if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT, mask, &x) == 0) {
            *ret = (struct scan_stat){
                .dev = makedev(x.stx_dev_major, x.stx_dev_minor),
                .ino = x.stx_ino,
                .mode = x.stx_mode,
                .links = x.stx_nlink,
                .bytes = by_size ? (int64_t)((x.stx_size + 4095) & ~UINT64_C(4095)) : (int64_t)x.stx_blocks * 512,
                .birth = x.stx_mask & STATX_BTIME ? (double)x.stx_btime.tv_sec + x.stx_btime.tv_nsec * 1e-9 : 0,
                .mtime = (double)x.stx_mtime.tv_sec + x.stx_mtime.tv_nsec * 1e-9,
            };
            return 0;
        }
        if (errno != ENOSYS && errno != EINVAL && errno != EPERM)
            return -errno;
        *no_statx = true;
    }
    struct stat st;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
        return -errno;
    *ret = (struct scan_stat){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .mode = st.st_mode,
        .links = (uint32_t)st.st_nlink,
        .bytes = by_size ? (st.st_size + 4095) & ~INT64_C(4095) : (int64_t)st.st_blocks * 512,
        .mtime = (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec * 1e-9,
    };
    return 0;
}

bool scan__counts(const struct scan_mount *m, dev_t dev)
{
    return m->overlay ? dev != m->skip_dev : dev == m->dev;
}

double scan__window(const struct scan_slot *slot, double wall)
{
    double since = slot->birth > 0 ? slot->birth : slot->oldest;
    double age = since > 0 ? wall - since : SCAN_WINDOW_S;
    return age < 10 ? 10 : age > SCAN_WINDOW_S ? SCAN_WINDOW_S : age;
}

double scan__young(const struct scan_stat *st, double bytes, double wall, double window)
{
    // It grew from its birth to its last change; a file that was copied here with an older time came at its birth.
    double end = st->mtime < wall ? st->mtime : wall, start = st->birth > 0 && st->birth < wall ? st->birth : end;
    if (end < start)
        end = start;
    double from = wall - window;
    if (end < from)
        return 0;
    double part = end - start < 1 || start >= from ? 1 : (end - from) / (end - start);
    return bytes * part * 60 / window;
}

static double born(const struct scan_stat *st, double files, double wall, double window)
{
    double at = st->birth > 0 ? st->birth : st->mtime;
    return at >= wall - window ? files * 60 / window : 0;
}

struct scan *scan_new(void)
{
    struct scan *s = calloc(1, sizeof *s); // from fresh zero pages: what isn't used costs nothing
    if (!s)
        return NULL;
    s->first_free = SCAN_DIRS;
    s->progress.covered = -1;
    for (int i = 0; i < SCAN_MOUNTS; i++)
        s->slot[i].root = SCAN_NONE;
    return s;
}

static void close_frames(struct scan *s)
{
    while (s->depth > 0)
        close(s->frame[--s->depth].fd);
    s->names_end = 0;
    s->buf_at = s->buf_have = 0;
}

struct scan *scan_free(struct scan *s)
{
    if (s) {
        close_frames(s);
        free(s);
    }
    return NULL;
}

void scan_set_mount(struct scan *s, int slot, const struct scan_mount *mount)
{
    if (slot < 0 || slot >= SCAN_MOUNTS)
        return;
    s->slot[slot].next = *mount;
    s->slot[slot].next_set = s->slot[slot].changed = true;
}

void scan_unset_mount(struct scan *s, int slot)
{
    if (slot < 0 || slot >= SCAN_MOUNTS || (!s->slot[slot].set && !s->slot[slot].next_set))
        return;
    s->slot[slot].next_set = false;
    s->slot[slot].changed = true;
    if (s->walking && s->at_slot == slot) // its descriptor is about to go
        close_frames(s);
}

static void take_changes(struct scan *s)
{
    for (int i = 0; i < SCAN_MOUNTS; i++) {
        struct scan_slot *slot = &s->slot[i];
        if (!slot->changed)
            continue;
        bool same = slot->set && slot->next_set && slot->mount.dev == slot->next.dev;
        if (!same) {
            scan__sweep(s, i, true);
            struct scan_mount next = slot->next;
            *slot = (struct scan_slot){.next = next, .next_set = slot->next_set, .root = SCAN_NONE};
        }
        slot->mount = slot->next;
        slot->set = slot->next_set;
        slot->changed = false;
    }
}

// --- a directory is entered and left

static bool is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

static void miss(struct scan *s, uint32_t *counter)
{
    ++*counter;
    s->slot[s->at_slot].running_missed++;
}

// Takes fd. False: it isn't walked (another file system, seen already).
static bool enter(struct scan *s, int fd)
{
    struct scan_slot *slot = &s->slot[s->at_slot];
    struct stat st;
    // An overlay's directory that takes blocks is of the image alone, not of the tmpfs above: nothing below it was written.
    if (fstat(fd, &st) < 0 || st.st_dev != slot->mount.dev || (slot->mount.overlay && s->depth && st.st_blocks)) {
        close(fd);
        return false;
    }
    uint32_t parent = s->depth ? s->frame[s->depth - 1].dir : SCAN_NONE;
    uint32_t record = scan__find(s, s->at_slot, st.st_ino);
    if (record != SCAN_NONE && s->record[record].round == s->round) {
        close(fd); // mounted once more within itself, or moved while we walk
        return false;
    }
    if (record == SCAN_NONE)
        record = scan__add(s, s->at_slot, st.st_ino);
    bool own = record != SCAN_NONE;
    if (own) {
        s->record[record].round = s->round;
        s->record[record].parent = parent == SCAN_NONE ? SCAN_DIRS : (uint16_t)parent;
    } else if (parent == SCAN_NONE) { // not even a root has a place
        close(fd);
        miss(s, &s->progress.unreadable);
        return false;
    } else {
        s->progress.unrecorded++;
    }
    s->frame[s->depth++] =
        (struct scan_frame){.fd = fd, .dir = own ? record : parent, .own = own, .resume = -1, .names = s->names_end};
    s->buf_at = s->buf_have = 0;
    slot->running_inodes++;
    s->counted++;
    return true;
}

static void update_record(struct scan *s, struct scan_record *r, const struct scan_frame *f)
{
    const struct scan_slot *slot = &s->slot[s->at_slot];
    uint32_t now_ds = (uint32_t)((s->t - s->t0) * 10);
    r->tree = f->tree;
    r->files = f->files < UINT32_MAX ? (uint32_t)(f->files + 0.5) : UINT32_MAX;
    r->young = (float)f->young;
    r->files_young = (float)f->files_young;
    if (r->base_ds == UINT32_MAX) {
        // New. Where its file system has been walked before, it has come since then.
        r->base = slot->rounds ? 0 : r->tree;
        r->base_files = slot->rounds ? 0 : r->files;
        r->base_ds = slot->rounds ? (uint32_t)((slot->t_ended - s->t0) * 10) : now_ds;
    }
    uint32_t passed_ds = now_ds - r->base_ds;
    if (passed_ds < BASE_DS_MIN)
        return;
    r->rate = (float)((double)(r->tree - r->base) * 600 / passed_ds);
    r->files_rate = (float)(((double)r->files - r->base_files) * 600 / passed_ds);
    if (passed_ds >= BASE_DS_MAX) {
        r->base = r->tree;
        r->base_files = r->files;
        r->base_ds = now_ds;
    }
}

// What lies on the way to where a round is now: what it has counted there is a lower bound. Where that is more than the last round
// knew (a round that takes long, files that come fast), it is the better number.
void scan__foresee(struct scan *s)
{
    struct scan_frame so_far = {0};
    for (int i = s->walking ? s->depth : 0; i-- > 0;) {
        const struct scan_frame *f = &s->frame[i];
        so_far.tree += f->tree;
        so_far.files += f->files;
        so_far.young += f->young;
        so_far.files_young += f->files_young;
        if (f->own && so_far.tree > s->record[f->dir].tree)
            update_record(s, &s->record[f->dir], &so_far);
    }
}

static void leave(struct scan *s)
{
    struct scan_frame *f = &s->frame[--s->depth];
    close(f->fd);
    s->names_end = f->names;
    if (f->own)
        update_record(s, &s->record[f->dir], f);
    if (s->depth) {
        struct scan_frame *parent = &s->frame[s->depth - 1];
        parent->tree += f->tree;
        parent->files += f->files;
        parent->young += f->young;
        parent->files_young += f->files_young;
        return;
    }
    struct scan_slot *slot = &s->slot[s->at_slot];
    slot->root = f->own ? f->dir : SCAN_NONE;
    slot->total = (struct scan_total){
        .known = true, .bytes = f->tree, .inodes = (int64_t)(slot->running_inodes + 0.5), .missed = slot->running_missed};
    slot->t_ended = s->t;
    slot->oldest = slot->oldest_running;
    slot->young_scale = s->window / scan__window(slot, s->wall); // without births its age shows only now
    slot->rounds++;
}

// --- entries

static bool push_name(struct scan *s, const char *name)
{
    size_t n = strlen(name);
    size_t room = SCAN_NAMES - (size_t)(SCAN_DEPTH - s->depth) * NAME_ROOM;
    if (n > 255 || s->names_end + n + 2 > room)
        return false;
    memcpy(s->names + s->names_end, name, n + 1);
    s->names[s->names_end + n + 1] = (char)(unsigned char)n;
    s->names_end += (uint32_t)n + 2;
    return true;
}

static void count_file(struct scan *s, struct scan_frame *f, const struct scan_stat *st)
{
    struct scan_slot *slot = &s->slot[s->at_slot];
    if (!scan__counts(&slot->mount, st->dev))
        return;
    // Each name carries its share: the sum is right however many names there are, and nothing has to be remembered.
    uint32_t links = st->links ? st->links : 1;
    int64_t bytes = st->bytes / links;
    f->tree += bytes;
    f->files += 1.0 / links;
    // A file grows from its birth to its last change, but it has come at its birth.
    double window = s->window;
    if (!slot->oldest_running || st->mtime < slot->oldest_running)
        slot->oldest_running = st->mtime;
    f->young += scan__young(st, (double)bytes, s->wall, window);
    f->files_young += born(st, 1.0 / links, s->wall, window);
    slot->running_inodes += 1.0 / links;
    s->counted++;
}

// Takes one entry of the buffer. False where there is no room for the name of a directory: the rest is listed later.
static bool take_entry(struct scan *s, struct scan_frame *f, const struct dirent_raw *d)
{
    if (d->name[0] == '.' && (!d->name[1] || (d->name[1] == '.' && !d->name[2])))
        return true;
    bool is_dir = d->type == DT_DIR;
    struct scan_stat st;
    if (!is_dir) {
        int r = scan__stat(&s->no_statx, f->fd, d->name, s->slot[s->at_slot].mount.by_size, &st);
        if (r < 0) {
            if (!is_gone(-r))
                miss(s, &s->progress.unreadable);
            return true;
        }
        is_dir = S_ISDIR(st.mode); // file systems that don't tell the type
    }
    s->progress.entries++;
    if (!is_dir) {
        count_file(s, f, &st);
        return true;
    }
    if (s->depth == SCAN_DEPTH) {
        miss(s, &s->progress.too_deep);
        return true;
    }
    return push_name(s, d->name);
}

// Lists up to n entries. Returns how many were looked at; 0 where listing is over for now.
static unsigned list_some(struct scan *s, struct scan_frame *f, unsigned n)
{
    unsigned done = 0;
    while (done < n) {
        if (s->buf_at == s->buf_have) {
            long got = dirents_read(f->fd, s->buf, sizeof s->buf);
            s->buf_at = s->buf_have = 0;
            if (got <= 0) {
                if (got < 0 && errno != ENOENT)
                    miss(s, &s->progress.unreadable);
                f->listed = true;
                return done;
            }
            s->buf_have = (size_t)got;
        }
        const struct dirent_raw *d = (const void *)(s->buf + s->buf_at);
        if (!take_entry(s, f, d)) {
            f->resume = f->last;
            s->buf_at = s->buf_have = 0;
            return done;
        }
        f->last = d->off;
        s->buf_at += d->reclen;
        done++;
    }
    return done;
}

static void enter_next(struct scan *s, struct scan_frame *f)
{
    size_t n = (unsigned char)s->names[s->names_end - 1];
    const char *name = s->names + s->names_end - 2 - n;
    s->names_end -= (uint32_t)n + 2;
    int fd = kfile_open(f->fd, name, OPEN_DIR);
    if (fd < 0) {
        if (!is_gone(errno))
            miss(s, &s->progress.unreadable);
        return;
    }
    (void)enter(s, fd);
}

// --- rounds

static void begin_round(struct scan *s)
{
    take_changes(s);
    s->walking = true;
    s->at_slot = -1;
    s->round = s->round == UINT8_MAX ? 1 : s->round + 1;
    s->counted = 0;
    s->progress.entries = 0;
    s->progress.unrecorded = s->progress.unreadable = s->progress.too_deep = 0;
}

// On to the next file system. False: there is none.
static bool begin_slot(struct scan *s)
{
    if (s->at_slot >= 0 && s->slot[s->at_slot].set)
        scan__sweep(s, s->at_slot, false);
    while (++s->at_slot < SCAN_MOUNTS) {
        struct scan_slot *slot = &s->slot[s->at_slot];
        if (!slot->set || slot->changed) // changed: from the next round on
            continue;
        slot->running_inodes = slot->running_missed = 0;
        struct scan_stat st;
        if (scan__stat(&s->no_statx, slot->mount.fd, "", false, &st) == 0)
            slot->birth = st.birth;
        slot->oldest_running = 0;
        s->window = scan__window(slot, s->wall);
        int fd = kfile_open(slot->mount.fd, ".", OPEN_DIR);
        if (fd < 0) {
            miss(s, &s->progress.unreadable);
            slot->total.missed = slot->running_missed;
            continue;
        }
        if (enter(s, fd))
            return true;
    }
    return false;
}

static void end_round(struct scan *s)
{
    s->walking = false;
    s->progress.rounds++;
    s->progress.complete = true;
    s->progress.t_round = s->t;
}

static void find_coverage(struct scan *s)
{
    int64_t expected = 0;
    for (int i = 0; i < SCAN_MOUNTS; i++) {
        if (!s->slot[i].set)
            continue;
        if (s->slot[i].mount.inodes <= 0) {
            s->progress.covered = s->walking ? -1 : 1;
            return;
        }
        expected += s->slot[i].mount.inodes;
    }
    double covered = expected ? (double)s->counted / (double)expected : 1;
    s->progress.covered = !s->walking || covered > 1 ? 1 : covered;
}

// One piece of work; returns what it cost, in entries.
static unsigned work(struct scan *s)
{
    if (!s->depth) {
        if (!begin_slot(s))
            end_round(s);
        return 8;
    }
    struct scan_frame *f = &s->frame[s->depth - 1];
    if (!f->listed && f->resume < 0)
        return 1 + list_some(s, f, ENTRIES_PER_CHECK);
    if (s->names_end > f->names) {
        enter_next(s, f);
        return 4;
    }
    if (f->listed) {
        leave(s);
        return 2;
    }
    if (lseek(f->fd, f->resume, SEEK_SET) < 0) {
        miss(s, &s->progress.unreadable);
        f->listed = true;
    }
    f->resume = -1;
    return 1;
}

bool scan_step(struct scan *s, double t, double wall, int64_t budget_us, int64_t (*now_us)(void *arg), void *arg)
{
    if (!s->progress.rounds && !s->walking)
        s->t0 = t;
    s->t = t > s->t0 ? t : s->t0;
    s->wall = wall;
    int64_t start = budget_us > 0 ? now_us(arg) : 0;
    if (!s->walking)
        begin_round(s);
    unsigned since_check = 0;
    while (s->walking) {
        since_check += work(s);
        if (since_check < ENTRIES_PER_CHECK || budget_us <= 0)
            continue;
        since_check = 0;
        if (now_us(arg) - start >= budget_us)
            break;
    }
    find_coverage(s);
    return !s->walking;
}

void scan_progress(const struct scan *s, struct scan_progress *ret)
{
    *ret = s->progress;
}

void scan_total(const struct scan *s, int slot, struct scan_total *ret)
{
    *ret = slot >= 0 && slot < SCAN_MOUNTS && s->slot[slot].set ? s->slot[slot].total : (struct scan_total){0};
}
