// SPDX-License-Identifier: Apache-2.0
// How many requests the server has answered, asked for on the side: a question is under way while watch goes on looking.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "advice/requests.h"
#include "base/loop.h"

#define COUNTING_EVERY_MS 2000  // a question over a socket costs the server something; /proc/net/snmp is read at each look
#define COUNTING_FRESH_MS 10000 // an older answer is not known any more

struct counting {
    struct requests *requests; // NULL: off
    enum requests_source source;
    int proc_pid;
    struct watch watch;
    bool busy, failed_said;
    uint64_t asked_ms, answered_ms; // 0: never
    int64_t total, before;          // of the server's present and earlier lives
};

// url: of --requests; NULL: the best that the configuration tells, else TCP connections. 0; -EINVAL, -EADDRNOTAVAIL: the url.
int counting_open(struct counting *c, const char *url, const struct server_conf *conf, int proc, pid_t pid, int root);
void counting_close(struct counting *c);
// Asks if it is time. Then: the newest count, false where there is none.
bool counting_ask(struct counting *c, int64_t *ret_total);
