// SPDX-License-Identifier: Apache-2.0
// What the judge's other files ask of its series. Reads only.
#include "mem/judge_int.h"

#include <math.h>

#define MIB (1024.0 * 1024.0)
#define GROW_MIN (8 * MIB)    // a rise that counts: this much,
#define GROW_LIMIT_SHARE 0.02 // and this share of the limit
#define CAUSE_SKIP 0.35       // of the time since growth began: a warm-up beside it is over then
#define CAUSE_POINTS 8
#define LEVEL_BUCKETS 9 // of 64 s: longer than a cron job's spike
#define HOT_GUESS 0.05  // of the limit, where nothing tells what file pages the server needs

double judge__grow(const struct judge *j)
{
    double share = GROW_LIMIT_SHARE * j->limit;
    return isfinite(share) && share > GROW_MIN ? share : GROW_MIN;
}

// Where growth ends: the limit minus the file pages that the server needs.
double judge__ceiling(const struct judge *j, bool optimistic)
{
    int64_t lo, hi;
    stall_hot(&j->stall, &lo, &hi);
    double hot = (double)(optimistic ? lo : hi);
    if (hi == 0)
        hot = optimistic ? 0 : HOT_GUESS * j->limit;
    return j->limit - (hot < j->limit / 3 ? hot : j->limit / 3);
}

static const struct trend_ring *scale(const struct trend *t, enum judge_scale which)
{
    return which == LIFE ? &t->life : which == BRIEF ? &t->brief : which == MIDDLE ? &t->middle : &t->recent;
}
// The series of a line with request counts beside it, where they go with its points.
void judge__view(const struct judge *j, const struct trend *line, enum judge_scale which, bool open, struct judge_series *ret)
{
    trend_ring_view(scale(line, which), open, &ret->view);
    ret->s = (struct growth_series){ret->view.n, ret->view.x, ret->view.mean, NULL, NULL};
    if (!j->requests_from_start || j->requests_now <= 0)
        return;
    trend_ring_view(scale(&j->requests, which), open, &ret->done_view);
    const struct trend_view *d = &ret->done_view;
    if (d->n != ret->view.n || d->n < 3 || d->x[0] != ret->view.x[0])
        return;
    for (int i = 0; i < d->n; i++) {
        int a = i ? i - 1 : 0, b = i + 1 < d->n ? i + 1 : i;
        ret->rate[i] = (d->mean[b] - d->mean[a]) / (d->x[b] - d->x[a]);
    }
    ret->s.rate = ret->rate;
    ret->s.done = d->mean;
}

// How much a line rose from x = `from` to its end: the difference of its means at both ends.
double judge__rise_since(const struct trend *line, enum judge_scale which, double from)
{
    struct trend_view v;
    trend_ring_view(scale(line, which), true, &v);
    int start = 0;
    while (start < v.n && v.x[start] < from)
        start++;
    int m = v.n - start, end = m / 8 + 1;
    if (m < 2)
        return NAN;
    double a = 0, b = 0;
    for (int i = 0; i < end; i++) {
        a += v.mean[start + i] / end;
        b += v.mean[v.n - 1 - i] / end;
    }
    return b - a;
}

// How much a line rises in its usual way: the median slope over the later part of the time since `from`, times that part. Steps
// and the end of a warm-up don't count.
static double steady_rise_since(const struct trend *line, enum judge_scale which, double from)
{
    struct trend_view v;
    struct trend_slope slope;
    trend_ring_view(scale(line, which), true, &v);
    if (v.n < 2)
        return NAN;
    double later = from + CAUSE_SKIP * (v.x[v.n - 1] - from);
    int start = 0;
    while (start < v.n && v.x[start] < later)
        start++;
    if (v.n - start < CAUSE_POINTS)
        return judge__rise_since(line, which, from);
    trend_slope(v.x + start, v.mean + start, v.n - start, &slope);
    return slope.mid * (v.x[v.n - 1] - v.x[start]);
}

enum mem_cause judge__cause_since(const struct judge *j, enum judge_scale which, double from, bool unyielding)
{
    double rise[LINE_N];
    for (int i = 0; i < LINE_N; i++)
        rise[i] = !j->fed[i]   ? NAN
                  : unyielding ? judge__rise_since(&j->line[i], which, from)
                               : steady_rise_since(&j->line[i], which, from);
    // In a stall, or on the way to it, kernel memory has had its chance to be taken back.
    double pinned = unyielding ? rise[LINE_KERNEL] : steady_rise_since(&j->pinned, which, from);
    return judge_lines_cause(rise, isnan(pinned) ? 0 : pinned,
                             j->fed[LINE_PHP_HEAP] || j->fed[LINE_GO_HEAP] || j->fed[LINE_NATIVE]);
}

double judge__usual_level(const struct judge *j)
{
    struct trend_view v;
    trend_ring_view(&j->line[LINE_TOTAL].recent, false, &v);
    int n = v.n < LEVEL_BUCKETS ? v.n : LEVEL_BUCKETS;
    return n ? trend_quantile(v.mean + v.n - n, n, 0.5) : j->now.v[LINE_TOTAL];
}
