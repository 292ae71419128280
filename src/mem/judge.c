// SPDX-License-Identifier: Apache-2.0
// The judge: keeps the series, asks the tests when they can say something new, and holds the alarms. Owns the caller's block.
// Invariant: alarms change only in judge_push(), each at most once a push; judge_report() changes nothing.
#include "mem/judge.h"

#include <math.h>
#include <string.h>

#include "mem/judge_int.h"

#define HORIZON_S 6900.0 // a ramp, a warm-up or a slow cycle looks like a leak for as long as this; only haste alarms sooner
#define HORIZON_DAYS_S                                                                                                           \
    57600.0 // who samples that seldom looks at days, and the first rise of a day looks like a leak for 12 hours
#define SELDOM_S 45.0 // scrapers sample every 15 or 30 seconds and see hours; every minute, days
#define SUSTAINED_LOOKS 4 // in a row
#define URGENT_LOOKS 3
#define DROP_HALF_LIFE_S 1800.0 // a fall seen long ago says little of this rise
#define COVERS 0.5              // of a line's rise, that the whole must show too
#define CLEAR_FALL 0.5          // of the rise, given back
#define CLEAR_FALL_S 60.0
#define CLEAR_FLAT_S 3600.0 // no new height for so long, and for so much of the time it grew
#define CLEAR_FLAT_SHARE 0.5
#define AT_LIMIT 0.97      // of the limit: usage sits at it
#define HARD_AT_LIMIT 0.95 // of the limit: and little of it is page cache
#define STUCK_S 600.0      // kernel memory that yields does so in seconds
#define STUCK_MOVES 0.015  // of itself; what yields falls by more, what still grows, too, sooner or later
#define STUCK_SHARE 0.1    // of the limit, that kernel memory rose
#define NEW_HEIGHT 0.03    // of the rise

static const enum mem_line tested[] = {LINE_TOTAL, LINE_TMPFS, LINE_ANON, LINE_SHARED_MEMORY};
#define TESTED (sizeof(tested) / sizeof(tested[0]))

size_t judge_size(void)
{
    return sizeof(struct judge);
}

void judge_init(struct judge *j)
{
    memset(j, 0, sizeof(*j));
    for (int i = 0; i < LINE_N; i++)
        trend_init(&j->line[i]);
    trend_init(&j->pinned);
    trend_init(&j->requests);
    stall_init(&j->stall);
    j->limit = INFINITY;
    j->stuck_since = NAN;
}

// A live server is asked on the side: its first answer is a few rows late, and counts for these.
static void take_requests(struct judge *j, const struct mem_sample *s)
{
    double now;
    if (j->rows <= JUDGE_LATE_REQUESTS)
        j->early[j->rows - 1] = s->t - j->t0;
    if (mem_known(s, MEM_requests))
        now = (double)s->v[MEM_requests];
    else if (mem_known(s, MEM_req_ok))
        now = (double)s->v[MEM_req_ok] + (double)mem_get(s, MEM_req_err, 0);
    else
        return;
    if (!j->requests_from_start && j->rows <= JUDGE_LATE_REQUESTS) {
        j->requests_from_start = true;
        for (uint64_t i = 0; i + 1 < j->rows; i++)
            (void)trend_push(&j->requests, j->early[i], now);
    } else if (now < j->requests_last) // the server was restarted: it goes on from where it was
        j->requests_offset += j->requests_last;
    j->requests_last = now;
    j->requests_now = now + j->requests_offset;
}

static void event(struct judge_event *ret, unsigned *n, enum judge_event_kind kind, double t, enum mem_verdict verdict,
                  enum mem_cause cause)
{
    if (*n < JUDGE_EVENTS_PER_PUSH)
        ret[(*n)++] = (struct judge_event){kind, t, verdict, cause};
}

static void raise_growing(struct judge *j, const struct growth *g, enum judge_scale which, bool unyielding,
                          struct judge_event *ret, unsigned *n)
{
    double now = which == LIFE ? judge__usual_level(j) : j->now.v[LINE_TOTAL];
    enum mem_cause cause = judge__cause_since(j, which, g->from, unyielding);
    j->growing = (struct alarm){.stands = true,
                                .ever = true,
                                .t = j->t,
                                .base = now - g->rise,
                                .top = now,
                                .top_t = j->t,
                                .from = g->from,
                                .fallen_since = NAN,
                                .swing = g->swing,
                                .cause = cause};
    event(ret, n, JUDGE_RAISED, j->t, VERDICT_GROWING, cause);
}

