// SPDX-License-Identifier: Apache-2.0
// STEM.procs.csv: a row per process and second beside a recording. Owns a table of at most PROCS_MAX processes; reads ahead by
// one row, so that what it says at a sample depends on rows up to that sample's t only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem/csv.h"
#include "mem/recording.h"

#define PROCS_MAX 2048

// What a row may tell, and the sum it adds to.
static const struct {
    const char *name;
    enum mem_field sum;
} parts[] = {
    {"VmRSS", MEM_sum_rss},
    {"RssAnon", MEM_sum_rss_anon},
    {"RssFile", MEM_sum_rss_file},
    {"RssShmem", MEM_sum_rss_shmem},
    {"Pss", MEM_sum_pss},
    {"Pss_Anon", MEM_sum_pss_anon},
    {"Pss_File", MEM_sum_pss_file},
    {"Pss_Shmem", MEM_sum_pss_shmem},
    {"Private_Dirty", MEM_sum_private_dirty},
};
#define PARTS_N (sizeof parts / sizeof *parts)
#define PART_RSS_ANON 1
#define PART_PSS_ANON 5
#define COLUMNS_MAX 256
enum { COLUMN_T = -4, COLUMN_PID, COLUMN_COMM, COLUMN_UNKNOWN };

struct recording_procs {
    struct csv csv;
    int8_t column[COLUMNS_MAX];
    unsigned n_columns;
    bool ended, pending;
    // The row read ahead.
    double t;
    struct recording_proc row;
    int64_t part[PARTS_N]; // -1: not known
    struct recording_proc proc[PROCS_MAX];
    unsigned n;
};

static int fail(struct recording_error *ret, int rc, uint64_t line, const char *text)
{
    if (ret) {
        *ret = (struct recording_error){.line = line};
        snprintf(ret->text, sizeof ret->text, "%s", text);
    }
    return rc;
}

static int column_of(struct str name)
{
    if (str_eq(name, STR("t")))
        return COLUMN_T;
    if (str_eq(name, STR("pid")))
        return COLUMN_PID;
    if (str_eq(name, STR("comm")))
        return COLUMN_COMM;
    for (size_t i = 0; i < PARTS_N; i++)
        if (str_eq(name, str_from(parts[i].name)))
            return (int)i;
    return COLUMN_UNKNOWN;
}

int recording_procs_open(int fd, struct recording_procs **ret, struct recording_error *ret_error)
{
    struct recording_procs *r = calloc(1, sizeof *r);
    struct str line, name;
    bool started = false, t = false, pid = false;
    int rc = r ? csv_init_fd(&r->csv, fd, RECORDING_LINE_MAX) : -ENOMEM;

    if (rc == 0)
        rc = csv_next(&r->csv, &line);
    if (rc < 0) {
        recording_procs_close(r);
        return fail(ret_error, rc, 0, strerror(-rc));
    }
    if (rc == CSV_LINE || rc == CSV_LINE_UNFINISHED) {
        if (str_starts(line, STR("\xef\xbb\xbf"))) {
            line.p += 3;
            line.n -= 3;
        }
        while (r->n_columns < COLUMNS_MAX && csv_field(&line, &started, &name)) {
            int what = column_of(name);
            r->column[r->n_columns++] = (int8_t)what;
            t |= what == COLUMN_T;
            pid |= what == COLUMN_PID;
        }
    }
    if (!t || !pid) {
        recording_procs_close(r);
        return fail(ret_error, -EBADMSG, 1, "no columns are called t and pid");
    }
    *ret = r;
    return 0;
}

static bool read_row(struct recording_procs *r, struct str line)
{
    struct str field;
    bool started = false, t = false, pid = false;
    int64_t v;

    r->row = (struct recording_proc){0};
    for (size_t i = 0; i < PARTS_N; i++)
        r->part[i] = -1;
    for (unsigned c = 0; c < r->n_columns && csv_field(&line, &started, &field); c++) {
        int what = r->column[c];
        if (what == COLUMN_T) {
            t = csv_double(field, &r->t) == CSV_NUMBER;
        } else if (what == COLUMN_PID) {
            pid = csv_int64(field, &v) == CSV_NUMBER && v > 0 && v <= INT32_MAX;
            if (pid)
                r->row.pid = (int)v;
        } else if (what == COLUMN_COMM) {
            size_t n = field.n < sizeof r->row.comm ? field.n : sizeof r->row.comm - 1;
            for (size_t i = 0; i < n; i++)
                r->row.comm[i] = field.p[i] >= ' ' && field.p[i] < 0x7f ? field.p[i] : '?';
        } else if (what != COLUMN_UNKNOWN && csv_int64(field, &v) == CSV_NUMBER && v < INT64_C(1) << 50) {
            r->part[what] = v;
        }
    }
    return t && pid;
}

