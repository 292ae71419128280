// SPDX-License-Identifier: Apache-2.0
// The judge on series made by hand. The classes of real life are in tests/traces.
#include "mem/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../claim.h"

#define MIB 1048576.0
#define LIMIT (256 * MIB)

// What a run showed: the first alarm of each kind, and the report at its end.
struct seen {
    int raised[VERDICT_N], cleared;
    double first[VERDICT_N];
    enum mem_cause cause;
    struct judge_report report;
};
typedef void sample_fn(struct mem_sample *s, double t);

static struct seen watch(sample_fn *fn, double seconds, double step)
{
    struct seen seen = {.cleared = 0};
    struct judge *j = malloc(judge_size());
    assert_non_null(j);
    judge_init(j);
    for (double t = 0; t < seconds; t += step) {
        struct mem_sample s = {.t = 1000 + t};
        struct judge_event e[JUDGE_EVENTS_PER_PUSH];
        mem_set(&s, MEM_limit, (int64_t)LIMIT);
        mem_set(&s, MEM_inactive_file, 0);
        mem_set(&s, MEM_active_file, 0);
        fn(&s, t);
        unsigned n = judge_push(j, &s, e);
        for (unsigned i = 0; i < n; i++) {
            if (e[i].kind == JUDGE_CLEARED)
                seen.cleared++;
            else if (seen.raised[e[i].verdict]++ == 0) {
                seen.first[e[i].verdict] = t;
                seen.cause = e[i].cause;
            }
        }
    }
    judge_report(j, &seen.report);
    free(j);
    return seen;
}

static void memory(struct mem_sample *s, double anon, double shmem, double kernel)
{
    mem_set(s, MEM_usage, (int64_t)(anon + shmem + kernel));
    mem_set(s, MEM_anon, (int64_t)anon);
    mem_set(s, MEM_shmem, (int64_t)shmem);
    mem_set(s, MEM_kernel, (int64_t)kernel);
}

static double noise(double t)
{
    return MIB * sin(t * 12.9898) * sin(t * 78.233);
}

