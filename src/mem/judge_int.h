// SPDX-License-Identifier: Apache-2.0
// What the judge keeps, shared by the files that make it up.
#pragma once
#include "mem/judge.h"
#include "mem/judge_growth.h"
#include "mem/judge_lines.h"
#include "mem/stall.h"
#include "mem/trend.h"

struct alarm {
    bool stands, ever;
    double t, base, top, top_t, from, fallen_since;
    double swing; // of all else: falling by it is no fall
    enum mem_cause cause;
};

#define JUDGE_LATE_REQUESTS 16 // rows that a server may take to answer how many requests there were

struct judge {
    bool begun;
    uint64_t rows;
    double t0, t;
    double limit; // bytes; INFINITY: none
    struct line_values now;
    struct trend line[LINE_N], pinned, requests;
    bool fed[LINE_N];                  // has had a value
    bool requests_from_start;          // known since the first rows: their points go with those of the lines
    double early[JUDGE_LATE_REQUESTS]; // x of the first rows, until requests are known
    double requests_offset, requests_last, requests_now;
    double peak, trough, drop, drop_t; // the largest fall from a top so far
    unsigned urgent_looks, sustained_looks;
    double stuck_since, stuck_lo, stuck_hi; // kernel memory that does not move at the limit; NaN: not so
    struct stall stall;
    struct alarm growing, saturated;
};

enum judge_scale { LIFE, BRIEF, MIDDLE, RECENT };

// A line's points with the request counts that go with them.
struct judge_series {
    struct trend_view view, done_view;
    double rate[TREND_BUCKETS];
    struct growth_series s;
};

double judge__grow(const struct judge *j); // a rise that counts
double judge__ceiling(const struct judge *j,
                      bool optimistic); // where growth ends: the limit minus the file pages the server needs
void judge__view(const struct judge *j, const struct trend *line, enum judge_scale scale, bool open, struct judge_series *ret);
double judge__rise_since(const struct trend *line, enum judge_scale scale, double from); // to the end; NaN: not known
// `unyielding`: usage sits at the limit, so that all kernel memory counts.
enum mem_cause judge__cause_since(const struct judge *j, enum judge_scale scale, double from, bool unyielding);
double judge__usual_level(const struct judge *j); // of what counts, over the latest ten minutes; spikes don't move it
