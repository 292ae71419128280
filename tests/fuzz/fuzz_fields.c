// SPDX-License-Identifier: Apache-2.0
// The input is field lines ("Name: value", ended by LF), for everything that reads values: conditions, dates, negotiation,
// proxies' fields.
#include "fuzz.h"

#include <arpa/inet.h>

#include "http/conditional.h"
#include "http/forwarded.h"
#include "http/http_date.h"
#include "http/mime.h"
#include "http/negotiate.h"
#include "http/uri.h"

#define FIELDS_MAX 16

static struct field fields[FIELDS_MAX];
static size_t n_fields;

static void split_fields(struct str text)
{
    struct str line;

    n_fields = 0;
    while (n_fields < FIELDS_MAX && str_next(&text, '\n', &line)) {
        size_t colon = str_find(line, ':');
        if (colon == SIZE_MAX)
            continue;
        struct field *f = &fields[n_fields++];
        f->name = (struct str){line.p, colon};
        f->value = str_trim((struct str){line.p + colon + 1, line.n - colon - 1});
        f->id = field_id_of(f->name);
        if (f->id)
            CHECK(str_eq_nocase(f->name, str_from(field_name(f->id))));
    }
}

static void check_date(struct str value)
{
    char text[HTTP_DATE_BYTES];
    time_t t, again;

    if (!http_date_parse(value, &t))
        return;
    http_date_format(t, text);
    CHECK(strlen(text) == HTTP_DATE_BYTES - 1);
    // The usual form comes back as it was, but for the day of the week, which is not looked at, and leap seconds.
    if (value.n == HTTP_DATE_BYTES - 1 && value.p[3] == ',' && value.p[7] == ' ' && memcmp(value.p + 22, ":60", 3) != 0)
        CHECK(memcmp(value.p + 3, text + 3, value.n - 3) == 0);
    // A leap second behind the last day of 9999 has no date of its own.
    CHECK(http_date_parse(str_from(text), &again) && (again == t || t == 253402300800));
}

static void check_codings(struct str value)
{
    enum coding codings[CODINGS];
    int n = negotiate_codings(value, codings);

    CHECK(n >= 0 && n < CODINGS);
    for (int i = 0; i < n; i++) {
        CHECK(codings[i] > CODING_IDENTITY && codings[i] < CODINGS);
        for (int k = 0; k < i; k++)
            CHECK(codings[i] != codings[k]);
    }
}

static void check_conditions(struct str etag)
{
    bool use_range_get, use_range_put;
    enum cond_result get = cond_evaluate(fields, n_fields, true, etag, 784111777, &use_range_get);
    enum cond_result put = cond_evaluate(fields, n_fields, false, etag, 784111777, &use_range_put);

    CHECK(get == COND_PASS || get == COND_NOT_MODIFIED || get == COND_FAILED);
    CHECK(put == COND_PASS || put == COND_FAILED); // a write is never "not modified"
    CHECK(use_range_get == use_range_put);
    CHECK(get != COND_FAILED || put == COND_FAILED);
}

static bool is_address(struct str s)
{
    char text[64];
    struct in6_addr binary;

    if (!s.n || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(AF_INET, text, &binary) == 1 || inet_pton(AF_INET6, text, &binary) == 1;
}

static bool is_trusted(void *arg, struct str addr)
{
    CHECK(is_address(addr));
    return str_starts(addr, STR("10.")) || str_starts(addr, STR("fd"));
}

static bool same(const struct forwarded *a, const struct forwarded *b)
{
    return str_eq(a->client, b->client) && str_eq(a->proto, b->proto) && str_eq(a->host, b->host) && str_eq(a->port, b->port);
}

// Whatever a client writes in front of what the proxies add changes nothing.
static void check_prefix(enum field_id id, const struct forwarded *f)
{
    static const char *const prefixes[] = {"for=6.6.6.6, ", "6.6.6.6,", "for=6.6.6.6;x=\", ",
                                           "\"\\, ",        ",",        "for=10.0.0.1;host=evil,"};

    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].id != id)
            continue;
        struct str value = fields[i].value;
        for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++) {
            size_t prefix_n = strlen(prefixes[k]);
            char *text = malloc(prefix_n + value.n);
            struct forwarded other;
            memcpy(text, prefixes[k], prefix_n);
            if (value.n)
                memcpy(text + prefix_n, value.p, value.n);
            fields[i].value = (struct str){text, prefix_n + value.n};
            forwarded_read(fields, n_fields, is_trusted, NULL, &other);
            CHECK(same(f, &other));
            free(text);
            fields[i].value = value;
        }
        return; // only in front of all
    }
}

static void check_forwarded(const char *data, size_t n)
{
    struct forwarded f;
    struct str host, port;
    uint64_t number;

    forwarded_read(fields, n_fields, is_trusted, NULL, &f);
    check_inside(f.client, data, n);
    check_inside(f.host, data, n);
    check_inside(f.port, data, n);
    CHECK(!f.client.n || is_address(f.client));
    CHECK(!f.proto.n || str_eq(f.proto, STR("http")) || str_eq(f.proto, STR("https")));
    CHECK(!f.host.n || (uri_split_authority(f.host, &host, &port) && host.n));
    CHECK(!f.port.n || (str_to_u64(f.port, &number) && number <= 65535));
    if (f.client.n && !is_trusted(NULL, f.client))
        check_prefix(field_find(fields, n_fields, FIELD_X_FORWARDED_FOR) ? FIELD_X_FORWARDED_FOR : FIELD_FORWARDED, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *data = (const char *)bytes;

    split_fields((struct str){data, n});
    for (size_t i = 0; i < n_fields; i++) {
        check_date(fields[i].value);
        check_codings(fields[i].value);
        CHECK(strchr(mime_of(fields[i].value), '/'));
    }
    check_conditions(STR("\"a\""));
    check_conditions(STR("W/\"a\""));
    check_conditions(STR(""));
    check_forwarded(data, n);
    return 0;
}
