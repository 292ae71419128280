// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1 request. Pure; runs in the edge, owns nothing: all slices point into the caller's bytes.
// Invariant: whatever the pieces in which a head arrives, the verdict is the one for the whole. For that, everything is
// decided in the order of the bytes: leading empty lines, first byte, request line, then line ends up to the empty line
// (bare LF, size), and only then the fields.
// Transfer-Encoding (RFC 9112 §6.1, §6.3): only "chunked", once and last, is decoded. A well-formed list that ends in
// chunked but has other codings before it is 501 (we don't know them); everything else is 400, because its length can't be
// told. HTTP/1.0 with Transfer-Encoding, and Transfer-Encoding beside Content-Length, are 400.
#include "http/h1_parse.h"

#include <string.h>

#include "http/http_int.h"
#include "http/uri.h"

#define METHOD_MAX 32
#define EMPTY_LINES_MAX 8 // before a request line; some old clients send one after a POST body

struct parse {
    struct h1_request *req;
    const char *why;
    const struct field *host;
    struct str authority; // of the target
    bool has_te, te_malformed, te_unknown, te_after_chunked, te_chunked;
    bool has_upgrade, has_expect, expect_unknown;
    bool conn_close, conn_keep_alive, conn_upgrade;
};

static int refuse(struct parse *ps, int status, const char *why)
{
    ps->why = why;
    return -status;
}

