// SPDX-License-Identifier: Apache-2.0
#include "watch/history.h"

#include "../claim.h"

static struct history h;

static void add(double t)
{
    struct mem_sample s = {.t = t};

    mem_set(&s, MEM_usage, t > 0 ? (int64_t)t : 0);
    history_add(&h, &s);
}

T(the_last_two_minutes_are_kept_row_by_row)
{
    history_init(&h);
    for (int t = 0; t < 100000; t++)
        add(t);
    assert_true(h.n <= HISTORY_ROWS);
    for (int i = 0; i < 120; i++)
        assert_true(h.row[h.n - 1 - (size_t)i].t == 99999 - i);
}

T(the_beginning_stays_and_steps_only_shrink)
{
    history_init(&h);
    for (int t = 0; t < 100000; t++)
        add(t);
    assert_true(h.row[0].t == 0);
    double largest = 0;
    for (size_t i = 1; i < h.n; i++) {
        double step = h.row[i].t - h.row[i - 1].t;
        assert_true(step > 0);
        largest = step > largest ? step : largest;
        assert_int_equal(h.row[i].v[MEM_usage], (int64_t)h.row[i].t);
    }
    // Bounded by halvings: a day in rows of minutes, not of hours.
    assert_true(largest < 100000.0 / 16);
    assert_true(h.n > HISTORY_ROWS / 4);
}

T(many_rows_within_two_minutes_are_thinned_too)
{
    history_init(&h);
    for (int t = 0; t < 20000; t++)
        add(t * 0.001);
    assert_true(h.n <= HISTORY_ROWS);
    assert_true(h.row[0].t == 0 && h.row[h.n - 1].t == 19999 * 0.001);
}

T(a_time_that_does_not_rise_is_left_out)
{
    history_init(&h);
    add(5);
    add(5);
    add(4);
    add(0.0 / 0.0);
    assert_int_equal(h.n, 1);
    add(6);
    assert_int_equal(h.n, 2);
}

T(rows_behind_a_time_are_found)
{
    history_init(&h);
    assert_int_equal(history_after(&h, 3), 0);
    for (int t = 0; t < 10; t++)
        add(t);
    assert_int_equal(history_after(&h, -1), 0);
    assert_int_equal(history_after(&h, 4), 5);
    assert_int_equal(history_after(&h, 4.5), 5);
    assert_int_equal(history_after(&h, 9), 10);
}

CLAIMS(C(the_last_two_minutes_are_kept_row_by_row), C(the_beginning_stays_and_steps_only_shrink),
       C(many_rows_within_two_minutes_are_thinned_too), C(a_time_that_does_not_rise_is_left_out), C(rows_behind_a_time_are_found))
