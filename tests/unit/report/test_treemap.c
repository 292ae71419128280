// SPDX-License-Identifier: Apache-2.0
#include "report/treemap.h"

#include <math.h>

#include "../claim.h"

#define N 7
static const double weights[N] = {600, 600, 400, 300, 200, 200, 100};

T(each_tile_has_its_share_of_the_area)
{
    struct tile tiles[N];

    treemap_lay((struct tile){0, 0, 6, 4}, weights, N, tiles);
    for (int i = 0; i < N; i++)
        assert_true(fabs(tiles[i].w * tiles[i].h - weights[i] / 100) < 1e-9);
}

T(tiles_lie_inside_and_do_not_overlap)
{
    struct tile t[N];

    treemap_lay((struct tile){10, 20, 6, 4}, weights, N, t);
    for (int i = 0; i < N; i++) {
        assert_true(t[i].x >= 10 - 1e-9 && t[i].y >= 20 - 1e-9 && t[i].x + t[i].w <= 16 + 1e-9 && t[i].y + t[i].h <= 24 + 1e-9);
        for (int k = 0; k < i; k++) {
            double w = fmin(t[i].x + t[i].w, t[k].x + t[k].w) - fmax(t[i].x, t[k].x);
            double h = fmin(t[i].y + t[i].h, t[k].y + t[k].h) - fmax(t[i].y, t[k].y);
            assert_true(w < 1e-9 || h < 1e-9);
        }
    }
}

T(tiles_are_squarer_than_strips)
{
    struct tile t[N];

    treemap_lay((struct tile){0, 0, 6, 4}, weights, N, t);
    for (int i = 0; i < N; i++)
        assert_true(fmax(t[i].w / t[i].h, t[i].h / t[i].w) < 3); // strips of a 6 x 4 field would be up to 32:1
}

T(nothing_and_one_are_laid_too)
{
    struct tile t = {1, 2, 3, 4};
    double zero = 0, one = 5;

    treemap_lay((struct tile){0, 0, 6, 4}, &one, 0, &t);
    treemap_lay((struct tile){0, 0, 6, 4}, &zero, 1, &t);
    assert_true(t.w == 3);
    treemap_lay((struct tile){0, 0, 6, 4}, &one, 1, &t);
    assert_true(fabs(t.w - 6) < 1e-9 && fabs(t.h - 4) < 1e-9);
}

CLAIMS(C(each_tile_has_its_share_of_the_area), C(tiles_lie_inside_and_do_not_overlap), C(tiles_are_squarer_than_strips),
       C(nothing_and_one_are_laid_too))
