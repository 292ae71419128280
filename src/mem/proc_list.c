// SPDX-License-Identifier: Apache-2.0
// Pids of a cgroup or of /proc. Owns descriptors of cgroup.procs files and of the children's directories. Invariant: pids ascend,
// none comes twice, at most PROC_LIST_MAX; group[0] is the group asked about, its directory borrowed.
#include "mem/proc_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/kfile.h"

#define TEXT_MAX (192u << 10) // as text: more than PROC_LIST_MAX pids
#define RESCAN_ROUNDS 16      // file systems that don't count subdirectories in st_nlink (fake trees on overlayfs)

struct group {
    int dir, procs;
    nlink_t links;
};

struct proc_list {
    int proc; // for reading its entries; -1 where a cgroup is meant
    int32_t n, dropped, n_groups;
    uint32_t round;
    size_t text_n;   // of the last round
    uint64_t digest; // of its text
    bool first;
    struct group group[PROC_LIST_GROUPS];
    pid_t pids[PROC_LIST_MAX];
    char text[TEXT_MAX];
};

static void close_children(struct proc_list *l)
{
    for (; l->n_groups > 1; l->n_groups--) {
        close(l->group[l->n_groups - 1].procs);
        close(l->group[l->n_groups - 1].dir);
    }
}

// Calls fn with the name of each entry of a directory that isn't hidden.
static int each_entry(int dir, int (*fn)(void *arg, const char *name, unsigned char type), void *arg)
{
    char raw[8192] __attribute__((aligned(16)));
    ssize_t n;
    int r = 0;

    if (lseek(dir, 0, SEEK_SET) < 0)
        return -errno;
    while (r == 0 && (n = getdents64(dir, raw, sizeof raw)) != 0) {
        if (n < 0)
            return -errno;
        for (ssize_t i = 0; r == 0 && i < n;) {
            struct dirent64 *e = (struct dirent64 *)(void *)(raw + i);
            if (e->d_name[0] != '.')
                r = fn(arg, e->d_name, e->d_type);
            i += e->d_reclen;
        }
    }
    return r;
}

struct children {
    struct proc_list *l;
    int dir;
};

