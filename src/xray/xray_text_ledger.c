// SPDX-License-Identifier: Apache-2.0
// The ledger as a table: categories with bar, growth and verdict, below them their largest owners. And the columns that all parts
// of the screen keep to.
#include "xray/xray_text_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"

#define CHILDREN_MAX 5

bool text__is_wide(const struct screen *s)
{
    return s->columns >= 96;
}

int text__bytes_column(const struct screen *s)
{
    return text__is_wide(s) ? 46 : 34;
}

int text__bar_columns(const struct screen *s)
{
    return text__is_wide(s) ? 14 : 8;
}

void text__end_line(struct buf *b)
{
    buf_add(b, "\n", 1);
}

void text__right(struct buf *b, const struct screen *s, enum ink ink, const char *text, int end)
{
    draw_to(b, s, end - draw_width(text, strlen(text)));
    draw(b, s, ink, "%s", text);
}

void text__title(struct buf *b, const struct screen *s, const char *text)
{
    text__end_line(b);
    draw(b, s, INK_BOLD, "%s", text);
}

void text__growth(struct buf *b, const struct screen *s, bool known, double per_min, bool from_ages, int end)
{
    char rate[HUMAN_N], text[HUMAN_N + 8];

    if (!known || (per_min > -512 && per_min < 512)) {
        text__right(b, s, INK_DIM, known ? "0" : "-", end);
        return;
    }
    human_bytes((int64_t)(per_min < 0 ? -per_min : per_min), rate);
    snprintf(text, sizeof text, "%s%s%s", from_ages ? "~" : "", per_min < 0 ? "-" : "+", rate);
    text__right(b, s, INK_PLAIN, text, end);
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
    int at = text__bytes_column(s), bar = text__bar_columns(s);

    bool judged = view_line(v, c, &line), grew = judged && line.verdict != VERDICT_UNDECIDED;
    draw(b, s, INK_BOLD, "%s", words_of_category(c));
    text__right(b, s, INK_BOLD, human_bytes(l->sum[c], text), at);
    draw_to(b, s, at + 2);
    draw_bar(b, s, judged ? ink_of_verdict(line.verdict) : INK_BLUE, l->sum[c], l->usage, bar);
    text__growth(b, s, grew, grew ? line.bytes_per_min.mid : 0, false, at + bar + 14);
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
    text__end_line(b);
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
    int at = text__bytes_column(s), bar = text__bar_columns(s);

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
    text__right(b, s, e->elsewhere ? INK_DIM : INK_PLAIN, amount, at);
    int from = at + 2;
    if (e->growth_per_min != INT64_MIN && e->growth_per_min != 0) {
        text__growth(b, s, true, (double)e->growth_per_min, e->growth_from_ages, at + bar + 14);
        from = at + bar + 16;
    }
    const char *note = e->note[0] ? e->note : e->elsewhere ? "charged elsewhere" : "";
    if (*note) {
        draw_to(b, s, from);
        draw_beginning(b, s, note, s->columns - from);
    }
    text__end_line(b);
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
        text__right(b, s, INK_DIM, human_bytes(rest, text), text__bytes_column(s));
        text__end_line(b);
    }
}

void xray_text_ledger(struct buf *b, const struct screen *s, const struct xray_view *v, int entries_max)
{
    const struct ledger *l = v->ledger;
    int at = text__bytes_column(s), bar = text__bar_columns(s);
    char text[HUMAN_N];

    text__title(b, s, "Ledger");
    text__right(b, s, INK_DIM, "bytes", at);
    draw_to(b, s, at + 2);
    draw(b, s, INK_DIM, "of the usage");
    text__right(b, s, INK_DIM, "growth/min", at + bar + 14);
    draw_to(b, s, at + bar + 16);
    draw(b, s, INK_DIM, "verdict\n");
    for (int c = 0; c < LEDGER_CATEGORY_N; c++) {
        int left = entries_max;
        if (c == LEDGER_BESIDE && l->sum[c] == 0)
            continue;
        if (c == LEDGER_BESIDE) {
            draw(b, s, INK_BOLD, "= usage");
            text__right(b, s, INK_BOLD, human_bytes(l->usage, text), at);
            text__end_line(b);
        }
        draw_category(b, s, v, (enum ledger_category)c);
        int only = only_summand(l, (enum ledger_category)c);
        if (only >= 0 && left > 0 && l->entry[only].note[0]) {
            draw(b, s, INK_PLAIN, "  ");
            draw_wrapped(b, s, INK_DIM, l->entry[only].note, 2);
            text__end_line(b);
        }
        if (left > 0)
            draw_entries(b, s, l, (enum ledger_category)c, only, 1, &left);
    }
    if (l->sum[LEDGER_BESIDE] == 0) {
        draw(b, s, INK_BOLD, "= usage");
        text__right(b, s, INK_BOLD, human_bytes(l->usage, text), at);
        text__end_line(b);
    }
}
