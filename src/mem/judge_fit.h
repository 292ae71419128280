// SPDX-License-Identifier: Apache-2.0
// Least squares for the judge: few regressors, up to TREND_BUCKETS points, no allocation, never a NaN out.
#pragma once
#include <stdbool.h>

#include "mem/trend.h"

#define FIT_REGRESSORS 12

struct fit {
    int n, p;
    const double *column[FIT_REGRESSORS]; // borrowed
    double beta[FIT_REGRESSORS];
    double inverse00; // variance of beta[0] per unit of residual variance, the others being in the model
    double residual[TREND_BUCKETS];
    double sse;
};

// y ~ constant + columns. False where the columns are not independent or there are too few points. A constant is always in it.
bool fit_solve(struct fit *f, const double *y, int n);
// How much less a series of correlated residuals says than independent ones would: the factor of the variance, >= 1.
double fit_inflation(const double *residual, int n);
// The autocorrelation's first clear peak after its first zero: the period in points; 0: none.
int fit_period(const double *residual, int n);
double fit_swing(const double *v, int n); // p95 - p5
