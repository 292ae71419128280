// SPDX-License-Identifier: Apache-2.0
// The state of a running watch, shared by the files that make it up.
#pragma once
#include "advice/facts.h"
#include "advice/requests.h"
#include "watch/hook.h"
#include "watch/lookout.h"
#include "watch/memlock.h"
#include "watch/openmetrics.h"
#include "watch/recorder.h"
#include "watch/visits.h"
#include "watch/state.h"
#include "watch/watch_args.h"
#include "watch/webhook.h"

struct watcher {
    struct watch_args args;
    struct lookout lookout;
    struct judge_report report;
    struct advice_facts facts;
    struct recorder recorder;
    struct state state;
    struct memlock memlock;
    struct openmetrics_health health;
    struct hook exec, command;
    struct webhook webhook;
    struct service metrics, local;
    struct watch signals;
    int signal_fd, log_fd; // log_fd: ours to close; -1
    struct timer tick, save, end;
    double base_t;             // t at base_us
    double recorded_t;         // of the last row in the recording
    uint64_t base_us, tick_us; // of the clock; when the next look is due
    bool recording, record_failing, ending, missing_said, local_said, lacked_said, hangs_said;
    char host[65];
};

double watch__t(const struct watcher *w); // now, as t
// Alarms: what the judge's events and restored alarms lead to.
void watch__on_events(struct watcher *w, const struct judge_event *events, unsigned n);
void watch__repeat_alarms(struct watcher *w);
void watch__settle_alarms(struct watcher *w);
void watch__end_alarms(struct watcher *w); // the life they were of is over
void watch__rehearse(struct watcher *w);
void watch__recognise(struct watcher *w); // opens directories, so not in a stall
bool watch__notices_pending(const struct watcher *w);
void watch__refresh_facts(struct watcher *w);
// The two services; their answers are made of the one watcher there is. 0 or an exit code.
int watch__serve_metrics(struct watcher *w);
void watch__serve_local(struct watcher *w);
