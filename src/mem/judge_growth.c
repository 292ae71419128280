// SPDX-License-Identifier: Apache-2.0
// The two tests for growth. Pure functions of a series; every threshold is named here, with its reason.
#include "mem/judge_growth.h"

#include <math.h>
#include <string.h>

#include "mem/judge_fit.h"
#include "mem/judge_shape.h"

#define POINTS_MIN 24       // fewer say nothing about cycles
#define CERTAINTY_MIN 4.7   // standard errors; many looks are taken, and residuals of a random walk understate theirs
#define SURE_S 7200.0       // looks add up, and so does what chance can make of them: the longer the watch, the surer,
#define SURE_MOST 1.5       // up to so many times CERTAINTY_MIN
#define SWING_RATIO 0.62    // of all else: three periods of a wave fit a slope of 0.45 of its swing at worst
#define GROW_SHARE 0.75     // of `grow`: the alarm comes before the end
#define GROW_LEAST 0.3      // of `grow`: less is not worth a model
#define LATE_SHARE 0.4      // the last part of a window, where it must still grow
#define LATE_SLOPE 0.5      // of the window's slope: a warm-up's last part has less
#define LATE_ALONE 0.3      // of the window's slope, where that part is looked at alone
#define TRANSIENT_GAIN 0.7  // a warm-up is in the model where it leaves at most this much of the squared error
#define LIKELIER 4.0        // twice the logarithm of how much likelier a curve that slows down must be than a line
#define JUMP_OUTLIER 6.0    // times the usual difference of neighbours
#define JUMP_SHARE 0.12     // of the rise
#define STEPS_REST 0.4      // of the rise must be left without the steps
#define STEP_S 330.0        // a new release and its warm-up take this long; traffic that comes and goes takes longer
#define ALIKE 0.4           // the smallest of a staircase's steps, of the largest
#define JUMPS 3             // more steps than this are a staircase, and that grows
#define PERIODS_MIN 2.0     // fewer periods in a window and a slope can't be told from a wave
#define SLOWS_DOWN 0.8      // of the slope before the window
#define TRANSIENT_SHARE 0.4 // of what the window rose, where a warm-up is in the model: a leak that counts has more
#define RATE_ALONE 0.4      // of the squared error that the request rate leaves, requests so far must not leave more
#define WARM_COUNTS 0.25    // of the rise: a warm-up smaller than this can't make it
#define THIRD_SLOPE 0.85    // of the middle third's slope; a logarithm's last third has 0.58 of it, a root's 0.77
#define OVERDONE 1.6        // times what y really rose: more is the work of the other columns
#define RATE_EXPLAINS 0.5   // of the squares around the mean must not be left where the rate is to explain them
#define RATE_FOLLOWED 0.1   // of them, at most, where the rate explains the whole of life
#define RATE_LEAVES 0.5     // of the slope, what the request rate does not explain
#define RATES_MATTER 0.6    // of the squared error without it must be left at most, or the request rate is out of the model
#define RATES 3             // memory follows the request rate with a lag: the rate as it is, and smoothed twice
#define NEW_GROUND 0.25     // of the rise, or of the swing before, above all that was there before: less is a return to it
#define LIFE_MOST 1.6       // times the window that a rise may be thought to have lasted
#define SAME_PACE 0.93      // of the pace before: a warm-up ended long ago, and this went on beneath it
#define SAME_PACE_CERTAINTY 12.0
#define BEFORE_POINTS 12 // fewer before a window say nothing of what was there before it
#define BEFORE_RATIO 0.8 // of what the series swung before the window

static const double window_starts[] = {0, 0.18, 0.3, 0.42, 0.55, 0.67};

// Columns of one window's model.
struct model {
    int m;                   // points
    int before;              // points of life before them
    double x[TREND_BUCKETS]; // 0 .. 1, or requests scaled so
    double rate[RATES][TREND_BUCKETS];
    double transient[TREND_BUCKETS];
    double wave[4][TREND_BUCKETS];
    int rates, waves;
    bool has_transient;
    double angle; // a point, of the wave
    struct fit fit;
};

