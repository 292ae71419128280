// SPDX-License-Identifier: Apache-2.0
// Two tests for growth: one that takes its time and one for when there is none left; and the shape of a series in one word.
#pragma once
#include "mem/trend.h"
#include "mem/verdict.h"

// A series as the tests see it. `rate` (requests a second) and `done` (requests so far) go with the points, or are NULL.
struct growth_series {
    int n;
    const double *x, *y;
    const double *rate, *done;
};

struct growth {
    double from, to;  // x of the window in which it grows
    double rise;      // over the window, all else taken out
    double swing;     // p95 - p5 of all else
    double certainty; // the rise in standard errors, correlation of the residuals allowed for
    bool per_request; // explained by requests rather than by time
};

// Growth that goes on till now: a straight or bending-up rise of at least `grow` bytes that no wave, sawtooth, warm-up, step,
// random walk or request rate accounts for. *ret is filled where true.
bool growth_sustained(const struct growth_series *s, double grow, struct growth *ret);

// Growth that meets the ceiling soon: straight over the latest points, most of the headroom it began with eaten.
// `drop`: how far the series has been seen to come back by itself; `grow` as above. x is seconds.
bool growth_urgent(const struct growth_series *s, double grow, double ceiling, double drop, struct growth *ret);

// The verdict on the whole of a series: STEADY, WARMING_UP, CYCLIC, STEPPED or GROWING; never UNDECIDED or SATURATED.
enum mem_verdict growth_shape(const struct growth_series *s, double grow);
