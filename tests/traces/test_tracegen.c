// SPDX-License-Identifier: Apache-2.0
// What must hold of every made-up trace, so that a judge's mistakes are the judge's.
#include "tracegen.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/claim.h"

#define SEEDS 3

static const char *const kinds[] = {
#define FIELD(id, kind, v1, v2, aliases, help) #kind,
#include "tbl/mem_fields.def"
#undef FIELD
};

static void each(void (*check)(const struct trace *t))
{
    for (enum trace_class c = 0; c < TRACE_CLASS_N; c++)
        for (uint64_t seed = 77; seed < 77 + SEEDS; seed++) {
            struct trace t;
            assert_int_equal(trace_make(&(struct trace_spec){.class = c, .seed = seed}, &t), 0);
            check(&t);
            trace_done(&t);
        }
}

static void hold(const struct trace *t, size_t i, bool ok, const char *what)
{
    if (!ok)
        fail_msg("%s, seed %llu, row %zu: %s", trace_class_name(t->spec.class), (unsigned long long)t->spec.seed, i, what);
}
#define HOLDS(t, i, condition) hold(t, i, condition, #condition)

static bool all_known(const struct mem_sample *s, const enum mem_field *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!mem_known(s, f[i]))
            return false;
    return true;
}
#define ALL(s, ...)                                                                                                              \
    all_known(s, (const enum mem_field[]){__VA_ARGS__}, sizeof((enum mem_field[]){__VA_ARGS__}) / sizeof(enum mem_field))

static void check_rows(const struct trace *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct mem_sample *s = &t->row[i];
        HOLDS(t, i, mem_known(s, MEM_usage) && s->v[MEM_usage] > 0);
        HOLDS(t, i, i == 0 || s->t > s[-1].t);
        HOLDS(t, i, s->v[MEM_usage] <= mem_get(s, MEM_limit, INT64_MAX));
        for (int f = 0; f < MEM_N; f++) {
            if (!mem_known(s, (enum mem_field)f))
                continue;
            HOLDS(t, i, s->v[f] >= 0);
            HOLDS(t, i, t->columns[f / 64] >> (f % 64) & 1);
            if (i > 0 && mem_known(s - 1, (enum mem_field)f) && (!strcmp(kinds[f], "TOTAL") || !strcmp(kinds[f], "MICROS")))
                HOLDS(t, i, s->v[f] >= s[-1].v[f]);
        }
    }
    HOLDS(t, t->n, t->row[t->n - 1].t - t->row[0].t >= 7200);
}

T(rows_rise_in_t_for_two_hours_and_totals_never_fall)
{
    each(check_rows);
}

static unsigned balanced;

static void check_sums(const struct trace *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct mem_sample *s = &t->row[i];
        const int64_t *v = s->v;
        if (ALL(s, MEM_anon, MEM_file, MEM_kernel)) { // but for the kernel's reserve, at the limit and for sockets
            int64_t off = v[MEM_usage] - v[MEM_anon] - v[MEM_file] - v[MEM_kernel] - mem_get(s, MEM_sock, 0);
            HOLDS(t, i, v[MEM_usage] == mem_get(s, MEM_limit, 0) || off > -(16 << 10));
            HOLDS(t, i, off < 16 * 131072 + (1 << 20));
            balanced++;
        }
        if (ALL(s, MEM_file, MEM_shmem, MEM_inactive_file, MEM_active_file))
            HOLDS(t, i, v[MEM_inactive_file] + v[MEM_active_file] == v[MEM_file] - v[MEM_shmem]);
        if (ALL(s, MEM_anon, MEM_shmem, MEM_inactive_anon, MEM_active_anon))
            HOLDS(t, i, llabs(v[MEM_inactive_anon] + v[MEM_active_anon] - v[MEM_anon] - v[MEM_shmem]) <= 4096);
        if (ALL(s, MEM_sum_rss, MEM_sum_rss_anon, MEM_sum_rss_file, MEM_sum_rss_shmem))
            HOLDS(t, i, v[MEM_sum_rss] == v[MEM_sum_rss_anon] + v[MEM_sum_rss_file] + v[MEM_sum_rss_shmem]);
        if (ALL(s, MEM_segments, MEM_deleted_files, MEM_shmem))
            HOLDS(t, i, v[MEM_segments] + v[MEM_deleted_files] <= v[MEM_shmem] + 8192);
        if (ALL(s, MEM_mnt_used, MEM_shmem) && !t->host_mnt)
            HOLDS(t, i, v[MEM_mnt_used] <= v[MEM_shmem] + 8192);
    }
}

T(columns_agree_with_each_other)
{
    balanced = 0;
    each(check_sums);
    assert_true(balanced > 10000);
}

static void check_label(const struct trace *t)
{
    const struct trace_label *l = &t->label;
    double least = (8 << 20) > 0.02 * (double)t->spec.limit ? (8 << 20) : 0.02 * (double)t->spec.limit;

    HOLDS(t, 0, l->leak == trace_class_leaks(t->spec.class));
    if (!l->leak) {
        HOLDS(t, 0, l->causes == 0 && l->rise == 0);
        return;
    }
    HOLDS(t, 0, l->causes != 0);
    HOLDS(t, 0, l->rise >= least && l->rise >= l->swing);
    HOLDS(t, 0, l->onset >= 0 && l->onset < 0.65 * (t->row[t->n - 1].t - t->row[0].t));
}

T(a_leak_counts_and_has_time_to_be_found)
{
    each(check_label);
}

T(a_seed_gives_the_same_trace_and_another_a_different_one)
{
    struct trace a, b, other;

    assert_int_equal(trace_make(&(struct trace_spec){.class = TRACE_SEASON, .seed = 5}, &a), 0);
    assert_int_equal(trace_make(&(struct trace_spec){.class = TRACE_SEASON, .seed = 5}, &b), 0);
    assert_int_equal(trace_make(&(struct trace_spec){.class = TRACE_SEASON, .seed = 6}, &other), 0);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.row, b.row, a.n * sizeof *a.row);
    assert_true(other.n != a.n || memcmp(other.row, a.row, a.n * sizeof *a.row) != 0);
    trace_done(&a);
    trace_done(&b);
    trace_done(&other);
}

T(what_is_given_holds)
{
    struct trace t;

    assert_int_equal(trace_make(&(struct trace_spec){TRACE_TMPFS_INCIDENT, 9, 10, 10000, INT64_C(512) << 20}, &t), 0);
    assert_int_equal(t.spec.limit, INT64_C(512) << 20);
    assert_true(t.row[t.n - 1].t - t.row[0].t >= 10000 && t.n >= 1000 && t.n < 1010);
    trace_done(&t);
}

T(there_are_twenty_classes_and_more_and_each_is_found_by_its_name)
{
    unsigned leaks = 0;
    enum trace_class found;

    for (enum trace_class c = 0; c < TRACE_CLASS_N; c++) {
        assert_int_equal(trace_class_find(trace_class_name(c), &found), 0);
        assert_int_equal(found, c);
        leaks += trace_class_leaks(c);
    }
    assert_true(leaks >= 20 && TRACE_CLASS_N - leaks >= 20);
    assert_true(trace_class_find("no_such", &found) < 0);
}

CLAIMS(C(rows_rise_in_t_for_two_hours_and_totals_never_fall), C(columns_agree_with_each_other),
       C(a_leak_counts_and_has_time_to_be_found), C(a_seed_gives_the_same_trace_and_another_a_different_one),
       C(what_is_given_holds), C(there_are_twenty_classes_and_more_and_each_is_found_by_its_name))
