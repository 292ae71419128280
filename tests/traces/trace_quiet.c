// SPDX-License-Identifier: Apache-2.0
// What containers do that don't leak. Each class draws its own sizes and times, broadly; the hard ones are hard on purpose.
#include "trace_world.h"

// What fits between what there is so far and the stall.
double headroom(const struct world *w)
{
    double top = 0;

    for (size_t i = 0; i < w->n; i++) {
        double sum = 0;
        for (enum target k = T_PHP; k <= T_DELETED; k++)
            sum += w->value[k][i];
        sum += 1000 * w->value[T_FILES_N][i];
        top = fmax(top, sum);
    }
    return fmax(0.02 * w->limit, 0.9 * w->limit - w->hot - top);
}

static double part(struct world *w, double lo, double hi)
{
    return log_uniform(w, lo, hi) * headroom(w) * w->squeeze;
}

static void add_noise(struct world *w, enum target k)
{
    double sd = log_uniform(w, 0.0003, 0.015) * w->limit * w->squeeze;

    switch (pick(w, 6)) {
    case 0:
        add_white(w, k, sd);
        break;
    case 1:
        add_walk(w, k, sd, log_uniform(w, 5, 300));
        break;
    case 2:
        add_white(w, k, sd / 4);
        add_spikes(w, k, 6 * sd, log_uniform(w, 60, 1200), log_uniform(w, 5, 60));
        break;
    case 3:
        add_chunks(w, k, sd);
        break;
    case 4:
        add_with_rate(w, k, 5 * sd, log_uniform(w, 5, 120));
        add_white(w, k, sd / 2);
        break;
    default: // hardly any
        add_white(w, k, 20000);
    }
}

void compose_base(struct world *w)
{
    double base = log_uniform(w, 0.10, 0.5) * w->limit * w->squeeze, go = 0, native;

    if (w->rate[0] == 0 && w->cum[w->n - 1] == 0)
        traffic_constant(w, log_uniform(w, 1, 300), uniform(w, 0.02, 0.3));
    if (w->main_target == T_GO || chance(w, 0.5))
        go = uniform(w, 0.1, 0.4) * base;
    native = uniform(w, 0.1, 0.3) * base;
    w->base_go = go;
    w->base_native = native;
    w->base_php = fmax(0, base - go - native);
    add_level(w, T_PHP, w->base_php);
    add_level(w, T_NATIVE, native);
    add_level(w, T_GO, go);
    if (chance(w, 0.4)) // recorded from the start of the container
        add_saturating(w, w->main_target, uniform(w, 0.1, 0.5) * base, log_uniform(w, 5, 90), 0);
    add_noise(w, w->main_target);
    if (chance(w, 0.3))
        add_noise(w, T_NATIVE);
    add_level(w, T_SEGMENTS, fmin(0.06 * w->limit, uniform(w, 1, 90) * MIB));
    if (chance(w, 0.5)) { // OPcache takes its last scripts
        add_saturating(w, T_SEGMENTS, fmin(0.01 * w->limit, uniform(w, 0.2, 5) * MIB), log_uniform(w, 30, 600), 0);
    }
    if (chance(w, 0.7)) {
        add_level(w, T_TMPFS, fmin(0.03 * w->limit, log_uniform(w, 0.01, 60) * MIB));
        add_files(w, T_TMPFS, log_uniform(w, 2000, 200000));
    }
    add_level(w, T_WORKERS_N, 2 + pick(w, 30));
    w->hot = uniform(w, 0.01, 0.05) * w->limit;
    w->cache_want = chance(w, 0.2) ? 2 * w->limit : uniform(w, 0.03, 0.4) * w->limit;
    add_level(w, T_CACHE, w->hot);
    if (chance(w, 0.5))
        add_ramp(w, T_CACHE, w->cache_want, 0, w->end * log_uniform(w, 0.1, 3));
    else
        add_level(w, T_CACHE, w->cache_want);
}

static void in_memory_files(struct world *w)
{
    w->need_mnt = true;
    w->main_target = chance(w, 0.5) ? T_PHP : T_NATIVE;
}

