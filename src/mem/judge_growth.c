// SPDX-License-Identifier: Apache-2.0
// The two tests for growth. Pure functions of a series; every threshold is named here, with its reason.
#include "mem/judge_growth.h"

#include <math.h>
#include <string.h>

#include "mem/judge_fit.h"
#include "mem/judge_shape.h"

#define POINTS_MIN 24      // fewer say nothing about cycles
#define CERTAINTY_MIN 4.0  // standard errors; many looks are taken, and residuals of a random walk understate theirs
#define SWING_RATIO 0.62   // of all else: three periods of a wave fit a slope of 0.45 of its swing at worst
#define GROW_SHARE 0.75    // of `grow`: the alarm comes before the end
#define LATE_SHARE 0.4     // the last part of a window, where it must still grow
#define LATE_SLOPE 0.5     // of the window's slope: a warm-up's last part has less
#define TRANSIENT_GAIN 0.7 // a warm-up is in the model where it leaves at most this much of the squared error
#define JUMP_OUTLIER 6.0   // times the usual difference of neighbours
#define JUMP_SHARE 0.12    // of the rise
#define JUMPS 3            // more steps than this are a staircase, and that grows
#define PERIODS_MIN 1.6    // fewer periods in a window and a slope can't be told from a wave
#define BEFORE_RATIO 0.8   // of what the series swung before the window

static const double window_starts[] = {0, 0.1, 0.2, 0.3, 0.42, 0.55, 0.67};

// Columns of one window's model.
struct model {
    int m;                       // points
    double x[TREND_BUCKETS];     // 0 .. 1, or requests scaled so
    double rate[TREND_BUCKETS];
    double jump[JUMPS][TREND_BUCKETS];
    double transient[TREND_BUCKETS];
    double wave[4][TREND_BUCKETS];
    int jumps, waves;
    bool has_rate, has_transient;
    struct fit fit;
};

static void assemble(struct model *m)
{
    struct fit *f = &m->fit;
    f->p = 0;
    f->column[f->p++] = m->x;
    if (m->has_rate)
        f->column[f->p++] = m->rate;
    for (int k = 0; k < m->jumps; k++)
        f->column[f->p++] = m->jump[k];
    if (m->has_transient)
        f->column[f->p++] = m->transient;
    for (int k = 0; k < m->waves; k++)
        f->column[f->p++] = m->wave[k];
}

static bool solve(struct model *m, const double *y)
{
    assemble(m);
    return fit_solve(&m->fit, y, m->m);
}

// Sharp steps up, the largest first: warm restarts, deployments, caches that are made at once.
static void add_jumps(struct model *m, const double *y, double rise)
{
    int at[JUMPS];
    m->jumps = judge_shape_jumps(y, m->m, JUMP_OUTLIER, JUMP_SHARE * fabs(rise), JUMPS, at);
    for (int k = 0; k < m->jumps; k++)
        for (int i = 0; i < m->m; i++)
            m->jump[k][i] = i >= at[k] ? 1 : 0;
}

// The warm-up that explains most, if one explains much: exponential or logarithmic, from the window's start.
static void add_transient(struct model *m, const double *y)
{
    static const double exponential[] = {0.03, 0.08, 0.15, 0.25, 0.4}, logarithmic[] = {0.003, 0.01, 0.03, 0.1, 0.25};
    double without = m->fit.sse, best = TRANSIENT_GAIN * without;
    int kind = -1;
    m->has_transient = true;
    for (int k = 0; k < 10; k++) {
        for (int i = 0; i < m->m; i++) {
            double x = (double)i / m->m;
            m->transient[i] = k < 5 ? -exp(-x / exponential[k]) : log1p(x / logarithmic[k - 5]);
        }
        if (solve(m, y) && m->fit.sse < best && m->fit.beta[m->fit.p - 1] > 0) {
            best = m->fit.sse;
            kind = k;
        }
    }
    m->has_transient = kind >= 0;
    for (int i = 0; i < m->m && kind >= 0; i++) {
        double x = (double)i / m->m;
        m->transient[i] = kind < 5 ? -exp(-x / exponential[kind]) : log1p(x / logarithmic[kind - 5]);
    }
    (void)solve(m, y);
}

