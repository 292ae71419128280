// SPDX-License-Identifier: Apache-2.0
#include "tune/tune_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../claim.h"

#define MIB (INT64_C(1) << 20)

static const enum advice_server servers[] = {SERVER_FRANKENPHP, SERVER_FPM, SERVER_APACHE, SERVER_PLIMSOLL};

static struct tune_input given(int64_t limit, double cpus, int64_t memory_limit)
{
    struct tune_input in = {.cpus = cpus, .limit = {.known = true, .value = limit}};

    if (memory_limit >= 0) {
        in.memory_limit.known = true;
        in.memory_limit.value = memory_limit;
    }
    return in;
}

static struct tune_plan *plan(struct tune_input in, enum advice_server server)
{
    static struct tune_plan p;

    tune_assume(&in, server);
    tune_plan_make(&in, server, &p);
    return &p;
}

static const char *value(const struct tune_plan *p, const char *name)
{
    for (int i = 0; i < p->n_settings; i++)
        if (!strcmp(p->setting[i].name, name))
            return p->setting[i].value;
    return NULL;
}

static int64_t all_of(const struct tune_plan *p)
{
    const struct budget_in *in = &p->in;

    return p->budget.margin + in->hot_file + in->shared + in->tmpfs + p->budget.inodes + in->kernel + in->go + in->others +
           p->budget.workers_bytes;
}

T(what_is_proposed_fits_whatever_the_numbers)
{
    static const int64_t sizes[] = {1,         MIB,        31 * MIB,   64 * MIB,    128 * MIB,        256 * MIB,
                                    512 * MIB, 1024 * MIB, 2048 * MIB, 16384 * MIB, INT64_C(1) << 45, BUDGET_BYTES_MAX};
    static const double cpus[] = {0.1, 0.5, 1, 2, 8, 4096};
    unsigned fit = 0, not = 0;

    for (size_t l = 0; l < sizeof sizes / sizeof *sizes; l++)
        for (int m = -1; m < (int)(sizeof sizes / sizeof *sizes); m++)
            for (size_t c = 0; c < sizeof cpus / sizeof *cpus; c++)
                for (size_t s = 0; s < 4; s++) {
                    struct tune_plan *p = plan(given(sizes[l], cpus[c], m < 0 ? 0 : sizes[m]), servers[s]);
                    for (int i = 0; i < p->n_settings; i++) {
                        assert_null(strchr(p->setting[i].value, '-'));
                        assert_true(p->setting[i].value[0] != '\0' && p->setting[i].why[0] != '\0');
                        assert_true(strcmp(p->setting[i].value, "0") != 0);
                    }
                    if (p->budget.workers == 0) {
                        assert_int_equal(p->n_settings, 0);
                        assert_true(p->n_instead > 0);
                        not ++;
                        continue;
                    }
                    assert_true(all_of(p) <= sizes[l]);
                    assert_true(m >= 0); // without memory_limit nothing is promised
                    assert_true((int64_t)p->budget.workers * sizes[m] <= sizes[l]);
                    fit++;
                }
    assert_true(fit > 200 && not > 200);
}

T(frankenphp_gets_threads_and_gomemlimit_of_its_own)
{
    struct tune_plan *p = plan(given(2048 * MIB, 2, 128 * MIB), SERVER_FRANKENPHP);

    assert_string_equal(value(p, "num_threads"), "4");
    assert_string_equal(value(p, "max_threads"), "11");
    assert_string_equal(value(p, "GOMEMLIMIT"), "64MiB");
    assert_string_equal(value(p, "num"), "3"); // or it doesn't start: "num_threads (4) must be greater than ... worker threads (4)"
    assert_non_null(strstr(p->note[0], "gives 1.50 GiB"));
    assert_non_null(strstr(p->note[0], "zero or negative from 16 threads (8 CPUs) on"));

    p = plan(given(2048 * MIB, 8, 256 * MIB), SERVER_FRANKENPHP); // where the classic formula says -2 GiB
    assert_string_equal(value(p, "num_threads"), "6");
    assert_string_equal(value(p, "max_threads"), "6");
    assert_non_null(strstr(p->note[0], "gives -2.00 GiB"));

    struct tune_input in = given(4096 * MIB, 2, 128 * MIB);
    in.go_live.known = true;
    in.go_live.value = 100 * MIB;
    assert_string_equal(value(plan(in, SERVER_FRANKENPHP), "GOMEMLIMIT"), "200MiB");
    in.bytes_per_request = 100 * 1024;
    assert_string_equal(value(plan(in, SERVER_FRANKENPHP), "max_requests"), "655"); // 64 MiB
    in.memory_limit.value = 32 * MIB;
    assert_string_equal(value(plan(in, SERVER_FRANKENPHP), "max_requests"), "163"); // 16 MiB: what is kept counts against it
    assert_string_equal(value(plan(in, SERVER_FPM), "pm.max_requests"), "655");
}

