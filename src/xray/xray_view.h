// SPDX-License-Identifier: Apache-2.0
// Everything an answer of xray shows, put together once and then only drawn: as text, as JSON, as a page.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "advice/finding.h"
#include "advice/other_numbers.h"
#include "advice/requests.h"
#include "advice/server_conf.h"
#include "mem/eye.h"
#include "mem/judge.h"
#include "mem/ledger.h"
#include "mem/sensor.h"

#define VIEW_DIRS 8
#define VIEW_FILES 5
#define VIEW_NOTES 12
#define VIEW_NOTE 480
#define VIEW_CONDITIONS 8
#define VIEW_ROWS 1024
#define VIEW_EVENTS 64

struct xray_view {
    char target[MEM_PATH + 96]; // "this container: cgroup v1 /sys/fs/cgroup/memory/docker/abc"
    enum mem_kind kind;
    char cgroup[MEM_PATH]; // "" none
    pid_t pid;             // given by --pid; 0
    uid_t uid;             // ours
    bool hidden;           // /proc doesn't show other users' processes (hidepid)
    bool machine;          // no container: the whole machine
    int64_t made;          // unix time
    struct mem_limit limit;
    double cpus;
    int64_t host_ram; // -1

    struct eye_view see;
    int lacked_files; // EMFILE, ENFILE: files could not be opened for lack of descriptors; 0
    const struct ledger *ledger;
    struct eye_dir big[VIEW_DIRS], fast[VIEW_DIRS]; // the second: those that grow
    int n_big, n_fast;
    struct scan_file files[VIEW_FILES]; // the biggest of the directory that grows most, else of the biggest
    int n_files;
    bool files_grow; // a few files make up the growth: they are the fastest growing instead
    char files_dir[SIGNATURE_PATH];
    struct scan_progress walk;

    bool judged; // samples were pushed: `judge` holds
    struct judge_report judge;
    bool from_watch; // a running watch's history is in it
    struct judge_event events[VIEW_EVENTS]; // alarms as watch would have sent them; the latest
    size_t n_events;
    const struct mem_sample *rows;
    size_t n_rows;

    struct advice_facts facts;
    struct server_conf conf;
    bool requests_known;
    struct requests_answer requests;

    struct finding finding;
    char headline[FINDING_TEXT];
    const struct fix *fixes[FIX_MAX];
    unsigned n_fixes;
    enum signature_id conditions[VIEW_CONDITIONS];
    unsigned n_conditions;
    struct other_number others[OTHER_NUMBERS];
    char notes[VIEW_NOTES][VIEW_NOTE]; // what can't be seen, and the cure; where limits come from
    unsigned n_notes;
    char hint[VIEW_NOTE]; // how to go on; ""
};

// A line's judgement; false where it wasn't judged.
bool view_line(const struct xray_view *v, enum ledger_category category, struct judge_line *ret);
void view_note(struct xray_view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Fills notes from sight, walk, limit and tables that were too small.
void view_notes(struct xray_view *v);