static void assemble(struct model *m)
{
    struct fit *f = &m->fit;
    f->p = 0;
    f->column[f->p++] = m->x;
    for (int k = 0; k < m->rates; k++)
        f->column[f->p++] = m->rate[k];
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

// The warm-up that explains most, if one explains much: exponential, from the start of life.
static void add_transient(struct model *m, const double *y)
{
    static const double tau[] = {0.01, 0.03, 0.08, 0.15, 0.25, 0.4};
    double best = TRANSIENT_GAIN * m->fit.sse;
    int kind = -1;
    m->has_transient = true;
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < m->m; i++)
            m->transient[i] = -exp(-(double)(m->before + i) / (m->before + m->m) / tau[k]);
        if (solve(m, y) && m->fit.sse < best && m->fit.beta[m->fit.p - 1] > 0) {
            best = m->fit.sse;
            kind = k;
        }
    }
    m->has_transient = kind >= 0;
    for (int i = 0; i < m->m && kind >= 0; i++)
        m->transient[i] = -exp(-(double)(m->before + i) / (m->before + m->m) / tau[kind]);
    (void)solve(m, y);
}

// Whether a curve that slows down all along explains y better than a line, and about as well as a line and a warm-up: logarithms,
// roots, exponentials.
static bool only_slows_down(struct model *m, const double *y, double line_sse)
{
    static const double power[] = {0.3, 0.5, 0.65}, logarithmic[] = {0.001, 0.01, 0.05, 0.2}, exponential[] = {0.3, 0.6};
    struct fit f = {.p = m->fit.p - m->has_transient};
    // A likelihood ratio, with as many points as independent ones would be.
    double curve[TREND_BUCKETS], margin = exp(LIKELIER * fit_inflation(m->fit.residual, m->m) / m->m);
    double best = line_sse / margin < m->fit.sse * margin ? line_sse / margin : m->fit.sse * margin;
    for (int k = 1; k <= m->rates; k++)
        f.column[k] = m->rate[k - 1];
    f.column[0] = curve;
    for (int k = 0; k < 9; k++) {
        for (int i = 0; i < m->m; i++) {
            double x = (double)(m->before + i + 1) / (m->before + m->m);
            curve[i] = k < 3 ? pow(x, power[k]) : k < 7 ? log1p(x / logarithmic[k - 3]) : -exp(-x / exponential[k - 7]);
        }
        if (fit_solve(&f, y, m->m) && f.sse <= best)
            return true;
    }
    return false;
}

