// SPDX-License-Identifier: Apache-2.0
// The other numbers: what the tools people look at show for this container now, and what each misses.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/sample.h"

struct other_number {
    const char *name;    // stable, in plimsoll.xray/1: "kubectl"
    const char *who;     // "kubectl top, cAdvisor"
    int64_t bytes;       // -1: can't be told from this sample
    const char *formula; // "usage - inactive_file"
    const char *misses;  // what it hides
};
#define OTHER_NUMBERS 5

// Fills all of OTHER_NUMBERS: kubectl, docker, cloud_run, podman, sum_rss.
void other_numbers(const struct mem_sample *s, struct other_number ret[OTHER_NUMBERS]);
