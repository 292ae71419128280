// SPDX-License-Identifier: Apache-2.0
// The admin listener's answers. Runs in the edge; owns nothing: everything it tells is on the board.
// Invariant: no answer here waits for a worker, so the server can be looked at while all of them hang.
#include "edge/admin.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "edge/edge_int.h"
#include "edge/metrics.h"
#include "edge/req.h"
#include "http/uri.h"
#include "ipc/board.h"
#include "ipc/status_json.h"

#define TEXT STR("text/plain; charset=utf-8")

static const struct field no_store = {.name = {"Cache-Control", 13}, .value = {"no-store", 8}, .id = FIELD_CACHE_CONTROL};

static void answer(struct req *r, unsigned status, struct str type, struct str body)
{
    req_answer(r, status, &no_store, 1, type, body);
}

static void answer_index(struct req *r)
{
    answer(r, 200, STR("text/html; charset=utf-8"),
           STR("<!doctype html><meta charset=utf-8><title>Plimsoll</title><h1>Plimsoll</h1><ul>\n"
               "<li><a href=\"/status\">/status</a> processes, current requests and counters (JSON)\n"
               "<li><a href=\"/metrics\">/metrics</a> counters (OpenMetrics)\n"
               "<li><a href=\"/healthz\">/healthz</a> 200 while the server lives\n"
               "<li><a href=\"/readyz\">/readyz</a> 200 while every pool has a worker, 503 else\n</ul>\n"));
}

static bool names(struct str list, const char *type)
{
    return list.n && memmem(list.p, list.n, type, strlen(type));
}

static void answer_metrics(struct req *r)
{
    struct buf out = BUF_INIT;
    struct str accept = req_field(r, FIELD_ACCEPT);
    bool classic = names(accept, "text/plain") && !names(accept, "application/openmetrics-text");

    metrics_write(&out, !classic);
    answer(r, 200, classic ? STR(METRICS_CLASSIC_TYPE) : STR(METRICS_CONTENT_TYPE), arena_str(&r->arena, buf_str(&out)));
    buf_done(&out);
}

static void answer_status(struct req *r)
{
    char *json = status_json();

    answer(r, 200, STR("application/json"), arena_str(&r->arena, str_from(json)));
    free(json);
}

static void answer_health(struct req *r)
{
    answer(r, 200, TEXT, STR("ok\n"));
}

// The pool that has a mold (or had, and workers are leaving) but no worker that takes requests; NULL if there is none.
static const char *pool_without_worker(void)
{
    for (size_t i = 0; i < BOARD_PROCS_MAX; i++) {
        const struct board_proc *p = &board->procs[i];
        uint32_t role = atomic_load_explicit(&p->role, memory_order_acquire);
        if (role != BOARD_MOLD && role != BOARD_WORKER)
            continue;
        bool found = false;
        for (size_t k = 0; k < BOARD_PROCS_MAX && !found; k++) {
            const struct board_proc *w = &board->procs[k];
            uint32_t state = atomic_load_explicit(&w->state, memory_order_relaxed);
            // One that starts has a row only since it introduced itself: it is on its way to the edge.
            found = atomic_load_explicit(&w->role, memory_order_acquire) == BOARD_WORKER && state != BOARD_LEAVING &&
                    !strncmp(w->pool, p->pool, sizeof p->pool);
        }
        if (!found)
            return p->pool;
    }
    return NULL;
}

static bool has_worker(void)
{
    for (size_t i = 0; i < BOARD_PROCS_MAX; i++)
        if (atomic_load_explicit(&board->procs[i].role, memory_order_acquire) == BOARD_WORKER)
            return true;
    return false;
}

static void answer_ready(struct req *r)
{
    if (!atomic_load(&board->ready)) {
        answer(r, 503, TEXT, STR("not ready: starting or shutting down\n"));
        return;
    }
    const char *pool = pool_without_worker();
    if (pool)
        answer(r, 503, TEXT, arena_printf(&r->arena, "not ready: pool %.31s has no worker\n", pool));
    else if (!has_worker())
        answer(r, 503, TEXT, STR("not ready: there is no worker\n"));
    else
        answer(r, 200, TEXT, STR("ready\n"));
}

static const struct page {
    struct str path;
    void (*fn)(struct req *r);
} pages[] = {
    {STR("/"), answer_index},
    {STR("/metrics"), answer_metrics},
    {STR("/status"), answer_status},
    {STR("/healthz"), answer_health},
    {STR("/readyz"), answer_ready},
};

// A page of somebody's browser must not read us under a name that its owner points to 127.0.0.1 (DNS rebinding): a Host that
// came from a name service is refused. Not where others may ask anyway.
static bool is_host_fine(const struct req *r)
{
    struct str host, port;
    char text[16];
    struct in_addr v4;

    if (r->peer->is_unix || edge.conf->global.admin_allow_remote || !r->authority.n)
        return true;
    if (!uri_split_authority(r->authority, &host, &port) || !host.n)
        return false;
    if (host.p[0] == '[' || str_eq_nocase(host, STR("localhost")))
        return true;
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(AF_INET, text, &v4) == 1;
}

void admin_answer(struct req *r)
{
    static const struct field allow = {.name = {"Allow", 5}, .value = {"GET, HEAD", 9}, .id = FIELD_ALLOW};

    if (!is_host_fine(r)) {
        answer(r, 421, TEXT, STR("ask by address or as localhost; other names would let web pages in (admin.allow_remote takes all)\n"));
        return;
    }
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (!str_eq(r->path_raw, pages[i].path))
            continue;
        if (!r->is_get && !r->is_head)
            req_answer(r, 405, &allow, 1, TEXT, STR("GET and HEAD only\n"));
        else
            pages[i].fn(r);
        return;
    }
    answer(r, 404, TEXT, STR("not here; / lists what is\n"));
}
