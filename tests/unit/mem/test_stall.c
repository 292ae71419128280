// SPDX-License-Identifier: Apache-2.0
// The stall, told from its counters.
#include "mem/stall.h"

#include <string.h>

#include "../claim.h"

#define MIB (INT64_C(1) << 20)

// A container of 256 MiB at its limit, `file` of it page cache.
static struct mem_sample at_limit(double t, int64_t file)
{
    struct mem_sample s = {.t = t};
    mem_set(&s, MEM_usage, 256 * MIB);
    mem_set(&s, MEM_limit, 256 * MIB);
    mem_set(&s, MEM_inactive_file, file / 2);
    mem_set(&s, MEM_active_file, file - file / 2);
    return s;
}

// n samples one second apart with so many refaults (and events) each; the last change seen.
static int run(struct stall *s, double *t, int n, int64_t file, int64_t refaults, int64_t events)
{
    static int64_t refaulted, counted;
    int change = 0;
    for (int i = 0; i < n; i++) {
        struct mem_sample m = at_limit(*t += 1, file);
        refaulted += refaults;
        counted += events > 0 ? events : 0;
        if (refaults >= 0)
            mem_set(&m, MEM_refault_file, refaulted);
        if (events >= 0)
            mem_set(&m, MEM_events_max, counted);
        int now = stall_push(s, &m);
        change = now ? now : change;
    }
    return change;
}

T(a_refault_storm_at_the_limit_is_a_stall)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    assert_int_equal(run(&s, &t, 5, 14 * MIB, 0, -1), 0);
    assert_int_equal(run(&s, &t, 6, 14 * MIB, 130000, -1), 1);
    assert_true(s.saturated);
    assert_int_equal(s.hot_learned, 14 * MIB);
}

T(one_second_of_refaults_is_none)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    (void)run(&s, &t, 5, 14 * MIB, 0, -1);
    assert_int_equal(run(&s, &t, 1, 14 * MIB, 130000, -1) | run(&s, &t, 30, 14 * MIB, 0, -1), 0);
    assert_false(s.saturated);
}

T(page_cache_at_the_limit_is_none_however_much_is_read)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    assert_int_equal(run(&s, &t, 100, 240 * MIB, 25000, 600), 0);
}

T(a_storm_of_limit_events_is_a_stall_without_psi_or_refaults)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    assert_int_equal(run(&s, &t, 10, 12 * MIB, -1, 450), 1);
}

T(samples_far_apart_need_as_many_as_near_ones)
{
    struct stall s;
    int64_t refaulted = 0;
    stall_init(&s);
    for (int i = 0; i < 4; i++) { // of the first no rate is known
        struct mem_sample m = at_limit(i * 10, 14 * MIB);
        mem_set(&m, MEM_refault_file, refaulted += 1300000);
        assert_int_equal(stall_push(&s, &m), i == 3);
    }
}

T(three_samples_within_a_second_are_none)
{
    struct stall s;
    int change = 0;
    stall_init(&s);
    for (int i = 0; i < 40; i++) { // ten a second: from the second one on there is a rate
        struct mem_sample m = at_limit(1000 + i / 10.0, 14 * MIB);
        mem_set(&m, MEM_refault_file, i * INT64_C(13000));
        change = stall_push(&s, &m);
        if (change)
            break;
        assert_true(i < 30);
    }
    assert_int_equal(change, 1);
    assert_true(s.saturated_at > 1002.9);
}

T(a_storm_that_pauses_for_a_second_goes_on_and_one_that_pauses_for_longer_begins_anew)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    (void)run(&s, &t, 5, 14 * MIB, 0, -1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(run(&s, &t, 2, 14 * MIB, 130000, -1), 0);
        assert_int_equal(run(&s, &t, 3, 14 * MIB, 0, -1), 0);
    }
    assert_int_equal(run(&s, &t, 2, 14 * MIB, 130000, -1), 0);
    assert_int_equal(run(&s, &t, 1, 14 * MIB, 0, -1), 0);
    assert_int_equal(run(&s, &t, 1, 14 * MIB, 130000, -1), 1);
}

T(with_a_quarter_of_page_cache_weak_signs_are_none)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    assert_int_equal(run(&s, &t, 10, 45 * MIB, -1, 450), 0); // 82 % can't be dropped
    assert_int_equal(run(&s, &t, 10, 35 * MIB, -1, 450), 1); // 86 %
}

T(without_the_lists_of_file_pages_what_is_known_adds_up_to_what_cant_be_dropped)
{
    for (int kernel = 20; kernel <= 40; kernel += 20) { // 180 and 200 MiB of 256
        struct stall s;
        int change = 0;
        stall_init(&s);
        for (int i = 0; i < 10; i++) {
            struct mem_sample m = {.t = i};
            mem_set(&m, MEM_usage, 256 * MIB);
            mem_set(&m, MEM_limit, 256 * MIB);
            mem_set(&m, MEM_anon, 100 * MIB);
            mem_set(&m, MEM_shmem, 60 * MIB);
            mem_set(&m, MEM_kernel, kernel * MIB);
            mem_set(&m, MEM_inactive_file, 100 * MIB); // one list alone says nothing
            mem_set(&m, MEM_refault_file, i * 1000);
            change |= stall_push(&s, &m);
        }
        assert_int_equal(change, kernel == 40);
    }
}

