// SPDX-License-Identifier: Apache-2.0
// Reads a recording of memory row by row. Owns one line's buffer; whatever the file holds, memory and the work a line are
// bounded, and every row given out has a t later than the one before.
#include "mem/recording.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mem/csv.h"

#define COLUMN_UNKNOWN (-1)
#define COLUMN_T (-2)

// More than this in bytes, counts or microseconds is no measurement: adding a few of them must not overflow.
#define VALUE_MAX (INT64_C(1) << 60)
#define T_MAX 1e15

struct recording {
    struct csv csv;
    int16_t column[RECORDING_COLUMNS_MAX]; // a mem_field, COLUMN_UNKNOWN or COLUMN_T
    unsigned n_columns;                    // of the header, those beyond RECORDING_COLUMNS_MAX not counted
    double last_t;
    bool any_row, ended, t_seen;
    struct recording_notes notes;
    struct recording_error first; // why the first row left out was
};

static const struct {
    const char *v1, *v2, *aliases;
} names[MEM_N] = {
#define FIELD(id, kind, v1, v2, aliases, help) {v1, v2, aliases},
#include "tbl/mem_fields.def"
#undef FIELD
};

static bool is_alias(struct str name, const char *aliases)
{
    struct str rest = str_from(aliases), item;

    while (str_next(&rest, ' ', &item))
        if (item.n && str_eq(item, name))
            return true;
    return false;
}

// How well a column's name fits a field: 3 the kernel's name, 2 an alias, 1 v1's total_ in front of its name, 0 not at all.
static int fits(struct str name, enum mem_field f)
{
    static const struct str total = STR("total_");

    if (str_eq(name, str_from(names[f].v1)) || str_eq(name, str_from(names[f].v2)))
        return 3;
    if (is_alias(name, names[f].aliases))
        return 2;
    if (str_starts(name, total) && str_eq((struct str){name.p + total.n, name.n - total.n}, str_from(names[f].v1)))
        return 1;
    return 0;
}

static int fail(struct recording_error *ret, int rc, uint64_t line, unsigned column, const char *text)
{
    if (ret) {
        *ret = (struct recording_error){.line = line, .column = column};
        snprintf(ret->text, sizeof ret->text, "%s", text);
    }
    return rc;
}

// A piece of the file for a message: short, and printable.
static const char *show(struct str s, char buf[48])
{
    size_t n = 0;

    for (size_t i = 0; i < s.n && n < 40; i++)
        buf[n++] = s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?';
    if (s.n > 40) {
        buf[n++] = '.';
        buf[n++] = '.';
    }
    buf[n] = '\0';
    return buf;
}

static void read_names(struct recording *r, struct str line)
{
    int best[MEM_N] = {0}, at[MEM_N];
    struct str name;
    bool started = false;

    while (r->n_columns < RECORDING_COLUMNS_MAX && csv_field(&line, &started, &name)) {
        unsigned column = r->n_columns++;
        bool known = r->t_seen == false && str_eq(name, STR("t"));
        r->column[column] = known ? COLUMN_T : COLUMN_UNKNOWN;
        if (known)
            r->t_seen = true;
        for (int f = 0; !known && f < MEM_N; f++) {
            int how = fits(name, (enum mem_field)f);
            if (how == 0)
                continue;
            known = true;
            if (how > best[f]) { // of two columns for one field the better name holds, else the first
                if (best[f])
                    r->column[at[f]] = COLUMN_UNKNOWN;
                best[f] = how;
                at[f] = (int)column;
                r->column[column] = (int16_t)f;
            }
            break;
        }
        r->notes.columns_unknown += !known;
    }
}

static int read_header(struct recording *r, struct recording_error *ret_error)
{
    struct str line = {NULL, 0};
    char text[200], piece[48];
    int rc;

    do {
        rc = csv_next(&r->csv, &line);
        if (rc < 0)
            return fail(ret_error, rc, 0, 0, strerror(-rc));
        r->notes.lines = r->csv.line;
        if (rc == CSV_END)
            return fail(ret_error, -EBADMSG, 0, 0, r->csv.line ? "it has blank lines only" : "it is empty");
        if (rc == CSV_LINE_TOO_LONG)
            return fail(ret_error, -EBADMSG, r->csv.line, 0, "the line is longer than 64 KiB: this is no CSV with column names");
        if (r->csv.line == 1 && str_starts(line, STR("\xef\xbb\xbf"))) {
            line.p += 3;
            line.n -= 3;
        }
    } while (str_trim(line).n == 0);

    read_names(r, line);
    if (r->t_seen)
        return 0;
    const char *hint = "";
    if (r->n_columns == 1 && str_find(line, ';') != SIZE_MAX)
        hint = " (columns are separated by commas, not by ';')";
    else if (r->n_columns == 1 && str_find(line, '\t') != SIZE_MAX)
        hint = " (columns are separated by commas, not by tabs)";
    snprintf(text, sizeof text, "no column is called t (the time in seconds)%s; the line begins with \"%s\"", hint,
             show(line, piece));
    return fail(ret_error, -EBADMSG, r->csv.line, 0, text);
}

