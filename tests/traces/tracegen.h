// SPDX-License-Identifier: Apache-2.0
// Labelled memory traces, made up: what containers do that leak, and what those do that only look like it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/sample.h"
#include "mem/verdict.h"

// A class and a seed give one trace, always the same: rows of struct mem_sample and the label that says what is true of it.
// Everything else (limit, sampling, noise, traffic, which columns are known) is drawn from the seed.
//
// A leak counts if it rises by at least max(8 MiB, 2 % of the limit) and by the p95 - p5 swing of all else: trace_make()
// guarantees it for every leak it makes. Ramps without request counts end by 60 % of the trace, waves show at least three periods,
// random walks revert to their mean. Nobody can tell the first rise of a wave of 24 hours from a leak: such a wave either
// carries requests or begins with its fall.
#define TRACE_CLASSES(X)                                                                                                         \
    /* name, leaks, what it is */                                                                                                \
    X(STEADY, steady, 0, "constant load, noise of all kinds")                                                                    \
    X(WARMUP, warmup, 0, "caches fill and level off, exponentially")                                                             \
    X(LOG_WARMUP, log_warmup, 0, "a logarithm's slow tail: distinct keys of a finite catalogue")                                 \
    X(CACHE_FILL, cache_fill, 0, "a cache fills in a straight line to its size, and stays")                                      \
    X(LRU_CHURN, lru_churn, 0, "a full cache replaces its entries; the level wanders")                                           \
    X(GC_SAWTOOTH, gc_sawtooth, 0, "a garbage collector's teeth, period drifting")                                               \
    X(GC_LONG, gc_long, 0, "few long teeth")                                                                                     \
    X(GO_SCAVENGER, go_scavenger, 0, "Go: GC teeth and a scavenger that gives back slowly after bursts")                         \
    X(WORKER_RECYCLE, worker_recycle, 0, "workers grow to max_requests and are replaced, in step at first")                      \
    X(DAILY_WAVE, daily_wave, 0, "days of 24 hours")                                                                             \
    X(SHORT_WAVE, short_wave, 0, "a periodic load, three to ten periods")                                                        \
    X(RANDOM_WALK, random_walk, 0, "a walk that reverts to its mean")                                                            \
    X(RAMP_REQUESTS, ramp_requests, 0, "traffic rises all along, memory with it; requests are counted")                          \
    X(RAMP_ENDS, ramp_ends, 0, "traffic rises and levels off by 60 % of the trace")                                              \
    X(DEPLOY_STEPS, deploy_steps, 0, "one to three lasting jumps")                                                               \
    X(DEPLOY_RESTARTS, deploy_restarts, 0, "restarts, each with its own warm-up")                                                \
    X(CRON_SPIKES, cron_spikes, 0, "jobs that come and go")                                                                      \
    X(BATCH_JOB, batch_job, 0, "one big job in the middle")                                                                      \
    X(PAGE_CACHE, page_cache, 0, "files on disk fill the limit with page cache, which yields")                                   \
    X(CACHE_CHURN, cache_churn, 0, "more files are read again and again than the cache holds: refaults, and nobody hangs")           \
    X(DENTRIES, dentries, 0, "looked-up names: kernel memory that is taken back at the limit")                                   \
    X(TMPFS_CLEANED, tmpfs_cleaned, 0, "files in memory, removed by a cleaner")                                                  \
    X(LOG_ROTATION, log_rotation, 0, "logs on tmpfs, rotated, N kept")                                                           \
    X(SESSIONS_TTL, sessions_ttl, 0, "files with a time to live: the number levels off")                                         \
    X(OPCACHE_FILL, opcache_fill, 0, "a shared segment fills and restarts")                                                      \
    X(HIGH_WATER, high_water, 0, "heaps keep the peak of heavy-tailed requests")                                                 \
    X(POOL_DYNAMIC, pool_dynamic, 0, "workers spawned and retired with the traffic")                                             \
    X(OUTAGES, outages, 0, "bursts, outages, gaps in t")                                                                         \
    X(LIMIT_CHANGES, limit_changes, 0, "the limit moves, the memory follows or doesn't")                                         \
    X(THP_COLLAPSE, thp_collapse, 0, "huge pages round the heap up, slowly, to an end")                                          \
    X(TMPFS_INCIDENT, tmpfs_incident, 1, "a store on tmpfs that never deletes")                                                  \
    X(HEAP_SAWTOOTH, heap_sawtooth, 1, "a PHP heap whose troughs rise")                                                          \
    X(PER_REQUEST_WAVE, per_request_wave, 1, "so much a request, under wave-shaped traffic")                                     \
    X(SLOW_NOISE, slow_noise, 1, "slow, under noise as large as the rule allows")                                                \
    X(SEASON, season, 1, "with a season on top")                                                                                 \
    X(SOME_WORKERS, some_workers, 1, "some workers are recycled, one leaks on")                                                  \
    X(NATIVE_MALLOC, native_malloc, 1, "malloc of an extension")                                                                 \
    X(GO_HEAP_LEAK, go_heap_leak, 1, "live heap of a Go process, teeth growing with it")                                         \
    X(DELETED_OPEN, deleted_open, 1, "files deleted and still open")                                                             \
    X(EMPTY_FILES, empty_files, 1, "kernel memory from empty files on tmpfs")                                                    \
    X(KERNEL_AT_LIMIT, kernel_at_limit, 1, "kernel memory that nothing counted explains, and that doesn't yield at the limit")       \
    X(SEGMENTS_LEAK, segments_leak, 1, "shared segments nobody removes")                                                         \
    X(ACCELERATING, accelerating, 1, "faster and faster")                                                                        \
    X(STAIRCASE, staircase, 1, "eight steps or more")                                                                            \
    X(ONSET_MID, onset_mid, 1, "begins in mid-trace")                                                                            \
    X(AFTER_WARMUP, after_warmup, 1, "begins with or under a long warm-up")                                                              \
    X(ON_OFF, on_off, 1, "only while there is traffic, which comes and goes")                                                    \
    X(CACHE_AT_LIMIT, cache_at_limit, 1, "page cache at the limit hides it in usage")                                            \
    X(TO_THE_LIMIT, to_the_limit, 1, "until the container stalls")                                                               \
    X(TWO_CAUSES, two_causes, 1, "two things leak at once")                                                                      \
    X(LEAK_GAPS, leak_gaps, 1, "with gaps in t")                                                                                 \
    X(LEAK_DEPLOYS, leak_deploys, 1, "with steps up and down beside it")

