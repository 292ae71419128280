// SPDX-License-Identifier: Apache-2.0
// plimsoll.xray/1. What isn't known is null, never 0; every text is valid UTF-8 without control characters. Members are only
// ever added.
#include "xray/xray_json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "xray/xray_draw.h"

static json_t *text(const char *s)
{
    char clean[2048];

    return json_string(clean_utf8(clean, sizeof clean, s));
}

static json_t *text_or_null(const char *s)
{
    return s && *s ? text(s) : json_null();
}

// Lines stay lines: fixes are to be pasted.
static json_t *lines(const char *s)
{
    char clean[3 * FIX_TEXT];
    char line[FIX_TEXT];
    size_t at = 0;

    while (*s && at + 1 < sizeof clean) {
        size_t n = strcspn(s, "\n");
        memcpy(line, s, n < sizeof line - 1 ? n : sizeof line - 1);
        line[n < sizeof line - 1 ? n : sizeof line - 1] = '\0';
        clean_utf8(clean + at, sizeof clean - at, line);
        at += strlen(clean + at);
        s += n;
        if (*s == '\n' && at + 1 < sizeof clean) {
            clean[at++] = '\n';
            s++;
        }
    }
    clean[at] = '\0';
    return json_string(clean);
}

static json_t *amount(int64_t bytes)
{
    return bytes < 0 ? json_null() : json_integer(bytes);
}

