// SPDX-License-Identifier: Apache-2.0
// What the files of the eye share.
#pragma once
#include "mem/eye.h"

#include "mem/cgroup_find.h"
#include "mem/proc_table.h"
#include "mem/sensor.h"

#define EYE_SCRATCH 65536
#define EYE_DIRS 64
#define EYE_NAMESPACES 8 // mount namespaces; what only further ones show stays unexplained

struct eye {
    struct mem_roots roots;
    struct eye_options options;
    bool gvisor;
    unsigned ncpus;
    struct mem_sensor *sensor;
    struct proc_table *table;
    struct scan *scan;
    struct mem_sample sample;
    struct mounts mounts;
    int mountinfo;                    // polled for changes; -1
    ino_t namespaces[EYE_NAMESPACES]; // mount namespaces that have been looked at, the main one first
    int n_namespaces;
    bool mounts_stale; // a process in another one has come
    struct segments segments;
    int32_t segments_at;                 // the process whose turn it is; -1: no round is under way
    double segments_t, rollup_t, walk_t; // when the last round of each ended; < 0: none yet
    bool rolling, pss_fresh, looked_fully, walk_idle;
    int64_t segments_cost_us, rollup_cost_us; // of the present or last round
    int turn;                                 // of what a budgeted look does
    int slot[MOUNTS_MAX];                     // of the walk, for each mount; -1: it isn't walked
    dev_t slot_dev[SCAN_MOUNTS];              // 0: free
    int64_t shared_bytes, deleted_bytes;      // sums of segments; -1: not all could be seen
    int64_t inferred_deleted;                 // used minus walked, when the last round ended; -1: can't be told
    double round_began;
    int64_t anon_moved; // during the last full look
    char scratch[EYE_SCRATCH];
};

// Mounts have changed: tells the walk.
void eye__share_mounts(struct eye *e, int proc_pid);
// What the walk knows of file systems that statvfs can't size.
void eye__use_walked(struct eye *e);
bool eye__walk(struct eye *e, double t, int64_t budget_us);
