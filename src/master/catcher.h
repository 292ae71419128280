// SPDX-License-Identifier: Apache-2.0
// Catches what a pool's PHP writes to its standard output and error: lines go to the error log under the pool's name,
// bounded in length and rate. It lives until the last process that holds the pipe is gone.
#pragma once
#include <stdbool.h>

struct catcher;

// Makes the pipe; the write end is the caller's to pass on and close. NULL with errno set if there is none to be had.
struct catcher *catcher_new(const char *pool, int *ret_write_fd);
// The mold is up: from now on lines are dropped if quiet.
void catcher_set_quiet(struct catcher *c, bool quiet);
// Reads what is there, and returns the last lines that were said, joined by "; " (up to 2 KiB). Lines that are log lines
// already come without their time and role here and in the log.
const char *catcher_last_words(struct catcher *c);
// The owner lets go; it frees itself at the end of file.
void catcher_release(struct catcher *c);
