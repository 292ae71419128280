// SPDX-License-Identifier: Apache-2.0
// The eye's files in memory: which mounts are walked, how the walk's slots follow them, and the directories worth naming. Owns no
// descriptors. Invariant: a slot of the walk belongs to one device as long as that is mounted, wherever it stands in mounts.
#include "mem/eye_int.h"

#include "mem/kfile.h"
#include "mem/proc_roles.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define NAMED_SHARE 0.1 // of the whole, to be named
#define FILES_ENTRIES_MAX 200000
#define WALK_EVERY_S 15.0  // from the end of one round to the next where it is small
#define INFER_WITHIN_S 3.0 // a longer walk can't be compared with statvfs at its end

// The device of files that come from the container's image, by a few that every image has some of.
static dev_t image_dev(const struct eye *e, int proc_pid)
{
    static const char *const files[] = {"usr/lib/os-release", "bin/busybox",  "usr/bin/env",      "usr/bin/bash",
                                        "usr/bin/tail",       "etc/services", "usr/sbin/nologin", "lib/ld-musl-x86_64.so.1"};
    dev_t dev[sizeof files / sizeof *files + 1];
    int n = 0, best = 0;
    dev_t ret = 0;
    struct stat st;
    if (kfile_stat(proc_pid, "exe", &st) == 0)
        dev[n++] = st.st_dev;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (fstatat(e->roots.root, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            dev[n++] = st.st_dev;
    for (int i = 0; i < n; i++) {
        int same = 0;
        for (int j = 0; j < n; j++)
            same += dev[j] == dev[i];
        if (same > best) {
            best = same;
            ret = dev[i];
        }
    }
    return ret;
}

static bool describe(const struct eye *e, const struct mount *m, int proc_pid, struct scan_mount *ret)
{
    struct stat st;
    if (m->fd < 0 || m->kind == MOUNT_HUGETLB || (fstat(m->fd, &st) == 0 && !S_ISDIR(st.st_mode))) // a file bound into place
        return false;
    *ret = (struct scan_mount){.fd = m->fd, .dev = m->dev, .by_size = m->kind == MOUNT_RAMFS};
    ret->inodes = m->whole && m->inodes > 0 ? m->inodes : 0;
    if (m->kind == MOUNT_OVERLAY || m->kind == MOUNT_SENTRY) {
        ret->overlay = true;
        ret->inodes = 0;
        ret->skip_dev = image_dev(e, proc_pid);
        return ret->skip_dev && ret->skip_dev != m->dev; // else image and upper directory can't be told apart
    }
    return true;
}

void eye__share_mounts(struct eye *e, int proc_pid)
{
    for (int s = 0; s < SCAN_MOUNTS; s++)
        if (e->slot_dev[s] && mounts_find_dev(&e->mounts, e->slot_dev[s]) < 0) {
            scan_unset_mount(e->scan, s);
            e->slot_dev[s] = 0;
        }
    for (int i = 0; i < e->mounts.n; i++) {
        struct scan_mount mount;
        e->slot[i] = -1;
        if (!describe(e, &e->mounts.m[i], proc_pid, &mount))
            continue;
        int free_slot = -1;
        for (int s = 0; s < SCAN_MOUNTS && e->slot[i] < 0; s++) {
            if (e->slot_dev[s] == mount.dev)
                e->slot[i] = s;
            else if (!e->slot_dev[s] && free_slot < 0)
                free_slot = s;
        }
        if (e->slot[i] < 0)
            e->slot[i] = free_slot;
        if (e->slot[i] < 0)
            continue;
        e->slot_dev[e->slot[i]] = mount.dev;
        scan_set_mount(e->scan, e->slot[i], &mount);
    }
}

void eye__use_walked(struct eye *e)
{
    for (int i = 0; i < e->mounts.n; i++) {
        struct mount *m = &e->mounts.m[i];
        struct scan_total total;
        if (e->slot[i] < 0)
            continue;
        scan_total(e->scan, e->slot[i], &total);
        if (!total.known)
            continue;
        if (!m->sized)
            m->used = total.bytes;
        if (!m->max_inodes)
            m->inodes = total.inodes;
    }
}

// What statvfs counts beyond what was walked: deleted files still open, if the walk was quick and saw everything.
static void infer_deleted(struct eye *e, double t)
{
    int64_t sum = 0;
    e->inferred_deleted = -1;
    if (t - e->round_began > INFER_WITHIN_S)
        return;
    mounts_measure(&e->mounts);
    eye__use_walked(e);
    for (int i = 0; i < e->mounts.n; i++) {
        const struct mount *m = &e->mounts.m[i];
        struct scan_total total;
        if (e->slot[i] < 0 || !m->sized || !m->whole)
            continue;
        scan_total(e->scan, e->slot[i], &total);
        if (!total.known || total.missed)
            return;
        int64_t gap = m->used - total.bytes;
        sum += gap > m->used / 100 ? gap : 0;
    }
    e->inferred_deleted = sum;
}

bool eye__walk(struct eye *e, double t, int64_t budget_us)
{
    if (e->walk_idle) {
        if (e->walk_t >= 0 && t - e->walk_t < WALK_EVERY_S)
            return true;
        e->walk_idle = false;
        e->round_began = t;
    }
    bool done = scan_step(e->scan, t, t + (double)e->options.epoch_s, budget_us, e->options.now_us, e->options.clock_arg);
    if (!done)
        return false;
    e->walk_idle = true;
    e->walk_t = t;
    infer_deleted(e, t);
    return true;
}

bool eye_walk(struct eye *e, double t, int64_t budget_us)
{
    if (e->walk_idle)
        e->walk_t = -1; // asked for: at once
    return eye__walk(e, t, budget_us);
}

void eye_progress(const struct eye *e, struct scan_progress *ret)
{
    scan_progress(e->scan, ret);
}

// --- directories

static int mount_of_slot(const struct eye *e, int slot)
{
    for (int i = 0; i < e->mounts.n; i++)
        if (e->slot[i] == slot)
            return i;
    return -1;
}

// Names are anybody's: nothing that a terminal would obey.
static void clean(char *s, size_t size)
{
    char was[2 * SCAN_NAME]; // the longest of them
    size_t n = strnlen(s, size < sizeof was ? size : sizeof was);

    memcpy(was, s, n);
    proc_roles_clean(was, n, s, n < size ? n + 1 : size);
}

static bool fill_dir(struct eye *e, const struct scan_dir *d, struct eye_dir *ret)
{
    int mount = mount_of_slot(e, d->mount);
    if (mount < 0)
        return false;
    const char *base = e->mounts.m[mount].path;
    char path[1024];
    int r = scan_path(e->scan, d->id, path, sizeof path);
    if (r < 0)
        return false; // gone, or no name was found
    *ret = (struct eye_dir){.mount = mount,
                            .id = d->id,
                            .bytes = d->bytes,
                            .files = d->files,
                            .growth_per_min = d->growth_per_min,
                            .files_per_min = d->files_per_min,
                            .growth_from_ages = d->from_ages};
    size_t n = strlen(base), m = strlen(path), room = sizeof ret->path;
    if (n == 1 && m)
        n = 0; // "/" + "app"
    memcpy(ret->path, base, n);
    if (m) {
        if (n + m + 2 > room) { // the end of a long path says more than its middle
            memcpy(ret->path + n, "/...", 4);
            n += 4;
            size_t skip = n + m + 1 - room + 1;
            memcpy(ret->path + n, path + skip, m - skip + 1);
        } else {
            ret->path[n] = '/';
            memcpy(ret->path + n + 1, path, m + 1);
        }
    } else {
        ret->path[n] = '\0';
    }
    clean(ret->path, sizeof ret->path);
    return true;
}

int eye_dirs(struct eye *e, enum scan_by by, int max, struct eye_dir *ret)
{
    struct scan_dir top[EYE_DIRS];
    int n = scan_top(e->scan, -1, by, NAMED_SHARE, max < EYE_DIRS ? max : EYE_DIRS, top), found = 0;
    for (int i = 0; i < n; i++)
        found += fill_dir(e, &top[i], &ret[found]);
    return found;
}

static bool comes_before(const struct eye_dir *a, const struct eye_dir *b, enum scan_by by)
{
    return by == SCAN_BY_GROWTH ? a->growth_per_min > b->growth_per_min : a->bytes > b->bytes;
}

static void add_to(struct eye_dir *whole, const struct eye_dir *part)
{
    whole->bytes += part->bytes;
    whole->files += part->files;
    if (part->growth_per_min == INT64_MIN)
        return;
    bool known = whole->growth_per_min != INT64_MIN;
    whole->growth_per_min = (known ? whole->growth_per_min : 0) + part->growth_per_min;
    whole->files_per_min = (known ? whole->files_per_min : 0) + part->files_per_min;
}

int eye_dirs_merge(struct eye_dir *dirs, int n, const char *place, enum scan_by by)
{
    size_t length = strlen(place);
    int kept = 0, whole = -1;

    if (place[0] != '/' || length < 2 || length >= sizeof dirs->path)
        return n;
    for (int i = 0; i < n; i++) {
        bool below = !strncmp(dirs[i].path, place, length) && (dirs[i].path[length] == '/' || !dirs[i].path[length]);
        if (below && whole >= 0) {
            add_to(&dirs[whole], &dirs[i]);
            continue;
        }
        if (kept != i)
            dirs[kept] = dirs[i];
        if (below) {
            whole = kept;
            memcpy(dirs[kept].path, place, length + 1);
        }
        kept++;
    }
    for (; whole > 0 && comes_before(&dirs[whole], &dirs[whole - 1], by); whole--) {
        struct eye_dir before = dirs[whole - 1];
        dirs[whole - 1] = dirs[whole];
        dirs[whole] = before;
    }
    return kept;
}

int eye_files(struct eye *e, uint32_t dir, enum scan_by by, int max, struct scan_file *ret)
{
    int n = scan_files(e->scan, dir, by, e->sample.t + (double)e->options.epoch_s, FILES_ENTRIES_MAX, max, ret);
    for (int i = 0; i < n; i++)
        clean(ret[i].path, sizeof ret[i].path);
    return n;
}

// --- the ledger

static int add_unique(struct eye *e, const struct scan_dir *d, struct eye_dir *dirs, int n)
{
    for (int i = 0; i < n; i++)
        if (dirs[i].id == d->id)
            return n;
    return n < EYE_DIRS && fill_dir(e, d, &dirs[n]) ? n + 1 : n;
}

void eye_ledger(struct eye *e, struct ledger *ret)
{
    struct eye_dir dirs[EYE_DIRS];
    struct scan_dir top[EYE_DIRS];
    struct scan_total walked[MOUNTS_MAX] = {0};
    struct scan_progress progress;
    struct eye_view view;
    int n = 0;
    scan_progress(e->scan, &progress);
    for (int i = 0; i < e->mounts.n; i++) {
        struct scan_dir root;
        uint32_t id = SCAN_NONE;
        if (e->slot[i] >= 0) {
            scan_total(e->scan, e->slot[i], &walked[i]);
            id = scan_root(e->scan, e->slot[i]);
        }
        if (scan_get(e->scan, id, &root))
            n = add_unique(e, &root, dirs, n);
        // Of each mount, for its own biggest are of interest beside a bigger mount's.
        for (int by = 0; id != SCAN_NONE && by < 2; by++) {
            int m = scan_top(e->scan, e->slot[i], (enum scan_by)by, NAMED_SHARE, 10, top);
            for (int j = 0; j < m; j++)
                n = add_unique(e, &top[j], dirs, n);
        }
    }
    eye_view(e, &view);
    ledger_build(&(struct ledger_input){.sample = view.sample,
                                        .procs = view.procs,
                                        .nprocs = view.nprocs,
                                        .procs_dropped = view.procs_dropped,
                                        .pss_fresh = e->pss_fresh,
                                        .anon_moved = e->anon_moved,
                                        .sight = view.sight,
                                        .gvisor = e->gvisor,
                                        .ncpus = e->ncpus,
                                        .mounts = &e->mounts,
                                        .walked = walked,
                                        .complete = progress.complete,
                                        .dirs = dirs,
                                        .n_dirs = n,
                                        .segments = view.segments},
                 ret);
}
