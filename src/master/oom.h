// SPDX-License-Identifier: Apache-2.0
// Was a SIGKILL the kernel's, for want of memory? The kernel does not say; its counter of OOM kills does, when it moved.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// Finds the counter nearest to us: the cgroup's (v2 memory.events, v1 memory.oom_control), else /proc/vmstat's.
void oom_init(void);
// To be asked once for each unasked SIGKILL: true if a kill was counted that no earlier call explained.
bool oom_take_kill(void);

// The number behind "oom_kill " in a kernel file's text; false if it has none.
bool oom_parse(const char *text, unsigned long long *ret_kills);
// The memory controller's folder below /sys/fs/cgroup from the text of /proc/self/cgroup; false if none is named.
bool oom_cgroup_path(const char *text, bool *ret_v2, char *ret_path, size_t cap);
