// SPDX-License-Identifier: Apache-2.0
// An answer as one screen of text: the verdict first, then the ledger, who holds it, what to change. Draws only what the view
// holds; every text from outside goes through draw_foreign or draw_wrapped.
#include "xray/xray_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"

#define CHILDREN_MAX 5
#define PROCS_MAX 8

static bool is_wide(const struct screen *s)
{
    return s->columns >= 96;
}

static int bytes_column(const struct screen *s)
{
    return is_wide(s) ? 46 : 34;
}

static int bar_columns(const struct screen *s)
{
    return is_wide(s) ? 14 : 8;
}

static void end_line(struct buf *b)
{
    buf_add(b, "\n", 1);
}

static void draw_right(struct buf *b, const struct screen *s, enum ink ink, const char *text, int end)
{
    draw_to(b, s, end - draw_width(text, strlen(text)));
    draw(b, s, ink, "%s", text);
}

static void title(struct buf *b, const struct screen *s, const char *text)
{
    end_line(b);
    draw(b, s, INK_BOLD, "%s", text);
}

static const char *bytes_or_dash(int64_t bytes, char text[HUMAN_N])
{
    return bytes < 0 ? "-" : bytes == 0 ? "0" : human_bytes(bytes, text);
}

static void draw_memory(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    char usage[HUMAN_N], limit[HUMAN_N], hard[HUMAN_N], peak[HUMAN_N];
    const struct ledger *l = v->ledger;

    draw(b, s, INK_BOLD, "Memory  ");
    if (l->limit != MEM_UNLIMITED && l->limit > 0) {
        draw_bar(b, s, l->hard > l->limit / 10 * 9 ? INK_RED : INK_BLUE, l->usage, l->limit, is_wide(s) ? 24 : 14);
        draw(b, s, INK_PLAIN, "  %s of %s (%.0f %%)", human_bytes(l->usage, usage), human_bytes(l->limit, limit),
             (double)l->usage / (double)l->limit * 100);
    } else {
        draw(b, s, INK_PLAIN, "%s, no limit", human_bytes(l->usage, usage));
    }
    if (l->hard >= 0)
        draw(b, s, INK_PLAIN, "  can't be dropped: %s", human_bytes(l->hard, hard));
    end_line(b);
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
    end_line(b);
}

void xray_text_headline(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    enum ink ink = ink_of_verdict(v->finding.verdict);

    draw_wrapped(b, s, ink == INK_DIM ? INK_BOLD : ink, v->headline, 0);
    end_line(b);
    end_line(b);
    draw_memory(b, s, v);
}

static void draw_growth(struct buf *b, const struct screen *s, bool known, double per_min, bool from_ages, int end)
{
    char rate[HUMAN_N], text[HUMAN_N + 8];

    if (!known || (per_min > -512 && per_min < 512)) {
        draw_right(b, s, INK_DIM, known ? "0" : "-", end);
        return;
    }
    human_bytes((int64_t)(per_min < 0 ? -per_min : per_min), rate);
    snprintf(text, sizeof text, "%s%s%s", from_ages ? "~" : "", per_min < 0 ? "-" : "+", rate);
    draw_right(b, s, INK_PLAIN, text, end);
}

static const char *words_of_category(enum ledger_category c)
{
    static const char *const words[LEDGER_CATEGORY_N] = {"anonymous", "files in memory", "shared memory",   "page cache",
                                                         "kernel",    "unexplained",     "beside the usage"};
    return words[c];
}

// The only summand of a category, where there is one: its line would say the same once more.
static int only_summand(const struct ledger *l, enum ledger_category c)
{
    int found = -1;

    for (int i = 0; i < l->n; i++)
        if (l->entry[i].category == c && l->entry[i].parent < 0 && l->entry[i].bytes != 0) {
            if (found >= 0)
                return -1;
            found = i;
        }
    return c == LEDGER_KERNEL || c == LEDGER_UNEXPLAINED ? found : -1;
}

