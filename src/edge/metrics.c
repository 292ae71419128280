// SPDX-License-Identifier: Apache-2.0
// The board as OpenMetrics 1.0 text, or Prometheus' older one. Runs in the edge (and, for the reference page, in the cli); owns nothing.
// Invariant: what it writes is a valid exposition: families are not interleaved, units match names, "# EOF" ends it.
#include "edge/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ipc/board.h"

#define GROUPS_MAX 128 // pairs of role and pool that are shown; processes beyond are not

enum kind { COUNTER_KIND, GAUGE_KIND };

struct row {
    const char *metric, *labels;
    enum kind kind;
    const char *help;
};

static const struct row rows[COUNTERS] = {
#define COUNTER(name, metric, labels, kind, help) {metric, labels, kind, help},
#include "tbl/counters.def"
#undef COUNTER
};

// What is not a counter of the table: family, type, unit, labels, help.
struct family {
    const char *name, *type, *unit, *labels, *help;
};

static const struct family duration = {"http_request_duration_seconds", "histogram", "seconds", "le",
                                       "Time from a request's first byte to its answer's last."};
static const struct family processes = {"processes", "gauge", "", "role, pool, state", "Processes of the server."};
static const struct family build = {"build", "info", "", "version", "The running version."};
static const struct family start_time = {"start_time_seconds", "gauge", "seconds", "", "When the server was started (Unix time)."};
static const struct family generation = {"config_generation", "gauge", "", "", "Number of the configuration in use; a reload adds one."};
static const struct family ready = {"ready", "gauge", "", "", "1 while requests are answered."};

static bool classic; // what is being written is the older text

static const struct family *const others[] = {&duration, &processes, &build, &start_time, &generation, &ready};

// The unit a name ends in, "" if none: OpenMetrics wants one and the other to agree.
static const char *unit_of(const char *metric)
{
    static const char *const units[] = {"bytes", "seconds"};
    size_t n = strlen(metric);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t u = strlen(units[i]);
        if (n > u && metric[n - u - 1] == '_' && !strcmp(metric + n - u, units[i]))
            return units[i];
    }
    return "";
}

static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_add(out, "\\", 1);
        if (*text == '\n')
            buf_add_str(out, STR("\\n"));
        else
            buf_add(out, text, 1);
    }
}

static void add_head(struct buf *out, const char *name, const char *type, const char *unit, const char *help)
{
    // The older text has no units and no info, and names a counter as its sample.
    bool info = !strcmp(type, "info");
    const char *suffix = !classic ? "" : info ? "_info" : !strcmp(type, "counter") ? "_total" : "";

    buf_printf(out, "# TYPE plimsoll_%s%s %s\n", name, suffix, classic && info ? "gauge" : type);
    if (*unit && !classic)
        buf_printf(out, "# UNIT plimsoll_%s %s\n", name, unit);
    buf_printf(out, "# HELP plimsoll_%s%s ", name, suffix);
    add_escaped(out, help);
    buf_add_str(out, STR("\n"));
}

static void add_family(struct buf *out, const struct family *f)
{
    add_head(out, f->name, f->type, f->unit, f->help);
}

static bool is_first_of_family(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(rows[k].metric, rows[i].metric))
            return false;
    return true;
}

static void write_counters(struct buf *out)
{
    for (size_t i = 0; i < COUNTERS; i++) {
        const struct row *f = &rows[i];
        if (!is_first_of_family(i))
            continue;
        add_head(out, f->metric, f->kind == COUNTER_KIND ? "counter" : "gauge", unit_of(f->metric), f->help);
        for (size_t k = i; k < COUNTERS; k++) {
            if (strcmp(rows[k].metric, f->metric))
                continue;
            uint64_t v = atomic_load_explicit(&board->counters[k], memory_order_relaxed);
            buf_printf(out, "plimsoll_%s%s", f->metric, f->kind == COUNTER_KIND ? "_total" : "");
            if (*rows[k].labels)
                buf_printf(out, "{%s}", rows[k].labels);
            if (f->kind == COUNTER_KIND)
                buf_printf(out, " %" PRIu64 "\n", v);
            else
                buf_printf(out, " %" PRId64 "\n", (int64_t)v); // gauges may pass below zero for an instant
        }
    }
}

// Bounds in seconds the way OpenMetrics writes numbers: 0.0025, 1.0, 30.0
static void add_seconds(struct buf *out, uint64_t us)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);

    while (n > 2 && text[n - 1] == '0' && text[n - 2] != '.')
        n--;
    buf_add(out, text, (size_t)n);
}

static void write_duration(struct buf *out)
{
    uint64_t sum = 0;

    // The sum first: what is counted meanwhile is then missing in it, which is less odd than a sum without its requests.
    uint64_t us = atomic_load_explicit(&board->duration_us_sum, memory_order_relaxed);
    add_family(out, &duration);
    for (int i = 0; i <= BOARD_BUCKETS; i++) {
        sum += atomic_load_explicit(&board->duration_buckets[i], memory_order_relaxed);
        buf_printf(out, "plimsoll_%s_bucket{le=\"", duration.name);
        if (i < BOARD_BUCKETS)
            add_seconds(out, board_bucket_us[i]);
        else
            buf_add_str(out, STR("+Inf"));
        buf_printf(out, "\"} %" PRIu64 "\n", sum);
    }
    buf_printf(out, "plimsoll_%s_count %" PRIu64 "\nplimsoll_%s_sum ", duration.name, sum, duration.name);
    add_seconds(out, us);
    buf_add_str(out, STR("\n"));
}

