// SPDX-License-Identifier: Apache-2.0
// The error log of a process: one write(2) a line, so that lines of several processes never mix.
//   [24-Nov-2026 06:08:55] WARNING: edge: text
// A line is cut at 8 KiB; control characters other than TAB are written as \xNN, so a peer can't forge lines.
#pragma once
#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG };

// role ("master", "edge", "mold www") is copied; before log_init lines carry no role and go to descriptor 2.
void log_init(const char *role, int fd);
// The descriptor lines go to from now on (borrowed), and the one they go to now.
void log_set_fd(int fd);
int log_fd(void);
// From now on a line that a pipe, socket or terminal has no room for is dropped; lines dropped, or refused by a full disk, are
// counted before the next that is written.
void log_dont_wait(void);
// The same, but for a reader that is only slow, lines wait up to ms in all of any ten seconds before one is dropped.
void log_wait_at_most(unsigned ms);
unsigned log_dropped(void); // lines lost since one was written last; 0: the last one got through
// Lines above this level are dropped; NOTICE to begin with.
void log_set_level(enum log_level max);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// A line whose role is somebody else's (a worker's message that the edge or master writes for it).
void log_as(enum log_level level, const char *role, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