static bool look_sustained(struct judge *j, struct growth *ret)
{
    for (unsigned i = 0; i < TESTED; i++) {
        struct judge_series s;
        if (!j->fed[tested[i]])
            continue;
        judge__view(j, &j->line[tested[i]], LIFE, false, &s);
        if (!growth_sustained(&s.s, judge__grow(j), ret))
            continue;
        if (tested[i] == LINE_TOTAL || judge__rise_since(&j->line[LINE_TOTAL], LIFE, ret->from) >= COVERS * ret->rise)
            return true;
    }
    return false;
}

static void clear_growing(struct judge *j, bool completed, struct judge_event *ret, unsigned *n)
{
    struct alarm *a = &j->growing;
    double now = j->now.v[LINE_TOTAL], rise = a->top - a->base, usual = completed ? judge__usual_level(j) : 0;
    if (usual > a->top + NEW_HEIGHT * rise) {
        a->top = usual;
        a->top_t = j->t;
    }
    if (now > a->top - CLEAR_FALL * rise - a->swing)
        a->fallen_since = NAN;
    else if (isnan(a->fallen_since))
        a->fallen_since = j->t;
    double flat = j->t - a->top_t;
    bool fallen = !isnan(a->fallen_since) && j->t - a->fallen_since >= CLEAR_FALL_S;
    if (!fallen && (flat < CLEAR_FLAT_S || flat < CLEAR_FLAT_SHARE * (a->top_t - j->t0 - a->from) || j->stall.saturated))
        return;
    struct growth still;
    if (!fallen && j->t - j->t0 >= HORIZON_S && look_sustained(j, &still)) { // it grows on beneath its swing
        a->top_t = j->t;
        return;
    }
    a->stands = false;
    j->urgent_looks = j->sustained_looks = 0;
    event(ret, n, JUDGE_CLEARED, j->t, VERDICT_GROWING, a->cause);
}

// The largest fall from a top; half of it regained begins a new one.
static void track_drop(struct judge *j, double level)
{
    if (level > j->peak || j->rows == 1) {
        j->peak = j->trough = level;
    } else if (level < j->trough) {
        j->trough = level;
        if (j->peak - level >= j->drop * exp2((j->drop_t - j->t) / DROP_HALF_LIFE_S)) {
            j->drop = j->peak - level;
            j->drop_t = j->t;
        }
    } else if (level - j->trough >= 0.5 * (j->peak - j->trough)) {
        j->peak = j->trough = level;
    }
}

static bool look_urgent(struct judge *j, enum judge_scale which, struct growth *ret)
{
    struct judge_series s;
    if (!isfinite(j->limit))
        return false;
    judge__view(j, &j->line[LINE_TOTAL], which, false, &s);
    double drop = j->drop * exp2((j->drop_t - j->t) / DROP_HALF_LIFE_S);
    return growth_urgent(&s.s, judge__grow(j), judge__ceiling(j, true), drop, ret);
}

// Kernel memory that nothing explains counts once usage sits at the limit and it neither grows nor yields.
static bool kernel_is_stuck(struct judge *j, const struct mem_sample *s)
{
    double kernel = j->now.v[LINE_KERNEL], usage = (double)mem_get(s, MEM_usage, 0);
    if (!j->now.known[LINE_KERNEL] || usage < AT_LIMIT * j->limit || j->now.hard < HARD_AT_LIMIT * j->limit) {
        j->stuck_since = NAN;
        return false;
    }
    if (isnan(j->stuck_since)) {
        j->stuck_since = j->t;
        j->stuck_lo = j->stuck_hi = kernel;
    }
    j->stuck_lo = fmin(j->stuck_lo, kernel);
    j->stuck_hi = fmax(j->stuck_hi, kernel);
    if (j->stuck_hi - j->stuck_lo > STUCK_MOVES * j->stuck_hi)
        j->stuck_since = NAN;
    if (!(j->t - j->stuck_since >= STUCK_S))
        return false;
    double rise = judge__rise_since(&j->line[LINE_KERNEL], LIFE, 0), counted = judge__rise_since(&j->pinned, LIFE, 0);
    return rise - counted >= judge__grow(j) && rise >= STUCK_SHARE * j->limit;
}