static void compose_fills(struct world *w, enum trace_class c)
{
    static const enum target anywhere[] = {T_PHP, T_PHP, T_NATIVE, T_GO, T_SEGMENTS, T_TMPFS};
    enum target k = anywhere[pick(w, 6)];
    double a;

    compose_base(w);
    switch (c) {
    case TRACE_WARMUP:
        a = part(w, 0.1, 0.8);
        add_saturating(w, k, a, log_uniform(w, 20, 0.07 * w->end), 0);
        break;
    case TRACE_LOG_WARMUP:
        a = part(w, 0.1, 0.5);
        if (chance(w, 0.5))
            add_catalogue(w, k, a, uniform(w, 0.6, 1.1), log_uniform(w, 5, 60));
        else
            add_log(w, k, a, log_uniform(w, 5, 0.01 * w->end));
        break;
    case TRACE_CACHE_FILL:
        a = part(w, 0.1, 0.45);
        add_ramp(w, k, a, 0, uniform(w, 0.03, 0.6) * fmin(w->end, 7200));
        add_white(w, k, 0.003 * a);
        break;
    case TRACE_LRU_CHURN:
        a = part(w, 0.1, 0.5);
        add_ramp(w, k, a, 0, uniform(w, 0.02, 0.3) * fmin(w->end, 7200));
        add_walk(w, k, 0.03 * a, log_uniform(w, 30, 600));
        break;
    case TRACE_RANDOM_WALK:
        a = part(w, 0.03, 0.2);
        add_level(w, k, 2.5 * a);
        add_walk(w, k, a, log_uniform(w, 20, w->end / 10));
        break;
    default: // TRACE_STEADY
        if (chance(w, 0.5))
            add_noise(w, k);
    }
    if (k == T_TMPFS)
        add_files(w, T_TMPFS, log_uniform(w, 2000, 100000));
}

static void compose_teeth(struct world *w, enum trace_class c)
{
    w->main_target = c == TRACE_GO_SCAVENGER ? T_GO : chance(w, 0.7) ? T_PHP : T_GO;
    compose_base(w);
    switch (c) {
    case TRACE_GC_SAWTOOTH:
        add_teeth(w, w->main_target, part(w, 0.1, 0.8), log_uniform(w, 10, w->end / 12), uniform(w, 0, 0.25), uniform(w, 0.5, 2));
        break;
    case TRACE_GC_LONG:
        add_teeth(w, w->main_target, part(w, 0.1, 0.45), uniform(w, 0.12, 0.33) * fmin(w->end, 7200), uniform(w, 0, 0.1), 1);
        break;
    case TRACE_GO_SCAVENGER:
        add_teeth(w, T_GO, part(w, 0.05, 0.3), log_uniform(w, 4, 120), uniform(w, 0.05, 0.3), 1);
        for (unsigned n = 2 + pick(w, 10); n-- > 0;) { // a burst, given back within a minute or some
            double at = uniform(w, 0, w->end), a = part(w, 0.1, 0.5), back = log_uniform(w, 20, 240);
            for (size_t i = 0; i < w->n; i++)
                if (w->t[i] >= at)
                    w->value[T_GO][i] += a * exp(-(w->t[i] - at) / back);
        }
        break;
    default: // TRACE_WORKER_RECYCLE
        add_workers(w, w->main_target, 2 + pick(w, 30), part(w, 0.1, 0.5), uniform(w, 0.03, 0.33) * fmin(w->end, 7200),
                    uniform(w, 0.02, 0.3));
    }
}

static void compose_traffic(struct world *w, enum trace_class c)
{
    double rps = log_uniform(w, 2, 300), lag = log_uniform(w, 10, 300), period, phase;

    switch (c) {
    case TRACE_DAILY_WAVE:
        w->need_requests = chance(w, 0.7);
        phase = w->need_requests ? uniform(w, 0, 1) : uniform(w, 0.5, 0.62); // else it begins with its fall
        traffic_wave(w, rps, uniform(w, 0.4, 0.95), 86400, phase, uniform(w, 0, 0.12));
        break;
    case TRACE_SHORT_WAVE:
        period = w->end / uniform(w, 3.05, 10);
        traffic_wave(w, rps, uniform(w, 0.4, 0.95), period, uniform(w, 0, 1), uniform(w, 0, 0.12));
        break;
    case TRACE_RAMP_REQUESTS:
        w->need_requests = true;
        traffic_ramp(w, rps, rps * uniform(w, 1.5, 8), w->end * uniform(w, 0, 0.3), w->end * uniform(w, 0.7, 1));
        break;
    default: { // TRACE_RAMP_ENDS
        double end = fmin(w->end, 7200);
        traffic_ramp(w, rps, rps * uniform(w, 1.5, 8), end * uniform(w, 0, 0.15), end * uniform(w, 0.2, 0.6));
    }
    }
    compose_base(w);
    add_with_rate(w, w->main_target, part(w, 0.1, 0.6), lag);
    if (chance(w, 0.3))
        add_with_rate(w, T_NATIVE, part(w, 0.02, 0.1), lag);
}

