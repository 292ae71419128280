// SPDX-License-Identifier: Apache-2.0
// A small server on a stream socket: a few visits at a time, each one request and one answer, with a time limit. watch has two:
// OpenMetrics over HTTP, and the local socket that xray asks.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/loop.h"

#define SERVICE_VISITS 4 // more wait in the kernel's queue
#define SERVICE_TIME_S 5
#define SERVICE_IN 2048
#define SERVICE_OUT 65536

struct service;
struct visit {
    struct service *service;
    int fd; // -1: free
    struct watch watch;
    struct timer limit;
    size_t in_n, out_n, out_done;
    bool more;     // answer() is called again once this is sent
    double cursor; // the answerer's own place; NAN at first
    uint64_t memo[2];
    char in[SERVICE_IN];
    char out[SERVICE_OUT];
};

struct service {
    // True once the request in v->in (NUL-terminated) is whole.
    bool (*is_whole)(const struct visit *v);
    // Fills v->out, v->out_n, v->more.
    void (*answer)(struct visit *v);
    bool same_user; // visitors of the same uid or of root only
    int fd;         // -1: not listening
    char *unlink;   // the path to remove at the end, owned
    struct watch watch;
    struct timer pause; // set while nobody can be let in: descriptors or memory are out
    struct visit visits[SERVICE_VISITS];
};

// Listens; functions are set by the caller. 0 or -errno: -EADDRINUSE: somebody answers there.
int visits_listen(struct service *s, const struct sockaddr *addr, socklen_t n, mode_t mode);
void visits_close(struct service *s);
// "127.0.0.1:9750", "[::1]:9750", ":9750" (127.0.0.1), "unix:PATH". 0, or -EINVAL with the reason in words.
int visits_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_n, char *error, size_t error_n);
