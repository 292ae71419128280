// SPDX-License-Identifier: Apache-2.0
// The page: a head with the verdict and the load, then the panels that have something to show.
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fdio.h"
#include "base/human.h"

static const struct report_panel *const all_panels[] = {&report_panel_time,   &report_panel_fixes,       &report_panel_treemap,
                                                        &report_panel_ledger, &report_panel_directories, &report_panel_processes,
                                                        &report_panel_others, &report_panel_notes};

static void draw_fact(struct page *p, const char *name, const char *value)
{
    page_html(p, "<div><dt>%s</dt><dd>", name);
    page_text(p, value);
    page_html(p, "</dd></div>");
}

static void draw_facts(struct page *p, const struct report_input *in)
{
    const struct ledger *l = in->ledger;
    const struct judge_report *j = in->judge;
    char text[2 * HUMAN_N + 8], a[HUMAN_N], b[HUMAN_N];

    page_html(p, "<dl class=\"facts\">");
    if (l) {
        draw_fact(p, "in use", human_bytes(l->usage, a));
        draw_fact(p, "limit", l->limit == MEM_UNLIMITED ? "none" : human_bytes(l->limit, a));
        draw_fact(p, "can't be given back", human_bytes(l->hard, a));
    }
    // A slope through what is steady or comes back is no growth, though it has a number.
    if (j && j->verdict != VERDICT_UNDECIDED && j->verdict != VERDICT_STEADY && j->verdict != VERDICT_CYCLIC) {
        snprintf(text, sizeof text, "%s%s/min", j->bytes_per_min.mid > 0 ? "+" : "",
                 human_bytes((int64_t)j->bytes_per_min.mid, a));
        draw_fact(p, "growth", text);
    }
    if (j && j->stall_known) {
        human_seconds(j->stall_lo, a);
        human_seconds(j->stall_hi, b);
        snprintf(text, sizeof text, "%s%s%s", strcmp(a, b) ? a : "about ", strcmp(a, b) ? " – " : "", b);
        draw_fact(p, "until it stalls", text);
    }
    page_html(p, "</dl>");
}

// The load: usage against the limit, and the mark up to which it may be loaded.
static void draw_load(struct page *p, const struct ledger *l, const struct judge_report *j)
{
    if (!l || l->limit == MEM_UNLIMITED || l->limit <= 0)
        return;
    page_html(p, "<div class=\"load\" role=\"img\" aria-label=\"Usage against the limit\">");
    static const enum ledger_category order[] = {LEDGER_KERNEL, LEDGER_ANON,        LEDGER_SHARED,
                                                 LEDGER_FILES,  LEDGER_UNEXPLAINED, LEDGER_CACHE};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (l->sum[order[i]] > 0)
            page_html(p, "<i class=\"%s\" style=\"width:%.2f%%\" title=\"%s\"></i>", page_category_class(order[i]),
                      (double)l->sum[order[i]] / (double)l->limit * 100, page_category_words(order[i]));
    if (j && j->hot_file > 0 && j->hot_file < l->limit)
        page_html(p, "<b class=\"mark\" style=\"left:%.2f%%\" title=\"from here on it stalls\"></b>",
                  (double)(l->limit - j->hot_file) / (double)l->limit * 100);
    page_html(p, "</div>");
}

static void draw_head(struct page *p, const struct report_input *in)
{
    enum mem_verdict verdict = in->judge ? in->judge->verdict : VERDICT_UNDECIDED;

    page_html(p, "<header><p class=\"brand\">plimsoll xray</p><p class=\"target\">");
    page_text(p, in->target);
    page_html(p, " <small>");
    page_text(p, in->made);
    page_html(p, "</small></p><h1><span class=\"badge v-%s\">%s</span> ", mem_verdict_name(verdict), page_verdict_words(verdict));
    page_text(p, in->headline);
    page_html(p, "</h1>");
    draw_facts(p, in);
    draw_load(p, in->ledger, in->judge);
    page_html(p, "</header>\n");
}

int report_write_panels(int fd, const struct report_input *in, const struct report_panel *const *panels, size_t n_panels)
{
    struct page p = {BUF_INIT};

    page_begin(&p, in->target ? in->target : "plimsoll xray");
    draw_head(&p, in);
    page_html(&p, "<main>\n");
    for (size_t i = 0; i < n_panels; i++) {
        if (panels[i]->has && !panels[i]->has(in))
            continue;
        page_html(&p, "<section id=\"%s\"><h2>%s</h2>", panels[i]->id, panels[i]->title);
        panels[i]->draw(&p, in);
        page_html(&p, "</section>\n");
    }
    page_html(&p, "</main>\n");
    page_end(&p);
    int rc = p.html.n > PAGE_MAX ? -EFBIG : fd_write_all(fd, p.html.p, p.html.n);
    buf_done(&p.html);
    return rc;
}

int report_write(int fd, const struct report_input *in)
{
    return report_write_panels(fd, in, all_panels, sizeof all_panels / sizeof *all_panels);
}
