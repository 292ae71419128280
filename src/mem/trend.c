// SPDX-License-Identifier: Apache-2.0
// A series in bounded memory. Owns nothing; all state is in the caller's struct.
// Invariant: 0 <= last - first < TREND_BUCKETS, and every bucket outside [first, last] is stale.
#include "mem/trend.h"

#include <math.h>
#include <string.h>

static struct trend_bucket *at(struct trend_ring *r, int64_t i)
{
    return &r->bucket[i % TREND_BUCKETS];
}

void trend_ring_init(struct trend_ring *r, double width, bool slides)
{
    memset(r, 0, sizeof(*r));
    r->width = width;
    r->slides = slides;
    r->last = -1;
}

static void merge(struct trend_bucket *a, const struct trend_bucket *b)
{
    if (!b->n)
        return;
    if (!a->n) {
        *a = *b;
        return;
    }
    a->sum += b->sum;
    a->sum_x += b->sum_x;
    a->n += b->n;
    a->min = b->min < a->min ? b->min : a->min;
    a->max = b->max > a->max ? b->max : a->max;
}

static void halve(struct trend_ring *r)
{
    for (int64_t i = 0; i < TREND_BUCKETS / 2; i++) {
        struct trend_bucket pair = r->bucket[2 * i];
        merge(&pair, &r->bucket[2 * i + 1]);
        r->bucket[i] = pair;
    }
    memset(r->bucket + TREND_BUCKETS / 2, 0, sizeof(r->bucket) / 2);
    r->width *= 2;
    r->last /= 2;
}

bool trend_ring_push(struct trend_ring *r, double x, double value)
{
    if (!isfinite(x) || !isfinite(value) || (r->last >= 0 && x <= r->last_x))
        return false;
    if (r->last < 0) {
        r->origin = x;
        r->first = r->last = 0;
    }
    double steps = (x - r->origin) / r->width;
    while (!r->slides && steps >= TREND_BUCKETS) { // at most as many times as a double has exponents
        halve(r);
        steps /= 2;
    }
    if (steps >= 1e15) { // an index would no longer be exact: begin anew
        trend_ring_init(r, r->width, r->slides);
        r->origin = x;
        r->first = r->last = 0;
        steps = 0;
    }
    int64_t i = (int64_t)steps;
    bool completed = i > r->last;
    if (i - r->last >= TREND_BUCKETS) {
        memset(r->bucket, 0, sizeof(r->bucket));
        r->first = r->last = i;
    }
    while (r->last < i)
        memset(at(r, ++r->last), 0, sizeof(struct trend_bucket));
    if (r->last - r->first >= TREND_BUCKETS)
        r->first = r->last - TREND_BUCKETS + 1;
    r->last_x = x;
    merge(at(r, i), &(struct trend_bucket){.sum = value, .sum_x = x - r->origin, .min = value, .max = value, .n = 1});
    return completed;
}

void trend_ring_view(const struct trend_ring *r, bool open, struct trend_view *ret)
{
    ret->n = 0;
    ret->width = r->width;
    int64_t end = open ? r->last + 1 : r->last;
    for (int64_t i = r->first; i < end; i++) {
        const struct trend_bucket *b = &r->bucket[i % TREND_BUCKETS];
        if (!b->n)
            continue;
        ret->x[ret->n] = r->origin + b->sum_x / b->n;
        ret->mean[ret->n] = b->sum / b->n;
        ret->min[ret->n] = b->min;
        ret->max[ret->n++] = b->max;
    }
}

void trend_init(struct trend *t)
{
    trend_ring_init(&t->life, TREND_LIFE_WIDTH, false);
    trend_ring_init(&t->brief, TREND_BRIEF_WIDTH, true);
    trend_ring_init(&t->middle, TREND_MIDDLE_WIDTH, true);
    trend_ring_init(&t->recent, TREND_RECENT_WIDTH, true);
}

bool trend_push(struct trend *t, double x, double value)
{
    (void)trend_ring_push(&t->brief, x, value);
    (void)trend_ring_push(&t->middle, x, value);
    (void)trend_ring_push(&t->recent, x, value);
    return trend_ring_push(&t->life, x, value);
}

// Hoare's selection: the k-th smallest of v[0..n).
static double kth(double *v, int n, int k)
{
    int lo = 0, hi = n - 1;
    while (lo < hi) {
        double pivot = v[lo + (hi - lo) / 2];
        int i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                double swap = v[i];
                v[i++] = v[j];
                v[j--] = swap;
            }
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            break;
    }
    return v[k];
}

double trend_quantile(double *values, int n, double q)
{
    int k = (int)(q * (n - 1) + 0.5);
    return kth(values, n, k < 0 ? 0 : k >= n ? n - 1 : k);
}

void trend_median3(double *y, int n)
{
    double before = n ? y[0] : 0;
    for (int i = 1; i + 1 < n; i++) {
        double a = before, b = y[i], c = y[i + 1];
        before = b;
        y[i] = a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b);
    }
}

void trend_slope(const double *x, const double *y, int n, struct trend_slope *ret)
{
    static const double quantile_975 = 1.96;
    *ret = (struct trend_slope){0};
    if (n < 4)
        return;
    // Neighbours are averaged where there are many points: 2016 pairs are as good as 8128.
    double px[TREND_BUCKETS / 2 + 1], py[TREND_BUCKETS / 2 + 1];
    double pair[(TREND_BUCKETS / 2 + 1) * (TREND_BUCKETS / 2) / 2];
    int m = 0, by = n > TREND_BUCKETS / 2 ? 2 : 1;
    for (int i = 0; i + by <= n && m <= TREND_BUCKETS / 2; i += by, m++) {
        px[m] = by == 2 ? (x[i] + x[i + 1]) / 2 : x[i];
        py[m] = by == 2 ? (y[i] + y[i + 1]) / 2 : y[i];
    }
    int pairs = 0;
    for (int i = 0; i < m; i++)
        for (int j = i + 1; j < m; j++)
            if (px[j] > px[i])
                pair[pairs++] = (py[j] - py[i]) / (px[j] - px[i]);
    if (!pairs)
        return;
    double spread = quantile_975 * sqrt((double)m * (m - 1) * (2 * m + 5) / 18.0) / 2;
    double lo = pairs / 2.0 - spread, hi = pairs / 2.0 + spread;
    ret->mid = kth(pair, pairs, pairs / 2);
    ret->lo = kth(pair, pairs, lo < 0 ? 0 : (int)lo);
    ret->hi = kth(pair, pairs, hi > pairs - 1 ? pairs - 1 : (int)hi);
}
