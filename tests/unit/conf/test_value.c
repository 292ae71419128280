// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include "../claim.h"
#include "conf/conf_int.h"

static struct arena arena;

T(booleans_have_eight_words)
{
    bool v = false;

    assert_null(conf__parse_bool("Yes", &v));
    assert_true(v);
    assert_null(conf__parse_bool("off", &v));
    assert_false(v);
    assert_null(conf__parse_bool("1", &v));
    assert_true(v);
    assert_non_null(conf__parse_bool("maybe", &v));
    assert_non_null(conf__parse_bool("", &v));
    assert_true(v); // untouched
}

T(sizes_take_k_m_and_g)
{
    const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"0", 0}, {"8192", 8192}, {"8k", 8192}, {"8K", 8192}, {"2M", 2097152}, {"1G", 1073741824}, {"1t", 1ull << 40}};
    const char *bad[] = {"", "k", "-1", "8MB", "8 M", "1.5M", "0x10", "99999999999999999999", "99999999999999999k"};
    uint64_t v = 7;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(conf__parse_size(rows[i].text, &v));
        assert_true(v == rows[i].bytes);
    }
    v = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(conf__parse_size(bad[i], &v));
    assert_true(v == 7);
}

T(times_are_seconds_unless_a_unit_says_otherwise)
{
    const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"0", 0},       {"30", 30000},   {"30s", 30000},   {"500ms", 500},
                {"5m", 300000}, {"2h", 7200000}, {"1d", 86400000}, {"1y", 31536000000}};
    const char *bad[] = {"", "s", "-1", "5 s", "5min", "1.5s", "5M", "999999999999999999y"};
    uint64_t v;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(conf__parse_time(rows[i].text, &v));
        assert_true(v == rows[i].ms);
    }
    v = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(conf__parse_time(bad[i], &v));
    assert_true(v == 7);
}

T(listen_addresses_have_these_forms)
{
    const struct {
        const char *text, *host;
        int port;
    } rows[] = {{":8080", NULL, 8080},           {"8080", NULL, 8080},       {"*:80", NULL, 80},
                {"127.0.0.1:0", "127.0.0.1", 0}, {"[::1]:9", "::1", 9},      {"[::]:9", "::", 9},
                {"localhost:9", "127.0.0.1", 9}, {"0.0.0.0:9", "0.0.0.0", 9}};
    struct conf_listen l;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(conf__parse_listen(&arena, rows[i].text, &l));
        assert_false(l.is_unix);
        assert_int_equal(l.port, rows[i].port);
        assert_string_equal(l.text, rows[i].text);
        if (rows[i].host)
            assert_string_equal(l.host, rows[i].host);
        else
            assert_null(l.host);
    }
    assert_null(conf__parse_listen(&arena, "unix:/run/x.sock", &l));
    assert_true(l.is_unix);
    assert_string_equal(l.path, "/run/x.sock");
    assert_null(conf__parse_listen(&arena, "/run/y.sock", &l));
    assert_string_equal(l.path, "/run/y.sock");
    arena_reset(&arena);
}

T(broken_listen_addresses_are_refused_with_what_is_wrong)
{
    const struct {
        const char *text, *reason;
    } rows[] = {
        {":70000", "above 65535"},
        {"example.org:80", "numeric"},
        {"::1:80", "brackets"},
        {"[::1]", "port"},
        {"unix:x.sock", "absolute"},
        {"", "ADDR:PORT"},
        {"127.0.0.1:", "ADDR:PORT"},
        {"[::1:80", "brok"},
        {"[1.2.3.4]:80", "numeric"},
        {"unix:/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "107 bytes"},
    };
    struct conf_listen l = {.port = 7};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *reason = conf__parse_listen(&arena, rows[i].text, &l);
        if (!reason || !strstr(reason, rows[i].reason))
            print_message("%s: %s\n", rows[i].text, reason ? reason : "accepted");
        assert_non_null(reason);
        assert_non_null(strstr(reason, rows[i].reason));
    }
    assert_int_equal(l.port, 7);
    arena_reset(&arena);
}

static bool contains(const char *net, const char *address)
{
    struct cidr c;
    uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

    assert_true(cidr_parse(str_from(net), &c));
    if (inet_pton(AF_INET, address, addr + 12) != 1)
        assert_int_equal(inet_pton(AF_INET6, address, addr), 1);
    return cidr_contains(&c, addr);
}

T(networks_hold_their_addresses_and_no_other)
{
    assert_true(contains("10.0.0.0/8", "10.255.1.2"));
    assert_false(contains("10.0.0.0/8", "11.0.0.0"));
    assert_true(contains("192.168.4.0/22", "192.168.7.255"));
    assert_false(contains("192.168.4.0/22", "192.168.8.0"));
    assert_true(contains("1.2.3.4", "1.2.3.4"));
    assert_false(contains("1.2.3.4", "1.2.3.5"));
    assert_true(contains("0.0.0.0/0", "9.9.9.9"));
    assert_false(contains("0.0.0.0/0", "2001:db8::1")); // IPv4 only
    assert_true(contains("::/0", "2001:db8::1"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("::1", "::1"));
}

T(broken_networks_are_refused)
{
    const char *bad[] = {
        "",       "/8",           "10.0.0.0/",   "10.0.0.0/33", "10.0.0/8",
        "::/129", "10.0.0.0/8/8", "10.0.0.0/-1", "x",           "11111111111111111111111111111111111111111111111111"};
    struct cidr c = {.bits = 7};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(cidr_parse(str_from(bad[i]), &c));
    assert_int_equal(c.bits, 7);
}

T(words_stand_for_networks_and_slips_are_refused)
{
    struct conf_cidrs list = {0};

    assert_null(conf__parse_cidrs(&arena, "private", &list));
    assert_int_equal(list.n, 6);
    assert_null(conf__parse_cidrs(&arena, "loopback", &list));
    assert_int_equal(list.n, 8);
    assert_non_null(strstr(conf__parse_cidrs(&arena, "10.0.0.1/8", &list), "behind its prefix"));
    assert_non_null(conf__parse_cidrs(&arena, "everybody", &list));
    assert_int_equal(list.n, 8);
    arena_reset(&arena);
}

CLAIMS(C(booleans_have_eight_words), C(sizes_take_k_m_and_g), C(times_are_seconds_unless_a_unit_says_otherwise),
       C(listen_addresses_have_these_forms), C(broken_listen_addresses_are_refused_with_what_is_wrong),
       C(networks_hold_their_addresses_and_no_other), C(broken_networks_are_refused),
       C(words_stand_for_networks_and_slips_are_refused))