T(the_workers_own_setting_is_named_as_the_server_names_it)
{
    assert_string_equal(value(plan(given(2048 * MIB, 2, 128 * MIB), SERVER_FPM), "pm.max_children"), "11");
    assert_string_equal(value(plan(given(2048 * MIB, 2, 128 * MIB), SERVER_APACHE), "MaxRequestWorkers"), "11");
    assert_string_equal(value(plan(given(2048 * MIB, 2, 128 * MIB), SERVER_PLIMSOLL), "pm.max_children"), "11");
    assert_string_equal(value(plan(given(2048 * MIB, 1, 128 * MIB), SERVER_FPM), "pm.max_children"), "8"); // by CPU
}

T(what_an_unused_apcu_could_still_take_is_said_and_kept_from_coming)
{
    struct tune_input in = given(1024 * MIB, 2, 64 * MIB);
    in.shared.known = true;
    in.shared.value = 129 * MIB;
    in.apcu_size = 300 * MIB;
    in.apcu_counted = MIB;
    in.apcu_touched = 70000;
    struct tune_plan *p = plan(in, SERVER_FPM);
    unsigned workers = p->budget.workers, fewer = 0;

    assert_string_equal(value(p, "apc.shm_size"), "1M");
    for (int i = 0; i < p->n_notes; i++)
        if (sscanf(p->note[i], "left at 300 MiB, APCu may grow to that as soon as something is stored in it: then %u fit", &fewer))
            break;
    assert_in_range(fewer, 1, workers - 1);
    in.shared.value += in.apcu_size - in.apcu_counted;
    in.apcu_size = in.apcu_counted = 0;
    p = plan(in, SERVER_FPM);
    assert_int_equal(p->budget.workers, fewer);
    assert_null(value(p, "apc.shm_size"));
}

T(where_nothing_fits_each_way_out_is_named_and_works)
{
    struct tune_plan *p = plan(given(256 * MIB, 2, 512 * MIB), SERVER_FPM);
    char *at = strstr(p->instead[0], "lower memory_limit to ");

    assert_int_equal(p->budget.workers, 0);
    assert_non_null(at);
    int64_t fits = strtoll(at + strlen("lower memory_limit to "), NULL, 10);
    assert_true(fits > 32);
    assert_int_equal(plan(given(256 * MIB, 2, fits * MIB), SERVER_FPM)->budget.workers, 1);

    p = plan(given(256 * MIB, 2, 512 * MIB), SERVER_FPM);
    at = strstr(p->instead[1], "limit to ");
    assert_non_null(at);
    int64_t limit = strtoll(at + strlen("limit to "), NULL, 10);
    struct tune_input in = given(256 * MIB, 2, 512 * MIB);
    tune_assume(&in, SERVER_FPM);
    in.limit.value = limit * MIB; // all else as it was
    struct tune_plan q;
    tune_plan_make(&in, SERVER_FPM, &q);
    assert_int_equal(q.budget.workers, 1);
}