static void flat(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB + noise(t), 2 * MIB, 2 * MIB);
}
static void fast_leak(struct mem_sample *s, double t)
{
    memory(s, 20 * MIB + MIB * t, 2 * MIB, 2 * MIB);
}
static void slow_leak(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB + noise(t) + 30 * MIB * t / 7200, 2 * MIB, 2 * MIB);
}
static void tmpfs_leak(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB + noise(t), 2 * MIB + 40 * MIB * t / 7200, 2 * MIB);
    mem_set(s, MEM_mnt_used, (int64_t)(40 * MIB * t / 7200));
}
// No mount is told, and what processes map is 45 MiB of text: more than the files ever grow to.
static void unmapped_files(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB + noise(t), 2 * MIB + 40 * MIB * t / 7200, 2 * MIB);
    mem_set(s, MEM_file_mapped, (int64_t)(45 * MIB));
}
static void segments_grow(struct mem_sample *s, double t)
{
    unmapped_files(s, t);
    mem_set(s, MEM_file_mapped, (int64_t)(45 * MIB + 40 * MIB * t / 7200));
}
static void empty_files(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB, 2 * MIB, 2 * MIB + 950 * 6 * t);
    mem_set(s, MEM_mnt_used, 0);
    mem_set(s, MEM_mnt_inodes, (int64_t)(6 * t));
}
static void dentries(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB, 2 * MIB, 2 * MIB + 950 * 6 * t);
    mem_set(s, MEM_mnt_used, (int64_t)(900 * MIB)); // the host's disk
    mem_set(s, MEM_mnt_inodes, (int64_t)(6 * t));
}
static void wave(struct mem_sample *s, double t)
{
    memory(s, 60 * MIB + noise(t) + 30 * MIB * sin(2 * M_PI * t / 1800), 2 * MIB, 2 * MIB);
}
static void teeth(struct mem_sample *s, double t)
{
    memory(s, 20 * MIB + 100 * MIB * fmod(t, 400) / 400, 2 * MIB, 2 * MIB);
}
static void warm_up(struct mem_sample *s, double t)
{
    memory(s, 20 * MIB + 100 * MIB * (1 - exp(-t / 900)) + noise(t), 2 * MIB, 2 * MIB);
}
static void step(struct mem_sample *s, double t)
{
    memory(s, 20 * MIB + (t >= 3000 ? 60 * MIB : 0) + noise(t), 2 * MIB, 2 * MIB);
}
static void with_the_rate(struct mem_sample *s, double t)
{
    memory(s, 20 * MIB + 80 * MIB * t / 7200, 2 * MIB, 2 * MIB);
    mem_set(s, MEM_requests, (int64_t)(10 * t + 40 * t * t / 14400));
}
static void a_request_each(struct mem_sample *s, double t)
{
    double requests = 10 * t + 9 / (2 * M_PI / 1800) * (1 - cos(2 * M_PI * t / 1800));
    memory(s, 20 * MIB + 600 * requests, 2 * MIB, 2 * MIB);
    mem_set(s, MEM_requests, (int64_t)requests);
}
static void late(struct mem_sample *s, double t)
{
    if (t < 4)
        s->known[MEM_requests / 64] &= ~(UINT64_C(1) << (MEM_requests % 64));
}
static void with_the_rate_late(struct mem_sample *s, double t)
{
    with_the_rate(s, t);
    late(s, t);
}
static void a_request_each_late(struct mem_sample *s, double t)
{
    a_request_each(s, t);
    late(s, t);
}
// Traffic rises for six hours, memory with it. Few requests a second: their rate wobbles more, over a part, than it rises.
static void rise_with_the_rate(struct mem_sample *s, double t, double leak)
{
    double x = t / 21600, level = x * x * (3 - 2 * x);
    memory(s, 20 * MIB + noise(t) + 120 * MIB * level + leak * x, 2 * MIB, 2 * MIB);
    double requests = 0.6 * t + 4 * 21600 * (x * x * x - x * x * x * x / 2);
    mem_set(s, MEM_requests, (int64_t)(50 + requests + 5 * sin(t / 700) * sin(t / 300)));
}
static void with_the_rate_for_hours(struct mem_sample *s, double t)
{
    rise_with_the_rate(s, t, 0);
}
static void leak_under_a_rising_rate(struct mem_sample *s, double t)
{
    rise_with_the_rate(s, t, 40 * MIB);
}
static void restarted(struct mem_sample *s, double t)
{
    memory(s, t < 200 ? 20 * MIB + MIB * t : 20 * MIB, 2 * MIB, 2 * MIB);
}
static void unlimited(struct mem_sample *s, double t)
{
    slow_leak(s, t);
    mem_set(s, MEM_limit, MEM_UNLIMITED);
}
static void usage_only(struct mem_sample *s, double t)
{
    memset(s->known, 0, sizeof(s->known));
    mem_set(s, MEM_usage, (int64_t)(60 * MIB + 40 * MIB * t / 7200));
}

T(nothing_happens_and_nothing_is_said)
{
    struct seen seen = watch(flat, 7200, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING] + seen.raised[VERDICT_SATURATED], 0);
    assert_int_equal(seen.report.verdict, VERDICT_STEADY);
    assert_int_equal(seen.report.cause, CAUSE_NONE);
}

