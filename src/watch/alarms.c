// SPDX-License-Identifier: Apache-2.0
// What follows from an alarm: a line in the log, notices to command and webhook, the state written. Runs in watch. The log comes
// first: its descriptor is open, and in a stall it may be all that still works.
#include <string.h>

#include "base/human.h"
#include "base/log.h"
#include "watch/watch_int.h"

#define ALARM_WALK_US 200000

void watch__refresh_facts(struct watcher *w)
{
    struct lookout *l = &w->lookout;
    struct mem_cpus cpus;
    int64_t hard;

    w->facts = (struct advice_facts)ADVICE_FACTS_UNKNOWN;
    advice_facts_from_procs(&w->facts, l->see.procs, l->see.nprocs > 0 ? (unsigned)l->see.nprocs : 0);
    w->facts.limit = mem_get(l->see.sample, MEM_limit, -1);
    w->facts.anon = mem_get(l->see.sample, MEM_anon, -1);
    w->facts.anon_thp = mem_get(l->see.sample, MEM_anon_thp, -1);
    if (mem_hard(l->see.sample, &hard))
        w->facts.hard = hard;
    server_conf_facts(&l->conf, &w->facts);
    mem_cpus(&l->roots, l->where.pid, &cpus);
    w->facts.cpus = cpus.usable < 1 ? 1 : (int32_t)(cpus.usable + 0.5);
}

static void make_finding(struct watcher *w, bool stall, struct finding *ret)
{
    struct lookout *l = &w->lookout;

    // An alarm is rare and may cost what a look may not: it should name the directory. In a stall there is no time to lose.
    if (!stall && !l->hangs)
        (void)eye_walk(l->eye, l->t, ALARM_WALK_US);
    lookout_dirs(l);
    if (!stall)
        lookout_conf(l);
    watch__refresh_facts(w);
    struct finding_input in = {
        .judge = &w->report,
        .sample = l->see.sample,
        .dirs = l->dirs,
        .n_dirs = (size_t)l->n_dirs,
        .mounts = l->see.mounts,
        .segments = l->see.segments,
        .procs = l->see.procs,
        .n_procs = l->see.nprocs > 0 ? (size_t)l->see.nprocs : 0,
        .facts = &w->facts,
        .requests_estimated = l->counting.source == REQUESTS_TCP,
        .root_fd = stall ? -1 : l->roots.root, // no directory is read that may have to come from a disk
        .earlier = &l->recognised,
    };
    finding_make(&in, ret);
}

// The saturated alarm should name the fix too: what is most in memory, looked up before it is too late.
void watch__recognise(struct watcher *w)
{
    struct lookout *l = &w->lookout;
    const struct eye_dir *most = NULL;
    struct signature_hit hit;

    if (l->roots.root < 0)
        return;
    lookout_dirs(l);
    for (int i = 0; i < l->n_dirs; i++)
        if (!most || l->dirs[i].bytes > most->bytes)
            most = &l->dirs[i];
    if (!most)
        return;
    const struct mount *m =
        l->see.mounts && most->mount >= 0 && most->mount < l->see.mounts->n ? &l->see.mounts->m[most->mount] : NULL;
    if (signature_find_directory(l->roots.root, m ? m->path : "/", most->path, &hit))
        l->recognised = hit;
}

static void send_notice(struct watcher *w, const struct notice *n)
{
    if (w->args.webhook)
        courier_push(&w->webhook.courier, n);
    if (w->args.exec)
        courier_push(&w->exec.courier, n);
    if (w->args.webhook_command)
        courier_push(&w->command.courier, n);
}

static struct notice notice;

static void make_notice(struct watcher *w, const struct judge_event *e, bool gone)
{
    struct finding finding;
    bool raised = e->kind == JUDGE_RAISED;

    if (raised) {
        make_finding(w, e->verdict == VERDICT_SATURATED, &finding);
        if (signature_get(finding.signature)->kind == SIGNATURE_DIRECTORY) {
            struct signature_hit *hit = &w->lookout.recognised;
            *hit = (struct signature_hit){.id = finding.signature, .app = finding.app};
            memcpy(hit->path, finding.place, sizeof hit->path);
        }
        // The judge's verdict on all there was may be another than this alarm's.
        finding.verdict = e->verdict;
        if (e->cause != CAUSE_NONE)
            finding.cause = e->cause;
    }
    struct notice_input in = {
        .event = e,
        .report = &w->report,
        .sample = w->lookout.see.sample,
        .finding = raised ? &finding : NULL,
        .facts = &w->facts,
        .dirs = w->lookout.dirs,
        .n_dirs = raised ? (size_t)w->lookout.n_dirs : 0,
        .cgroup = w->lookout.where.path,
        .host = w->host,
        .raised_t = w->state.alarm[e->verdict].since,
        .gone = gone,
    };
    notice_make(&in, &notice);
}

