// SPDX-License-Identifier: Apache-2.0
// What the judge has to say. Reads only.
#include "mem/judge_int.h"

#include <math.h>
#include <string.h>

#include "mem/judge_fit.h"

#define DECIDE_POINTS 20 // fewer say nothing
#define DECIDE_S 20.0
#define FOREVER_S 3.2e9 // a hundred years: more is not said

static struct judge_growth growth_of(const struct growth_series *s, int start, double unit)
{
    struct trend_slope slope;
    struct fit f = {.p = 1, .column = {s->x + start}};
    int n = s->n - start;
    trend_slope(s->x + start, s->y + start, n, &slope);
    // The interval is for independent residuals; theirs are not.
    double wider = fit_solve(&f, s->y + start, n) ? sqrt(fit_inflation(f.residual, n)) : 1;
    return (struct judge_growth){(slope.mid - (slope.mid - slope.lo) * wider) * unit, slope.mid * unit,
                                 (slope.mid + (slope.hi - slope.mid) * wider) * unit};
}

// Where the growth that stands began, as a point of the series; 0 without one.
static int growth_start(const struct judge *j, const struct growth_series *s)
{
    int start = 0;
    if (j->growing.stands)
        while (start + 16 < s->n && s->x[start] < j->growing.from)
            start++;
    return start;
}

static void report_line(const struct judge *j, enum mem_line line, struct judge_line *ret)
{
    struct judge_series v;
    memset(ret, 0, sizeof(*ret));
    ret->known = j->fed[line];
    ret->verdict = VERDICT_UNDECIDED;
    if (!ret->known)
        return;
    ret->bytes = (int64_t)(line == LINE_TOTAL && j->now.hard >= 0 ? j->now.hard : j->now.v[line]);
    judge__view(j, &j->line[line], LIFE, true, &v);
    double span = j->t - j->t0, step = j->rows > 1 ? span / (double)(j->rows - 1) : 1;
    if (v.s.n < DECIDE_POINTS || span < DECIDE_S) {
        double more = (DECIDE_POINTS - v.s.n) * step;
        ret->seconds_needed = more > DECIDE_S - span ? more : DECIDE_S - span;
        if (ret->seconds_needed < 1)
            ret->seconds_needed = 1;
    } else {
        ret->verdict = growth_shape(&v.s, judge__grow(j));
    }
    int start = growth_start(j, &v.s);
    ret->bytes_per_min = growth_of(&v.s, start, 60);
    if (v.s.done && v.s.done[v.s.n - 1] > v.s.done[start]) {
        struct growth_series by = {v.s.n, v.s.done, v.s.y, NULL, NULL};
        ret->bytes_per_request = growth_of(&by, start, 1);
        ret->per_request_known = true;
    }
}

// The line that an alarm names keeps its verdict as long as the whole does: one can't grow by the other, and that level off.
static void hold_line(const struct judge *j, struct judge_report *ret)
{
    static const enum mem_line lines[CAUSE_N][2] = {
        [CAUSE_TMPFS] = {LINE_TMPFS},
        [CAUSE_DELETED_FILES] = {LINE_DELETED_FILES},
        [CAUSE_SHARED_MEMORY] = {LINE_SHARED_MEMORY},
        [CAUSE_PHP_HEAP] = {LINE_PHP_HEAP, LINE_ANON},
        [CAUSE_NATIVE] = {LINE_NATIVE, LINE_ANON},
        [CAUSE_GO_HEAP] = {LINE_GO_HEAP, LINE_ANON},
        [CAUSE_PROCESS_ANON] = {LINE_ANON},
        [CAUSE_KERNEL] = {LINE_KERNEL},
    };

    for (int i = 0; i < 2 && j->growing.stands; i++) {
        enum mem_line line = lines[j->growing.cause][i]; // LINE_TOTAL: none
        if (line != LINE_TOTAL && ret->line[line].known) {
            ret->line[line].verdict = VERDICT_GROWING;
            ret->line[line].seconds_needed = 0;
        }
    }
}

static void report_stall(const struct judge *j, struct judge_report *ret)
{
    int64_t lo, hi;
    stall_hot(&j->stall, &lo, &hi);
    ret->hot_file = hi > 0 ? (lo + hi) / 2 : -1;
    const struct judge_growth *g = &ret->bytes_per_min;
    if (j->saturated.stands) {
        ret->stall_known = true;
        return;
    }
    if (ret->verdict != VERDICT_GROWING || !isfinite(j->limit) || !(g->hi > 0) || !j->now.known[LINE_TOTAL])
        return;
    double level = j->now.hard >= 0 ? j->now.hard : j->now.v[LINE_TOTAL];
    double near = judge__ceiling(j, false) - level, far = judge__ceiling(j, true) - level;
    ret->stall_known = true;
    ret->stall_lo = near > 0 ? near / g->hi * 60 : 0;
    ret->stall_hi = far > 0 ? (g->lo > 0 ? far / g->lo * 60 : FOREVER_S) : 0;
    ret->stall_lo = ret->stall_lo < FOREVER_S ? ret->stall_lo : FOREVER_S;
    ret->stall_hi = ret->stall_hi < FOREVER_S ? ret->stall_hi : FOREVER_S;
}

void judge_report(const struct judge *j, struct judge_report *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->rows = j->rows;
    ret->t = j->t;
    ret->span = j->t - j->t0;
    ret->limit = isfinite(j->limit) ? (int64_t)j->limit : MEM_UNLIMITED;
    for (int i = 0; i < LINE_N; i++)
        report_line(j, (enum mem_line)i, &ret->line[i]);
    struct judge_line *total = &ret->line[LINE_TOTAL];
    if (j->growing.stands)
        total->verdict = VERDICT_GROWING;
    if (j->saturated.stands)
        total->verdict = VERDICT_SATURATED;
    hold_line(j, ret);
    ret->verdict = total->verdict;
    ret->bytes_per_min = total->bytes_per_min;
    ret->cause = j->saturated.stands               ? j->saturated.cause
                 : j->growing.stands               ? j->growing.cause
                 : ret->verdict == VERDICT_GROWING ? judge__cause_since(j, LIFE, 0, false)
                                                   : CAUSE_NONE;
    ret->alarm[VERDICT_GROWING] = j->growing.stands;
    ret->alarm[VERDICT_SATURATED] = j->saturated.stands;
    report_stall(j, ret);
}