enum trace_class {
#define X(id, name, leaks, help) TRACE_##id,
    TRACE_CLASSES(X)
#undef X
        TRACE_CLASS_N
};
const char *trace_class_name(enum trace_class c);
const char *trace_class_help(enum trace_class c);
bool trace_class_leaks(enum trace_class c);
int trace_class_find(const char *name, enum trace_class *ret); // 0 or -ENOENT

// Which columns there are. By the seed, mostly; some classes can't do without some.
enum trace_profile { TRACE_FULL, TRACE_WATCH, TRACE_SPARSE, TRACE_GVISOR, TRACE_PROFILE_N };

// What to make; zero in a field other than class and seed: by the seed.
struct trace_spec {
    enum trace_class class;
    uint64_t seed;
    double dt, duration; // seconds; duration >= 7200
    int64_t limit;
};

struct trace_label {
    bool leak;
    double onset;    // seconds from the first row; 0: from the start
    unsigned causes; // bits 1 << mem_cause: which answers are right with the columns there are
    // What the guarantee was made of, in bytes.
    double rise, swing;
};

struct trace {
    struct trace_spec spec; // as made
    struct trace_label label;
    enum trace_profile profile;
    bool v2, split, requests; // which counters' names; php_heap & co known; requests counted
    bool host_mnt;            // mnt_used is a disk of the host: it says nothing of the group
    double split_every;       // seconds between rows that know php_heap & co; 0: all do
    uint64_t columns[2];      // fields known in some row
    size_t n;
    struct mem_sample *row;
};

// 0, -ENOMEM, or -ERANGE: the label could not be kept (a defect of the generator).
int trace_make(const struct trace_spec *spec, struct trace *ret);
void trace_done(struct trace *t);
// The recording as text, NUL-terminated, to be freed; NULL: no memory.
char *trace_csv(const struct trace *t, size_t *ret_n);