static void on_event(struct watcher *w, const struct judge_event *e, bool gone)
{
    struct state_alarm *alarm = &w->state.alarm[e->verdict];

    make_notice(w, e, gone);
    if (e->kind == JUDGE_RAISED) {
        log_warning("alarm: %s: %s%s%s", mem_verdict_name(e->verdict), notice.text, *notice.change ? " Change: " : "",
                    notice.change);
        *alarm = (struct state_alarm){.stands = true, .since = e->t, .unsaid = log_dropped() > 0};
        memcpy(alarm->text, notice.text, sizeof alarm->text);
        memcpy(w->state.text, notice.text, sizeof w->state.text);
        w->health.raised++;
    } else {
        log_notice("all clear: %s", notice.text);
        *alarm = (struct state_alarm){0};
        w->state.text[0] = '\0';
        w->health.cleared++;
    }
    send_notice(w, &notice);
}

void watch__on_events(struct watcher *w, const struct judge_event *events, unsigned n)
{
    if (n == 0)
        return;
    judge_report(w->lookout.judge, &w->report);
    for (unsigned i = 0; i < n; i++)
        if (events[i].kind != JUDGE_NOTHING)
            on_event(w, &events[i], false);
    if (w->state.dir >= 0)
        (void)state_write(&w->state, &w->lookout, &w->report, w->lookout.t, STATE_GOES_ON);
}

// In the worst of a stall the log may take nothing: what stands is said as soon as it does.
void watch__repeat_alarms(struct watcher *w)
{
    for (int v = 0; v < VERDICT_N; v++) {
        struct state_alarm *alarm = &w->state.alarm[v];
        if (!alarm->stands || !alarm->unsaid)
            continue;
        log_warning("alarm: %s: %s", mem_verdict_name((enum mem_verdict)v), alarm->text);
        alarm->unsaid = log_dropped() > 0;
    }
}

// After a history was restored: what the judge says now and what was said before may differ by what happened in between.
void watch__settle_alarms(struct watcher *w)
{
    static const enum mem_verdict alarms[] = {VERDICT_GROWING, VERDICT_SATURATED};

    judge_report(w->lookout.judge, &w->report);
    for (size_t i = 0; i < 2; i++) {
        enum mem_verdict v = alarms[i];
        struct judge_event e = {.t = w->lookout.t, .verdict = v, .cause = w->report.cause};
        if (w->report.alarm[v] == w->state.alarm[v].stands)
            continue;
        e.kind = w->report.alarm[v] ? JUDGE_RAISED : JUDGE_CLEARED;
        watch__on_events(w, &e, 1);
    }
}

void watch__end_alarms(struct watcher *w)
{
    for (int v = 0; v < VERDICT_N; v++) {
        struct judge_event e = {.kind = JUDGE_CLEARED, .t = w->lookout.t, .verdict = (enum mem_verdict)v};
        if (w->state.alarm[v].stands)
            on_event(w, &e, true);
    }
}

static void touch(void *p, size_t n)
{
    volatile char *at = p;

    for (size_t i = 0; i < n; i += 4096)
        at[i] = at[i];
}

// In a stall each page touched for the first time has to be fought for: the ones of an alarm are touched now.
void watch__rehearse(struct watcher *w)
{
    struct judge_event e = {.kind = JUDGE_RAISED, .t = w->lookout.t, .verdict = VERDICT_SATURATED};
    struct courier *couriers[] = {&w->webhook.courier, &w->exec.courier, &w->command.courier};
    const bool used[] = {w->args.webhook, w->args.exec, w->args.webhook_command};

    judge_report(w->lookout.judge, &w->report);
    make_notice(w, &e, false);
    for (size_t i = 0; i < 3; i++)
        if (used[i])
            touch(couriers[i]->queue, 2 * sizeof *couriers[i]->queue);
    if (used[0])
        touch(w->webhook.out, sizeof w->webhook.out);
}

bool watch__notices_pending(const struct watcher *w)
{
    return (w->args.webhook && !courier_is_idle(&w->webhook.courier)) || (w->args.exec && !courier_is_idle(&w->exec.courier)) ||
           (w->args.webhook_command && !courier_is_idle(&w->command.courier));
}