static void draw_category(struct buf *b, const struct screen *s, const struct xray_view *v, enum ledger_category c)
{
    const struct ledger *l = v->ledger;
    struct judge_line line;
    char text[HUMAN_N];
    int at = bytes_column(s), bar = bar_columns(s);

    bool judged = view_line(v, c, &line), grew = judged && line.verdict != VERDICT_UNDECIDED;
    draw(b, s, INK_BOLD, "%s", words_of_category(c));
    draw_right(b, s, INK_BOLD, human_bytes(l->sum[c], text), at);
    draw_to(b, s, at + 2);
    draw_bar(b, s, judged ? ink_of_verdict(line.verdict) : INK_BLUE, l->sum[c], l->usage, bar);
    draw_growth(b, s, grew, grew ? line.bytes_per_min.mid : 0, false, at + bar + 14);
    if (judged && line.verdict == VERDICT_UNDECIDED && line.seconds_needed > 0) {
        draw_to(b, s, at + bar + 16);
        draw(b, s, INK_DIM, "undecided, %s more", human_seconds(line.seconds_needed, text));
    } else if (judged) {
        draw_to(b, s, at + bar + 16);
        draw(b, s, ink_of_verdict(line.verdict), "%s", words_of_verdict(line.verdict));
    } else if (c == LEDGER_UNEXPLAINED) {
        int64_t allowed = l->usage / 100 > l->reserve ? l->usage / 100 : l->reserve;
        draw_to(b, s, at + bar + 16);
        draw(b, s, ledger_balances(l) ? INK_DIM : INK_YELLOW, ledger_balances(l) ? "balances (≤ %s)" : "more than %s",
             human_bytes(allowed, text));
    }
    end_line(b);
}

struct child {
    int index, n; // n: workers of a pool are one line
    int64_t bytes;
};

static int by_size(const void *a, const void *b)
{
    const struct child *x = a, *y = b;

    return llabs(x->bytes) < llabs(y->bytes) ? 1 : llabs(x->bytes) > llabs(y->bytes) ? -1 : x->index - y->index;
}

// Of a sentence the beginning says most.
static void draw_beginning(struct buf *b, const struct screen *s, const char *text, int columns)
{
    char shown[LEDGER_NAME];
    size_t n = strlen(text);

    if (draw_width(text, n) > columns) {
        snprintf(shown, sizeof shown, "%.*s", columns > 3 ? columns - 3 : 0, text);
        char *space = strrchr(shown, ' ');
        if (space)
            *space = '\0';
        draw_foreign(b, s, INK_DIM, shown, columns);
        draw(b, s, INK_DIM, "...");
        return;
    }
    draw_foreign(b, s, INK_DIM, text, columns);
}

static void draw_entry(struct buf *b, const struct screen *s, const struct ledger_entry *e, const struct child *c, int depth)
{
    char text[HUMAN_N], amount[HUMAN_N + 8];
    int at = bytes_column(s), bar = bar_columns(s);

    for (int i = 0; i < depth; i++)
        buf_add(b, "  ", 2);
    human_bytes(c->bytes, text);
    snprintf(amount, sizeof amount, "%s%s", e->estimate ? "≈ " : "", text);
    char name[LEDGER_NAME + 16];
    if (c->n > 1)
        snprintf(name, sizeof name, "%s (%d)", e->name, c->n);
    else
        snprintf(name, sizeof name, "%s", e->name);
    draw_foreign(b, s, INK_PLAIN, name, at - 2 * depth - draw_width(amount, strlen(amount)) - 2);
    draw_right(b, s, e->elsewhere ? INK_DIM : INK_PLAIN, amount, at);
    int from = at + 2;
    if (e->growth_per_min != INT64_MIN && e->growth_per_min != 0) {
        draw_growth(b, s, true, (double)e->growth_per_min, e->growth_from_ages, at + bar + 14);
        from = at + bar + 16;
    }
    const char *note = e->note[0] ? e->note : e->elsewhere ? "charged elsewhere" : "";
    if (*note) {
        draw_to(b, s, from);
        draw_beginning(b, s, note, s->columns - from);
    }
    end_line(b);
}

