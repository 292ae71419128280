// SPDX-License-Identifier: Apache-2.0
// Asks a running watch, over its local socket. Only a watch of the same user or of root is believed.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

// The address: `name` is a path or "@name" for an abstract one; NULL: "@plimsoll-watch-INO", ino as in struct mem_where.
// 0 or -ENAMETOOLONG.
int watch_socket_address(const char *name, uint64_t ino, struct sockaddr_un *ret, socklen_t *ret_n);

// Is it somebody to be believed who listens there? 0; -EACCES: another user's process; else -errno. Doesn't wait.
int watch_check(const char *name, uint64_t ino);

// Sends one request line ("history": a recording; "report": JSON, plimsoll.replay/1 with "line_growth" and "directories") and
// reads the whole answer into malloc'ed memory, NUL-terminated. -ECONNREFUSED or -ENOENT: no watch is running; -EACCES: it isn't
// ours, or it refuses us; -ETIMEDOUT; -EMSGSIZE: more than max bytes; -EPROTO: it said it couldn't; else -errno.
int watch_ask(const char *name, uint64_t ino, const char *request, int timeout_ms, size_t max, char **ret_text, size_t *ret_n);
