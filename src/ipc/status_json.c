// SPDX-License-Identifier: Apache-2.0
// The board as JSON. Runs in master and edge; reads the board, owns nothing. What is read under the sequence lock is read
// whole or not at all.
#include "ipc/status_json.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/loop.h"
#include "ipc/board.h"

static const char *const role_names[] = {"free", "master", "edge", "mold", "worker"};

static const struct {
    const char *name, *labels;
} counters[COUNTERS] = {
#define COUNTER(name_, metric, labels_, kind, help) {metric, labels_},
#include "tbl/counters.def"
#undef COUNTER
};

// JSON is UTF-8; a request's text need not be.
static json_t *text_json(const char *text)
{
    json_t *j = json_string(text);

    if (j)
        return j;
    char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = json_string(copy);
    free(copy);
    return j;
}

static void set_text(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, text_json(text));
}

static void set_int(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static double seconds(uint64_t ms)
{
    return (double)(uint64_t)ms / 1000.0;
}

// A few tries: the edge writes a row in well under a microsecond, but may be stopped or dead in the middle.
static bool read_request(const struct board_proc *p, struct board_proc *ret)
{
    for (int i = 0; i < 16; i++) {
        uint32_t before = atomic_load_explicit(&p->seq, memory_order_acquire);
        if (before & 1)
            continue;
        ret->job_started_ms = p->job_started_ms;
        memcpy(ret->request_id, p->request_id, sizeof ret->request_id);
        memcpy(ret->method, p->method, sizeof ret->method);
        memcpy(ret->uri, p->uri, sizeof ret->uri);
        memcpy(ret->script, p->script, sizeof ret->script);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&p->seq, memory_order_relaxed) != before)
            continue;
        ret->request_id[sizeof ret->request_id - 1] = ret->method[sizeof ret->method - 1] = '\0';
        ret->uri[sizeof ret->uri - 1] = ret->script[sizeof ret->script - 1] = '\0';
        return true;
    }
    return false;
}

static json_t *process_json(const struct board_proc *p, uint32_t role, uint64_t now_ms)
{
    uint32_t state = atomic_load(&p->state);
    struct board_proc copy;
    char pool[sizeof p->pool];
    json_t *o = json_object();

    set_text(o, "role", role_names[role]);
    set_int(o, "pid", (uint64_t)atomic_load(&p->pid));
    memcpy(pool, p->pool, sizeof pool);
    pool[sizeof pool - 1] = '\0';
    if (*pool)
        set_text(o, "pool", pool);
    set_int(o, "generation", p->generation);
    if (p->id)
        set_int(o, "id", p->id);
    set_text(o, "state", board_state_name((enum board_state)state));
    json_object_set_new(o, "uptime_s", json_real(seconds(now_ms > p->started_ms ? now_ms - p->started_ms : 0)));
    if (role != BOARD_WORKER)
        return o;
    set_int(o, "requests", atomic_load(&p->requests));
    set_int(o, "peak_bytes", atomic_load(&p->peak_bytes));
    if ((state == BOARD_BUSY || state == BOARD_FINISHING) && read_request(p, &copy) && *copy.method) {
        json_t *r = json_object();
        set_text(r, "id", copy.request_id);
        set_text(r, "method", copy.method);
        set_text(r, "uri", copy.uri);
        set_text(r, "script", copy.script);
        json_object_set_new(r, "running_s", json_real(seconds(now_ms > copy.job_started_ms ? now_ms - copy.job_started_ms : 0)));
        json_object_set_new(o, "request", r);
    }
    return o;
}

static json_t *listen_json(void)
{
    json_t *list = json_array();
    char text[sizeof board->listen], *rest = text, *one;

    memcpy(text, board->listen, sizeof text);
    text[sizeof text - 1] = '\0';
    while ((one = strsep(&rest, "\n")) != NULL)
        if (*one)
            json_array_append_new(list, text_json(one));
    return list;
}

static json_t *counters_json(void)
{
    json_t *o = json_object();
    char key[160];

    for (int i = 0; i < COUNTERS; i++) {
        snprintf(key, sizeof key, *counters[i].labels ? "%s{%s}" : "%s", counters[i].name, counters[i].labels);
        set_int(o, key, atomic_load_explicit(&board->counters[i], memory_order_relaxed));
    }
    return o;
}

char *status_json(void)
{
    uint64_t now_ms = clock_ms();
    json_t *o = json_object(), *processes = json_array();
    uint64_t pid = 0;

    for (size_t i = 0; i < BOARD_PROCS_MAX; i++) {
        const struct board_proc *p = &board->procs[i];
        uint32_t role = atomic_load_explicit(&p->role, memory_order_acquire);
        if (role == BOARD_FREE || role > BOARD_WORKER)
            continue;
        if (role == BOARD_MASTER)
            pid = (uint64_t)atomic_load(&p->pid);
        json_array_append_new(processes, process_json(p, role, now_ms));
    }
    set_text(o, "schema", "plimsoll.status/1");
    set_text(o, "version", PLIMSOLL_VERSION);
    set_int(o, "pid", pid);
    json_object_set_new(o, "uptime_s", json_real(seconds(now_ms - board->started_ms)));
    set_int(o, "generation", atomic_load(&board->generation));
    json_object_set_new(o, "ready", json_boolean(atomic_load(&board->ready)));
    json_object_set_new(o, "listen", listen_json());
    json_object_set_new(o, "processes", processes);
    json_object_set_new(o, "counters", counters_json());
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
    return text ? text : xstrdup("{}");
}
