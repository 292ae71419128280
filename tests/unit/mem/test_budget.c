// SPDX-License-Identifier: Apache-2.0
#include "mem/budget.h"

#include <math.h>

#include "../claim.h"

#define MIB (INT64_C(1) << 20)

// The worked example of the budget: 2 GiB.
static struct budget_in example(int64_t memory_limit)
{
    return (struct budget_in){
        .limit = 2048 * MIB,
        .memory_limit = memory_limit,
        .hot_file = 104 * MIB,
        .shared = 160 * MIB,
        .tmpfs = 256 * MIB,
        .kernel = 48 * MIB,
        .base = 12 * MIB,
    };
}

static struct budget reckon(struct budget_in in)
{
    struct budget b;

    budget_reckon(&in, &b);
    return b;
}

T(what_is_left_is_the_limit_without_what_is_spoken_for)
{
    struct budget b = reckon(example(128 * MIB));

    assert_int_equal(b.left / MIB, 1275); // 2048 - 205 - 104 - 160 - 256 - 48
    assert_int_equal(b.over, 0);
    assert_int_equal(b.margin, (2048 * MIB + 9) / 10);
}

T(until_requests_are_measured_each_worker_counts_with_memory_limit)
{
    const struct {
        int64_t memory_limit;
        unsigned workers;
    } rows[] = {{128, 9}, {256, 4}, {512, 2}, {1024, 1}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct budget b = reckon(example(rows[i].memory_limit * MIB));
        assert_int_equal(b.workers, rows[i].workers);
        assert_int_equal(b.by, BUDGET_BY_LIMIT);
        assert_true(b.workers_bytes <= b.left);
    }
}

T(measured_peaks_allow_more_workers_than_their_limits_do)
{
    struct budget_in in = example(128 * MIB);

    in.mean = 35 * MIB;
    in.sd = 25 * MIB;
    in.worst = 90 * MIB;
    in.requests = BUDGET_REQUESTS_LEAST - 1;
    assert_int_equal(reckon(in).workers, 9);
    in.requests++;
    assert_int_equal(reckon(in).workers, 21); // 21 x 47 + 2.33 x sqrt(21) x 25 = 1254 of 1275
    assert_int_equal(reckon(in).by, BUDGET_BY_MEASURED);
    assert_int_equal(reckon(in).by_limit, 9);
}

T(one_request_at_its_worst_must_fit_however_rare)
{
    struct budget_in in = example(1400 * MIB); // one such request is more than there is

    in.mean = 1 * MIB;
    in.sd = MIB / 10;
    in.requests = 100000;
    assert_int_equal(reckon(in).workers, 0);
    in.memory_limit = 512 * MIB;
    struct budget b = reckon(in);
    assert_true(b.workers > 0 && b.workers < 80);
    assert_true((b.workers - 1) * 13 * MIB + 524 * MIB <= b.left);
    in.memory_limit = 0; // none: the highest that was seen counts
    in.worst = 2000 * MIB;
    assert_int_equal(reckon(in).workers, 0);
}

T(cpus_have_a_say_and_leave_at_least_one)
{
    struct budget_in in = example(128 * MIB);

    in.cpus = 2;
    in.per_cpu = 2;
    assert_int_equal(reckon(in).workers, 4);
    assert_int_equal(reckon(in).by, BUDGET_BY_CPU);
    in.cpus = 0.1;
    assert_int_equal(reckon(in).workers, 1);
    in.cpus = 64;
    assert_int_equal(reckon(in).workers, 9);
}

T(where_no_worker_fits_it_says_what_would_make_one_fit)
{
    struct budget_in in = example(2000 * MIB);
    struct budget b = reckon(in);

    assert_int_equal(b.workers, 0);
    assert_int_equal(b.by, BUDGET_NONE);
    assert_int_equal(b.workers_bytes, 0);
    in.memory_limit = b.memory_limit_fits;
    assert_int_equal(reckon(in).workers, 1);
    in.memory_limit++;
    assert_int_equal(reckon(in).workers, 0);
    in.memory_limit = 2000 * MIB;
    in.limit = b.limit_needed;
    assert_int_equal(reckon(in).workers, 1);
    in.limit -= MIB;
    assert_int_equal(reckon(in).workers, 0);
}

T(what_is_spoken_for_may_be_more_than_the_limit)
{
    struct budget_in in = example(128 * MIB);

    in.limit = 64 * MIB;
    struct budget b = reckon(in);
    assert_int_equal(b.left, 0);
    assert_int_equal(b.over, 568 * MIB - 64 * MIB + (64 * MIB + 9) / 10);
    assert_int_equal(b.workers, 0);
    assert_int_equal(b.memory_limit_fits, 0);
    in.limit = b.limit_needed;
    assert_int_equal(reckon(in).workers, 1);
}

