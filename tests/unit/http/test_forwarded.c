// SPDX-License-Identifier: Apache-2.0
#include "http/forwarded.h"

#include "../claim.h"

static struct field fields[8];
static size_t n_fields;
static struct forwarded got;

static void with(enum field_id id, const char *value)
{
    fields[n_fields++] = (struct field){str_from(field_name(id)), str_from(value), id};
}

// 10.* and fd00:* are ours.
static bool is_ours(void *arg, struct str addr)
{
    assert_ptr_equal(arg, &got);
    return str_starts(addr, STR("10.")) || str_starts(addr, STR("fd00:"));
}

static void check(const char *client, const char *proto, const char *host, const char *port)
{
    forwarded_read(fields, n_fields, is_ours, &got, &got);
    n_fields = 0;
    assert_true(str_eq(got.client, str_from(client)));
    assert_true(str_eq(got.proto, str_from(proto)));
    assert_true(str_eq(got.host, str_from(host)));
    assert_true(str_eq(got.port, str_from(port)));
}

static void client_of(enum field_id id, const char *value, const char *client)
{
    with(id, value);
    forwarded_read(fields, n_fields, is_ours, &got, &got);
    n_fields = 0;
    if (!str_eq(got.client, str_from(client)))
        print_error("%s gave %.*s\n", value, STR_ARG(got.client));
    assert_true(str_eq(got.client, str_from(client)));
}

T(without_fields_nothing_is_told)
{
    check("", "", "", "");
}

T(the_rightmost_stranger_of_x_forwarded_for_is_the_client)
{
    client_of(FIELD_X_FORWARDED_FOR, "1.2.3.4", "1.2.3.4");
    client_of(FIELD_X_FORWARDED_FOR, "9.9.9.9, 1.2.3.4", "1.2.3.4");
    client_of(FIELD_X_FORWARDED_FOR, "1.2.3.4, 10.1.1.1", "1.2.3.4");
    client_of(FIELD_X_FORWARDED_FOR, "evil, 1.2.3.4,10.0.0.2 , 10.0.0.3", "1.2.3.4");
    client_of(FIELD_X_FORWARDED_FOR, "10.0.0.1, 10.0.0.2", "10.0.0.1");
    client_of(FIELD_X_FORWARDED_FOR, "1.2.3.4,, ,", "1.2.3.4");
}

T(addresses_come_with_and_without_ports_and_brackets)
{
    client_of(FIELD_X_FORWARDED_FOR, "2001:db8::1", "2001:db8::1");
    client_of(FIELD_X_FORWARDED_FOR, "[2001:db8::1]", "2001:db8::1");
    client_of(FIELD_X_FORWARDED_FOR, "[2001:db8::1]:99", "2001:db8::1");
    client_of(FIELD_X_FORWARDED_FOR, "1.2.3.4:5678", "1.2.3.4");
    client_of(FIELD_X_FORWARDED_FOR, "2001:db8::1, [fd00::1]:8080", "2001:db8::1");
    client_of(FIELD_FORWARDED, "for=\"[2001:db8::1]:4711\"", "2001:db8::1");
    client_of(FIELD_FORWARDED, "for=\"1.2.3.4:80\"", "1.2.3.4");
}

