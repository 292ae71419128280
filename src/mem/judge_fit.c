// SPDX-License-Identifier: Apache-2.0
// Least squares by normal equations of centred, scaled columns and Cholesky's decomposition. Owns nothing.
#include "mem/judge_fit.h"

#include <math.h>
#include <string.h>

#define POINTS_OVER_REGRESSORS 4 // fewer points than this above the regressors fit anything
#define INDEPENDENT 1e-6         // a column whose part that the others don't explain is smaller than this is one of them

static bool cholesky(double a[FIT_REGRESSORS][FIT_REGRESSORS], int p)
{
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i][j];
            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i == j) {
                if (!(sum > INDEPENDENT))
                    return false;
                a[i][i] = sqrt(sum);
            } else {
                a[i][j] = sum / a[j][j];
            }
        }
    return true;
}

static void substitute(double a[FIT_REGRESSORS][FIT_REGRESSORS], int p, double *b)
{
    for (int i = 0; i < p; i++) {
        for (int k = 0; k < i; k++)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    for (int i = p - 1; i >= 0; i--) {
        for (int k = i + 1; k < p; k++)
            b[i] -= a[k][i] * b[k];
        b[i] /= a[i][i];
    }
}

bool fit_solve(struct fit *f, const double *y, int n)
{
    double mean[FIT_REGRESSORS], scale[FIT_REGRESSORS], a[FIT_REGRESSORS][FIT_REGRESSORS], b[FIT_REGRESSORS];
    int p = f->p;
    f->n = n;
    if (p < 1 || p > FIT_REGRESSORS || n > TREND_BUCKETS || n < p + POINTS_OVER_REGRESSORS)
        return false;
    double y_mean = 0;
    for (int i = 0; i < n; i++)
        y_mean += y[i] / n;
    for (int k = 0; k < p; k++) {
        mean[k] = scale[k] = 0;
        for (int i = 0; i < n; i++)
            mean[k] += f->column[k][i] / n;
        for (int i = 0; i < n; i++)
            scale[k] += (f->column[k][i] - mean[k]) * (f->column[k][i] - mean[k]);
        scale[k] = sqrt(scale[k]);
        if (!(scale[k] > 0) || !isfinite(scale[k]))
            return false;
    }
    for (int k = 0; k < p; k++) {
        b[k] = 0;
        for (int i = 0; i < n; i++)
            b[k] += (f->column[k][i] - mean[k]) / scale[k] * (y[i] - y_mean);
        for (int l = 0; l <= k; l++) {
            a[k][l] = 0;
            for (int i = 0; i < n; i++)
                a[k][l] += (f->column[k][i] - mean[k]) / scale[k] * ((f->column[l][i] - mean[l]) / scale[l]);
        }
    }
    if (!cholesky(a, p))
        return false;
    substitute(a, p, b);
    double unit[FIT_REGRESSORS] = {1};
    substitute(a, p, unit);
    f->inverse00 = unit[0] / (scale[0] * scale[0]);
    f->sse = 0;
    for (int k = 0; k < p; k++)
        f->beta[k] = b[k] / scale[k];
    for (int i = 0; i < n; i++) {
        double r = y[i] - y_mean;
        for (int k = 0; k < p; k++)
            r -= f->beta[k] * (f->column[k][i] - mean[k]);
        f->residual[i] = r;
        f->sse += r * r;
    }
    return isfinite(f->sse);
}

static double autocorrelation(const double *e, int n, int lag, double variance)
{
    double sum = 0;
    for (int i = lag; i < n; i++)
        sum += e[i] * e[i - lag];
    return variance > 0 ? sum / variance : 0;
}

static double energy(const double *e, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += e[i] * e[i];
    return sum;
}

double fit_inflation(const double *residual, int n)
{
    double variance = energy(residual, n), factor = 1;
    for (int lag = 1; lag < n / 2; lag++) {
        double r = autocorrelation(residual, n, lag, variance);
        if (r <= 0.05) // the first positive stretch only: what comes later is estimated too badly
            break;
        factor += 2 * r;
    }
    return factor;
}

int fit_period(const double *residual, int n)
{
    double variance = energy(residual, n), r[TREND_BUCKETS / 2 + 2], best = 0.3; // weaker than this and it is no cycle
    int first = 0, last = n / 2;
    r[0] = 1;
    for (int lag = 1; lag <= last; lag++) {
        r[lag] = autocorrelation(residual, n, lag, variance) * n / (n - lag);
        first = !first && r[lag] < 0 ? lag : first;
        if (first && r[lag] > best)
            best = r[lag];
    }
    // Multiples of the period are as high as the period itself, and it comes first.
    for (int lag = first + 1; first && lag < last; lag++)
        if (lag >= 2 && r[lag] >= 0.75 * best && r[lag] >= 0.3 && r[lag] >= r[lag - 1] && r[lag] >= r[lag + 1])
            return lag;
    return first && r[last] >= best ? last : 0;
}

double fit_swing(const double *v, int n)
{
    double copy[TREND_BUCKETS];
    if (n < 2)
        return 0;
    memcpy(copy, v, sizeof(double) * (unsigned)n);
    double high = trend_quantile(copy, n, 0.95);
    return high - trend_quantile(copy, n, 0.05);
}
