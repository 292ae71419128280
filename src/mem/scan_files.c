// SPDX-License-Identifier: Apache-2.0
// Names, read only when somebody asks: the path of a directory by the inode numbers of its ancestors, and the files below one.
// Owns nothing between calls. Every loop is bounded by entries, depth or the caller's maximum.
#include "mem/scan_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/dirents.h"
#include "mem/kfile.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define LOOKUP_ENTRIES_MAX 500000 // entries looked through for one name
#define LOOKUP_STATS_MAX 20000    // of them, by fstatat where d_ino tells nothing (overlays)
#define FILES_DEPTH 12
#define LIST_BUFFER 4096

// The name of a subdirectory by its inode. 0 or -errno.
static int find_name(int dir, uint64_t ino, bool by_stat, char *name, size_t size)
{
    _Alignas(8) char buf[LIST_BUFFER];
    unsigned looked = 0;
    if (lseek(dir, 0, SEEK_SET) < 0)
        return -errno;
    for (;;) {
        long got = dirents_read(dir, buf, sizeof buf);
        if (got <= 0)
            return got < 0 ? -errno : -ENOENT;
        for (long at = 0; at < got;) {
            const struct dirent_raw *d = (const void *)(buf + at);
            at += d->reclen;
            if (++looked > (by_stat ? LOOKUP_STATS_MAX : LOOKUP_ENTRIES_MAX))
                return -E2BIG;
            if ((d->type != DT_DIR && d->type != DT_UNKNOWN) || strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
                continue;
            // What d_ino says is asked again: an overlay's is the number in a layer, which another directory here may have.
            struct stat st;
            if ((!by_stat && d->ino != ino) || fstatat(dir, d->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != ino)
                continue;
            if (strlen(d->name) >= size)
                return -ENAMETOOLONG;
            strcpy(name, d->name);
            return 0;
        }
    }
}

// Opens a record's directory, writing its path beneath the mount where out isn't NULL.
static int descend(struct scan *s, uint32_t id, char *out, size_t size)
{
    uint32_t chain[2 * SCAN_DEPTH];
    int n = 0;
    if (id >= s->n_records || s->record[id].slot == SCAN_FREE)
        return -ENOENT;
    const struct scan_slot *slot = &s->slot[s->record[id].slot];
    if (!slot->set || slot->changed) // its descriptor may be gone
        return -ENOENT;
    for (uint32_t at = id; at < SCAN_DIRS; at = s->record[at].parent) {
        if (n == 2 * SCAN_DEPTH || s->record[at].slot != s->record[id].slot)
            return -ELOOP;
        chain[n++] = at;
    }
    int fd = kfile_open(slot->mount.fd, ".", OPEN_DIR);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    if (out)
        *out = '\0';
    for (int i = n - 2; i >= 0; i--) { // chain[n - 1] is the mount's root
        char name[SCAN_NAME];
        uint64_t ino = s->record[chain[i]].ino;
        int r = find_name(fd, ino, false, name, sizeof name);
        if (r < 0)
            r = find_name(fd, ino, true, name, sizeof name);
        int next = r < 0 ? r : kfile_open(fd, name, OPEN_DIR);
        if (next < 0 && r >= 0)
            next = -errno;
        close(fd);
        if (next < 0)
            return next;
        fd = next;
        if (!out)
            continue;
        size_t m = strlen(name);
        if (length + m + 2 > size) {
            close(fd);
            return -ENAMETOOLONG;
        }
        if (length)
            out[length++] = '/';
        memcpy(out + length, name, m + 1);
        length += m;
    }
    return fd;
}

int scan_path(struct scan *s, uint32_t id, char *out, size_t size)
{
    int fd = descend(s, id, out, size);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int scan_open(struct scan *s, uint32_t id)
{
    return descend(s, id, NULL, 0);
}

struct listing {
    const struct scan_slot *slot;
    bool *no_statx;
    enum scan_by by;
    double wall, window;
    uint32_t left; // entries
    int n, max;
    struct scan_file *file;
    char path[2 * SCAN_NAME];
};

static bool weighs_less(const struct listing *l, const struct scan_file *a, const struct scan_file *b)
{
    return l->by == SCAN_BY_BYTES ? a->bytes < b->bytes : a->growth_per_min < b->growth_per_min;
}

static void keep_file(struct listing *l, const struct scan_file *new)
{
    int i = l->n;
    if (l->n == l->max) {
        if (!weighs_less(l, &l->file[l->n - 1], new))
            return;
        i--;
    } else {
        l->n++;
    }
    for (; i > 0 && weighs_less(l, &l->file[i - 1], new); i--)
        l->file[i] = l->file[i - 1];
    l->file[i] = *new;
}

static void look_at_file(struct listing *l, const struct scan_stat *st)
{
    if (!S_ISREG(st->mode) || !scan__counts(&l->slot->mount, st->dev))
        return;
    struct scan_file new = {
        .bytes = st->bytes,
        .growth_per_min = (int64_t)scan__young(st, (double)st->bytes, l->wall, l->window),
        .age_s = l->wall - st->mtime,
    };
    memcpy(new.path, l->path, sizeof new.path);
    keep_file(l, &new);
}

// Lists the directory fd (closed here), whose path beneath the one asked about is l->path.
static void list_files(struct listing *l, int fd, int depth)
{
    _Alignas(8) char buf[LIST_BUFFER];
    size_t length = strlen(l->path);
    long got;
    while (l->left && (got = dirents_read(fd, buf, sizeof buf)) > 0) {
        for (long at = 0; at < got && l->left; l->left--) {
            const struct dirent_raw *d = (const void *)(buf + at);
            at += d->reclen;
            size_t n = strlen(d->name);
            if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0 || length + n + 2 > sizeof l->path)
                continue;
            struct scan_stat st;
            if (scan__stat(l->no_statx, fd, d->name, l->slot->mount.by_size, &st) < 0)
                continue;
            if (length)
                l->path[length] = '/';
            memcpy(l->path + length + (length > 0), d->name, n + 1);
            if (!S_ISDIR(st.mode)) {
                look_at_file(l, &st);
            } else if (depth < FILES_DEPTH && st.dev == l->slot->mount.dev) {
                int sub = kfile_open(fd, d->name, OPEN_DIR);
                if (sub >= 0)
                    list_files(l, sub, depth + 1);
            }
            l->path[length] = '\0';
        }
    }
    close(fd);
}

int scan_files(struct scan *s, uint32_t id, enum scan_by by, double wall, uint32_t entries_max, int max, struct scan_file *ret)
{
    int fd = scan_open(s, id);
    if (fd < 0)
        return fd;
    const struct scan_slot *slot = &s->slot[s->record[id].slot];
    struct listing l = {
        .slot = slot, .no_statx = &s->no_statx, .by = by, .wall = wall, .left = entries_max, .max = max, .file = ret};
    l.window = scan__window(slot, wall);
    if (max > 0)
        list_files(&l, fd, 0);
    else
        close(fd);
    return l.n;
}
