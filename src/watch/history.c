// SPDX-License-Identifier: Apache-2.0
// Rows of a life, thinned. Runs in watch; owns nothing but its array. Invariant: t rises from row to row, n <= HISTORY_ROWS.
#include "watch/history.h"

void history_init(struct history *h)
{
    h->n = 0;
    h->step = 0;
}

// Drops of the first `old` rows those nearer than a step to the one before. The steps needn't be even.
static void drop_near(struct history *h, size_t old)
{
    size_t kept = 1;

    for (size_t i = 1; i < h->n; i++)
        if (i >= old || h->row[i].t - h->row[kept - 1].t >= h->step)
            h->row[kept++] = h->row[i];
    h->n = kept;
}

static void thin(struct history *h)
{
    double fresh = h->row[h->n - 1].t - HISTORY_FRESH_S;
    size_t old = 0;

    while (old < h->n - HISTORY_ROWS / 2 || (old < h->n && h->row[old].t < fresh))
        old++;
    size_t young = h->n - old;
    if (h->step <= 0)
        h->step = (h->row[old - 1].t - h->row[0].t) / (double)old;
    drop_near(h, old);
    while (h->n > HISTORY_ROWS * 3 / 4) {
        h->step *= 2;
        drop_near(h, h->n - young);
    }
}

void history_add(struct history *h, const struct mem_sample *s)
{
    if (h->n > 0 && !(s->t > h->row[h->n - 1].t))
        return;
    if (h->n == HISTORY_ROWS)
        thin(h);
    h->row[h->n++] = *s;
}

size_t history_after(const struct history *h, double t)
{
    size_t lo = 0, hi = h->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (h->row[mid].t > t)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}