static int add_child(const struct ledger *l, struct child *children, int n, int i)
{
    for (int k = 0; k < n && l->entry[i].category == LEDGER_ANON && l->entry[i].pid; k++)
        if (l->entry[children[k].index].pid && !strcmp(l->entry[children[k].index].name, l->entry[i].name)) {
            children[k].n++;
            children[k].bytes += l->entry[i].bytes;
            return n;
        }
    children[n] = (struct child){i, 1, l->entry[i].bytes};
    return n + 1;
}

// The parts of `parent` (-1: the summands of a category), largest first.
static void draw_entries(struct buf *b, const struct screen *s, const struct ledger *l, enum ledger_category c, int parent,
                         int depth, int *io_left)
{
    static struct child sorted[4][LEDGER_ENTRIES];
    struct child *children = sorted[depth - 1];
    char text[HUMAN_N];
    int n = 0, shown = 0, hidden = 0, most = depth == 1 ? CHILDREN_MAX : 2,
        depth_max = c == LEDGER_ANON ? 1 : 3; // processes have a table
    int64_t rest = 0;

    for (int i = 0; i < l->n; i++)
        if (l->entry[i].category == c && l->entry[i].parent == parent && l->entry[i].bytes != 0)
            n = add_child(l, children, n, i);
    qsort(children, (size_t)n, sizeof *children, by_size);
    for (int i = 0; i < n; i++) {
        // A line of "1 more" would take as much room as the one it hides; what is tiny beside the rest says nothing.
        bool tiny = shown > 0 && llabs(children[i].bytes) < l->usage / 500;
        if (*io_left <= 0 || tiny || (shown >= most && n - shown > 1)) {
            rest += l->entry[children[i].index].elsewhere ? 0 : children[i].bytes;
            hidden += children[i].n;
            continue;
        }
        shown++;
        --*io_left;
        draw_entry(b, s, &l->entry[children[i].index], &children[i], depth);
        if (depth < depth_max)
            draw_entries(b, s, l, c, children[i].index, depth + 1, io_left);
    }
    if (n - shown > 0 && *io_left > 0 && depth == 1) {
        draw(b, s, INK_DIM, "  %d more", hidden);
        draw_right(b, s, INK_DIM, human_bytes(rest, text), bytes_column(s));
        end_line(b);
    }
}

void xray_text_ledger(struct buf *b, const struct screen *s, const struct xray_view *v, int entries_max)
{
    const struct ledger *l = v->ledger;
    int at = bytes_column(s), bar = bar_columns(s);
    char text[HUMAN_N];

    title(b, s, "Ledger");
    draw_right(b, s, INK_DIM, "bytes", at);
    draw_to(b, s, at + 2);
    draw(b, s, INK_DIM, "of the usage");
    draw_right(b, s, INK_DIM, "growth/min", at + bar + 14);
    draw_to(b, s, at + bar + 16);
    draw(b, s, INK_DIM, "verdict\n");
    for (int c = 0; c < LEDGER_CATEGORY_N; c++) {
        int left = entries_max;
        if (c == LEDGER_BESIDE && l->sum[c] == 0)
            continue;
        if (c == LEDGER_BESIDE) {
            draw(b, s, INK_BOLD, "= usage");
            draw_right(b, s, INK_BOLD, human_bytes(l->usage, text), at);
            end_line(b);
        }
        draw_category(b, s, v, (enum ledger_category)c);
        int only = only_summand(l, (enum ledger_category)c);
        if (only >= 0 && left > 0 && l->entry[only].note[0]) {
            draw(b, s, INK_PLAIN, "  ");
            draw_wrapped(b, s, INK_DIM, l->entry[only].note, 2);
            end_line(b);
        }
        if (left > 0)
            draw_entries(b, s, l, (enum ledger_category)c, only, 1, &left);
    }
    if (l->sum[LEDGER_BESIDE] == 0) {
        draw(b, s, INK_BOLD, "= usage");
        draw_right(b, s, INK_BOLD, human_bytes(l->usage, text), at);
        end_line(b);
    }
}

