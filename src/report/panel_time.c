// SPDX-License-Identifier: Apache-2.0
// The panel of memory over time: areas stacked from what can't be given back up to page cache, the limit above them. The
// picture is stretched to the page's width; its words are HTML, so that they stay readable on a phone.
#include <math.h>
#include <stdio.h>

#include "base/human.h"
#include "mem/judge_lines.h"
#include "report/report.h"

#define POINTS_MAX 240
#define LAYERS 5

struct point {
    double t, layer[LAYERS], usage, limit;
};

static const enum ledger_category layer_category[LAYERS] = {LEDGER_KERNEL, LEDGER_ANON, LEDGER_SHARED, LEDGER_FILES,
                                                            LEDGER_CACHE};

// What a sample says of each layer; parts that are not known are 0 and stay visible as the gap up to usage. Segments and files
// are parted as the judge does it; *lines is zero before the first sample.
static void read_point(const struct mem_sample *s, struct line_values *lines, struct point *p)
{
    int64_t shmem = mem_get(s, MEM_shmem, 0), file = mem_get(s, MEM_file, shmem);
    struct mem_sample clean;

    judge_lines_clean(s, &clean);
    judge_lines_read(&clean, lines);
    int64_t segments = lines->known[LINE_SHARED_MEMORY] ? (int64_t)lines->v[LINE_SHARED_MEMORY] : 0;
    if (segments > shmem)
        segments = shmem;
    *p = (struct point){.t = s->t};
    p->layer[0] = (double)mem_get(s, MEM_kernel, 0);
    p->layer[1] = (double)mem_get(s, MEM_anon, 0);
    p->layer[2] = (double)segments;
    p->layer[3] = (double)(shmem - segments);
    p->layer[4] = file > shmem ? (double)(file - shmem) : 0;
    p->usage = (double)mem_get(s, MEM_usage, 0);
    p->limit = mem_known(s, MEM_limit) && s->v[MEM_limit] != MEM_UNLIMITED ? (double)s->v[MEM_limit] : 0;
}

// At most POINTS_MAX points: of each run of rows the one with the highest usage, since a peak is what hurts.
static size_t read_points(const struct report_input *in, struct point points[POINTS_MAX])
{
    size_t n = 0, bucket = SIZE_MAX;
    struct line_values lines = {0};

    for (size_t i = 0; i < in->n_rows; i++) {
        size_t at = in->n_rows <= POINTS_MAX ? i : i * POINTS_MAX / in->n_rows;
        struct point p;
        read_point(&in->rows[i], &lines, &p);
        if (!isfinite(p.t))
            continue;
        if (at != bucket && n < POINTS_MAX)
            points[n++] = p;
        else if (n > 0 && p.usage > points[n - 1].usage)
            points[n - 1] = p;
        bucket = at;
    }
    return n;
}

static double highest(const struct point *points, size_t n)
{
    double top = 1;

    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t k = 0; k < LAYERS; k++)
            sum += points[i].layer[k];
        top = fmax(top, fmax(sum, points[i].usage));
    }
    // The limit is shown where it is in sight: an area of a tenth of the picture's height says nothing.
    double limit = points[n - 1].limit;
    return limit > 0 && limit < 6 * top ? fmax(top, limit) * 1.04 : top * 1.08;
}

// One layer: along its upper edge, back along its lower one.
static void draw_layer(struct page *p, const struct point *points, size_t n, size_t layer, double top)
{
    double began = points[0].t, span = points[n - 1].t - began;

    buf_printf(&p->html, "<path class=\"%s\" d=\"M", page_category_class(layer_category[layer]));
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            const struct point *at = &points[pass == 0 ? i : n - 1 - i];
            double y = 0;
            for (size_t k = 0; k < layer + (pass == 0 ? 1 : 0); k++)
                y += at->layer[k];
            buf_printf(&p->html, "%s%.1f %.1f", pass + i == 0 ? "" : "L", (at->t - began) / span * 1000, 300 - y / top * 300);
        }
    page_html(p, "Z\"/>");
}

static void draw_level(struct page *p, const char *class, double bytes, double top)
{
    if (bytes > 0 && bytes <= top)
        page_html(p, "<path class=\"%s\" vector-effect=\"non-scaling-stroke\" d=\"M0 %.1fH1000\"/>", class,
                  300 - bytes / top * 300);
}

static void draw_words_of_level(struct page *p, const char *class, const char *words, double bytes, double top)
{
    if (bytes <= 0 || bytes > top)
        return;
    page_html(p, "<span class=\"level %s\" style=\"bottom:%.1f%%\">%s ", class, bytes / top * 100, words);
    page_bytes(p, (int64_t)bytes);
    page_html(p, "</span>");
}

static void draw_events(struct page *p, const struct report_input *in, double began, double span)
{
    for (size_t i = 0; i < in->n_events; i++) {
        const struct judge_event *e = &in->events[i];
        if (e->t < began || e->t > began + span || e->kind == JUDGE_NOTHING)
            continue;
        page_html(p, "<span class=\"event v-%s\" style=\"left:%.2f%%\" title=\"%s: %s\"></span>", mem_verdict_name(e->verdict),
                  (e->t - began) / span * 100, e->kind == JUDGE_RAISED ? "alarm" : "alarm cleared",
                  page_verdict_words(e->verdict));
    }
}

static void draw_legend(struct page *p, const struct point *last)
{
    page_html(p, "<ul class=\"legend\">");
    for (size_t k = LAYERS; k-- > 0;) {
        page_html(p, "<li><i class=\"%s\"></i>%s <b>", page_category_class(layer_category[k]),
                  page_category_words(layer_category[k]));
        page_bytes(p, (int64_t)last->layer[k]);
        page_html(p, "</b></li>");
    }
    page_html(p, "</ul>");
}

static bool has(const struct report_input *in)
{
    return in->n_rows >= 2 && in->rows[in->n_rows - 1].t > in->rows[0].t;
}

static void draw(struct page *p, const struct report_input *in)
{
    struct point points[POINTS_MAX];
    size_t n = read_points(in, points);
    char text[HUMAN_N];

    if (n < 2 || points[n - 1].t <= points[0].t)
        return;
    double top = highest(points, n), span = points[n - 1].t - points[0].t, limit = points[n - 1].limit;
    int64_t hot = in->judge ? in->judge->hot_file : -1;
    double stall = limit > 0 && (double)hot > 0.02 * limit ? limit - (double)hot : 0; // two lines in one say nothing

    page_html(p, "<div class=\"chart\" role=\"img\" aria-label=\"Memory over time, stacked by kind\">"
                 "<svg viewBox=\"0 0 1000 300\" preserveAspectRatio=\"none\">");
    for (int i = 1; i < 4; i++)
        page_html(p, "<path class=\"grid\" vector-effect=\"non-scaling-stroke\" d=\"M0 %dH1000\"/>", 75 * i);
    for (size_t k = 0; k < LAYERS; k++)
        draw_layer(p, points, n, k, top);
    draw_level(p, "limit", limit, top);
    draw_level(p, "stall", stall, top);
    page_html(p, "</svg>");
    draw_words_of_level(p, "", "limit", limit, top);
    draw_words_of_level(p, "below", "the stall begins near", stall, top);
    draw_events(p, in, points[0].t, span);
    page_html(p, "</div><div class=\"axis\"><span>%s ago</span><span>%s ago</span><span>now</span></div>",
              human_seconds(span, text), human_seconds(span / 2, (char[HUMAN_N]){0}));
    draw_legend(p, &points[n - 1]);
}

const struct report_panel report_panel_time = {"time", "Memory over time", has, draw};
