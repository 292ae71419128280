// SPDX-License-Identifier: Apache-2.0
// What containers do that leak: where it goes, in what form, and what else goes on beside it. How much it rises is settled
// later (tracegen.c), from what all else does.
#include "trace_world.h"

static double part(struct world *w, double lo, double hi)
{
    return log_uniform(w, lo, hi) * headroom(w) * w->squeeze;
}

// What else goes on does so within hours, however long the trace is.
static double span(const struct world *w)
{
    return fmin(w->end, 16000);
}

static void leak_into(struct world *w, enum target k)
{
    w->leak_target = w->leak_also = k;
    if (k == T_TMPFS || k == T_DELETED || k == T_FILES_N)
        w->need_mnt = true;
    if (k == T_FILES_N || k == T_KERNEL)
        w->need_kernel = true;
    w->leak_file_bytes = log_uniform(w, 4096, 200000);
    if (k == T_GO && w->base_go == 0)
        w->main_target = T_GO;
}

static enum target anywhere(struct world *w)
{
    static const enum target all[] = {T_PHP, T_PHP, T_TMPFS, T_TMPFS, T_NATIVE, T_GO, T_DELETED, T_SEGMENTS};

    return all[pick(w, sizeof all / sizeof *all)];
}

static double early(struct world *w)
{
    return chance(w, 0.6) ? 0 : uniform(w, 0, 0.3) * w->end;
}

// Something harmless beside the leak, in half of the traces.
static void beside(struct world *w)
{
    switch (pick(w, 8)) {
    case 0:
        add_teeth(w, w->main_target, part(w, 0.03, 0.2), log_uniform(w, 10, span(w) / 20), 0.1, 1);
        break;
    case 1:
        add_spikes(w, T_NATIVE, part(w, 0.03, 0.2), log_uniform(w, 200, 2000), log_uniform(w, 10, 100));
        break;
    case 2:
        add_walk(w, w->main_target, part(w, 0.01, 0.04), log_uniform(w, 30, 400));
        break;
    case 3:
        add_saturating(w, T_SEGMENTS, part(w, 0.02, 0.15), log_uniform(w, 20, 600), 0);
        break;
    default:
        break;
    }
}

static void where_it_goes(struct world *w, enum trace_class c)
{
    static const enum target one[TRACE_CLASS_N] = {
        [TRACE_TMPFS_INCIDENT] = T_TMPFS,   [TRACE_HEAP_SAWTOOTH] = T_PHP,   [TRACE_SOME_WORKERS] = T_PHP,
        [TRACE_NATIVE_MALLOC] = T_NATIVE,   [TRACE_GO_HEAP_LEAK] = T_GO,     [TRACE_DELETED_OPEN] = T_DELETED,
        [TRACE_KERNEL_AT_LIMIT] = T_KERNEL, [TRACE_EMPTY_FILES] = T_FILES_N, [TRACE_SEGMENTS_LEAK] = T_SEGMENTS,
        [TRACE_CACHE_AT_LIMIT] = T_TMPFS,
    };
    enum target k = one[c];

    if (k == T_PHP && c != TRACE_HEAP_SAWTOOTH && c != TRACE_SOME_WORKERS) // T_PHP is 0: not in the list
        k = anywhere(w);
    leak_into(w, k);
    if (c == TRACE_GO_HEAP_LEAK)
        w->main_target = T_GO;
    if (c == TRACE_TWO_CAUSES) {
        w->leak_target = T_TMPFS;
        w->leak_also = T_PHP;
        w->need_mnt = true;
    }
}

static void traffic_of(struct world *w, enum trace_class c)
{
    double rps = log_uniform(w, 3, 300), period = span(w) / uniform(w, 3.05, 10);

    if (c == TRACE_PER_REQUEST_WAVE)
        traffic_wave(w, rps, uniform(w, 0.4, 0.95), period, uniform(w, 0, 1), uniform(w, 0, 0.12));
    else if (c == TRACE_ON_OFF)
        traffic_on_off(w, rps, period, uniform(w, 0.3, 0.7));
}

