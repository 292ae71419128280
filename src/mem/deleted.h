// SPDX-License-Identifier: Apache-2.0
// Deleted files in memory that are still open, and memfds: from the descriptors of processes.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "mem/segments.h"

// Adds to g the deleted files and memfds that a process has open. in_memory: as in segments.h; where it says no, the file's own
// file system is asked. At most fds_max descriptors are looked at. 0, -EACCES where that isn't ours to see, another -errno;
// -EOVERFLOW: it has more.
int deleted_read(struct segments *g, int proc_pid, pid_t pid, unsigned fds_max, segments_dev_fn in_memory, void *arg);
