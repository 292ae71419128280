// SPDX-License-Identifier: Apache-2.0
// Which file systems in memory a container has mounted. Owns the O_PATH descriptors in struct mounts. Invariant: m[0..n) have
// different devices, and fd >= 0 only where the directory opened lies on that device.
#include "mem/mounts.h"

#include "mem/kfile.h"
#include "mem/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *mount_kind_name(enum mount_kind kind)
{
    static const char *const name[] = {[MOUNT_TMPFS] = "tmpfs",     [MOUNT_RAMFS] = "ramfs",       [MOUNT_DEVTMPFS] = "devtmpfs",
                                       [MOUNT_OVERLAY] = "overlay", [MOUNT_HUGETLB] = "hugetlbfs", [MOUNT_SENTRY] = "gVisor"};
    return (size_t)kind < sizeof name / sizeof *name ? name[kind] : "?";
}

// The kernel writes space, tab, newline and backslash as \ooo.
static void unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            char c = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            if (c) { // \000 can't be in a path: leave it as it stands
                *out++ = c;
                s += 3;
                continue;
            }
        }
        *out++ = *s;
    }
    *out = '\0';
}

static char *take_word(char **at)
{
    char *s = *at;
    while (*s == ' ')
        s++;
    if (!*s)
        return NULL;
    char *end = strchr(s, ' ');
    if (end)
        *end++ = '\0';
    else
        end = s + strlen(s);
    *at = end;
    return s;
}

static bool parse_number(const char *s, const char *until, unsigned *ret)
{
    char *end;
    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    unsigned long v = strtoul(s, &end, 10);
    if (errno || v > UINT32_MAX || strncmp(end, until, *until ? 1 : 2) != 0)
        return false;
    *ret = (unsigned)v;
    return true;
}

int mounts_parse_line(char *line, struct mount_line *ret)
{
    char *at = line, *id = take_word(&at), *parent = take_word(&at), *dev = take_word(&at), *root = take_word(&at);
    char *path = take_word(&at), *options = take_word(&at), *word = NULL;
    if (!options)
        return -EINVAL;
    do // optional fields, up to a lone hyphen
        word = take_word(&at);
    while (word && strcmp(word, "-") != 0);
    char *type = word ? take_word(&at) : NULL;
    if (!type)
        return -EINVAL;
    // An empty source leaves two spaces: "- tmpfs  rw".
    char *source = at, *super = at;
    if (*at && *at != ' ')
        source = take_word(&at);
    else if (*at)
        *at++ = '\0';
    super = take_word(&at);
    struct mount_line l = {.root = root, .path = path, .type = type, .source = source, .super = super ? super : at};
    unsigned n_id, n_parent;
    char *colon = strchr(dev, ':');
    if (!parse_number(id, "", &n_id) || !parse_number(parent, "", &n_parent) || !colon || !parse_number(dev, ":", &l.major) ||
        !parse_number(colon + 1, "", &l.minor) || *path != '/')
        return -EINVAL;
    l.id = (int)n_id;
    l.parent = (int)n_parent;
    unescape(l.root);
    unescape(l.path);
    unescape(l.source);
    *ret = l;
    return 0;
}

void mounts_upperdir(const char *super, char *out, size_t size)
{
    *out = '\0';
    const char *s = super;
    while (s && strncmp(s, "upperdir=", 9) != 0)
        s = (s = strchr(s, ',')) ? s + 1 : NULL;
    if (!s)
        return;
    s += 9;
    size_t n = 0;
    // Commas in the path are written as "\,", or "\\," once more by older kernels.
    for (; s[n] && s[n] != ','; n++) {
        if (n + 1 >= size) {
            *out = '\0';
            return;
        }
        out[n] = s[n];
    }
    out[n] = '\0';
    unescape(out);
}