struct group {
    enum board_role role;
    char pool[sizeof((struct board_proc *)0)->pool];
    unsigned n[BOARD_STATES];
};

static size_t count_processes(struct group *groups)
{
    size_t n = 0;

    for (size_t i = 0; i < BOARD_PROCS_MAX; i++) {
        const struct board_proc *p = &board->procs[i];
        uint32_t role = atomic_load_explicit(&p->role, memory_order_acquire);
        uint32_t state = atomic_load_explicit(&p->state, memory_order_relaxed);
        if (role == BOARD_FREE || state >= BOARD_STATES)
            continue;
        char pool[sizeof p->pool];
        memcpy(pool, p->pool, sizeof pool);
        pool[sizeof pool - 1] = '\0';
        size_t g = 0;
        while (g < n && (groups[g].role != (enum board_role)role || strcmp(groups[g].pool, pool)))
            g++;
        if (g == n) {
            if (n == GROUPS_MAX)
                continue;
            groups[n] = (struct group){.role = (enum board_role)role};
            memcpy(groups[n++].pool, pool, sizeof pool);
        }
        groups[g].n[state]++;
    }
    return n;
}

static const char *role_name_of(enum board_role role)
{
    static const char *const names[] = {"free", "master", "edge", "mold", "worker"};
    return (unsigned)role < sizeof names / sizeof *names ? names[role] : "unknown";
}

static void write_processes(struct buf *out)
{
    struct group groups[GROUPS_MAX];
    size_t n = count_processes(groups);

    add_family(out, &processes);
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < BOARD_STATES; s++) {
            // Workers in all states, so that a graph has its zeros; of the others only what there is.
            if (!groups[i].n[s] && groups[i].role != BOARD_WORKER)
                continue;
            buf_printf(out, "plimsoll_%s{role=\"%s\",pool=\"", processes.name, role_name_of(groups[i].role));
            add_escaped(out, groups[i].pool);
            buf_printf(out, "\",state=\"%s\"} %u\n", board_state_name((enum board_state)s), groups[i].n[s]);
        }
}

void metrics_write(struct buf *out, bool openmetrics)
{
    classic = !openmetrics;
    write_counters(out);
    write_duration(out);
    write_processes(out);
    add_family(out, &build);
    buf_printf(out, "plimsoll_%s_info{version=\"%s\"} 1\n", build.name, PLIMSOLL_VERSION);
    add_family(out, &start_time);
    buf_printf(out, "plimsoll_%s %" PRId64 "\n", start_time.name, board->started_wall_s);
    add_family(out, &generation);
    buf_printf(out, "plimsoll_%s %u\n", generation.name, atomic_load(&board->generation));
    add_family(out, &ready);
    buf_printf(out, "plimsoll_%s %u\n", ready.name, atomic_load(&board->ready) ? 1u : 0u);
    if (openmetrics)
        buf_add_str(out, STR("# EOF\n"));
}

// ---- docs/metrics.md ----

// The names of a label text: class="2xx" gives class.
static void print_label_name(const char *labels)
{
    const char *end = strchr(labels, '=');

    if (end)
        printf("`%.*s`", (int)(end - labels), labels);
}

void metrics_print_reference(void)
{
    printf("# Metrics\n\n"
           "<!-- Printed by `plimsoll help --metrics` from src/tbl/counters.def: change that, then `make docs`. -->\n\n"
           "The admin listener (`--admin`) answers `/metrics` with these, as OpenMetrics text that Prometheus reads, or as its\n"
           "older text where `Accept` names `text/plain` and not OpenMetrics (`promtool check metrics` wants that). Counters\n"
           "go on when an edge process is replaced or the configuration is reloaded; they begin anew with a new master.\n\n"
           "| metric | type | labels | what it tells |\n|---|---|---|---|\n");
    for (size_t i = 0; i < COUNTERS; i++) {
        if (!is_first_of_family(i))
            continue;
        bool counter = rows[i].kind == COUNTER_KIND;
        printf("| `plimsoll_%s%s` | %s | ", rows[i].metric, counter ? "_total" : "", counter ? "counter" : "gauge");
        print_label_name(rows[i].labels);
        for (size_t k = i; k < COUNTERS && *rows[i].labels; k++)
            if (!strcmp(rows[k].metric, rows[i].metric)) {
                const char *value = strchr(rows[k].labels, '"');
                printf("%s%.*s", k == i ? ": " : ", ", value ? (int)strcspn(value + 1, "\"") : 0, value ? value + 1 : "");
            }
        printf(" | %s |\n", rows[i].help);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        printf("| `plimsoll_%s%s` | %s | %s%s%s | %s |\n", others[i]->name, !strcmp(others[i]->type, "info") ? "_info" : "",
               others[i]->type, *others[i]->labels ? "`" : "", others[i]->labels, *others[i]->labels ? "`" : "", others[i]->help);
}
