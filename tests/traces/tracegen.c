// SPDX-License-Identifier: Apache-2.0
// Makes a trace: draws what isn't given, composes the world, makes its rows and sees to it that the label is true.
#include "tracegen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/recording.h"
#include "trace_world.h"

static const struct {
    const char *name, *help;
    bool leaks;
} classes[] = {
#define X(id, name, leaks, help) {#name, help, leaks},
    TRACE_CLASSES(X)
#undef X
};

const char *trace_class_name(enum trace_class c)
{
    return (unsigned)c < TRACE_CLASS_N ? classes[c].name : "?";
}

const char *trace_class_help(enum trace_class c)
{
    return (unsigned)c < TRACE_CLASS_N ? classes[c].help : "?";
}

bool trace_class_leaks(enum trace_class c)
{
    return (unsigned)c < TRACE_CLASS_N && classes[c].leaks;
}

int trace_class_find(const char *name, enum trace_class *ret)
{
    for (int c = 0; c < TRACE_CLASS_N; c++)
        if (!strcmp(name, classes[c].name)) {
            *ret = (enum trace_class)c;
            return 0;
        }
    return -ENOENT;
}

// By the class's name, so that a new class changes no other.
static void start_numbers(struct world *w, const struct trace_spec *spec)
{
    uint64_t h = UINT64_C(14695981039346656037); // FNV-1a

    for (const char *p = trace_class_name(spec->class); *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    rng_seed(w, spec->seed, h);
}

static void draw_time(struct world *w, const struct trace_spec *spec)
{
    static const double steps[] = {1, 2, 2, 3, 5, 5, 10};
    double end = 7200 * (chance(w, 0.6) ? 1 : log_uniform(w, 1, 2.2)), dt = steps[pick(w, 7)];

    if (spec->class == TRACE_DAILY_WAVE) {
        end = 86400 * uniform(w, 3.05, 5);
        dt = 60;
    }
    // A day and less, of what grows all along: a leak, or a ramp that its requests explain.
    bool all_along = trace_class_leaks(spec->class) || spec->class == TRACE_RAMP_REQUESTS;
    if (chance(w, 0.12) && all_along)
        end = 86400 * log_uniform(w, 0.2, 1);
    w->end = spec->duration > 0 ? spec->duration : end;
    w->dt = spec->dt > 0 ? spec->dt : fmax(dt, w->end / 7200);
    w->n = (size_t)(w->end / w->dt) + 4;
}

static void draw_limit(struct world *w, const struct trace_spec *spec)
{
    double limit = 64 * MIB * (double)(1 << pick(w, 9));

    if (chance(w, 0.3))
        limit = floor(log_uniform(w, 64, 16384)) * MIB;
    w->limit = spec->limit > 0 ? (double)spec->limit : limit;
    w->limit_told = !chance(w, 0.05);
}

static void draw_sight(struct world *w)
{
    double p = uniform(w, 0, 1);

    w->profile = p < 0.45 ? TRACE_FULL : p < 0.72 ? TRACE_WATCH : p < 0.95 ? TRACE_SPARSE : TRACE_GVISOR;
    w->v2 = chance(w, 0.5);
    w->split = w->profile == TRACE_WATCH || (w->profile == TRACE_FULL && chance(w, 0.2));
    w->requests = chance(w, 0.5);
    w->host_mnt = chance(w, 0.1);
    w->sparse_split = chance(w, 0.3) ? log_uniform(w, 10, 60) : 0;
    w->cpus = 1 << pick(w, 5);
}

static void clear_rows(struct world *w, bool gaps)
{
    double t = 0, gap = exponential(w, 0.15 * w->end);

    for (enum target k = 0; k < TARGET_N; k++)
        memset(w->value[k], 0, w->n * sizeof(double));
    memset(w->unit, 0, w->n * sizeof(double));
    memset(w->rate, 0, w->n * sizeof(double));
    memset(w->cum, 0, w->n * sizeof(double));
    double jitter = chance(w, 0.5) ? uniform(w, 0, 0.02) : 0;
    for (size_t i = 0; i < w->n; i++) {
        w->t[i] = t;
        w->limits[i] = w->limit;
        t += w->dt * (1 + jitter * uniform(w, -1, 1));
        if (gaps && t > gap) {
            t += log_uniform(w, 2 * w->dt, 0.04 * w->end);
            gap = t + exponential(w, 0.15 * w->end);
        }
    }
    w->end = w->t[w->n - 1];
}

// Draws everything and composes; the same numbers each time, but for `squeeze`.
static void compose(struct world *w, const struct trace_spec *spec, double squeeze)
{
    bool gaps = spec->class == TRACE_OUTAGES || spec->class == TRACE_LEAK_GAPS;

    start_numbers(w, spec);
    draw_time(w, spec);
    draw_limit(w, spec);
    draw_sight(w);
    w->squeeze = squeeze;
    w->main_target = (const enum target[]){T_PHP, T_PHP, T_PHP, T_NATIVE, T_GO}[pick(w, 5)];
    w->need_mnt = w->need_kernel = w->need_requests = w->need_lru = w->to_the_limit = false;
    w->leak_teeth = w->base_go = w->onset = 0;
    clear_rows(w, gaps);
    if (trace_class_leaks(spec->class))
        compose_leak(w, spec->class);
    else
        compose_quiet(w, spec->class);
}

static int world_new(const struct trace_spec *spec, struct world *w)
{
    *w = (struct world){0};
    start_numbers(w, spec);
    draw_time(w, spec);
    double *all = calloc((TARGET_N + 5) * w->n, sizeof *all);
    if (!all)
        return -ENOMEM;
    w->t = all;
    w->limits = all + w->n;
    w->rate = all + 2 * w->n;
    w->cum = all + 3 * w->n;
    w->unit = all + 4 * w->n;
    for (int k = 0; k < TARGET_N; k++)
        w->value[k] = all + (size_t)(5 + k) * w->n;
    return 0;
}

static bool shown(const struct trace *t, enum mem_field f)
{
    return t->columns[f / 64] >> (f % 64) & 1;
}

static unsigned cause_bits(const struct world *w, const struct trace *t, enum target k)
{
    bool mnt = shown(t, MEM_mnt_used) && !w->host_mnt;
    unsigned vague = 1u << CAUSE_UNKNOWN, process = 1u << CAUSE_PROCESS_ANON | (shown(t, MEM_anon) ? 0 : vague);
    unsigned in_memory = 1u << CAUSE_TMPFS | 1u << CAUSE_SHARED_MEMORY | 1u << CAUSE_DELETED_FILES | vague;

    switch (k) {
    case T_PHP:
        return t->split ? 1u << CAUSE_PHP_HEAP : process;
    case T_NATIVE:
        return t->split ? 1u << CAUSE_NATIVE : process;
    case T_GO:
        return t->split ? 1u << CAUSE_GO_HEAP : process;
    case T_TMPFS:
        return mnt ? 1u << CAUSE_TMPFS : in_memory;
    case T_DELETED:
        return t->split ? 1u << CAUSE_DELETED_FILES : mnt ? 1u << CAUSE_TMPFS | 1u << CAUSE_DELETED_FILES : in_memory;
    case T_SEGMENTS:
        // mnt_used = 0 all along may also be a mount that statvfs can't size.
        return t->split || (mnt && w->value[T_TMPFS][0] >= 4096) ? 1u << CAUSE_SHARED_MEMORY : in_memory;
    case T_KERNEL:
        return 1u << CAUSE_KERNEL | vague;
    default:
        return 1u << CAUSE_KERNEL;
    }
}

int trace_make(const struct trace_spec *spec, struct trace *ret)
{
    struct world w;
    int rc = world_new(spec, &w);

    if (rc < 0)
        return rc;
    rc = -ERANGE;
    for (double squeeze = 1; rc == -ERANGE && squeeze > 0.01; squeeze *= 0.8) {
        compose(&w, spec, squeeze);
        if (w.need_lru || w.need_kernel)
            w.profile = w.profile == TRACE_GVISOR ? TRACE_FULL : w.profile;
        if (w.profile == TRACE_GVISOR) { // no page cache that it could tell
            w.split = false;
            memset(w.value[T_CACHE], 0, w.n * sizeof(double));
        }
        if (w.need_mnt)
            w.host_mnt = false;
        if (spec->class == TRACE_KERNEL_AT_LIMIT) // what the limit is must be known to be seen at it
            w.limit_told = true;
        *ret = (struct trace){
            .spec = {spec->class, spec->seed, w.dt, w.end, (int64_t)w.limit},
            .label = {.leak = trace_class_leaks(spec->class), .onset = w.onset},
            .profile = w.profile,
            .v2 = w.v2,
            .split = w.split,
            .requests = w.requests || w.need_requests,
            .host_mnt = w.host_mnt,
            .split_every = w.sparse_split,
        };
        rc = rows_make(&w, ret);
    }
    if (rc == 0 && ret->label.leak) {
        ret->label.causes = cause_bits(&w, ret, w.leak_target) | cause_bits(&w, ret, w.leak_also);
    }
    free(w.t);
    return rc;
}

void trace_done(struct trace *t)
{
    free(t->row);
    t->row = NULL;
}

char *trace_csv(const struct trace *t, size_t *ret_n)
{
    size_t cap = (t->n + 1) * RECORDING_TEXT_MAX / 4 + RECORDING_TEXT_MAX, n;
    char *text = malloc(cap);

    if (!text)
        return NULL;
    n = recording_header(t->v2 ? RECORDING_V2 : RECORDING_V1, t->columns, text, cap);
    for (size_t i = 0; i < t->n; i++) {
        if (cap - n < RECORDING_TEXT_MAX) {
            char *more = realloc(text, cap *= 2);
            if (!more) {
                free(text);
                return NULL;
            }
            text = more;
        }
        n += recording_row(&t->row[i], t->columns, text + n, cap - n);
    }
    *ret_n = n;
    return text;
}
