// SPDX-License-Identifier: Apache-2.0
// The target, the eye and the judge. Runs in watch; owns their descriptors and memory. Invariant: eye != NULL exactly while roots
// and where are open on a target.
#include "watch/lookout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fdio.h"
#include "mem/kfile.h"

#define SPLIT_EVERY 8 // looks between two that split a heap
#define SPLIT_US 1500
#define LOOK_MS 2000 // a look takes 2 ms; one that takes that long hangs

int lookout_init(struct lookout *l, const struct watch_args *args, char *why, size_t why_n)
{
    *l = (struct lookout){.args = args, .roots = {-1, -1, -1}, .where.dir = -1, .counting.proc_pid = -1};
    int r = mem_roots_open(args->proc, args->sys, &l->roots);
    if (r < 0) {
        snprintf(why, why_n, "%s: %s", args->proc ? args->proc : "/proc", fd_why(-r));
        return r;
    }
    if (faccessat(l->roots.proc, "self", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        snprintf(why, why_n, "%s isn't mounted here", args->proc ? args->proc : "/proc");
        mem_roots_close(&l->roots);
        return -ENOENT;
    }
    l->judge = xmalloc(judge_size());
    (void)looker_start(&l->looker);
    return 0;
}

void lookout_done(struct lookout *l)
{
    lookout_leave(l);
    mem_roots_close(&l->roots);
    free(l->judge);
    l->judge = NULL;
}

bool lookout_waits(const struct lookout *l)
{
    return l->args->process || l->args->cgroup;
}

static int find_group(struct lookout *l, char *why, size_t why_n)
{
    pid_t pid = l->args->pid;
    int r;

    if (l->args->cgroup) {
        r = mem_where_path(&l->roots, l->args->cgroup, &l->where);
        if (r < 0)
            snprintf(why, why_n, "%s: %s", l->args->cgroup, r == -EINVAL ? "this is no memory cgroup" : fd_why(-r));
        return r == -ENOENT ? -ESRCH : r;
    }
    if (l->args->process) {
        pid = life_find_process(l->roots.proc, l->args->process);
        if (pid == 0) {
            snprintf(why, why_n, "no process is called %s", l->args->process);
            return -ESRCH;
        }
    }
    r = mem_where_find(&l->roots, pid, &l->where);
    if (r < 0 && pid > 0)
        snprintf(why, why_n, "process %d: %s", (int)pid, fd_why(-r));
    else if (r < 0)
        snprintf(why, why_n, "this process's cgroup: %s", fd_why(-r));
    return r;
}

static void describe(struct lookout *l)
{
    const struct mem_where *w = &l->where;
    char who[64] = "";

    if (l->args->process)
        snprintf(who, sizeof who, " of %.20s (pid %d)", l->args->process, (int)w->pid);
    else if (l->args->pid)
        snprintf(who, sizeof who, " of pid %d", (int)w->pid);
    if (w->kind == MEM_KIND_V1 || w->kind == MEM_KIND_V2)
        snprintf(l->target, sizeof l->target, "cgroup %s %s%s", mem_kind_name(w->kind), w->path, who);
    else if (w->kind == MEM_KIND_GVISOR)
        snprintf(l->target, sizeof l->target, "the gVisor sandbox%s%s", *w->path ? " " : "", w->path);
    else
        snprintf(l->target, sizeof l->target, "the machine (no memory cgroup%s)", who);
}

int lookout_find(struct lookout *l, double now, char *why, size_t why_n)
{
    struct mem_sample sample = {0};

    int r = find_group(l, why, why_n);
    if (r < 0)
        return r;
    // Without a way into its root its mounts can't be measured; the rest can.
    (void)mem_roots_enter(&l->roots, l->args->root, l->where.pid);
    struct eye_options options = {.pid = l->where.pid, .now_us = clock_brought_us};
    r = eye_open(&l->roots, &l->where, &options, &l->eye);
    if (r < 0) {
        snprintf(why, why_n, "%s: %s", l->where.path, fd_why(-r));
        mem_where_close(&l->where);
        return r;
    }
    describe(l);
    life_id(&l->roots, &l->where, l->args->cgroup ? -1 : l->where.pid, l->life);
    if (mem_sensor_open(&l->roots, &l->where, &l->sensor) == 0) { // where the limit comes from: the eye doesn't say
        (void)mem_sensor_read(l->sensor, now, &sample);
        mem_sensor_limit(l->sensor, &l->limit);
    } else {
        l->sensor = NULL;
    }
    l->hangs = false;
    l->began = now;
    l->oom_before = mem_get(&sample, MEM_oom_kill, -1);
    l->looks = 0;
    l->n_dirs = 0;
    l->recognised.id = SIG_NONE;
    judge_init(l->judge);
    history_init(&l->history);
    l->said.n = 0;
    l->said.dropped = 0;
    return 0;
}

void lookout_leave(struct lookout *l)
{
    if (!l->eye)
        return;
    counting_close(&l->counting);
    if (l->hangs && !looker_is_idle(&l->looker)) { // what it works on stays with it
        l->eye = NULL;
        l->where.dir = l->roots.root = -1;
        l->looker.there = false;
        l->sensor = NULL;
        return;
    }
    l->eye = eye_close(l->eye);
    if (l->sensor)
        mem_sensor_close(l->sensor);
    l->sensor = NULL;
    mem_where_close(&l->where);
    if (l->roots.root >= 0)
        close(l->roots.root);
    l->roots.root = -1;
}

void lookout_restore(struct lookout *l, const struct mem_sample *s)
{
    struct judge_event events[JUDGE_EVENTS_PER_PUSH];

    unsigned n = judge_push(l->judge, s, events);
    for (unsigned i = 0; i < n; i++)
        judgement_note(&l->said, &events[i]);
    history_add(&l->history, s);
}

static void on_look(void *arg) // in the looker's thread
{
    struct lookout *l = arg;
    struct eye *eye = l->eye;

    int result = eye_look(eye, l->look.t, l->look.depth);
    if (result == 0 && l->look.split)
        (void)eye_split(eye, SPLIT_US);
    if (eye != l->eye) // it was left behind while it hung
        return;
    l->look.result = result;
    eye_view(eye, &l->look.see);
    l->look.lacked = kfile_lacked();
}

static int look(struct lookout *l, double t, enum eye_depth depth)
{
    l->hangs = l->hangs && !looker_is_idle(&l->looker);
    if (!l->hangs) {
        l->look.t = t;
        l->look.depth = depth;
        l->look.split = depth == EYE_BUDGETED && (l->looks + 1) % SPLIT_EVERY == 0;
        l->hangs = !looker_run(&l->looker, on_look, l, LOOK_MS);
    }
    int r = 0;
    if (l->hangs) {
        l->see = (struct eye_view){.sight = SIGHT_NONE};
        l->sample = (struct mem_sample){.t = t};
        if (l->sensor)
            r = mem_sensor_read(l->sensor, t, &l->sample);
    } else {
        l->see = l->look.see;
        l->sample = *l->see.sample;
        l->lacked = l->look.lacked;
        r = l->look.result;
    }
    l->see.sample = &l->sample;
    l->t = t;
    return r;
}

int lookout_peek(struct lookout *l, double t)
{
    return look(l, t, EYE_FIXED);
}

int lookout_look(struct lookout *l, double t, struct judge_event *ret_events, unsigned *ret_n)
{
    int64_t requests;

    *ret_n = 0;
    int r = look(l, t, EYE_BUDGETED);
    if (r < 0)
        return r;
    l->looks++;
    if (counting_ask(&l->counting, &requests))
        mem_set(&l->sample, MEM_requests, requests);
    *ret_n = judge_push(l->judge, l->see.sample, ret_events);
    for (unsigned i = 0; i < *ret_n; i++)
        judgement_note(&l->said, &ret_events[i]);
    history_add(&l->history, l->see.sample);
    return 0;
}

void lookout_conf(struct lookout *l)
{
    if (l->hangs)
        return;
    server_conf_read(l->roots.proc, l->see.procs, l->see.nprocs, &l->conf);
}

void lookout_dirs(struct lookout *l)
{
    if (l->hangs)
        return;
    enum scan_by by = SCAN_BY_GROWTH;
    int n = eye_dirs(l->eye, by, LOOKOUT_DIRS, l->dirs);

    if (n <= 0)
        n = eye_dirs(l->eye, by = SCAN_BY_BYTES, LOOKOUT_DIRS, l->dirs);
    l->n_dirs = n > 0 ? n : 0;
    if (l->recognised.id != SIG_NONE)
        l->n_dirs = eye_dirs_merge(l->dirs, l->n_dirs, l->recognised.path, by);
}
