// SPDX-License-Identifier: Apache-2.0
// Shapes that traces are composed from: what a memory series does for one reason. Each adds to one series of the world.
// Draws from the world's own numbers only, so that a seed gives the same trace everywhere.
#include "trace_world.h"

#include <stdlib.h>

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t next64(struct world *w) // xoshiro256**
{
    uint64_t *s = w->rng, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

void rng_seed(struct world *w, uint64_t a, uint64_t b)
{
    uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b;

    for (int i = 0; i < 4; i++) { // splitmix64
        uint64_t z = x += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        w->rng[i] = z ^ z >> 31;
    }
    w->has_spare = false;
}

double uniform(struct world *w, double lo, double hi)
{
    return lo + (hi - lo) * (double)(next64(w) >> 11) * 0x1p-53;
}

double log_uniform(struct world *w, double lo, double hi)
{
    return lo * exp(uniform(w, 0, log(hi / lo)));
}

double gauss(struct world *w)
{
    if (w->has_spare) {
        w->has_spare = false;
        return w->spare;
    }
    double x, y, r;
    do {
        x = uniform(w, -1, 1);
        y = uniform(w, -1, 1);
        r = x * x + y * y;
    } while (r >= 1 || r == 0);
    double f = sqrt(-2 * log(r) / r);
    w->spare = y * f;
    w->has_spare = true;
    return x * f;
}

double exponential(struct world *w, double mean)
{
    return -mean * log(1 - uniform(w, 0, 1));
}

bool chance(struct world *w, double p)
{
    return uniform(w, 0, 1) < p;
}

unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)(next64(w) % n);
}

static double step_of(const struct world *w, size_t i)
{
    return i ? w->t[i] - w->t[i - 1] : w->dt;
}

void add_level(struct world *w, enum target k, double level)
{
    for (size_t i = 0; i < w->n; i++)
        w->value[k][i] += level;
}

void add_white(struct world *w, enum target k, double sd)
{
    for (size_t i = 0; i < w->n; i++)
        w->value[k][i] += sd * gauss(w);
}

void add_walk(struct world *w, enum target k, double sd, double tau)
{
    double x = sd * gauss(w), last = -1, keep = 0, push = 0;

    for (size_t i = 0; i < w->n; i++) {
        double dt = step_of(w, i);
        if (dt != last) {
            keep = exp(-dt / tau);
            push = sd * sqrt(1 - keep * keep);
            last = dt;
        }
        x = x * keep + push * gauss(w);
        w->value[k][i] += x;
    }
}

void add_chunks(struct world *w, enum target k, double sd)
{
    double x = 0, keep = exp(-w->dt / 20);

    for (size_t i = 0; i < w->n; i++) {
        x = x * keep + sd * sqrt(1 - keep * keep) * gauss(w);
        w->value[k][i] += 2 * MIB * round((x + 2 * sd) / (2 * MIB));
    }
}

void add_spikes(struct world *w, enum target k, double height, double every, double length)
{
    double next = exponential(w, every), until = -1, h = 0;

    for (size_t i = 0; i < w->n; i++) {
        if (w->t[i] >= next) {
            until = w->t[i] + length * uniform(w, 0.5, 1.5);
            h = height * uniform(w, 0.5, 1);
            next = until + every * uniform(w, 0.7, 1.3);
        }
        if (w->t[i] < until)
            w->value[k][i] += h * fmin(1, (until - w->t[i]) / (0.2 * length));
    }
}

void add_saturating(struct world *w, enum target k, double rise, double tau, double from)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->t[i] > from)
            w->value[k][i] += rise * (1 - exp(-(w->t[i] - from) / tau));
}

// rise: what it gains by the end.
void add_log(struct world *w, enum target k, double rise, double tau)
{
    double all = log1p(w->end / tau);

    for (size_t i = 0; i < w->n; i++)
        w->value[k][i] += rise * log1p(w->t[i] / tau) / all;
}

// Distinct keys seen, of a catalogue whose popularity follows a power law. rise: all of them.
void add_catalogue(struct world *w, enum target k, double rise, double exponent, double hits_per_key)
{
    enum { GROUPS = 60 };
    double weight[GROUPS], share[GROUPS], all = 0, keys = 0;

    for (int g = 0; g < GROUPS; g++) { // ranks 1.3^g .. 1.3^(g+1), as one group each
        double rank = pow(1.3, g), count = 0.3 * rank;
        share[g] = count;
        weight[g] = pow(rank * 1.15, -exponent);
        all += count * weight[g];
        keys += count;
    }
    for (size_t i = 0; i < w->n; i++) {
        double hits = hits_per_key * keys * w->t[i] / w->end, seen = 0;
        for (int g = 0; g < GROUPS; g++)
            seen += share[g] * (1 - exp(-hits * weight[g] / all));
        w->value[k][i] += rise * seen / keys;
    }
}