static int by_rss(const void *a, const void *b)
{
    const struct proc_info *x = *(const struct proc_info *const *)a, *y = *(const struct proc_info *const *)b;
    int64_t m = x->pss_known ? x->pss : x->rss, n = y->pss_known ? y->pss : y->rss;

    return m < n ? 1 : m > n ? -1 : (int)(x->pid - y->pid);
}

static void draw_process(struct buf *b, const struct screen *s, const struct proc_info *p)
{
    char text[HUMAN_N];
    const int64_t columns[] = {p->pss_known ? p->pss : p->rss,
                               p->pss_known ? p->private_dirty : p->rss_anon,
                               p->split_known ? p->split.php_heap : -1,
                               p->split_known ? p->split.native : -1,
                               p->split_known ? p->split.go_heap : -1,
                               p->split_known ? p->split.stacks : -1,
                               p->text};
    int n = is_wide(s) ? 7 : 5, at = is_wide(s) ? 30 : 28;

    draw(b, s, INK_PLAIN, "%8ld  ", (long)p->pid);
    char name[64];
    if (p->role == ROLE_OTHER || p->role == ROLE_GO)
        snprintf(name, sizeof name, "%.15s", p->comm);
    else
        snprintf(name, sizeof name, "%s%s%.31s", proc_role_name(p->role), p->pool[0] ? " " : "", p->pool);
    draw_foreign(b, s, INK_PLAIN, name, at - 11);
    for (int i = 0; i < n; i++) {
        const char *amount = bytes_or_dash(columns[i], text);
        draw_right(b, s, columns[i] < 0 ? INK_DIM : INK_PLAIN, amount, at + 10 * (i + 1) - 1);
    }
    end_line(b);
}

static void draw_processes(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    static const char *const heads[] = {"PSS", "private", "PHP heap", "native", "Go heap", "stacks", "text"};
    const struct proc_info **sorted = calloc((size_t)v->see.nprocs + 1, sizeof *sorted);
    int at = is_wide(s) ? 30 : 28, n = is_wide(s) ? 7 : 5, shown = 0;
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
    title(b, s, "Processes");
    for (int i = 0; i < n; i++)
        draw_right(b, s, INK_DIM, any_pss || i > 1 ? heads[i] : i == 0 ? "RSS" : "anon", at + 10 * (i + 1) - 1);
    end_line(b);
    for (int32_t i = 0; i < v->see.nprocs; i++) {
        if (shown < PROCS_MAX || v->see.nprocs == PROCS_MAX + 1) {
            shown++;
            draw_process(b, s, sorted[i]);
        } else {
            rest += sorted[i]->pss_known ? sorted[i]->pss : sorted[i]->rss > 0 ? sorted[i]->rss : 0;
        }
    }
    if (v->see.nprocs > shown) {
        draw(b, s, INK_DIM, "%10d more", (int)v->see.nprocs - shown);
        draw_right(b, s, INK_DIM, human_bytes(rest, text), at + 9);
        end_line(b);
    }
    free(sorted);
}

static void draw_dir(struct buf *b, const struct screen *s, const struct xray_view *v, const struct eye_dir *d)
{
    int at = bytes_column(s), bar = bar_columns(s);
    const struct mount *m = v->see.mounts && d->mount >= 0 && d->mount < v->see.mounts->n ? &v->see.mounts->m[d->mount] : NULL;
    char text[HUMAN_N];

    draw(b, s, INK_PLAIN, "  ");
    draw_foreign(b, s, INK_PLAIN, d->path, at - 14);
    draw_right(b, s, INK_PLAIN, human_bytes(d->bytes, text), at);
    draw_growth(b, s, d->growth_per_min != INT64_MIN, (double)d->growth_per_min, d->growth_from_ages, at + bar + 14);
    draw_to(b, s, at + bar + 16);
    draw(b, s, INK_DIM, d->files == 1 ? "%lld file" : "%lld files", (long long)d->files);
    if (m && is_wide(s))
        draw(b, s, INK_DIM, ", %s", mount_kind_name(m->kind));
    end_line(b);
}

