// SPDX-License-Identifier: Apache-2.0
// From a decoded URL path to a file beneath a root, in as few system calls as possible: openat2(2) beneath the root, and
// only where symbolic links are involved the slow way, with the rules applied to the resolved name as well.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/str.h"
#include "conf/conf.h"

struct root {
    int fd;           // O_PATH of the folder
    struct str path;  // absolute and resolved
    enum follow_symlinks follow;
};

enum resolve_want { RESOLVE_OPEN /* for reading */, RESOLVE_LOOK /* O_PATH, for scripts and folders */ };

struct resolved {
    int fd; // the caller's
    struct stat st;
    bool linked;         // a symbolic link was followed
    char real[4096];     // resolved absolute name; set when linked
};

// path begins with '/', is normalised, NUL-terminated. Returns 0, or -ENOENT, -EACCES (also: dotfile, link not allowed),
// -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EMFILE... ret->fd is open on success only.
int resolve(const struct root *root, const char *path, enum resolve_want want, struct resolved *ret);

// True if a segment of the path begins with a dot, save /.well-known/ as the first one.
bool path_is_hidden(struct str path);
// True if the last segment ends in the exact bytes ".php".
bool path_is_php(struct str path);

// True if the last segment is named like PHP source that is not to be run: other case, other extensions (.phtml, .php5,
// .inc...), backups and editors' copies (index.php~, .php.bak, .php.swp). "class.php.html" is not: that is a page about it.
bool path_is_source(struct str path);

// For tests: the walk that systems without openat2(2) or /proc get, link by link.
void resolve_set_walk_only(bool on);