// The first byte from p on that may not stand in a field value; there is one, a CR at end at the latest.
static const char *skip_text(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t w;

    // Eight at a time: a byte below 0x20 or equal to 0x7f sets the top bit of its place. (HTAB too: then one at a time.)
    while (end - p >= 8) {
        memcpy(&w, p, 8);
        uint64_t del = w ^ (ones * 0x7f);
        if ((((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & tops)
            break;
        p += 8;
    }
    while (http__class(*p) & CH_TEXT)
        p++;
    return p;
}

// 1 with *ret_start behind the empty lines, 0 = more is needed, or -status.
static int skip_empty_lines(struct parse *ps, const char *data, size_t n, size_t *ret_start)
{
    size_t at = 0;

    for (unsigned count = 0; at < n; count++, at += 2) {
        if (data[at] == '\n')
            return refuse(ps, 400, "bare LF");
        if (data[at] != '\r') {
            *ret_start = at;
            return 1;
        }
        if (count == EMPTY_LINES_MAX)
            return refuse(ps, 400, "too many empty lines before the request line");
        if (at + 1 == n)
            return 0;
        if (data[at + 1] != '\n')
            return refuse(ps, 400, "bare CR");
    }
    return 0;
}

static int parse_absolute(struct parse *ps, struct str target)
{
    struct h1_request *r = ps->req;
    size_t scheme_n = target.n > 7 && target.p[4] == ':' ? 4 : 5;
    struct str host, port;

    if (target.n <= scheme_n + 3 || memcmp(target.p + scheme_n, "://", 3) != 0)
        return refuse(ps, 400, "target in no known form");
    r->scheme = (struct str){target.p, scheme_n};
    if (!str_eq_nocase(r->scheme, STR("http")) && !str_eq_nocase(r->scheme, STR("https")))
        return refuse(ps, 400, "target's scheme is not http or https");
    const char *p = target.p + scheme_n + 3, *end = target.p + target.n;
    const char *authority = p;
    while (p < end && *p != '/' && *p != '?')
        p++;
    ps->authority = (struct str){authority, (size_t)(p - authority)};
    if (!uri_split_authority(ps->authority, &host, &port) || !host.n)
        return refuse(ps, 400, "target's authority is invalid");
    r->path_query = p < end ? (struct str){p, (size_t)(end - p)} : STR("/");
    r->form = H1_TARGET_ABSOLUTE;
    return 0;
}

static int parse_target(struct parse *ps)
{
    struct h1_request *r = ps->req;
    struct str host, port;

    if (r->target.p[0] == '/') { // CONNECT too: it is refused whatever its target
        r->form = H1_TARGET_ORIGIN;
        r->path_query = r->target;
        return 0;
    }
    if (str_eq(r->method, STR("CONNECT"))) {
        if (!uri_split_authority(r->target, &host, &port) || !host.n || !port.n)
            return refuse(ps, 400, "CONNECT wants host:port");
        r->form = H1_TARGET_AUTHORITY;
        ps->authority = r->target;
        return 0;
    }
    if (str_eq(r->target, STR("*"))) {
        if (!str_eq(r->method, STR("OPTIONS")))
            return refuse(ps, 400, "target * with a method other than OPTIONS");
        r->form = H1_TARGET_ASTERISK;
        return 0;
    }
    return parse_absolute(ps, r->target);
}

static int parse_version(struct parse *ps, const char *p, const char *end)
{
    if (end - p != 8 || memcmp(p, "HTTP/", 5) != 0 || !(http__class(p[5]) & CH_DIGIT) || p[6] != '.' ||
        !(http__class(p[7]) & CH_DIGIT))
        return refuse(ps, 400, "no HTTP version in the request line");
    if (p[5] != '1')
        return refuse(ps, 505, "HTTP version other than 1");
    ps->req->minor = p[7] != '0'; // what is newer than 1.1 is served as 1.1 (RFC 9110 §2.5)
    return 0;
}

// p to lf: the line, the LF at *lf.
static int parse_request_line(struct parse *ps, const char *p, const char *lf)
{
    struct h1_request *r = ps->req;
    const char *start = p, *end = lf - 1;

    if (*end != '\r')
        return refuse(ps, 400, "bare LF");
    while (http__class(*p) & CH_TOKEN)
        p++;
    if (*p != ' ')
        return refuse(ps, 400, "request line does not begin with a method and a space");
    if (p - start > METHOD_MAX)
        return refuse(ps, 501, "method is too long");
    r->method = (struct str){start, (size_t)(p - start)};
    start = ++p;
    while (http__class(*p) & CH_TARGET)
        p++;
    if (*p == '#')
        return refuse(ps, 400, "fragment in the target");
    if (p == start)
        return refuse(ps, 400, "no target in the request line");
    if (*p != ' ')
        return refuse(ps, 400, p == end ? "no HTTP version in the request line" : "control byte in the request line");
    r->target = (struct str){start, (size_t)(p - start)};
    int rc = parse_version(ps, p + 1, end);
    return rc ? rc : parse_target(ps);
}

// What the log can say of a line that is too long: p to end is what came within the limit.
static int refuse_long_line(struct parse *ps, const char *p, const char *end)
{
    const char *start = p;

    while (p < end && (http__class(*p) & CH_TOKEN))
        p++;
    if (p < end && *p == ' ' && p - start <= METHOD_MAX) {
        ps->req->method = (struct str){start, (size_t)(p - start)};
        start = ++p;
        while (p < end && (http__class(*p) & CH_TARGET))
            p++;
        ps->req->target = (struct str){start, (size_t)(p - start)};
    }
    return refuse(ps, 414, "request line is too long");
}

static int parse_content_length(struct parse *ps, struct str value)
{
    if (ps->req->has_content_length)
        return refuse(ps, 400, "several Content-Length");
    if (value.n > 19 || !str_to_u64(value, &ps->req->content_length) || ps->req->content_length > INT64_MAX)
        return refuse(ps, 400, "invalid Content-Length");
    ps->req->has_content_length = true;
    return 0;
}

// A transfer coding with its parameters; quoted values are not expected.
static bool is_coding(struct str item)
{
    struct str part;

    for (bool is_name = true; str_next(&item, ';', &part); is_name = false) {
        size_t eq = is_name ? part.n : str_find(part, '=');
        if (eq == SIZE_MAX || !field_name_is_valid((struct str){part.p, eq}))
            return false;
        if (is_name && str_eq_nocase(part, STR("chunked")))
            return false; // it has no parameters (RFC 9112 §7)
        if (!is_name && !field_name_is_valid((struct str){part.p + eq + 1, part.n - eq - 1}))
            return false;
    }
    return true;
}

static void note_transfer_encoding(struct parse *ps, struct str value)
{
    struct str item;

    ps->has_te = true;
    while (str_next(&value, ',', &item)) {
        ps->te_after_chunked |= ps->te_chunked;
        if (str_eq_nocase(item, STR("chunked")))
            ps->te_chunked = true;
        else if (is_coding(item))
            ps->te_unknown = true;
        else
            ps->te_malformed = true;
    }
}

static void note_connection(struct parse *ps, struct str value)
{
    struct str item;

    while (str_next(&value, ',', &item)) {
        if (str_eq_nocase(item, STR("keep-alive")))
            ps->conn_keep_alive = true;
        else if (str_eq_nocase(item, STR("close")))
            ps->conn_close = true;
        else if (str_eq_nocase(item, STR("upgrade")))
            ps->conn_upgrade = true;
    }
}

static void note_expect(struct parse *ps, struct str value)
{
    struct str item;

    ps->has_expect = true;
    while (str_next(&value, ',', &item))
        if (!str_eq_nocase(item, STR("100-continue")))
            ps->expect_unknown = true;
}

// The fields that say where the request ends and what becomes of the connection.
static int note_field(struct parse *ps, const struct field *f)
{
    switch (f->id) {
    case FIELD_HOST:
        if (ps->host)
            return refuse(ps, 400, "several Host");
        ps->host = f;
        return 0;
    case FIELD_CONTENT_LENGTH:
        return parse_content_length(ps, f->value);
    case FIELD_TRANSFER_ENCODING:
        note_transfer_encoding(ps, f->value);
        return 0;
    case FIELD_CONNECTION:
        note_connection(ps, f->value);
        return 0;
    case FIELD_EXPECT:
        note_expect(ps, f->value);
        return 0;
    case FIELD_UPGRADE:
        ps->has_upgrade = true;
        return 0;
    default:
        return 0;
    }
}

static int refuse_name(struct parse *ps, const char *name, const char *p)
{
    if (p == name && (*p == ' ' || *p == '\t'))
        return refuse(ps, 400, "line folding, or a line that begins with white space");
    if (p == name && *p == ':')
        return refuse(ps, 400, "field without a name");
    if (*p == ' ' || *p == '\t')
        return refuse(ps, 400, "white space in or behind a field name");
    if (*p == '\r' && p[1] == '\n')
        return refuse(ps, 400, "field without a colon");
    return refuse(ps, 400, "invalid byte in a field name");
}

// From p up to the empty line, which is at stop: its CR ends every loop here.
static int parse_fields(struct parse *ps, const char *p, const char *stop, unsigned count_max)
{
    struct h1_request *r = ps->req;
    struct field *f = r->fields;

    for (unsigned count = 1; p < stop; count++) {
        const char *name = p;
        unsigned class, seen = 0;
        while ((class = http__class(*p)) & CH_TOKEN)
            seen |= class, p++;
        if (*p != ':' || p == name)
            return refuse_name(ps, name, p);
        const char *name_end = p++;
        while (*p == ' ' || *p == '\t')
            p++;
        const char *value = p;
        p = skip_text(p, stop);
        if (p[0] != '\r' || p[1] != '\n')
            return refuse(ps, 400, *p == '\r' ? "bare CR" : "control byte in a field value");
        const char *value_end = p;
        while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
            value_end--;
        p += 2;
        if (count > count_max || count > H1_FIELDS_MAX)
            return refuse(ps, 431, "too many fields");
        if (seen & CH_UNDERSCORE) {
            r->n_dropped++;
            continue;
        }
        f->name = (struct str){name, (size_t)(name_end - name)};
        f->value = (struct str){value, (size_t)(value_end - value)};
        f->id = field_id_of(f->name);
        int rc = note_field(ps, f);
        if (rc)
            return rc;
        f++;
    }
    r->n_fields = (size_t)(f - r->fields);
    return 0;
}

static int decide_body(struct parse *ps)
{
    struct h1_request *r = ps->req;

    if (ps->has_te) {
        if (!r->minor)
            return refuse(ps, 400, "Transfer-Encoding in HTTP/1.0");
        if (r->has_content_length)
            return refuse(ps, 400, "Transfer-Encoding beside Content-Length");
        if (ps->te_malformed || ps->te_after_chunked || !ps->te_chunked)
            return refuse(ps, 400, "Transfer-Encoding does not end in chunked, or is malformed");
        if (ps->te_unknown)
            return refuse(ps, 501, "unknown transfer coding");
        r->chunked = true;
    }
    r->has_body = r->chunked || r->content_length > 0;
    return 0;
}

static int decide_host(struct parse *ps)
{
    struct h1_request *r = ps->req;
    struct str host, port;

    if (!ps->host && r->minor)
        return refuse(ps, 400, "no Host in an HTTP/1.1 request");
    if (ps->host && !uri_split_authority(ps->host->value, &host, &port)) // an empty one is valid
        return refuse(ps, 400, "invalid Host");
    if (r->form == H1_TARGET_ABSOLUTE || r->form == H1_TARGET_AUTHORITY)
        r->host = ps->authority;
    else
        r->host = ps->host ? ps->host->value : (struct str){"", 0};
    return 0;
}

// What the fields together mean.
static int decide(struct parse *ps)
{
    struct h1_request *r = ps->req;
    int rc = decide_body(ps);

    if (!rc)
        rc = decide_host(ps);
    if (rc)
        return rc;
    r->keep_alive = !ps->conn_close && (r->minor || ps->conn_keep_alive);
    if (r->minor) { // HTTP/1.0 knows neither (RFC 9110 §7.8, §10.1.1)
        if (ps->expect_unknown)
            return refuse(ps, 417, "unknown expectation");
        r->expect_continue = ps->has_expect && r->has_body;
        r->upgrade = ps->has_upgrade && ps->conn_upgrade;
    }
    return 0;
}

// Looks for the empty line from `at` on. Bytes of the head, 0 = not there, or -400.
static long find_end(struct parse *ps, const char *data, size_t at, size_t limit)
{
    const char *lf;

    while (at < limit && (lf = memchr(data + at, '\n', limit - at))) {
        at = (size_t)(lf - data) + 1;
        if (lf[-1] != '\r')
            return refuse(ps, 400, "bare LF");
        if (lf[-2] == '\n')
            return (long)at;
    }
    return 0;
}

static long parse(struct parse *ps, const char *data, size_t n, size_t from, const struct h1_limits *limits)
{
    size_t start, limit = n < limits->header_max ? n : limits->header_max;
    int rc = skip_empty_lines(ps, data, n, &start);

    if (rc <= 0)
        return rc;
    if (!(http__class(data[start]) & CH_TOKEN))
        return refuse(ps, 400, "does not begin like a request (TLS on a plain port?)");
    if (limit < start)
        limit = start;
    size_t window = limit - start < limits->line_max + 2 ? limit - start : limits->line_max + 2;
    const char *lf = memchr(data + start, '\n', window);
    if (!lf && window < limits->line_max + 2 && n < limits->header_max)
        return 0;
    if (!lf)
        return refuse_long_line(ps, data + start, data + start + window);
    size_t fields_at = (size_t)(lf - data) + 1;
    bool line_is_new = fields_at > from; // a bad request line is answered at once
    if (line_is_new && (rc = parse_request_line(ps, data + start, lf)))
        return rc;
    long end = find_end(ps, data, from > fields_at ? from : fields_at, limit);
    if (!end && n < limits->header_max)
        return 0;
    if (!line_is_new && (rc = parse_request_line(ps, data + start, lf))) // also for the log of what is refused
        return rc;
    if (end < 0)
        return refuse(ps, 400, "bare LF");
    if (!end)
        return refuse(ps, 431, "head is too large");
    if ((rc = parse_fields(ps, data + fields_at, data + end - 2, limits->count_max)))
        return rc;
    rc = decide(ps);
    return rc ? rc : end;
}

long h1_parse_request(const char *data, size_t n, size_t from, const struct h1_limits *limits, struct h1_request *ret_req,
                      const char **ret_why)
{
    struct parse ps = {.req = ret_req};

    // All but the fields, which are large.
    ret_req->method = ret_req->target = ret_req->scheme = ret_req->path_query = ret_req->host = (struct str){"", 0};
    ret_req->form = H1_TARGET_ORIGIN;
    ret_req->minor = ret_req->n_dropped = 0;
    ret_req->n_fields = 0;
    ret_req->has_content_length = ret_req->chunked = ret_req->has_body = false;
    ret_req->content_length = 0;
    ret_req->keep_alive = ret_req->expect_continue = ret_req->upgrade = false;

    long rc = parse(&ps, data, n, from, limits);
    if (rc < 0)
        *ret_why = ps.why;
    return rc;
}
