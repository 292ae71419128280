// SPDX-License-Identifier: Apache-2.0
// The eye: everything this library can see of one container, put together: sensor, processes, mounts, walk, shared segments,
// deleted files. xray looks once and deep, watch once a second and cheaply.
//
// eye_open() allocates all it will ever need, as bounded tables that cost memory only where they are touched; afterwards
// nothing allocates, logs or sleeps. The caller brings the clock. One thread. Files that can't be read leave fields unknown.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/ledger.h"
#include "mem/mounts.h"
#include "mem/procs.h"
#include "mem/sample.h"
#include "mem/scan.h"
#include "mem/segments.h"

struct mem_roots; // mem/sensor.h: descriptors of /proc, /sys/fs/cgroup and the container's /
struct mem_where; // mem/sensor.h: which cgroup
struct eye;

struct eye_options {
    pid_t pid;                    // whose mounts are looked at, as seen in roots->proc; 0: this process ("self")
    int64_t (*now_us)(void *arg); // a monotonic clock, for budgets; required
    void *clock_arg;
    int64_t epoch_s;   // unix time at t = 0 (0 where t is unix time): for the ages of files
    int64_t budget_us; // smaps_rollup and walking together in one EYE_BUDGETED look; 0: 1700
};

enum eye_depth {
    EYE_FIXED,    // cgroup counters, processes' status, statvfs: for 1 Hz
    EYE_BUDGETED, // and smaps_rollup, walking, fds and maps in turn, within options.budget_us
    EYE_FULL,     // everything at once but the walk, which goes on by eye_walk(): xray's first answer
};

// What was seen at the last look, owned by the eye, valid until the next call on it.
struct eye_view {
    const struct mem_sample *sample;
    const struct proc_info *procs;
    int32_t nprocs;        // in `procs`
    int32_t procs_dropped; // more processes than the table holds
    const struct mounts *mounts;
    const struct segments *segments;
    enum sight sight;
    bool gvisor;
};

// One directory of a file system in memory.
struct eye_dir {
    int mount;     // index in mounts->m
    uint32_t id;   // for eye_files()
    int64_t bytes; // of everything below it
    int64_t files;
    int64_t growth_per_min; // bytes; INT64_MIN: not known
    int64_t files_per_min;  // the same of files
    bool growth_from_ages;
    char path[MOUNT_PATH * 2]; // as the container sees it; ends in "/..." where it is longer
};

// roots and where are copied, their descriptors borrowed: they must stay open. -ENOMEM, -EINVAL; a container that is gone,
// -ESRCH.
int eye_open(const struct mem_roots *roots, const struct mem_where *where, const struct eye_options *options, struct eye **ret);
struct eye *eye_close(struct eye *eye); // NULL

// Looks. t: seconds, the caller's clock, never going back. -ESRCH where the cgroup or its last process is gone (the sample then
// has nprocs 0 and what could still be read); other errors only leave fields unknown.
int eye_look(struct eye *eye, double t, enum eye_depth depth);
void eye_view(const struct eye *eye, struct eye_view *ret);

// Walks the files in memory on for budget_us. True when the round is complete (the next call begins a new one).
bool eye_walk(struct eye *eye, double t, int64_t budget_us);
void eye_progress(const struct eye *eye, struct scan_progress *ret);

// The ledger of the last look, with what has been walked so far. The growth and verdict of lines are left open, except the
// growth of directories. Reads the names of directories shown.
void eye_ledger(struct eye *eye, struct ledger *ret);

// The directories worth naming, biggest or fastest growing first: disjoint, each with at least a tenth of the whole. Returns
// their number. Opens directories to find out their names.
int eye_dirs(struct eye *eye, enum scan_by by, int max, struct eye_dir *ret);
// Makes one directory, `place` itself, of those among the n that are at or below it (a store's parts), in the order of `by`. A
// place that is "", "/" or no path leaves them as they are. Returns how many there are then.
int eye_dirs_merge(struct eye_dir *dirs, int n, const char *place, enum scan_by by);

// The biggest or youngest files below a directory, names read now. Returns their number or -errno.
int eye_files(struct eye *eye, uint32_t dir, enum scan_by by, int max, struct scan_file *ret);

// Splits the anonymous memory of the process with the most of it that isn't split yet (ZendMM's chunks and the like), for about
// budget_us; true when there is none left. EYE_FULL does it for all.
bool eye_split(struct eye *eye, int64_t budget_us);
