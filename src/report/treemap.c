// SPDX-License-Identifier: Apache-2.0
// The geometry of a treemap. Pure. Invariant: the tiles cover the area, without gaps or overlaps but for rounding.
#include "report/treemap.h"

// The worst ratio of sides in a row of tiles that together weigh `sum` of area, laid along `side`.
static double worst_ratio(double sum, double least, double most, double side)
{
    double s2 = side * side, sum2 = sum * sum;
    double a = s2 * most / sum2, b = sum2 / (s2 * least);

    return a > b ? a : b;
}

// Lays a row along the shorter side of *area and takes its strip off the area.
static void lay_row(struct tile *area, const double *weights, size_t n, double sum, double scale, struct tile *tiles)
{
    double at = 0;

    if (area->w >= area->h) {
        double width = area->h > 0 ? sum * scale / area->h : 0;
        for (size_t i = 0; i < n; i++) {
            double height = area->h * weights[i] / sum;
            tiles[i] = (struct tile){area->x, area->y + at, width, height};
            at += height;
        }
        area->x += width;
        area->w = area->w > width ? area->w - width : 0;
    } else {
        double height = area->w > 0 ? sum * scale / area->w : 0;
        for (size_t i = 0; i < n; i++) {
            double width = area->w * weights[i] / sum;
            tiles[i] = (struct tile){area->x + at, area->y, width, height};
            at += width;
        }
        area->y += height;
        area->h = area->h > height ? area->h - height : 0;
    }
}

void treemap_lay(struct tile area, const double *weights, size_t n, struct tile *ret_tiles)
{
    double total = 0;

    for (size_t i = 0; i < n; i++)
        total += weights[i];
    if (total <= 0)
        return;
    double scale = area.w * area.h / total; // area of one unit of weight
    for (size_t first = 0; first < n;) {
        double side = area.w < area.h ? area.w : area.h, sum = weights[first];
        double ratio = worst_ratio(sum * scale, sum * scale, sum * scale, side);
        size_t last = first + 1;
        for (; last < n; last++) { // one more, as long as the row gets no worse
            double with = sum + weights[last];
            double next = worst_ratio(with * scale, weights[last] * scale, weights[first] * scale, side);
            if (next > ratio)
                break;
            sum = with;
            ratio = next;
        }
        lay_row(&area, weights + first, last - first, sum, scale, ret_tiles + first);
        first = last;
    }
}
