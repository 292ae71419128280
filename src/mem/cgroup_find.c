// SPDX-License-Identifier: Apache-2.0
// Which memory cgroup a process is in. Owns the descriptors in struct mem_roots and struct mem_where; keeps nothing itself.
//
// The kernel tells two things that must fit together: PID/cgroup (the path in the hierarchy) and mountinfo (which part of the
// hierarchy is mounted where). In a private cgroup namespace, or one inherited from outside, they don't: then the mountpoint
// itself is tried. Of all candidates the one that really has memory.* files and lists the process wins.
// Invariant: a group that can't be shown to be the process's own is never taken for it.
#include "mem/cgroup_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/kfile.h"
#include "mem/lines.h"
#include "mem/mounts.h"

#define SYS_CGROUP "/sys/fs/cgroup"
#define SCRATCH 16384
#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

const char *mem_kind_name(enum mem_kind kind)
{
    static const char *const names[] = {"machine", "v1", "v2", "gvisor"};

    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "machine";
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int mem_roots_open(const char *proc, const char *cgroup, struct mem_roots *ret)
{
    int fd = open(proc ? proc : "/proc", DIR_FLAGS);
    if (fd < 0)
        return -errno;
    *ret = (struct mem_roots){.proc = fd, .cgroup = open(cgroup ? cgroup : SYS_CGROUP, DIR_FLAGS), .root = -1};
    return 0;
}

static void pid_file(pid_t pid, const char *file, char name[64])
{
    if (pid > 0)
        snprintf(name, 64, "%d/%s", (int)pid, file);
    else
        snprintf(name, 64, "self/%s", file);
}

// Does the process have our mounts and our root? mountinfo is open to everybody, PID/root and PID/ns to few; its first column, the
// mounts' ids, is another in each namespace, and what lies outside of a process's root is not in it.
static bool has_our_mounts(int proc, pid_t pid)
{
    char name[64], theirs[4096], ours[sizeof theirs];
    ssize_t n = -1, m = -1;
    bool any = false;

    pid_file(pid, "mountinfo", name);
    int their_fd = kfile_open(proc, name, O_RDONLY | O_CLOEXEC), our_fd = kfile_open(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    while (their_fd >= 0 && our_fd >= 0) {
        n = read(their_fd, theirs, sizeof theirs);
        m = read(our_fd, ours, sizeof ours);
        if (n <= 0 || m != n || memcmp(theirs, ours, (size_t)n) != 0)
            break;
        any = true;
    }
    close_fd(&their_fd);
    close_fd(&our_fd);
    return any && n == 0 && m == 0;
}

int mem_roots_enter(struct mem_roots *roots, const char *path, pid_t pid)
{
    char name[64];

    pid_file(pid, "root", name);
    int fd = path ? open(path, DIR_FLAGS) : kfile_open(roots->proc, name, DIR_FLAGS);
    int r = fd < 0 ? -errno : 0;
    if (r == -EACCES && !path && pid > 0 && has_our_mounts(roots->proc, pid)) {
        fd = kfile_open(roots->proc, "self/root", DIR_FLAGS);
        r = fd < 0 ? -errno : 0;
    }
    if (r)
        return r;
    close_fd(&roots->root);
    roots->root = fd;
    return 0;
}

void mem_roots_close(struct mem_roots *roots)
{
    close_fd(&roots->proc);
    close_fd(&roots->cgroup);
    close_fd(&roots->root);
}

static bool has_file(int dir, const char *name)
{
    return faccessat(dir, name, F_OK, 0) == 0 || errno == EACCES;
}

// Where a process is in the hierarchies: the lines of PID/cgroup. "" where it isn't told.
struct membership {
    char v1[MEM_PATH], v2[MEM_PATH];
};

static bool names_controller(const char *list, const char *name)
{
    struct str rest = str_from(list), one;

    while (str_next(&rest, ',', &one))
        if (str_eq(one, str_from(name)))
            return true;
    return false;
}

static void read_membership(int proc, pid_t pid, const char *controller, char *scratch, struct membership *m)
{
    char name[64], *line;
    struct lines lines;

    *m = (struct membership){0};
    pid_file(pid, "cgroup", name);
    int fd = kfile_open(proc, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    lines_init(&lines, fd, scratch, SCRATCH);
    while (lines_next(&lines, &line) > 0) { // ID:controllers:path
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path || path[1] != '/' || strlen(path + 1) >= MEM_PATH)
            continue;
        *list++ = *path++ = '\0';
        if (!*list && !*m->v2)
            strcpy(m->v2, path);
        else if (names_controller(list, controller) && !*m->v1)
            strcpy(m->v1, path);
    }
    close(fd);
}

// path without root in front: "" for root itself. NULL where path doesn't lie beneath it.
static const char *strip_root(const char *path, const char *root)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

    if (!*path || strncmp(path, root, n) != 0 || (path[n] && path[n] != '/'))
        return NULL;
    path += n;
    while (*path == '/')
        path++;
    for (const char *at = path; at; at = strchr(at, '/')) { // "/../x": beside what is mounted here
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (!at[2] || at[2] == '/'))
            return NULL;
    }
    return path;
}

