// SPDX-License-Identifier: Apache-2.0
// What tune says: tables for people, plimsoll.tune/1 for programs. Both show the same budget lines.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "tune/tune_plan.h"

struct budget_line {
    const char *name;
    int64_t bytes; // signed
    char why[TUNE_TEXT];
    bool assumed;
};
#define LINES_MAX 9

static void put(struct budget_line *lines, int *n, const char *name, int64_t bytes, const struct tune_amount *a, const char *why)
{
    struct budget_line *l = &lines[(*n)++];

    *l = (struct budget_line){.name = name, .bytes = bytes, .assumed = a && a->assumed};
    snprintf(l->why, sizeof l->why, "%s", why ? why : a->from);
}

static int budget_lines(const struct tune_input *in, const struct tune_plan *p, struct budget_line lines[LINES_MAX])
{
    const struct budget_in *b = &p->in;
    char inodes[TUNE_TEXT];
    int n = 0;

    snprintf(inodes, sizeof inodes, "%lld x 950 B; %s", (long long)b->inodes, in->inodes.from);
    put(lines, &n, "margin", -p->budget.margin, NULL, "10 % of the limit: bursts, page tables, what nobody counts");
    put(lines, &n, "program text", -b->hot_file, &in->hot_file, NULL);
    put(lines, &n, "shared memory", -b->shared, &in->shared, NULL);
    put(lines, &n, "files in memory", -b->tmpfs, &in->tmpfs, NULL);
    put(lines, &n, "their inodes", -p->budget.inodes, &in->inodes, inodes);
    put(lines, &n, "kernel", -b->kernel, &in->kernel, NULL);
    if (b->go > 0)
        put(lines, &n, "Go", -b->go, NULL, "GOMEMLIMIT: twice the live heap, at least 64 MiB");
    put(lines, &n, "other processes", -b->others, &in->others, NULL);
    return n;
}

static void print_budget(const struct tune_input *in, const struct tune_plan *p)
{
    struct budget_line lines[LINES_MAX];
    int n = budget_lines(in, p, lines);
    char v[HUMAN_N];

    printf("  %-16s %11s  %s\n", "limit", human_bytes(p->in.limit, v), in->limit.from);
    for (int i = 0; i < n; i++)
        printf("  %-16s %11s  %s\n", lines[i].name, human_bytes(lines[i].bytes, v), lines[i].why);
    if (p->budget.over)
        printf("  %-16s %11s  what is spoken for is more than the limit by %s\n", "left for workers", "none",
               human_bytes(p->budget.over, v));
    else
        printf("  %-16s %11s\n", "left for workers", human_bytes(p->budget.left, v));
}

static void print_settings(const struct tune_plan *p)
{
    const char *where = NULL;

    for (int i = 0; i < p->n_settings; i++) {
        const struct tune_setting *s = &p->setting[i];
        char line[128];
        if (s->where != where)
            printf("\n  %s\n", s->where);
        where = s->where;
        snprintf(line, sizeof line, "%s%s%s", s->name, s->glue, s->value);
        printf("    %-32s  %s\n", line, s->why);
    }
}

