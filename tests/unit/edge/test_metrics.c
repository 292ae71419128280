// SPDX-License-Identifier: Apache-2.0
// The exposition against the rules of OpenMetrics 1.0, by a small strict reader.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "edge/metrics.h"
#include "ipc/board.h"

static struct buf text;

static bool is_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_' || (i && s[i] >= '0' && s[i] <= '9')))
            return false;
    return n > 0;
}

// Skips {a="b",...}; NULL if it is malformed. *ret_le points at the value of le, if there is one.
static const char *skip_labels(const char *p, const char **ret_le)
{
    *ret_le = NULL;
    if (*p != '{')
        return p;
    for (p++;; p++) {
        size_t n = strcspn(p, "=");
        if (!is_name(p, n) || p[n] != '=' || p[n + 1] != '"')
            return NULL;
        if (n == 2 && !memcmp(p, "le", 2))
            *ret_le = p + n + 2;
        for (p += n + 2; *p != '"'; p++) {
            if (*p == '\0' || *p == '\n')
                return NULL;
            if (*p == '\\' && *++p != 'n' && *p != '"' && *p != '\\')
                return NULL;
        }
        p++;
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
    }
}

struct reader {
    char family[128], type[16], unit[16];
    bool has_help, has_samples;
    double bucket, le, count; // of the histogram being read
    char seen[256][128];      // families that are over, and samples with their labels
    size_t n_seen;
    char samples[2048][200];
    size_t n_samples;
};

#define REFUSE(why)                                                                                                                \
    do {                                                                                                                           \
        snprintf(error, sizeof error, "%s: %s", why, line);                                                                        \
        return error;                                                                                                              \
    } while (0)

static char error[512];

static const char *read_meta(struct reader *r, const char *line)
{
    char what[8], name[128];
    int at = 0;

    if (sscanf(line, "# %7s %127s %n", what, name, &at) != 2 || !at)
        REFUSE("no metadata");
    if (strcmp(name, r->family)) {
        for (size_t i = 0; i < r->n_seen; i++)
            if (!strcmp(r->seen[i], name))
                REFUSE("family interleaved or repeated");
        snprintf(r->seen[r->n_seen++], sizeof r->seen[0], "%s", name);
        snprintf(r->family, sizeof r->family, "%s", name);
        r->type[0] = r->unit[0] = '\0';
        r->has_help = r->has_samples = false;
        r->bucket = r->le = r->count = -1;
    }
    if (r->has_samples)
        REFUSE("metadata after samples");
    if (!is_name(name, strlen(name)))
        REFUSE("bad family name");
    if (!strcmp(what, "TYPE")) {
        if (r->type[0] || r->has_help || r->unit[0])
            REFUSE("TYPE repeated or late");
        snprintf(r->type, sizeof r->type, "%.15s", line + at);
        size_t n = strlen(name);
        if (!strcmp(r->type, "counter") && n > 6 && !strcmp(name + n - 6, "_total"))
            REFUSE("_total in a family's name");
    } else if (!strcmp(what, "UNIT")) {
        snprintf(r->unit, sizeof r->unit, "%.15s", line + at);
        size_t n = strlen(name), u = strlen(r->unit);
        if (n <= u || name[n - u - 1] != '_' || strcmp(name + n - u, r->unit))
            REFUSE("the name does not end in its unit");
    } else if (!strcmp(what, "HELP")) {
        if (r->has_help)
            REFUSE("HELP repeated");
        r->has_help = true;
        for (const char *p = line + at; *p; p++)
            if (*p == '"' || (*p == '\\' && *++p != 'n' && *p != '"' && *p != '\\'))
                REFUSE("bad escape in HELP");
    } else
        REFUSE("unknown metadata");
    return NULL;
}

static const char *read_bucket(struct reader *r, const char *line, const char *le, double value)
{
    if (!le)
        REFUSE("bucket without le");
    bool last = !strncmp(le, "+Inf\"", 5);
    double bound = last ? 1e300 : strtod(le, NULL);
    if (!last && !memchr(le, '.', strcspn(le, "\"")))
        REFUSE("le is not a float");
    if (bound <= r->le || value < r->bucket)
        REFUSE("buckets are not cumulative");
    r->le = bound;
    r->bucket = value;
    return NULL;
}

