// SPDX-License-Identifier: Apache-2.0
// Writes --state DIR. Runs in watch; owns the folder's descriptor, which holds its lock, and that of tail.csv. Invariant:
// last.json, history.csv and tail.csv are of one life.
#include "watch/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/log.h"
#include "mem/recording.h"
#include "watch/fixed.h"
#include "watch/last.h"
#include "watch/last_int.h"
#include "watch/recorder.h"

#define ENTRIES 24
#define DOCUMENT 32768

int state_open(struct state *s, const char *path)
{
    *s = (struct state){.dir = -1, .tail = -1};
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return -errno;
    s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0)
        return -errno;
    if (flock(s->dir, LOCK_EX | LOCK_NB) < 0) {
        int bad = errno == EWOULDBLOCK ? -EBUSY : -errno;
        fd_close(&s->dir);
        return bad;
    }
    return 0;
}

void state_close(struct state *s)
{
    fd_close(&s->tail);
    fd_close(&s->dir);
}

// tail.csv begins anew: what was in it is in history.csv now.
static int begin_tail(struct state *s)
{
    char text[RECORDING_TEXT_MAX];

    if (s->tail < 0) {
        s->tail = last__create(s->dir, "tail.csv");
        if (s->tail < 0)
            return s->tail;
    }
    if (ftruncate(s->tail, 0) < 0)
        return -errno;
    size_t n = recording_header(s->v2 ? RECORDING_V2 : RECORDING_V1, s->columns, text, sizeof text);
    s->tail_size = (int64_t)n;
    return fd_write_all(s->tail, text, n);
}

static int write_history(struct state *s, const struct history *h)
{
    char text[2 * RECORDING_TEXT_MAX];
    int r = 0, fd = last__create(s->dir, "history.csv.new");

    if (fd < 0)
        return fd;
    size_t n = recording_header(s->v2 ? RECORDING_V2 : RECORDING_V1, s->columns, text, sizeof text);
    for (size_t i = 0; r == 0 && i <= h->n; i++) {
        if (n > RECORDING_TEXT_MAX || i == h->n) {
            r = fd_write_all(fd, text, n);
            n = 0;
        }
        if (i < h->n)
            n += recording_row(&h->row[i], s->columns, text + n, sizeof text - n);
    }
    close(fd);
    if (r == 0 && renameat(s->dir, "history.csv.new", s->dir, "history.csv") < 0)
        r = -errno;
    return r;
}

static void add_amount(struct fixed *f, const char *name, int64_t value)
{
    if (value >= 0 && value != MEM_UNLIMITED)
        fixed_add(f, ",\"%s\":%" PRId64, name, value);
    else
        fixed_add(f, ",\"%s\":null", name);
}

static void add_text(struct fixed *f, const char *name, const char *text)
{
    fixed_add(f, ",\"%s\":", name);
    fixed_json(f, text);
}

static void add_judgement(struct fixed *f, const struct state *s, const struct judge_report *r)
{
    static const enum mem_verdict alarms[] = {VERDICT_GROWING, VERDICT_SATURATED};

    fixed_add(f, ",\"verdict\":\"%s\"", mem_verdict_name(r->verdict));
    fixed_add(f, r->cause == CAUSE_NONE ? ",\"cause\":null" : ",\"cause\":\"%s\"", mem_cause_name(r->cause));
    fixed_add(f, ",\"growth_bytes_per_min\":[");
    fixed_json_whole(f, r->bytes_per_min.lo);
    fixed_add(f, ",");
    fixed_json_whole(f, r->bytes_per_min.mid);
    fixed_add(f, ",");
    fixed_json_whole(f, r->bytes_per_min.hi);
    fixed_add(f, r->stall_known ? "],\"stall_in_s\":[%.0f,%.0f]" : "],\"stall_in_s\":null", r->stall_lo, r->stall_hi);
    add_amount(f, "hot_file_bytes", r->hot_file);
    add_text(f, "text", s->text);
    fixed_add(f, ",\"alarms\":[");
    bool first = true;
    for (size_t i = 0; i < 2; i++) {
        const struct state_alarm *a = &s->alarm[alarms[i]];
        if (!a->stands)
            continue;
        fixed_add(f, "%s{\"verdict\":\"%s\",\"since\":%.3f", first ? "" : ",", mem_verdict_name(alarms[i]), a->since);
        add_text(f, "text", a->text);
        fixed_add(f, "}");
        first = false;
    }
    fixed_add(f, "]");
}

