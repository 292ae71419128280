// SPDX-License-Identifier: Apache-2.0
// The queue of one receiver. Runs in watch; owns the notices in it. Invariant: at most one delivery is under way, that of
// queue[first].
#include "watch/courier.h"

#include <math.h>
#include <string.h>

#include "base/log.h"

static void go_on(struct courier *c);

static void on_pause_over(struct timer *t)
{
    go_on(container_of(t, struct courier, timer));
}

static void drop_first(struct courier *c)
{
    c->first = (c->first + 1) % COURIER_QUEUE;
    c->n--;
    c->tries = 0;
}

static void go_on(struct courier *c)
{
    while (c->n > 0 && !c->busy && !timer_is_set(&c->timer)) {
        c->busy = true;
        c->tries++;
        int r = c->start(c, &c->queue[c->first]);
        if (r < 0)
            courier_done(c, false, true, strerror(-r));
    }
}

void courier_push(struct courier *c, const struct notice *n)
{
    if (c->n == COURIER_QUEUE) {
        log_warning("%s: %u notices wait already; the oldest that is not under way is given up", c->name, c->n);
        c->failed++;
        if (c->busy) { // queue[first] is being delivered: the one behind it goes
            for (unsigned i = 1; i + 1 < c->n; i++)
                c->queue[(c->first + i) % COURIER_QUEUE] = c->queue[(c->first + i + 1) % COURIER_QUEUE];
            c->n--;
        } else {
            drop_first(c);
        }
    }
    c->queue[(c->first + c->n) % COURIER_QUEUE] = *n;
    c->n++;
    go_on(c);
}

void courier_done(struct courier *c, bool ok, bool again, const char *why)
{
    c->busy = false;
    if (ok) {
        c->delivered++;
        drop_first(c);
    } else if (again && c->tries < c->tries_max) {
        double pause = fmin(c->retry_s * exp2((double)c->tries - 1), COURIER_PAUSE_MAX_S);
        log_notice("%s failed: %s; next try in %.3g s", c->name, why, pause);
        timer_set(&c->timer, on_pause_over, (uint64_t)(pause * 1000) + 1);
        return;
    } else {
        log_warning("%s failed: %s; the notice is given up", c->name, why);
        c->failed++;
        drop_first(c);
    }
    go_on(c);
}

bool courier_is_idle(const struct courier *c)
{
    return c->n == 0;
}
