// SPDX-License-Identifier: Apache-2.0
// A series in bounded memory, and how fast it grows.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// A ring keeps a series as at most TREND_BUCKETS buckets of equal width. x is seconds or requests: it must rise; a push with an x
// that does not, or with a value that is no number, is ignored. A ring that doubles keeps the whole life: when it is full,
// neighbours are merged and the width doubles. A ring that slides keeps the latest TREND_BUCKETS buckets of fixed width.
// No allocation; a push is O(1).
#define TREND_BUCKETS 128

struct trend_bucket {
    double sum, sum_x, min, max; // sum_x: of x minus the ring's origin
    uint32_t n;
};

struct trend_ring {
    double width;  // of a bucket, in x
    double origin; // x of the first push; bucket i spans [origin + i*width, origin + (i+1)*width)
    int64_t first; // index of the oldest bucket that is kept
    int64_t last;  // index of the bucket that is being filled; -1: nothing yet
    double last_x;
    bool slides;
    struct trend_bucket bucket[TREND_BUCKETS]; // bucket i is at i % TREND_BUCKETS
};

void trend_ring_init(struct trend_ring *r, double width, bool slides);
// True where this push completed a bucket, which is then in the view.
bool trend_ring_push(struct trend_ring *r, double x, double value);

// The complete buckets that hold something, oldest first (and the one that is being filled, if `open`).
struct trend_view {
    int n;
    double width;
    double x[TREND_BUCKETS]; // means of what was pushed
    double mean[TREND_BUCKETS], min[TREND_BUCKETS], max[TREND_BUCKETS];
};
void trend_ring_view(const struct trend_ring *r, bool open, struct trend_view *ret);

// A series at four scales: its whole life, and the latest 2 minutes, 17 minutes and 2 h 16 min where x is seconds.
struct trend {
    struct trend_ring life, brief, middle, recent;
};
#define TREND_LIFE_WIDTH 1.0
#define TREND_BRIEF_WIDTH 1.0
#define TREND_MIDDLE_WIDTH 8.0
#define TREND_RECENT_WIDTH 64.0
void trend_init(struct trend *t);
bool trend_push(struct trend *t, double x, double value); // true where a bucket of the life was completed

// Theil and Sen's slope of y over x with its 95 % interval (Sen 1968), of up to TREND_BUCKETS points; n < 4: all zero.
struct trend_slope {
    double lo, mid, hi; // y per x
};
void trend_slope(const double *x, const double *y, int n, struct trend_slope *ret);

double trend_quantile(double *values, int n, double q); // reorders values; n >= 1
void trend_median3(double *y, int n);                   // each value becomes the median of itself and its neighbours
