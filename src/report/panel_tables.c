// SPDX-License-Identifier: Apache-2.0
// The panels that are tables and lists: ledger, directories, processes, fixes, the other numbers, what could not be seen.
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "report/report.h"

#define ROWS_MAX 40 // of a table; the picture above it has them all

static void draw_growth(struct page *p, int64_t per_min, bool from_ages)
{
    if (per_min == INT64_MIN) {
        page_html(p, "<td class=\"num dim\">–</td>");
        return;
    }
    page_html(p, "<td class=\"num%s\">%s", per_min > 0 ? "" : " dim", per_min > 0 ? "+" : "");
    page_bytes(p, per_min);
    page_html(p, "/min%s</td>", from_ages ? " <abbr title=\"from the ages of files: there is no history yet\">≈</abbr>" : "");
}

static void draw_badge(struct page *p, enum mem_verdict verdict)
{
    page_html(p, "<span class=\"badge v-%s\" title=\"%s\">%s</span>", mem_verdict_name(verdict), page_verdict_words(verdict),
              page_verdict_words(verdict));
}

static void draw_bar(struct page *p, const char *class, double share)
{
    double percent = share < 0 ? 0 : share > 1 ? 100 : share * 100;
    page_html(p, "<td class=\"bar\"><i class=\"%s\" style=\"width:%.1f%%\"></i></td>", class, percent);
}

// ---- Ledger ----

static const enum mem_line category_line[LEDGER_CATEGORY_N] = {
    [LEDGER_ANON] = LINE_ANON,        [LEDGER_FILES] = LINE_TMPFS,   [LEDGER_SHARED] = LINE_SHARED_MEMORY,
    [LEDGER_CACHE] = LINE_PAGE_CACHE, [LEDGER_KERNEL] = LINE_KERNEL, [LEDGER_UNEXPLAINED] = LINE_N,
    [LEDGER_BESIDE] = LINE_N};

static void draw_category(struct page *p, const struct report_input *in, enum ledger_category c)
{
    const struct ledger *l = in->ledger;
    const struct judge_line *line = in->judge && category_line[c] != LINE_N && in->judge->line[category_line[c]].known
                                        ? &in->judge->line[category_line[c]]
                                        : NULL;

    page_html(p, "<tr class=\"sum\"><th scope=\"row\">%s</th>", page_category_words(c));
    draw_bar(p, page_category_class(c), l->usage > 0 ? (double)l->sum[c] / (double)l->usage : 0);
    page_html(p, "<td class=\"num\">");
    page_bytes(p, l->sum[c]);
    page_html(p, "</td>");
    draw_growth(p, line && line->verdict != VERDICT_UNDECIDED ? (int64_t)line->bytes_per_min.mid : INT64_MIN, false);
    page_html(p, "<td>");
    if (line)
        draw_badge(p, line->verdict);
    page_html(p, "</td></tr>");
}

static void draw_entry(struct page *p, const struct ledger *l, const struct ledger_entry *e)
{
    page_html(p, "<tr><td class=\"name\">");
    page_text(p, e->name);
    if (e->note[0]) {
        page_html(p, " <small>");
        page_text(p, e->note);
        page_html(p, "</small>");
    }
    page_html(p, "</td>");
    draw_bar(p, page_category_class(e->category), l->usage > 0 ? (double)e->bytes / (double)l->usage : 0);
    page_html(p, "<td class=\"num\">%s", e->estimate ? "≈ " : "");
    page_bytes(p, e->bytes);
    page_html(p, "%s</td>", e->elsewhere ? " <small>charged elsewhere</small>" : "");
    draw_growth(p, e->growth_per_min, e->growth_from_ages);
    page_html(p, "<td>");
    if (e->verdict != VERDICT_UNDECIDED)
        draw_badge(p, e->verdict);
    page_html(p, "</td></tr>");
}

static bool has_ledger(const struct report_input *in)
{
    return in->ledger && in->ledger->usage > 0;
}

static void draw_ledger(struct page *p, const struct report_input *in)
{
    const struct ledger *l = in->ledger;

    page_html(p, "<div class=\"scroll\"><table><thead><tr><th>Owner</th><th></th><th class=\"num\">Now</th>"
                 "<th class=\"num\">Growth</th><th></th></tr></thead><tbody>");
    for (int c = 0; c < LEDGER_CATEGORY_N; c++) {
        int shown = 0;
        if (c == LEDGER_BESIDE && l->sum[c] == 0)
            continue;
        draw_category(p, in, (enum ledger_category)c);
        for (int i = 0; i < l->n && shown < ROWS_MAX; i++)
            if (l->entry[i].category == (enum ledger_category)c && l->entry[i].parent == -1) {
                draw_entry(p, l, &l->entry[i]);
                shown++;
            }
    }
    page_html(p, "</tbody><tfoot><tr><th scope=\"row\">Usage of the container</th><td></td><td class=\"num\">");
    page_bytes(p, l->usage);
    page_html(p, "</td><td></td><td></td></tr></tfoot></table></div><p class=\"dim\">The sum %s: up to ",
              ledger_balances(l) ? "balances" : "does not balance");
    page_bytes(p, l->usage / 100 > l->reserve ? l->usage / 100 : l->reserve);
    page_html(p, " may lie in the kernel's charge reserve and between two readings.</p>");
}

const struct report_panel report_panel_ledger = {"ledger", "The ledger", has_ledger, draw_ledger};

// ---- Directories: the parts of mounts ----

static int larger_first(const void *a, const void *b)
{
    const struct ledger_entry *x = *(const struct ledger_entry *const *)a, *y = *(const struct ledger_entry *const *)b;
    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : strcmp(x->name, y->name);
}

