// SPDX-License-Identifier: Apache-2.0
// Answers from files: content type, validators, conditional requests, ranges. Runs in the edge; the descriptor it is given
// it passes on to the transport or closes.
// Fields that a rule or PHP (X-Sendfile, X-Accel-Redirect) put into r->extra win over those made from the file.
#include "edge/static.h"

#include <time.h>
#include <unistd.h>

#include "edge/precompressed.h"
#include "edge/req.h"
#include "edge/static_ranges.h"
#include "http/conditional.h"
#include "http/http_date.h"
#include "http/mime.h"
#include "http/range.h"

struct answer {
    struct req *r;
    struct representation rep;
    struct str type, etag;
    time_t modified;
    struct field fields[8]; // at most type, etag, modified, ranges, encoding, vary, content-range
    size_t n;
};

static const struct field *find_extra(const struct req *r, enum field_id id)
{
    return field_find(r->extra, r->n_extra, id);
}

static void drop_extra(struct req *r, enum field_id id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_extra; i++)
        if (r->extra[i].id != id)
            r->extra[n++] = r->extra[i];
    r->n_extra = n;
}

static void add(struct answer *a, enum field_id id, struct str name, struct str value)
{
    a->fields[a->n++] = (struct field){name, value, id};
}

static char *put_hex(char *p, uint64_t v)
{
    int shift = 60;

    while (shift && !(v >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[v >> shift & 15];
    return p;
}

// Time, its nanoseconds and the size: a file that is written twice within a second is two files. A sibling has a tag of
// its own, for its bytes are others.
static struct str make_etag(struct req *r, const struct representation *rep)
{
    char *text = arena_alloc(&r->arena, 64), *p = text;

    *p++ = '"';
    p = put_hex(p, (uint64_t)rep->mtime_s);
    *p++ = '.';
    p = put_hex(p, (uint64_t)rep->mtime_ns);
    *p++ = '-';
    p = put_hex(p, (uint64_t)rep->size);
    if (rep->coding != CODING_IDENTITY) {
        const char *name = coding_name(rep->coding);
        *p++ = '-';
        memcpy(p, name, strlen(name));
        p += strlen(name);
    }
    *p++ = '"';
    *p = '\0';
    return (struct str){text, (size_t)(p - text)};
}

static void add_validators(struct answer *a)
{
    struct req *r = a->r;
    const struct field *etag = find_extra(r, FIELD_ETAG), *modified = find_extra(r, FIELD_LAST_MODIFIED);

    if (etag) {
        a->etag = etag->value;
    } else {
        a->etag = make_etag(r, &a->rep);
        add(a, FIELD_ETAG, STR("ETag"), a->etag);
    }
    // A clock that was ahead when the file was written must not make it modified in the future (RFC 9110 §8.8.2.1).
    time_t now = time(NULL);
    a->modified = a->rep.mtime_s > now ? now : (time_t)a->rep.mtime_s;
    if (modified) {
        if (!http_date_parse(modified->value, &a->modified))
            a->modified = (time_t)a->rep.mtime_s;
        return;
    }
    char *text = arena_alloc(&r->arena, HTTP_DATE_BYTES);
    http_date_format(a->modified, text);
    add(a, FIELD_LAST_MODIFIED, STR("Last-Modified"), (struct str){text, HTTP_DATE_BYTES - 1});
}

static void add_variants(struct answer *a)
{
    const struct field *vary = find_extra(a->r, FIELD_VARY);

    if (a->rep.coding != CODING_IDENTITY)
        add(a, FIELD_CONTENT_ENCODING, STR("Content-Encoding"), str_from(coding_name(a->rep.coding)));
    if (!a->rep.varies)
        return;
    struct str value = STR("Accept-Encoding");
    if (vary && !str_eq_nocase(vary->value, value)) // a field of the answer displaces the extra one
        value = arena_printf(&a->r->arena, "%.*s, Accept-Encoding", STR_ARG(vary->value));
    add(a, FIELD_VARY, STR("Vary"), value);
}

static void end_without_body(struct answer *a, unsigned status, int64_t body_n)
{
    close(a->rep.fd);
    req_head(a->r, status, a->fields, a->n, body_n);
    (void)req_write(a->r, (struct str){"", 0}, (struct str){"", 0}, true);
}

// An error about a file: what says how long the file may be kept is not said of the error.
static void refuse(struct answer *a, unsigned status)
{
    struct req *r = a->r;

    close(a->rep.fd);
    drop_extra(r, FIELD_EXPIRES);
    drop_extra(r, FIELD_CACHE_CONTROL);
    if (status != 416) {
        req_fail(r, status, NULL);
        return;
    }
    struct str value = arena_printf(&r->arena, "bytes */%lld", (long long)a->rep.size);
    struct field range = {STR("Content-Range"), value, FIELD_CONTENT_RANGE};
    req_answer(r, 416, &range, 1, STR("text/plain; charset=utf-8"), STR("Range Not Satisfiable\n"));
}

static void send_part(struct answer *a, unsigned status, int64_t offset, int64_t n)
{
    struct req *r = a->r;

    if (!find_extra(r, FIELD_CONTENT_TYPE))
        add(a, FIELD_CONTENT_TYPE, STR("Content-Type"), a->type);
    if (r->is_head || n == 0) {
        end_without_body(a, status, n);
        return;
    }
    req_head(r, status, a->fields, a->n, n);
    req_file(r, a->rep.fd, offset, n, true);
}

// Answers with ranges if the request asks for any that can be given; false if the whole is to be sent.
static bool send_ranges(struct answer *a)
{
    struct range ranges[RANGES_MAX];
    struct req *r = a->r;
    int n = range_parse(req_field(r, FIELD_RANGE), (uint64_t)a->rep.size, ranges);

    if (n < 0) {
        refuse(a, 416);
        return true;
    }
    if (n == 1) {
        unsigned long long first = ranges[0].first, last = first + ranges[0].n - 1;
        struct str value = arena_printf(&r->arena, "bytes %llu-%llu/%lld", first, last, (long long)a->rep.size);
        add(a, FIELD_CONTENT_RANGE, STR("Content-Range"), value);
        send_part(a, 206, (int64_t)first, (int64_t)ranges[0].n);
        return true;
    }
    if (n == 0)
        return false;
    const struct field *own = find_extra(r, FIELD_CONTENT_TYPE); // displaced by the multipart's
    return static_ranges_answer(r, a->rep.fd, a->rep.size, ranges, n, own ? own->value : a->type, a->fields, a->n);
}

static struct str last_segment(struct str path)
{
    const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
    size_t at = slash ? (size_t)(slash - path.p) + 1 : 0;
    return (struct str){path.p + at, path.n - at};
}

void static_answer(struct req *r)
{
    struct answer a = {.r = r,
                       .rep = {.fd = r->file_fd,
                               .size = r->file_size,
                               .mtime_s = r->file_mtime_s,
                               .mtime_ns = r->file_mtime_ns,
                               .coding = CODING_IDENTITY}};
    bool use_range = false;

    r->file_fd = -1; // passed on or closed from here
    a.type = str_from(mime_of(last_segment(r->file_path)));
    // PHP's own validators and coding are about the file as it is.
    if (!find_extra(r, FIELD_ETAG) && !find_extra(r, FIELD_CONTENT_ENCODING))
        precompressed_choose(r, a.type.p, &a.rep);
    add_validators(&a);
    add_variants(&a);
    switch (cond_evaluate(r->fields, r->n_fields, r->is_get || r->is_head, a.etag, a.modified, &use_range)) {
    case COND_NOT_MODIFIED:
        drop_extra(r, FIELD_CONTENT_TYPE);
        end_without_body(&a, 304, 0);
        return;
    case COND_FAILED:
        refuse(&a, 412);
        return;
    case COND_PASS:
        break;
    }
    if (!find_extra(r, FIELD_ACCEPT_RANGES))
        add(&a, FIELD_ACCEPT_RANGES, STR("Accept-Ranges"), STR("bytes"));
    if (use_range && r->is_get && field_find(r->fields, r->n_fields, FIELD_RANGE) && send_ranges(&a))
        return;
    send_part(&a, 200, 0, a.rep.size);
}
