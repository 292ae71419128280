// SPDX-License-Identifier: Apache-2.0
// Inside the trace generator: the world that a trace is a record of, and the shapes it is composed from.
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracegen.h"

#define MIB 1048576.0

// Where the bytes are. FILES_N counts inodes on tmpfs, DENTRIES are kernel memory that yields, KERNEL is such that doesn't, CACHE
// page cache of a disk; CHURN counts refaults a second of a cache that is too small for what is read.
enum target {
    T_PHP,
    T_NATIVE,
    T_GO,
    T_TMPFS,
    T_SEGMENTS,
    T_DELETED,
    T_FILES_N,
    T_DENTRIES,
    T_KERNEL,
    T_CACHE,
    T_CHURN,
    T_WORKERS_N,
    TARGET_N
};

struct world {
    uint64_t rng[4];
    double spare; // of gauss()
    bool has_spare;
    double limit;   // bytes; what sizes are drawn from, even where no limit is told
    double squeeze; // < 1 where an earlier try didn't fit below the limit
    double end;     // duration
    double dt;
    size_t n;
    double *t;               // from 0
    double *limits;          // the limit told, row by row
    double *rate;            // requests a second
    double *cum;             // requests so far
    double *value[TARGET_N]; // all that isn't the leak
    // The leak: unit[] rises from 0 at the onset to 1 at the end; its rise is chosen when all else is known.
    double *unit;
    double onset;
    enum target leak_target;
    enum target leak_also;             // == leak_target: one cause only
    double leak_mult_lo, leak_mult_hi; // rise over what counts
    double leak_file_bytes;            // for tmpfs leaks: bytes a file
    double leak_teeth;                 // Go: the part of the leak that comes and goes on top of it
    bool to_the_limit;
    double *stall; // 0..1, to_the_limit only: how much of a stall it is
    // The container.
    double base_php, base_native, base_go;
    enum target main_target;
    double cache_want; // page cache it would like
    double hot;        // file pages it needs
    bool v2, split, requests, limit_told, host_mnt;
    bool need_mnt, need_kernel, need_requests, need_lru; // columns the class's label depends on
    double sparse_split;                                 // seconds between rows that tell the split; 0: every row
    int cpus;
    enum trace_profile profile;
};

// Random numbers of the world.
double uniform(struct world *w, double lo, double hi);
double log_uniform(struct world *w, double lo, double hi);
double gauss(struct world *w);
double exponential(struct world *w, double mean);
bool chance(struct world *w, double p);
unsigned pick(struct world *w, unsigned n); // 0..n-1
void rng_seed(struct world *w, uint64_t a, uint64_t b);

// Shapes: each adds to value[k] over the whole trace. Sizes in bytes, times in seconds.
void add_level(struct world *w, enum target k, double level);
void add_white(struct world *w, enum target k, double sd);
void add_walk(struct world *w, enum target k, double sd, double tau); // Ornstein-Uhlenbeck around 0
void add_chunks(struct world *w, enum target k, double sd);           // like ZendMM's: comes and goes by 2 MiB
void add_spikes(struct world *w, enum target k, double height, double every, double length);
void add_saturating(struct world *w, enum target k, double rise, double tau, double from);
void add_log(struct world *w, enum target k, double rise, double tau);
void add_catalogue(struct world *w, enum target k, double rise, double exponent, double hits_per_key);
void add_ramp(struct world *w, enum target k, double rise, double from, double to);
void add_teeth(struct world *w, enum target k, double amp, double period, double jitter, double drift);
void add_wave(struct world *w, enum target k, double amp, double period, double phase, double variation);
void add_step(struct world *w, enum target k, double size, double at, double took);
void add_workers(struct world *w, enum target k, unsigned n, double grow, double life, double spread);
void add_ttl(struct world *w, enum target k, double level, double ttl, double sweep);
void add_high_water(struct world *w, enum target k, unsigned n, double scale, double cap, double tail);
void add_with_rate(struct world *w, enum target k, double amp, double lag); // follows the traffic
void add_cleaned(struct world *w, enum target k, double amp, double period, double jitter, double left);
void add_files(struct world *w, enum target of, double bytes_a_file); // inodes for what value[of] holds

// Traffic: fills rate[] and cum[].
void traffic_constant(struct world *w, double rps, double noise);
void traffic_wave(struct world *w, double rps, double depth, double period, double phase, double variation);
void traffic_ramp(struct world *w, double from_rps, double to_rps, double from, double to);
void traffic_on_off(struct world *w, double rps, double period, double duty);

// The leak's form, between onset and the end.
void leak_linear(struct world *w, double onset);
void leak_power(struct world *w, double onset, double power);
void leak_requests(struct world *w, double onset); // so much a request
void leak_stairs(struct world *w, double onset, unsigned steps);

// The classes: compose the world. All is drawn anew on each call, from the same numbers.
void compose_quiet(struct world *w, enum trace_class c);
void compose_leak(struct world *w, enum trace_class c);
void compose_base(struct world *w); // what every container has
double headroom(const struct world *w);

// Rows from a world.
int rows_make(struct world *w, struct trace *t);
