// SPDX-License-Identifier: Apache-2.0
// The life of a request: its step table, the answers of our own, and its end. Runs in the edge; owns struct req. Invariants:
// exactly one head is given to the sink; after req_release nobody but a worker's job (which forgot it) goes on.
#include "edge/req.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "edge/access_log.h"
#include "edge/admin.h"
#include "edge/dispatch.h"
#include "edge/edge_int.h"
#include "edge/route.h"
#include "edge/static.h"
#include "http/status.h"
#include "http/uri.h"
#include "ipc/board.h"
#include "ipc/chan.h"

#define INTERNAL_REDIRECTS_MAX 5

// Requests end often and their structs are large: a few are kept.
#define SPARE_MAX 64
static struct req *spare[SPARE_MAX];
static unsigned n_spare;

struct req *req_new(const struct sink_ops *sink, void *sink_arg)
{
    struct req *r = n_spare ? spare[--n_spare] : xmalloc(sizeof *r);
    struct timespec ts;

    memset(r, 0, sizeof *r);
    r->magic = REQ_MAGIC;
    r->sink = sink;
    r->sink_arg = sink_arg;
    r->file_fd = -1;
    r->content_length = -1;
    r->started_us = clock_us();
    clock_gettime(CLOCK_REALTIME, &ts);
    r->started_wall_us = ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    body_init(&r->body);
    return r;
}

struct str req_field(const struct req *r, enum field_id id)
{
    const struct field *f = field_find(r->fields, r->n_fields, id);
    return f ? f->value : (struct str){"", 0};
}

void req_add_extra(struct req *r, struct str name, struct str value)
{
    if (r->n_extra < sizeof r->extra / sizeof r->extra[0])
        r->extra[r->n_extra++] = (struct field){name, value, field_id_of(name)};
}

// ---- the request's id ----