// The next row into r->row; sets pending or ended.
static int read_ahead(struct recording_procs *r, struct recording_error *ret_error)
{
    struct str line;

    while (!r->ended && !r->pending) {
        int rc = csv_next(&r->csv, &line);
        if (rc < 0)
            return fail(ret_error, rc, r->csv.line + 1, strerror(-rc));
        if (rc == CSV_END || rc == CSV_LINE_UNFINISHED) // a row that may be cut off is left out
            r->ended = true;
        else if (rc == CSV_LINE)
            r->pending = read_row(r, line);
    }
    return 0;
}

static void remember(struct recording_procs *r)
{
    unsigned i = 0;

    while (i < r->n && r->proc[i].pid != r->row.pid)
        i++;
    if (i == PROCS_MAX)
        return;
    struct recording_proc *p = &r->proc[i];
    int64_t anon = r->part[PART_RSS_ANON];
    if (i == r->n) {
        r->n++;
        *p = r->row;
        p->rss_anon_first = p->rss_anon_last = anon;
        p->anon_min = p->anon_max = -1;
    }
    int64_t own = r->part[PART_PSS_ANON] >= 0 ? r->part[PART_PSS_ANON] : anon;
    if (own >= 0) {
        p->anon_min = p->anon_min < 0 || own < p->anon_min ? own : p->anon_min;
        p->anon_max = own > p->anon_max ? own : p->anon_max;
    }
    p->rows++;
    if (anon >= 0) {
        if (p->rss_anon_first < 0)
            p->rss_anon_first = anon;
        p->rss_anon_last = anon;
    }
    if (r->row.comm[0])
        memcpy(p->comm, r->row.comm, sizeof p->comm);
}

int recording_procs_fill(struct recording_procs *r, struct mem_sample *s, struct recording_error *ret_error)
{
    int64_t sum[PARTS_N] = {0}, n = 0;
    bool all[PARTS_N];

    for (size_t i = 0; i < PARTS_N; i++)
        all[i] = true;
    for (;;) {
        int rc = read_ahead(r, ret_error);
        if (rc < 0)
            return rc;
        if (!r->pending || r->t > s->t)
            break;
        r->pending = false;
        remember(r);
        if (r->t < s->t)
            continue;
        n++;
        for (size_t i = 0; i < PARTS_N; i++) {
            all[i] &= r->part[i] >= 0;
            if (r->part[i] > 0 && sum[i] < INT64_C(1) << 58)
                sum[i] += r->part[i];
        }
    }
    if (n == 0)
        return 0;
    if (!mem_known(s, MEM_nprocs))
        mem_set(s, MEM_nprocs, n);
    for (size_t i = 0; i < PARTS_N; i++)
        if (all[i] && !mem_known(s, parts[i].sum))
            mem_set(s, parts[i].sum, sum[i]);
    return 0;
}

bool recording_procs_grower(const struct recording_procs *r, struct recording_proc *ret)
{
    const struct recording_proc *best = NULL;

    for (unsigned i = 0; i < r->n; i++) {
        const struct recording_proc *p = &r->proc[i];
        if (p->rss_anon_last > p->rss_anon_first && p->rss_anon_first >= 0 &&
            (!best || p->rss_anon_last - p->rss_anon_first > best->rss_anon_last - best->rss_anon_first))
            best = p;
    }
    if (best)
        *ret = *best;
    return best != NULL;
}

const struct recording_proc *recording_procs_get(const struct recording_procs *r, unsigned *ret_n)
{
    *ret_n = r->n;
    return r->proc;
}

struct recording_procs *recording_procs_close(struct recording_procs *r)
{
    if (r) {
        csv_done(&r->csv);
        free(r);
    }
    return NULL;
}
