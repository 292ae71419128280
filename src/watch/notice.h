// SPDX-License-Identifier: Apache-2.0
// What is told of an alarm: one sentence for people and plimsoll.alarm/1 (docs/watch.md) for programs. Put together without
// allocation, so that it can be done in the middle of a stall.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "advice/finding.h"
#include "mem/judge.h"

#define NOTICE_JSON 8192
#define NOTICE_FIXES 3

struct notice {
    bool raised; // else it is over
    enum mem_verdict verdict;
    enum mem_cause cause;
    double t;
    char text[FINDING_TEXT];
    char place[SIGNATURE_PATH]; // "" where it is the whole
    char change[256];           // the first fix's title and place, ""
    int64_t usage, limit;       // -1: not known
    bool growth_known, stall_known;
    struct judge_growth bytes_per_min;
    double stall_lo, stall_hi;
    size_t json_n;
    char json[NOTICE_JSON];
};

struct notice_input {
    const struct judge_event *event;
    const struct judge_report *report;
    const struct mem_sample *sample;
    const struct finding *finding; // NULL: it is over
    const struct advice_facts *facts;
    const struct eye_dir *dirs; // those that grow, fastest first
    size_t n_dirs;
    const char *cgroup, *host;
    double raised_t; // when it is over: since when it stood
    bool gone;       // it is over because the container is gone
};

void notice_make(const struct notice_input *in, struct notice *ret);
