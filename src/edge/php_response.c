// SPDX-License-Identifier: Apache-2.0
// What a script's header block means: status, fields, and the fields that are orders to the server (X-Accel-Redirect,
// X-Sendfile, Status). Runs in the edge. Invariant: only names and values that are sound by RFC 9110 §5 reach a client.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "edge/req.h"
#include "edge/route.h"
#include "edge/static.h"
#include "edge/worker_int.h"
#include "http/fields.h"
#include "ipc/job.h"

#define INFORMS_MAX 64 // 1xx answers a request

// One line "Name: value". Returns false (and says so in the log) if it is not sound.
static bool split_line(struct req *r, struct str line, struct field *ret)
{
    size_t colon = str_find(line, ':');

    if (colon == SIZE_MAX) {
        log_warning("request %s: the script's header line \"%.*s\" has no colon and is dropped", r->id, STR_ARG(line));
        return false;
    }
    ret->name = (struct str){line.p, colon};
    ret->value = str_trim((struct str){line.p + colon + 1, line.n - colon - 1});
    if (!field_name_is_valid(ret->name) || !field_value_is_valid(ret->value)) {
        log_warning("request %s: the script's header \"%.*s\" is malformed and is dropped", r->id, STR_ARG(ret->name));
        return false;
    }
    ret->id = field_id_of(ret->name);
    return true;
}

// As many fields as the block holds: its size is bounded, and one left out could be the cookie or the Location that counts.
static struct field *read_block(struct req *r, const char *block, size_t n, size_t *ret_n)
{
    size_t at = 0, lines = 0, count = 0;
    struct str line;
    bool bad = false;

    while (head_block_next(block, n, &at, &line, &bad))
        lines++;
    if (bad)
        log_warning("request %s: a worker sent a malformed header block", r->id);
    struct field *fields = arena_alloc(&r->arena, (lines + 1) * sizeof *fields);
    at = 0;
    while (head_block_next(block, n, &at, &line, &bad))
        if (split_line(r, line, &fields[count]))
            count++;
    *ret_n = count;
    return fields;
}

void php_response_inform(struct req *r, unsigned status, const char *block, size_t n)
{
    size_t count;

    if (r->n_informs++ >= INFORMS_MAX)
        return; // hints are only hints, and each costs memory until the request ends
    const struct field *fields = read_block(r, block, n, &count);
    req_inform(r, status, fields, count);
}

struct orders {
    struct str accel, sendfile;
    int64_t length; // Content-Length of the script, -1 = none
    bool bad_length;
    unsigned status;
    struct str reason; // the script's words for it
};

// Takes the orders out of the fields. Returns how many fields are left.
static size_t take_orders(struct field *fields, size_t n, struct orders *o)
{
    size_t kept = 0;
    uint64_t v;

    for (size_t i = 0; i < n; i++) {
        struct field f = fields[i];
        switch (f.id) {
        case FIELD_X_ACCEL_REDIRECT:
            o->accel = f.value;
            continue;
        case FIELD_X_SENDFILE:
            o->sendfile = f.value;
            continue;
        case FIELD_X_ACCEL_BUFFERING:
        case FIELD_X_ACCEL_CHARSET:
        case FIELD_X_ACCEL_EXPIRES:
        case FIELD_X_ACCEL_LIMIT_RATE:
            continue;
        case FIELD_CONTENT_LENGTH:
            if (str_to_u64(f.value, &v) && v <= INT64_MAX && (o->length < 0 || o->length == (int64_t)v))
                o->length = (int64_t)v;
            else
                o->bad_length = true;
            continue;
        case FIELD_STATUS: // as CGI scripts say it; nginx takes it from php-fpm, too
            if (f.value.n >= 3 && str_to_u64((struct str){f.value.p, 3}, &v) && v >= 200 && v <= 599) {
                o->status = (unsigned)v;
                o->reason = str_trim((struct str){f.value.p + 3, f.value.n - 3});
            }
            continue;
        default:
            break;
        }
        fields[kept++] = f;
    }
    return kept;
}

// Keeps of the script's fields those that belong to the file or page which is sent instead.
static void keep_as_extra(struct req *r, const struct field *fields, size_t n, bool all)
{
    for (size_t i = 0; i < n; i++) {
        const struct field *f = &fields[i];
        bool keep = all || f->id == FIELD_CONTENT_TYPE || f->id == FIELD_SET_COOKIE || f->id == FIELD_CACHE_CONTROL ||
                    f->id == FIELD_EXPIRES || f->id == FIELD_ACCEPT_RANGES || str_eq_nocase(f->name, STR("Content-Disposition"));
        if (keep && f->id != FIELD_TRANSFER_ENCODING && f->id != FIELD_CONNECTION)
            req_add_extra(r, f->name, f->value);
    }
}

void php_response_head(struct worker *w, struct req *r, unsigned status, const char *block, size_t n, bool whole,
                       uint64_t body_n)
{
    size_t count;
    struct field *fields = read_block(r, block, n, &count);
    struct orders o = {.length = -1, .status = status};
    count = take_orders(fields, count, &o);

    if (o.accel.n || o.sendfile.n) {
        bool by_path = !o.accel.n;
        keep_as_extra(r, fields, count, by_path);
        worker__detach(w, false);
        if (!by_path) {
            req_redirect_internal(r, o.accel);
        } else if (route_open_sendfile(r, arena_str(&r->arena, o.sendfile).p)) {
            static_answer(r);
        } else {
            log_warning("request %s: X-Sendfile names %.*s, which may not be sent (see sendfile_root)", r->id,
                        STR_ARG(o.sendfile));
            req_fail(r, 404, "X-Sendfile names a file that may not be sent");
        }
        return;
    }
    if (o.status < 200) { // as a final status it would leave the client waiting for one
        log_warning("request %s: the script answers with status %u, which is no final one", r->id, o.status);
        req_fail(r, 502, "the script gave a 1xx status");
        return;
    }
    if (o.bad_length)
        log_warning("request %s: the script's Content-Length is malformed or given twice; it is ignored", r->id);
    int64_t length = o.length >= 0 && !o.bad_length ? o.length : whole ? (int64_t)body_n : -1;
    if (r->is_head && o.length < 0)
        length = -1; // what a GET would send is not known
    r->reason = o.reason;
    req_head(r, o.status, fields, count, length);
    r->reason = (struct str){NULL, 0}; // it lies in the block
}