void xray_text_directories(struct buf *b, const struct screen *s, const struct xray_view *v, int max)
{
    char text[HUMAN_N];

    if (v->n_big == 0 && v->n_fast == 0)
        return;
    title(b, s, v->n_fast ? "Directories in memory, fastest growing first" : "Directories in memory, biggest first");
    end_line(b);
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
        end_line(b);
        for (int i = 0; i < v->n_files && i < 3; i++) {
            draw(b, s, INK_PLAIN, "    ");
            draw_foreign(b, s, INK_PLAIN, v->files[i].path, bytes_column(s) - 16);
            draw_right(b, s, INK_PLAIN, human_bytes(v->files[i].bytes, text), bytes_column(s));
            if (v->files_grow)
                draw_growth(b, s, true, (double)v->files[i].growth_per_min, true, bytes_column(s) + bar_columns(s) + 14);
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
    title(b, s, "Deleted files in memory that are still open");
    end_line(b);
    for (int i = 0; i < g->n && shown < 5; i++) {
        if (g->s[i].kind != SEGMENT_DELETED)
            continue;
        shown++;
        draw(b, s, INK_PLAIN, "  ");
        draw_foreign(b, s, INK_PLAIN, g->s[i].name, bytes_column(s) - 14);
        draw_right(b, s, INK_PLAIN, bytes_or_dash(g->s[i].bytes, text), bytes_column(s));
        draw(b, s, INK_DIM, "  held by pid %ld", (long)g->s[i].owner);
        if (g->s[i].holders > 1)
            draw(b, s, INK_DIM, " and %d more", (int)g->s[i].holders - 1);
        end_line(b);
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
        end_line(b);
        line = end ? end + 1 : NULL;
    }
}

static void draw_fixes(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    if (v->n_fixes) {
        title(b, s, "What to change");
        end_line(b);
        for (unsigned i = 0; i < v->n_fixes; i++)
            draw_fix(b, s, v, i + 1, v->fixes[i], v->finding.place);
    }
    if (v->n_conditions == 0)
        return;
    title(b, s, v->n_fixes ? "Also worth changing" : "Worth changing");
    end_line(b);
    for (unsigned i = 0; i < v->n_conditions; i++) {
        const struct signature *sig = signature_get(v->conditions[i]);
        const struct fix *fixes[FIX_MAX];
        char text[512];
        snprintf(text, sizeof text, "%s.", sig->cause);
        draw(b, s, INK_PLAIN, "  - ");
        draw_wrapped(b, s, INK_PLAIN, text, 4);
        end_line(b);
        if (fix_list(v->conditions[i], v->facts.app, v->facts.server, fixes) > 0)
            draw_fix(b, s, v, 1, fixes[0], v->finding.place);
    }
}

static void draw_others(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    char text[HUMAN_N];

    title(b, s, "The other numbers");
    end_line(b);
    for (int i = 0; i < OTHER_NUMBERS; i++) {
        const struct other_number *o = &v->others[i];
        draw(b, s, INK_PLAIN, "  %s", o->who);
        draw_right(b, s, o->bytes < 0 ? INK_DIM : INK_PLAIN, o->bytes < 0 ? "not told" : human_bytes(o->bytes, text), 36);
        draw(b, s, INK_PLAIN, "  ");
        draw_wrapped(b, s, INK_DIM, o->misses, 38);
        end_line(b);
    }
}

static void draw_notes(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    title(b, s, "Sight");
    draw(b, s, INK_PLAIN, "   %s",
         v->see.sight == SIGHT_FULL     ? "full: everything can be read"
         : v->see.sight == SIGHT_DOCKER ? "docker: root without SYS_PTRACE"
                                        : "none: status only");
    end_line(b);
    for (unsigned i = 0; i < v->n_notes; i++) {
        draw(b, s, INK_PLAIN, "  ");
        draw_wrapped(b, s, INK_PLAIN, v->notes[i], 2);
        end_line(b);
    }
    if (v->hint[0]) {
        end_line(b);
        draw_wrapped(b, s, INK_DIM, v->hint, 0);
        end_line(b);
    }
}

static void draw_head(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    draw(b, s, INK_DIM, "plimsoll-xray  ");
    draw_foreign(b, s, INK_DIM, v->target, s->columns - 15);
    end_line(b);
    end_line(b);
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