static int open_beneath(int root, const char *path)
{
    const char *relative = path[1] ? path + 1 : ".";
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, root, relative, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL))
        fd = kfile_open(root, relative, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static bool kind_of(const char *type, bool gvisor, enum mount_kind *ret)
{
    static const struct {
        const char *type;
        enum mount_kind kind;
    } known[] = {{"tmpfs", MOUNT_TMPFS},
                 {"ramfs", MOUNT_RAMFS},
                 {"rootfs", MOUNT_RAMFS},
                 {"devtmpfs", MOUNT_DEVTMPFS},
                 {"hugetlbfs", MOUNT_HUGETLB}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(type, known[i].type) == 0) {
            *ret = known[i].kind;
            return true;
        }
    if (gvisor && strcmp(type, "overlay") == 0) {
        *ret = MOUNT_SENTRY;
        return true;
    }
    return false;
}

static struct mount *get_mount(struct mounts *m, dev_t dev, enum mount_kind kind)
{
    for (int i = 0; i < m->n; i++)
        if (m->m[i].dev == dev)
            return &m->m[i];
    if (m->n == MOUNTS_MAX) {
        m->dropped++;
        return NULL;
    }
    struct mount *new = &m->m[m->n++];
    *new = (struct mount){.kind = kind, .dev = dev, .fd = -1, .used = -1, .inodes = -1, .error = EXDEV};
    return new;
}

static void copy_path(char out[static MOUNT_PATH], const char *path)
{
    size_t n = strlen(path);
    if (n < MOUNT_PATH) {
        memcpy(out, path, n + 1);
        return;
    }
    memcpy(out, path, MOUNT_PATH - 5);
    memcpy(out + MOUNT_PATH - 5, "/...", 5);
}

// Is a mountpoint that shows `whole` or a part, at `path`, better to look through than what m has?
static bool is_better(const struct mount *m, bool whole, const char *path)
{
    if (m->fd < 0)
        return true;
    if (m->whole != whole)
        return whole;
    return strlen(path) < strlen(m->path);
}

static void add(struct mounts *m, int root, pid_t pid, const struct mount_line *l, enum mount_kind kind)
{
    struct mount *t = get_mount(m, makedev(l->major, l->minor), kind);
    if (!t)
        return;
    bool whole = strcmp(l->root, "/") == 0;
    if (!t->path[0])
        copy_path(t->path, l->path);
    if ((t->fd >= 0 && t->pid != pid) || !is_better(t, whole, l->path))
        return;
    int fd = open_beneath(root, l->path);
    if (fd < 0) {
        if (t->fd < 0)
            t->error = -fd;
        return;
    }
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_dev != t->dev) { // something else is mounted over it
        close(fd);
        return;
    }
    if (t->fd >= 0)
        close(t->fd);
    t->fd = fd;
    t->pid = pid;
    t->error = 0;
    t->shadowed = false;
    t->dev_real = true;
    t->whole = whole && S_ISDIR(st.st_mode);
    copy_path(t->path, l->path);
}

struct overlay { // an overlay seen, until it is clear what its upper directory lies on
    dev_t dev;
    char path[MOUNT_PATH], upper[MOUNT_PATH * 2];
};
#define OVERLAYS_MAX 8
#define HIDDEN_SLACK (1 << 20) // between two reads of what is in memory

// The mount that a path lies on: the longest mountpoint that it begins with.
struct longest {
    size_t length;
    dev_t dev;
    bool in_memory;
};

static bool is_beneath(const char *path, const char *mountpoint, size_t *ret_length)
{
    size_t n = strlen(mountpoint);
    *ret_length = n;
    return n == 1 || (strncmp(path, mountpoint, n) == 0 && (path[n] == '/' || !path[n]));
}

