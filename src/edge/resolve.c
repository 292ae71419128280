// SPDX-License-Identifier: Apache-2.0
// From a decoded URL path to an open file beneath a root. Runs in the edge; owns nothing but a note about the kernel.
// Three ways, cheapest first: openat2(2) that refuses every symbolic link; where it met one and links are allowed,
// openat2 that follows it, and the resolved name from /proc; and a walk segment by segment, for `follow_symlinks = owner`
// and for systems that lack openat2 or /proc (gVisor, old seccomp profiles).
// Invariant: no segment that came from the URL is ever ".." or hidden, so only a link can lead out of the root, and what a
// link led to is judged by its resolved name.
#include "edge/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fdio.h"

#define LINKS_MAX 40 // the kernel's own limit

static bool walk_only;

void resolve_set_walk_only(bool on)
{
    walk_only = on;
}

static int open_beneath(int dir_fd, const char *path, int flags, uint64_t restrict_to)
{
    struct open_how how = {.flags = (uint64_t)flags, .resolve = restrict_to};
    long fd;

    do
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : (int)fd;
}

// Asked once: a seccomp profile answers EPERM for calls it does not know, which must not be taken for a file's EPERM.
static bool has_openat2(void)
{
    static enum { UNKNOWN, YES, NO } state;

    if (walk_only)
        return false;
    if (state == UNKNOWN) {
        int fd = open_beneath(AT_FDCWD, "/", O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);
        state = fd >= 0 ? YES : NO;
        fd_close(&fd);
    }
    return state == YES;
}

// O_NONBLOCK: a fifo must not stop the edge. It means nothing to regular files.
static int open_flags(enum resolve_want want)
{
    return want == RESOLVE_LOOK ? O_PATH | O_CLOEXEC : O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
}

// Whether the resolved name has a hidden segment. What it shares with the root's own name is not judged: the whole site
// may live below ~/.local. ".well-known" is let through, as it is in URLs.
static bool real_is_hidden(const struct root *root, const char *real)
{
    size_t shared = 0; // ends at a segment's end

    for (size_t i = 0;; i++) {
        bool end_real = real[i] == '\0' || real[i] == '/';
        bool end_root = i >= root->path.n || root->path.p[i] == '/';
        if (end_real && end_root)
            shared = i;
        if (i >= root->path.n || real[i] != root->path.p[i])
            break;
    }
    for (const char *p = real + shared; (p = strchr(p, '/')); p++)
        if (p[1] == '.' && !(strncmp(p + 1, ".well-known", 11) == 0 && (p[12] == '/' || p[12] == '\0')))
            return true;
    return false;
}

// The name behind a descriptor, as the kernel knows it. -ENOSYS when there is no /proc to ask.
static int read_real(int fd, char *dst, size_t size)
{
    char link[40];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, dst, size);
    if (n < 0)
        return -ENOSYS;
    if ((size_t)n >= size)
        return -ENAMETOOLONG;
    dst[n] = '\0';
    // Unlinked meanwhile: the text is no name any more, so the rules can't be applied to it. Outside our mount tree: same.
    struct str name = {dst, (size_t)n};
    if (dst[0] != '/' || str_ends(name, STR(" (deleted)")))
        return -ENOENT;
    return 0;
}

