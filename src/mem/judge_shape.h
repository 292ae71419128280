// SPDX-License-Identifier: Apache-2.0
// What a series looks like: its jumps, its falls.
#pragma once
#include "mem/judge_growth.h"

// Sharp upward steps of y[0..n): local maxima of the difference between the medians of three points after and before, at least
// `outlier` times the usual difference and `least`. The indices of the first points after, the largest first; returns how many.
int judge_shape_jumps(const double *y, int n, double outlier, double least, int max, int *ret_at);
// Takes up to `max` lasting rises out of y that took at most `gap` points: each at least `outlier` times what is usual over as
// many points, and `least`, from the point `from` on (the start of life is warm-up), more than what `expected` rises meanwhile.
// ret_sizes[max]: their sizes. Returns how many.
int judge_shape_excise(double *y, const double *expected, int n, int from, int gap, double outlier, double least, int max,
                       double *ret_sizes);
// How often y falls by at least `by` from a top, after it had risen by as much.
int judge_shape_falls(const double *y, int n, double by);
