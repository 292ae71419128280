// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray --replay FILE: reads a recording, asks the judge row by row, prints what it said. Owns the judge and the files;
// what it prints depends on the file alone.
#include "xray/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/human.h"
#include "mem/recording.h"
#include "report/judgement.h"

#define EXIT_UNREADABLE 2

struct replay {
    const char *path;
    struct recording *recording;
    struct recording_procs *procs;
    struct judge *judge;
    struct judgement said;
    struct judge_report report;
    int fd, procs_fd;
};

static int unreadable(const char *path, const struct recording_error *e)
{
    fprintf(stderr, "plimsoll-xray: %s", path);
    if (e->line)
        fprintf(stderr, ", line %llu", (unsigned long long)e->line);
    if (e->column)
        fprintf(stderr, ", column %u", e->column);
    fprintf(stderr, ": %s\n", e->text);
    return EXIT_UNREADABLE;
}

// STEM.procs.csv of STEM.csv: to be freed, NULL where the name has no .csv.
static char *procs_path(const char *path)
{
    size_t n = strlen(path);
    char *text = NULL;

    if (n < 4 || strcmp(path + n - 4, ".csv") != 0 || asprintf(&text, "%.*s.procs.csv", (int)(n - 4), path) < 0)
        return NULL;
    return text;
}

// What is beside a recording helps; where it can't be read, the recording alone is judged, and that is said.
static void open_procs(struct replay *r)
{
    char *path = procs_path(r->path);
    struct recording_error error = {0};

    if (!path)
        return;
    r->procs_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); // never waits for a fifo
    if (r->procs_fd >= 0 && recording_procs_open(r->procs_fd, &r->procs, &error) < 0)
        unreadable(path, &error);
    else if (r->procs_fd < 0 && errno != ENOENT)
        fprintf(stderr, "plimsoll-xray: %s: %s\n", path, strerror(errno));
    free(path);
}

static int run(struct replay *r)
{
    struct judge_event events[JUDGE_EVENTS_PER_PUSH];
    struct recording_error error = {0};
    struct mem_sample s;
    int rc;

    while ((rc = recording_next(r->recording, &s, &error)) == 1) {
        if (r->procs && recording_procs_fill(r->procs, &s, &error) < 0) {
            unreadable("the processes' recording", &error);
            r->procs = recording_procs_close(r->procs);
        }
        unsigned n = judge_push(r->judge, &s, events);
        for (unsigned i = 0; i < n; i++)
            judgement_note(&r->said, &events[i]);
    }
    if (rc < 0)
        return unreadable(r->path, &error);
    judge_report(r->judge, &r->report);
    return 0;
}

static const char *rate(double bytes_per_min, char text[HUMAN_N])
{
    return human_bytes(bytes_per_min > 9e18 ? INT64_MAX : bytes_per_min < -9e18 ? -INT64_MAX : (int64_t)bytes_per_min, text);
}

static void print_growth(const struct judge_growth *g)
{
    char lo[HUMAN_N], mid[HUMAN_N], hi[HUMAN_N];

    printf("%s/min (%s to %s)", rate(g->mid, mid), rate(g->lo, lo), rate(g->hi, hi));
}

static void print_whole(const struct replay *r)
{
    const struct judge_report *j = &r->report;
    char a[HUMAN_N], b[HUMAN_N];

    printf("%s: %llu rows, %s", r->path, (unsigned long long)j->rows, human_seconds(j->span, a));
    if (j->limit > 0 && j->limit != MEM_UNLIMITED)
        printf(", limit %s", human_bytes(j->limit, a));
    printf("\nverdict  %s", mem_verdict_name(j->verdict));
    if (j->cause != CAUSE_NONE)
        printf(", by %s", mem_cause_name(j->cause));
    printf("\ngrowth   ");
    print_growth(&j->bytes_per_min);
    printf("\n");
    if (j->stall_known)
        printf("stall    in %s to %s\n", human_seconds(j->stall_lo, a), human_seconds(j->stall_hi, b));
}

