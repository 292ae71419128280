// SPDX-License-Identifier: Apache-2.0
// How the last life ended: reads what watch --state DIR left behind. A life is a container's (or its first process's) from start
// to end; it is told from the next by boot id, cgroup and start time of the process.
#pragma once
#include <stdbool.h>

struct mem_roots;
struct mem_where;

// Prints how the last life ended, as text or as JSON (plimsoll.last/1, docs/watch.md), on standard output. `where` is the
// present container: its own life is not the last one; NULL: the newest life in the folder is explained, whether it goes on or
// not. Exit code: 0 printed, 1 the output can't be written, 2 there is nothing to read (standard error says why).
int last_run(const char *state_dir, const struct mem_roots *roots, const struct mem_where *where, bool json);