T(what_is_no_address_ends_the_walk)
{
    static const char *const bad[] = {
        "unknown",   "_hidden",          "<script>",    "",          " ",    "localhost", "1.2.3",
        "1.2.3.4.5", "1.2.3.4:x",        "1.2.3.4/8",   "[1.2.3.4]", "[::1", "::g",       "1.2.3.4 5.6.7.8",
        "0x7f.1",    "1.2.3.4, garbage", "fe80::1%eth0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        client_of(FIELD_X_FORWARDED_FOR, bad[i], "");
    client_of(FIELD_X_FORWARDED_FOR, "1.2.3.4, unknown, 10.0.0.1", "10.0.0.1");
    client_of(FIELD_FORWARDED, "for=1.2.3.4, for=_x, for=10.0.0.1", "10.0.0.1");
    client_of(FIELD_FORWARDED, "for=_hidden", "");
    client_of(FIELD_FORWARDED, "for=unknown", "");
    client_of(FIELD_FORWARDED, "proto=https", "");
}

T(several_lines_are_one_list)
{
    with(FIELD_X_FORWARDED_FOR, "9.9.9.9");
    with(FIELD_OTHER, "x");
    with(FIELD_X_FORWARDED_FOR, "1.2.3.4, 10.0.0.1");
    with(FIELD_X_FORWARDED_FOR, "10.0.0.2");
    check("1.2.3.4", "", "", "");
    with(FIELD_FORWARDED, "for=1.2.3.4;proto=https");
    with(FIELD_FORWARDED, "for=10.0.0.2;proto=http");
    check("1.2.3.4", "https", "", "");
}

T(forwarded_gives_what_the_clients_proxy_wrote)
{
    with(FIELD_FORWARDED, "for=9.9.9.9;host=evil, For=1.2.3.4;Proto=HTTPS;by=10.0.0.1;host=\"public.example:8443\", "
                          "for=10.0.0.9;proto=http;host=inner");
    check("1.2.3.4", "https", "public.example:8443", "8443");
    with(FIELD_FORWARDED, "for=1.2.3.4, for=10.0.0.9;proto=https;host=inner");
    check("1.2.3.4", "", "", "");
}

T(loose_forms_of_forwarded_are_read)
{
    client_of(FIELD_FORWARDED, " for=1.2.3.4 ; proto=http ;", "1.2.3.4");
    client_of(FIELD_FORWARDED, ";;for=1.2.3.4;;ext=\"a,b;c\"", "1.2.3.4");
    client_of(FIELD_FORWARDED, "for=2001:db8::1", "2001:db8::1");
}

T(malformed_forwarded_tells_nothing)
{
    static const char *const bad[] = {
        "for",         "=1.2.3.4",          "for=",         "for=\"1.2.3.4", "for=1.2.3.4\"",         "for=\"1.2.3.4\"x",
        "f(r=1.2.3.4", "for=\"1.2.3\\.4\"", "for =1.2.3.4", "for= 1.2.3.4",  "for=1.2.3.4 proto=http"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        client_of(FIELD_FORWARDED, bad[i], "");
}

T(an_open_quote_of_the_client_does_not_hide_the_proxys_element)
{
    client_of(FIELD_FORWARDED, "for=\", for=1.2.3.4", "1.2.3.4");
    client_of(FIELD_FORWARDED, "for=6.6.6.6;x=\", for=\"1.2.3.4\"", "1.2.3.4");
    client_of(FIELD_FORWARDED, "for=6.6.6.6;x=\"\\, for=1.2.3.4;host=\"a\"", "1.2.3.4");
    client_of(FIELD_FORWARDED, "for=6.6.6.6, for=\", for=10.0.0.1", "10.0.0.1");
}

T(quoted_commas_and_escapes_do_not_split)
{
    client_of(FIELD_FORWARDED, "for=1.2.3.4;x=\"a, for=6.6.6.6\"", "1.2.3.4");
    client_of(FIELD_FORWARDED, "for=1.2.3.4, for=10.0.0.1;x=\"a, for=6.6.6.6\"", "1.2.3.4");
    client_of(FIELD_FORWARDED, "for=5.5.5.5;x=\"\\\"\", for=1.2.3.4", "1.2.3.4");
}

T(x_forwarded_for_goes_before_forwarded)
{
    with(FIELD_FORWARDED, "for=6.6.6.6;proto=https;host=evil");
    with(FIELD_X_FORWARDED_FOR, "1.2.3.4");
    check("1.2.3.4", "", "", "");
    with(FIELD_FORWARDED, "for=1.2.3.4;proto=http");
    with(FIELD_X_FORWARDED_PROTO, "https");
    check("1.2.3.4", "http", "", "");
}

T(the_other_x_forwarded_fields_are_read_at_the_clients_place)
{
    with(FIELD_X_FORWARDED_FOR, "1.2.3.4");
    with(FIELD_X_FORWARDED_PROTO, "http, https");
    with(FIELD_X_FORWARDED_HOST, "evil, public.example");
    with(FIELD_X_FORWARDED_PORT, "1, 443");
    check("1.2.3.4", "https", "public.example", "443");
    with(FIELD_X_FORWARDED_FOR, "1.2.3.4, 10.0.0.1");
    with(FIELD_X_FORWARDED_PROTO, "ftp, https, http");
    with(FIELD_X_FORWARDED_HOST, "evil, public.example, inner");
    check("1.2.3.4", "https", "public.example", "");
    with(FIELD_X_FORWARDED_FOR, "1.2.3.4, 10.0.0.1, 10.0.0.2");
    with(FIELD_X_FORWARDED_PROTO, "https");
    check("1.2.3.4", "https", "", "");
    with(FIELD_X_FORWARDED_PROTO, "http");
    with(FIELD_X_FORWARDED_PROTO, "HTTPS");
    check("", "https", "", "");
}

T(values_that_are_not_valid_are_not_told)
{
    with(FIELD_X_FORWARDED_PROTO, "javascript");
    with(FIELD_X_FORWARDED_HOST, "evil host/<x>");
    with(FIELD_X_FORWARDED_PORT, "65536");
    check("", "", "", "");
    with(FIELD_X_FORWARDED_PROTO, "");
    with(FIELD_X_FORWARDED_HOST, "u@a");
    with(FIELD_X_FORWARDED_PORT, "0");
    check("", "", "", "");
    with(FIELD_X_FORWARDED_HOST, "a.example:81");
    with(FIELD_X_FORWARDED_PORT, "-1");
    check("", "", "a.example:81", "81");
}

CLAIMS(C(without_fields_nothing_is_told), C(the_rightmost_stranger_of_x_forwarded_for_is_the_client),
       C(addresses_come_with_and_without_ports_and_brackets), C(what_is_no_address_ends_the_walk), C(several_lines_are_one_list),
       C(forwarded_gives_what_the_clients_proxy_wrote), C(loose_forms_of_forwarded_are_read),
       C(malformed_forwarded_tells_nothing), C(an_open_quote_of_the_client_does_not_hide_the_proxys_element),
       C(quoted_commas_and_escapes_do_not_split), C(x_forwarded_for_goes_before_forwarded),
       C(the_other_x_forwarded_fields_are_read_at_the_clients_place), C(values_that_are_not_valid_are_not_told))