static void compose_events(struct world *w, enum trace_class c)
{
    double a, at;

    compose_base(w);
    switch (c) {
    case TRACE_DEPLOY_STEPS:
        for (unsigned n = 1 + pick(w, 3), j = 0; j < n; j++) {
            at = w->end * (j + uniform(w, 0.1, 0.9)) / n;
            add_step(w, w->main_target, part(w, 0.08, 0.3) * (chance(w, 0.75) ? 1 : -0.3), at, log_uniform(w, 1, 60));
        }
        break;
    case TRACE_DEPLOY_RESTARTS: {
        unsigned n = 2 + pick(w, 4);
        double began = 0, tau = log_uniform(w, 20, 400), over = 0;
        a = part(w, 0.2, 0.6);
        for (size_t i = 0, j = 1; i < w->n; i++) {
            if (j < n && w->t[i] >= w->end * ((double)j + over) / n) {
                began = w->t[i];
                over = uniform(w, -0.3, 0.3);
                j++;
            }
            w->value[w->main_target][i] +=
                a * (1 - exp(-(w->t[i] - began) / tau)) - (w->t[i] - began < 20 ? 0.3 * w->base_php : 0);
        }
        break;
    }
    case TRACE_CRON_SPIKES:
        add_spikes(w, T_NATIVE, part(w, 0.1, 0.7), log_uniform(w, 300, 3000), log_uniform(w, 10, 300));
        break;
    case TRACE_BATCH_JOB: {
        // A long climb takes less than half of the headroom: beyond, nobody can tell it from a leak in time.
        double length = log_uniform(w, 300, 2400), climb = log_uniform(w, 2, 0.7 * length);
        a = climb < 60 ? part(w, 0.2, 0.7) : part(w, 0.2, 0.45);
        at = uniform(w, 0.05, 0.6) * w->end;
        add_ramp(w, T_NATIVE, a, at, at + climb);
        add_ramp(w, T_NATIVE, -a, at + length, at + length + log_uniform(w, 1, 60));
        break;
    }
    default: { // TRACE_LIMIT_CHANGES
        double level = w->limit, last = level;
        for (unsigned n = 1 + pick(w, 3), j = 0; j < n; j++) {
            at = w->end * (j + uniform(w, 0.1, 0.9)) / n;
            last = level * uniform(w, 1.0, 2.2);
            for (size_t i = 0; i < w->n; i++)
                if (w->t[i] >= at)
                    w->limits[i] = floor(last / 4096) * 4096;
            if (chance(w, 0.5))
                add_step(w, w->main_target, part(w, 0.1, 0.35), at + uniform(w, 0, 60), log_uniform(w, 5, 300));
        }
    }
    }
}

static void compose_files(struct world *w, enum trace_class c)
{
    double a, end = fmin(w->end, 7200);

    in_memory_files(w);
    compose_base(w);
    switch (c) {
    case TRACE_TMPFS_CLEANED:
        add_cleaned(w, T_TMPFS, part(w, 0.1, 0.6), log_uniform(w, 30, 0.33 * end), uniform(w, 0, 0.2), uniform(w, 0, 0.3));
        add_files(w, T_TMPFS, log_uniform(w, 2000, 100000));
        break;
    case TRACE_LOG_ROTATION: { // n kept, each of a size: up for n rotations, then teeth of one
        unsigned n = 2 + pick(w, 6);
        double keep_full = uniform(w, 0.08, 0.6) * end, length = keep_full / n;
        a = part(w, 0.1, 0.45);
        for (size_t i = 0; i < w->n; i++) {
            double turns = floor(w->t[i] / length), now = w->t[i] / length - turns;
            w->value[T_TMPFS][i] += a / (n + 1) * (fmin(turns, n) + now);
        }
        break;
    }
    case TRACE_SESSIONS_TTL:
        add_ttl(w, T_TMPFS, part(w, 0.08, 0.4), uniform(w, 300, 4000), log_uniform(w, 10, 300));
        add_files(w, T_TMPFS, log_uniform(w, 4096, 20000));
        break;
    case TRACE_OPCACHE_FILL: {
        double length = uniform(w, 0.05, 0.33) * end;
        a = part(w, 0.1, 0.4);
        for (size_t i = 0; i < w->n; i++) {
            double now = fmod(w->t[i], length) / length;
            w->value[T_SEGMENTS][i] += a * (0.3 + 0.7 * (1 - pow(1 - now, 2)));
        }
        break;
    }
    case TRACE_PAGE_CACHE:
        w->need_lru = true;
        add_ramp(w, T_CACHE, 2 * w->limit, 0, w->end * log_uniform(w, 0.02, 1));
        if (chance(w, 0.5))
            add_saturating(w, T_DENTRIES, 0.04 * w->limit, 0.03 * w->end, 0);
        break;
    case TRACE_CACHE_CHURN: {
        double rate = log_uniform(w, 300, 50000);
        w->need_lru = true;
        add_level(w, T_CACHE, 2 * w->limit);
        if (chance(w, 0.5))
            add_level(w, T_CHURN, rate);
        else
            add_spikes(w, T_CHURN, rate, log_uniform(w, 200, 2000), log_uniform(w, 5, 600));
        break;
    }
    default: // TRACE_DENTRIES
        w->need_lru = w->need_kernel = true;
        add_ramp(w, T_DENTRIES, log_uniform(w, 0.2, 2) * w->limit, w->end * uniform(w, 0, 0.3), w->end * uniform(w, 0.5, 1.2));
        break;
    }
}

