// SPDX-License-Identifier: Apache-2.0
// The geometry of a treemap: areas in proportion, as square as they come (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000).
#pragma once
#include <stddef.h>

struct tile {
    double x, y, w, h;
};

// Fills tiles[i] for weights[i], which must stand in falling order and be > 0, inside `area`.
void treemap_lay(struct tile area, const double *weights, size_t n, struct tile *ret_tiles);
