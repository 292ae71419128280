// SPDX-License-Identifier: Apache-2.0
// An answer as one screen of text: the verdict first, then the ledger, who holds it, what to change. Draws only what the view
// holds; every text from outside goes through draw_foreign or draw_wrapped.
#include "xray/xray_text_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"

#define PROCS_MAX 8

static const char *bytes_or_dash(int64_t bytes, char text[HUMAN_N])
{
    return bytes < 0 ? "-" : bytes == 0 ? "0" : human_bytes(bytes, text);
}

// What the running server is set to, where that is known.
static void draw_server(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    const struct advice_facts *f = &v->facts;
    char text[HUMAN_N];

    if (f->server == SERVER_UNKNOWN || (f->memory_limit < 0 && f->max_children < 0 && f->num_threads < 0))
        return;
    draw(b, s, INK_PLAIN, "        %s:", advice_server_name(f->server));
    if (f->memory_limit >= 0)
        draw(b, s, INK_PLAIN, " memory_limit %s", f->memory_limit ? human_bytes(f->memory_limit, text) : "off");
    if (v->conf.memory_limit.known && f->memory_limit >= 0) {
        draw(b, s, INK_DIM, " (");
        draw_foreign(b, s, INK_DIM, v->conf.memory_limit.from, s->columns - 64);
        draw(b, s, INK_DIM, ")");
    }
    if (f->server == SERVER_FRANKENPHP && f->num_threads > 0)
        draw(b, s, INK_PLAIN, "  %d threads", (int)f->num_threads);
    else if (f->max_children > 0)
        draw(b, s, INK_PLAIN, "  at most %d worker%s", (int)f->max_children, f->max_children == 1 ? "" : "s");
    text__end_line(b);
}

static void draw_memory(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    char usage[HUMAN_N], limit[HUMAN_N], hard[HUMAN_N], peak[HUMAN_N];
    const struct ledger *l = v->ledger;

    draw(b, s, INK_BOLD, "Memory  ");
    if (l->limit != MEM_UNLIMITED && l->limit > 0) {
        draw_bar(b, s, l->hard > l->limit / 10 * 9 ? INK_RED : INK_BLUE, l->usage, l->limit, text__is_wide(s) ? 24 : 14);
        draw(b, s, INK_PLAIN, "  %s of %s (%.0f %%)", human_bytes(l->usage, usage), human_bytes(l->limit, limit),
             (double)l->usage / (double)l->limit * 100);
    } else {
        draw(b, s, INK_PLAIN, "%s, no limit", human_bytes(l->usage, usage));
    }
    if (l->hard >= 0)
        draw(b, s, INK_PLAIN, "  can't be dropped: %s", human_bytes(l->hard, hard));
    text__end_line(b);
    int64_t oom = mem_get(v->see.sample, MEM_oom_kill, -1);
    if (oom >= 0)
        draw(b, s, oom > 0 ? INK_RED : INK_PLAIN, "        oom_kill %lld", (long long)oom);
    else
        draw(b, s, INK_PLAIN, "        oom_kill not told here");
    if (mem_known(v->see.sample, MEM_peak))
        draw(b, s, INK_PLAIN, "  highest %s", human_bytes(v->see.sample->v[MEM_peak], peak));
    if (mem_known(v->see.sample, MEM_events_max))
        draw(b, s, INK_PLAIN, "  at the limit %lld times", (long long)v->see.sample->v[MEM_events_max]);
    if (v->requests_known)
        draw(b, s, INK_PLAIN, "  requests %s%lld (%s)", v->requests.estimate ? "≈ " : "", (long long)v->requests.total,
             requests_source_name(v->requests.source));
    text__end_line(b);
    draw_server(b, s, v);
}

void xray_text_headline(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    enum ink ink = ink_of_verdict(v->finding.verdict);

    draw_wrapped(b, s, ink == INK_DIM ? INK_BOLD : ink, v->headline, 0);
    text__end_line(b);
    text__end_line(b);
    draw_memory(b, s, v);
}