static bool is_directory(const struct ledger_entry *e)
{
    return e->category == LEDGER_FILES && e->parent >= 0;
}

static bool has_directories(const struct report_input *in)
{
    for (int i = 0; in->ledger && i < in->ledger->n; i++)
        if (is_directory(&in->ledger->entry[i]))
            return true;
    return false;
}

static void draw_directories(struct page *p, const struct report_input *in)
{
    const struct ledger_entry *rows[LEDGER_ENTRIES];
    size_t n = 0;

    for (int i = 0; i < in->ledger->n; i++)
        if (is_directory(&in->ledger->entry[i]))
            rows[n++] = &in->ledger->entry[i];
    qsort(rows, n, sizeof *rows, larger_first);
    page_html(p, "<div class=\"scroll\"><table><thead><tr><th>Directory</th><th></th><th class=\"num\">Now</th>"
                 "<th class=\"num\">Growth</th><th></th></tr></thead><tbody>");
    for (size_t i = 0; i < n && i < ROWS_MAX; i++)
        draw_entry(p, in->ledger, rows[i]);
    page_html(p, "</tbody></table></div>");
    if (!in->ledger->complete)
        page_html(p, "<p class=\"dim\">The walk was not complete when this page was made.</p>");
}

const struct report_panel report_panel_directories = {"directories", "Files in memory, by directory", has_directories,
                                                      draw_directories};

// ---- Processes ----

static bool has_processes(const struct report_input *in)
{
    return in->n_procs > 0;
}

static void draw_amount(struct page *p, bool known, int64_t bytes)
{
    if (!known || bytes < 0) {
        page_html(p, "<td class=\"num dim\">–</td>");
        return;
    }
    page_html(p, "<td class=\"num\">");
    page_bytes(p, bytes);
    page_html(p, "</td>");
}

static void draw_processes(struct page *p, const struct report_input *in)
{
    page_html(p,
              "<div class=\"scroll\"><table><thead><tr><th>Process</th><th class=\"num\">PSS</th><th class=\"num\">Private</th>"
              "<th class=\"num\">PHP heap</th><th class=\"num\">Native</th><th class=\"num\">Go heap</th>"
              "<th class=\"num\">RSS</th></tr></thead><tbody>");
    for (size_t i = 0; i < in->n_procs && i < ROWS_MAX; i++) {
        const struct proc_info *q = &in->procs[i];
        page_html(p, "<tr><td class=\"name\">%s ", q->role == ROLE_OTHER ? "" : proc_role_name(q->role));
        page_text(p, q->role == ROLE_OTHER ? q->comm : q->pool);
        page_html(p, " <small>%d</small></td>", (int)q->pid);
        draw_amount(p, q->pss_known, q->pss);
        draw_amount(p, q->pss_known, q->private_dirty);
        draw_amount(p, q->split_known, q->split.php_heap);
        draw_amount(p, q->split_known, q->split.native);
        draw_amount(p, q->split_known, q->split.go_heap);
        draw_amount(p, true, q->rss);
        page_html(p, "</tr>");
    }
    page_html(p, "</tbody></table></div>");
    if (in->n_procs > ROWS_MAX)
        page_html(p, "<p class=\"dim\">and %zu more</p>", in->n_procs - ROWS_MAX);
}

const struct report_panel report_panel_processes = {"processes", "Processes", has_processes, draw_processes};

// ---- Lists ----

static bool has_fixes(const struct report_input *in)
{
    return in->n_fixes > 0;
}

static void draw_fixes(struct page *p, const struct report_input *in)
{
    page_html(p, "<ol class=\"fixes\">");
    for (size_t i = 0; i < in->n_fixes; i++) {
        const struct report_fix *f = &in->fixes[i];
        page_html(p, "<li><b>");
        page_text(p, f->title);
        page_html(p, "</b> <small>");
        page_text(p, f->where);
        page_html(p, "</small>");
        if (f->paste && f->paste[0]) {
            page_html(p, "<pre>");
            page_text(p, f->paste);
            page_html(p, "</pre>");
        }
        if (f->note && f->note[0]) {
            page_html(p, "<p class=\"dim\">");
            page_text(p, f->note);
            page_html(p, "</p>");
        }
        page_html(p, "</li>");
    }
    page_html(p, "</ol>");
}

const struct report_panel report_panel_fixes = {"fixes", "What to change", has_fixes, draw_fixes};

static bool has_others(const struct report_input *in)
{
    return in->n_others > 0;
}

static void draw_others(struct page *p, const struct report_input *in)
{
    page_html(p, "<div class=\"scroll\"><table><tbody>");
    for (size_t i = 0; i < in->n_others; i++) {
        page_html(p, "<tr><td class=\"name\">");
        page_text(p, in->others[i].name);
        page_html(p, "</td>");
        draw_amount(p, true, in->others[i].bytes);
        page_html(p, "<td class=\"wrap\">");
        page_text(p, in->others[i].text);
        page_html(p, "</td></tr>");
    }
    page_html(p, "</tbody></table></div>");
}

const struct report_panel report_panel_others = {"others", "What other tools show now", has_others, draw_others};

static bool has_notes(const struct report_input *in)
{
    return in->n_notes > 0;
}

static void draw_notes(struct page *p, const struct report_input *in)
{
    page_html(p, "<ul class=\"notes\">");
    for (size_t i = 0; i < in->n_notes; i++) {
        page_html(p, "<li>");
        page_text(p, in->notes[i]);
        page_html(p, "</li>");
    }
    page_html(p, "</ul>");
}

const struct report_panel report_panel_notes = {"notes", "What could not be seen", has_notes, draw_notes};
