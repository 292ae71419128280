// SPDX-License-Identifier: Apache-2.0
// The event loop: epoll for descriptors, a heap for timers, a list for work to be done before the next wait. One loop a
// process, level-triggered. A watch or timer is embedded in its owner; the owner removes it before it goes away, which is
// allowed at any time, also inside its own callback or another's of the same round.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/clock.h"

struct loop;
struct watch;
struct timer;
struct task;

typedef void (*watch_fn)(struct watch *w, uint32_t events); // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR, EPOLLRDHUP
typedef void (*timer_fn)(struct timer *t);
typedef void (*task_fn)(struct task *t);

struct watch {
    int fd;          // borrowed: the owner closes it, after loop_del
    uint32_t events; // what is watched for
    watch_fn fn;
    bool added;
    uint32_t slot; // of the loop
};

struct timer {
    timer_fn fn;
    uint64_t due_ms; // 0 = not set
    uint64_t key_ms; // where the heap has it: never later than due_ms
    size_t heap_at;  // position + 1; 0 = not in the heap
};

// Work to be done once the callbacks of this round have returned: where an object may free itself safely.
struct task {
    task_fn fn;
    struct task *prev, *next;
    bool queued;
};

// The owner of an embedded member: container_of(w, struct conn, watch).
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

// The loop is the process's only one; dies if epoll can't be had. After fork the child calls loop_init again.
void loop_init(void);
void loop_done(void);
// Runs until loop_stop; returns what loop_stop was given.
int loop_run(void);
void loop_stop(int result);
// One round: waits at most max_ms (-1 = until something happens); for tests.
void loop_once(int max_ms);

// clock_ms() as it was when this round began.
uint64_t loop_now_ms(void);

// Returns 0 or -errno (ENOSPC: too many watches for the system).
int loop_add(struct watch *w, int fd, uint32_t events, watch_fn fn);
void loop_mod(struct watch *w, uint32_t events); // free of cost if nothing changes
void loop_del(struct watch *w);                  // no-op if not added

// Sets (or moves) a timer to ms from now; moving one later costs nothing until it would have fired.
void timer_set(struct timer *t, timer_fn fn, uint64_t ms);
void timer_clear(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
    return t->due_ms != 0;
}

// Runs fn(t) before the next wait, once however often it was asked for; in the order asked.
void loop_defer(struct task *t, task_fn fn);
void loop_undefer(struct task *t); // no-op if it is not queued
