// SPDX-License-Identifier: Apache-2.0
// Writes OpenMetrics. Runs in watch; owns nothing. Invariant: families are not interleaved, a name that ends in a unit says so,
// a counter's samples end in _total, "# EOF" ends the text even where something had to be left out.
#include "watch/openmetrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "plimsoll_memory_"
#define EOF_ROOM 64
#define NAME_MAX_BYTES 96

enum field_kind { BYTES, COUNT, TOTAL, MICROS, FLAG, MILLIS };
static const struct field_row {
    const char *id, *v1, *v2, *aliases, *help;
    enum field_kind kind;
} fields[] = {
#define FIELD(id, kind, v1, v2, aliases, help) {#id, v1, v2, aliases, help, kind},
#include "tbl/mem_fields.def"
#undef FIELD
};

struct page {
    struct fixed *out;
    bool openmetrics;
    bool counter;
    const char *name; // of the family begun
};

static void begin(struct page *p, const char *name, const char *type, const char *unit, const char *help)
{
    // The older text has no info and names a counter with its suffix.
    bool info = strcmp(type, "info") == 0;
    p->counter = strcmp(type, "counter") == 0;
    p->name = name;
    const char *suffix = p->openmetrics ? "" : p->counter ? "_total" : info ? "_info" : "";
    fixed_add(p->out, "# TYPE %s%s %s\n", name, suffix, info && !p->openmetrics ? "gauge" : type);
    if (p->openmetrics && *unit)
        fixed_add(p->out, "# UNIT %s %s\n", name, unit);
    fixed_add(p->out, "# HELP %s%s %s\n", name, suffix, help);
}

static void number(struct fixed *f, double v)
{
    if (isnan(v))
        fixed_add(f, "NaN");
    else if (isinf(v))
        fixed_add(f, v > 0 ? "+Inf" : "-Inf");
    else if (v == floor(v) && fabs(v) < 9007199254740992.0)
        fixed_add(f, "%.0f", v + 0.0);
    else
        fixed_add(f, "%.15g", v);
}

// labels: pairs of name and value, NULL-terminated.
static void sample(struct page *p, double v, const char *const *labels)
{
    fixed_add(p->out, "%s%s", p->name, p->counter ? "_total" : "");
    for (int i = 0; labels && labels[i]; i += 2) {
        fixed_add(p->out, "%c%s=\"", i ? ',' : '{', labels[i]);
        fixed_label(p->out, labels[i + 1]);
        fixed_add(p->out, "\"");
    }
    fixed_add(p->out, "%s ", labels && labels[0] ? "}" : "");
    number(p->out, v);
    fixed_add(p->out, "\n");
}
#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void single(struct page *p, const char *name, const char *type, const char *unit, const char *help, double v)
{
    begin(p, name, type, unit, help);
    sample(p, v, NULL);
}

static bool is_exposed(const struct field_row *f)
{
    return f->kind != MILLIS; // only a client that makes load knows latencies
}

static bool is_counter(const struct field_row *f)
{
    return f->kind == TOTAL || f->kind == MICROS;
}

static const char *unit_of(const struct field_row *f)
{
    return f->kind == BYTES ? "bytes" : f->kind == MICROS ? "seconds" : "";
}

static const char *family_of(const struct field_row *f, char name[NAME_MAX_BYTES])
{
    struct fixed n;

    fixed_init(&n, name, NAME_MAX_BYTES);
    fixed_add(&n, PREFIX "%s%s%s", f->id, *unit_of(f) ? "_" : "", unit_of(f));
    return name;
}

static void write_fields(struct page *p, const struct mem_sample *s)
{
    char name[NAME_MAX_BYTES];

    for (int i = 0; i < MEM_N; i++) {
        const struct field_row *f = &fields[i];
        if (!mem_known(s, (enum mem_field)i) || !is_exposed(f) || s->v[i] == MEM_UNLIMITED)
            continue;
        begin(p, family_of(f, name), is_counter(f) ? "counter" : "gauge", unit_of(f), f->help);
        sample(p, f->kind == MICROS ? (double)s->v[i] / 1e6 : (double)s->v[i], NULL);
    }
}

