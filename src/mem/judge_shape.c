// SPDX-License-Identifier: Apache-2.0
// The shape of a series in one word. Pure functions.
#include "mem/judge_shape.h"

#include <math.h>
#include <string.h>

#include "mem/judge_fit.h"

#define FALL_SHARE 0.35 // of the range: a fall that counts for a cycle
#define FALLS_CYCLIC 2  // falls that make a cycle
#define STEP_REST 0.35  // of the range that may be left when the steps are taken out
#define LEVELLED 0.25   // of the rise, in the last quarter, is the most a warm-up still does
#define STEPS 3

static double middle3(double a, double b, double c)
{
    return a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b);
}

int judge_shape_jumps(const double *y, int n, double outlier, double least, int max, int *ret_at)
{
    double d[TREND_BUCKETS], size[TREND_BUCKETS];
    int found = 0;
    if (n < 8 || n > TREND_BUCKETS)
        return 0;
    for (int i = 3; i + 3 <= n; i++)
        d[i] = middle3(y[i], y[i + 1], y[i + 2]) - middle3(y[i - 3], y[i - 2], y[i - 1]);
    for (int i = 3; i + 3 <= n; i++)
        size[i - 3] = fabs(d[i]);
    double usual = trend_quantile(size, n - 5, 0.5);
    double limit = outlier * usual > least ? outlier * usual : least;
    while (found < max) {
        int best = -1;
        for (int i = 3; i + 3 <= n; i++) {
            bool taken = false;
            for (int k = 0; k < found; k++)
                taken = taken || (i - ret_at[k] < 4 && ret_at[k] - i < 4);
            if (!taken && d[i] > limit && (best < 0 || d[i] > d[best]))
                best = i;
        }
        if (best < 0)
            break;
        ret_at[found++] = best;
    }
    return found;
}

// Median of up to 8 points from i in the direction `step`, within [0, n).
static double level_at(const double *y, int n, int i, int step)
{
    double v[8];
    int k = 0;
    for (; k < 8 && i >= 0 && i < n; i += step)
        v[k++] = y[i];
    return k ? trend_quantile(v, k, 0.5) : 0;
}

static double low_after(const double *y, int n, int i)
{
    double v[TREND_BUCKETS];
    memcpy(v, y + i, sizeof(double) * (unsigned)(n - i));
    return trend_quantile(v, n - i, 0.15);
}

int judge_shape_excise(double *y, const double *expected, int n, int from, int gap, double outlier, double least, int max,
                       double *ret_sizes)
{
    static const int gaps[] = {1, 2, 3, 5, 7};
    double size[TREND_BUCKETS];
    int found = 0;
    for (; found < max; found++) {
        int best = -1, best_gap = 0;
        double best_jump = least > 0 ? least : 0;
        for (unsigned k = 0; k < sizeof(gaps) / sizeof(gaps[0]) && gaps[k] <= gap && gaps[k] * 8 <= n; k++) {
            int g = gaps[k];
            for (int i = 0; i + g < n; i++)
                size[i] = fabs(y[i + g] - y[i] - expected[i + g] + expected[i]);
            double usual = trend_quantile(size, n - g, 0.5);
            for (int i = from; i + g < n; i++) {
                double jump = y[i + g] - y[i] - expected[i + g] + expected[i];
                if (jump <= outlier * usual || jump <= 1.1 * best_jump)
                    continue;
                // A spike, or a wave's rise, does not last.
                if (level_at(y, n, i + g, 1) - level_at(y, n, i, -1) < 0.6 * jump || low_after(y, n, i + g) < y[i] + 0.5 * jump)
                    continue;
                best = i;
                best_gap = g;
                best_jump = jump;
            }
        }
        if (best < 0)
            break;
        ret_sizes[found] = best_jump;
        for (int i = best + 1; i < n; i++)
            y[i] = i < best + best_gap ? y[best] : y[i] - best_jump;
    }
    return found;
}

int judge_shape_falls(const double *y, int n, double by)
{
    int falls = 0;
    bool rising = true;
    double top = n ? y[0] : 0, bottom = top;
    for (int i = 0; i < n; i++) {
        if (rising) {
            top = y[i] > top ? y[i] : top;
            if (y[i] <= top - by) {
                falls++;
                rising = false;
                bottom = y[i];
            }
        } else {
            bottom = y[i] < bottom ? y[i] : bottom;
            if (y[i] >= bottom + by) {
                rising = true;
                top = y[i];
            }
        }
    }
    return falls;
}

static double mean_of(const double *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += y[i] / n;
    return sum;
}

enum mem_verdict growth_shape(const struct growth_series *s, double grow)
{
    double y[TREND_BUCKETS], copy[TREND_BUCKETS];
    int n = s->n;
    if (n < 8 || n > TREND_BUCKETS)
        return VERDICT_STEADY;
    memcpy(y, s->y, sizeof(double) * (unsigned)n);
    trend_median3(y, n);
    memcpy(copy, y, sizeof(double) * (unsigned)n);
    double high = trend_quantile(copy, n, 0.98), range = high - trend_quantile(copy, n, 0.02);
    struct growth g;
    if (growth_sustained(s, grow, &g))
        return VERDICT_GROWING;
    if (range < grow)
        return VERDICT_STEADY;
    if (judge_shape_falls(y, n, FALL_SHARE * range) >= FALLS_CYCLIC)
        return VERDICT_CYCLIC;
    int at[STEPS];
    int jumps = judge_shape_jumps(y, n, 6, 0.15 * range, STEPS, at);
    if (jumps) {
        memcpy(copy, y, sizeof(double) * (unsigned)n);
        for (int k = 0; k < jumps; k++) {
            double size = middle3(y[at[k]], y[at[k] + 1], y[at[k] + 2]) - middle3(y[at[k] - 3], y[at[k] - 2], y[at[k] - 1]);
            for (int i = at[k]; i < n; i++)
                copy[i] -= size;
        }
        if (fit_swing(copy, n) < STEP_REST * range)
            return VERDICT_STEPPED;
    }
    int q = n / 4;
    double first = y[0], last = mean_of(y + n - q / 2 - 1, q / 2 + 1), before = mean_of(y + n - q - q / 2 - 1, q / 2 + 1);
    if (last - first >= 0.5 * range && last - before <= LEVELLED * (last - first))
        return VERDICT_WARMING_UP;
    if (judge_shape_falls(y, n, FALL_SHARE * range) >= 1)
        return fit_period(y, n) ? VERDICT_CYCLIC : VERDICT_STEPPED;
    return last - first >= 0.5 * range ? VERDICT_WARMING_UP : VERDICT_STEADY;
}