static void find_upper(int dir, const char *name, char *scratch, size_t size, const struct overlay *o, int n,
                       struct longest *best)
{
    int fd = kfile_open(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    struct lines lines;
    lines_init(&lines, fd, scratch, size);
    char *line;
    struct mount_line l;
    while (lines_next(&lines, &line) > 0) {
        if (mounts_parse_line(line, &l) < 0)
            continue;
        for (int i = 0; i < n; i++) {
            size_t length;
            enum mount_kind kind;
            if (is_beneath(o[i].upper, l.path, &length) && length >= best[i].length)
                best[i] =
                    (struct longest){length, makedev(l.major, l.minor), kind_of(l.type, false, &kind) && kind != MOUNT_HUGETLB};
        }
    }
    close(fd);
}

// The container may have a mount of its own where its host has that of the upper directory. What can't be entered is believed.
static bool is_in_sight(int root, const char *upper, dev_t dev)
{
    int fd = open_beneath(root, upper);
    struct stat st;
    if (fd < 0)
        return fd != -ENOENT && fd != -ENOTDIR;
    bool is = fstat(fd, &st) == 0 && st.st_dev == dev;
    close(fd);
    return is;
}

static int64_t scale(uint64_t blocks, int64_t unit)
{
    int64_t out;
    return blocks > INT64_MAX || __builtin_mul_overflow((int64_t)blocks, unit, &out) ? INT64_MAX : out;
}

// Does an overlay lie on a tmpfs that no mountpoint shows, as a container's root does where the host keeps its writes in memory?
// A directory then has the size that tmpfs gives it, 40 and 20 for each name, and no block; and there isn't more used than shared
// memory in the machine.
static bool lies_on_hidden_tmpfs(int proc, int root, const char *path)
{
    static const struct kfile_key shmem = {STR("Shmem"), 0};
    char buf[4096];
    int64_t in_memory;
    struct stat st;
    struct statfs fs;
    int fd = open_beneath(root, path);
    if (fd < 0)
        return false;
    bool can_be = fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0 && st.st_blocks == 0 && st.st_size >= 40 && st.st_size % 20 == 0 &&
                  fs.f_files > 0 && fs.f_bfree <= fs.f_blocks;
    close(fd);
    ssize_t n = can_be ? kfile_read(proc, "meminfo", buf, sizeof buf) : -1;
    return n > 0 && kfile_keys((struct str){buf, (size_t)n}, &shmem, 1, &in_memory) &&
           scale(fs.f_blocks - fs.f_bfree, fs.f_bsize) <= in_memory + HIDDEN_SLACK;
}

// An overlay's statfs is that of its upper directory. It is counted by itself only where that tmpfs can't be seen.
static void add_overlays(int proc, int proc_pid, int root, pid_t pid, char *scratch, size_t size, struct mounts *m,
                         struct overlay *o, int n)
{
    struct longest best[2][OVERLAYS_MAX] = {0};
    find_upper(proc_pid, "mountinfo", scratch, size, o, n, best[0]);
    find_upper(proc, "self/mountinfo", scratch, size, o, n, best[1]); // its path is one of the host's, where this process may be
    for (int i = 0; i < n; i++) {
        bool seen = false, hidden = false;
        for (int pass = 0; pass < 2; pass++) {
            const struct longest *b = &best[pass][i];
            int j = b->in_memory ? mounts_find_dev(m, b->dev) : -1;
            bool shown = j >= 0 && m->m[j].fd >= 0;
            seen |= shown && (pass || is_in_sight(root, o[i].upper, b->dev));
            hidden |= b->in_memory && !shown;
        }
        if (seen || !(hidden || lies_on_hidden_tmpfs(proc, root, o[i].path)))
            continue;
        char slash[] = "/";
        struct mount_line l = {.major = major(o[i].dev), .minor = minor(o[i].dev), .root = slash, .path = o[i].path};
        add(m, root, pid, &l, MOUNT_OVERLAY);
    }
}

// A mount that comes after another in mountinfo, at its place or above, hides it.
static void mark_shadowed(struct mounts *m, const struct mount_line *l)
{
    size_t length;
    for (int i = 0; i < m->n; i++)
        if (m->m[i].fd < 0 && is_beneath(m->m[i].path, l->path, &length) && m->m[i].dev != makedev(l->major, l->minor))
            m->m[i].shadowed = true;
}

// The kernel's rootfs lies below every other mount: it is of interest only where nothing covers it.
static void drop_covered_root(struct mounts *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->m[i].kind == MOUNT_RAMFS && m->m[i].fd < 0 && strcmp(m->m[i].path, "/") == 0) {
            m->m[i--] = m->m[--m->n];
        }
}

static void keep_descriptors(const struct mounts *old, struct mounts *new)
{
    for (int i = 0; i < new->n; i++) {
        int j = mounts_find_dev(old, new->m[i].dev);
        if (j < 0 || old->m[j].fd < 0 || strcmp(old->m[j].path, new->m[i].path) != 0 || new->m[i].fd < 0)
            continue;
        // The one that others (the walk) have borrowed stays: its number moves to the new table.
        if (dup3(new->m[i].fd, old->m[j].fd, O_CLOEXEC) >= 0) {
            close(new->m[i].fd);
            new->m[i].fd = old->m[j].fd;
        }
    }
}

static bool holds_fd(const struct mounts *m, int fd)
{
    for (int i = 0; i < m->n; i++)
        if (m->m[i].fd == fd)
            return true;
    return false;
}