static void compose_rest(struct world *w, enum trace_class c)
{
    double a, n;

    if (c == TRACE_POOL_DYNAMIC)
        traffic_wave(w, log_uniform(w, 2, 100), uniform(w, 0.5, 0.9), w->end / uniform(w, 3.05, 12), uniform(w, 0, 1), 0.1);
    compose_base(w);
    switch (c) {
    case TRACE_HIGH_WATER: {
        unsigned workers = 2 + pick(w, 15);
        a = part(w, 0.2, 0.6);
        add_high_water(w, T_PHP, workers, a / workers * uniform(w, 0.05, 0.3), a / workers, uniform(w, 1.2, 3));
        break;
    }
    case TRACE_POOL_DYNAMIC: {
        double top = 1e-9, spare = 0;
        n = 4 + pick(w, 30);
        a = part(w, 0.2, 0.6);
        for (size_t i = 0; i < w->n; i++)
            top = fmax(top, w->rate[i]);
        for (size_t i = 0; i < w->n; i++) { // spawned at once, retired one at a time
            double want = ceil(n * w->rate[i] / top);
            spare = want > spare ? want : spare - fmin(spare - want, w->dt / 30);
            w->value[T_PHP][i] += a / n * ceil(spare);
            w->value[T_WORKERS_N][i] += ceil(spare);
        }
        break;
    }
    case TRACE_OUTAGES:
        add_spikes(w, w->main_target, part(w, 0.05, 0.4), log_uniform(w, 100, 1500), log_uniform(w, 5, 200));
        break;
    default: // TRACE_THP_COLLAPSE
        a = fmin(part(w, 0.05, 0.3), 0.3 * w->base_php);
        add_saturating(w, T_PHP, a, uniform(w, 0.02, 0.1) * fmin(w->end, 7200), uniform(w, 0, 0.1) * w->end);
    }
}

void compose_quiet(struct world *w, enum trace_class c)
{
    switch (c) {
    case TRACE_STEADY:
    case TRACE_WARMUP:
    case TRACE_LOG_WARMUP:
    case TRACE_CACHE_FILL:
    case TRACE_LRU_CHURN:
    case TRACE_RANDOM_WALK:
        compose_fills(w, c);
        break;
    case TRACE_GC_SAWTOOTH:
    case TRACE_GC_LONG:
    case TRACE_GO_SCAVENGER:
    case TRACE_WORKER_RECYCLE:
        compose_teeth(w, c);
        break;
    case TRACE_DAILY_WAVE:
    case TRACE_SHORT_WAVE:
    case TRACE_RAMP_REQUESTS:
    case TRACE_RAMP_ENDS:
        compose_traffic(w, c);
        break;
    case TRACE_DEPLOY_STEPS:
    case TRACE_DEPLOY_RESTARTS:
    case TRACE_CRON_SPIKES:
    case TRACE_BATCH_JOB:
    case TRACE_LIMIT_CHANGES:
        compose_events(w, c);
        break;
    case TRACE_HIGH_WATER:
    case TRACE_POOL_DYNAMIC:
    case TRACE_OUTAGES:
    case TRACE_THP_COLLAPSE:
        compose_rest(w, c);
        break;
    default:
        compose_files(w, c);
    }
}