static void write_lines(struct page *p, const struct judge_report *r)
{
    static const char *const bounds[] = {"low", "middle", "high"};

    begin(p, PREFIX "line_bytes", "gauge", "bytes", "What each judged line holds.");
    for (int i = 0; i < LINE_N; i++)
        if (r->line[i].known)
            sample(p, (double)r->line[i].bytes, LABELS("line", mem_line_name((enum mem_line)i)));
    begin(p, PREFIX "growth_bytes_per_second", "gauge", "", "Growth of each line, with the bounds of its 95 % interval.");
    for (int i = 0; i < LINE_N; i++) {
        const struct judge_growth *g = &r->line[i].bytes_per_min;
        const double v[] = {g->lo, g->mid, g->hi};
        for (int k = 0; r->line[i].known && k < 3; k++)
            sample(p, v[k] / 60, LABELS("line", mem_line_name((enum mem_line)i), "bound", bounds[k]));
    }
    begin(p, PREFIX "verdict", "gauge", "", "1 for the verdict that holds on a line, 0 for the others.");
    for (int i = 0; i < LINE_N; i++)
        for (int v = 0; r->line[i].known && v < VERDICT_N; v++)
            sample(p, (int)r->line[i].verdict == v,
                   LABELS("line", mem_line_name((enum mem_line)i), "verdict", mem_verdict_name((enum mem_verdict)v)));
}

static void write_judgement(struct page *p, const struct judge_report *r)
{
    write_lines(p, r);
    begin(p, PREFIX "alarm", "gauge", "", "1 while this alarm stands.");
    sample(p, r->alarm[VERDICT_GROWING], LABELS("verdict", "growing"));
    sample(p, r->alarm[VERDICT_SATURATED], LABELS("verdict", "saturated"));
    begin(p, PREFIX "cause", "gauge", "", "1 for the cause of the growth or stall, 0 for the others.");
    for (int c = CAUSE_NONE + 1; c < CAUSE_N; c++)
        sample(p, (int)r->cause == c, LABELS("cause", mem_cause_name((enum mem_cause)c)));
    if (r->stall_known) {
        begin(p, PREFIX "stall_in_seconds", "gauge", "seconds", "Time left to the stall, earliest and latest.");
        sample(p, r->stall_lo, LABELS("bound", "low"));
        sample(p, r->stall_hi, LABELS("bound", "high"));
    }
    if (r->hot_file >= 0)
        single(p, PREFIX "hot_file_bytes", "gauge", "bytes", "File pages that the server needs to run, as learned.",
               (double)r->hot_file);
    single(p, PREFIX "judged_seconds", "gauge", "seconds", "Time that has been judged.", r->span);
}

static void write_directories(struct page *p, struct lookout *l)
{
    lookout_dirs(l);
    begin(p, PREFIX "directory_bytes", "gauge", "bytes", "Directories of file systems in memory that grow, or are big.");
    for (int i = 0; i < l->n_dirs; i++)
        sample(p, (double)l->dirs[i].bytes, LABELS("path", l->dirs[i].path));
    begin(p, PREFIX "directory_growth_bytes_per_second", "gauge", "", "Growth of these directories.");
    for (int i = 0; i < l->n_dirs; i++)
        if (l->dirs[i].growth_per_min != INT64_MIN)
            sample(p, (double)l->dirs[i].growth_per_min / 60, LABELS("path", l->dirs[i].path));
}

static void write_walk(struct page *p, const struct lookout *l)
{
    struct scan_progress walk;

    if (l->hangs)
        return;
    eye_progress(l->eye, &walk);
    single(p, "plimsoll_watch_walk_rounds", "counter", "", "Complete walks over the files in memory.", walk.rounds);
    single(p, "plimsoll_watch_walk_directories", "gauge", "", "Directories in memory that are known one by one.", walk.dirs);
    if (walk.covered >= 0)
        single(p, "plimsoll_watch_walk_covered_ratio", "gauge", "ratio",
               "How much of the files in memory the present walk has seen.", walk.covered);
}

