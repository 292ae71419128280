// SPDX-License-Identifier: Apache-2.0
// Which site a host means, what proxies are believed, who the user says to be.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"

#include "base/addr.h"
#include "base/die.h"
#include "edge/resolve.h"
#include "edge/route.h"
#include "sites.h"

static int site_for(const char *host)
{
    struct req *r = tree_req("GET", host, "/hello.php");
    route_decide(r, false);
    int i = r->plan == PLAN_PHP ? (int)(r->site - sites) : -(int)r->plan_status;
    tree_req_free(r);
    return i;
}

T(the_site_is_found_by_host)
{
    assert_int_equal(site_for("plain.test"), PLAIN);
    assert_int_equal(site_for("FRONT.test:8080"), FRONT);
    assert_int_equal(site_for("www.front.test."), FRONT);
    assert_int_equal(site_for("a.wild.test"), WILD);
    assert_int_equal(site_for("a.b.wild.test"), WILD);
    assert_int_equal(site_for("a.deep.wild.test"), LONGER);
    assert_int_equal(site_for("deep.wild.test"), WILD);
    assert_int_equal(site_for("wild.test"), ANY);
    assert_int_equal(site_for("xwild.test"), ANY);
    assert_int_equal(site_for(".wild.test"), ANY);
    assert_int_equal(site_for("192.0.2.1"), ANY);
    assert_int_equal(site_for("[::1]:80"), ANY);
    assert_int_equal(site_for(""), ANY);
    assert_int_equal(site_for("a b"), -400);
    assert_int_equal(site_for("a/b"), -400);
    assert_int_equal(site_for("user@plain.test"), -400);
    assert_int_equal(site_for("plain.test:99999"), -400);
    assert_int_equal(site_for("[::1"), -400);
    route_done();
    conf.n_sites = ANY; // without it
    start();
    assert_int_equal(site_for("elsewhere.test"), PLAIN);
    route_done();
    conf.n_sites = N_SITES;
}

static struct req *decided(bool trusted, const char *const fields[][2], size_t n)
{
    struct req *r = tree_req("GET", "plain.test:8080", "/hello.php");
    for (size_t i = 0; i < n; i++)
        tree_req_field(r, fields[i][0], fields[i][1]);
    tree_peer.trusted = trusted;
    route_decide(r, false);
    tree_peer.trusted = false;
    return r;
}

static const char *const told[][2] = {
    {"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "www.front.test"}};

T(an_untrusted_peer_changes_nothing)
{
    struct req *r = decided(false, told, 3);
    assert_string_equal(r->client_addr.p, "192.0.2.7");
    assert_int_equal(r->client_port, 40000);
    assert_string_equal(r->scheme.p, "http");
    assert_string_equal(r->server_port_text.p, "8080");
    assert_string_equal(r->authority.p, "plain.test:8080");
    assert_ptr_equal(r->site, &sites[PLAIN]);
    tree_req_free(r);
}

T(a_trusted_proxy_is_believed)
{
    struct req *r = decided(true, told, 3);
    assert_string_equal(r->client_addr.p, "203.0.113.9");
    assert_int_equal(r->client_port, 0);
    assert_string_equal(r->scheme.p, "https");
    assert_string_equal(r->server_port_text.p, "443");
    assert_string_equal(r->authority.p, "www.front.test");
    assert_ptr_equal(r->site, &sites[FRONT]);
    tree_req_free(r);
    static const char *const port[][2] = {{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Port", "8443"}};
    r = decided(true, port, 2);
    assert_string_equal(r->server_port_text.p, "8443");
    assert_string_equal(r->client_addr.p, "192.0.2.7");
    assert_string_equal(r->authority.p, "plain.test:8080");
    tree_req_free(r);
    r = decided(true, NULL, 0);
    assert_string_equal(r->server_port_text.p, "8080");
    assert_string_equal(r->scheme.p, "http");
    tree_req_free(r);
}

T(what_a_trusted_proxy_garbles_is_ignored)
{
    static const char *const garbled[][2] = {{"X-Forwarded-For", "not an address"},
                                             {"X-Forwarded-Proto", "gopher"},
                                             {"X-Forwarded-Host", "evil.test/<script>"},
                                             {"X-Forwarded-Port", "99999"}};
    struct req *r = decided(true, garbled, 4);
    assert_string_equal(r->client_addr.p, "192.0.2.7");
    assert_string_equal(r->scheme.p, "http");
    assert_string_equal(r->authority.p, "plain.test:8080");
    assert_string_equal(r->server_port_text.p, "8080");
    assert_ptr_equal(r->site, &sites[PLAIN]);
    tree_req_free(r);
}

T(beside_x_forwarded_for_the_standard_field_is_the_clients_own_and_not_believed)
{
    static const char *const two[][2] = {{"Forwarded", "for=198.51.100.1;proto=https;host=evil.test"},
                                         {"X-Forwarded-For", "203.0.113.9"}};
    struct req *r = decided(true, two, 2);
    assert_string_equal(r->client_addr.p, "203.0.113.9");
    assert_string_equal(r->scheme.p, "http");
    assert_string_equal(r->authority.p, "plain.test:8080");
    tree_req_free(r);
}

T(rules_see_the_client_behind_the_proxy)
{
    struct cidr client = {.bits = 128};
    assert_true(addr_parse("203.0.113.9", client.addr));
    static char everything[] = "/*";
    static char *g_all = everything;
    rule(&g_all)->allow = (struct conf_cidrs){&client, 1};
    restart();
    struct req *r = decided(true, told, 1);
    assert_int_equal(r->plan, PLAN_PHP);
    tree_req_free(r);
    r = decided(false, told, 1);
    assert_int_equal(r->plan_status, 403);
    tree_req_free(r);
}

T(the_user_of_basic_authentication_is_named)
{
    static const char *const rows_auth[][2] = {
        {"Basic dXNlcjpwYXNz", "user"},
        {"basic dXNlcjpwYXNz", "user"},
        {"Basic dXNlcjo=", "user"},
        {"Basic OnBhc3M=", ""},
        {"Basic dXNlcg==", ""},
        {"Basic !!!!", ""},
        {"Bearer dXNlcjpwYXNz", ""},
        {"Basic", ""},
        {"Basic dQo6eA==", ""},
        {"Basic w6Q6eA==", "\xc3\xa4"},
        {"Basic ", ""},
    };
    for (size_t i = 0; i < sizeof rows_auth / sizeof *rows_auth; i++) {
        const char *const field[][2] = {{"Authorization", rows_auth[i][0]}};
        struct req *r = decided(false, field, 1);
        if (!str_eq(r->remote_user, str_from(rows_auth[i][1])))
            fail_msg("%s: \"%.*s\"", rows_auth[i][0], STR_ARG(r->remote_user));
        tree_req_free(r);
    }
}

WITH_TREE(S(the_site_is_found_by_host), S(an_untrusted_peer_changes_nothing), S(a_trusted_proxy_is_believed),
          S(what_a_trusted_proxy_garbles_is_ignored), S(beside_x_forwarded_for_the_standard_field_is_the_clients_own_and_not_believed),
          S(rules_see_the_client_behind_the_proxy), S(the_user_of_basic_authentication_is_named))
