// SPDX-License-Identifier: Apache-2.0
#include "http/h1_parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "../claim.h"

static struct h1_request req;
static const struct h1_limits limits = {.line_max = 8192, .header_max = 16384, .count_max = 100};
static const char *why;

// Parses a copy that ends where the text ends, so that a sanitizer sees reads behind it.
static long parse_limited(struct str text, const struct h1_limits *l)
{
    static char *copy;
    free(copy);
    copy = malloc(text.n + 1);
    char *exact = copy + 1; // no alignment helps either
    memcpy(exact, text.p, text.n);
    why = NULL;
    long whole = h1_parse_request(exact, text.n, 0, l, &req, &why);

    // Byte by byte, the verdict is the same.
    static struct h1_request slow;
    const char *slow_why = NULL;
    long rc = 0;
    for (size_t n = 0, from = 0; n <= text.n && !rc; from = n++)
        rc = h1_parse_request(exact, n, from, l, &slow, &slow_why);
    assert_int_equal(rc, whole);
    assert_ptr_equal(slow_why, why);
    if (whole > 0)
        assert_int_equal(slow.n_fields, req.n_fields);
    return whole;
}

static long parse(struct str text)
{
    return parse_limited(text, &limits);
}

static void expect(struct str text, long status)
{
    long rc = parse(text);
    if (rc != -status)
        print_error("%.*s\ngave %ld (%s), not %ld\n", STR_ARG(text), rc, why ? why : "", -status);
    assert_int_equal(rc, -status);
    assert_non_null(why);
}

#define EXPECT(text, status) expect(STR(text), status)
#define ASSERT_STR(got, text) assert_true(str_eq(got, STR(text)))
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define GET "GET / HTTP/1.1\r\n"

static long accept_field(const char *line)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", line);
    return parse((struct str){text, (size_t)n});
}

T(a_request_gives_its_parts)
{
    struct str text =
        STR("GET /a/b?x=1 HTTP/1.1\r\nHost: example.org:8080\r\nUser-Agent:curl/8\r\nX-Empty:\r\nAccept: \t */*\t \r\n\r\n");

    assert_int_equal(parse(text), text.n);
    ASSERT_STR(req.method, "GET");
    ASSERT_STR(req.target, "/a/b?x=1");
    ASSERT_STR(req.path_query, "/a/b?x=1");
    ASSERT_STR(req.host, "example.org:8080");
    assert_int_equal(req.form, H1_TARGET_ORIGIN);
    assert_int_equal(req.minor, 1);
    assert_int_equal(req.n_fields, 4);
    assert_int_equal(req.n_dropped, 0);
    assert_int_equal(req.fields[0].id, FIELD_HOST);
    assert_int_equal(req.fields[1].id, FIELD_USER_AGENT);
    ASSERT_STR(req.fields[1].value, "curl/8");
    ASSERT_STR(req.fields[2].name, "X-Empty");
    ASSERT_STR(req.fields[2].value, "");
    assert_int_equal(req.fields[2].id, FIELD_OTHER);
    ASSERT_STR(req.fields[3].value, "*/*");
    assert_true(req.keep_alive);
    assert_false(req.has_body || req.has_content_length || req.chunked || req.expect_continue || req.upgrade);
}

T(what_follows_the_head_is_left_alone)
{
    struct str text = STR(GET "Host: a\r\n\r\nGET /\n\n\x01");
    assert_int_equal(h1_parse_request(text.p, text.n, 0, &limits, &req, &why), 27);
}

T(an_unfinished_head_wants_more)
{
    assert_int_equal(parse(STR("")), 0);
    assert_int_equal(parse(STR("\r")), 0);
    assert_int_equal(parse(STR("\r\n\r\n")), 0);
    assert_int_equal(parse(STR("GET / HT")), 0);
    assert_int_equal(parse(STR(GET "Host: a\r\n\r")), 0);
}