static bool id_is_sound(struct str s)
{
    if (!s.n || s.n >= sizeof((struct req *)0)->id)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

// The client's or proxy's X-Request-Id where it is sound, else one of ours: 64 random bits of this process, and a count.
static void set_id(struct req *r)
{
    static uint64_t base, n;
    static const char hex[] = "0123456789abcdef";
    struct str given = req_field(r, FIELD_X_REQUEST_ID);

    if (id_is_sound(given)) {
        memcpy(r->id, given.p, given.n);
        r->id[given.n] = '\0';
        return;
    }
    if (!base && getrandom(&base, sizeof base, 0) != sizeof base)
        base = (uint64_t)r->started_wall_us;
    n++;
    uint64_t parts[2] = {base, n * 0x9e3779b97f4a7c15u}; // an odd factor: no two counts give the same
    for (int i = 0; i < 32; i++)
        r->id[i] = hex[parts[i / 16] >> (60 - 4 * (i % 16)) & 15];
    r->id[32] = '\0';
}

// ---- answering ----

void req_inform(struct req *r, unsigned status, const struct field *fields, size_t n)
{
    if (r->head_sent || r->cut)
        return;
    count(COUNTER_RESPONSES_1XX);
    r->sink->inform(r, status, fields, n);
}

// True if the answer's own fields have that one: then the route's or server's does not come on top.
static bool has_field(const struct field *fields, size_t n, const struct field *f)
{
    for (size_t i = 0; i < n; i++)
        if (f->id != FIELD_OTHER ? fields[i].id == f->id : str_eq_nocase(fields[i].name, f->name))
            return true;
    return false;
}

void req_head(struct req *r, unsigned status, const struct field *fields, size_t n, int64_t body_n)
{
    must(!r->head_sent);
    struct field *all = arena_alloc(&r->arena, (n + r->n_extra + 1) * sizeof *all);
    size_t total = n;

    if (n)
        memcpy(all, fields, n * sizeof *all);
    for (unsigned i = 0; i < r->n_extra; i++) {
        const struct field *f = &r->extra[i];
        bool keeps = f->id == FIELD_EXPIRES || f->id == FIELD_CACHE_CONTROL;
        if (status >= 400 && keeps)
            continue; // meant for what the path usually gives, not for its errors
        if (f->id == FIELD_SET_COOKIE || !has_field(fields, n, f))
            all[total++] = *f;
    }
    struct field id = {STR("X-Request-Id"), str_from(r->id), FIELD_X_REQUEST_ID};
    if (!has_field(fields, n, &id)) // a script's own stands, as its Date does
        all[total++] = id;
    r->head_sent = true;
    r->status = status;
    r->sink->head(r, status, all, total, body_n);
}

size_t req_write(struct req *r, struct str a, struct str b, bool last)
{
    if (r->ended)
        return a.n + b.n;
    size_t took = r->sink->write(r, a, b, last);
    if (!r->is_head)
        r->bytes_out += took;
    if (last && took == a.n + b.n)
        r->ended = true;
    return took;
}

void req_file(struct req *r, int fd, int64_t offset, int64_t n, bool last)
{
    if (r->ended) {
        close(fd);
        return;
    }
    if (!r->is_head)
        r->bytes_out += (uint64_t)n;
    r->ended = last;
    r->sink->file(r, fd, offset, n, last);
}

void req_cut(struct req *r, const char *why)
{
    if (r->ended)
        return;
    r->ended = r->cut = true;
    r->end_reason = why;
    r->step = REQ_DONE;
    dispatch_abandon(r);
    r->sink->cut(r);
}

void req_answer(struct req *r, unsigned status, const struct field *fields, size_t n, struct str content_type, struct str body)
{
    struct field all[16];
    size_t total = 0;

    if (r->head_sent || r->ended)
        return;
    for (; total < n && total < 15; total++)
        all[total] = fields[total];
    if (content_type.n)
        all[total++] = (struct field){STR("Content-Type"), content_type, FIELD_CONTENT_TYPE};
    r->step = REQ_DONE;
    req_head(r, status, all, total, (int64_t)body.n);
    (void)req_write(r, body, (struct str){NULL, 0}, true);
}

void req_fail(struct req *r, unsigned status, const char *why)
{
    struct field fields[3];
    size_t n = 0;

    if (!r->end_reason)
        r->end_reason = why;
    if (r->head_sent) {
        req_cut(r, why);
        return;
    }
    dispatch_abandon(r);
    if (!r->id[0])
        set_id(r); // it never came to a request of the step table
    if (r->location.n)
        fields[n++] = (struct field){STR("Location"), r->location, FIELD_LOCATION};
    if (r->allow.n)
        fields[n++] = (struct field){STR("Allow"), r->allow, FIELD_ALLOW};
    if (status == 503)
        fields[n++] = (struct field){STR("Retry-After"), STR("2"), FIELD_RETRY_AFTER};
    if (status < 300) {
        req_answer(r, status, fields, n, (struct str){NULL, 0}, (struct str){NULL, 0});
        return;
    }
    const char *reason = status_reason(status);
    struct str page = arena_printf(&r->arena,
                                   "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%u %s</title>"
                                   "<style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32em;padding:0 1em;"
                                   "color:#345;background:#fafcfd}@media(prefers-color-scheme:dark){body{color:#bcd;background:"
                                   "#12181d}}</style></head><body><h1>%u %s</h1></body></html>\n",
                                   status, reason, status, reason);
    req_answer(r, status, fields, n, STR("text/html; charset=utf-8"), page);
}

// ---- the steps ----

static void run_plan(struct req *r);

// What a body may be: the site's or route's limit, else post_max_size of the PHP that would get it. A body that PHP is going
// to throw away is not worth a client's time and a disk's space.
static bool body_is_refused(struct req *r, uint64_t n)
{
    uint64_t ours = (uint64_t)r->max_body_size, phps = ours ? 0 : dispatch_post_max_size(r->site->pool);

    if ((!ours || n <= ours) && (!phps || n <= phps))
        return false;
    req_fail(r, 413, ours ? "the body is larger than max_body_size" : "the body is larger than PHP's post_max_size");
    return true;
}

static void step_body(struct req *r)
{
    r->step = REQ_BODY;
    if (!r->has_body) {
        run_plan(r);
        return;
    }
    if (r->content_length >= 0 && body_is_refused(r, (uint64_t)r->content_length))
        return;
    if (r->expects_continue)
        r->sink->want_body(r);
    if (!r->buffering)
        run_plan(r); // the worker reads along
}

static void run_plan(struct req *r)
{
    switch (r->plan) {
    case PLAN_PHP:
        r->step = REQ_ADMIT;
        dispatch_admit(r);
        break;
    case PLAN_STATIC:
        r->step = REQ_RUN;
        count(COUNTER_STATIC_REQUESTS);
        static_answer(r);
        break;
    case PLAN_STATUS:
        req_fail(r, r->plan_status, r->end_reason);
        break;
    case PLAN_READY:
        break;
    case PLAN_NONE:
        must(!"the route step decides");
    }
}

void req_start(struct req *r)
{
    must(r->magic == REQ_MAGIC);
    set_id(r);
    if (r->admin) {
        r->step = REQ_RUN;
        admin_answer(r);
        return;
    }
    r->step = REQ_ROUTE;
    route_decide(r, false);
    if (r->plan == PLAN_PHP)
        step_body(r);
    else
        run_plan(r);
}

size_t req_body_add(struct req *r, const char *data, size_t n)
{
    if (r->ended || r->step == REQ_DONE)
        return n;
    if (r->n_redirects)
        return n; // the page behind X-Accel-Redirect has no body
    if (body_is_refused(r, r->body.n + n))
        return n;
    if (!r->buffering) {
        size_t took = dispatch_body_add(r, data, n);
        r->body.n += took;
        return took;
    }
    size_t memory = edge.conf->global.body_memory; // what is not in a file must fit into the worker's memory
    int rc = body_add(&r->body, data, n, memory < CHAN_BODY_BYTES ? memory : CHAN_BODY_BYTES, edge.conf->global.spool_dir);
    if (rc) {
        log_error("request %s: the body can't be spooled to %s: %s", r->id, edge.conf->global.spool_dir, strerror(-rc));
        req_fail(r, rc == -ENOSPC || rc == -EDQUOT ? 507 : 500, "the body could not be spooled");
    }
    return n;
}

void req_body_end(struct req *r)
{
    r->body.complete = true;
    if (r->ended || r->step == REQ_DONE)
        return;
    if (r->n_redirects)
        return;
    if (!r->buffering)
        dispatch_body_end(r, false);
    else if (r->step == REQ_BODY)
        run_plan(r);
}

void req_on_client_gone(struct req *r)
{
    if (!r->client_gone) {
        r->client_gone = true;
        count(COUNTER_CLIENTS_GONE);
        if (!r->end_reason)
            r->end_reason = "the client went away";
    }
    if (!r->buffering && !r->body.complete && r->has_body)
        dispatch_body_end(r, true);
    dispatch_abandon(r);
}

void req_on_drain(struct req *r)
{
    dispatch_on_drain(r);
}

void req_redirect_internal(struct req *r, struct str path_query)
{
    if (++r->n_redirects > INTERNAL_REDIRECTS_MAX) {
        req_fail(r, 500, "too many internal redirects (X-Accel-Redirect)");
        return;
    }
    struct str target = arena_str(&r->arena, path_query);
    // Symfony since 6.4 encodes the whole path, its slashes too; nginx decodes before it looks at it.
    if (target.n >= 3 && !strncasecmp(target.p, "%2F", 3)) {
        target = (struct str){target.p + 2, target.n - 2};
        *(char *)(uintptr_t)target.p = '/';
    }
    uri_split(target, &r->path_raw, &r->query, &r->has_query);
    r->plan = PLAN_NONE;
    route_decide(r, true);
    // A PHP script behind X-Accel-Redirect gets the method of the first one without its body, which is used up.
    run_plan(r);
}

static void count_end(const struct req *r)
{
    static const enum counter by_class[] = {COUNTER_RESPONSES_1XX, COUNTER_RESPONSES_1XX, COUNTER_RESPONSES_2XX,
                                            COUNTER_RESPONSES_3XX, COUNTER_RESPONSES_4XX, COUNTER_RESPONSES_5XX};
    if (r->admin)
        return;
    count(COUNTER_REQUESTS);
    if (r->head_sent && r->status >= 200 && r->status < 600)
        count(by_class[r->status / 100]);
    board_count_duration(r->finished_us - r->started_us);
}

void req_release(struct req *r)
{
    must(r->magic == REQ_MAGIC);
    dispatch_forget(r);
    r->finished_us = clock_us();
    count_end(r);
    if (!r->admin)
        access_log_request(r);
    timer_clear(&r->queue_timer);
    body_done(&r->body);
    fd_close(&r->file_fd);
    arena_reset(&r->arena);
    r->magic = 0;
    if (n_spare < SPARE_MAX)
        spare[n_spare++] = r;
    else
        free(r);
}