static int by_rss(const void *a, const void *b)
{
    const struct proc_info *x = *(const struct proc_info *const *)a, *y = *(const struct proc_info *const *)b;
    int64_t m = x->pss_known ? x->pss : x->rss, n = y->pss_known ? y->pss : y->rss;

    return m < n ? 1 : m > n ? -1 : (int)(x->pid - y->pid);
}

static void draw_process(struct buf *b, const struct screen *s, const struct proc_info *p, bool any_pss)
{
    char text[HUMAN_N];
    const int64_t columns[] = {p->pss_known ? p->pss : p->rss,
                               p->pss_known ? p->private_dirty : p->rss_anon,
                               p->split_known ? p->split.php_heap : -1,
                               p->split_known ? p->split.native : -1,
                               p->split_known ? p->split.go_heap : -1,
                               p->split_known ? p->split.stacks : -1,
                               p->text};
    int n = text__is_wide(s) ? 7 : 5, at = text__is_wide(s) ? 30 : 28;

    draw(b, s, INK_PLAIN, "%8ld  ", (long)p->pid);
    char name[64];
    if (p->role == ROLE_OTHER || p->role == ROLE_GO)
        snprintf(name, sizeof name, "%.15s", p->comm);
    else
        snprintf(name, sizeof name, "%s%s%.31s", proc_role_name(p->role), p->pool[0] ? " " : "", p->pool);
    draw_foreign(b, s, INK_PLAIN, name, at - 11);
    for (int i = 0; i < n; i++) {
        char marked[HUMAN_N + 4];
        const char *amount = bytes_or_dash(columns[i], text);
        if (!p->pss_known && any_pss && i < 2 && columns[i] >= 0) { // the column speaks of shares, this is more
            snprintf(marked, sizeof marked, "≈%s", amount);
            amount = marked;
        }
        text__right(b, s, columns[i] < 0 ? INK_DIM : INK_PLAIN, amount, at + 10 * (i + 1) - 1);
    }
    text__end_line(b);
}

static void draw_processes(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    static const char *const heads[] = {"PSS", "private", "PHP heap", "native", "Go heap", "stacks", "text"};
    const struct proc_info **sorted = calloc((size_t)v->see.nprocs + 1, sizeof *sorted);
    int at = text__is_wide(s) ? 30 : 28, n = text__is_wide(s) ? 7 : 5, shown = 0;
    bool any_pss = false;
    int64_t rest = 0;
    char text[HUMAN_N];

    if (!sorted)
        return;
    for (int32_t i = 0; i < v->see.nprocs; i++) {
        sorted[i] = &v->see.procs[i];
        any_pss |= v->see.procs[i].pss_known;
    }
    qsort(sorted, (size_t)v->see.nprocs, sizeof *sorted, by_rss);
    text__title(b, s, "Processes");
    for (int i = 0; i < n; i++)
        text__right(b, s, INK_DIM, any_pss || i > 1 ? heads[i] : i == 0 ? "RSS" : "anon", at + 10 * (i + 1) - 1);
    text__end_line(b);
    for (int32_t i = 0; i < v->see.nprocs; i++) {
        if (shown < PROCS_MAX || v->see.nprocs == PROCS_MAX + 1) {
            shown++;
            draw_process(b, s, sorted[i], any_pss);
        } else {
            rest += sorted[i]->pss_known ? sorted[i]->pss : sorted[i]->rss > 0 ? sorted[i]->rss : 0;
        }
    }
    if (v->see.nprocs > shown) {
        draw(b, s, INK_DIM, "%10d more", (int)v->see.nprocs - shown);
        text__right(b, s, INK_DIM, human_bytes(rest, text), at + 9);
        text__end_line(b);
    }
    free(sorted);
}

