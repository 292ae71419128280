// SPDX-License-Identifier: Apache-2.0
// Rows of a life, thinned. Runs in watch; owns nothing but its array. Invariant: t rises from row to row, n <= HISTORY_ROWS.
#include "watch/history.h"

void history_init(struct history *h)
{
    h->n = 0;
}

// Every second of the older rows goes; what has been thinned before becomes thinner still.
static void thin(struct history *h)
{
    double fresh = h->row[h->n - 1].t - HISTORY_FRESH_S;
    size_t old = 0, kept = 0;

    while (old < h->n - HISTORY_ROWS / 2 || (old < h->n && h->row[old].t < fresh))
        old++;
    for (size_t i = 0; i < h->n; i++)
        if (i >= old || i % 2 == 0)
            h->row[kept++] = h->row[i];
    h->n = kept;
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