T(a_fast_leak_is_told_before_the_limit)
{
    struct seen seen = watch(fast_leak, 220, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    assert_true(seen.first[VERDICT_GROWING] < 200);
    assert_int_equal(seen.cause, CAUSE_PROCESS_ANON);
    assert_int_equal(seen.report.verdict, VERDICT_GROWING);
    assert_true(seen.report.bytes_per_min.mid > 55 * MIB && seen.report.bytes_per_min.mid < 65 * MIB);
    assert_true(seen.report.stall_known && seen.report.stall_lo <= seen.report.stall_hi && seen.report.stall_hi < 60);
}

T(a_slow_leak_is_told_within_two_hours_and_not_at_once)
{
    struct seen seen = watch(slow_leak, 7190, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    assert_true(seen.first[VERDICT_GROWING] > 3600);
    assert_true(seen.report.stall_known && seen.report.stall_lo > 3600);
}

T(samples_half_a_minute_apart_tell_it_as_soon_and_those_a_minute_apart_see_days)
{
    assert_int_equal(watch(slow_leak, 7190, 30).raised[VERDICT_GROWING], 1);
    assert_int_equal(watch(slow_leak, 40000, 60).raised[VERDICT_GROWING], 0);
    assert_int_equal(watch(slow_leak, 61000, 60).raised[VERDICT_GROWING], 1);
}

T(the_line_that_grows_is_the_cause)
{
    assert_int_equal(watch(tmpfs_leak, 7190, 1).cause, CAUSE_TMPFS);
    assert_int_equal(watch(unmapped_files, 7190, 1).cause, CAUSE_TMPFS);
    assert_int_equal(watch(segments_grow, 7190, 1).cause, CAUSE_SHARED_MEMORY);
    assert_int_equal(watch(empty_files, 7190, 1).cause, CAUSE_KERNEL);
    assert_int_equal(watch(slow_leak, 7190, 5).cause, CAUSE_PROCESS_ANON);
}

T(kernel_memory_that_nothing_explains_is_no_alarm)
{
    struct seen seen = watch(dentries, 7190, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 0);
    assert_int_equal(seen.report.verdict, VERDICT_STEADY);
}

T(what_comes_back_is_no_leak)
{
    assert_int_equal(watch(wave, 7190, 1).raised[VERDICT_GROWING], 0);
    assert_int_equal(watch(wave, 7190, 1).report.verdict, VERDICT_CYCLIC);
    assert_int_equal(watch(teeth, 7190, 1).raised[VERDICT_GROWING], 0);
    assert_int_equal(watch(teeth, 7190, 1).report.verdict, VERDICT_CYCLIC);
}

T(what_ends_is_no_leak)
{
    assert_int_equal(watch(warm_up, 7190, 1).raised[VERDICT_GROWING], 0);
    assert_int_equal(watch(warm_up, 7190, 1).report.verdict, VERDICT_WARMING_UP);
    assert_int_equal(watch(step, 7190, 1).raised[VERDICT_GROWING], 0);
    assert_int_equal(watch(step, 7190, 1).report.verdict, VERDICT_STEPPED);
}

T(memory_that_follows_the_request_rate_is_no_leak_and_so_much_a_request_is)
{
    assert_int_equal(watch(with_the_rate, 7190, 1).raised[VERDICT_GROWING], 0);
    struct seen seen = watch(a_request_each, 7190, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    const struct judge_line *total = &seen.report.line[LINE_TOTAL];
    assert_true(total->per_request_known);
    assert_true(total->bytes_per_request.mid > 550 && total->bytes_per_request.mid < 650);
}

T(what_the_rate_explains_in_all_of_life_is_no_leak_in_a_part_of_it)
{
    assert_int_equal(watch(with_the_rate_for_hours, 21600, 10).raised[VERDICT_GROWING], 0);
    assert_int_equal(watch(leak_under_a_rising_rate, 21600, 10).raised[VERDICT_GROWING], 1);
}

T(a_server_that_tells_its_requests_some_seconds_late_is_judged_by_them_all_the_same)
{
    assert_int_equal(watch(with_the_rate_late, 7190, 1).raised[VERDICT_GROWING], 0);
    struct seen seen = watch(a_request_each_late, 7190, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    const struct judge_line *total = &seen.report.line[LINE_TOTAL];
    assert_true(total->per_request_known);
    assert_true(total->bytes_per_request.mid > 550 && total->bytes_per_request.mid < 650);
}

T(an_alarm_is_cleared_when_the_memory_is_given_back)
{
    struct seen seen = watch(restarted, 400, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    assert_int_equal(seen.cleared, 1);
    assert_false(seen.report.alarm[VERDICT_GROWING]);
    assert_int_not_equal(seen.report.verdict, VERDICT_GROWING);
}

T(without_a_limit_growth_is_told_and_no_stall)
{
    struct seen seen = watch(unlimited, 7190, 1);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    assert_int_equal(seen.report.limit, MEM_UNLIMITED);
    assert_false(seen.report.stall_known);
}

T(usage_alone_is_enough)
{
    struct seen seen = watch(usage_only, 7190, 10);
    assert_int_equal(seen.raised[VERDICT_GROWING], 1);
    assert_int_equal(seen.cause, CAUSE_UNKNOWN);
}

T(early_on_it_says_how_long_it_needs)
{
    struct seen seen = watch(flat, 5, 1);
    assert_int_equal(seen.report.verdict, VERDICT_UNDECIDED);
    assert_true(seen.report.line[LINE_TOTAL].seconds_needed >= 10 && seen.report.line[LINE_TOTAL].seconds_needed <= 20);
}

T(a_sample_whose_time_does_not_rise_is_ignored)
{
    struct judge *j = malloc(judge_size());
    struct judge_event e[JUDGE_EVENTS_PER_PUSH];
    struct judge_report r;
    struct mem_sample s = {.t = 10};
    assert_non_null(j);
    judge_init(j);
    (void)judge_push(j, &s, e);
    (void)judge_push(j, &s, e);
    s.t = 5;
    (void)judge_push(j, &s, e);
    s.t = NAN;
    (void)judge_push(j, &s, e);
    judge_report(j, &r);
    assert_int_equal(r.rows, 1);
    free(j);
}

T(garbage_in_a_sample_is_not_known_rather_than_believed)
{
    struct seen seen = watch(flat, 1, 1);
    assert_true(seen.report.line[LINE_ANON].known);
    struct judge *j = malloc(judge_size());
    struct judge_event e[JUDGE_EVENTS_PER_PUSH];
    struct judge_report r;
    assert_non_null(j);
    judge_init(j);
    for (int i = 0; i < 300; i++) {
        struct mem_sample s = {.t = i};
        for (int f = 0; f < MEM_N; f++)
            mem_set(&s, (enum mem_field)f, (f + i) % 3 == 0 ? INT64_MIN : (f + i) % 3 == 1 ? INT64_MAX : -1);
        (void)judge_push(j, &s, e);
    }
    judge_report(j, &r);
    assert_int_equal(r.rows, 300);
    assert_false(r.line[LINE_ANON].known);
    assert_int_equal(r.verdict, VERDICT_UNDECIDED);
    free(j);
}

CLAIMS(C(nothing_happens_and_nothing_is_said), C(a_fast_leak_is_told_before_the_limit),
       C(a_slow_leak_is_told_within_two_hours_and_not_at_once), 
       C(samples_half_a_minute_apart_tell_it_as_soon_and_those_a_minute_apart_see_days), C(the_line_that_grows_is_the_cause),
       C(kernel_memory_that_nothing_explains_is_no_alarm), C(what_comes_back_is_no_leak), C(what_ends_is_no_leak),
       C(memory_that_follows_the_request_rate_is_no_leak_and_so_much_a_request_is),
       C(what_the_rate_explains_in_all_of_life_is_no_leak_in_a_part_of_it),
       C(a_server_that_tells_its_requests_some_seconds_late_is_judged_by_them_all_the_same),
       C(an_alarm_is_cleared_when_the_memory_is_given_back), C(without_a_limit_growth_is_told_and_no_stall),
       C(usage_alone_is_enough), C(early_on_it_says_how_long_it_needs), C(a_sample_whose_time_does_not_rise_is_ignored),
       C(garbage_in_a_sample_is_not_known_rather_than_believed))
