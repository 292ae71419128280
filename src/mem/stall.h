// SPDX-License-Identifier: Apache-2.0
// The stall: memory is full of what the kernel can't drop, and it drops the programs' own text again and again. Nothing is
// killed, every request hangs. Told from the counters of one sample after another; PSI helps where it is there, and is never
// needed.
#pragma once
#include "mem/sample.h"

struct stall {
    bool begun;
    double t; // of the last sample taken
    int64_t refault_file, pgmajfault, events, psi_full;
    uint8_t had;                    // which of the counters above were known, bit by position
    double storm_since, calm_since; // of the present stretch; NaN: not in one
    unsigned storm_samples;
    bool saturated;
    double saturated_at;
    int64_t hot_learned;    // file pages at the last stall's beginning; -1: none yet
    int64_t hot_lo, hot_hi; // what the server needs, as far as can be told
};

void stall_init(struct stall *s);
// Takes the next sample: +1 a stall began to hold, -1 it ended, 0 neither.
int stall_push(struct stall *s, const struct mem_sample *sample);
// File pages the server needs to run, as a range; both 0 where nothing is known. `limit` bounds a guess.
void stall_hot(const struct stall *s, int64_t *ret_lo, int64_t *ret_hi);