static void write_health(struct page *p, const struct openmetrics_health *h)
{
    begin(p, "plimsoll_watch_alarms", "counter", "", "Alarms raised and cleared.");
    sample(p, (double)h->raised, LABELS("event", "raised"));
    sample(p, (double)h->cleared, LABELS("event", "cleared"));
    begin(p, "plimsoll_watch_notices", "counter", "", "Notices brought to commands and webhooks, or given up.");
    sample(p, (double)h->delivered, LABELS("result", "delivered"));
    sample(p, (double)h->undelivered, LABELS("result", "given_up"));
    single(p, "plimsoll_watch_looks", "counter", "", "Looks at the container.", (double)h->looks);
    single(p, "plimsoll_watch_looks_missed", "counter", "", "Looks that came too late to be made.", (double)h->missed);
    single(p, "plimsoll_watch_looks_cpu_seconds", "counter", "seconds", "CPU time of the looks.", h->look_seconds);
    single(p, "plimsoll_watch_recording_errors", "counter", "", "Rows that could not be written to the recording.",
           (double)h->recording_errors);
    single(p, "plimsoll_watch_locked_bytes", "gauge", "bytes", "Memory of watch that is locked, so that it goes on in a stall.",
           (double)h->locked_bytes);
    single(p, "plimsoll_watch_start_time_seconds", "gauge", "seconds", "When watch was started (Unix time).", h->started);
}

void openmetrics_write(struct fixed *out, bool openmetrics, struct lookout *l, const struct judge_report *report,
                       const struct openmetrics_health *health)
{
    size_t cap = out->cap;
    struct page p = {.out = out, .openmetrics = openmetrics};
    const char *const info[] = {"version", PLIMSOLL_VERSION, "cgroup", l->where.path, "kind", mem_kind_name(l->where.kind), NULL};

    out->cap -= EOF_ROOM;
    begin(&p, "plimsoll_watch", "info", "", "The running watch and what it looks at.");
    p.name = "plimsoll_watch_info";
    sample(&p, 1, info);
    single(&p, "plimsoll_watch_up", "gauge", "", "1 while there is something to look at.", report != NULL);
    write_health(&p, health);
    if (report) {
        write_fields(&p, l->see.sample);
        write_judgement(&p, report);
        write_directories(&p, l);
        write_walk(&p, l);
    }
    out->cap = cap;
    if (out->cut) // the last line may be half of one
        while (out->n > 0 && out->p[out->n - 1] != '\n')
            out->n--;
    out->p[out->n] = '\0';
    out->cut = false;
    fixed_add(out, openmetrics ? "# EOF\n" : "");
}

static void print_columns(const char *names)
{
    while (*names) {
        int n = (int)strcspn(names, " ");
        printf("`%.*s`", n, names);
        names += n;
        if (*names == ' ') {
            printf(" ");
            names++;
        }
    }
}

void openmetrics_print_fields(void)
{
    static const char *const kinds[] = {
        [BYTES] = "bytes", [COUNT] = "number", [TOTAL] = "total", [MICROS] = "total of µs", [FLAG] = "0 or 1", [MILLIS] = "ms"};
    char name[NAME_MAX_BYTES];

    printf("# What a memory sample holds\n\n"
           "<!-- Printed by `plimsoll-xray help --fields` from src/tbl/mem_fields.def: change that, then `make docs`. -->\n\n"
           "A row each: the columns of a [recording](recordings.md), and the metric that [watch](watch.md) serves. A total only\n"
           "ever rises.\n\n"
           "| column | in a recording of cgroup v1, where it differs | taken for it as well | value | metric | what it is |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < MEM_N; i++) {
        const struct field_row *f = &fields[i];
        printf("| `%s` | ", f->v2);
        print_columns(strcmp(f->v1, f->v2) ? f->v1 : "");
        printf(" | ");
        print_columns(f->aliases);
        printf(" | %s | ", kinds[f->kind]);
        if (is_exposed(f))
            printf("`%s%s`", family_of(f, name), is_counter(f) ? "_total" : "");
        printf(" | %s |\n", f->help);
    }
}