static void judge_growing(struct judge *j, const struct mem_sample *s, bool completed[4], struct judge_event *ret, unsigned *n)
{
    struct growth g;
    if (j->growing.stands) {
        clear_growing(j, completed[RECENT], ret, n);
        return;
    }
    for (enum judge_scale which = BRIEF; which <= RECENT; which++) {
        if (!completed[which])
            continue;
        if (look_urgent(j, which, &g)) {
            j->urgent_looks += which == BRIEF ? 1 : URGENT_LOOKS;
            if (j->urgent_looks >= URGENT_LOOKS) {
                raise_growing(j, &g, which, false, ret, n);
                return;
            }
        } else if (which == BRIEF) {
            j->urgent_looks = 0;
        }
    }
    if (kernel_is_stuck(j, s)) {
        double rise = judge__rise_since(&j->line[LINE_KERNEL], LIFE, 0);
        raise_growing(j, &(struct growth){.rise = rise}, LIFE, true, ret, n);
        return;
    }
    double seen = j->t - j->t0, horizon = seen < SELDOM_S * (double)(j->rows - 1) ? HORIZON_S : HORIZON_DAYS_S;
    if (!completed[LIFE] || seen < 0.9 * horizon)
        return;
    j->sustained_looks = look_sustained(j, &g) ? j->sustained_looks + 1 : 0;
    if (j->sustained_looks >= SUSTAINED_LOOKS && seen >= horizon)
        raise_growing(j, &g, LIFE, false, ret, n);
}

static void judge_saturated(struct judge *j, const struct mem_sample *s, struct judge_event *ret, unsigned *n)
{
    int change = stall_push(&j->stall, s);
    if (change > 0) {
        enum mem_cause cause = j->growing.stands ? j->growing.cause : judge__cause_since(j, LIFE, 0, true);
        j->saturated = (struct alarm){.stands = true, .ever = true, .t = j->t, .cause = cause};
        event(ret, n, JUDGE_RAISED, j->t, VERDICT_SATURATED, cause);
    } else if (change < 0 && j->saturated.stands) {
        j->saturated.stands = false;
        event(ret, n, JUDGE_CLEARED, j->t, VERDICT_SATURATED, j->saturated.cause);
    }
}

unsigned judge_push(struct judge *j, const struct mem_sample *sample, struct judge_event *ret_events)
{
    struct mem_sample s;
    unsigned n = 0;
    if (!isfinite(sample->t) || (j->begun && sample->t <= j->t))
        return 0;
    judge_lines_clean(sample, &s);
    j->t = s.t;
    if (!j->begun)
        j->t0 = j->drop_t = s.t;
    j->begun = true;
    j->rows++;
    if (mem_known(&s, MEM_limit))
        j->limit = s.v[MEM_limit] == MEM_UNLIMITED ? INFINITY : (double)s.v[MEM_limit];
    judge_lines_read(&s, &j->now);
    take_requests(j, &s);
    bool completed[4] = {false};
    double x = s.t - j->t0;
    for (int i = 0; i < LINE_N; i++) {
        if (!j->now.known[i])
            continue;
        struct trend *line = &j->line[i];
        bool brief = trend_ring_push(&line->brief, x, j->now.v[i]);
        bool middle = trend_ring_push(&line->middle, x, j->now.v[i]);
        bool recent = trend_ring_push(&line->recent, x, j->now.v[i]);
        bool life = trend_ring_push(&line->life, x, j->now.v[i]);
        j->fed[i] = true;
        if (i == LINE_TOTAL)
            memcpy(completed, (bool[4]){[LIFE] = life, [BRIEF] = brief, [MIDDLE] = middle, [RECENT] = recent}, sizeof(completed));
    }
    (void)trend_push(&j->pinned, x, j->now.pinned);
    if (j->requests_from_start)
        (void)trend_push(&j->requests, x, j->requests_now);
    if (j->now.known[LINE_TOTAL]) {
        track_drop(j, j->now.v[LINE_TOTAL]);
        judge_growing(j, &s, completed, ret_events, &n);
    }
    judge_saturated(j, &s, ret_events, &n);
    return n;
}
