// SPDX-License-Identifier: Apache-2.0
// The input is what a client sends. Any pieces give the verdict of the whole, and what is accepted can be read in one way.
#include "fuzz.h"

#include "http/h1_parse.h"
#include "http/uri.h"

static struct h1_request whole, pieces;

static bool same(struct str a, struct str b)
{
    return str_eq(a, b);
}

static void check_bytes(const char *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(data[i] != '\0' && data[i] != 0x7f);
        CHECK(data[i] != '\n' || (i && data[i - 1] == '\r'));
        CHECK(data[i] != '\r' || data[i + 1] == '\n');
    }
    CHECK(n >= 4 && memcmp(data + n - 4, "\r\n\r\n", 4) == 0);
}

static void check_fields(const struct h1_request *r, const char *data, size_t n)
{
    unsigned hosts = 0, lengths = 0, encodings = 0;

    for (size_t i = 0; i < r->n_fields; i++) {
        const struct field *f = &r->fields[i];
        check_inside(f->name, data, n);
        check_inside(f->value, data, n);
        CHECK(field_name_is_valid(f->name) && str_find(f->name, '_') == SIZE_MAX);
        CHECK(field_value_is_valid(f->value) && str_trim(f->value).n == f->value.n);
        CHECK(f->id == field_id_of(f->name));
        CHECK(f->name.p[f->name.n] == ':' && f->name.p[-1] == '\n');
        hosts += f->id == FIELD_HOST;
        lengths += f->id == FIELD_CONTENT_LENGTH;
        encodings += f->id == FIELD_TRANSFER_ENCODING;
    }
    CHECK(hosts <= 1 && (hosts == 1 || r->minor == 0));
    CHECK(lengths == r->has_content_length && encodings == r->chunked && lengths + encodings <= 1);
    CHECK(!r->chunked || r->minor == 1);
    CHECK(r->content_length <= INT64_MAX && r->has_body == (r->chunked || r->content_length > 0));
    CHECK(!r->expect_continue || r->has_body);
}

static void check_request(const struct h1_request *r, const char *data, size_t n)
{
    struct str host, port;

    check_bytes(data, n);
    check_fields(r, data, n);
    check_inside(r->method, data, n);
    check_inside(r->target, data, n);
    check_inside(r->host, data, n);
    check_inside(r->scheme, data, n);
    CHECK(field_name_is_valid(r->method) && r->method.n <= 32 && r->target.n && r->minor <= 1);
    CHECK(str_find(r->target, ' ') == SIZE_MAX && str_find(r->target, '#') == SIZE_MAX);
    CHECK(uri_split_authority(r->host, &host, &port));
    if (r->form == H1_TARGET_ORIGIN || r->form == H1_TARGET_ABSOLUTE)
        CHECK(r->path_query.n && (r->path_query.p[0] == '/' || (r->form == H1_TARGET_ABSOLUTE && r->path_query.p[0] == '?')));
    if (r->form == H1_TARGET_ABSOLUTE || r->form == H1_TARGET_AUTHORITY)
        CHECK(host.n);
    if (r->form == H1_TARGET_ASTERISK)
        CHECK(str_eq(r->method, STR("OPTIONS")));
}

static void check_same(const struct h1_request *a, const struct h1_request *b)
{
    CHECK(same(a->method, b->method) && same(a->target, b->target) && same(a->host, b->host) &&
          same(a->path_query, b->path_query));
    CHECK(a->n_fields == b->n_fields && a->n_dropped == b->n_dropped && a->content_length == b->content_length);
    CHECK(a->minor == b->minor && a->form == b->form && a->chunked == b->chunked && a->keep_alive == b->keep_alive);
    for (size_t i = 0; i < a->n_fields; i++)
        CHECK(same(a->fields[i].name, b->fields[i].name) && same(a->fields[i].value, b->fields[i].value));
}

// Hands the input over in pieces, each time in memory that ends where the bytes end.
static void check_pieces(const char *data, size_t n, const struct h1_limits *limits, long verdict, const char *verdict_why,
                         uint32_t step_max)
{
    uint32_t state = fuzz_seed(data, n);
    const char *why = NULL;
    char *copy = NULL;
    long rc = 0;

    for (size_t have = 0, from = 0; !rc; from = have) {
        size_t step = 1 + fuzz_next(&state) % step_max;
        have = n - have < step ? n : have + step;
        free(copy);
        copy = malloc(have ? have : 1);
        memcpy(copy, data, have);
        rc = h1_parse_request(copy, have, from, limits, &pieces, &why);
        if (have == n)
            break;
    }
    CHECK(rc == verdict);
    CHECK(why == verdict_why);
    if (rc > 0)
        check_same(&whole, &pieces);
    free(copy);
}

static void check_limits(const char *data, size_t n, const struct h1_limits *limits)
{
    const char *why = NULL;
    long rc = h1_parse_request(data, n, 0, limits, &whole, &why);

    if (rc > 0) {
        CHECK((size_t)rc <= n && (size_t)rc <= limits->header_max && whole.n_fields + whole.n_dropped <= limits->count_max);
        check_request(&whole, data, (size_t)rc);
    } else if (rc < 0) {
        CHECK(why && (rc == -400 || rc == -414 || rc == -417 || rc == -431 || rc == -501 || rc == -505));
        check_inside(whole.method, data, n);
        check_inside(whole.target, data, n);
    } else {
        CHECK(!why && n < limits->header_max + 16);
    }
    if (n <= 1000)
        check_pieces(data, n, limits, rc, why, 1);
    check_pieces(data, n, limits, rc, why, 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_limits((const char *)data, n, &(struct h1_limits){.line_max = 8192, .header_max = 32768, .count_max = 100});
    check_limits((const char *)data, n, &(struct h1_limits){.line_max = 30, .header_max = 120, .count_max = 3});
    return 0;
}
