// SPDX-License-Identifier: Apache-2.0
// A container's whole life in bounded memory: the newest rows as they came, the older ones evenly thinned, by a step that doubles
// whenever there is no room.
#pragma once
#include <stddef.h>

#include "mem/sample.h"

#define HISTORY_ROWS 1024
#define HISTORY_FRESH_S 120.0 // rows younger than that are kept as they are, up to half of all rows

struct history {
    size_t n;
    double step;                         // seconds between older rows; 0: not thinned yet
    struct mem_sample row[HISTORY_ROWS]; // t rises
};

void history_init(struct history *h);
// A row whose t does not rise is left out.
void history_add(struct history *h, const struct mem_sample *s);
// The first row behind t; h->n: none.
size_t history_after(const struct history *h, double t);
