// SPDX-License-Identifier: Apache-2.0
// Opens one listening socket: the system calls, and what their errors mean to people.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

// Both return a non-blocking, close-on-exec descriptor or -errno.
// host NULL = any address: one IPv6 socket that takes IPv4 too, or IPv4 alone where there is no IPv6.
int listen_inet(const char *host, uint16_t port);
// A file that nobody listens on is replaced; -EADDRINUSE if somebody answers there.
int listen_unix(const char *path, mode_t mode);

// One sentence: address, reason, and what to do about it.
void listen_explain(const struct conf_listen *l, int error, char *why, size_t why_cap);
