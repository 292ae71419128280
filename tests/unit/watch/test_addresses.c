// SPDX-License-Identifier: Apache-2.0
// Where watch listens and posts to: literals only, nothing is looked up.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "watch/visits.h"
#include "watch/watch_client.h"
#include "watch/webhook.h"

#include "../claim.h"

static const char *shown(const struct sockaddr_storage *a)
{
    static char text[160];
    char ip[64];

    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)a;
        snprintf(text, sizeof text, "%s %d", inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip), ntohs(v4->sin_port));
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)a;
        snprintf(text, sizeof text, "%s %d", inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip), ntohs(v6->sin6_port));
    } else {
        snprintf(text, sizeof text, "%s", ((const struct sockaddr_un *)(const void *)a)->sun_path);
    }
    return text;
}

T(it_listens_on_loopback_unless_told_otherwise)
{
    static const char *const rows[][2] = {{":9750", "127.0.0.1 9750"},      {"localhost:1", "127.0.0.1 1"},
                                          {"0.0.0.0:9750", "0.0.0.0 9750"}, {"[::1]:9750", "::1 9750"},
                                          {"[::]:65535", ":: 65535"},       {"unix:/run/x", "/run/x"}};
    struct sockaddr_storage a;
    socklen_t n;
    char error[300];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(visits_address(rows[i][0], &a, &n, error, sizeof error), 0);
        assert_string_equal(shown(&a), rows[i][1]);
    }
}

T(other_addresses_are_refused_in_words)
{
    static const char *const rows[] = {"",           "9750",   ":0",           ":65536",  "host:80", "1.2.3.4:",
                                       "1.2.3.4:8x", "::1:80", "[1.2.3.4]:80", "[::1]80", "unix:",   "1.2.3:80"};
    struct sockaddr_storage a;
    socklen_t n;
    char error[300];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        error[0] = '\0';
        assert_int_equal(visits_address(rows[i], &a, &n, error, sizeof error), -EINVAL);
        assert_true(strlen(error) > 20);
    }
}

static struct webhook w;

T(a_webhooks_url_is_taken_apart)
{
    static const char *const rows[][4] = {
        {"http://127.0.0.1:8081/a?b=c#d", "127.0.0.1 8081", "127.0.0.1:8081", "/a?b=c"},
        {"http://localhost", "127.0.0.1 80", "localhost", "/"},
        {"http://[::1]:81?x", "::1 81", "[::1]:81", "/?x"},
        {"http://10.0.0.7/x", "10.0.0.7 80", "10.0.0.7", "/x"},
    };
    char error[512];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(webhook_init(&w, rows[i][0], 1, error, sizeof error), 0);
        assert_string_equal(shown(&w.addr), rows[i][1]);
        assert_string_equal(w.host, rows[i][2]);
        assert_string_equal(w.path, rows[i][3]);
    }
}

T(a_webhook_that_cannot_be_reached_without_a_look_up_is_refused)
{
    static const char *const rows[] = {
        "https://127.0.0.1/",  "http://example.org/",      "http://",      "http://:80/",   "http://a@127.0.0.1/",
        "http://127.0.0.1:0/", "http://127.0.0.1/\r\nX:1", "http://[::1/", "http://[::1]x/"};
    char error[512];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(webhook_init(&w, rows[i], 1, error, sizeof error), -EINVAL);
}

T(the_socket_of_a_watch_is_named_by_its_cgroup)
{
    struct sockaddr_un a;
    socklen_t n;

    assert_int_equal(watch_socket_address(NULL, 4711, &a, &n), 0);
    assert_int_equal(n, offsetof(struct sockaddr_un, sun_path) + strlen("@plimsoll-watch-4711"));
    assert_int_equal(a.sun_path[0], '\0');
    assert_memory_equal(a.sun_path + 1, "plimsoll-watch-4711", 19);
    assert_int_equal(watch_socket_address("/run/w", 0, &a, &n), 0);
    assert_string_equal(a.sun_path, "/run/w");
    char longer[200] = {0};
    memset(longer, 'x', sizeof longer - 1);
    assert_int_equal(watch_socket_address(longer, 0, &a, &n), -ENAMETOOLONG);
    assert_int_equal(watch_socket_address("", 0, &a, &n), -ENAMETOOLONG);
}

CLAIMS(C(it_listens_on_loopback_unless_told_otherwise), C(other_addresses_are_refused_in_words), C(a_webhooks_url_is_taken_apart),
       C(a_webhook_that_cannot_be_reached_without_a_look_up_is_refused), C(the_socket_of_a_watch_is_named_by_its_cgroup))
