// SPDX-License-Identifier: Apache-2.0
// What the judge said in all, as plimsoll.replay/1: for a recording that is replayed, and for a watch that is asked.
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/judge.h"

struct judgement_alarm {
    double t;
    enum mem_verdict verdict; // VERDICT_GROWING or VERDICT_SATURATED
    enum mem_cause cause;
    bool cleared;
    double cleared_t;
};

#define JUDGEMENT_ALARMS_MAX 512

// The alarms so far, oldest first; embedded, no allocation. Beyond JUDGEMENT_ALARMS_MAX they are only counted.
struct judgement {
    size_t n;
    uint64_t dropped;
    struct judgement_alarm alarm[JUDGEMENT_ALARMS_MAX];
};

void judgement_note(struct judgement *j, const struct judge_event *e);
// The object of plimsoll.replay/1, to be freed by json_decref(); NULL: no memory. limit_bytes is null where there is no limit or
// it isn't known, stall_in_s where nothing leads to a stall. Bytes and seconds are whole numbers but for an alarm's t.
json_t *judgement_json(const struct judgement *j, const struct judge_report *r);