// True if cgroup.procs has the process.
static bool lists_process(int dir, int proc, pid_t pid, char *scratch)
{
    char self[32], *line;
    bool found = false;
    struct lines lines;

    if (pid <= 0) { // a pid as the processes of this /proc see it
        ssize_t n = readlinkat(proc, "self", self, sizeof self - 1);
        self[n > 0 ? n : 0] = '\0';
    } else {
        snprintf(self, sizeof self, "%d", (int)pid);
    }
    int fd = *self ? kfile_open(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    lines_init(&lines, fd, scratch, SCRATCH);
    while (!found && lines_next(&lines, &line) > 0)
        found = strcmp(line, self) == 0;
    close(fd);
    return found;
}

static pid_t first_process(int dir)
{
    char text[4096];
    struct str line, rest = {text, 0};
    int64_t pid;

    ssize_t n = kfile_read(dir, "cgroup.procs", text, sizeof text);
    rest.n = n > 0 ? (size_t)n : 0;
    while (kfile_line(&rest, &line)) // 0: a process outside of our pid namespace
        if (kfile_number(line, false, &pid) && pid > 0 && pid <= INT32_MAX)
            return (pid_t)pid;
    return 0;
}

// A controller and files by which its groups are known.
struct controller {
    const char *name, *v1[2], *v2[2];
};
static const struct controller memory = {
    "memory", {"memory.usage_in_bytes", "memory.limit_in_bytes"}, {"memory.current", "memory.max"}};
static const struct controller cpu = {"cpu", {"cpu.cfs_quota_us", "cpu.cfs_period_us"}, {"cpu.max", "cpu.max"}};

// Which kind of group dir is; MEM_KIND_MACHINE: none, or the root of v2, which counts nothing of its own.
static enum mem_kind kind_of(const struct controller *c, int dir, bool *ret_top)
{
    *ret_top = has_file(dir, "release_agent"); // a file of v1's root only
    if (has_file(dir, c->v1[0]) || has_file(dir, c->v1[1]))
        return MEM_KIND_V1;
    if (has_file(dir, c->v2[0]) || has_file(dir, c->v2[1]))
        return MEM_KIND_V2;
    return MEM_KIND_MACHINE;
}

// Opens rel beneath mount and, nearest first, what lies between. 0 or -errno.
static int open_levels(int mount, const char *rel, struct mem_where *w)
{
    char path[MEM_PATH];

    if (strlen(rel) >= sizeof path)
        return -ENAMETOOLONG;
    strcpy(path, rel);
    w->dir = kfile_open(mount, *path ? path : ".", DIR_FLAGS);
    if (w->dir < 0)
        return -errno;
    while (*path && w->levels < MEM_LEVELS) {
        char *slash = strrchr(path, '/');
        *(slash ? slash : path) = '\0';
        int fd = kfile_open(mount, *path ? path : ".", DIR_FLAGS);
        if (fd >= 0)
            w->level[w->levels++] = fd;
    }
    return 0;
}

static void init_where(struct mem_where *w, pid_t pid)
{
    *w = (struct mem_where){.kind = MEM_KIND_MACHINE, .pid = pid, .dir = -1};
}

void mem_where_close(struct mem_where *w)
{
    close_fd(&w->dir);
    for (int i = 0; i < w->levels; i++)
        close_fd(&w->level[i]);
    w->levels = 0;
}

static void settle(struct mem_where *w, const char *mountpoint, const char *rel)
{
    struct stat st;
    size_t n = strlen(mountpoint) + 1 + strlen(rel), cut = n >= sizeof w->path ? n - sizeof w->path + 4 : 0;
    char whole[2 * MEM_PATH];

    w->ino = w->dir >= 0 && fstat(w->dir, &st) == 0 ? st.st_ino : 0;
    snprintf(whole, sizeof whole, "%s%s%s", mountpoint, *rel ? "/" : "", rel);
    if (cut > strlen(whole))
        cut = strlen(whole);
    snprintf(w->path, sizeof w->path, "%s%.*s", cut ? "..." : "", (int)sizeof w->path - 4, whole + cut);
}

// What is searched for, and the best found so far.
struct search {
    const struct controller *controller;
    int proc;
    pid_t pid;
    struct membership in;
    struct mem_where best;
    int score;
    char *scratch; // 2 * SCRATCH
};

// A mount table and where its paths can be opened.
struct view {
    int cgroup; // what stands for /sys/fs/cgroup; -1: that is opened beneath root like the rest
    char mountinfo[64], root[64];
};

static int open_mountpoint(int proc, const struct view *v, const char *path)
{
    size_t n = strlen(SYS_CGROUP);

    if (v->cgroup >= 0 && strncmp(path, SYS_CGROUP, n) == 0 && (!path[n] || path[n] == '/'))
        return kfile_open(v->cgroup, path[n] && path[n + 1] ? path + n + 1 : ".", DIR_FLAGS);
    int root = kfile_open(proc, v->root, DIR_FLAGS);
    if (root < 0)
        return -1;
    int fd = kfile_open(root, path[1] ? path + 1 : ".", DIR_FLAGS);
    close(root);
    return fd;
}

// How well a candidate fits; 0: not at all.
static int judge_candidate(struct search *s, struct mem_where *w, bool stripped)
{
    w->kind = kind_of(s->controller, w->dir, &w->top);
    if (w->kind == MEM_KIND_MACHINE)
        return 0;
    w->verified = lists_process(w->dir, s->proc, s->pid, s->scratch + SCRATCH);
    // A mountpoint whose relation to the process isn't known: our own group may be taken for it, another's not.
    if (!stripped && !w->verified && s->pid > 0)
        return 0;
    return 1 + (w->verified ? 4 : 0) + (stripped ? 2 : 0) + (w->top ? 0 : 1);
}

static void try_candidate(struct search *s, const struct view *v, const char *mountpoint, const char *rel)
{
    struct mem_where w;

    init_where(&w, s->pid);
    int mount = open_mountpoint(s->proc, v, mountpoint);
    if (mount < 0)
        return;
    int r = open_levels(mount, rel ? rel : "", &w);
    if (r < 0 && rel) { // the path is one that isn't visible here
        rel = NULL;
        r = open_levels(mount, "", &w);
    }
    close(mount);
    int got = r < 0 ? 0 : judge_candidate(s, &w, rel != NULL);
    if (got <= s->score) {
        mem_where_close(&w);
        return;
    }
    settle(&w, mountpoint, rel ? rel : "");
    s->score = got;
    mem_where_close(&s->best);
    s->best = w;
}

static void search_view(struct search *s, const struct view *v)
{
    struct lines lines;
    struct mount_line m;
    char *line;

    int fd = kfile_open(s->proc, v->mountinfo, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    lines_init(&lines, fd, s->scratch, SCRATCH);
    while (lines_next(&lines, &line) > 0) {
        if (mounts_parse_line(line, &m) < 0)
            continue;
        bool v2 = strcmp(m.type, "cgroup2") == 0;
        if (v2 || (strcmp(m.type, "cgroup") == 0 && names_controller(m.super, s->controller->name)))
            try_candidate(s, v, m.path, strip_root(v2 ? s->in.v2 : s->in.v1, m.root));
    }
    close(fd);
}

static void search_group(struct search *s, const struct mem_roots *roots)
{
    struct view own = {roots->cgroup, "self/mountinfo", "self/root"}, its = {.cgroup = -1};

    init_where(&s->best, s->pid);
    read_membership(s->proc, s->pid, s->controller->name, s->scratch, &s->in);
    search_view(s, &own);
    if (s->pid > 0 && !s->best.verified) { // what that process has mounted may be its own group, as with a sidecar
        pid_file(s->pid, "mountinfo", its.mountinfo);
        pid_file(s->pid, "root", its.root);
        search_view(s, &its);
    }
}

// gVisor's sentry shows a Linux of its own making: a fixed date of build, no slab in meminfo, no vmstat.
static bool is_gvisor(int proc, char *scratch)
{
    if (kfile_read(proc, "version", scratch, SCRATCH) > 0 &&
        (strstr(scratch, "gVisor") || strstr(scratch, "Sun Jan 10 15:06:54 PST 2016")))
        return true;
    if (has_file(proc, "sentry-meminfo"))
        return true;
    return kfile_read(proc, "meminfo", scratch, SCRATCH) > 0 && strstr(scratch, "MemTotal:") && !strstr(scratch, "\nSlab:") &&
           !has_file(proc, "vmstat") && !has_file(proc, "pressure");
}

// v1 shows a process that has ended and isn't reaped yet as one of the root group: the whole machine would be looked at.
static bool has_ended(int proc, pid_t pid)
{
    char name[64], text[1024];
    pid_file(pid, "stat", name);
    const char *end = kfile_read(proc, name, text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    return end && (strncmp(end, ") Z", 3) == 0 || strncmp(end, ") X", 3) == 0);
}

int mem_where_find(const struct mem_roots *roots, pid_t pid, struct mem_where *ret)
{
    struct stat st;
    char name[64];
    struct search s = {.controller = &memory, .proc = roots->proc, .pid = pid, .scratch = NULL};

    pid_file(pid, ".", name);
    if (pid > 0 && fstatat(roots->proc, name, &st, 0) < 0)
        return errno == ENOENT || errno == ENOTDIR ? -ESRCH : -errno;
    s.scratch = malloc(2 * SCRATCH);
    if (!s.scratch)
        return -ENOMEM;
    search_group(&s, roots);
    if (is_gvisor(roots->proc, s.scratch))
        s.best.kind = MEM_KIND_GVISOR;
    free(s.scratch);
    if (pid > 0 && has_ended(roots->proc, pid)) { // asked last: what was read is that of a living process
        mem_where_close(&s.best);
        return -ESRCH;
    }
    *ret = s.best;
    return 0;
}

// Takes dir over: a group with memory files it must be.
static int take_path(struct mem_where *w, const char *mountpoint, const char *rel, struct mem_where *ret)
{
    w->kind = kind_of(&memory, w->dir, &w->top);
    if (w->kind == MEM_KIND_MACHINE) {
        mem_where_close(w);
        return -EINVAL;
    }
    w->pid = first_process(w->dir);
    settle(w, mountpoint, rel);
    *ret = *w;
    return 0;
}

int mem_where_path(const struct mem_roots *roots, const char *path, struct mem_where *ret)
{
    static const char *const below[] = {".", "memory", "unified"};
    size_t n = strlen(SYS_CGROUP);
    struct mem_where w;
    char at[64];
    int result = -ENOENT;

    init_where(&w, 0);
    if (strncmp(path, SYS_CGROUP, n) == 0 && (!path[n] || path[n] == '/')) {
        path += n;
    } else if (*path == '/' && (w.dir = open(path, DIR_FLAGS)) >= 0) { // mounted elsewhere: the caller's own name for it
        return take_path(&w, path, "", ret);
    }
    while (*path == '/')
        path++;
    if (strlen(path) >= MEM_PATH)
        return -ENAMETOOLONG;
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        init_where(&w, 0);
        int mount = roots->cgroup < 0 ? -1 : kfile_open(roots->cgroup, below[i], DIR_FLAGS);
        if (mount < 0)
            continue;
        int r = open_levels(mount, path, &w);
        close(mount);
        snprintf(at, sizeof at, SYS_CGROUP "%s%s", i ? "/" : "", i ? below[i] : "");
        r = r < 0 ? r : take_path(&w, at, path, ret);
        if (r == 0)
            return 0;
        mem_where_close(&w);
        if (r != -ENOENT && result != -EINVAL)
            result = r;
    }
    return result;
}

// CPUs that one group's quota comes to; 0: none.
static double quota_of(int dir, enum mem_kind kind)
{
    char text[128];
    struct str word, rest = {text, 0};
    int64_t quota, period;

    ssize_t n = kfile_read(dir, kind == MEM_KIND_V2 ? "cpu.max" : "cpu.cfs_quota_us", text, sizeof text);
    rest.n = n > 0 ? (size_t)n : 0;
    if (!kfile_word(&rest, &word) || !kfile_number(word, false, &quota)) // "max", "-1"
        return 0;
    if (kind == MEM_KIND_V1) {
        n = kfile_read(dir, "cpu.cfs_period_us", text, sizeof text);
        rest = (struct str){text, n > 0 ? (size_t)n : 0};
    }
    if (!kfile_word(&rest, &word) || !kfile_number(word, false, &period) || quota <= 0 || period <= 0)
        return 0;
    return (double)quota / (double)period;
}

// The lines "cpuN" of /proc/stat; 0 where there is none.
static unsigned count_cpus(int proc, char *scratch)
{
    struct lines lines;
    unsigned n = 0;
    char *line;

    int fd = kfile_open(proc, "stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    lines_init(&lines, fd, scratch, SCRATCH);
    while (n < 65536 && lines_next(&lines, &line) > 0)
        n += strncmp(line, "cpu", 3) == 0 && line[3] >= '0' && line[3] <= '9';
    close(fd);
    return n;
}

static unsigned allowed_cpus(int proc, pid_t pid, char *scratch)
{
    struct lines lines;
    unsigned n = 0;
    char name[64], *line;

    pid_file(pid, "status", name);
    int fd = kfile_open(proc, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    lines_init(&lines, fd, scratch, SCRATCH);
    while (!n && lines_next(&lines, &line) > 0)
        if (strncmp(line, "Cpus_allowed_list:", 18) == 0)
            n = kfile_cpu_list(str_from(line + 18));
    close(fd);
    return n;
}

void mem_cpus(const struct mem_roots *roots, pid_t pid, struct mem_cpus *ret)
{
    struct search s = {.controller = &cpu, .proc = roots->proc, .pid = pid, .scratch = malloc(2 * SCRATCH)};

    *ret = (struct mem_cpus){.usable = 1};
    if (!s.scratch)
        return;
    ret->online = count_cpus(roots->proc, s.scratch);
    ret->allowed = allowed_cpus(roots->proc, pid, s.scratch);
    search_group(&s, roots);
    for (int i = -1; s.best.kind != MEM_KIND_MACHINE && i < s.best.levels; i++) {
        double quota = quota_of(i < 0 ? s.best.dir : s.best.level[i], s.best.kind);
        if (quota > 0 && (ret->quota == 0 || quota < ret->quota))
            ret->quota = quota;
    }
    mem_where_close(&s.best);
    free(s.scratch);
    double usable = ret->allowed ? ret->allowed : ret->online;
    if (ret->quota > 0 && (usable == 0 || ret->quota < usable))
        usable = ret->quota;
    if (usable > 0)
        ret->usable = usable < 0.01 ? 0.01 : usable;
}
