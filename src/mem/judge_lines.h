// SPDX-License-Identifier: Apache-2.0
// From a sample to the series that are judged, and from their growth to a cause.
#pragma once
#include "mem/sample.h"
#include "mem/verdict.h"

// What a sample says of each line. LINE_TOTAL is what counts as growth: mem_hard() without the kernel memory that nothing counted
// explains (the kernel takes dentries and inodes of files on disk back at the limit). A line that the sample can't tell is not
// known.
struct line_values {
    bool known[LINE_N];
    double v[LINE_N];
    double hard;   // what the total line shows; negative: not known
    double pinned; // the part of the kernel line that is explained
    bool mapped_seen; // the two below are of the first sample that only file_mapped tells from
    double mapped_first, shared_first;
};

// Copies *s without what can't be: negative or absurdly large bytes and counts become "not known", such a limit none.
void judge_lines_clean(const struct mem_sample *s, struct mem_sample *ret);
// *s is clean. *l is zero before the first sample and that of the sample before afterwards.
void judge_lines_read(const struct mem_sample *s, struct line_values *l);
// The cause: the line whose rise explains the whole's. rise[] is in bytes; NaN: not known.
enum mem_cause judge_lines_cause(const double rise[LINE_N], double pinned_rise, bool anon_is_split);
