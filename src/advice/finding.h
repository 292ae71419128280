// SPDX-License-Identifier: Apache-2.0
// A verdict in a sentence: what, where, how fast, why, how long is left. watch's alarms, xray's screen and the report say it
// in the same words.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "advice/facts.h"
#include "advice/fixes.h"
#include "advice/signatures.h"
#include "mem/eye.h"
#include "mem/judge.h"

#define FINDING_TEXT 640

// What there is to find it in; everything is borrowed and may be missing (NULL, 0).
struct finding_input {
    const struct judge_report *judge; // NULL: one look only; growth comes from the ages of files, the verdict is undecided
    const struct mem_sample *sample;
    const struct eye_dir *dirs; // eye_dirs(): by growth, by size, or both
    size_t n_dirs;
    const struct mounts *mounts;
    const struct segments *segments;
    const struct proc_info *procs;
    size_t n_procs;
    const struct advice_facts *facts;
    bool requests_estimated; // the judge's requests are TCP connections
    int root_fd;             // the container's /, to look into directories; -1: don't (in the middle of a stall)
    // What an earlier look recognised, for when root_fd is -1: a directory below its path belongs to it. NULL: nothing.
    const struct signature_hit *earlier;
};

struct finding {
    enum mem_verdict verdict;
    enum mem_cause cause;
    enum signature_id signature;
    enum advice_app app;
    char place[SIGNATURE_PATH]; // "/app/var/cache/prod/http_cache", "php-fpm pool www (pid 17)"; "" where it is the whole
    const char *place_kind;     // "tmpfs", "process", ""
    bool growth_known, growth_from_ages, requests_estimated;
    struct judge_growth bytes_per_min; // of the place where that is known, else of its line or the whole
    double per_request;                // bytes of the same for an answered request; 0: not known
    double share;                      // of all growth, 0 to 1; negative: not known
    bool stall_known;
    double stall_lo, stall_hi; // seconds
    double span;               // seconds judged
    double seconds_needed;     // undecided: until there can be a verdict
    int64_t bytes;             // of the place; -1
    int64_t oom_kills;         // -1: not known
};

void finding_make(const struct finding_input *in, struct finding *ret);
// One line of plain text: "/app/var/cache/prod/http_cache (tmpfs) grows 3.10 MiB/min, 97 % of all growth: Symfony HttpCache never
// deletes. Stalls in 25 min to 40 min." Returns text.
const char *finding_text(const struct finding *f, char text[FINDING_TEXT]);
// The fixes for it; their {path} is f->place.
unsigned finding_fixes(const struct finding *f, const struct advice_facts *facts, const struct fix *ret[FIX_MAX]);
// What grows, in words: "the PHP heap (objects kept between requests)".
const char *finding_cause_words(enum mem_cause cause);