static int on_child(void *arg, const char *name, unsigned char type)
{
    struct children *c = arg;
    struct proc_list *l = c->l;

    if (type != DT_DIR && type != DT_UNKNOWN)
        return 0;
    if (l->n_groups == PROC_LIST_GROUPS)
        return 1;
    int dir = kfile_open(c->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int procs = dir < 0 ? -1 : kfile_open(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (procs < 0) {
        if (dir >= 0)
            close(dir);
        return 0;
    }
    l->group[l->n_groups++] = (struct group){dir, procs, 0};
    return 0;
}

// All groups below the first, breadth first. Whatever can't be opened is left out.
static void find_children(struct proc_list *l)
{
    struct stat st;

    close_children(l);
    for (int32_t i = 0; i < l->n_groups; i++) {
        struct group *g = &l->group[i];
        g->links = fstat(g->dir, &st) == 0 ? st.st_nlink : 0;
        int dir = i ? g->dir : kfile_open(g->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
            continue;
        struct children c = {l, dir};
        (void)each_entry(dir, on_child, &c);
        if (!i)
            close(dir);
    }
}

static bool children_changed(const struct proc_list *l)
{
    struct stat st;

    for (int32_t i = 0; i < l->n_groups; i++) {
        if (fstat(l->group[i].dir, &st) < 0 || st.st_nlink != l->group[i].links)
            return true;
        if (st.st_nlink < 2 && l->round % RESCAN_ROUNDS == 0)
            return true;
    }
    return false;
}

int proc_list_open(int proc, int group, struct proc_list **ret)
{
    struct proc_list *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->proc = -1;
    l->first = true;
    if (group >= 0)
        l->group[0] = (struct group){group, kfile_open(group, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NONBLOCK), 0};
    else
        l->proc = kfile_open(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if ((group >= 0 ? l->group[0].procs : l->proc) < 0) {
        int r = -errno;
        free(l);
        return r;
    }
    l->n_groups = group >= 0;
    if (l->n_groups)
        find_children(l);
    *ret = l;
    return 0;
}

struct proc_list *proc_list_close(struct proc_list *l)
{
    if (!l)
        return NULL;
    close_children(l);
    if (l->n_groups)
        close(l->group[0].procs);
    if (l->proc >= 0)
        close(l->proc);
    free(l);
    return NULL;
}

// A descriptor's text behind what is there already. 0 or -errno.
static int append(struct proc_list *l, int fd)
{
    off_t at = 0;

    while (l->text_n < TEXT_MAX) {
        ssize_t n = pread(fd, l->text + l->text_n, TEXT_MAX - l->text_n, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        l->text_n += (size_t)n;
        at += n;
    }
    return 0;
}

static int on_process(void *arg, const char *name, unsigned char type)
{
    struct proc_list *l = arg;
    size_t n = strlen(name);

    (void)type;
    if (*name < '1' || *name > '9' || n > 10)
        return 0;
    if (n + 1 > TEXT_MAX - l->text_n)
        return 1;
    memcpy(l->text + l->text_n, name, n);
    l->text_n += n;
    l->text[l->text_n++] = '\n';
    return 0;
}

// Shell's sort: qsort() may allocate.
static void sort(pid_t *pids, int32_t n)
{
    for (int32_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (int32_t i = gap; i < n; i++) {
            pid_t pid = pids[i];
            int32_t at = i;
            for (; at >= gap && pids[at - gap] > pid; at -= gap)
                pids[at] = pids[at - gap];
            pids[at] = pid;
        }
    }
}

static void parse(struct proc_list *l)
{
    int32_t kept = 0;
    bool ascending = true;

    l->n = l->dropped = 0;
    for (size_t i = 0; i < l->text_n;) {
        uint64_t pid = 0;
        size_t from = i;
        for (; i < l->text_n && l->text[i] >= '0' && l->text[i] <= '9' && i - from < 10; i++)
            pid = pid * 10 + (uint64_t)(l->text[i] - '0');
        bool whole = i > from && i < l->text_n && l->text[i] == '\n';
        while (i < l->text_n && l->text[i] != '\n')
            i++;
        i++;
        // A process of another pid namespace shows as 0.
        if (!whole || !pid || pid > INT32_MAX)
            continue;
        if (l->n == PROC_LIST_MAX) {
            l->dropped++;
            continue;
        }
        ascending = ascending && (!l->n || l->pids[l->n - 1] < (pid_t)pid);
        l->pids[l->n++] = (pid_t)pid;
    }
    if (ascending)
        return;
    sort(l->pids, l->n);
    for (int32_t i = 0; i < l->n; i++) {
        if (!kept || l->pids[kept - 1] != l->pids[i])
            l->pids[kept++] = l->pids[i];
    }
    l->n = kept;
}

static uint64_t digest_of(const char *text, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return h;
}

int proc_list_read(struct proc_list *l, bool *ret_changed)
{
    int r = 0;

    l->text_n = 0;
    l->round++;
    if (l->proc >= 0) {
        r = each_entry(l->proc, on_process, l);
    } else {
        if (children_changed(l))
            find_children(l);
        for (int32_t i = 0; i < l->n_groups; i++) {
            int got = append(l, l->group[i].procs);
            // A child may be gone, or threaded, which lists its processes in its parent.
            r = i == 0 ? got : r;
        }
    }
    if (r < 0)
        return r;
    uint64_t digest = digest_of(l->text, l->text_n) ^ l->text_n;
    *ret_changed = l->first || digest != l->digest;
    if (*ret_changed)
        parse(l);
    l->digest = digest;
    l->first = false;
    return 0;
}

const pid_t *proc_list_pids(const struct proc_list *l, int32_t *ret_n)
{
    *ret_n = l->n;
    return l->pids;
}

int32_t proc_list_dropped(const struct proc_list *l)
{
    return l->dropped;
}
