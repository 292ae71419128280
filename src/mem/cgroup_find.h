// SPDX-License-Identifier: Apache-2.0
// Which memory cgroup a process is in, on v1, v2, hybrid, in a private cgroup namespace, on gVisor, or none at all; and how many
// CPUs it may use.
//
// Everything comes from directory descriptors, so that tests can fake the trees: no path is taken from the machine itself.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Directory descriptors, O_PATH is enough; -1: not there.
struct mem_roots {
    int proc;   // /proc
    int cgroup; // /sys/fs/cgroup, whatever is mounted there
    int root;   // "/" as the container sees it; may be /proc/PID/root
};

// Opens them; NULL means the machine's own /proc, /sys/fs/cgroup. ret->root is -1 until mem_roots_enter(). A missing cgroup
// directory is no error; a missing proc is: -errno.
int mem_roots_open(const char *proc, const char *cgroup, struct mem_roots *ret);
// Opens root: `path` where it isn't NULL, else PID/root beneath proc (pid 0: self/root); where that is closed but
// the process has our own mounts, self/root. -EACCES: not ours to see. 0 or -errno.
int mem_roots_enter(struct mem_roots *roots, const char *path, pid_t pid);
void mem_roots_close(struct mem_roots *roots);

enum mem_kind {
    MEM_KIND_MACHINE, // no memory cgroup that limits anything: /proc/meminfo of the machine or the VM
    MEM_KIND_V1,
    MEM_KIND_V2,
    MEM_KIND_GVISOR, // v1-like with usage and limit only, or nothing but /proc/meminfo
};
const char *mem_kind_name(enum mem_kind kind); // "machine", "v1", "v2", "gvisor"

#define MEM_LEVELS 16 // ancestors looked at
#define MEM_PATH 512  // longer paths are shown cut off in front
struct mem_where {
    enum mem_kind kind;
    pid_t pid;             // the process asked about, 0: self; mem_where_path: the first process of the group, 0: it has none
    int dir;               // the group's directory (cgroup.procs, memory.*); owned; -1: none
    bool verified;         // cgroup.procs lists the process (of the namespace we see)
    bool top;              // the root of the hierarchy: it has no limit and all processes
    int levels;            // v2: ancestors, nearest first; as far as they are visible
    int level[MEM_LEVELS]; // their directories; owned
    uint64_t ino;          // of dir; 0: none. Names watch's socket
    char path[MEM_PATH];   // for people: "/sys/fs/cgroup/memory/docker/abc"; "" for none
};

// The memory cgroup of pid (0: this process). Finding none is no error: MEM_KIND_MACHINE or MEM_KIND_GVISOR. -ESRCH: there is no
// such process, or it has ended; else -errno. ret is to be closed.
int mem_where_find(const struct mem_roots *roots, pid_t pid, struct mem_where *ret);
// A group by path: absolute, below /sys/fs/cgroup or not, or relative to the memory hierarchy's root ("docker/abc").
// -ENOENT, -ENOTDIR, or -EINVAL where it is no group with memory.* files.
int mem_where_path(const struct mem_roots *roots, const char *path, struct mem_where *ret);
void mem_where_close(struct mem_where *w);

// CPUs that the process may use.
struct mem_cpus {
    unsigned online;  // of the machine as far as visible; 0: not known
    unsigned allowed; // by cpuset and affinity; 0: not known
    double quota;     // cpu.max or cfs_quota_us, the tightest of the ancestors; 0: none
    double usable;    // the least of the three, at least 0.01; 1 where nothing is known
};
void mem_cpus(const struct mem_roots *roots, pid_t pid, struct mem_cpus *ret);
