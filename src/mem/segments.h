// SPDX-License-Identifier: Apache-2.0
// Memory in shmem objects that lie in no directory: shared anonymous mappings (OPcache, APCu), SysV segments, memfds, and deleted
// files that are still open or mapped. Unique by device and inode.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEGMENTS_MAX 256
#define SEGMENTS_KEYS 16384      // objects beyond the table that a round can tell apart: half of it
#define SEGMENTS_MORE UINT64_MAX // the inode of an entry that stands for those beyond the table
#define SEGMENT_NAME 64

enum segment_kind {
    SEGMENT_SHARED_ANON, // mmap(MAP_SHARED|MAP_ANONYMOUS): "/dev/zero (deleted)"
    SEGMENT_SYSV,
    SEGMENT_MEMFD,
    SEGMENT_DELETED, // a deleted file on a file system in memory
};
const char *segment_kind_name(enum segment_kind kind);

struct segment {
    enum segment_kind kind;
    dev_t dev;
    ino_t ino;
    pid_t owner;     // the first process seen with it; 0: none
    int32_t holders; // processes that map it or have it open
    int64_t bytes;   // resident; -1: not known
    int64_t pss;     // sum of what processes map of it, shared out; -1: not known
    int64_t size;    // of the mapping or the file
    bool estimate;   // bytes comes from page tables of processes, not from the object
    bool open;       // through a descriptor
    bool mapped;
    int fd; // the owner's descriptor; -1: it is mapped at start to end
    uint64_t start, end;
    int more;                // SEGMENTS_MORE: how many it stands for
    pid_t last;              // the last process counted in holders
    uint32_t seen;           // round
    char name[SEGMENT_NAME]; // the end of its path, without " (deleted)"
};

struct segments {
    int n;
    int dropped; // objects beyond the table: they are summed up in entries with the inode SEGMENTS_MORE
    bool keys_used;
    bool lost; // even of those there were too many: sums are too small
    uint32_t round;
    // As of the last round that ended:
    bool complete;   // every process could be looked at
    uint32_t unseen; // processes whose maps or descriptors may not be read
    // Of the round under way:
    bool running_complete;
    uint32_t running_unseen;
    struct segment s[SEGMENTS_MAX];
    uint64_t key[SEGMENTS_KEYS]; // of objects beyond the table, hashed; 0: free
};

void segments_init(struct segments *g);  // of zeroed memory, or to start anew
void segments_begin(struct segments *g); // a round: marks all as not seen
void segments_end(struct segments *g);   // drops what wasn't seen
// Between rounds: the present sizes of up to max segments, by their owners' descriptors and mappings. Opens nothing.
void segments_refresh(struct segments *g, int proc, int max);
// Finds or makes the segment; NULL where the table is full: then segments_add_more().
struct segment *segments_get(struct segments *g, enum segment_kind kind, dev_t dev, ino_t ino);
void segments_add_more(struct segments *g, const struct segment *s, pid_t pid); // kind, dev, ino and bytes count
void segments_hold(struct segment *s, pid_t pid);                               // pid has it; processes come one after the other
void segments_name(struct segment *s, const char *path);

// One line of /proc/PID/maps (or a head line of smaps), in place. 0 or -EINVAL. path "" for anonymous memory.
struct map_line {
    uint64_t start, end, offset;
    char perms[5];
    unsigned major, minor;
    uint64_t ino;
    char *path; // into the line
};
int segments_parse_map(char *line, struct map_line *ret);
// Is this mapping of a shmem object outside all directories? (memory only: by its path)
bool segments_kind_of(const char *path, enum segment_kind *ret);

// Does a file on this device lie in memory? (mounts_find_dev() and the kernel's own shmem mount)
typedef bool (*segments_dev_fn)(dev_t dev, void *arg);
typedef bool (*segments_pid_fn)(pid_t pid, void *arg);

// Adds what a process maps, to be called once a process and round. Sizes come from map_files where that may be followed; else,
// where `smaps`, from smaps (slow: it walks page tables), as an estimate; else they stay unknown.
// 0 or -errno (-EACCES: not ours to see; -ESRCH, -ENOENT: it is gone).
int segments_read_maps(struct segments *g, int proc_pid, pid_t pid, bool smaps, segments_dev_fn in_memory, void *arg,
                       char *scratch, size_t size);
// SysV segments of this process's IPC namespace that nothing in g maps, if is_ours(their maker) or of anybody where it is NULL.
// 0 or -errno.
int segments_read_sysv(struct segments *g, int proc, segments_pid_fn is_ours, void *arg, char *scratch, size_t size);

int64_t segments_sum(const struct segments *g, enum segment_kind kind); // bytes known