T(it_ends_after_calm_and_not_before)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    (void)run(&s, &t, 10, 14 * MIB, 130000, -1);
    assert_true(s.saturated);
    assert_int_equal(run(&s, &t, 5, 20 * MIB, 0, -1), 0); // relieved for a moment
    assert_int_equal(run(&s, &t, 5, 14 * MIB, 130000, -1), 0);
    assert_true(s.saturated);
    assert_int_equal(run(&s, &t, 20, 20 * MIB, 0, -1), 0); // from the first calm one on it is 19 seconds
    assert_true(s.saturated);
    assert_int_equal(run(&s, &t, 1, 20 * MIB, 0, -1), -1);
    assert_false(s.saturated);
}

T(without_a_limit_there_is_none)
{
    struct stall s;
    stall_init(&s);
    for (int i = 1; i < 50; i++) {
        struct mem_sample m = at_limit(i, 14 * MIB);
        mem_set(&m, MEM_limit, MEM_UNLIMITED);
        mem_set(&m, MEM_refault_file, i * INT64_C(130000));
        assert_int_equal(stall_push(&s, &m), 0);
    }
}

T(a_counter_that_was_reset_is_no_storm)
{
    struct stall s;
    stall_init(&s);
    for (int i = 1; i < 50; i++) {
        struct mem_sample m = at_limit(i, 14 * MIB);
        mem_set(&m, MEM_refault_file, i < 25 ? 50000000 + i : i);
        (void)stall_push(&s, &m);
    }
    assert_false(s.saturated);
}

T(hot_pages_are_a_share_of_the_mapped_text_until_a_stall_shows_them)
{
    struct stall s;
    int64_t lo, hi;
    double t = 0;
    stall_init(&s);
    struct mem_sample m = at_limit(t += 1, 100 * MIB);
    mem_set(&m, MEM_file_mapped, 42 * MIB);
    (void)stall_push(&s, &m);
    stall_hot(&s, &lo, &hi);
    assert_int_equal(hi, 42 * MIB);
    assert_int_equal(lo, 14 * MIB);
    (void)run(&s, &t, 10, 15 * MIB, 130000, -1);
    stall_hot(&s, &lo, &hi);
    assert_true(lo == 15 * MIB && hi == 15 * MIB);
}

T(text_that_is_charged_to_another_cgroup_need_not_be_held_here)
{
    struct stall s;
    int64_t lo, hi;
    stall_init(&s);
    struct mem_sample m = at_limit(1, 6 * MIB);
    mem_set(&m, MEM_file_mapped, 42 * MIB);
    (void)stall_push(&s, &m);
    stall_hot(&s, &lo, &hi);
    assert_true(lo == 2 * MIB && hi == 6 * MIB);
    // Nor is shared memory text, though it is mapped.
    stall_init(&s);
    m = at_limit(1, 100 * MIB);
    mem_set(&m, MEM_file_mapped, 42 * MIB);
    mem_set(&m, MEM_segments, 12 * MIB);
    (void)stall_push(&s, &m);
    stall_hot(&s, &lo, &hi);
    assert_true(lo == 10 * MIB && hi == 30 * MIB);
}

T(one_weak_sign_is_none_where_refaults_are_known)
{
    struct stall s;
    double t = 0;
    stall_init(&s);
    assert_int_equal(run(&s, &t, 30, 14 * MIB, 0, 450), 0); // at the limit, but nothing is read again
    assert_false(s.saturated);
}

CLAIMS(C(a_refault_storm_at_the_limit_is_a_stall), C(one_second_of_refaults_is_none),
       C(page_cache_at_the_limit_is_none_however_much_is_read), C(a_storm_of_limit_events_is_a_stall_without_psi_or_refaults),
       C(it_ends_after_calm_and_not_before), C(without_a_limit_there_is_none), C(a_counter_that_was_reset_is_no_storm),
       C(hot_pages_are_a_share_of_the_mapped_text_until_a_stall_shows_them), C(one_weak_sign_is_none_where_refaults_are_known),
       C(samples_far_apart_need_as_many_as_near_ones), C(three_samples_within_a_second_are_none),
       C(a_storm_that_pauses_for_a_second_goes_on_and_one_that_pauses_for_longer_begins_anew),
       C(with_a_quarter_of_page_cache_weak_signs_are_none),
       C(without_the_lists_of_file_pages_what_is_known_adds_up_to_what_cant_be_dropped),
       C(text_that_is_charged_to_another_cgroup_need_not_be_held_here))