static json_t *field(const struct mem_sample *s, enum mem_field f)
{
    return mem_known(s, f) ? json_integer(s->v[f]) : json_null();
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *growth(const struct judge_growth *g)
{
    return json_pack("[ooo]", number(rint(g->lo)), number(rint(g->mid)), number(rint(g->hi)));
}

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *growth_or_null(int64_t per_min)
{
    double x = (double)per_min;

    return per_min == INT64_MIN ? json_null() : growth(&(struct judge_growth){x, x, x});
}

static json_t *category_line(const struct xray_view *v, enum ledger_category c)
{
    struct judge_line judged;
    bool known = view_line(v, c, &judged);
    json_t *o = json_object();

    set(o, "line", text(ledger_category_name(c)));
    set(o, "parent", json_null());
    set(o, "owner", json_null());
    set(o, "bytes", json_integer(v->ledger->sum[c]));
    set(o, "in_usage", json_boolean(c != LEDGER_BESIDE));
    set(o, "verdict", known ? text(mem_verdict_name(judged.verdict)) : json_null());
    set(o, "growth_bytes_per_min", known ? growth(&judged.bytes_per_min) : json_null());
    set(o, "growth_bytes_per_request", known && judged.per_request_known ? growth(&judged.bytes_per_request) : json_null());
    set(o, "seconds_needed", known && judged.seconds_needed > 0 ? number(judged.seconds_needed) : json_null());
    return o;
}

static json_t *entry_line(const struct ledger_entry *e, int parent)
{
    json_t *o = json_object();

    set(o, "line", text(ledger_category_name(e->category)));
    set(o, "parent", json_integer(parent));
    set(o, "owner", text(e->name));
    set(o, "bytes", json_integer(e->bytes));
    set(o, "in_usage", json_boolean(!e->elsewhere && e->category != LEDGER_BESIDE));
    set(o, "estimate", json_boolean(e->estimate));
    set(o, "elsewhere", json_boolean(e->elsewhere));
    set(o, "pid", e->pid ? json_integer(e->pid) : json_null());
    set(o, "verdict", e->verdict == VERDICT_UNDECIDED ? json_null() : text(mem_verdict_name(e->verdict)));
    set(o, "growth_bytes_per_min", growth_or_null(e->growth_per_min));
    set(o, "growth_from_ages", json_boolean(e->growth_from_ages));
    set(o, "note", text_or_null(e->note));
    return o;
}

// Categories and behind each its parts; `parent` is an index in this list.
static json_t *ledger_lines(const struct xray_view *v)
{
    static int at[LEDGER_ENTRIES];
    const struct ledger *l = v->ledger;
    json_t *list = json_array();

    for (int c = 0; c < LEDGER_CATEGORY_N; c++) {
        int category = (int)json_array_size(list), next = category + 1;
        for (int i = 0; i < l->n; i++)
            if (l->entry[i].category == (enum ledger_category)c)
                at[i] = next++;
        json_array_append_new(list, category_line(v, (enum ledger_category)c));
        for (int i = 0; i < l->n; i++)
            if (l->entry[i].category == (enum ledger_category)c) {
                int p = l->entry[i].parent;
                bool inside = p >= 0 && p < l->n && l->entry[p].category == (enum ledger_category)c;
                json_array_append_new(list, entry_line(&l->entry[i], inside ? at[p] : category));
            }
    }
    return list;
}

static json_t *process(const struct proc_info *p)
{
    json_t *o = json_object(), *split = json_null();

    set(o, "pid", json_integer(p->pid));
    set(o, "ppid", json_integer(p->ppid));
    set(o, "uid", json_integer(p->uid));
    set(o, "name", text(p->comm));
    set(o, "role", text(proc_role_name(p->role)));
    set(o, "pool", text_or_null(p->pool));
    set(o, "threads", json_integer(p->threads));
    set(o, "rss_bytes", amount(p->rss));
    set(o, "rss_anon_bytes", amount(p->rss_anon));
    set(o, "rss_file_bytes", amount(p->rss_file));
    set(o, "rss_shmem_bytes", amount(p->rss_shmem));
    set(o, "pss_bytes", p->pss_known ? amount(p->pss) : json_null());
    set(o, "private_bytes", p->pss_known ? amount(p->private_dirty) : json_null());
    set(o, "text_bytes", amount(p->text));
    set(o, "page_tables_bytes", amount(p->page_tables));
    set(o, "memory_limit_bytes", amount(p->memory_limit));
    set(o, "visible", json_boolean(p->visible));
    if (p->split_known) {
        split = json_object();
        set(split, "php_heap", amount(p->split.php_heap));
        set(split, "php_heap_live", amount(p->split.php_heap_live));
        set(split, "native", amount(p->split.native));
        set(split, "go_heap", amount(p->split.go_heap));
        set(split, "stacks", amount(p->split.stacks));
        set(split, "jit", amount(p->split.jit));
        set(split, "php_heap_exact", json_boolean(p->heap_exact));
    }
    set(o, "anonymous", split);
    return o;
}

static json_t *mount(const struct mount *m)
{
    json_t *o = json_object();

    set(o, "path", text(m->path));
    set(o, "kind", text(mount_kind_name(m->kind)));
    set(o, "used_bytes", amount(m->used));
    set(o, "inodes", amount(m->inodes));
    set(o, "size_bytes", m->size > 0 ? json_integer(m->size) : json_null());
    set(o, "walked", json_boolean(!m->sized));
    set(o, "shadowed", json_boolean(m->shadowed));
    return o;
}

static json_t *directory(const struct xray_view *v, const struct eye_dir *d)
{
    json_t *o = json_object();
    bool has_mount = v->see.mounts && d->mount >= 0 && d->mount < v->see.mounts->n;

    set(o, "path", text(d->path));
    set(o, "mount", has_mount ? text(v->see.mounts->m[d->mount].path) : json_null());
    set(o, "bytes", json_integer(d->bytes));
    set(o, "files", json_integer(d->files));
    set(o, "growth_bytes_per_min", d->growth_per_min == INT64_MIN ? json_null() : json_integer(d->growth_per_min));
    set(o, "growth_from_ages", json_boolean(d->growth_from_ages));
    return o;
}

static json_t *segment(const struct segment *g)
{
    json_t *o = json_object();

    set(o, "kind", text(segment_kind_name(g->kind)));
    set(o, "name", text_or_null(g->name));
    set(o, "bytes", amount(g->bytes));
    set(o, "size_bytes", amount(g->size));
    set(o, "estimate", json_boolean(g->estimate));
    set(o, "pid", g->owner ? json_integer(g->owner) : json_null());
    set(o, "holders", json_integer(g->holders));
    return o;
}

static json_t *fixes_of(const struct xray_view *v, const struct fix *const *fixes, unsigned n)
{
    json_t *list = json_array();
    char out[FIX_TEXT];

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, lines(fix_text(fixes[i], &v->facts, v->finding.place, out)));
    return list;
}

