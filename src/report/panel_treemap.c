// SPDX-License-Identifier: Apache-2.0
// The panel that shows the ledger as areas: a category is a field, its owners are tiles in it, their parts tiles in those.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/human.h"
#include "report/report.h"
#include "report/treemap.h"

#define TILES_MAX 48 // in one field; the rest is one tile

struct part {
    double bytes;
    int entry; // index into the ledger; -1: the rest
};

static int heavier_first(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : x->entry - y->entry;
}

// The parts below `parent` (-1: the summands of a category), heaviest first; what they don't cover of `whole` is one more. Where
// they are more than the whole (a negative part takes off what they share), each gets its share of it.
static size_t collect(const struct ledger *l, enum ledger_category category, int parent, double whole, struct part *parts)
{
    size_t n = 0;
    double sum = 0;

    for (int i = 0; i < l->n; i++) {
        const struct ledger_entry *e = &l->entry[i];
        if (e->parent == parent && e->category == category && e->bytes > 0 && !e->elsewhere)
            parts[n++] = (struct part){(double)e->bytes, i};
    }
    if (n == 0)
        return 0;
    qsort(parts, n, sizeof *parts, heavier_first);
    if (n > TILES_MAX)
        n = TILES_MAX;
    for (size_t i = 0; i < n; i++)
        sum += parts[i].bytes;
    if (sum > whole)
        for (size_t i = 0; i < n; i++)
            parts[i].bytes *= whole / sum;
    if (whole - sum > whole * 0.005) { // a smaller rest would be a line, not a tile
        parts[n++] = (struct part){whole - sum, -1};
        qsort(parts, n, sizeof *parts, heavier_first);
    }
    return n;
}

// The last two steps of a path say more than its first two.
static const char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');

    if (name[0] != '/' || !slash || slash == name)
        return name;
    while (slash > name && slash[-1] != '/')
        slash--;
    return slash > name + 1 ? slash : name;
}

static void draw_tiles(struct page *p, const struct ledger *l, enum ledger_category category, int parent, double whole, int depth)
{
    struct part *parts = calloc(LEDGER_ENTRIES + 1, sizeof *parts);
    double weights[TILES_MAX + 1];
    struct tile tiles[TILES_MAX + 1];
    size_t n = parts ? collect(l, category, parent, whole, parts) : 0;

    if (n == 0) {
        free(parts);
        return;
    }
    for (size_t i = 0; i < n; i++)
        weights[i] = parts[i].bytes;
    treemap_lay((struct tile){0, 0, 100, 100}, weights, n, tiles);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_entry *e = parts[i].entry >= 0 ? &l->entry[parts[i].entry] : NULL;
        page_html(p, "<div class=\"tile%s\" style=\"left:%.2f%%;top:%.2f%%;width:%.2f%%;height:%.2f%%\" title=\"",
                  e && e->verdict == VERDICT_GROWING ? " grows" : "", tiles[i].x, tiles[i].y, tiles[i].w, tiles[i].h);
        page_text(p, e ? e->name : "the rest");
        page_html(p, ": ");
        page_bytes(p, (int64_t)parts[i].bytes);
        page_html(p, "\"><span>");
        page_text(p, e ? short_name(e->name) : "rest");
        page_html(p, " <b>");
        page_bytes(p, (int64_t)parts[i].bytes);
        page_html(p, "</b></span>");
        if (e && depth > 0) {
            page_html(p, "<div class=\"inner\">");
            draw_tiles(p, l, category, parts[i].entry, parts[i].bytes, depth - 1);
            page_html(p, "</div>");
        }
        page_html(p, "</div>");
    }
    free(parts);
}

static bool has(const struct report_input *in)
{
    return in->ledger && in->ledger->usage > 0 && in->ledger->n > 0;
}

static bool has_growing(const struct ledger *l)
{
    for (int i = 0; i < l->n; i++)
        if (l->entry[i].verdict == VERDICT_GROWING && l->entry[i].bytes > 0 && !l->entry[i].elsewhere)
            return true;
    return false;
}

static void draw(struct page *p, const struct report_input *in)
{
    const struct ledger *l = in->ledger;
    struct part fields[LEDGER_CATEGORY_N];
    double weights[LEDGER_CATEGORY_N];
    struct tile tiles[LEDGER_CATEGORY_N];
    size_t n = 0;

    for (int c = 0; c < LEDGER_CATEGORY_N; c++)
        if (c != LEDGER_BESIDE && l->sum[c] > 0)
            fields[n++] = (struct part){(double)l->sum[c], c};
    qsort(fields, n, sizeof *fields, heavier_first);
    for (size_t i = 0; i < n; i++)
        weights[i] = fields[i].bytes;
    treemap_lay((struct tile){0, 0, 100, 100}, weights, n, tiles);
    page_html(p, "<div class=\"treemap\">");
    for (size_t i = 0; i < n; i++) {
        enum ledger_category c = (enum ledger_category)fields[i].entry;
        page_html(p, "<div class=\"field %s\" style=\"left:%.2f%%;top:%.2f%%;width:%.2f%%;height:%.2f%%\"><h3>%s <b>",
                  page_category_class(c), tiles[i].x, tiles[i].y, tiles[i].w, tiles[i].h, page_category_words(c));
        page_bytes(p, l->sum[c]);
        page_html(p, "</b></h3><div class=\"inner\">");
        draw_tiles(p, l, c, -1, fields[i].bytes, 1);
        page_html(p, "</div></div>");
    }
    page_html(p, "</div>");
    if (has_growing(l))
        page_html(p, "<p class=\"dim\">Framed: it grows.</p>");
}

const struct report_panel report_panel_treemap = {"treemap", "Who owns it", has, draw};
