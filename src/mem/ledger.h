// SPDX-License-Identifier: Apache-2.0
// The ledger: usage = anonymous + files in memory + shared memory + page cache + kernel + unexplained, by named owners.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/procs.h"
#include "mem/sample.h"
#include "mem/verdict.h"

#define LEDGER_CATEGORIES(X)                                                                                                     \
    X(ANON, "anonymous")                                                                                                         \
    X(FILES, "files_in_memory")                                                                                                  \
    X(SHARED, "shared_memory")                                                                                                   \
    X(CACHE, "page_cache")                                                                                                       \
    X(KERNEL, "kernel") X(UNEXPLAINED, "unexplained") X(BESIDE, "beside") // BESIDE: shown, not in the sum (v1 TCP buffers)
enum ledger_category {
#define X(id, name) LEDGER_##id,
    LEDGER_CATEGORIES(X)
#undef X
        LEDGER_CATEGORY_N
};
const char *ledger_category_name(enum ledger_category category);

#define LEDGER_ENTRIES 512 // more are in the sums only, and counted as dropped
#define LEDGER_NAME 160

struct ledger_entry {
    enum ledger_category category;
    int parent;     // index of the entry this is a part of; -1: a summand of the category
    int64_t bytes;  // signed: corrections are negative
    bool estimate;  // shown with ≈
    bool elsewhere; // charged to another cgroup: shown, not in the sum
    pid_t pid;      // 0: not a process
    enum proc_role role;
    int64_t growth_per_min; // bytes; INT64_MIN: not known
    bool growth_from_ages;  // growth comes from files' birth and modification times
    enum mem_verdict verdict;
    char name[LEDGER_NAME]; // path, process, segment
    char note[LEDGER_NAME]; // what to know of it, "" if nothing
};

struct eye_dir; // mem/eye.h
struct mounts;
struct segments;
struct scan_total;

// All a ledger is made of, borrowed.
struct ledger_input {
    const struct mem_sample *sample;
    const struct proc_info *procs;
    int32_t nprocs, procs_dropped;
    bool pss_fresh;     // Pss of every process was read together with the sample
    int64_t anon_moved; // how far anonymous memory moved while Pss was read
    enum sight sight;
    bool gvisor;
    unsigned ncpus; // 0: not known, taken for 1
    const struct mounts *mounts;
    const struct scan_total *walked; // one a mount, same index
    bool complete;                   // the walk has been through once
    const struct eye_dir *dirs;      // worth naming
    int n_dirs;
    const struct segments *segments;
};

struct ledger {
    int64_t usage, limit, hard;     // limit: MEM_UNLIMITED where there is none
    int64_t sum[LEDGER_CATEGORY_N]; // sum[LEDGER_UNEXPLAINED] is the residual, signed
    int64_t reserve; // the kernel's charge reserve: 256 KiB x CPUs; |unexplained| up to max(1 % of usage, this) balances
    enum sight sight;
    bool complete; // the walk of files in memory is done
    int32_t n, dropped;
    struct ledger_entry entry[LEDGER_ENTRIES];
};

// Adds up. What is read at lower sight or sized by guess is marked as an estimate. Growth and verdicts of lines are left open but
// for directories.
void ledger_build(const struct ledger_input *in, struct ledger *ret);
// What objects that are counted cost the kernel: inodes of files in memory, page tables, threads' stacks, sockets' buffers. -1:
// not known. The part of kernel memory that no reclaim gets back.
int64_t ledger_pinned(const struct mem_sample *sample, const struct proc_info *procs, int32_t nprocs,
                      const struct mounts *mounts);
#define LEDGER_RESERVE_PER_CPU (256 * 1024)
// |unexplained| <= max(1 % of usage, reserve)
bool ledger_balances(const struct ledger *l);