void add_ramp(struct world *w, enum target k, double rise, double from, double to)
{
    for (size_t i = 0; i < w->n; i++)
        w->value[k][i] += rise * fmin(1, fmax(0, (w->t[i] - from) / (to - from)));
}

// Rises for a period, falls at once. drift: how much the period changes by the end (a factor).
void add_teeth(struct world *w, enum target k, double amp, double period, double jitter, double drift)
{
    double began = -uniform(w, 0, period), length = period, height = amp;

    for (size_t i = 0; i < w->n; i++) {
        while (w->t[i] >= began + length) {
            began += length;
            length = period * pow(drift, began / w->end) * fmax(0.3, 1 + jitter * gauss(w));
            height = amp * fmax(0.5, 1 + 0.5 * jitter * gauss(w));
        }
        w->value[k][i] += height * (w->t[i] - began) / length;
    }
}

// From 0 to amp. variation: of each period's height.
void add_wave(struct world *w, enum target k, double amp, double period, double phase, double variation)
{
    double last = -1, height = amp, sharp = uniform(w, 0.7, 1.6);

    for (size_t i = 0; i < w->n; i++) {
        double at = w->t[i] / period + phase, whole = floor(at);
        if (whole != last) {
            last = whole;
            height = amp * fmax(0.3, 1 + variation * gauss(w));
        }
        w->value[k][i] += height * pow(0.5 - 0.5 * cos(2 * M_PI * (at - whole)), sharp);
    }
}

void add_step(struct world *w, enum target k, double size, double at, double took)
{
    for (size_t i = 0; i < w->n; i++)
        w->value[k][i] += size * fmin(1, fmax(0, (w->t[i] - at) / fmax(took, 1e-3)));
}

// n workers that grow by `grow` in a life of about `life` seconds and begin anew. spread: of their lives; they start in step.
void add_workers(struct world *w, enum target k, unsigned n, double grow, double life, double spread)
{
    for (unsigned j = 0; j < n; j++) {
        double began = -uniform(w, 0, 0.05) * life, length = life * fmax(0.4, 1 + spread * gauss(w));
        for (size_t i = 0; i < w->n; i++) {
            while (w->t[i] >= began + length) {
                began += length;
                length = life * fmax(0.4, 1 + spread * gauss(w));
            }
            w->value[k][i] += grow / n * (w->t[i] - began) / life;
        }
    }
}

// Entries that come at a constant rate and are removed `ttl` later, at the next sweep.
void add_ttl(struct world *w, enum target k, double level, double ttl, double sweep)
{
    double gone = 0, next = sweep, x = 0;

    for (size_t i = 0; i < w->n; i++) {
        if (w->t[i] >= next) {
            gone = fmax(0, w->t[i] - ttl);
            next += sweep * uniform(w, 0.5, 1.5);
        }
        x = x * exp(-step_of(w, i) / 120) + 0.01 * gauss(w) * sqrt(step_of(w, i) / 120);
        w->value[k][i] += level / ttl * (w->t[i] - gone) * (1 + x);
    }
}

// n heaps that keep the largest request they have seen. tail: the power of the peaks' distribution.
void add_high_water(struct world *w, enum target k, unsigned n, double scale, double cap, double tail)
{
    double *high = calloc(n, sizeof *high);

    for (size_t i = 0; high && i < w->n; i++) {
        double requests = fmax(1, w->rate[i] * step_of(w, i) / n), sum = 0;
        for (unsigned j = 0; j < n; j++) {
            // The highest of `requests` draws, at once.
            double u = pow(uniform(w, 1e-12, 1), 1 / requests), peak = scale * pow(1 - u + 1e-12, -1 / tail);
            high[j] = fmax(high[j], fmin(peak, cap));
            sum += 2 * MIB * ceil(high[j] / (2 * MIB));
        }
        w->value[k][i] += sum;
    }
    free(high);
}

void add_with_rate(struct world *w, enum target k, double amp, double lag)
{
    double top = 1e-9, x = -1;

    for (size_t i = 0; i < w->n; i++)
        top = fmax(top, w->rate[i]);
    for (size_t i = 0; i < w->n; i++) {
        double now = w->rate[i] / top;
        x = x < 0 ? now : x + (now - x) * (1 - exp(-step_of(w, i) / lag));
        w->value[k][i] += amp * x;
    }
}

