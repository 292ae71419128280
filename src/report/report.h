// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page about a container's memory: no script, no request to anywhere, readable on a phone. It is made
// of panels; another tool adds its own by giving its own list.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mem/judge.h"
#include "mem/ledger.h"
#include "mem/procs.h"
#include "mem/sample.h"
#include "report/page.h"

struct report_amount { // a number that another tool shows, and what it misses
    const char *name;
    int64_t bytes; // -1: not known
    const char *text;
};

struct report_fix { // what to change: in words, where ("": the title says it), lines to paste, what to know before ("")
    const char *title, *where, *paste, *note;
};

// Everything is borrowed, may be NULL or empty, and may hold hostile text (file names, process titles).
struct report_input {
    const char *target;   // what was looked at: "php-fpm in cgroup /kubepods/…"
    const char *made;     // when, in words
    const char *headline; // the verdict's sentence
    const struct ledger *ledger;
    const struct judge_report *judge;
    const struct judge_event *events;
    size_t n_events;
    const struct mem_sample *rows; // oldest first
    size_t n_rows;
    const struct proc_info *procs;
    size_t n_procs;
    const struct report_fix *fixes;
    size_t n_fixes;
    const struct report_amount *others;
    size_t n_others;
    const char *const *notes; // what could not be seen, and the cure
    size_t n_notes;
    const void *extra; // for panels of the caller's
};

struct report_panel {
    const char *id, *title; // id: the section's anchor
    bool (*has)(const struct report_input *in);
    void (*draw)(struct page *p, const struct report_input *in);
};

extern const struct report_panel report_panel_time;        // stacked memory over time
extern const struct report_panel report_panel_fixes;       // what to change
extern const struct report_panel report_panel_treemap;     // the ledger as areas
extern const struct report_panel report_panel_ledger;      // the ledger as a table
extern const struct report_panel report_panel_directories; // of files in memory
extern const struct report_panel report_panel_processes;
extern const struct report_panel report_panel_others; // the other numbers
extern const struct report_panel report_panel_notes;

// The page of the panels above, in that order. 0 or -errno of a write; -EFBIG beyond 16 MiB.
int report_write(int fd, const struct report_input *in);
// The same with the panels of `panels`.
int report_write_panels(int fd, const struct report_input *in, const struct report_panel *const *panels, size_t n_panels);
