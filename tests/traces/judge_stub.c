// SPDX-License-Identifier: Apache-2.0
// Stands in for the judge until there is one.
#include "mem/judge.h"

#include <string.h>

struct judge {
    struct judge_report report;
};

size_t judge_size(void)
{
    return sizeof(struct judge);
}

void judge_init(struct judge *j)
{
    memset(j, 0, sizeof *j);
}

unsigned judge_push(struct judge *j, const struct mem_sample *s, struct judge_event *ret_events)
{
    (void)ret_events;
    j->report.rows++;
    j->report.t = s->t;
    return 0;
}

void judge_report(const struct judge *j, struct judge_report *ret)
{
    *ret = j->report;
}