static void form_of(struct world *w, enum trace_class c)
{
    double onset = early(w);

    switch (c) {
    case TRACE_PER_REQUEST_WAVE:
    case TRACE_ON_OFF:
        leak_requests(w, onset);
        break;
    case TRACE_ACCELERATING:
        leak_power(w, onset, uniform(w, 1.5, 2.6));
        break;
    case TRACE_STAIRCASE:
        leak_stairs(w, onset, 8 + pick(w, 40));
        break;
    case TRACE_ONSET_MID:
        leak_linear(w, uniform(w, 0.2, 0.55) * w->end);
        break;
    case TRACE_AFTER_WARMUP:
        leak_linear(w, chance(w, 0.4) ? 0 : uniform(w, 0.05, 0.4) * w->end);
        break;
    case TRACE_SLOW_NOISE:
    case TRACE_TO_THE_LIMIT:
    case TRACE_KERNEL_AT_LIMIT:
        leak_linear(w, 0);
        break;
    default:
        if (chance(w, 0.3))
            leak_requests(w, onset);
        else
            leak_linear(w, onset);
    }
}

static void all_else(struct world *w, enum trace_class c)
{
    switch (c) {
    case TRACE_HEAP_SAWTOOTH:
        add_teeth(w, T_PHP, part(w, 0.05, 0.25), log_uniform(w, 10, span(w) / 12), uniform(w, 0, 0.2), 1);
        break;
    case TRACE_PER_REQUEST_WAVE:
    case TRACE_ON_OFF:
        add_with_rate(w, w->main_target, part(w, 0.03, 0.2), log_uniform(w, 10, 200));
        break;
    case TRACE_SLOW_NOISE:
        add_walk(w, w->main_target, part(w, 0.02, 0.08), log_uniform(w, 5, 200));
        add_white(w, T_NATIVE, part(w, 0.01, 0.03));
        w->leak_mult_hi = 1.6;
        break;
    case TRACE_SEASON:
        add_wave(w, w->main_target, part(w, 0.05, 0.25), span(w) / uniform(w, 3.05, 10), uniform(w, 0, 1), 0.08);
        break;
    case TRACE_SOME_WORKERS:
        add_workers(w, T_PHP, 2 + pick(w, 20), part(w, 0.05, 0.25), uniform(w, 0.03, 0.2) * fmin(w->end, 7200),
                    uniform(w, 0.05, 0.3));
        break;
    case TRACE_GO_HEAP_LEAK:
        w->leak_teeth = uniform(w, 0.1, 0.4);
        add_teeth(w, T_GO, part(w, 0.02, 0.15), log_uniform(w, 4, 200), 0.15, 1);
        break;
    case TRACE_AFTER_WARMUP:
        add_saturating(w, w->main_target, part(w, 0.05, 0.5), uniform(w, 0.01, 0.12) * span(w), 0);
        break;
    case TRACE_CACHE_AT_LIMIT:
        w->need_lru = true;
        add_level(w, T_CACHE, 2 * w->limit);
        break;
    case TRACE_KERNEL_AT_LIMIT:
        w->need_lru = true;
        w->to_the_limit = true;
        break;
    case TRACE_TO_THE_LIMIT:
        w->to_the_limit = true;
        break;
    case TRACE_LEAK_GAPS:
        add_spikes(w, w->main_target, part(w, 0.03, 0.2), log_uniform(w, 100, 1500), log_uniform(w, 5, 200));
        break;
    case TRACE_LEAK_DEPLOYS:
        for (unsigned n = 1 + pick(w, 3), j = 0; j < n; j++)
            add_step(w, w->main_target, part(w, 0.03, 0.12) * (chance(w, 0.5) ? 1 : -0.5), w->end * uniform(w, 0.05, 0.95),
                     log_uniform(w, 1, 60));
        break;
    default:
        beside(w);
    }
}

void compose_leak(struct world *w, enum trace_class c)
{
    w->leak_mult_lo = 1.03;
    w->leak_mult_hi = 6;
    where_it_goes(w, c);
    traffic_of(w, c);
    compose_base(w);
    all_else(w, c);
    form_of(w, c);
}
