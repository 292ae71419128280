// SPDX-License-Identifier: Apache-2.0
// An alarm in words and as JSON. Runs in watch; owns nothing. Invariant: json is one whole object, whatever had to be left out.
#include "watch/notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/human.h"
#include "watch/fixed.h"

static void add_number(struct fixed *f, const char *name, int64_t value)
{
    if (value >= 0 && value != MEM_UNLIMITED)
        fixed_add(f, ",\"%s\":%" PRId64, name, value);
    else
        fixed_add(f, ",\"%s\":null", name);
}

static void add_sample(struct fixed *f, const struct mem_sample *s)
{
    int64_t hard;

    add_number(f, "usage_bytes", mem_get(s, MEM_usage, -1));
    add_number(f, "limit_bytes", mem_get(s, MEM_limit, -1));
    add_number(f, "hard_bytes", mem_hard(s, &hard) ? hard : -1);
    add_number(f, "oom_kill", mem_get(s, MEM_oom_kill, -1));
}

// A list goes in as a whole or not at all.
static void add_directories(struct fixed *f, const struct notice_input *in)
{
    struct fixed before = *f;

    fixed_add(f, ",\"directories\":[");
    for (size_t i = 0; i < in->n_dirs; i++) {
        fixed_add(f, "%s{\"path\":", i ? "," : "");
        fixed_json(f, in->dirs[i].path);
        fixed_add(f, ",\"bytes\":%" PRId64 ",\"growth_bytes_per_min\":", in->dirs[i].bytes);
        if (in->dirs[i].growth_per_min == INT64_MIN)
            fixed_add(f, "null}");
        else
            fixed_add(f, "%" PRId64 "}", in->dirs[i].growth_per_min);
    }
    fixed_add(f, "]");
    if (f->cut || f->n + 8 > f->cap) {
        *f = before;
        f->p[f->n] = '\0';
    }
}

static void add_fixes(struct fixed *f, const struct notice_input *in, struct notice *n)
{
    const struct fix *fixes[FIX_MAX];
    char text[FIX_TEXT];
    struct fixed before = *f;

    unsigned count = finding_fixes(in->finding, in->facts, fixes);
    if (count)
        snprintf(n->change, sizeof n->change, "%s%s%s%s", fixes[0]->title, *fixes[0]->where ? " (" : "", fixes[0]->where,
                 *fixes[0]->where ? ")" : "");
    fixed_add(f, ",\"fixes\":[");
    for (unsigned i = 0; i < count && i < NOTICE_FIXES; i++) {
        fixed_add(f, "%s", i ? "," : "");
        fixed_json(f, fix_text(fixes[i], in->facts, in->finding->place, text));
    }
    fixed_add(f, "]");
    if (f->cut || f->n + 8 > f->cap) {
        *f = before;
        f->p[f->n] = '\0';
    }
}

static void make_text(const struct notice_input *in, struct notice *n)
{
    char a[HUMAN_N], usage[HUMAN_N], limit[HUMAN_N];

    if (in->finding) {
        finding_text(in->finding, n->text);
        return;
    }
    snprintf(n->text, sizeof n->text, "%s is over after %s", mem_verdict_name(n->verdict),
             human_seconds(n->t > in->raised_t ? n->t - in->raised_t : 0, a));
    if (in->gone) {
        size_t at = strlen(n->text);
        snprintf(n->text + at, sizeof n->text - at, ": what was watched is gone");
    } else if (n->usage >= 0 && n->limit > 0 && n->limit != MEM_UNLIMITED) {
        size_t at = strlen(n->text);
        snprintf(n->text + at, sizeof n->text - at, "; %s of %s are in use", human_bytes(n->usage, usage),
                 human_bytes(n->limit, limit));
    }
}

void notice_make(const struct notice_input *in, struct notice *ret)
{
    struct fixed f;
    struct tm tm;
    char when[32] = "";
    time_t t = (time_t)in->event->t;

    memset(ret, 0, offsetof(struct notice, json));
    ret->raised = in->event->kind == JUDGE_RAISED;
    ret->verdict = in->event->verdict;
    ret->cause = in->event->cause;
    ret->t = in->event->t;
    ret->usage = mem_get(in->sample, MEM_usage, -1);
    ret->limit = mem_get(in->sample, MEM_limit, -1);
    ret->growth_known = in->finding && in->finding->growth_known;
    if (ret->growth_known)
        ret->bytes_per_min = in->finding->bytes_per_min;
    ret->stall_known = in->report->stall_known;
    ret->stall_lo = in->report->stall_lo;
    ret->stall_hi = in->report->stall_hi;
    if (in->finding)
        snprintf(ret->place, sizeof ret->place, "%s", in->finding->place);
    make_text(in, ret);
    if (gmtime_r(&t, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fixed_init(&f, ret->json, sizeof ret->json);
    fixed_add(&f, "{\"schema\":\"plimsoll.alarm/1\",\"event\":\"%s\",\"verdict\":\"%s\"", ret->raised ? "raised" : "cleared",
              mem_verdict_name(ret->verdict));
    fixed_add(&f, ret->cause == CAUSE_NONE ? ",\"cause\":null" : ",\"cause\":\"%s\"", mem_cause_name(ret->cause));
    fixed_add(&f, ",\"t\":%.3f,\"time\":\"%s\",\"text\":", ret->t, when);
    fixed_json(&f, ret->text);
    fixed_add(&f, ",\"cgroup\":");
    fixed_json(&f, in->cgroup);
    fixed_add(&f, ",\"host\":");
    fixed_json(&f, in->host);
    fixed_add(&f, ",\"place\":");
    if (*ret->place)
        fixed_json(&f, ret->place);
    else
        fixed_add(&f, "null");
    add_sample(&f, in->sample);
    fixed_add(&f, ",\"growth_bytes_per_min\":");
    if (ret->growth_known) {
        fixed_add(&f, "[");
        fixed_json_whole(&f, ret->bytes_per_min.lo);
        fixed_add(&f, ",");
        fixed_json_whole(&f, ret->bytes_per_min.mid);
        fixed_add(&f, ",");
        fixed_json_whole(&f, ret->bytes_per_min.hi);
        fixed_add(&f, "]");
    } else {
        fixed_add(&f, "null");
    }
    fixed_add(&f, ret->stall_known ? ",\"stall_in_s\":[%.0f,%.0f]" : ",\"stall_in_s\":null", ret->stall_lo, ret->stall_hi);
    add_directories(&f, in);
    if (in->finding)
        add_fixes(&f, in, ret);
    fixed_add(&f, "}\n");
    ret->json_n = f.n;
}
