// SPDX-License-Identifier: Apache-2.0
// Which processes there are: those of a cgroup and its children, or all that /proc shows. A list that hasn't changed is told as
// such.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_LIST_MAX 16384  // pids kept
#define PROC_LIST_GROUPS 128 // children of the cgroup looked into

struct proc_list;

// proc: descriptor of /proc (O_PATH is enough); group: of a cgroup's directory, -1: all of proc. Borrowed. 0 or -errno.
int proc_list_open(int proc, int group, struct proc_list **ret);
struct proc_list *proc_list_close(struct proc_list *l); // NULL

// Reads the list. True in *ret_changed where it isn't, byte for byte, that of the last call. 0; -ENODEV: the cgroup is gone;
// -errno.
int proc_list_read(struct proc_list *l, bool *ret_changed);
// Ascending, each once. Valid until the next call.
const pid_t *proc_list_pids(const struct proc_list *l, int32_t *ret_n);
int32_t proc_list_dropped(const struct proc_list *l); // pids that didn't fit