int tune_print_text(const struct tune_input *inputs, const struct tune_plan *plans, int n)
{
    const struct tune_input *in = &inputs[0];
    char v[HUMAN_N];

    bool limited = in->limit.known && in->limit.value != MEM_UNLIMITED;

    printf("memory limit  %s", limited ? human_bytes(in->limit.value, v) : "none");
    printf(in->limit.known ? "  (%s)\n" : "\n", in->limit.from);
    printf("CPUs          %.4g  (%s)\n", in->cpus, in->cpus_from);
    printf("memory_limit  %s  (%s)\n", in->memory_limit.value ? human_bytes(in->memory_limit.value, v) : "none",
           in->memory_limit.from);
    if (in->server == SERVER_UNKNOWN && n > 1)
        printf("no PHP server is recognised or named (--server): these are for each\n");
    for (int i = 0; i < n; i++) {
        const struct tune_plan *p = &plans[i];
        if (p->budget.workers)
            printf("\n%s: %u %s\n", advice_server_name(p->server), p->budget.workers,
                   p->server == SERVER_FRANKENPHP ? (p->budget.workers == 1 ? "thread at most" : "threads at most")
                   : p->budget.workers == 1       ? "worker"
                                                  : "workers");
        else
            printf("\n%s: %s; change something instead\n", advice_server_name(p->server),
                   p->in.limit == MEM_UNLIMITED ? "without a limit there is nothing to fit into" : "nothing fits");
        if (p->in.limit != MEM_UNLIMITED)
            print_budget(&inputs[i], p);
        print_settings(p);
        if (p->n_instead || p->n_notes)
            printf("\n");
        for (int k = 0; k < p->n_instead; k++)
            printf("  -> %s\n", p->instead[k]);
        for (int k = 0; k < p->n_notes; k++)
            printf("  *  %s\n", p->note[k]);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -(errno ? errno : EIO);
}

static json_t *texts(const char (*text)[TUNE_TEXT], int n)
{
    json_t *all = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(all, json_string(text[i]));
    return all;
}

static json_t *budget_json(const struct tune_input *in, const struct tune_plan *p)
{
    struct budget_line lines[LINES_MAX];
    int n = p->in.limit != MEM_UNLIMITED ? budget_lines(in, p, lines) : 0;
    json_t *all = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s, s:I, s:s, s:b}", "name", lines[i].name, "bytes", (json_int_t)lines[i].bytes,
                                             "why", lines[i].why, "assumed", (int)lines[i].assumed));
    return all;
}

static json_t *settings_json(const struct tune_plan *p)
{
    json_t *all = json_array();

    for (int i = 0; i < p->n_settings; i++) {
        const struct tune_setting *s = &p->setting[i];
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:s, s:s}", "where", s->where, "name", s->name, "value", s->value, "arithmetic", s->why));
    }
    return all;
}

static json_t *plan_json(const struct tune_input *in, const struct tune_plan *p)
{
    static const char *const by[] = {
        [BUDGET_NONE] = "none", [BUDGET_BY_LIMIT] = "memory_limit", [BUDGET_BY_MEASURED] = "measured", [BUDGET_BY_CPU] = "cpu"};
    const struct budget *b = &p->budget;

    return json_pack("{s:s, s:i, s:s, s:i, s:o, s:i, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "server", advice_server_name(p->server),
                     "workers", (int)b->workers, "by", by[b->by], "by_memory_limit", (int)b->by_limit, "by_measured",
                     b->measured ? json_integer(b->by_measured) : json_null(), "by_cpu", (int)b->by_cpu, "left_bytes",
                     (json_int_t)b->left, "workers_bytes", (json_int_t)b->workers_bytes, "limit_needed_bytes",
                     (json_int_t)b->limit_needed, "budget", budget_json(in, p), "settings", settings_json(p), "instead",
                     texts(p->instead, p->n_instead), "notes", texts(p->note, p->n_notes));
}

int tune_print_json(const struct tune_input *inputs, const struct tune_plan *plans, int n)
{
    const struct tune_input *in = &inputs[0];
    bool limited = in->limit.known && in->limit.value != MEM_UNLIMITED;
    json_t *servers = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(servers, plan_json(&inputs[i], &plans[i]));
    json_t *all = json_pack("{s:s, s:o, s:f, s:s, s:o, s:s, s:o}", "schema", "plimsoll.tune/1", "limit_bytes",
                            limited ? json_integer(in->limit.value) : json_null(), "cpus", in->cpus, "cpus_from", in->cpus_from,
                            "memory_limit_bytes", in->memory_limit.value ? json_integer(in->memory_limit.value) : json_null(),
                            "memory_limit_from", in->memory_limit.from, "servers", servers);
    if (!all)
        return -ENOMEM;
    int rc = json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0 && putchar('\n') != EOF && fflush(stdout) == 0
                 ? 0
                 : -EIO;
    json_decref(all);
    return rc;
}