static void print_lines(const struct replay *r)
{
    char bytes[HUMAN_N], per[HUMAN_N];

    printf("\n%-16s %10s  %-10s  %s\n", "line", "now", "verdict", "growth");
    for (int i = 0; i < LINE_N; i++) {
        const struct judge_line *l = &r->report.line[i];
        if (!l->known)
            continue;
        printf("%-16s %10s  %-10s  ", mem_line_name((enum mem_line)i), human_bytes(l->bytes, bytes),
               mem_verdict_name(l->verdict));
        print_growth(&l->bytes_per_min);
        if (l->per_request_known)
            printf(", %s a request", rate(l->bytes_per_request.mid, per));
        if (l->verdict == VERDICT_UNDECIDED && l->seconds_needed > 0)
            printf(", %s more needed", human_seconds(l->seconds_needed, per));
        printf("\n");
    }
}

static void print_alarms(const struct replay *r)
{
    printf("\nalarms   %s\n", r->said.n ? "" : "none");
    for (size_t i = 0; i < r->said.n; i++) {
        const struct judgement_alarm *a = &r->said.alarm[i];
        printf("  t = %-10.12g %s, by %s", a->t, mem_verdict_name(a->verdict), mem_cause_name(a->cause));
        if (a->cleared)
            printf(", until t = %.12g", a->cleared_t);
        printf("\n");
    }
    if (r->said.dropped)
        printf("  and %llu more\n", (unsigned long long)r->said.dropped);
}

static void print_notes(const struct replay *r)
{
    struct recording_notes n;
    struct recording_proc p;
    char bytes[HUMAN_N];

    recording_notes(r->recording, &n);
    if (r->procs && recording_procs_grower(r->procs, &p))
        printf("\nmost grown process: %d (%s), anonymous memory +%s\n", p.pid, p.comm,
               human_bytes(p.rss_anon_last - p.rss_anon_first, bytes));
    if (n.rows_left_out)
        printf("\n%llu rows were left out: no t, t not rising, cut off, or longer than 64 KiB\n",
               (unsigned long long)n.rows_left_out);
    if (n.bad_numbers)
        printf("\n%llu fields are no numbers and count as not known, the first in line %llu, column %u\n",
               (unsigned long long)n.bad_numbers, (unsigned long long)n.first_bad_line, n.first_bad_column);
    if (n.teardown)
        printf("\nall processes are gone in line %llu: what follows is teardown and was not read\n", (unsigned long long)n.lines);
}

static bool print_json(const struct replay *r)
{
    json_t *object = judgement_json(&r->said, &r->report);
    bool ok = object && json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) == 0 && putchar('\n') != EOF;

    json_decref(object);
    return ok;
}

static int print(const struct replay *r, bool json)
{
    bool ok = true;

    if (json) {
        ok = print_json(r);
    } else {
        print_whole(r);
        print_lines(r);
        print_alarms(r);
        print_notes(r);
    }
    if (fflush(stdout) == 0 && !ferror(stdout) && ok)
        return 0;
    fprintf(stderr, "plimsoll-xray: the output can't be written: %s\n", strerror(errno));
    return 1;
}

int replay_run(const char *path, bool json)
{
    struct recording_error error = {0};
    struct replay *r = calloc(1, sizeof *r);
    int rc = EXIT_UNREADABLE;

    if (!r || !(r->judge = malloc(judge_size()))) {
        fprintf(stderr, "plimsoll-xray: no memory\n");
        free(r);
        return 1;
    }
    r->procs_fd = -1;
    r->path = strcmp(path, "-") == 0 ? "standard input" : path;
    r->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (r->fd < 0) {
        fprintf(stderr, "plimsoll-xray: %s: %s\n", r->path, strerror(errno));
    } else if (recording_open(r->fd, &r->recording, &error) < 0) {
        unreadable(r->path, &error);
    } else {
        if (strcmp(path, "-") != 0)
            open_procs(r);
        judge_init(r->judge);
        rc = run(r);
        if (rc == 0)
            rc = print(r, json);
        recording_procs_close(r->procs);
        recording_close(r->recording);
    }
    if (r->fd >= 0)
        close(r->fd);
    if (r->procs_fd >= 0)
        close(r->procs_fd);
    free(r->judge);
    free(r);
    return rc;
}