static const char *read_sample(struct reader *r, const char *line)
{
    size_t n = strcspn(line, "{ "), f = strlen(r->family);
    const char *le, *p = skip_labels(line + n, &le);

    if (!p || *p != ' ' || !is_name(line, n))
        REFUSE("malformed sample");
    for (size_t i = 0; i < r->n_samples; i++)
        if (strlen(r->samples[i]) == (size_t)(p - line) && !strncmp(r->samples[i], line, (size_t)(p - line)))
            REFUSE("sample repeated");
    snprintf(r->samples[r->n_samples++], sizeof r->samples[0], "%.*s", (int)(p - line), line);
    char *end;
    double value = strtod(p + 1, &end);
    if (end == p + 1 || *end)
        REFUSE("malformed value");
    if (n < f || strncmp(line, r->family, f) || !r->type[0] || !r->has_help)
        REFUSE("sample outside its family, or family without TYPE and HELP");
    const char *suffix = line + f;
    size_t s = n - f;
    r->has_samples = true;
#define IS(lit) (s == sizeof(lit) - 1 && !strncmp(suffix, lit, s))
    if (!strcmp(r->type, "counter") ? !IS("_total") : !strcmp(r->type, "gauge") ? s != 0 : false)
        REFUSE("wrong suffix");
    if (!strcmp(r->type, "info") && (!IS("_info") || value != 1))
        REFUSE("bad info");
    if (!strcmp(r->type, "counter") && value < 0)
        REFUSE("negative counter");
    if (!strcmp(r->type, "histogram")) {
        if (IS("_bucket"))
            return read_bucket(r, line, le, value);
        if (IS("_count") ? r->le != 1e300 || value != r->bucket : !IS("_sum"))
            REFUSE("bad histogram");
    }
    return NULL;
}

// NULL if the text keeps the rules, else what it breaks.
static const char *refusal(const char *exposition)
{
    static struct reader r;
    const char *why = NULL;

    memset(&r, 0, sizeof r);
    for (const char *p = exposition; !why;) {
        const char *nl = strchr(p, '\n');
        if (!nl)
            return "no # EOF line";
        char line[400];
        snprintf(line, sizeof line, "%.*s", (int)(nl - p), p);
        p = nl + 1;
        if (!strcmp(line, "# EOF"))
            return *p ? "text after # EOF" : NULL;
        why = line[0] == '#' ? read_meta(&r, line) : read_sample(&r, line);
    }
    return why;
}

static const char *written(void)
{
    text.n = 0;
    metrics_write(&text, true);
    buf_add(&text, "", 1);
    return text.p;
}

static int setup(void **state)
{
    if (!board)
        board_create();
    memset(board->procs, 0, sizeof board->procs);
    return 0;
}

static void reader_refuses_what_breaks_the_rules(void **state)
{
    const char *head = "# TYPE a counter\n# HELP a x\n";
    char t[256];
#define REFUSED(tail)                                                                                                            \
    do {                                                                                                                         \
        snprintf(t, sizeof t, "%s%s", head, tail);                                                                               \
        assert_non_null(refusal(t));                                                                                             \
    } while (0)
    snprintf(t, sizeof t, "%sa_total 1\n# EOF\n", head);
    assert_null(refusal(t));
    REFUSED("a_total 1\n");
    REFUSED("a 1\n# EOF\n");
    REFUSED("a_total{b=c} 1\n# EOF\n");
    REFUSED("a_total 1\na_total 2\n# EOF\n");
    REFUSED("a_total 1\n# TYPE b gauge\n# HELP b x\nb 1\na_total{c=\"d\"} 2\n# EOF\n");
    REFUSED("a_total x\n# EOF\n");
    REFUSED("# UNIT a seconds\na_total 1\n# EOF\n");
    REFUSED("a_total 1\n# EOF\nx");
    assert_non_null(refusal("# TYPE h histogram\n# HELP h x\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 1\n# EOF\n"));
    assert_non_null(refusal("# TYPE a gauge\n# HELP a say \"x\"\na 1\n# EOF\n"));
}