static void draw_dir(struct buf *b, const struct screen *s, const struct xray_view *v, const struct eye_dir *d)
{
    int at = text__bytes_column(s), bar = text__bar_columns(s);
    const struct mount *m = v->see.mounts && d->mount >= 0 && d->mount < v->see.mounts->n ? &v->see.mounts->m[d->mount] : NULL;
    char text[HUMAN_N];

    draw(b, s, INK_PLAIN, "  ");
    draw_foreign(b, s, INK_PLAIN, d->path, at - 14);
    text__right(b, s, INK_PLAIN, human_bytes(d->bytes, text), at);
    text__growth(b, s, d->growth_per_min != INT64_MIN, (double)d->growth_per_min, d->growth_from_ages, at + bar + 14);
    draw_to(b, s, at + bar + 16);
    draw(b, s, INK_DIM, d->files == 1 ? "%lld file" : "%lld files", (long long)d->files);
    if (m && text__is_wide(s))
        draw(b, s, INK_DIM, ", %s", mount_kind_name(m->kind));
    text__end_line(b);
}

void xray_text_directories(struct buf *b, const struct screen *s, const struct xray_view *v, int max)
{
    char text[HUMAN_N];

    if (v->n_big == 0 && v->n_fast == 0)
        return;
    text__title(b, s, v->n_fast ? "Directories in memory, fastest growing first" : "Directories in memory, biggest first");
    text__end_line(b);
    int shown = 0;
    for (int i = 0; i < v->n_fast && shown < max; i++, shown++)
        draw_dir(b, s, v, &v->fast[i]);
    for (int i = 0; i < v->n_big && shown < max; i++) {
        bool said = false;
        for (int k = 0; k < v->n_fast; k++)
            said |= !strcmp(v->fast[k].path, v->big[i].path);
        if (!said) {
            shown++;
            draw_dir(b, s, v, &v->big[i]);
        }
    }
    if (v->n_files && max > 4) {
        draw(b, s, INK_DIM, v->files_grow ? "  fastest growing files of " : "  biggest files of ");
        draw_foreign(b, s, INK_DIM, v->files_dir, s->columns - 28);
        text__end_line(b);
        for (int i = 0; i < v->n_files && i < 3; i++) {
            draw(b, s, INK_PLAIN, "    ");
            draw_foreign(b, s, INK_PLAIN, v->files[i].path, text__bytes_column(s) - 16);
            text__right(b, s, INK_PLAIN, human_bytes(v->files[i].bytes, text), text__bytes_column(s));
            if (v->files_grow)
                text__growth(b, s, true, (double)v->files[i].growth_per_min, true,
                             text__bytes_column(s) + text__bar_columns(s) + 14);
            if (v->files[i].age_s < 1)
                draw(b, s, INK_DIM, "  written just now\n");
            else
                draw(b, s, INK_DIM, "  written %s ago\n", human_seconds(v->files[i].age_s, text));
        }
    }
}

static void draw_deleted(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    const struct segments *g = v->see.segments;
    char text[HUMAN_N];
    int shown = 0, n = 0;

    for (int i = 0; g && i < g->n; i++)
        n += g->s[i].kind == SEGMENT_DELETED;
    if (n == 0)
        return;
    text__title(b, s, "Deleted files in memory that are still open");
    text__end_line(b);
    for (int i = 0; i < g->n && shown < 5; i++) {
        if (g->s[i].kind != SEGMENT_DELETED)
            continue;
        shown++;
        draw(b, s, INK_PLAIN, "  ");
        draw_foreign(b, s, INK_PLAIN, g->s[i].name, text__bytes_column(s) - 14);
        text__right(b, s, INK_PLAIN, bytes_or_dash(g->s[i].bytes, text), text__bytes_column(s));
        draw(b, s, INK_DIM, "  held by pid %ld", (long)g->s[i].owner);
        if (g->s[i].holders > 1)
            draw(b, s, INK_DIM, " and %d more", (int)g->s[i].holders - 1);
        text__end_line(b);
    }
    if (n > shown)
        draw(b, s, INK_DIM, "  %d more\n", n - shown);
}