T(without_a_limit_or_a_memory_limit_nothing_is_promised)
{
    struct budget_in in = example(128 * MIB);

    in.limit = MEM_UNLIMITED;
    struct budget b = reckon(in);
    assert_int_equal(b.workers, 0);
    assert_int_equal(b.left, 0);
    assert_true(b.limit_needed > 0);
    in = example(0);
    b = reckon(in);
    assert_int_equal(b.workers, 0);
    assert_true(b.memory_limit_fits > 1000 * MIB);
}

T(nothing_overflows_and_nothing_is_negative)
{
    static const int64_t amounts[] = {INT64_MIN, -1, 0, 1, 4096, 64 * MIB, INT64_C(1) << 40, INT64_C(1) << 62, INT64_MAX};
    static const double cpus[] = {-1, 0, 0.001, 1, 1e300};
    enum { N = sizeof amounts / sizeof *amounts };

    for (unsigned i = 0; i < N * N * N * 5; i++) {
        int64_t a = amounts[i % N], b = amounts[i / N % N], c = amounts[i / N / N % N];
        struct budget_in in = {.limit = a,
                               .memory_limit = b,
                               .cpus = cpus[i / N / N / N],
                               .per_cpu = 4,
                               .hot_file = c,
                               .shared = c,
                               .tmpfs = c,
                               .inodes = c,
                               .kernel = c,
                               .go = c,
                               .others = c,
                               .base = c,
                               .requests = i % 2 ? 5000 : 0,
                               .mean = b,
                               .sd = c,
                               .worst = b};
        struct budget r = reckon(in);
        assert_true(r.left >= 0 && r.over >= 0 && r.margin >= 0 && r.workers_bytes >= 0);
        assert_true(r.workers_bytes <= r.left);
        assert_true(r.left <= in.limit || in.limit < 0);
        assert_true(r.limit_needed >= 0 && r.memory_limit_fits >= 0);
        assert_true(r.workers <= BUDGET_WORKERS_MAX);
        assert_true((r.workers == 0) == (r.by == BUDGET_NONE));
    }
}

T(more_of_anything_never_allows_more_workers)
{
    struct budget_in in = example(64 * MIB);
    unsigned last = BUDGET_WORKERS_MAX;

    for (int64_t tmpfs = 0; tmpfs < 3000 * MIB; tmpfs += 100 * MIB) {
        in.tmpfs = tmpfs;
        unsigned n = reckon(in).workers;
        assert_true(n <= last);
        last = n;
    }
    assert_int_equal(last, 0);
}

T(the_classic_formula_goes_negative_as_it_is_known_to)
{
    const struct {
        unsigned cpus;
        int64_t memory_limit, gomemlimit;
    } rows[] = {{8, 128, 0}, {4, 256, 0}, {8, 256, -2048}, {2, 512, 0}, {4, 512, -2048}, {8, 512, -6144}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(budget_classic_gomemlimit(2048 * MIB, 2 * rows[i].cpus, rows[i].memory_limit * MIB),
                         rows[i].gomemlimit * MIB);
    assert_true(budget_classic_gomemlimit(INT64_MAX, UINT32_MAX, INT64_MAX) < 0);
}

T(go_gets_twice_its_live_heap_and_64_mib_at_least)
{
    assert_int_equal(budget_go_share(-1), 64 * MIB);
    assert_int_equal(budget_go_share(10 * MIB), 64 * MIB);
    assert_int_equal(budget_go_share(48 * MIB), 96 * MIB);
    assert_int_equal(budget_go_share(100 * MIB), 200 * MIB);
    assert_true(budget_go_share(INT64_MAX) > 0);
}

CLAIMS(C(what_is_left_is_the_limit_without_what_is_spoken_for),
       C(until_requests_are_measured_each_worker_counts_with_memory_limit),
       C(measured_peaks_allow_more_workers_than_their_limits_do), C(one_request_at_its_worst_must_fit_however_rare),
       C(cpus_have_a_say_and_leave_at_least_one), C(where_no_worker_fits_it_says_what_would_make_one_fit),
       C(what_is_spoken_for_may_be_more_than_the_limit), C(without_a_limit_or_a_memory_limit_nothing_is_promised),
       C(nothing_overflows_and_nothing_is_negative), C(more_of_anything_never_allows_more_workers),
       C(the_classic_formula_goes_negative_as_it_is_known_to), C(go_gets_twice_its_live_heap_and_64_mib_at_least))
