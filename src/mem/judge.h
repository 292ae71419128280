// SPDX-License-Identifier: Apache-2.0
// The judge: is it growing, what grows, how long is left.
#pragma once
#include "mem/sample.h"
#include "mem/verdict.h"
#include <stddef.h>

// The judge: samples in, verdict and alarms out. Causal (what it says at a sample depends on that and earlier ones only), no
// clock but sample.t, no allocation: the caller gives judge_size() bytes, aligned as malloc does. Steps of t may vary.
struct judge;

struct judge_event {
    enum judge_event_kind { JUDGE_NOTHING, JUDGE_RAISED, JUDGE_CLEARED } kind;
    double t;
    enum mem_verdict verdict; // VERDICT_GROWING or VERDICT_SATURATED
    enum mem_cause cause;
};
#define JUDGE_EVENTS_PER_PUSH 4

struct judge_growth {
    double lo, mid, hi;
}; // a 95 % interval

struct judge_line {
    bool known;
    enum mem_verdict verdict;
    int64_t bytes; // at the last sample
    struct judge_growth bytes_per_min;
    bool per_request_known;
    struct judge_growth bytes_per_request;
    double seconds_needed; // VERDICT_UNDECIDED: until there can be a verdict; else 0
};

struct judge_report {
    uint64_t rows;
    double t;                 // of the last sample
    double span;              // seconds judged
    int64_t limit;            // MEM_UNLIMITED: none
    enum mem_verdict verdict; // on everything seen so far: SATURATED or GROWING if that holds or held to the end
    enum mem_cause cause;
    struct judge_growth bytes_per_min; // of the whole
    bool stall_known;
    double stall_lo, stall_hi; // seconds from the last sample to the stall (limit minus the file pages the server needs)
    int64_t hot_file;          // file pages the server needs to run, as learned; -1: not yet
    bool alarm[VERDICT_N];     // which alarms stand: GROWING, SATURATED
    struct judge_line line[LINE_N];
};

size_t judge_size(void);
void judge_init(struct judge *j);
// Returns the number of events written (0 to JUDGE_EVENTS_PER_PUSH). A sample whose t does not rise is ignored.
unsigned judge_push(struct judge *j, const struct mem_sample *s, struct judge_event *ret_events);
void judge_report(const struct judge *j, struct judge_report *ret);
