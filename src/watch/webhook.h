// SPDX-License-Identifier: Apache-2.0
// Posts notices to an http:// address: a literal IP address or localhost. Never waits: connection, request and answer together
// have WEBHOOK_TIME_S.
#pragma once
#include <stddef.h>
#include <sys/socket.h>

#include "watch/courier.h"

#define WEBHOOK_TIME_S 10

struct webhook {
    struct courier courier;
    struct sockaddr_storage addr;
    socklen_t addr_n;
    char host[128], path[512];
    int fd; // -1: none under way
    struct watch watch;
    struct timer limit;
    size_t out_n, out_done, in_n;
    char out[NOTICE_JSON + 1024];
    char in[16];
};

// 0, or -EINVAL with the reason in words.
int webhook_init(struct webhook *w, const char *url, double retry_s, char *error, size_t error_n);
void webhook_done(struct webhook *w);