static void exposition_keeps_the_rules(void **state)
{
    for (int i = 0; i < COUNTERS; i++)
        atomic_store(&board->counters[i], (uint64_t)i * 1000003);
    atomic_store(&board->counters[COUNTER_WORKERS_BUSY], (uint64_t)-1); // a gauge in passing
    board_count_duration(900);
    board_count_duration(70000);
    board_count_duration(99000000);
    board_proc_set_state(board_proc_add(BOARD_WORKER, 1, 1, 1, "we\"ird\\pool"), BOARD_BUSY);
    const char *why = refusal(written());
    if (why)
        fail_msg("%s", why);
}

static void every_counter_of_the_table_is_there(void **state)
{
    written();
#define COUNTER_KIND "_total"
#define GAUGE_KIND ""
#define COUNTER(name, metric, labels, kind, help)                                                                                  \
    assert_non_null(strstr(text.p, *labels ? "\nplimsoll_" metric kind "{" labels "} " : "\nplimsoll_" metric kind " "));
#include "tbl/counters.def"
#undef COUNTER
}

static void counts_and_processes_are_told(void **state)
{
    atomic_store(&board->counters[COUNTER_QUEUE_FULL], UINT64_MAX);
    atomic_store(&board->counters[COUNTER_WORKERS_BUSY], (uint64_t)-3);
    atomic_store(&board->ready, 1);
    board_proc_set_state(board_proc_add(BOARD_MASTER, 1, 0, 1, ""), BOARD_IDLE);
    board_proc_set_state(board_proc_add(BOARD_WORKER, 2, 1, 1, "www"), BOARD_BUSY);
    board_proc_set_state(board_proc_add(BOARD_WORKER, 3, 2, 1, "www"), BOARD_BUSY);
    board_proc_set_state(board_proc_add(BOARD_WORKER, 4, 3, 1, "shop"), BOARD_IDLE);
    written();
    assert_non_null(strstr(text.p, "plimsoll_queue_rejected_total{reason=\"full\"} 18446744073709551615\n"));
    assert_non_null(strstr(text.p, "plimsoll_workers_busy -3\n"));
    assert_non_null(strstr(text.p, "plimsoll_processes{role=\"worker\",pool=\"www\",state=\"busy\"} 2\n"));
    assert_non_null(strstr(text.p, "plimsoll_processes{role=\"worker\",pool=\"www\",state=\"idle\"} 0\n"));
    assert_non_null(strstr(text.p, "plimsoll_processes{role=\"worker\",pool=\"shop\",state=\"idle\"} 1\n"));
    assert_non_null(strstr(text.p, "plimsoll_processes{role=\"master\",pool=\"\",state=\"idle\"} 1\n"));
    assert_non_null(strstr(text.p, "plimsoll_ready 1\n"));
    assert_non_null(strstr(text.p, "plimsoll_build_info{version=\""));
}

static void durations_fall_into_cumulative_buckets_in_seconds(void **state)
{
    for (int i = 0; i <= BOARD_BUCKETS; i++)
        atomic_store(&board->duration_buckets[i], 0);
    atomic_store(&board->duration_us_sum, 0);
    board_count_duration(1000);     // exactly a bound: inside
    board_count_duration(1001);
    board_count_duration(31000000); // beyond the last
    written();
    assert_non_null(strstr(text.p, "_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text.p, "_bucket{le=\"0.0025\"} 2\n"));
    assert_non_null(strstr(text.p, "_bucket{le=\"30.0\"} 2\n"));
    assert_non_null(strstr(text.p, "_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text.p, "seconds_count 3\n"));
    assert_non_null(strstr(text.p, "seconds_sum 31.002001\n"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(reader_refuses_what_breaks_the_rules), T(exposition_keeps_the_rules),   T(every_counter_of_the_table_is_there),
        T(counts_and_processes_are_told),        T(durations_fall_into_cumulative_buckets_in_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
