// SPDX-License-Identifier: Apache-2.0
// The event loop. Runs in master and edge. Owns the epoll descriptor, the slot table and the timer heap.
// Invariant: epoll's user data is a slot number with a generation, so an event for a watch that was removed in the same
// round is recognised and dropped.
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"

#define ROUND_EVENTS 256
#define NO_SLOT UINT32_MAX

struct slot {
    struct watch *watch;
    uint32_t generation;
    uint32_t next_free;
};

static int ep_fd = -1;
static struct slot *slots;
static uint32_t n_slots, free_slot;
static struct timer **heap;
static size_t heap_n, heap_cap;
static struct task *task_first, *task_last;
static uint64_t now_ms;
static bool stopped;
static int stop_result;

uint64_t loop_now_ms(void)
{
    return now_ms;
}

void loop_init(void)
{
    if (ep_fd >= 0)
        loop_done();
    ep_fd = epoll_create1(EPOLL_CLOEXEC);
    must(ep_fd >= 0);
    free_slot = NO_SLOT;
    task_first = task_last = NULL;
    stopped = false;
    now_ms = clock_ms();
}

void loop_done(void)
{
    if (ep_fd >= 0)
        close(ep_fd);
    ep_fd = -1;
    free(slots);
    slots = NULL;
    n_slots = 0;
    free(heap);
    heap = NULL;
    heap_n = heap_cap = 0;
}

static uint32_t slot_take(struct watch *w)
{
    if (free_slot == NO_SLOT) {
        uint32_t grown = n_slots ? n_slots * 2 : 64;
        slots = xrealloc(slots, grown * sizeof *slots);
        for (uint32_t i = n_slots; i < grown; i++)
            slots[i] = (struct slot){.next_free = i + 1 < grown ? i + 1 : NO_SLOT};
        free_slot = n_slots;
        n_slots = grown;
    }
    uint32_t at = free_slot;
    free_slot = slots[at].next_free;
    slots[at].watch = w;
    return at;
}

static struct epoll_event event_of(const struct watch *w)
{
    struct epoll_event e = {.events = w->events};
    e.data.u64 = (uint64_t)slots[w->slot].generation << 32 | w->slot;
    return e;
}

int loop_add(struct watch *w, int fd, uint32_t events, watch_fn fn)
{
    must(!w->added);
    w->fd = fd;
    w->events = events;
    w->fn = fn;
    w->slot = slot_take(w);
    w->added = true;
    struct epoll_event e = event_of(w);
    if (epoll_ctl(ep_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
        int err = errno;
        w->events = 0;
        slots[w->slot] = (struct slot){NULL, slots[w->slot].generation + 1, free_slot};
        free_slot = w->slot;
        w->added = false;
        return -err;
    }
    return 0;
}

void loop_mod(struct watch *w, uint32_t events)
{
    if (!w->added || w->events == events)
        return;
    w->events = events;
    struct epoll_event e = event_of(w);
    must(epoll_ctl(ep_fd, EPOLL_CTL_MOD, w->fd, &e) == 0);
}

void loop_del(struct watch *w)
{
    if (!w->added)
        return;
    (void)epoll_ctl(ep_fd, EPOLL_CTL_DEL, w->fd, NULL);
    slots[w->slot] = (struct slot){NULL, slots[w->slot].generation + 1, free_slot};
    free_slot = w->slot;
    w->added = false;
}

static void heap_put(size_t at, struct timer *t)
{
    heap[at] = t;
    t->heap_at = at + 1;
}

static void sift_up(size_t at)
{
    struct timer *t = heap[at];
    while (at > 0) {
        size_t up = (at - 1) / 4;
        if (heap[up]->key_ms <= t->key_ms)
            break;
        heap_put(at, heap[up]);
        at = up;
    }
    heap_put(at, t);
}

static void sift_down(size_t at)
{
    struct timer *t = heap[at];
    for (;;) {
        size_t first = at * 4 + 1, least = first;
        if (first >= heap_n)
            break;
        for (size_t i = first + 1; i < first + 4 && i < heap_n; i++)
            if (heap[i]->key_ms < heap[least]->key_ms)
                least = i;
        if (heap[least]->key_ms >= t->key_ms)
            break;
        heap_put(at, heap[least]);
        at = least;
    }
    heap_put(at, t);
}

static void heap_remove(struct timer *t)
{
    size_t at = t->heap_at - 1;
    t->heap_at = 0;
    struct timer *last = heap[--heap_n];
    if (last == t)
        return;
    heap_put(at, last);
    sift_up(at);
    sift_down(last->heap_at - 1);
}

void timer_set(struct timer *t, timer_fn fn, uint64_t ms)
{
    uint64_t due = now_ms + ms;

    t->fn = fn;
    t->due_ms = due ? due : 1;
    if (t->heap_at) {
        if (t->key_ms <= t->due_ms)
            return; // found to be early when it comes up, and moved then
        t->key_ms = t->due_ms;
        sift_up(t->heap_at - 1);
        return;
    }
    if (heap_n == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 64;
        heap = xrealloc(heap, heap_cap * sizeof *heap);
    }
    t->key_ms = t->due_ms;
    heap_put(heap_n++, t);
    sift_up(heap_n - 1);
}

void timer_clear(struct timer *t)
{
    t->due_ms = 0;
    if (t->heap_at)
        heap_remove(t);
}

void loop_defer(struct task *t, task_fn fn)
{
    t->fn = fn;
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    t->prev = task_last;
    *(task_last ? &task_last->next : &task_first) = t;
    task_last = t;
}

void loop_undefer(struct task *t)
{
    if (!t->queued)
        return;
    t->queued = false;
    *(t->prev ? &t->prev->next : &task_first) = t->next;
    *(t->next ? &t->next->prev : &task_last) = t->prev;
}

static void run_tasks(void)
{
    while (task_first) {
        struct task *t = task_first;
        loop_undefer(t);
        t->fn(t);
    }
}

static int next_wait_ms(int max_ms)
{
    if (task_first)
        return 0;
    if (!heap_n)
        return max_ms;
    uint64_t key = heap[0]->key_ms;
    uint64_t wait = key > now_ms ? key - now_ms : 0;
    if (wait > 60000)
        wait = 60000;
    return max_ms >= 0 && (uint64_t)max_ms < wait ? max_ms : (int)wait;
}

static void fire_timers(void)
{
    while (heap_n && heap[0]->key_ms <= now_ms) {
        struct timer *t = heap[0];
        if (t->due_ms > now_ms) {
            t->key_ms = t->due_ms;
            sift_down(0);
            continue;
        }
        heap_remove(t);
        t->due_ms = 0;
        t->fn(t);
    }
}

void loop_once(int max_ms)
{
    struct epoll_event events[ROUND_EVENTS];

    int n = epoll_wait(ep_fd, events, ROUND_EVENTS, next_wait_ms(max_ms));
    must(n >= 0 || errno == EINTR);
    now_ms = clock_ms();
    for (int i = 0; i < n; i++) {
        uint32_t at = (uint32_t)events[i].data.u64, generation = (uint32_t)(events[i].data.u64 >> 32);
        if (at < n_slots && slots[at].generation == generation && slots[at].watch)
            slots[at].watch->fn(slots[at].watch, events[i].events);
    }
    fire_timers();
    run_tasks();
}

int loop_run(void)
{
    stopped = false;
    while (!stopped)
        loop_once(-1);
    return stop_result;
}

void loop_stop(int result)
{
    stopped = true;
    stop_result = result;
}
