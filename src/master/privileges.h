// SPDX-License-Identifier: Apache-2.0
// What a child gives up before it does its work. All of these run in the child, between fork and its main or exec.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf_pool;

// Keeps the soft limit that molds get back, and raises the master's own to the hard one.
void privileges_raise_limits(void);
void privileges_restore_limits(void); // in a child that becomes another master

// Dies with the master. False if the master is gone already.
bool privileges_tie_to(pid_t master_pid);
// Becomes uid and gid (either may be -1: keep) with user's groups (user NULL: only gid). Returns 0 or -errno.
int privileges_become(const char *user, uid_t uid, gid_t gid);
// The pool's limits on files and core, before privileges_become.
int privileges_limit(const struct conf_pool *pool);
// The only descriptors that stay open are 0 to 2 and those given (negative ones are skipped).
void privileges_close_others(const int *keep, size_t n);
// The process's name in `ps`: written over argv as far as that goes, and the thread's name.
void privileges_set_title(char **argv, const char *title);
