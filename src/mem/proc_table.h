// SPDX-License-Identifier: Apache-2.0
// The processes of a container, kept from look to look: who they are (proc_roles.h), what /proc/PID/status says of their memory,
// and on demand smaps_rollup and the split of their anonymous memory (proc_maps.h, chunks.h).
//
// A process is known by pid and start time. Descriptors of /proc/PID stay open for those that live on, so that a look at a
// process that hasn't changed opens nothing; they name the process and not its pid, so a reused pid can't be mistaken for it.
// Processes may die between any two calls: what they leave is dropped at the next refresh. Everything read from a process is
// hostile text. After open nothing allocates. One thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/procs.h"
#include "mem/sample.h"

#define PROC_TABLE_MAX 4096 // beyond it processes are only summed up

struct proc_table;

// proc: descriptor of /proc. group: descriptor of a cgroup's directory, whose processes and those of its children are meant;
// -1: every process visible in proc but kernel threads. Both are borrowed and must stay open. 0 or -ENOMEM, -EINVAL.
int proc_table_open(int proc, int group, struct proc_table **ret);
struct proc_table *proc_table_close(struct proc_table *t); // NULL

// Who is there now, and each one's status. Fills the sums of *io (nprocs, nthreads, sum_rss*; sum_pss*, sum_private_dirty once
// every process has been rolled up; php_heap, go_heap, native where all may be seen and once each has
// been split, later ones counting as native until they are) where io isn't NULL.
// 0; -ESRCH: no process is left (io->nprocs is then 0); -errno: the list can't be read, and nothing is filled in.
int proc_table_refresh(struct proc_table *t, struct mem_sample *io);

// The processes of the last refresh; indices hold until the next. Valid until the next call on t.
const struct proc_info *proc_table_get(const struct proc_table *t, int32_t *ret_n);
const struct proc_info *proc_table_find(const struct proc_table *t, pid_t pid); // NULL
int32_t proc_table_dropped(const struct proc_table *t);                         // processes that aren't in the table
// What may be seen of others: FULL where maps of all can be read, DOCKER where root or of some only, else NONE.
enum sight proc_table_sight(const struct proc_table *t);
// Descriptor of /proc/PID of the process at an index, borrowed until the next call on t; -errno where it is gone.
int proc_table_dir(struct proc_table *t, int32_t index);

// smaps_rollup, those first whose numbers are the oldest. budget_us is what this call may cost on average: what is left over is
// saved up (for a minute at most), so that a large process, whose smaps_rollup can take tens of milliseconds, has its turn.
// INT64_MAX: all at once. True when all that can be read were read since the last true. now_us: a monotonic clock.
bool proc_table_rollup(struct proc_table *t, int64_t budget_us, int64_t (*now_us)(void *arg), void *clock_arg);
// The same for proc_table_split: those first that have changed the most since. True when there is none left.
bool proc_table_split_some(struct proc_table *t, int64_t budget_us, int64_t (*now_us)(void *arg), void *clock_arg);

// Splits the anonymous memory of a process (index): fills split, text, php_*, memory_limit. 0; -EACCES: not ours to see; -ESRCH:
// gone; other -errno. Where there is no pagemap (gVisor), php_heap is the address space of the heap.
int proc_table_split(struct proc_table *t, int32_t index);
// The index of the process whose anonymous memory has changed the most (by 256 KiB at least) since it was split, or wasn't split
// yet; -1: none that may be.
int32_t proc_table_unsplit(const struct proc_table *t);
