// SPDX-License-Identifier: Apache-2.0
// What watch sees as OpenMetrics 1.0 (or Prometheus' older text): every known field of tbl/mem_fields.def, the verdicts, the
// alarms, the directories that grow, and watch's own health. The names are in docs/watch.md and
// docs/memory-fields.md.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/judge.h"
#include "watch/fixed.h"
#include "watch/lookout.h"

struct openmetrics_health {
    double started;      // unix time
    double look_seconds; // CPU of the looks so far
    uint64_t looks, missed, raised, cleared, delivered, undelivered, recording_errors;
    int64_t locked_bytes;
};

// report: NULL while nothing is watched.
void openmetrics_write(struct fixed *out, bool openmetrics, struct lookout *l, const struct judge_report *report,
                       const struct openmetrics_health *health);
// docs/memory-fields.md, to standard output.
void openmetrics_print_fields(void);