static int finish_open(struct recording *r, int rc, struct recording **ret, struct recording_error *ret_error)
{
    if (rc < 0) {
        fail(ret_error, rc, 0, 0, strerror(-rc));
    } else {
        rc = read_header(r, ret_error);
    }
    if (rc < 0) {
        recording_close(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int recording_open(int fd, struct recording **ret, struct recording_error *ret_error)
{
    struct recording *r = calloc(1, sizeof *r);

    if (!r)
        return fail(ret_error, -ENOMEM, 0, 0, strerror(ENOMEM));
    return finish_open(r, csv_init_fd(&r->csv, fd, RECORDING_LINE_MAX), ret, ret_error);
}

int recording_open_text(const char *p, size_t n, struct recording **ret, struct recording_error *ret_error)
{
    struct recording *r = calloc(1, sizeof *r);

    if (!r)
        return fail(ret_error, -ENOMEM, 0, 0, strerror(ENOMEM));
    csv_init_text(&r->csv, p, n, RECORDING_LINE_MAX);
    return finish_open(r, 0, ret, ret_error);
}

static void note_bad(struct recording *r, unsigned column)
{
    if (r->notes.bad_numbers++ == 0) {
        r->notes.first_bad_line = r->csv.line;
        r->notes.first_bad_column = column + 1;
    }
}

static void set_field(struct recording *r, struct mem_sample *s, unsigned column, enum mem_field f, struct str text)
{
    int64_t v;

    if (f == MEM_limit && (str_eq(text, STR("max")) || str_eq(text, STR("-1")))) {
        mem_set(s, f, MEM_UNLIMITED);
        return;
    }
    enum csv_number what = csv_int64(text, &v);
    if (what == CSV_NOTHING)
        return;
    if (what == CSV_NUMBER && f == MEM_limit) {
        if (v > 0) // a limit of nothing is not known
            mem_set(s, f, v > VALUE_MAX ? MEM_UNLIMITED : v);
    } else if (what == CSV_NUMBER && v <= VALUE_MAX) {
        mem_set(s, f, v);
    } else {
        note_bad(r, column);
    }
}

static void leave_out(struct recording *r, unsigned column, const char *why)
{
    if (r->notes.rows_left_out++ == 0)
        fail(&r->first, 0, r->csv.line, column, why);
}

// True where the line is a row with a t. `unfinished`: the last one, nothing ends it; what is short there may be cut anywhere.
static bool read_row(struct recording *r, struct str line, bool unfinished, struct mem_sample *s)
{
    char text[160], piece[48];
    bool started = false, has_t = false;
    struct str field, t_text = {NULL, 0};
    unsigned column = 0, t_column = 0;

    s->t = 0;
    s->known[0] = s->known[1] = 0;
    for (; column < r->n_columns && csv_field(&line, &started, &field); column++) {
        int what = r->column[column];
        if (what == COLUMN_T) {
            t_column = column + 1;
            t_text = field;
            has_t = csv_double(field, &s->t) == CSV_NUMBER && fabs(s->t) <= T_MAX;
        } else if (what != COLUMN_UNKNOWN) {
            set_field(r, s, column, (enum mem_field)what, field);
        }
    }
    if (unfinished && column < r->n_columns) {
        leave_out(r, 0, "the last line is cut off");
        return false;
    }
    if (!has_t) {
        snprintf(text, sizeof text, "t is \"%s\", which is no number of seconds", show(t_text, piece));
        leave_out(r, t_column, text);
        return false;
    }
    if (r->any_row && s->t <= r->last_t) {
        leave_out(r, t_column, "t does not rise");
        return false;
    }
    return true;
}

int recording_next(struct recording *r, struct mem_sample *ret_sample, struct recording_error *ret_error)
{
    struct str line;

    while (!r->ended) {
        int rc = csv_next(&r->csv, &line);
        if (rc < 0)
            return fail(ret_error, rc, r->csv.line + 1, 0, strerror(-rc));
        r->notes.lines = r->csv.line;
        if (rc == CSV_END) {
            r->ended = true;
        } else if (rc == CSV_LINE_TOO_LONG) {
            leave_out(r, 0, "the line is longer than 64 KiB");
        } else if (str_trim(line).n > 0 && read_row(r, line, rc == CSV_LINE_UNFINISHED, ret_sample)) {
            if (mem_get(ret_sample, MEM_nprocs, 1) == 0) {
                r->notes.teardown = r->ended = true;
                return 0;
            }
            r->any_row = true;
            r->last_t = ret_sample->t;
            r->notes.rows++;
            return 1;
        }
    }
    if (!r->any_row && r->notes.rows_left_out && !r->notes.teardown) {
        char text[200];
        snprintf(text, sizeof text, "no row can be used: %.160s", r->first.text);
        return fail(ret_error, -EBADMSG, r->first.line, r->first.column, text);
    }
    return 0;
}

void recording_notes(const struct recording *r, struct recording_notes *ret)
{
    *ret = r->notes;
}

struct recording *recording_close(struct recording *r)
{
    if (r) {
        csv_done(&r->csv);
        free(r);
    }
    return NULL;
}
