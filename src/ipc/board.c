// SPDX-License-Identifier: Apache-2.0
// The board. Written by master (processes) and edge (counters, workers' states); read by whoever shows them.
#include "ipc/board.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/loop.h"

struct board *board;

const uint64_t board_bucket_us[BOARD_BUCKETS] = {1000,   2500,   5000,    10000,   25000,   50000,    100000,
                                                 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000};

int board_create(void)
{
    void *p = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    board = p;
    board->started_ms = clock_ms();
    board->started_wall_s = time(NULL);
    return 0;
}

static void set_text(char *dst, size_t cap, const char *src)
{
    size_t n = src ? strnlen(src, cap - 1) : 0;
    if (n)
        memcpy(dst, src, n);
    dst[n] = '\0';
}

struct board_proc *board_proc_add(enum board_role role, pid_t pid, uint32_t id, uint32_t generation, const char *pool)
{
    for (size_t i = 0; i < BOARD_PROCS_MAX; i++) {
        struct board_proc *p = &board->procs[i];
        if (atomic_load_explicit(&p->role, memory_order_acquire) != BOARD_FREE)
            continue;
        atomic_store(&p->state, BOARD_STARTING);
        atomic_store(&p->pid, pid);
        p->id = id;
        p->generation = generation;
        set_text(p->pool, sizeof p->pool, pool);
        p->started_ms = clock_ms();
        atomic_store(&p->requests, 0);
        atomic_store(&p->peak_bytes, 0);
        atomic_store(&p->cpu_us, 0);
        p->job_started_ms = 0;
        p->request_id[0] = p->method[0] = p->uri[0] = p->script[0] = '\0';
        atomic_store_explicit(&p->role, role, memory_order_release);
        return p;
    }
    return NULL;
}

struct board_proc *board_proc_find(enum board_role role, uint32_t id)
{
    for (size_t i = 0; i < BOARD_PROCS_MAX; i++)
        if (atomic_load_explicit(&board->procs[i].role, memory_order_acquire) == (uint32_t)role && board->procs[i].id == id)
            return &board->procs[i];
    return NULL;
}

void board_proc_free(struct board_proc *p)
{
    if (p)
        atomic_store_explicit(&p->role, BOARD_FREE, memory_order_release);
}

void board_proc_set_state(struct board_proc *p, enum board_state s)
{
    if (p)
        atomic_store_explicit(&p->state, s, memory_order_relaxed);
}

void board_proc_set_request(struct board_proc *p, const char *request_id, const char *method, const char *uri,
                            const char *script)
{
    if (!p)
        return;
    atomic_fetch_add_explicit(&p->seq, 1, memory_order_acq_rel);
    p->job_started_ms = loop_now_ms();
    set_text(p->request_id, sizeof p->request_id, request_id);
    set_text(p->method, sizeof p->method, method);
    set_text(p->uri, sizeof p->uri, uri);
    set_text(p->script, sizeof p->script, script);
    atomic_fetch_add_explicit(&p->seq, 1, memory_order_acq_rel);
}

const char *board_state_name(enum board_state s)
{
    static const char *const names[BOARD_STATES] = {"starting", "idle", "busy", "finishing", "leaving"};
    return (unsigned)s < BOARD_STATES ? names[s] : "unknown";
}

void board_count_duration(uint64_t us)
{
    int i = 0;
    while (i < BOARD_BUCKETS && us > board_bucket_us[i])
        i++;
    atomic_fetch_add_explicit(&board->duration_buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&board->duration_us_sum, us, memory_order_relaxed);
}