int mounts_gather(int proc, int proc_pid, int root, bool gvisor, pid_t pid, char *scratch, size_t size, struct mounts *new)
{
    int fd = kfile_open(proc_pid, "mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct overlay overlays[OVERLAYS_MAX];
    int n_overlays = 0, r;
    struct lines lines;
    lines_init(&lines, fd, scratch, size);
    char *line;
    while ((r = lines_next(&lines, &line)) > 0) {
        struct mount_line l;
        enum mount_kind kind;
        if (mounts_parse_line(line, &l) < 0)
            continue;
        mark_shadowed(new, &l);
        if (kind_of(l.type, gvisor, &kind)) {
            add(new, root, pid, &l, kind);
        } else if (strcmp(l.type, "overlay") == 0 && n_overlays < OVERLAYS_MAX) {
            struct overlay *o = &overlays[n_overlays];
            o->dev = makedev(l.major, l.minor);
            copy_path(o->path, l.path);
            mounts_upperdir(l.super, o->upper, sizeof o->upper);
            n_overlays += o->upper[0] != '\0';
        }
    }
    close(fd);
    if (n_overlays)
        add_overlays(proc, proc_pid, root, pid, scratch, size, new, overlays, n_overlays);
    drop_covered_root(new);
    return r < 0 ? r : 0;
}

void mounts_replace(struct mounts *m, struct mounts *new)
{
    keep_descriptors(m, new);
    for (int i = 0; i < m->n; i++)
        if (m->m[i].fd >= 0 && !holds_fd(new, m->m[i].fd))
            close(m->m[i].fd);
    *m = *new;
    mounts_measure(m);
}

int mounts_read(int proc, int proc_pid, int root, bool gvisor, char *scratch, size_t size, struct mounts *m)
{
    struct mounts new = {0};
    int r = mounts_gather(proc, proc_pid, root, gvisor, 0, scratch, size, &new);
    if (r < 0) {
        mounts_close(&new);
        return r;
    }
    mounts_replace(m, &new);
    return 0;
}

bool mounts_is_fuse(int proc_pid, dev_t dev, char *scratch, size_t size)
{
    int fd = kfile_open(proc_pid, "mountinfo", O_RDONLY | O_CLOEXEC);
    bool is = false;
    struct mount_line l;
    struct lines lines;
    char *line;

    if (fd < 0)
        return false;
    lines_init(&lines, fd, scratch, size);
    while (!is && lines_next(&lines, &line) > 0)
        is = mounts_parse_line(line, &l) == 0 && makedev(l.major, l.minor) == dev && strncmp(l.type, "fuse", 4) == 0;
    close(fd);
    return is;
}

void mounts_init(struct mounts *m)
{
    *m = (struct mounts){0};
}

void mounts_close(struct mounts *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->m[i].fd >= 0)
            close(m->m[i].fd);
    *m = (struct mounts){0};
}

void mounts_measure(struct mounts *m)
{
    for (int i = 0; i < m->n; i++) {
        struct mount *t = &m->m[i];
        struct statfs st;
        if (t->fd < 0)
            continue;
        if (fstatfs(t->fd, &st) < 0) {
            t->error = errno;
            continue;
        }
        int64_t unit = st.f_frsize > 0 ? st.f_frsize : st.f_bsize;
        t->error = 0;
        if (t->kind == MOUNT_RAMFS && st.f_type == TMPFS_MAGIC) // a rootfs made of tmpfs
            t->kind = MOUNT_TMPFS;
        // size=0 mounts have no blocks to count; ramfs neither.
        t->sized = st.f_blocks > 0 && st.f_bfree <= st.f_blocks && unit > 0;
        if (t->sized) {
            t->used = scale(st.f_blocks - st.f_bfree, unit);
            t->size = scale(st.f_blocks, unit);
        } else {
            t->size = 0;
        }
        bool counted = st.f_files > 0 && st.f_ffree <= st.f_files;
        if (counted)
            t->inodes = (int64_t)(st.f_files - st.f_ffree);
        t->max_inodes = counted ? (int64_t)st.f_files : 0;
    }
}

int mounts_find_dev(const struct mounts *m, dev_t dev)
{
    for (int i = 0; i < m->n; i++)
        if (m->m[i].dev == dev)
            return i;
    return -1;
}