// False where there is a wave too long for this window.
static bool add_wave(struct model *m, const double *y)
{
    int period = fit_period(m->fit.residual, m->m);
    if (!period)
        return true;
    if (m->m < PERIODS_MIN * period)
        return false;
    for (int i = 0; i < m->m; i++) {
        double angle = 2 * M_PI * i / period;
        m->wave[0][i] = sin(angle);
        m->wave[1][i] = cos(angle);
        m->wave[2][i] = sin(2 * angle);
        m->wave[3][i] = cos(2 * angle);
    }
    m->waves = period >= 6 ? 4 : 2;
    if (solve(m, y))
        return true;
    m->waves = 0;
    return solve(m, y);
}

// What is left of y without jumps, warm-up, waves and the request rate: slope and noise. And the same without the slope, but
// with waves: all else.
static void take_apart(const struct model *m, const double *y, double *ret_clean, double *ret_else)
{
    const struct fit *f = &m->fit;
    for (int i = 0; i < m->m; i++) {
        double clean = y[i];
        for (int k = 1; k < f->p; k++)
            clean -= f->beta[k] * f->column[k][i];
        ret_clean[i] = clean;
        double other = f->residual[i];
        for (int k = 0; k < m->waves; k++)
            other += f->beta[f->p - m->waves + k] * m->wave[k][i];
        ret_else[i] = other;
    }
}

static double slope_of(const double *x, const double *y, int n)
{
    struct fit f = {.p = 1, .column = {x}};
    return fit_solve(&f, y, n) ? f.beta[0] : 0;
}

static double quantile_of(const double *v, int n, double q)
{
    double copy[TREND_BUCKETS];
    memcpy(copy, v, sizeof(double) * (unsigned)n);
    return trend_quantile(copy, n, q);
}

// A window that does not begin at the start of life must rise above what was there before, faster than before.
static bool outgrows(const double *y, int start, int n, const double *clean, double rise)
{
    int quarter = (n - start) / 4, skip = start > 40 ? start / 10 : 0; // the very start of life is warm-up
    double late = quantile_of(y + n - quarter, quarter, 0.25);
    double early = quantile_of(y + start, quarter, 0.5);
    double before = start - skip >= 8 ? quantile_of(y + skip, start - skip, 0.75) : early;
    (void)clean;
    if (late <= (before > early ? before : early))
        return false;
    if (start - skip < 8)
        return true;
    return rise >= BEFORE_RATIO * fit_swing(y + skip, start - skip);
}

static bool requests_vary(const struct growth_series *s, int start)
{
    double sum = 0, square = 0;
    int m = s->n - start;
    for (int i = start; i < s->n; i++) {
        sum += s->rate[i];
        square += s->rate[i] * s->rate[i];
    }
    double mean = sum / m;
    return mean > 0 && square / m - mean * mean > 0.03 * 0.03 * mean * mean;
}