static int by_size(const void *a, const void *b)
{
    const struct ledger_entry *x = *(const struct ledger_entry *const *)a, *y = *(const struct ledger_entry *const *)b;

    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

// What is gone has no ledger any more: the one before is kept.
static void make_ledger(struct state *s, struct lookout *l)
{
    static struct ledger ledger;
    static const struct ledger_entry *entries[LEDGER_ENTRIES];
    struct fixed whole, *f = &whole;
    int n = 0;

    fixed_init(f, s->ledger, sizeof s->ledger);
    eye_ledger(l->eye, &ledger);
    fixed_add(f, ",\"sight\":\"%s\",\"ledger\":{", sight_name(ledger.sight));
    for (int c = 0; c < LEDGER_CATEGORY_N; c++)
        fixed_add(f, "%s\"%s\":%" PRId64, c ? "," : "", ledger_category_name((enum ledger_category)c), ledger.sum[c]);
    fixed_add(f, "},\"entries\":[");
    for (int i = 0; i < ledger.n; i++)
        if (!ledger.entry[i].elsewhere)
            entries[n++] = &ledger.entry[i];
    qsort(entries, (size_t)n, sizeof *entries, by_size);
    for (int i = 0; i < n && i < ENTRIES; i++) {
        fixed_add(f, "%s{\"category\":\"%s\"", i ? "," : "", ledger_category_name(entries[i]->category));
        add_text(f, "name", entries[i]->name);
        fixed_add(f, ",\"bytes\":%" PRId64 "}", entries[i]->bytes);
    }
    fixed_add(f, "],\"directories\":[");
    lookout_dirs(l);
    for (int i = 0; i < l->n_dirs; i++) {
        fixed_add(f, "%s{\"path\":", i ? "," : "");
        fixed_json(f, l->dirs[i].path);
        fixed_add(f, ",\"bytes\":%" PRId64 ",\"growth_bytes_per_min\":", l->dirs[i].bytes);
        fixed_add(f, l->dirs[i].growth_per_min == INT64_MIN ? "null}" : "%" PRId64 "}", l->dirs[i].growth_per_min);
    }
    fixed_add(f, "]");
    if (f->cut)
        s->ledger[0] = '\0';
}

static void make_document(struct fixed *f, const struct state *s, struct lookout *l, const struct judge_report *r, double now,
                          enum state_end end)
{
    static const char *const ends[] = {"null", "\"told\"", "\"gone\""};
    const struct mem_sample *last = l->history.n ? &l->history.row[l->history.n - 1] : l->see.sample;
    int64_t hard;

    fixed_add(f, "{\"schema\":\"plimsoll.last/1\"");
    add_text(f, "life", l->life);
    add_text(f, "target", l->target);
    add_text(f, "version", PLIMSOLL_VERSION);
    fixed_add(f, ",\"began\":%.3f,\"updated\":%.3f,\"ended\":%s", l->began, now, ends[end]);
    add_amount(f, "usage_bytes", mem_get(last, MEM_usage, -1));
    add_amount(f, "limit_bytes", mem_get(last, MEM_limit, -1));
    add_amount(f, "hard_bytes", mem_hard(last, &hard) ? hard : -1);
    add_amount(f, "oom_kill", mem_get(last, MEM_oom_kill, -1));
    add_amount(f, "oom_kill_before", l->oom_before);
    add_judgement(f, s, r);
    fixed_add(f, "%s}\n", s->ledger);
}

int state_write(struct state *s, struct lookout *l, const struct judge_report *report, double now, enum state_end end)
{
    static char text[DOCUMENT];
    struct fixed f;

    if (end != STATE_GONE && !l->hangs)
        make_ledger(s, l);
    fixed_init(&f, text, sizeof text);
    make_document(&f, s, l, report, now, end);
    int fd = f.cut ? -EMSGSIZE : last__create(s->dir, "last.json.new"), r = fd < 0 ? fd : fd_write_all(fd, text, f.n);
    if (fd >= 0)
        close(fd);
    if (r == 0)
        r = write_history(s, &l->history);
    if (r == 0 && renameat(s->dir, "last.json.new", s->dir, "last.json") < 0)
        r = -errno;
    if (r == 0)
        r = begin_tail(s);
    if (r < 0 && !s->failing)
        log_warning("--state: the history can't be written: %s", strerror(-r));
    else if (r == 0 && s->failing)
        log_notice("--state: the history can be written again");
    s->failing = r < 0;
    return r;
}

void state_row(struct state *s, const struct lookout *l)
{
    char text[RECORDING_TEXT_MAX];

    if (s->tail < 0 || s->tail_size > 2 * STATE_TAIL_MAX)
        return;
    size_t n = recording_row(l->see.sample, s->columns, text, sizeof text);
    if (write(s->tail, text, n) == (ssize_t)n)
        s->tail_size += (int64_t)n;
    else
        s->tail_size = 2 * STATE_TAIL_MAX + 1; // nothing more until it has been begun anew: half a row would be in the way
}

static void restore_rows(int dir, const char *name, struct lookout *l)
{
    struct recording *recording;
    struct recording_error error;
    struct mem_sample row;

    int fd = last__open(dir, name);
    if (fd < 0)
        return;
    if (recording_open(fd, &recording, &error) == 0) {
        while (recording_next(recording, &row, &error) == 1)
            lookout_restore(l, &row);
        recording_close(recording);
    }
    close(fd);
}

static void restore_alarms(struct state *s, json_t *doc)
{
    size_t i;
    json_t *alarm;

    json_array_foreach(json_object_get(doc, "alarms"), i, alarm)
    {
        const char *verdict = json_string_value(json_object_get(alarm, "verdict"));
        const char *text = json_string_value(json_object_get(alarm, "text"));
        for (int v = 0; verdict && v < VERDICT_N; v++)
            if (strcmp(verdict, mem_verdict_name((enum mem_verdict)v)) == 0) {
                s->alarm[v].stands = true;
                s->alarm[v].since = json_number_value(json_object_get(alarm, "since"));
                snprintf(s->alarm[v].text, sizeof s->alarm[v].text, "%s", text ? text : "");
            }
    }
}

// The life in the folder has ended: it is the previous one from now on.
static void put_aside(struct state *s)
{
    static const char *const names[][2] = {
        {"last.json", "previous.json"}, {"history.csv", "previous.csv"}, {"tail.csv", "previous.tail.csv"}};

    last__add_life(s->dir);
    for (size_t i = 0; i < 3; i++)
        if (renameat(s->dir, names[i][0], s->dir, names[i][1]) < 0 && errno == ENOENT)
            (void)unlinkat(s->dir, names[i][1], 0);
}

int state_begin(struct state *s, struct lookout *l, const struct mem_sample *first)
{
    int dir = s->dir, r = -ENODATA;

    fd_close(&s->tail);
    *s = (struct state){.dir = dir, .tail = -1, .v2 = l->where.kind == MEM_KIND_V2};
    recorder_columns(l->where.kind, first, s->columns);
    json_t *doc = last__load(dir, "last.json");
    const char *life = json_string_value(json_object_get(doc, "life"));
    if (life && life_is_same(life, l->life)) {
        json_t *began = json_object_get(doc, "began"), *oom = json_object_get(doc, "oom_kill_before");
        restore_rows(dir, "history.csv", l);
        restore_rows(dir, "tail.csv", l);
        restore_alarms(s, doc);
        if (json_is_number(began))
            l->began = json_number_value(began);
        if (json_is_integer(oom))
            l->oom_before = json_integer_value(oom);
        r = l->history.n ? 0 : -ENODATA;
    } else {
        if (!life && faccessat(dir, "last.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            r = -EBADMSG;
        put_aside(s);
    }
    json_decref(doc);
    return r;
}