T(without_a_limit_it_asks_for_one)
{
    struct tune_plan *p = plan(given(MEM_UNLIMITED, 2, 128 * MIB), SERVER_FPM);

    assert_int_equal(p->n_settings, 0);
    assert_non_null(strstr(p->instead[0], "set a memory limit"));
    p = plan(given(2048 * MIB, 2, 0), SERVER_FPM); // memory_limit = -1
    assert_int_equal(p->n_settings, 0);
    assert_non_null(strstr(p->instead[0], "set memory_limit"));
}

T(measured_peaks_count_once_enough_requests_were_seen_and_nothing_grows)
{
    struct tune_input in = given(2048 * MIB, 8, 256 * MIB);

    in.peaks = true;
    in.mean = 20 * MIB;
    in.sd = 5 * MIB;
    in.worst = 60 * MIB;
    in.requests = BUDGET_REQUESTS_LEAST - 1;
    assert_false(plan(in, SERVER_FPM)->budget.measured);
    in.requests = 50000;
    struct tune_plan *p = plan(in, SERVER_FPM);
    assert_true(p->budget.measured);
    assert_true(p->budget.workers > p->budget.by_limit);
    assert_non_null(strstr(p->note[0], "if every worker were at memory_limit at once, 6 would fit"));
    assert_false(plan(in, SERVER_FRANKENPHP)->budget.measured); // threads of one process
    in.growing = true;
    in.growing_cause = CAUSE_TMPFS;
    p = plan(in, SERVER_FPM);
    assert_false(p->budget.measured);
    assert_non_null(strstr(p->note[0], "the recording grows (tmpfs)"));
}

T(a_leak_a_request_shortens_a_workers_life)
{
    struct tune_input in = given(2048 * MIB, 2, 128 * MIB);

    assert_string_equal(value(plan(in, SERVER_FPM), "pm.max_requests"), "1000");
    in.bytes_per_request = 128 * 1024;
    assert_string_equal(value(plan(in, SERVER_FPM), "pm.max_requests"), "512");
    in.bytes_per_request = 1e12;
    assert_string_equal(value(plan(in, SERVER_FPM), "pm.max_requests"), "50");
    in.bytes_per_request = 1e-6;
    assert_string_equal(value(plan(in, SERVER_FPM), "pm.max_requests"), "100000");
}

T(cloud_run_gets_a_size_that_it_sells)
{
    assert_string_equal(value(plan(given(2048 * MIB, 2, 128 * MIB), SERVER_FPM), "--memory"), "2048Mi");
    assert_string_equal(value(plan(given(2048 * MIB, 2, 128 * MIB), SERVER_FPM), "--concurrency"), "11");
    assert_string_equal(value(plan(given(2048 * MIB, 3, 128 * MIB), SERVER_FPM), "--cpu"), "4");
    assert_string_equal(value(plan(given(8192 * MIB, 1, 128 * MIB), SERVER_FPM), "--cpu"), "2");
    assert_null(value(plan(given(2048 * MIB, 8, 128 * MIB), SERVER_FPM), "--memory")); // 8 CPUs: 4 GiB at least
    assert_null(value(plan(given(65536 * MIB, 8, 128 * MIB), SERVER_FPM), "--memory"));
}

T(a_machines_memory_is_no_limit_to_hand_out)
{
    struct tune_input in = given(16384 * MIB, 2, 128 * MIB);

    in.limit_is_ram = true;
    struct tune_plan *p = plan(in, SERVER_FPM);
    assert_string_equal(value(p, "pm.max_children"), "16");
    assert_null(value(p, "limits.memory"));
    assert_null(value(p, "--memory"));
}

CLAIMS(C(what_is_proposed_fits_whatever_the_numbers), C(frankenphp_gets_threads_and_gomemlimit_of_its_own),
       C(the_workers_own_setting_is_named_as_the_server_names_it), C(where_nothing_fits_each_way_out_is_named_and_works),
       C(without_a_limit_it_asks_for_one), C(measured_peaks_count_once_enough_requests_were_seen_and_nothing_grows),
       C(a_leak_a_request_shortens_a_workers_life), C(cloud_run_gets_a_size_that_it_sells),
       C(a_machines_memory_is_no_limit_to_hand_out),
       C(what_an_unused_apcu_could_still_take_is_said_and_kept_from_coming))
