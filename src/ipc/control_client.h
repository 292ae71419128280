// SPDX-License-Identifier: Apache-2.0
// Asking a running server over its control socket: one line out ("status", "reload", "stop", "reopen"), lines back.
// status is answered with one JSON document; the others with lines of progress and a last line "ok" or "error: REASON".
#pragma once
#include "base/buf.h"

typedef void (*control_line_fn)(const char *line, void *arg);

// Connects to path and asks. Returns a descriptor to read the answer from, or -errno (-ECONNREFUSED, -ENOENT, -EACCES:
// nobody answers there).
int control_ask(const char *path, const char *command);
// Reads the whole answer, at most max bytes. 0 or -errno.
int control_read_all(int fd, size_t max, struct buf *ret_answer);
// Hands each line (without its end) to fn until the server closes; 0 or -errno.
int control_read_lines(int fd, control_line_fn fn, void *arg);