static void set_lists(json_t *o, const struct xray_view *v)
{
    json_t *procs = json_array(), *mounts = json_array(), *dirs = json_array(), *segments = json_array(), *deleted = json_array();
    json_t *files = json_array();

    for (int32_t i = 0; i < v->see.nprocs; i++)
        json_array_append_new(procs, process(&v->see.procs[i]));
    for (int i = 0; v->see.mounts && i < v->see.mounts->n; i++)
        json_array_append_new(mounts, mount(&v->see.mounts->m[i]));
    for (int i = 0; i < v->n_fast; i++)
        json_array_append_new(dirs, directory(v, &v->fast[i]));
    for (int i = 0; i < v->n_big; i++) {
        bool said = false;
        for (int k = 0; k < v->n_fast; k++)
            said |= !strcmp(v->fast[k].path, v->big[i].path);
        if (!said)
            json_array_append_new(dirs, directory(v, &v->big[i]));
    }
    for (int i = 0; v->see.segments && i < v->see.segments->n; i++)
        json_array_append_new(v->see.segments->s[i].kind == SEGMENT_DELETED ? deleted : segments,
                              segment(&v->see.segments->s[i]));
    for (int i = 0; i < v->n_files; i++)
        json_array_append_new(files, json_pack("{s:o,s:o,s:I,s:o,s:o}", "directory", text(v->files_dir), "path",
                                               text(v->files[i].path), "bytes", (json_int_t)v->files[i].bytes, "age_s",
                                               number(v->files[i].age_s > 0 ? v->files[i].age_s : 0), "growth_bytes_per_min",
                                               json_integer(v->files[i].growth_per_min)));
    set(o, "processes", procs);
    set(o, "mounts", mounts);
    set(o, "directories", dirs);
    set(o, "files", files);
    set(o, "shared_segments", segments);
    set(o, "deleted_files", deleted);
}

static void set_verdict(json_t *o, const struct xray_view *v)
{
    const struct finding *f = &v->finding;
    const struct signature *sig = signature_get(f->signature);

    set(o, "headline", text(v->headline));
    set(o, "verdict", text(mem_verdict_name(f->verdict)));
    set(o, "cause", f->cause == CAUSE_NONE ? json_null() : text(mem_cause_name(f->cause)));
    set(o, "cause_text", f->cause == CAUSE_NONE ? json_null() : text(sig->cause[0] ? sig->cause : finding_cause_words(f->cause)));
    set(o, "signature", text_or_null(sig->name));
    set(o, "place", text_or_null(f->place));
    set(o, "growth_bytes_per_min", f->growth_known ? growth(&f->bytes_per_min) : json_null());
    set(o, "growth_from_ages", json_boolean(f->growth_from_ages));
    set(o, "total_growth_bytes_per_min", v->judged ? growth(&v->judge.bytes_per_min) : json_null());
    set(o, "share_of_growth", f->share >= 0 ? number(f->share) : json_null());
    set(o, "stall_in_s", f->stall_known ? json_pack("[oo]", number(f->stall_lo), number(f->stall_hi)) : json_null());
    set(o, "seconds_judged", v->judged ? number(v->judge.span) : json_real(0));
    set(o, "seconds_needed", f->seconds_needed > 0 ? number(f->seconds_needed) : json_null());
    set(o, "history", text(v->from_watch ? "watch" : v->judged ? "own" : "none"));
}