// Grows and is removed, but for a part `left` (0..1).
void add_cleaned(struct world *w, enum target k, double amp, double period, double jitter, double left)
{
    double began = -uniform(w, 0, 1) * period, length = period, floor_now = uniform(w, 0, left) * amp;

    for (size_t i = 0; i < w->n; i++) {
        while (w->t[i] >= began + length) {
            began += length;
            length = period * fmax(0.3, 1 + jitter * gauss(w));
            floor_now = uniform(w, 0, left) * amp;
        }
        w->value[k][i] += floor_now + amp * (w->t[i] - began) / period;
    }
}

void add_files(struct world *w, enum target of, double bytes_a_file)
{
    for (size_t i = 0; i < w->n; i++)
        w->value[T_FILES_N][i] += fmax(0, w->value[of][i]) / bytes_a_file;
}

static void count_up(struct world *w)
{
    double x = 0, cum = 0;

    for (size_t i = 0; i < w->n; i++) {
        double dt = step_of(w, i);
        x = x * exp(-dt / 60) + 0.05 * gauss(w) * sqrt(dt / 60);
        w->rate[i] = fmax(0, w->rate[i] * (1 + x));
        double mean = w->rate[i] * dt;
        cum += floor(fmax(0, mean + sqrt(mean) * gauss(w)) + 0.5);
        w->cum[i] = cum;
    }
}

void traffic_constant(struct world *w, double rps, double noise)
{
    double x = 0;

    for (size_t i = 0; i < w->n; i++) {
        double dt = step_of(w, i);
        x = x * exp(-dt / 300) + noise * sqrt(fmin(1, 2 * dt / 300)) * gauss(w);
        w->rate[i] = rps * exp(x);
    }
    count_up(w);
}

void traffic_wave(struct world *w, double rps, double depth, double period, double phase, double variation)
{
    double last = -1, height = 1;

    for (size_t i = 0; i < w->n; i++) {
        double at = w->t[i] / period + phase, whole = floor(at);
        if (whole != last) {
            last = whole;
            height = fmax(0.3, 1 + variation * gauss(w));
        }
        w->rate[i] = rps * (1 - depth + depth * height * (0.5 - 0.5 * cos(2 * M_PI * (at - whole))));
    }
    count_up(w);
}

void traffic_ramp(struct world *w, double from_rps, double to_rps, double from, double to)
{
    for (size_t i = 0; i < w->n; i++)
        w->rate[i] = from_rps + (to_rps - from_rps) * fmin(1, fmax(0, (w->t[i] - from) / (to - from)));
    count_up(w);
}

void traffic_on_off(struct world *w, double rps, double period, double duty)
{
    double began = -uniform(w, 0, 0.3) * period, length = period;

    for (size_t i = 0; i < w->n; i++) {
        while (w->t[i] >= began + length) {
            began += length;
            length = period * uniform(w, 0.8, 1.2);
        }
        w->rate[i] = w->t[i] - began < duty * length ? rps : rps * 0.01;
    }
    count_up(w);
}

void leak_power(struct world *w, double onset, double power)
{
    w->onset = onset;
    for (size_t i = 0; i < w->n; i++)
        w->unit[i] = w->t[i] > onset ? pow((w->t[i] - onset) / (w->t[w->n - 1] - onset), power) : 0;
}

void leak_linear(struct world *w, double onset)
{
    double x = 0, sum = 0, wobble = uniform(w, 0, 0.5);

    // The rate wanders about its mean, as real ones do.
    w->onset = onset;
    for (size_t i = 0; i < w->n; i++) {
        double dt = step_of(w, i);
        x = x * exp(-dt / 200) + wobble * sqrt(1 - exp(-2 * dt / 200)) * gauss(w);
        if (w->t[i] > onset)
            sum += dt * fmax(0, 1 + x);
        w->unit[i] = sum;
    }
    for (size_t i = 0; i < w->n; i++)
        w->unit[i] /= sum;
}

void leak_requests(struct world *w, double onset)
{
    double before = 0;

    w->onset = onset;
    for (size_t i = 0; i < w->n && w->t[i] <= onset; i++)
        before = w->cum[i];
    for (size_t i = 0; i < w->n; i++)
        w->unit[i] = fmax(0, w->cum[i] - before) / fmax(1, w->cum[w->n - 1] - before);
}

void leak_stairs(struct world *w, double onset, unsigned steps)
{
    double length = (w->end - onset) / steps;

    for (unsigned s = 0; s < steps; s++) {
        double at = onset + length * (s + uniform(w, 0.05, 0.85)), size = uniform(w, 0.6, 1.4);
        if (s == 0)
            w->onset = at;
        for (size_t i = 0; i < w->n; i++)
            if (w->t[i] >= at)
                w->unit[i] += size;
    }
    double all = w->unit[w->n - 1];
    for (size_t i = 0; i < w->n; i++)
        w->unit[i] /= all;
}
