// SPDX-License-Identifier: Apache-2.0
// Files of /proc and cgroups: read whole by descriptor, parsed without allocation. Whatever they hold, a line that isn't what
// it should be is left out; nothing else suffers.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"

// Reads fd from its start into buf, NUL-terminated. The length, or -errno. Whole lines only: what doesn't fit, and a last line
// without its end, which the kernel never writes, is left out.
ssize_t kfile_pread(int fd, char *buf, size_t cap);
// openat(2) by which this library opens everything: the descriptor, or -1 and errno. It remembers a lack of descriptors.
int kfile_open(int dir, const char *name, int flags);
// EMFILE (ours) or ENFILE (the machine's) if a file could not be opened for lack of descriptors since the last call; 0: there were
// enough. What was looked at meanwhile has holes.
int kfile_lacked(void);
// The same for a file beneath dir, opened and closed again. Symbolic links are followed (fake trees, /proc/self).
ssize_t kfile_read(int dir, const char *name, char *buf, size_t cap);

// stat of what a link of /proc (exe, fd/N, map_files/...) leads to, as the kernel knows it: a file system in user space or in a
// network isn't asked, for it may never answer. Device, inode, type, links, blocks and size only. 0 or -errno.
int kfile_stat(int dir, const char *name, struct stat *ret);

// A whole number, surrounding white space put up with: 0 to INT64_MAX. "max" is INT64_MAX where `max` is allowed.
// False: garbage, empty, negative, too large.
bool kfile_number(struct str text, bool max, int64_t *ret);
// A file that holds one number (or "max").
bool kfile_read_number(int fd, bool max, int64_t *ret);

// The next line without its end; false at the end of the text. An unfinished last line counts.
bool kfile_line(struct str *rest, struct str *ret_line);
// The next word of a line (spaces and tabs between); false at its end.
bool kfile_word(struct str *rest, struct str *ret_word);

// One key of a "key value" or "Key:   N kB" file and where its value goes. A "kB" behind the number multiplies by 1024.
struct kfile_key {
    struct str key; // without the colon
    unsigned slot;  // of values[] and of the bit set
};
// Looks for the keys (any order; fastest in the file's own) and fills values[slot]; returns the set of slots found (slot < 64).
// A value that is no number leaves its slot out; a key that comes twice counts the first time.
uint64_t kfile_keys(struct str text, const struct kfile_key *keys, size_t n_keys, int64_t *values);

// memory.pressure and /proc/pressure/memory: the total µs of its lines "some" and "full". False where a line lacks.
bool kfile_psi(struct str text, const char *line, int64_t *ret_us);

// "0-3,5": how many numbers a list of CPUs has; 0: none or garbage.
unsigned kfile_cpu_list(struct str text);
