// SPDX-License-Identifier: Apache-2.0
// Which life of a container it is: the same text for as long as it lives, another after each start.
#pragma once
#include "mem/cgroup_find.h"

#define LIFE_ID 160

// From the machine's boot id, the cgroup's inode and the start time of process `pid` (0: pid 1 as seen in proc; -1: none, the
// cgroup is enough). What can't be read is left out of it.
void life_id(const struct mem_roots *roots, const struct mem_where *where, pid_t pid, char ret[LIFE_ID]);
// Whether two ids may be of the same life: one without a start time is compared by machine and cgroup only.
bool life_is_same(const char *a, const char *b);
// Start time of a process in clock ticks since boot (field 22 of PID/stat); -1: not known.
int64_t life_start_of(int proc, pid_t pid);
// The oldest process called `name` (of at most 15 bytes, as in PID/comm); 0: there is none.
pid_t life_find_process(int proc, const char *name);
