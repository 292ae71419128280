// SPDX-License-Identifier: Apache-2.0
// What advice is given on: the server, its settings, the application. What isn't known is -1 (or the UNKNOWN of its enum).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/procs.h"

enum advice_server { SERVER_UNKNOWN, SERVER_FRANKENPHP, SERVER_FPM, SERVER_APACHE, SERVER_ROADRUNNER, SERVER_PLIMSOLL, SERVER_N };
enum advice_app { APP_UNKNOWN, APP_SYMFONY, APP_SULU, APP_LARAVEL, APP_WORDPRESS, APP_N };
const char *advice_server_name(enum advice_server server); // "frankenphp", "php-fpm", ...; "unknown"
const char *advice_app_name(enum advice_app app);          // "symfony", ...; "unknown"

// Bytes, counts; -1: not known.
struct advice_facts {
    enum advice_server server;
    enum advice_app app;
    int64_t limit;                            // of the container; MEM_UNLIMITED: none
    int64_t host_ram;                         // MemTotal
    int32_t cpus;                             // the container's
    int64_t memory_limit;                     // of the running PHP; 0: none (memory_limit = -1)
    int32_t max_children;                     // php-fpm: of all pools; Apache: MaxRequestWorkers; Plimsoll: workers
    int64_t worker_bytes;                     // private memory of a PHP worker now, the average; of processes, not threads
    int64_t worker_peak;                      // the largest of them
    bool max_threads_auto, max_threads_known; // FrankenPHP
    int32_t num_threads;                      // FrankenPHP: PHP threads there are or may be started
    bool go_runtime;                          // a process with a Go runtime is there
    bool gomemlimit_known, gomemlimit_set;    // from that process's environment; Caddy >= 2.10 sets it by itself
    int64_t go_heap, php_heap, native;        // over all processes
    int64_t anon, anon_thp;
    int64_t hard; // usage without page cache
};
#define ADVICE_FACTS_UNKNOWN                                                                                                     \
    {                                                                                                                            \
        .limit = -1, .host_ram = -1, .cpus = -1, .memory_limit = -1, .max_children = -1, .worker_bytes = -1, .worker_peak = -1,  \
        .num_threads = -1, .go_heap = -1, .php_heap = -1, .native = -1, .anon = -1, .anon_thp = -1, .hard = -1,                  \
    }

// Adds what the processes tell: server (the most telling role wins), worker_bytes and worker_peak, sums of heaps, go_runtime.
void advice_facts_from_procs(struct advice_facts *f, const struct proc_info *procs, unsigned n);
// The application a path of it tells of: "/app/var/cache/prod/…" is Symfony's, "wp-content" WordPress's.
enum advice_app advice_app_of_path(const char *path);
