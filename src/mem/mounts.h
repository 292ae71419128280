// SPDX-License-Identifier: Apache-2.0
// The file systems in memory that a container has mounted, and how full they are.
//
// Read from PID/mountinfo below a descriptor of /proc; opened beneath the container's root; a file system mounted several times
// (bind mounts) counts once, by st_dev. Kept descriptors are O_PATH: no read right is needed, and mounts_close() lets go of them.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNTS_MAX 48
#define MOUNT_PATH 128

enum mount_kind {
    MOUNT_TMPFS,
    MOUNT_RAMFS,    // no size, no limit: walked
    MOUNT_DEVTMPFS, // shared by all containers that mount it; charged to whoever made the nodes
    MOUNT_OVERLAY,  // its upper directory lies on a tmpfs
    MOUNT_HUGETLB,  // noted only: hugetlb pages are outside of the cgroup's usage
    MOUNT_SENTRY,   // gVisor's root: writes stay in the sandbox's memory
};
const char *mount_kind_name(enum mount_kind kind);

struct mount {
    enum mount_kind kind;
    dev_t dev;
    bool dev_real;         // dev is st_dev (else mountinfo's numbers)
    bool whole;            // path is its root, not a directory or file of it bound there
    bool shadowed;         // another mount lies over it: nobody can look into it
    bool sized;            // statvfs tells its size
    int fd;                // O_PATH, -1 where it can't be opened
    int error;             // of the open or statvfs; EXDEV: something else is at its place as seen from here; 0
    int64_t used;          // bytes, by statvfs; by the walk where !sized; -1: not known
    int64_t inodes;        // in use; -1: not known
    int64_t size;          // its own limit, bytes; 0: none
    int64_t max_inodes;    // 0: none
    pid_t pid;             // whose mount namespace shows it; 0: that of the process asked about
    char path[MOUNT_PATH]; // where the container sees it; the shortest of several
};

struct mounts {
    int n, dropped;
    struct mount m[MOUNTS_MAX];
};

// One line of mountinfo, in place: octal escapes resolved. 0 or -EINVAL.
struct mount_line {
    int id, parent;
    unsigned major, minor;
    char *root, *path, *type, *source, *super; // into the line
};
int mounts_parse_line(char *line, struct mount_line *ret);

// The upperdir of an overlay's super options into out ("" if it has none or doesn't fit).
void mounts_upperdir(const char *super, char *out, size_t size);

// Does a process see a file system in user space with this device? It isn't asked itself: it may never answer.
bool mounts_is_fuse(int proc_pid, dev_t dev, char *scratch, size_t size);

// Reads mountinfo and opens what is in memory. proc_pid: descriptor of /proc/PID; proc: of /proc (self/mountinfo is asked
// where an overlay has its upper directory, meminfo whether that may be a tmpfs no mountpoint shows); root: of the container's /.
// m is filled anew; descriptors of mounts that are still there are kept. scratch: at least 64 KiB. 0 or -errno (m is then as it was).
// gvisor: overlays are the sentry's memory.
int mounts_read(int proc, int proc_pid, int root, bool gvisor, char *scratch, size_t size, struct mounts *m);
// The two halves of it, for several mount namespaces: adds to `new` what it doesn't hold, as seen by process pid (0: the one that
// was asked about); then makes `new` the contents of m. 0 or -errno.
int mounts_gather(int proc, int proc_pid, int root, bool gvisor, pid_t pid, char *scratch, size_t size, struct mounts *new);
void mounts_replace(struct mounts *m, struct mounts *new);
void mounts_init(struct mounts *m);
void mounts_close(struct mounts *m);

// statvfs of each. No open, no allocation.
void mounts_measure(struct mounts *m);
int mounts_find_dev(const struct mounts *m, dev_t dev); // -1