static void set_advice(json_t *o, const struct xray_view *v)
{
    json_t *conditions = json_array(), *others = json_array(), *notes = json_array();
    const struct fix *fixes[FIX_MAX];

    set(o, "server", text(advice_server_name(v->facts.server)));
    set(o, "application", v->finding.app == APP_UNKNOWN ? json_null() : text(advice_app_name(v->finding.app)));
    set(o, "memory_limit_bytes", amount(v->facts.memory_limit));
    set(o, "memory_limit_from", v->conf.memory_limit.known ? text(v->conf.memory_limit.from) : json_null());
    set(o, "max_children", amount(v->facts.max_children));
    set(o, "threads", amount(v->facts.num_threads));
    set(o, "fixes", fixes_of(v, v->fixes, v->n_fixes));
    for (unsigned i = 0; i < v->n_conditions; i++) {
        const struct signature *sig = signature_get(v->conditions[i]);
        unsigned n = fix_list(v->conditions[i], v->facts.app, v->facts.server, fixes);
        json_array_append_new(conditions, json_pack("{s:o,s:o,s:o,s:o}", "name", text(sig->name), "what", text(sig->what),
                                                    "cause", text(sig->cause), "fixes", fixes_of(v, fixes, n)));
    }
    set(o, "conditions", conditions);
    for (int i = 0; i < OTHER_NUMBERS; i++)
        json_array_append_new(others, json_pack("{s:s,s:s,s:o,s:s,s:s}", "name", v->others[i].name, "who", v->others[i].who,
                                                "bytes", amount(v->others[i].bytes), "formula", v->others[i].formula, "misses",
                                                v->others[i].misses));
    set(o, "other_numbers", others);
    for (unsigned i = 0; i < v->n_notes; i++)
        json_array_append_new(notes, text(v->notes[i]));
    set(o, "notes", notes);
}

void xray_json(struct buf *b, const struct xray_view *v)
{
    static const char *const limits[] = {"none", "cgroup", "memory.high", "ancestor", "machine"};
    const struct mem_sample *s = v->see.sample;
    const struct ledger *l = v->ledger;
    json_t *o = json_object();

    set(o, "schema", json_string("plimsoll.xray/1"));
    set(o, "version", json_string(PLIMSOLL_VERSION));
    set(o, "time", json_integer(v->made));
    set(o, "target",
        json_pack("{s:o,s:o,s:o,s:o,s:b}", "text", text(v->target), "kind", text(mem_kind_name(v->kind)), "cgroup",
                  text_or_null(v->cgroup), "pid", v->pid ? json_integer(v->pid) : json_null(), "machine", (int)v->machine));
    set(o, "sight", text(sight_name(v->see.sight)));
    set(o, "gvisor", json_boolean(v->see.gvisor));
    set(o, "limit_bytes", l->limit == MEM_UNLIMITED ? json_null() : json_integer(l->limit));
    set(o, "limit_from", text((unsigned)v->limit.from < 5 ? limits[v->limit.from] : "none"));
    set(o, "host_bytes", amount(v->host_ram));
    set(o, "cpus", number(v->cpus));
    set(o, "usage_bytes", json_integer(l->usage));
    set(o, "hard_bytes", json_integer(l->hard));
    set(o, "peak_bytes", field(s, MEM_peak));
    set(o, "unexplained_bytes", json_integer(l->sum[LEDGER_UNEXPLAINED]));
    set(o, "reserve_bytes", json_integer(l->reserve));
    set(o, "balances", json_boolean(ledger_balances(l)));
    set(o, "oom_kill", field(s, MEM_oom_kill));
    set(o, "events_max", field(s, MEM_events_max));
    set(o, "failcnt", field(s, MEM_failcnt));
    set_verdict(o, v);
    set(o, "lines", ledger_lines(v));
    set_lists(o, v);
    set(o, "walk",
        json_pack("{s:b,s:o,s:I,s:I,s:I}", "complete", (int)v->walk.complete, "covered",
                  v->walk.covered >= 0 ? number(v->walk.covered) : json_null(), "entries", (json_int_t)v->walk.entries,
                  "directories", (json_int_t)v->walk.dirs, "unreadable", (json_int_t)v->walk.unreadable));
    set(o, "requests",
        v->requests_known ? json_pack("{s:o,s:I,s:b}", "source", text(requests_source_name(v->requests.source)), "total",
                                      (json_int_t)v->requests.total, "estimate", (int)v->requests.estimate)
                          : json_null());
    set_advice(o, v);
    char *dump = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(o);
    if (dump)
        buf_add(b, dump, strlen(dump));
    buf_add(b, "\n", 1);
    free(dump);
}
