// SPDX-License-Identifier: Apache-2.0
// Which server a process is, from what anybody may read of it (comm, cmdline) and, where that may be seen, its executable and
// its mappings. A claim of a process about itself is believed for the name shown, for nothing else.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mem/procs.h"

// What is known of a process. Texts are NUL-terminated, n bytes may hold further NULs (cmdline).
struct role_clues {
    const char *comm;    // "" where unknown
    const char *cmdline; // arguments separated by NUL, or a title
    size_t cmdline_n;
    const char *exe; // path of the executable, "" where it can't be read
    // As proc_roles_look_at_* saw: PHP, a Go runtime, Apache's module; modules that a Go program is built from.
    bool php, go, mod_php, frankenphp, caddy, roadrunner;
};

enum proc_role proc_roles_of(const struct role_clues *c);
// The pool of an fpm title ("php-fpm: pool www") or of Plimsoll's mold and workers; "" where there is none. Cleaned.
void proc_roles_pool(const struct role_clues *c, char ret_pool[32]);
// Is the program Go's, and is it FrankenPHP, Caddy, RoadRunner, whatever its name? Reads some headers of the file at exe_fd.
void proc_roles_look_at_exe(int exe_fd, struct role_clues *io);
// One path out of maps: libphp, mod_php and the like.
void proc_roles_look_at_mapping(const char *path, struct role_clues *io);
// Copies text so that it can be shown: control characters and what isn't UTF-8 become '?'; cut at size - 1.
void proc_roles_clean(const char *text, size_t n, char *ret, size_t size);