// The first line in words, the lines to paste as they are, the rest dim.
static void draw_fix(struct buf *b, const struct screen *s, const struct xray_view *v, unsigned number, const struct fix *f,
                     const char *path)
{
    char text[FIX_TEXT], *line = text;

    fix_text(f, &v->facts, path, text);
    size_t paste_lines = f->paste[0] != '\0';
    for (const char *p = f->paste; *p; p++)
        paste_lines += *p == '\n';
    if (number > 1 && paste_lines > 4) { // one screen: an alternative's lines stand in --json and --report
        snprintf(text, sizeof text, "%s (%s): --json has the lines.", f->title, f->where);
        paste_lines = 0;
    }
    for (size_t i = 0; line; i++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (i == 0) {
            draw(b, s, INK_BOLD, "%3u. ", number);
            draw_wrapped(b, s, INK_BOLD, line, 5);
        } else if (i <= paste_lines) { // never wrapped: it is to be copied
            draw(b, s, INK_PLAIN, "       ");
            draw_foreign(b, s, INK_GREEN, line, 1000);
        } else {
            draw(b, s, INK_PLAIN, "     ");
            draw_wrapped(b, s, INK_DIM, line, 5);
        }
        text__end_line(b);
        line = end ? end + 1 : NULL;
    }
}

static void draw_fixes(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    if (v->n_fixes) {
        text__title(b, s, "What to change");
        text__end_line(b);
        for (unsigned i = 0; i < v->n_fixes; i++)
            draw_fix(b, s, v, i + 1, v->fixes[i], v->finding.place);
    }
    if (v->n_conditions == 0)
        return;
    text__title(b, s, v->n_fixes ? "Also worth changing" : "Worth changing");
    text__end_line(b);
    for (unsigned i = 0; i < v->n_conditions; i++) {
        const struct signature *sig = signature_get(v->conditions[i]);
        const struct fix *fixes[FIX_MAX];
        char text[512];
        snprintf(text, sizeof text, "%s.", sig->cause);
        draw(b, s, INK_PLAIN, "  - ");
        draw_wrapped(b, s, INK_PLAIN, text, 4);
        text__end_line(b);
        if (fix_list(v->conditions[i], v->facts.app, v->facts.server, fixes) > 0)
            draw_fix(b, s, v, 1, fixes[0], v->finding.place);
    }
}

static void draw_others(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    char text[HUMAN_N];

    text__title(b, s, "The other numbers");
    text__end_line(b);
    for (int i = 0; i < OTHER_NUMBERS; i++) {
        const struct other_number *o = &v->others[i];
        draw(b, s, INK_PLAIN, "  %s", o->who);
        text__right(b, s, o->bytes < 0 ? INK_DIM : INK_PLAIN, o->bytes < 0 ? "not told" : human_bytes(o->bytes, text), 36);
        draw(b, s, INK_PLAIN, "  ");
        draw_wrapped(b, s, INK_DIM, o->misses, 38);
        text__end_line(b);
    }
}

static void draw_notes(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    text__title(b, s, "Sight");
    draw(b, s, INK_PLAIN, "   %s",
         v->lacked_files                ? "not known: out of file descriptors"
         : v->see.sight == SIGHT_FULL   ? "full: everything can be read"
         : v->see.sight == SIGHT_DOCKER ? "docker: root without SYS_PTRACE"
                                        : "none: status only");
    text__end_line(b);
    for (unsigned i = 0; i < v->n_notes; i++) {
        draw(b, s, INK_PLAIN, "  ");
        draw_wrapped(b, s, INK_PLAIN, v->notes[i], 2);
        text__end_line(b);
    }
    if (v->hint[0]) {
        text__end_line(b);
        draw_wrapped(b, s, INK_DIM, v->hint, 0);
        text__end_line(b);
    }
}

static void draw_head(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    draw(b, s, INK_DIM, "plimsoll-xray  ");
    draw_foreign(b, s, INK_DIM, v->target, s->columns - 15);
    text__end_line(b);
    text__end_line(b);
}

void xray_text_first(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    draw_head(b, s, v);
    draw_memory(b, s, v);
    xray_text_ledger(b, s, v, 12);
    draw_processes(b, s, v);
}

void xray_text(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    draw_head(b, s, v);
    xray_text_headline(b, s, v);
    xray_text_ledger(b, s, v, 12);
    draw_processes(b, s, v);
    xray_text_directories(b, s, v, 6);
    draw_deleted(b, s, v);
    draw_fixes(b, s, v);
    draw_others(b, s, v);
    draw_notes(b, s, v);
}
