// SPDX-License-Identifier: Apache-2.0
// What the files of the walk share: the records of directories and how an entry is looked at.
#pragma once
#include "mem/scan.h"

#include <math.h>
#include <sys/types.h>

#define SCAN_INDEX 131072 // a power of two, twice SCAN_DIRS
#define SCAN_FREE UINT8_MAX
#define SCAN_BUFFER 32768
#define SCAN_NAMES 131072
#define SCAN_WINDOW_S 600.0 // growth from ages is that of the last ten minutes

struct scan_record {
    uint64_t ino;
    int64_t tree; // bytes of everything below it
    int64_t base; // tree at base_ds
    float rate;   // bytes a minute since base_ds; NAN: not known yet
    float young;  // bytes a minute by the ages of files
    uint32_t files, base_files;
    float files_rate, files_young; // as rate and young
    uint32_t base_ds;              // tenths of a second since the scan began
    uint16_t parent;               // a record; SCAN_DIRS: none
    uint8_t slot;                  // SCAN_FREE: the record is free, parent is the next free one
    uint8_t round;                 // last seen in
};
_Static_assert(sizeof(struct scan_record) <= 64, "64 bytes a directory");
_Static_assert(SCAN_MOUNTS < SCAN_FREE && SCAN_DIRS < UINT16_MAX, "slots and records fit their fields");

struct scan_slot {
    struct scan_mount mount, next; // next: takes over when a round begins
    bool set, next_set, changed;
    uint32_t root;                 // record; SCAN_NONE
    double t_ended, birth;         // birth: unix time of its root directory, 0: not known
    double oldest, oldest_running; // unix time of the oldest change of a file, last round and present one; 0: not known
    double young_scale;            // what young is to be multiplied by, for it was taken over a longer window; 0: 1
    uint32_t rounds;
    double running_inodes;
    uint32_t running_missed;
    struct scan_total total;
};

struct scan_frame {
    int fd;
    uint32_t dir; // the record that counts for it
    bool own;     // dir is this very directory's
    bool listed;  // to the end
    int64_t tree;
    double files, young, files_young;
    off_t last, resume; // position behind the last entry taken; where to go on, -1: not set
    uint32_t names;     // where its pending names begin
};

struct scan {
    struct scan_slot slot[SCAN_MOUNTS];
    struct scan_progress progress;
    bool walking;
    bool no_statx;
    uint8_t round;
    int at_slot;
    int depth; // frames in use
    double t, t0, wall;
    double window;    // of the file system that is being walked
    uint64_t counted; // inodes seen in this round
    struct scan_frame frame[SCAN_DEPTH];
    uint32_t names_end;
    size_t buf_at, buf_have;
    uint32_t n_records, first_free; // high-water mark; SCAN_DIRS: none free below it
    _Alignas(8) char buf[SCAN_BUFFER];
    char names[SCAN_NAMES];     // of directories still to be entered, innermost last: name, NUL, length
    uint16_t index[SCAN_INDEX]; // record + 1; 0: empty
    struct scan_record record[SCAN_DIRS];
};

// What of an entry counts.
struct scan_stat {
    dev_t dev;
    uint64_t ino;
    mode_t mode;
    uint32_t links;
    int64_t bytes;       // of blocks
    double birth, mtime; // unix time; birth 0: not known
};
// 0 or -errno. Falls back to fstatat where statx is refused (gVisor, old seccomp filters).
int scan__stat(bool *no_statx, int fd, const char *name, bool by_size, struct scan_stat *ret);
// Does a file with these device numbers lie in this file system's memory?
bool scan__counts(const struct scan_mount *m, dev_t dev);
// Bytes a minute that a file of this age and size has added over the last `window` seconds.
double scan__young(const struct scan_stat *st, double bytes, double wall, double window);
double scan__window(const struct scan_slot *slot, double wall);

// Brings the records of directories that a round is in up to what it has counted there, where that is more.
void scan__foresee(struct scan *s);
uint32_t scan__find(const struct scan *s, int slot, uint64_t ino); // SCAN_NONE
uint32_t scan__add(struct scan *s, int slot, uint64_t ino);        // SCAN_NONE: the table is full
void scan__del(struct scan *s, uint32_t record);
void scan__sweep(struct scan *s, int slot, bool all); // drops the slot's records that this round hasn't seen, or all
