// SPDX-License-Identifier: Apache-2.0
// The names of verdicts, causes and lines.
#include "mem/verdict.h"

#define X(id, name) name,
static const char *const verdicts[] = {MEM_VERDICTS(X)};
static const char *const causes[] = {MEM_CAUSES(X)};
static const char *const lines[] = {MEM_LINES(X)};
#undef X

const char *mem_verdict_name(enum mem_verdict verdict)
{
    return (unsigned)verdict < VERDICT_N ? verdicts[verdict] : "undecided";
}
const char *mem_cause_name(enum mem_cause cause)
{
    return (unsigned)cause < CAUSE_N ? causes[cause] : "unknown";
}
const char *mem_line_name(enum mem_line line)
{
    return (unsigned)line < LINE_N ? lines[line] : "total";
}
