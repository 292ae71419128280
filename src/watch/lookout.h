// SPDX-License-Identifier: Apache-2.0
// What is watched: the target, the eye on it, the judge of what is seen, and the history of it. One life at a time: when the
// target is gone, lookout_leave() forgets it and lookout_find() waits for the next.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "advice/server_conf.h"
#include "advice/signatures.h"
#include "mem/eye.h"
#include "mem/judge.h"
#include "mem/ledger.h"
#include "mem/sensor.h"
#include "report/judgement.h"
#include "watch/counting.h"
#include "watch/history.h"
#include "watch/life.h"
#include "watch/looker.h"
#include "watch/watch_args.h"

#define LOOKOUT_DIRS 10
#define LOOKOUT_TARGET (MEM_PATH + 64)

struct lookout {
    const struct watch_args *args;
    struct mem_roots roots;
    struct mem_where where;
    struct eye *eye;     // NULL: nothing is watched now
    struct eye_view see; // see.sample is `sample`, with the requests in it
    struct mem_sample sample;
    // A look that hangs has the eye for itself: meanwhile there are the cgroup's counters only.
    struct looker looker;
    bool hangs;
    struct mem_sensor *sensor; // its own; NULL
    struct {                   // what the looker is asked, and its answer
        double t;
        enum eye_depth depth;
        bool split;
        int result, lacked;
        struct eye_view see;
    } look;
    int lacked; // EMFILE, ENFILE: descriptors were too few at the last look; 0
    struct counting counting;
    struct server_conf conf; // of the running server, as last read
    struct mem_limit limit;
    char target[LOOKOUT_TARGET]; // for people
    char life[LIFE_ID];
    double began;       // unix time at which this life was first seen
    double t;           // of the last look
    int64_t oom_before; // oom_kill at the first look; -1: not known
    int64_t looks;
    struct judge *judge;
    struct history history;
    struct judgement said;
    struct signature_hit recognised; // what the directory that grows belongs to, looked up while there was no stall
    struct eye_dir dirs[LOOKOUT_DIRS]; // lookout_dirs()
    int n_dirs;
};

// Allocates what will ever be needed but the eye. 0 or -errno (with words in `why`).
int lookout_init(struct lookout *l, const struct watch_args *args, char *why, size_t why_n);
void lookout_done(struct lookout *l);

// Finds the target and opens an eye on it. 0; -ESRCH: it isn't there (yet); else -errno. `why` says what isn't there.
int lookout_find(struct lookout *l, double now, char *why, size_t why_n);
void lookout_leave(struct lookout *l);
bool lookout_waits(const struct lookout *l); // the target is one that can come again

// What is there before the first look: l->see. 0; -ESRCH: it is gone.
int lookout_peek(struct lookout *l, double t);
// Looks once. 0; -ESRCH: it is gone. Events as judge_push(); *ret_n of them. l->hangs: a process could not be looked at in time;
// the eye may not be asked for anything then.
int lookout_look(struct lookout *l, double t, struct judge_event *ret_events, unsigned *ret_n);
// A row of an earlier watch on the same life.
void lookout_restore(struct lookout *l, const struct mem_sample *s);
// Reads the running server's configuration into l->conf: opens files, so not in a stall.
void lookout_conf(struct lookout *l);
// Brings l->dirs up to date: the directories that grow the fastest, else the biggest; those of what was recognised are one.
// Opens directories.
void lookout_dirs(struct lookout *l);
