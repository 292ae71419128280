// SPDX-License-Identifier: Apache-2.0
// The memory budget: how many PHP workers (processes or threads) a limit holds. Arithmetic only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/sample.h"

// Of the limit, what is spoken for:
//   left = limit - margin (10 %) - file pages needed - shared memory - files in memory - kernel - Go - other processes
// and what a worker takes:
//   by memory_limit   N x (base + memory_limit) <= left: holds whatever the requests do
//   by measured peaks N x (base + mean) + 2.33 x sqrt(N) x sd <= left, and one of them may be the worst: 99 of 100 times enough.
//                     Only where BUDGET_REQUESTS_LEAST requests were measured.
// and the CPUs have a say too. The result is never negative: where not one worker fits it says by how much, and what would fit.
#define BUDGET_MARGIN_PCT 10
#define BUDGET_Z 2.33 // one-sided 99 %
#define BUDGET_REQUESTS_LEAST 1000
#define BUDGET_WORKERS_MAX 4096
#define BUDGET_BYTES_MAX (INT64_C(1) << 56) // larger amounts count as this

// Amounts below 0 count as 0. All in bytes but for counts.
struct budget_in {
    int64_t limit;        // MEM_UNLIMITED: there is none, and nothing can be reckoned
    int64_t memory_limit; // PHP's; 0: none (memory_limit = -1)
    double cpus;          // usable; 0: not known
    double per_cpu;       // workers a CPU at most; 0: CPUs have no say
    // Beside the workers.
    int64_t hot_file; // file pages needed to run: program text
    int64_t shared;   // OPcache, JIT, APCu, as configured
    int64_t tmpfs;    // files in memory, at most
    int64_t inodes;   // on tmpfs
    int64_t kernel;   // sockets, page tables and the rest, without inodes and workers' threads
    int64_t go;       // the Go runtime's share
    int64_t others;   // masters, web server, helpers
    // A worker.
    int64_t base;      // its private memory at rest
    uint64_t requests; // measured so far
    int64_t mean, sd;  // of a request's peak above base
    int64_t worst;     // the highest; 0: not known
};

enum budget_by {
    BUDGET_NONE,        // no worker fits, or nothing can be reckoned
    BUDGET_BY_LIMIT,    // workers x memory_limit
    BUDGET_BY_MEASURED, // measured peaks
    BUDGET_BY_CPU,      // more would only wait for each other
};

struct budget {
    int64_t margin, inodes; // bytes
    int64_t left;           // for workers; 0 where what is spoken for is more than the limit
    int64_t over;           // by how much it is; 0: it isn't
    bool measured;          // peaks were used, not memory_limit
    unsigned by_limit;      // workers by memory_limit; 0: none, or no memory_limit
    unsigned by_measured;   // 0: not measured, or none
    unsigned by_cpu;        // 0: no say
    unsigned workers;       // the answer
    enum budget_by by;
    int64_t workers_bytes; // what the answer is reckoned to take of `left`
    // Where no worker fits: what would make one fit. 0: nothing of the kind would.
    int64_t limit_needed;
    int64_t memory_limit_fits;
};

void budget_reckon(const struct budget_in *in, struct budget *ret);
// Bytes that n workers take, by memory_limit or by measured peaks; saturates at BUDGET_BYTES_MAX.
int64_t budget_take(const struct budget_in *in, unsigned n, bool measured);
// The limit with which n workers fit by memory_limit (or by peaks, where measured).
int64_t budget_limit_for(const struct budget_in *in, unsigned n);
// limit - threads x memory_limit, as FrankenPHP's users reckon GOMEMLIMIT: negative as soon as the threads' limits add up to
// more.
int64_t budget_classic_gomemlimit(int64_t limit, unsigned threads, int64_t memory_limit);
// The Go runtime's share: twice its live heap, at least 64 MiB; live < 0: not known.
int64_t budget_go_share(int64_t live);