T(leading_empty_lines_are_skipped_up_to_a_bound)
{
    assert_int_equal(parse(STR("\r\n\r\n" GET "Host: a\r\n\r\n")), 31);
    EXPECT("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" GET "Host: a\r\n\r\n", 400);
    EXPECT("\n" GET "Host: a\r\n\r\n", 400);
    EXPECT("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

T(bare_lf_is_refused_wherever_it_stands)
{
    EXPECT("GET / HTTP/1.1\nHost: a\n\n", 400);
    EXPECT("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\n\nHost: a\r\n\r\n", 400);
}

T(bare_cr_is_refused_wherever_it_stands)
{
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\nX\r: y\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1\r\nHost: a\r\nX:\r y\r\n\r\n", 400);
}

T(control_bytes_are_refused_and_tab_and_obs_text_are_not)
{
    for (int c = 0; c < 256; c++) {
        // At every place within and across the eight bytes that are checked at once.
        for (int at = 0; at < 20; at++) {
            char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Name: .....................\r\n\r\n";
            text[33 + at] = (char)c;
            long rc = parse((struct str){text, sizeof text - 1});
            if (c == '\t' || c >= 0x80 || (c >= 0x20 && c < 0x7f))
                assert_int_equal(rc, sizeof text - 1);
            else
                assert_int_equal(rc, -400);
        }
    }
}

T(only_tokens_are_names)
{
    for (int c = 0; c < 256; c++) {
        char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX?Y: b\r\n\r\n";
        text[26] = (char)c;
        bool token =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
        long rc = parse((struct str){text, sizeof text - 1});
        assert_int_equal(rc, token || c == ':' ? (long)sizeof text - 1 : -400);
    }
    EXPECT(POST ": b\r\n\r\n", 400);
    EXPECT(POST "X\r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding : chunked\r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding\t: chunked\r\n\r\n", 400);
    EXPECT(POST "Content-Length : 5\r\n\r\n", 400);
    EXPECT(POST "Transfer Encoding: chunked\r\n\r\n", 400);
}

T(folding_and_leading_white_space_are_refused)
{
    EXPECT(POST "X: a\r\n b\r\n\r\n", 400);
    EXPECT(POST "X: a\r\n\tb\r\n\r\n", 400);
    EXPECT(POST "X: a\r\n \r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400);
    EXPECT(GET " Host: a\r\n\r\n", 400);
    EXPECT(GET "\tHost: a\r\nHost: a\r\n\r\n", 400);
}

T(a_request_line_is_method_space_target_space_version)
{
    EXPECT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET \r\nHost: a\r\n\r\n", 400);
    EXPECT("\x16\x03\x01\x00\xa5\x01", 400);
}

T(a_bad_request_line_is_answered_before_the_rest_arrived)
{
    EXPECT("GET /\r\n", 400);
    EXPECT("PRI * HTTP/2.0\r\n", 505);
    EXPECT("SSH-2.0-OpenSSH_9.2\r\n", 400);
}

T(versions_other_than_one_are_refused)
{
    EXPECT("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    EXPECT("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505);
    EXPECT("GET / HTTP/1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / http/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/11.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400);
    assert_true(parse(STR("GET / HTTP/1.2\r\nHost: a\r\n\r\n")) > 0);
    assert_int_equal(req.minor, 1);
    assert_true(parse(STR("GET / HTTP/1.0\r\n\r\n")) > 0);
    assert_int_equal(req.minor, 0);
}

T(any_token_of_32_bytes_is_a_method)
{
    assert_true(parse(STR("FOO!#$%&'*+.^_`|~-0123456789abcd / HTTP/1.1\r\nHost: a\r\n\r\n")) > 0);
    assert_int_equal(req.method.n, 32);
    EXPECT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
}

T(absolute_targets_give_their_authority_and_path)
{
    assert_true(parse(STR("GET http://other.example:81/x?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n")) > 0);
    assert_int_equal(req.form, H1_TARGET_ABSOLUTE);
    ASSERT_STR(req.scheme, "http");
    ASSERT_STR(req.path_query, "/x?a=b");
    ASSERT_STR(req.host, "other.example:81");
    ASSERT_STR(req.target, "http://other.example:81/x?a=b");
    assert_true(parse(STR("OPTIONS HTTPS://[::1] HTTP/1.1\r\nHost: localhost\r\n\r\n")) > 0);
    ASSERT_STR(req.scheme, "HTTPS");
    ASSERT_STR(req.path_query, "/");
    ASSERT_STR(req.host, "[::1]");
    assert_true(parse(STR("GET http://a?x/y HTTP/1.1\r\nHost: a\r\n\r\n")) > 0);
    ASSERT_STR(req.path_query, "?x/y");
    ASSERT_STR(req.host, "a");
    EXPECT("GET http://a/ HTTP/1.1\r\n\r\n", 400); // Host is wanted all the same
    EXPECT("GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET http://:80/x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET http:/x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET httpx://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET http://\xc3\xa4/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

T(other_targets_need_their_methods)
{
    assert_true(parse(STR("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")) > 0);
    assert_int_equal(req.form, H1_TARGET_ASTERISK);
    assert_true(parse(STR("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n")) > 0);
    assert_int_equal(req.form, H1_TARGET_AUTHORITY);
    ASSERT_STR(req.host, "a:443");
    EXPECT("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

T(obs_text_in_a_path_is_taken)
{
    assert_true(parse(STR("GET /\xc3\xa4?\xff HTTP/1.1\r\nHost: a\r\n\r\n")) > 0);
    ASSERT_STR(req.target, "/\xc3\xa4?\xff");
}

T(host_is_there_once_and_valid)
{
    EXPECT(GET "\r\n", 400);
    EXPECT(GET "Host: a\r\nHost: a\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    EXPECT(GET "Host: a b\r\n\r\n", 400);
    EXPECT(GET "Host: a/b\r\n\r\n", 400);
    EXPECT(GET "Host: u@a\r\n\r\n", 400);
    EXPECT(GET "Host: a,b\r\n\r\n", 400);
    EXPECT(GET "Host: a:b\r\n\r\n", 400);
    EXPECT(GET "Host: a:65536\r\n\r\n", 400);
    EXPECT("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400);
    EXPECT("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
    assert_true(parse(STR(GET "Host:\r\n\r\n")) > 0);
    ASSERT_STR(req.host, "");
    assert_true(parse(STR("GET / HTTP/1.0\r\n\r\n")) > 0);
    ASSERT_STR(req.host, "");
}

T(a_content_length_is_one_run_of_digits)
{
    static const char *const bad[] = {"5, 6",
                                      "5, 5",
                                      "5,5",
                                      "+5",
                                      "-5",
                                      "-0",
                                      "0x5",
                                      "5 5",
                                      "5;",
                                      "5.0",
                                      "5e0",
                                      "",
                                      " ",
                                      "five",
                                      ",5",
                                      "5,",
                                      "9223372036854775808",
                                      "18446744073709551616",
                                      "18446744073709551621",
                                      "00000000000000000005",
                                      "\"5\"",
                                      "1_0"};
    char text[128];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int n = snprintf(text, sizeof text, POST "Content-Length: %s\r\n\r\n", bad[i]);
        expect((struct str){text, (size_t)n}, 400);
    }
    EXPECT(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400);
    EXPECT(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400);
    assert_true(accept_field("CONTENT-length:  9223372036854775807 ") > 0);
    assert_true(req.has_content_length && req.has_body && !req.chunked);
    assert_true(req.content_length == INT64_MAX);
    assert_true(accept_field("Content-Length: 0") > 0);
    assert_true(req.has_content_length && !req.has_body);
}

T(transfer_encoding_is_chunked_and_nothing_else)
{
    static const struct {
        const char *value;
        int status;
    } bad[] = {{"xchunked", 400},
               {"chunkedx", 400},
               {"chunked, identity", 400},
               {"chunked, chunked", 400},
               {"chunked,", 400},
               {",chunked", 400},
               {"identity", 400},
               {"gzip", 400},
               {"", 400},
               {"chunked;q=1", 400},
               {"chunked;x", 400},
               {"\"chunked\"", 400},
               {"chun ked", 400},
               {"chunked chunked", 400},
               {"\x80"
                "chunked",
                400},
               {"gzip;, chunked", 400},
               {"gzip, chunked, chunked", 400},
               {"gzip;a=\"b\", chunked", 400},
               {"gzip, chunked", 501},
               {"identity, chunked", 501},
               {"foo;a=b, chunked", 501}};
    char text[128];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int n = snprintf(text, sizeof text, POST "Transfer-Encoding: %s\r\n\r\n", bad[i].value);
        expect((struct str){text, (size_t)n}, bad[i].status);
    }
    EXPECT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501);
    EXPECT(POST "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    EXPECT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    assert_true(accept_field("transfer-ENCODING:\tChunKed ") > 0);
    assert_true(req.chunked && req.has_body && !req.has_content_length);
}

T(length_beside_transfer_encoding_is_refused)
{
    EXPECT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400);
    EXPECT(POST "Transfer-Encoding: gzip, chunked\r\nContent-Length: 0\r\n\r\n", 400);
}

T(names_with_underscore_have_no_effect_and_are_counted)
{
    assert_true(parse(STR(POST "Content_Length: x\r\nTransfer_Encoding: x\r\n_: 1\r\nContent-Length: 3\r\nX_Y: 1\r\n\r\n")) > 0);
    assert_int_equal(req.n_dropped, 4);
    assert_int_equal(req.n_fields, 2);
    assert_int_equal(req.content_length, 3);
    EXPECT(GET "Ho_st: a\r\n\r\n", 400);
}

T(persistence_is_decided_by_version_and_connection)
{
    static const struct {
        const char *version, *value;
        bool keep_alive;
    } rows[] = {{"1.1", "", true},
                {"1.1", "close", false},
                {"1.1", "x, CLOSE ,y", false},
                {"1.1", "closed", true},
                {"1.1", "keep-alive", true},
                {"1.0", "", false},
                {"1.0", "Keep-Alive", true},
                {"1.0", "keep-alive, close", false},
                {"1.1", "keep-alive, close", false}};
    char text[128];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int n = snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: a\r\nConnection: %s\r\n\r\n", rows[i].version, rows[i].value);
        assert_true(parse((struct str){text, (size_t)n}) > 0);
        assert_int_equal(req.keep_alive, rows[i].keep_alive);
    }
    assert_true(parse(STR(GET "Host: a\r\nConnection: x\r\nConnection: close\r\n\r\n")) > 0);
    assert_false(req.keep_alive);
}

T(only_100_continue_is_expected)
{
    assert_true(parse(STR(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n")) > 0);
    assert_true(req.expect_continue);
    assert_true(parse(STR(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n")) > 0);
    assert_false(req.expect_continue);
    assert_true(parse(STR("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\n")) > 0);
    assert_false(req.expect_continue);
    EXPECT(POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417);
    EXPECT(POST "Expect: 100-continue, x\r\nContent-Length: 1\r\n\r\n", 417);
    EXPECT(POST "Expect:\r\nContent-Length: 1\r\n\r\n", 417);
}

T(upgrade_is_seen_when_connection_names_it)
{
    assert_true(parse(STR(GET "Host: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n")) > 0);
    assert_true(req.upgrade && req.keep_alive);
    assert_true(parse(STR(GET "Host: a\r\nUpgrade: h2c\r\n\r\n")) > 0);
    assert_false(req.upgrade);
}

T(limits_are_exact)
{
    struct h1_limits l = {.line_max = 14, .header_max = 27, .count_max = 1};

    assert_int_equal(parse_limited(STR(GET "Host: a\r\n\r\n"), &l), 27);
    l.line_max = 13;
    assert_int_equal(parse_limited(STR(GET "Host: a\r\n\r\n"), &l), -414);
    l.line_max = 14;
    l.header_max = 26;
    assert_int_equal(parse_limited(STR(GET "Host: a\r\n\r\n"), &l), -431);
    l.header_max = 27;
    l.count_max = 0;
    assert_int_equal(parse_limited(STR(GET "Host: a\r\n\r\n"), &l), -431);
    l = (struct h1_limits){.line_max = 100, .header_max = 20, .count_max = 1};
    assert_int_equal(parse_limited(STR("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n\r\n"), &l), -414);
}

T(dropped_fields_count_against_the_limit)
{
    struct h1_limits l = {.line_max = 100, .header_max = 1000, .count_max = 2};
    assert_int_equal(parse_limited(STR(GET "Host: a\r\na_b: 1\r\na_c: 1\r\n\r\n"), &l), -431);
}

T(a_refusal_leaves_method_and_target_for_the_log)
{
    EXPECT("GET /x HTTP/3.0\r\n\r\n", 505);
    ASSERT_STR(req.method, "GET");
    ASSERT_STR(req.target, "/x");
    struct h1_limits l = {.line_max = 20, .header_max = 60, .count_max = 9};
    assert_int_equal(parse_limited(STR("PUT /long-and-longer-than-that HTTP/1.1\r\n\r\n"), &l), -414);
    ASSERT_STR(req.method, "PUT");
    ASSERT_STR(req.target, "/long-and-longer-t");
    // The request line came with an earlier piece.
    const char head[] = "PUT /y HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    assert_int_equal(h1_parse_request(head, sizeof head - 1, 30, &l, &req, &why), -431);
    ASSERT_STR(req.target, "/y");
    EXPECT("(\r\n", 400);
    ASSERT_STR(req.method, "");
    ASSERT_STR(req.target, "");
}

CLAIMS(C(a_request_gives_its_parts), C(what_follows_the_head_is_left_alone), C(an_unfinished_head_wants_more),
       C(leading_empty_lines_are_skipped_up_to_a_bound), C(bare_lf_is_refused_wherever_it_stands),
       C(bare_cr_is_refused_wherever_it_stands), C(control_bytes_are_refused_and_tab_and_obs_text_are_not),
       C(only_tokens_are_names), C(folding_and_leading_white_space_are_refused),
       C(a_request_line_is_method_space_target_space_version), C(a_bad_request_line_is_answered_before_the_rest_arrived),
       C(versions_other_than_one_are_refused), C(any_token_of_32_bytes_is_a_method),
       C(absolute_targets_give_their_authority_and_path), C(other_targets_need_their_methods), C(obs_text_in_a_path_is_taken),
       C(host_is_there_once_and_valid), C(a_content_length_is_one_run_of_digits),
       C(transfer_encoding_is_chunked_and_nothing_else), C(length_beside_transfer_encoding_is_refused),
       C(names_with_underscore_have_no_effect_and_are_counted), C(persistence_is_decided_by_version_and_connection),
       C(only_100_continue_is_expected), C(upgrade_is_seen_when_connection_names_it), C(limits_are_exact),
       C(dropped_fields_count_against_the_limit), C(a_refusal_leaves_method_and_target_for_the_log))