static bool window_grows(const struct growth_series *s, const double *y, int start, double grow, struct growth *ret)
{
    struct model m = {.m = s->n - start};
    double span = s->x[s->n - 1] - s->x[start];
    bool by_requests = s->rate && s->done && s->done[s->n - 1] > s->done[start] && requests_vary(s, start);
    for (int i = 0; i < m.m; i++) {
        m.x[i] = by_requests ? (s->done[start + i] - s->done[start]) / (s->done[s->n - 1] - s->done[start])
                             : (s->x[start + i] - s->x[start]) / span;
        if (by_requests)
            m.rate[i] = s->rate[start + i];
    }
    m.has_rate = by_requests;
    y += start;
    if (!solve(&m, y) || m.fit.beta[0] < 0.3 * grow)
        return false;
    add_jumps(&m, y, m.fit.beta[0]);
    if (!solve(&m, y) || m.fit.beta[0] < 0.3 * grow)
        return false;
    add_transient(&m, y);
    if (!add_wave(&m, y))
        return false;
    double clean[TREND_BUCKETS], other[TREND_BUCKETS];
    take_apart(&m, y, clean, other);
    double rise = m.fit.beta[0], swing = fit_swing(other, m.m);
    double variance = m.fit.sse / (m.m - m.fit.p) * fit_inflation(m.fit.residual, m.m);
    double error = sqrt(variance * m.fit.inverse00);
    *ret = (struct growth){s->x[start], s->x[s->n - 1], rise, swing, error > 0 ? rise / error : 1e3, by_requests};
    if (rise < GROW_SHARE * grow || rise < SWING_RATIO * swing || ret->certainty < CERTAINTY_MIN)
        return false;
    int late = (int)(m.m * (1 - LATE_SHARE));
    if (slope_of(m.x + late, clean + late, m.m - late) < LATE_SLOPE * rise)
        return false;
    return outgrows(y - start, start, s->n, clean, rise);
}

bool growth_sustained(const struct growth_series *s, double grow, struct growth *ret)
{
    double y[TREND_BUCKETS];
    if (s->n < POINTS_MIN || s->n > TREND_BUCKETS)
        return false;
    memcpy(y, s->y, sizeof(double) * (unsigned)s->n);
    trend_median3(y, s->n);
    bool grows = false;
    for (unsigned k = 0; k < sizeof(window_starts) / sizeof(window_starts[0]); k++) {
        int start = (int)(window_starts[k] * s->n);
        struct growth g;
        if (s->n - start < POINTS_MIN)
            break;
        if (window_grows(s, y, start, grow, &g) && (!grows || g.certainty > ret->certainty)) {
            *ret = g;
            grows = true;
        }
    }
    return grows;
}

// The sooner the ceiling is met, the less of the headroom must be gone: a fill or a tooth that stops by itself mostly does so
// below these. Measured: the incidents meet it 30 to 60 s after the first row allows it.
static const struct {
    double left_s, eaten;
} hurry[] = {{120, 0.60}, {300, 0.75}, {600, 0.85}};
#define STRAIGHT 0.10     // standard deviation around the line, of the rise
#define STEADY_SLOPE 0.75 // the second half's slope, of the first half's: a warm-up slows down
#define COMES_BACK 3.0    // the rise, in drops that were seen before
#define URGENT_POINTS 16

bool growth_urgent(const struct growth_series *s, double grow, double ceiling, double drop, struct growth *ret)
{
    static const int lengths[] = {16, 24, 32, 48, 64, 96, 128};
    for (unsigned k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
        int m = lengths[k] < s->n ? lengths[k] : s->n, start = s->n - m;
        if (m < URGENT_POINTS)
            return false;
        const double *x = s->x + start, *y = s->y + start;
        struct fit f = {.p = 1, .column = {x}};
        if (!fit_solve(&f, y, m) || !(f.beta[0] > 0))
            return false;
        double rise = f.beta[0] * (x[m - 1] - x[0]), now = y[m - 1], begin = now - rise;
        double eaten = rise / (ceiling - begin), left = (ceiling - now) / f.beta[0];
        bool due = false;
        for (unsigned i = 0; i < sizeof(hurry) / sizeof(hurry[0]); i++)
            due = due || (left <= hurry[i].left_s && eaten >= hurry[i].eaten);
        if (due && ceiling > begin && rise >= 2 * grow && sqrt(f.sse / m) <= STRAIGHT * rise && rise >= COMES_BACK * drop &&
            slope_of(x + m / 2, y + m / 2, m - m / 2) >= STEADY_SLOPE * slope_of(x, y, m / 2)) {
            *ret = (struct growth){x[0], x[m - 1], rise, 0, 0, false};
            return true;
        }
        if (m == s->n)
            return false;
    }
    return false;
}
