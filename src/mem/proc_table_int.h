// SPDX-License-Identifier: Apache-2.0
// What the files of the process table share: its slots.
#pragma once
#include "mem/chunks.h"
#include "mem/proc_list.h"
#include "mem/proc_maps.h"
#include "mem/proc_roles.h"
#include "mem/proc_table.h"

#define IGNORED_MAX 2048 // kernel threads and zombies remembered
#define PROC_TABLE_SCRATCH (64u << 10)

// What isn't shown of a process; at the same index as its proc_info.
struct proc_slot {
    int dir, status; // descriptors of /proc/PID and its status; -1: there are too many processes to keep them
    bool dead;
    uint32_t born;         // round of the first look
    uint64_t title_digest; // of its command line
    dev_t exe_dev;         // of the executable that the clues are of
    ino_t exe_ino;
    struct role_clues clues; // flags only: the texts are NULL
    uint32_t rolled;         // turn of the last smaps_rollup; 0: never
    int64_t anon_at_rollup, anon_at_split;
    bool split_unshared; // split before it was known what relatives share of it
    bool split_denied;   // may not be split, or can't
};

struct proc_table {
    int proc, spare; // spare: /proc/PID of a process whose descriptors aren't kept; -1
    pid_t self;      // 0: not known
    bool is_root, may_ptrace;
    struct proc_list *list;
    uint32_t round, turn;
    int32_t n, kept, keep_max; // kept: slots with descriptors
    int32_t next_named;        // whose name is looked at again this round
    bool list_stale;           // a process died: read the list again whatever it says
    bool all_split_once;
    int64_t credit_us[2]; // what smaps_rollup and splitting have left over
    double us_per_mib[2]; // what they cost, as measured
    dev_t exe_dev; // of executables, known not to be in user space
    struct chunks_room *chunks;
    struct proc_maps *maps;
    int32_t n_ignored, list_n_dropped, not_in_table;
    pid_t ignored[IGNORED_MAX];
    int32_t hash_n; // a power of two
    struct {
        pid_t pid;
        int32_t index; // -1: not in the table; -2: a kernel thread or zombie, not looked at
    } hash[2 * PROC_LIST_MAX];
    struct proc_info info[PROC_TABLE_MAX];
    struct proc_slot slot[PROC_TABLE_MAX];
    char scratch[PROC_TABLE_SCRATCH];
};

// Opens a file of a process. The descriptor or -errno.
int proc_table__open_file(struct proc_table *t, int32_t index, const char *name);
// Tells its role from its name, title and executable. full: also where nothing seems to have changed.
void proc_table__name(struct proc_table *t, int32_t index, bool full);
