// SPDX-License-Identifier: Apache-2.0
// The board: shared memory made by the master before it forks an edge, where master and edges write what can be seen of
// the server: counters, processes, current requests. `status`, the admin listener and the master's log read it; nothing is
// decided from it. It outlives an edge, so counters go on when one is replaced.
// Each value is written with relaxed atomics: several edges (old and new during a reload) may count at once.
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define BOARD_PROCS_MAX 1280 // master, edges, molds, workers
#define BOARD_BUCKETS 14

enum counter {
#define COUNTER(name, metric, labels, kind, help) COUNTER_##name,
#include "tbl/counters.def"
#undef COUNTER
    COUNTERS
};

enum board_role { BOARD_FREE, BOARD_MASTER, BOARD_EDGE, BOARD_MOLD, BOARD_WORKER };
enum board_state { BOARD_STARTING, BOARD_IDLE, BOARD_BUSY, BOARD_FINISHING, BOARD_LEAVING, BOARD_STATES };

struct board_proc {
    _Atomic uint32_t role; // enum board_role; written last when a row is taken
    _Atomic uint32_t state;
    _Atomic int32_t pid;
    uint32_t id; // worker id; 0 for others
    uint32_t generation;
    char pool[32];
    uint64_t started_ms; // CLOCK_MONOTONIC
    _Atomic uint64_t requests;
    _Atomic uint64_t peak_bytes, cpu_us; // of the last job
    // the current request, written by the edge under a sequence lock (odd = being written)
    _Atomic uint32_t seq;
    uint64_t job_started_ms;
    char request_id[40], method[16], uri[256], script[256];
};

struct board {
    uint64_t started_ms;      // CLOCK_MONOTONIC
    int64_t started_wall_s;
    _Atomic uint32_t generation; // of the current configuration
    _Atomic uint32_t ready;      // answers are given
    char listen[1024];           // where it listens, one a line; written by the master when a configuration takes over
    _Atomic uint64_t counters[COUNTERS];
    _Atomic uint64_t duration_buckets[BOARD_BUCKETS + 1]; // requests by time to the last byte, +Inf last
    _Atomic uint64_t duration_us_sum;
    struct board_proc procs[BOARD_PROCS_MAX];
};

extern struct board *board; // set by board_create in the master, inherited by forks

int board_create(void); // 0 or -errno

static inline void count(enum counter c)
{
    atomic_fetch_add_explicit(&board->counters[c], 1, memory_order_relaxed);
}
static inline void count_add(enum counter c, uint64_t n)
{
    atomic_fetch_add_explicit(&board->counters[c], n, memory_order_relaxed);
}
static inline void gauge_add(enum counter c, int64_t n)
{
    atomic_fetch_add_explicit(&board->counters[c], (uint64_t)n, memory_order_relaxed);
}

// Rows. board_proc_add returns NULL when the board is full (the process runs all the same, unseen).
struct board_proc *board_proc_add(enum board_role role, pid_t pid, uint32_t id, uint32_t generation, const char *pool);
struct board_proc *board_proc_find(enum board_role role, uint32_t id); // by worker id
void board_proc_free(struct board_proc *p);
void board_proc_set_state(struct board_proc *p, enum board_state s); // p may be NULL
void board_proc_set_request(struct board_proc *p, const char *request_id, const char *method, const char *uri,
                            const char *script);
const char *board_state_name(enum board_state s);

void board_count_duration(uint64_t us);
extern const uint64_t board_bucket_us[BOARD_BUCKETS]; // upper bounds