// False where there is a wave too long for this window.
static bool add_wave(struct model *m, const double *y)
{
    int period = fit_period(m->fit.residual, m->m);
    if (!period)
        return true;
    if (m->m < PERIODS_MIN * period)
        return false;
    m->angle = 2 * M_PI / period;
    for (int i = 0; i < m->m; i++) {
        double angle = m->angle * i;
        m->wave[0][i] = sin(angle);
        m->wave[1][i] = cos(angle);
        m->wave[2][i] = sin(2 * angle);
        m->wave[3][i] = cos(2 * angle);
    }
    m->waves = period >= 6 && m->m >= 12 * (m->fit.p + 4) / 2 ? 4 : 2;
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

// y of the whole life (m->before points more than the model's) without the model's wave.
static void without_wave(const struct model *m, const double *y, double *ret)
{
    const double *beta = m->fit.beta + m->fit.p - m->waves;
    for (int i = 0; i < m->before + m->m; i++) {
        double angle = m->angle * (i - m->before);
        ret[i] = y[i];
        if (m->waves >= 2)
            ret[i] -= beta[0] * sin(angle) + beta[1] * cos(angle);
        if (m->waves == 4)
            ret[i] -= beta[2] * sin(2 * angle) + beta[3] * cos(2 * angle);
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

// The very start of life is warm-up.
static int skip_of(int start)
{
    return start > 40 ? start / 10 : 0;
}

// The end must be above all that was there before, and above how the window began; a window that is not the whole of life must
// rise more than life swung before it, and not slower than it rose before: else it is the tail of a warm-up.
static bool outgrows(const struct growth_series *s, const double *y, int start, double rise, double certainty)
{
    int n = s->n, m = n - start, quarter = m / 4, skip = skip_of(start);
    double late = quantile_of(y + n - quarter, quarter, 0.25);
    double real = (quantile_of(y + n - quarter, quarter, 0.5) - quantile_of(y + start, quarter, 0.5)) / 0.75;
    if (rise > OVERDONE * real)
        return false;
    if (late <= quantile_of(y + start, quarter, 0.9))
        return false;
    if (start - skip < BEFORE_POINTS)
        return true;
    double top = quantile_of(y, start, 0.98), swing = fit_swing(y + skip, start - skip);
    double new_ground = quantile_of(y + n - quarter, quarter, 0.5) - top;
    double life = (s->x[n - 1] - s->x[skip]) / (s->x[n - 1] - s->x[start]); // it may have begun before the window
    int before = m / 2 < start - skip ? m / 2 : start - skip;
    double pace = rise / (s->x[n - 1] - s->x[start]), was = slope_of(s->x + start - before, y + start - before, before);
    bool same_pace = certainty >= SAME_PACE_CERTAINTY && was > 0 && pace >= SAME_PACE * was && pace * SAME_PACE <= 2 * was;
    if (late <= top || new_ground < NEW_GROUND * (rise > swing ? rise : swing) || pace < SLOWS_DOWN * was)
        return false;
    return same_pace || rise * (life < LIFE_MOST ? life : LIFE_MOST) >= BEFORE_RATIO * swing;
}

static double certainty_wanted(double span)
{
    double more = sqrt(span / SURE_S);
    return CERTAINTY_MIN * (more < 1 ? 1 : more < SURE_MOST ? more : SURE_MOST);
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

static void add_rates(struct model *m, const struct growth_series *s, int start)
{
    static const double keep_s[RATES] = {0, 120, 600};
    m->rates = RATES;
    for (int k = 0; k < RATES; k++) {
        double smooth = s->rate[0];
        for (int i = 0; i < s->n; i++) {
            double dt = i ? s->x[i] - s->x[i - 1] : 0;
            smooth += (s->rate[i] - smooth) * (keep_s[k] > 0 ? 1 - exp(-dt / keep_s[k]) : 1);
            if (i >= start)
                m->rate[k][i - start] = smooth;
        }
    }
}

// The squares around the mean, of what a line was fitted to.
static double squares_of(const struct fit *line)
{
    return line->sse + line->beta[0] * line->beta[0] / line->inverse00;
}

// Whether the request rate alone explains the rise: what it leaves does not rise, or not by much, and the number of requests
// explains hardly more than that.
static bool rate_explains(const struct model *m, const double *y)
{
    struct fit f = {.p = m->rates};
    for (int k = 0; k < m->rates; k++)
        f.column[k] = m->rate[k];
    struct fit none = {.p = 1, .column = {m->x}};
    if (!fit_solve(&f, y, m->m) || !fit_solve(&none, y, m->m))
        return false;
    return f.sse < RATE_EXPLAINS * squares_of(&none) && m->fit.sse > RATE_ALONE * f.sse &&
           slope_of(m->x, f.residual, m->m) < RATE_LEAVES * slope_of(m->x, y, m->m);
}

// Drops the request rate from the model where it explains little that the slope does not; false where it did.
static bool rates_matter(struct model *m, const double *y)
{
    struct fit f = {.p = 1, .column = {m->x}};
    if (fit_solve(&f, y, m->m) && m->fit.sse < RATES_MATTER * f.sse)
        return true;
    m->rates = 0;
    return false;
}

// Whether the last third rises less than the one before: the tail of a warm-up that the exponential did not catch.
static bool slows_down_late(const struct model *m, const double *clean)
{
    double with_warmup[TREND_BUCKETS];
    int third = m->m / 3, at = m->fit.p - m->waves - 1;
    for (int i = 0; i < m->m; i++)
        with_warmup[i] = clean[i] + m->fit.beta[at] * m->transient[i];
    double middle = slope_of(m->x + third, with_warmup + third, third);
    return slope_of(m->x + 2 * third, with_warmup + 2 * third, m->m - 2 * third) < THIRD_SLOPE * middle;
}

// Whether the last part of y still rises when the request rate gets its say on that part alone: over a whole window it can bend a
// line's end up.
static bool goes_on(const struct model *m, const double *y, double rise)
{
    int late = (int)(m->m * (1 - LATE_SHARE));
    struct fit f = {.p = 1 + m->rates, .column = {m->x + late}};
    for (int k = 0; k < m->rates; k++)
        f.column[1 + k] = m->rate[k] + late;
    return !fit_solve(&f, y + late, m->m - late) || f.beta[0] >= LATE_ALONE * rise;
}

// The model is solved for y, with nothing but the slope and the request rate in it. `raw` is y before steps were taken out.
static bool model_grows(struct model *m, const struct growth_series *s, const double *y, const double *raw, int start,
                        double grow, struct growth *ret)
{
    if (start - skip_of(start) < BEFORE_POINTS) {
        double line_sse = m->fit.sse;
        add_transient(m, y);
        if (only_slows_down(m, y, line_sse))
            return false;
    }
    if (!add_wave(m, y))
        return false;
    double clean[TREND_BUCKETS], other[TREND_BUCKETS];
    take_apart(m, y, clean, other);
    double rise = m->fit.beta[0], swing = fit_swing(other, m->m);
    double variance = m->fit.sse / (m->m - m->fit.p) * fit_inflation(m->fit.residual, m->m);
    double error = sqrt(variance * m->fit.inverse00);
    double warm = m->has_transient ? m->fit.beta[m->fit.p - m->waves - 1] * (m->transient[m->m - 1] - m->transient[0]) : 0;
    *ret = (struct growth){s->x[start], s->x[s->n - 1], rise, swing, error > 0 ? rise / error : 1e3, m->rates > 0};
    if (warm > WARM_COUNTS * rise && slows_down_late(m, clean))
        return false;
    int late = (int)(m->m * (1 - LATE_SHARE));
    double late_slope = slope_of(m->x + late, clean + late, m->m - late);
    double level[TREND_BUCKETS];
    without_wave(m, raw - start, level);
    return rise >= GROW_SHARE * grow && rise >= SWING_RATIO * swing &&
           ret->certainty >= certainty_wanted(s->x[s->n - 1]) && rise >= TRANSIENT_SHARE * (rise + warm) &&
           late_slope >= LATE_SLOPE * rise && (!m->rates || goes_on(m, level + start, rise)) &&
           outgrows(s, level, start, rise, ret->certainty);
}

// The points that a step may take.
static int step_points(const struct growth_series *s)
{
    double points = STEP_S * (s->n - 1) / (s->x[s->n - 1] - s->x[0]);
    return points < 2 ? 2 : points < 7 ? (int)points : 7;
}

static void requests_as_x(const struct growth_series *s, int start, double *ret)
{
    for (int i = start; i < s->n; i++)
        ret[i - start] = (s->done[i] - s->done[start]) / (s->done[s->n - 1] - s->done[start]);
}

static bool by_requests(const struct growth_series *s, int start)
{
    return s->rate && s->done && s->done[s->n - 1] > s->done[start] && requests_vary(s, start);
}

// Whether the request rate explains how y rose in all its life; then *ret_rest is what it does not explain.
static bool life_follows_rate(const struct growth_series *s, const double *y, double grow, double *ret_rest)
{
    struct model m = {.m = s->n};
    if (!by_requests(s, 0))
        return false;
    requests_as_x(s, 0, m.x);
    add_rates(&m, s, 0);
    if (!solve(&m, y))
        return false;
    struct fit f = {.p = m.rates}, line = {.p = 1, .column = {m.x}};
    for (int k = 0; k < m.rates; k++)
        f.column[k] = m.rate[k];
    if (!fit_solve(&line, y, m.m) || !fit_solve(&f, y, m.m))
        return false;
    bool rises = line.beta[0] >= GROW_LEAST * grow && m.fit.beta[0] < GROW_LEAST * grow;
    if ((!rises && !rate_explains(&m, y)) || f.sse > RATE_FOLLOWED * squares_of(&line))
        return false;
    memcpy(ret_rest, f.residual, sizeof(double) * (unsigned)m.m);
    return true;
}

static bool window_grows(const struct growth_series *s, const double *y, int start, double grow, struct growth *ret)
{
    struct model m = {.m = s->n - start, .before = start};
    double span = s->x[s->n - 1] - s->x[start];
    bool requests = by_requests(s, start);
    if (requests) {
        requests_as_x(s, start, m.x);
        add_rates(&m, s, start);
    } else {
        for (int i = 0; i < m.m; i++)
            m.x[i] = (s->x[start + i] - s->x[start]) / span;
    }
    y += start;
    if (!solve(&m, y) || m.fit.beta[0] < GROW_LEAST * grow)
        return false;
    if (m.rates && rate_explains(&m, y))
        return false;
    if (m.rates && !rates_matter(&m, y) && !solve(&m, y))
        return false;
    double flat[TREND_BUCKETS], expected[TREND_BUCKETS], sizes[JUMPS + 1], whole = m.fit.beta[0];
    memcpy(flat, y, sizeof(double) * (unsigned)m.m);
    for (int i = 0; i < m.m; i++)
        expected[i] = requests ? whole * m.x[i] : 0; // what comes with many requests is no step
    int jumps = judge_shape_excise(flat, expected, m.m, start ? 0 : m.m / 8, step_points(s), JUMP_OUTLIER, JUMP_SHARE * whole,
                                   JUMPS + 1, sizes);
    if (jumps == 0 || (jumps > JUMPS && sizes[JUMPS] >= ALIKE * sizes[0])) // none, or a staircase
        return model_grows(&m, s, y, y, start, grow, ret);
    struct model stepped = m;
    if (!solve(&stepped, flat) || stepped.fit.beta[0] < STEPS_REST * whole) // steps, and little else
        return false;
    return model_grows(&stepped, s, flat, y, start, grow, ret) || model_grows(&m, s, y, y, start, grow, ret);
}

bool growth_sustained(const struct growth_series *s, double grow, struct growth *ret)
{
    double y[TREND_BUCKETS];
    if (s->n < POINTS_MIN || s->n > TREND_BUCKETS)
        return false;
    memcpy(y, s->y, sizeof(double) * (unsigned)s->n);
    trend_median3(y, s->n);
    // A part of life may rise without its rate, whose noise hides it there. Then the rest must rise on its own, too.
    double rest[TREND_BUCKETS];
    bool grows = false, follows = life_follows_rate(s, y, grow, rest);
    struct growth_series timed = {s->n, s->x, s->y, NULL, NULL};
    for (unsigned k = 0; k < sizeof(window_starts) / sizeof(window_starts[0]); k++) {
        int start = (int)(window_starts[k] * s->n);
        struct growth g, of_rest;
        if (s->n - start < POINTS_MIN)
            break;
        if (start && follows && !window_grows(&timed, rest, start, grow, &of_rest))
            continue;
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
} hurry[] = {{120, 0.63}, {300, 0.75}, {600, 0.85}};
#define STRAIGHT 0.10      // standard deviation around the line, of the rise
#define STRAIGHT_SLOW 0.05 // where there is time to be sure: a random walk is seldom as straight
#define STEADY_SLOPE 0.75  // the second half's slope, of the first half's: a warm-up slows down
#define COMES_BACK 3.0     // the rise, in drops that were seen before
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
        if (due && ceiling > begin && rise >= 2 * grow &&
            sqrt(f.sse / m) <= (x[1] - x[0] > 4 ? STRAIGHT_SLOW : STRAIGHT) * rise && rise >= COMES_BACK * drop &&
            slope_of(x + m / 2, y + m / 2, m - m / 2) >= STEADY_SLOPE * slope_of(x, y, m / 2)) {
            *ret = (struct growth){x[0], x[m - 1], rise, 0, 0, false};
            return true;
        }
        if (m == s->n)
            return false;
    }
    return false;
}
