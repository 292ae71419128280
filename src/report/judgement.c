// SPDX-License-Identifier: Apache-2.0
// plimsoll.replay/1. Used by xray and watch; owns nothing. A number that is not finite never reaches the JSON.
#include "report/judgement.h"

#include <math.h>

void judgement_note(struct judgement *j, const struct judge_event *e)
{
    if (e->kind == JUDGE_RAISED) {
        if (j->n == JUDGEMENT_ALARMS_MAX) {
            j->dropped++;
            return;
        }
        j->alarm[j->n++] = (struct judgement_alarm){.t = e->t, .verdict = e->verdict, .cause = e->cause};
    } else if (e->kind == JUDGE_CLEARED) {
        for (size_t i = j->n; i-- > 0;)
            if (j->alarm[i].verdict == e->verdict) {
                if (!j->alarm[i].cleared) {
                    j->alarm[i].cleared = true;
                    j->alarm[i].cleared_t = e->t;
                }
                return;
            }
    }
}

static json_t *whole(double v)
{
    return json_integer(isfinite(v) ? llround(fmin(1e18, fmax(-1e18, v))) : 0);
}

static json_t *seconds(double v)
{
    v = isfinite(v) ? round(v * 1000) / 1000 : 0;
    return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *cause(enum mem_cause c)
{
    return c == CAUSE_NONE ? json_null() : json_string(mem_cause_name(c));
}

static json_t *lines(const struct judge_report *r)
{
    json_t *all = json_array();

    for (int i = 0; all && i < LINE_N; i++)
        if (r->line[i].known)
            json_array_append_new(all, json_pack("{s:s, s:s}", "line", mem_line_name((enum mem_line)i), "verdict",
                                                 mem_verdict_name(r->line[i].verdict)));
    return all;
}

static json_t *alarms(const struct judgement *j)
{
    json_t *all = json_array();

    for (size_t i = 0; all && i < j->n; i++) {
        const struct judgement_alarm *a = &j->alarm[i];
        json_array_append_new(all,
                              json_pack("{s:o, s:s, s:o, s:o}", "t", seconds(a->t), "verdict", mem_verdict_name(a->verdict),
                                        "cause", cause(a->cause), "cleared_t", a->cleared ? seconds(a->cleared_t) : json_null()));
    }
    return all;
}

json_t *judgement_json(const struct judgement *j, const struct judge_report *r)
{
    const struct judge_growth *g = &r->bytes_per_min;
    bool limited = r->limit > 0 && r->limit != MEM_UNLIMITED;
    json_t *stall = r->stall_known ? json_pack("[o, o]", whole(fmax(0, r->stall_lo)), whole(fmax(0, r->stall_hi))) : json_null();

    return json_pack("{s:s, s:I, s:o, s:s, s:o, s:[o, o, o], s:o, s:o, s:o}", "schema", "plimsoll.replay/1", "rows",
                     (json_int_t)r->rows, "limit_bytes", limited ? json_integer(r->limit) : json_null(), "verdict",
                     mem_verdict_name(r->verdict), "cause", cause(r->cause), "growth_bytes_per_min", whole(g->lo), whole(g->mid),
                     whole(g->hi), "stall_in_s", stall, "lines", lines(r), "alarms", alarms(j));
}
