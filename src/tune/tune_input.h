// SPDX-License-Identifier: Apache-2.0
// What tune reckons with, and where each number comes from: options, a recording, the running container, or an assumption.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "advice/facts.h"
#include "mem/verdict.h"

struct tune_args {
    enum advice_server server; // SERVER_UNKNOWN: not given
    const char *recording;     // NULL: none
    int64_t limit;             // bytes; MEM_UNLIMITED: none; -1: not given
    double cpus;               // 0: not given
    int64_t memory_limit;      // bytes; 0: none; -1: not given
    int64_t opcache, tmpfs;    // bytes; -1: not given
    pid_t pid;                 // 0: this process's container
    bool json, help;
    const char *proc, *sys, *root; // other trees than the machine's, for tests
};

// 0, or -EINVAL with the reason in `error`. Strings are borrowed from argv.
int tune_args_parse(int argc, char **argv, struct tune_args *ret, char *error, size_t error_n);

struct tune_amount {
    bool known;
    bool measured; // seen, and may grow yet
    bool assumed;  // neither given nor measured
    int64_t value;
    char from[192]; // "--limit", "the recording", "/etc/php/8.2/fpm/pool.d/www.conf:12"
};

struct tune_input {
    enum advice_server server;       // SERVER_UNKNOWN: none recognised
    struct tune_amount limit;        // MEM_UNLIMITED: none
    bool limit_is_ram;               // of the machine: no group limits the container
    struct tune_amount memory_limit; // 0: none
    double cpus;
    char cpus_from[64];
    // As in struct budget_in.
    struct tune_amount hot_file, shared, tmpfs, inodes, kernel, go_live, others, base;
    // APCu's segment, where nobody seems to store in it: `shared` then has apcu_counted for it instead of its size. 0: it is used,
    // or not there, or not known.
    int64_t apcu_size, apcu_touched, apcu_counted;
    // A worker's peaks: of at least two workers and budget.h's number of requests.
    bool peaks;
    uint64_t requests;
    int64_t mean, sd, worst;
    // What the recording says of growth.
    bool growing;
    enum mem_cause growing_cause;
    double bytes_per_request; // of the processes' memory, its lower bound; 0: none
};

// Gathers everything. 0; 2: the recording can't be read (standard error says why); 1: no memory.
int tune_measure(const struct tune_args *args, struct tune_input *ret);
// Fills what isn't known with assumptions for a server, and raises what was measured where it can't stay that small.
void tune_assume(struct tune_input *in, enum advice_server server);
