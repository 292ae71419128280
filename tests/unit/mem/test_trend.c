// SPDX-License-Identifier: Apache-2.0
// Series in bounded memory.
#include "mem/trend.h"

#include <math.h>

#include "../claim.h"

T(a_life_of_any_length_fits_and_keeps_its_sum)
{
    struct trend_ring r;
    struct trend_view v;
    trend_ring_init(&r, 1, false);
    for (int i = 0; i < 100000; i++)
        (void)trend_ring_push(&r, i, i);
    trend_ring_view(&r, true, &v);
    assert_in_range(v.n, TREND_BUCKETS / 2, TREND_BUCKETS);
    double n = 0, sum = 0;
    for (int i = 0; i < TREND_BUCKETS; i++) {
        n += r.bucket[i].n;
        sum += r.bucket[i].sum;
    }
    assert_true(n == 100000 && sum == 99999.0 * 100000 / 2);
    assert_true(v.min[0] == 0 && v.max[v.n - 1] == 99999);
    for (int i = 0; i < v.n; i++) // the mean of x goes with the mean of y
        assert_true(fabs(v.x[i] - v.mean[i]) < 1e-6);
}

T(a_sliding_ring_keeps_the_latest_only)
{
    struct trend_ring r;
    struct trend_view v;
    trend_ring_init(&r, 2, true);
    for (int i = 0; i < 1000; i++)
        (void)trend_ring_push(&r, i, i);
    trend_ring_view(&r, false, &v);
    assert_int_equal(v.n, TREND_BUCKETS - 1);
    assert_true(v.max[v.n - 1] == 997);
    assert_true(v.min[0] == 1000 - 2 * TREND_BUCKETS);
}

T(a_gap_longer_than_the_ring_leaves_what_came_after_it)
{
    struct trend_ring r;
    struct trend_view v;
    trend_ring_init(&r, 1, true);
    (void)trend_ring_push(&r, 0, 5);
    assert_true(trend_ring_push(&r, 1e6, 7));
    trend_ring_view(&r, true, &v);
    assert_int_equal(v.n, 1);
    assert_true(v.mean[0] == 7);
}

T(what_is_no_number_or_goes_back_is_ignored)
{
    struct trend_ring r;
    struct trend_view v;
    trend_ring_init(&r, 1, false);
    (void)trend_ring_push(&r, 10, 1);
    assert_false(trend_ring_push(&r, NAN, 2));
    assert_false(trend_ring_push(&r, 11, NAN));
    assert_false(trend_ring_push(&r, 11, INFINITY));
    assert_false(trend_ring_push(&r, 10, 2));
    assert_false(trend_ring_push(&r, 3, 2));
    trend_ring_view(&r, true, &v);
    assert_int_equal(v.n, 1);
    assert_true(v.mean[0] == 1);
}

T(a_jump_over_all_scales_ends)
{
    struct trend_ring r;
    trend_ring_init(&r, 1, false);
    (void)trend_ring_push(&r, 0, 1);
    (void)trend_ring_push(&r, 1e300, 2);
    assert_in_range(r.last, 0, TREND_BUCKETS - 1);
}

T(a_slope_is_found_among_outliers)
{
    double x[100], y[100];
    struct trend_slope s;
    for (int i = 0; i < 100; i++) {
        x[i] = i;
        y[i] = 3 * i + (i % 7) + (i % 10 == 0 ? 1000 : 0);
    }
    trend_slope(x, y, 100, &s);
    assert_true(s.lo <= s.mid && s.mid <= s.hi);
    assert_true(s.mid > 2.7 && s.mid < 3.3);
    assert_true(s.lo > 0);
}

T(too_few_points_have_no_slope)
{
    double x[3] = {1, 2, 3};
    struct trend_slope s;
    trend_slope(x, x, 3, &s);
    assert_true(s.lo == 0 && s.mid == 0 && s.hi == 0);
}

T(a_quantile_is_an_order_statistic)
{
    double v[] = {9, 1, 8, 2, 7, 3, 6, 4, 5};
    assert_true(trend_quantile(v, 9, 0.5) == 5);
    assert_true(trend_quantile(v, 9, 0) == 1);
    assert_true(trend_quantile(v, 9, 1) == 9);
}

T(a_single_spike_is_taken_out_by_the_median)
{
    double y[] = {1, 1, 50, 1, 2, 2};
    trend_median3(y, 6);
    for (int i = 0; i < 6; i++)
        assert_true(y[i] <= 2);
}

T(a_bucket_remembers_its_extremes)
{
    struct trend_ring r;
    struct trend_view v;
    trend_ring_init(&r, 10, false);
    (void)trend_ring_push(&r, 0, 5);
    (void)trend_ring_push(&r, 1, 9);
    (void)trend_ring_push(&r, 2, 1);
    (void)trend_ring_push(&r, 3, 4);
    trend_ring_view(&r, true, &v);
    assert_int_equal(v.n, 1);
    assert_true(v.min[0] == 1 && v.max[0] == 9);
}

T(buckets_are_completed_as_often_after_halving_as_they_are_wide)
{
    struct trend_ring r;
    int completed = 0;
    trend_ring_init(&r, 1, false);
    for (int i = 0; i < 2 * TREND_BUCKETS; i++)
        (void)trend_ring_push(&r, i, 0);
    assert_true(r.width == 2);
    for (int i = 2 * TREND_BUCKETS; i < 4 * TREND_BUCKETS; i++)
        completed += trend_ring_push(&r, i, 0);
    assert_true(r.width == 4);
    assert_int_equal(completed, TREND_BUCKETS / 2); // of four each
}

// Deterministic noise, nearly normal: the sum of twelve uniform numbers.
static double noise(uint32_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        *state = *state * 1664525 + 1013904223;
        sum += *state / 4294967296.0;
    }
    return sum;
}

T(the_interval_holds_the_true_slope_19_times_of_20)
{
    uint32_t seed = 1;
    int held = 0;
    for (int n = 0; n < 1000; n++) {
        double x[24], y[24];
        struct trend_slope s;
        for (int i = 0; i < 24; i++) {
            x[i] = i;
            y[i] = 0.5 * i + noise(&seed);
        }
        trend_slope(x, y, 24, &s);
        held += s.lo <= 0.5 && s.hi >= 0.5;
    }
    assert_in_range(held, 930, 985);
}

CLAIMS(C(a_life_of_any_length_fits_and_keeps_its_sum), C(a_sliding_ring_keeps_the_latest_only),
       C(a_gap_longer_than_the_ring_leaves_what_came_after_it), C(what_is_no_number_or_goes_back_is_ignored),
       C(a_jump_over_all_scales_ends), C(a_slope_is_found_among_outliers), C(too_few_points_have_no_slope),
       C(a_quantile_is_an_order_statistic), C(a_single_spike_is_taken_out_by_the_median), C(a_bucket_remembers_its_extremes),
       C(buckets_are_completed_as_often_after_halving_as_they_are_wide), C(the_interval_holds_the_true_slope_19_times_of_20))
