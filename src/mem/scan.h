// SPDX-License-Identifier: Apache-2.0
// Walks file systems in memory and says which directories are big and which grow.
//
// In steps: it keeps its place between them, in at most SCAN_DEPTH descriptors. It never leaves a file system, follows no
// symbolic link and reads no file. At most SCAN_DIRS directories have a record of their own (64 bytes, no names); what lies in
// others counts for the nearest one that has. Sizes are st_blocks; a file with several names counts in equal shares for each.
// Rounds follow each other; growth is what changed from round to round, and until there are two, what files' birth and
// modification times say of the last ten minutes.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCAN_DIRS 65000
#define SCAN_DEPTH 100
#define SCAN_MOUNTS 48
#define SCAN_NAME 256
#define SCAN_NONE UINT32_MAX

enum scan_by { SCAN_BY_BYTES, SCAN_BY_GROWTH };

struct scan; // about 4.5 MiB of addresses, touched as directories are found

struct scan_progress {
    uint32_t rounds;     // complete ones
    bool complete;       // at least one
    double covered;      // of the present round, 0 to 1: inodes seen of those statvfs counts; -1: not known
    uint64_t entries;    // seen in the present round, or the last one where none has begun
    uint32_t dirs;       // that have a record
    uint32_t unrecorded; // directories that count for an ancestor
    uint32_t unreadable; // directories that couldn't be opened or read
    uint32_t too_deep;
    double t_round; // when the last complete round ended
};

// What a round found in one file system.
struct scan_total {
    bool known;    // walked at least once to the end
    int64_t bytes; // st_blocks, all that was seen
    int64_t inodes;
    uint32_t missed; // directories unreadable or too deep: bytes is a lower bound
};

struct scan_dir {
    uint32_t id;
    uint32_t parent; // SCAN_NONE: the root of its mount
    int mount;
    ino_t ino;
    int64_t bytes, files;   // of everything below it
    int64_t growth_per_min; // bytes; INT64_MIN: not known
    int64_t files_per_min;  // the same of files
    bool from_ages;
};

struct scan_file {
    int64_t bytes;
    int64_t growth_per_min;   // from its age; 0: not written lately
    double age_s;             // since it was written last
    char path[2 * SCAN_NAME]; // beneath the directory asked about
};

struct scan *scan_new(void);            // NULL: no memory
struct scan *scan_free(struct scan *s); // NULL

// A file system to walk.
struct scan_mount {
    int fd;         // O_PATH or readable, borrowed: stays open until the slot is set anew or unset and a round has ended
    dev_t dev;      // its st_dev
    dev_t skip_dev; // overlays: files on this device are of the image, not in memory; 0: none
    bool overlay;   // files may have other devices than its directories
    bool by_size;   // ramfs: it keeps no st_blocks
    int64_t inodes; // what statvfs counts, for the coverage; 0: not known
};
// slot is the caller's number, 0 to SCAN_MOUNTS-1. Takes effect with the next round; a slot with another dev starts anew.
void scan_set_mount(struct scan *s, int slot, const struct scan_mount *mount);
void scan_unset_mount(struct scan *s, int slot);

// Walks on until now_us() has moved budget_us (looked at every few dozen entries; budget_us <= 0: to the end of the round).
// t: the caller's seconds; wall: unix time. True at the end of a round.
bool scan_step(struct scan *s, double t, double wall, int64_t budget_us, int64_t (*now_us)(void *arg), void *arg);

void scan_progress(const struct scan *s, struct scan_progress *ret);
void scan_total(const struct scan *s, int slot, struct scan_total *ret);

// Directories that are disjoint and each hold at least `share` (0.1: a tenth) of the weight (bytes and inodes) or its growth in
// their mount, largest first: neither the root of everything nor each of a thousand hashed leaves. slot -1: all mounts. Returns
// their number.
int scan_top(struct scan *s, int slot, enum scan_by by, double share, int max, struct scan_dir *ret);
uint32_t scan_root(const struct scan *s, int slot); // SCAN_NONE before its first round has ended
bool scan_get(const struct scan *s, uint32_t id, struct scan_dir *ret);

// The path of a directory beneath its mount ("" for the mount itself), found by inode numbers: opens its ancestors. 0 or -errno
// (-ENOENT: it is gone; -ENAMETOOLONG).
int scan_path(struct scan *s, uint32_t id, char *out, size_t size);
// Opens a directory for reading. The descriptor or -errno.
int scan_open(struct scan *s, uint32_t id);

// The biggest or fastest growing files below a directory, read now; looks at no more than `entries_max` entries. Their number or
// -errno.
int scan_files(struct scan *s, uint32_t id, enum scan_by by, double wall, uint32_t entries_max, int max, struct scan_file *ret);
