// SPDX-License-Identifier: Apache-2.0
// What watch keeps in --state DIR, so that a history outlives watch, the container, or both. Bounded: at most some MiB, whatever
// happens.
//
//   last.json     the present life as it stands: plimsoll.last/1 (docs/watch.md). Written each minute, at alarms and at the end
//   history.csv   its history, thinned; written together with last.json
//   tail.csv      the rows since then, one added at each look: what was seen last, however suddenly it ended
//   previous.*    the same of the life before
//   lives.jsonl   a line a life that has ended, the newest STATE_LIVES
// Files are replaced by renaming: a reader sees the old or the new, never half. Nothing is synced to the disk: a container's end
// loses nothing, only the machine's does, and in a stall a sync would wait for ever.
#pragma once
#include <stdbool.h>

#include "advice/finding.h"
#include "watch/history.h"
#include "watch/lookout.h"

#define STATE_LIVES 32
#define STATE_EVERY_S 60
#define STATE_TAIL_MAX 262144

// An alarm that stands, so that a watch started again neither repeats nor forgets it.
struct state_alarm {
    bool stands;
    bool unsaid; // the log has not taken it yet
    double since;
    char text[FINDING_TEXT];
};

struct state {
    int dir, tail; // -1: none
    int64_t tail_size;
    uint64_t columns[2];
    bool v2, failing;
    char text[FINDING_TEXT]; // of the verdict, for last.json
    char ledger[16384];      // the last one that could be made, as JSON members; "" none
    struct state_alarm alarm[VERDICT_N];
};

enum state_end { STATE_GOES_ON, STATE_TOLD_TO_END, STATE_GONE };

// Opens the folder, makes it if need be. 0 or -errno; -EBUSY: another watch uses it.
int state_open(struct state *s, const char *path);
void state_close(struct state *s);

// A life begins, or a watch on it. Where the folder holds the same life, its rows are given to lookout_restore() and its alarms
// are set; else that life is put aside as the previous one. 0, or -errno: there is no history to go on
// from; -EBADMSG: what is there is none of ours.
int state_begin(struct state *s, struct lookout *l, const struct mem_sample *first);
// Adds a row.
void state_row(struct state *s, const struct lookout *l);
// Writes it all.
int state_write(struct state *s, struct lookout *l, const struct judge_report *report, double now, enum state_end end);