static int open_followed(const struct root *root, const char *rel, enum resolve_want want, struct resolved *ret)
{
    int fd = open_beneath(root->fd, rel, open_flags(want), RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fd;
    int rc = read_real(fd, ret->real, sizeof ret->real);
    if (!rc && real_is_hidden(root, ret->real))
        rc = -EACCES;
    if (!rc && fstat(fd, &ret->st) < 0)
        rc = -errno;
    if (rc) {
        fd_close(&fd);
        return rc;
    }
    ret->fd = fd;
    ret->linked = true;
    return 0;
}

// ---- The walk ----

struct walk {
    const struct root *root;
    int at, parent; // O_PATH descriptors: where we are, and the folder `name` was found in
    struct stat st; // of at
    char name[NAME_MAX + 1];
    unsigned n_links;
    bool linked, need_folder;
    int depth; // of pending: the URL's path, and above it the texts of links being resolved
    struct {
        const char *rest;
        uid_t owner; // of the link
    } pending[LINKS_MAX + 1];
    char text[4 * PATH_MAX]; // of links
    size_t text_n;
    char *real; // PATH_MAX bytes, the resolved name so far; "" is "/"
    size_t real_n;
};

static void step_to(struct walk *w, int fd)
{
    if (w->parent >= 0)
        close(w->parent);
    w->parent = w->at;
    w->at = fd;
}

// From here on as if we had come from elsewhere: there is no parent to open `name` in.
static int jump_to(struct walk *w, int fd)
{
    if (fd < 0)
        return -errno;
    step_to(w, fd);
    fd_close(&w->parent);
    return fstat(fd, &w->st) < 0 ? -errno : 0;
}

static int real_push(struct walk *w)
{
    size_t n = strlen(w->name);
    if (w->real_n + n + 2 > PATH_MAX)
        return -ENAMETOOLONG;
    w->real[w->real_n++] = '/';
    memcpy(w->real + w->real_n, w->name, n + 1);
    w->real_n += n;
    return 0;
}

static void real_pop(struct walk *w)
{
    while (w->real_n && w->real[w->real_n - 1] != '/')
        w->real_n--;
    if (w->real_n)
        w->real_n--;
    w->real[w->real_n] = '\0';
}

// A link was opened as itself: its text is what comes next.
static int enter_link(struct walk *w, int link_fd, uid_t owner)
{
    if (w->root->follow == SYMLINKS_OFF)
        return -EACCES;
    if (++w->n_links > LINKS_MAX || w->depth >= LINKS_MAX)
        return -ELOOP;
    size_t room = sizeof w->text - w->text_n;
    char *text = w->text + w->text_n;
    ssize_t n = readlinkat(link_fd, "", text, room);
    if (n < 0)
        return -errno;
    if ((size_t)n >= room)
        return -ENAMETOOLONG;
    if (n == 0)
        return -ENOENT;
    text[n] = '\0';
    w->text_n += (size_t)n + 1;
    w->linked = true;
    w->depth++;
    w->pending[w->depth].rest = text;
    w->pending[w->depth].owner = owner;
    if (text[0] != '/')
        return 0;
    w->real_n = 0;
    w->real[0] = '\0';
    return jump_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int walk_segment(struct walk *w)
{
    if (strcmp(w->name, ".") == 0)
        return S_ISDIR(w->st.st_mode) ? 0 : -ENOTDIR;
    if (strcmp(w->name, "..") == 0) {
        real_pop(w);
        return jump_to(w, openat(w->at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    int fd = openat(w->at, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    if (S_ISLNK(st.st_mode)) {
        int rc = enter_link(w, fd, st.st_uid);
        close(fd);
        return rc;
    }
    step_to(w, fd);
    w->st = st;
    return real_push(w);
}

// Takes the next segment off the text on top. 1 = w->name is set, 0 = all is walked, or -errno.
static int next_segment(struct walk *w)
{
    for (;;) {
        const char **rest = &w->pending[w->depth].rest;
        if (**rest == '/') {
            w->need_folder = true;
            while (**rest == '/')
                ++*rest;
        }
        size_t n = strcspn(*rest, "/");
        if (n > NAME_MAX)
            return -ENAMETOOLONG;
        if (n) {
            memcpy(w->name, *rest, n);
            w->name[n] = '\0';
            *rest += n;
            w->need_folder = false;
            return 1;
        }
        if (w->depth == 0)
            return 0;
        // A link's text is walked, so we are at what it points to.
        if (w->root->follow == SYMLINKS_OWNER && w->st.st_uid != w->pending[w->depth].owner)
            return -EACCES;
        w->depth--;
    }
}

// What the walk arrived at, opened for reading. Special files stay as they are: nobody opens those.
static int reopen(struct walk *w, int *ret_fd)
{
    int fd = -1;
    struct stat st;

    if (S_ISDIR(w->st.st_mode))
        fd = openat(w->at, ".", open_flags(RESOLVE_OPEN) | O_DIRECTORY);
    else if (S_ISREG(w->st.st_mode) && w->parent >= 0)
        fd = openat(w->parent, w->name, open_flags(RESOLVE_OPEN) | O_NOFOLLOW);
    else
        return 0;
    if (fd < 0)
        return errno == ELOOP ? -ENOENT : -errno;
    // Exchanged between the two calls: what was judged is not what was opened.
    if (fstat(fd, &st) < 0 || st.st_dev != w->st.st_dev || st.st_ino != w->st.st_ino) {
        close(fd);
        return -ENOENT;
    }
    w->st = st;
    *ret_fd = fd;
    return 0;
}

static int walk_all(struct walk *w, enum resolve_want want, int *ret_fd)
{
    int rc;

    while ((rc = next_segment(w)) > 0) {
        rc = walk_segment(w);
        if (rc)
            return rc;
    }
    if (rc)
        return rc;
    if (w->need_folder && !S_ISDIR(w->st.st_mode))
        return -ENOTDIR;
    if (w->linked) {
        if (!w->real_n)
            strcpy(w->real, "/");
        if (real_is_hidden(w->root, w->real))
            return -EACCES;
    }
    return want == RESOLVE_OPEN ? reopen(w, ret_fd) : 0;
}

static int walk(const struct root *root, const char *rel, enum resolve_want want, struct resolved *ret)
{
    struct walk w;
    int fd = -1, rc;

    // Not an initialiser: that would clear the 16 KiB of text.
    w.root = root;
    w.parent = -1;
    w.n_links = 0;
    w.linked = w.need_folder = false;
    w.depth = 0;
    w.pending[0].rest = rel;
    w.text_n = 0;
    w.real = ret->real;
    if (root->path.n >= sizeof ret->real)
        return -ENAMETOOLONG;
    w.real_n = root->path.n == 1 ? 0 : root->path.n; // the root may be "/"
    memcpy(w.real, root->path.p, w.real_n);
    w.real[w.real_n] = '\0';
    w.at = openat(root->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (w.at < 0)
        return -errno;
    rc = fstat(w.at, &w.st) < 0 ? -errno : walk_all(&w, want, &fd);
    if (!rc) {
        ret->linked = w.linked;
        ret->st = w.st;
        if (fd < 0) {
            fd = w.at;
            w.at = -1;
        }
        ret->fd = fd;
    }
    fd_close(&w.at);
    fd_close(&w.parent);
    return rc;
}

int resolve(const struct root *root, const char *path, enum resolve_want want, struct resolved *ret)
{
    const uint64_t strict = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

    if (path[0] != '/')
        return -EINVAL;
    if (path_is_hidden(str_from(path)))
        return -EACCES; // "." and ".." as well
    const char *rel = path[1] ? path + 1 : ".";
    if (!has_openat2())
        return walk(root, rel, want, ret);
    int fd = open_beneath(root->fd, rel, open_flags(want), strict);
    if (fd >= 0) {
        if (fstat(fd, &ret->st) < 0) {
            int rc = -errno;
            close(fd);
            return rc;
        }
        ret->fd = fd;
        ret->linked = false;
        return 0;
    }
    if (fd == -EAGAIN) // the tree is being renamed under us
        return walk(root, rel, want, ret);
    if (fd != -ELOOP)
        return fd;
    if (root->follow == SYMLINKS_OFF)
        return -EACCES;
    if (root->follow == SYMLINKS_OWNER)
        return walk(root, rel, want, ret);
    int rc = open_followed(root, rel, want, ret);
    return rc == -ENOSYS ? walk(root, rel, want, ret) : rc;
}
