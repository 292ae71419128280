// SPDX-License-Identifier: Apache-2.0
// Brings notices to one receiver, in order, one at a time, and tries again with growing pauses. Bounded: where too many wait,
// the oldest is given up, and that is said.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "watch/notice.h"

#define COURIER_QUEUE 8
#define COURIER_PAUSE_MAX_S 60.0

struct courier;
// Begins a delivery: 0, and courier_done() follows some time later; or -errno, which counts as a failed try.
typedef int (*courier_fn)(struct courier *c, const struct notice *n);

struct courier {
    const char *name; // "--webhook", for messages
    courier_fn start;
    void *to; // the receiver's own
    unsigned tries_max;
    double retry_s; // the first pause; doubles
    // its own
    struct timer timer;
    unsigned first, n, tries;
    bool busy;
    uint64_t delivered, failed; // notices
    struct notice queue[COURIER_QUEUE];
};

void courier_push(struct courier *c, const struct notice *n);
// The delivery under way has ended. again: it may be tried again.
void courier_done(struct courier *c, bool ok, bool again, const char *why);
bool courier_is_idle(const struct courier *c);
