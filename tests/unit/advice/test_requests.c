// SPDX-License-Identifier: Apache-2.0
// Claims about asking a server how many requests it has answered: real php-fpm, and peers that answer well, badly, slowly,
// endlessly.
#include "advice/requests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../mem/fake_tree.h"
#include "advice/requests_int.h"

static struct requests *requests;
static struct requests_answer answer;
static pid_t peer;

static int set_up(void **state)
{
    fake_make();
    peer = 0;
    memset(&answer, 0, sizeof answer);
    return 0;
}

static int tear_down(void **state)
{
    requests = requests_close(requests);
    if (peer) {
        kill(peer, SIGKILL);
        waitpid(peer, NULL, 0);
    }
    fake_remove();
    return 0;
}

static int listen_on_port(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

enum manner { ANSWER, BYTE_BY_BYTE, SAY_NOTHING, NEVER_END, HANG_UP };

static void serve(int fd, enum manner manner, const char *text, size_t n)
{
    for (;;) {
        char ask[4096];
        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (manner != HANG_UP && read(c, ask, sizeof ask) <= 0) { // given up
            close(c);
            continue;
        }
        for (size_t i = 0; manner == BYTE_BY_BYTE && i < n; i++)
            (void)!write(c, text + i, 1);
        if (manner == ANSWER)
            (void)!write(c, text, n);
        while (manner == NEVER_END && write(c, text, n) > 0)
            ;
        while (manner == SAY_NOTHING)
            pause();
        close(c);
    }
}

// A peer that answers every question so. Its URL with the path behind it.
static void start_peer(enum manner manner, const char *scheme, const char *path, const char *text, size_t n)
{
    struct requests_target t;
    char url[128];
    uint16_t port;
    int fd = listen_on_port(&port);

    peer = fork();
    if (peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        serve(fd, manner, text, n);
    }
    close(fd);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, port, path);
    assert_int_equal(requests_parse(url, &t), 0);
    assert_int_equal(requests_open(&t, -1, &requests), 0);
}

static int ask(void)
{
    return requests_ask(requests, 20000, &answer);
}

static int ask_http(const char *path, const char *text)
{
    start_peer(ANSWER, "http", path, text, strlen(text));
    return ask();
}

#define OK "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"

T(caddys_busiest_handler_of_each_server_counts)
{
    assert_int_equal(ask_http("/metrics",
                              OK "# HELP caddy_http_requests_total Counter.\n# TYPE caddy_http_requests_total counter\n"
                                 "caddy_http_requests_total{handler=\"subroute\",server=\"srv0\"} 120\n"
                                 "caddy_http_requests_total{handler=\"php\",server=\"srv0\"} 100\n"
                                 "caddy_http_requests_total{handler=\"subroute\",host=\"a}b 9\",server=\"srv1\"} 7\n"
                                 "caddy_http_requests_total{handler=\"subroute\",host=\"b\",server=\"srv1\"} 1.5e+01\n"
                                 "caddy_http_requests_total_created 5\ncaddy_http_requests_in_flight{server=\"srv0\"} 3\n"),
                     0);
    assert_int_equal(answer.source, REQUESTS_CADDY);
    assert_int_equal(answer.total, 120 + 22);
    assert_false(answer.estimate);
}

T(plimsolls_metrics_are_read)
{
    assert_int_equal(ask_http("/metrics", OK "# TYPE plimsoll_http_requests counter\nplimsoll_http_requests_total 41\n"
                                             "plimsoll_php_requests_total 40\n# EOF\n"),
                     0);
    assert_int_equal(answer.source, REQUESTS_PLIMSOLL);
    assert_int_equal(answer.total, 41);
}

T(apaches_status_is_read_and_our_own_questions_are_taken_off)
{
    assert_int_equal(ask_http("/server-status?auto", OK "localhost\nServerMPM: prefork\nTotal Accesses: 1000\nTotal kBytes: 5\n"),
                     0);
    assert_int_equal(answer.source, REQUESTS_APACHE);
    assert_int_equal(answer.total, 1000);
    assert_int_equal(ask(), 0);
    assert_int_equal(answer.total, 999); // the first has been counted by now
}

T(answer_that_comes_byte_by_byte_is_read)
{
    const char *text = OK "Total Accesses: 77\n";

    start_peer(BYTE_BY_BYTE, "http", "/server-status?auto", text, strlen(text));
    assert_int_equal(ask(), 0);
    assert_int_equal(answer.total, 77);
}

T(answers_that_are_none_say_why)
{
    static const struct {
        const char *text;
        int rc;
    } bad[] = {
        {"HTTP/1.1 404 Not Found\r\n\r\nTotal Accesses: 5\n", -ENOENT},
        {"HTTP/1.1 403 Forbidden\r\n\r\n", -EACCES},
        {"HTTP/1.1 500 Oops\r\n\r\nTotal Accesses: 5\n", -EPROTO},
        {OK "<html>Welcome</html>", -ENODATA},
        {OK "Total Accesses: many\n", -ENODATA},
        {OK "Total Accesses: -5\n", -ENODATA},
        {OK "Total Accesses: 99999999999999999999999\n", -ENODATA},
        {"SSH-2.0-OpenSSH_9.2\r\n", -EPROTO},
        {"HTTP/1.1 200 OK\r\nno end", -EPROTO},
        {"", -EPROTO},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask_http("/server-status?auto", bad[i].text), bad[i].rc);
        requests = requests_close(requests);
        kill(peer, SIGKILL);
        waitpid(peer, NULL, 0);
        peer = 0;
    }
}

T(peer_that_says_nothing_costs_the_deadline_only)
{
    start_peer(SAY_NOTHING, "http", "/metrics", "", 0);
    assert_int_equal(requests_ask(requests, 30, &answer), -ETIMEDOUT);
    assert_int_equal(requests_fd(requests), -1);
}

T(peer_that_never_ends_is_cut_off)
{
    static char text[8192];

    memset(text, 'x', sizeof text);
    memcpy(text, OK, sizeof OK - 1);
    for (size_t i = 100; i < sizeof text; i += 100)
        text[i] = '\n';
    start_peer(NEVER_END, "http", "/metrics", text, sizeof text);
    assert_int_equal(ask(), -EMSGSIZE);
    assert_int_equal(requests_fd(requests), -1);
}

T(peer_that_hangs_up_is_an_error)
{
    start_peer(HANG_UP, "fcgi", "/status", "", 0);
    int rc = ask();
    assert_true(rc == -EPROTO || rc == -ECONNRESET || rc == -EPIPE);
}

T(step_by_step_nothing_waits)
{
    const char *text = OK "plimsoll_http_requests_total 9\n";
    int steps = 0, rc;

    start_peer(ANSWER, "http", "/metrics", text, strlen(text));
    assert_int_equal(requests_step(requests, &answer), -ENOTCONN);
    assert_int_equal(requests_start(requests), 0);
    while ((rc = requests_step(requests, &answer)) == -EINPROGRESS && steps++ < 1000) {
        struct pollfd p = {.fd = requests_fd(requests), .events = requests_events(requests)};
        assert_true(p.fd >= 0);
        assert_int_equal(poll(&p, 1, 20000), 1);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(answer.total, 9);
    // A question that is under way is given up for a new one.
    assert_int_equal(requests_start(requests), 0);
    assert_int_equal(requests_start(requests), 0);
    assert_int_equal(ask(), 0);
}

T(a_question_under_way_leaves_no_descriptor_behind)
{
    start_peer(SAY_NOTHING, "http", "/metrics", "", 0);
    assert_int_equal(requests_start(requests), 0);
    int fd = requests_fd(requests);
    assert_true(fd >= 0 && fcntl(fd, F_GETFD) >= 0);
    requests = requests_close(requests);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

T(nobody_there_is_told)
{
    struct requests_target t;
    char url[600];

    snprintf(url, sizeof url, "unix:%s|/status", fake_path("none.sock"));
    assert_int_equal(requests_parse(url, &t), 0);
    assert_int_equal(requests_open(&t, -1, &requests), 0);
    assert_int_equal(ask(), -ENOENT);
}

static size_t frame(char *to, int type, const char *text, size_t n, unsigned char padding)
{
    char head[8] = {1, (char)type, 0, 1, (char)(n >> 8), (char)n, (char)padding, 0};

    memcpy(to, head, 8);
    memcpy(to + 8, text, n);
    memset(to + 8 + n, 0, padding);
    return 8 + n + padding;
}

T(fastcgi_is_read_across_frames_with_padding)
{
    static const char one[] = "X-Powered-By: PHP\r\nContent-type: text/plain\r\n\r\npool:  www\naccepted",
                      two[] = " conn:        124\nlisten queue: 0\n";
    char text[1024];
    size_t n = 0;

    n += frame(text + n, 7, "warning\n", 8, 0);
    n += frame(text + n, 6, one, sizeof one - 1, 5);
    n += frame(text + n, 6, two, sizeof two - 1, 3);
    n += frame(text + n, 6, "", 0, 0);
    n += frame(text + n, 3, "\0\0\0\0\0\0\0", 8, 0);
    start_peer(BYTE_BY_BYTE, "fcgi", "/status", text, n);
    assert_int_equal(ask(), 0);
    assert_int_equal(answer.source, REQUESTS_FPM);
    assert_int_equal(answer.total, 123);
}

T(fastcgi_that_is_none_or_cut_off_is_an_error)
{
    struct answer *a = malloc(sizeof *a);
    char text[128];

    answer_begin(a, REQUESTS_FPM);
    assert_int_equal(answer_take(a, "HTTP/1.1 400 Bad", 16), -EPROTO);
    answer_begin(a, REQUESTS_FPM);
    size_t n = frame(text, 6, "Status: 404 Not Found\r\n\r\nx", 27, 0);
    assert_int_equal(answer_take(a, text, n), 0);
    assert_int_equal(answer_end(a, &answer), -EPROTO); // no end
    n = frame(text, 3, "\0\0\0\0\0\0\0", 8, 0);
    assert_int_equal(answer_take(a, text, n), 0);
    assert_true(answer_has_ended(a));
    assert_int_equal(answer_end(a, &answer), -ENOENT);
    free(a);
}

T(real_php_fpm_counts_what_it_was_asked)
{
    char conf[1024], url[512], pool[64] = "";
    struct requests_target t;
    struct server_conf c = {.server = SERVER_FPM, .n_pools = 1};
    int rc = -ENOENT;

    if (geteuid() == 0)
        strcpy(pool, "user = www-data\ngroup = www-data\nlisten.mode = 0666\n");
    snprintf(conf, sizeof conf,
             "[global]\nerror_log = %s/log\ndaemonize = no\n[www]\n%slisten = %s/fpm.sock\npm = static\npm.max_children = 1\n"
             "pm.status_path = /status\n",
             fake_dir, pool, fake_dir);
    fake_file("fpm.conf", conf);
    peer = fork();
    if (peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        glob_t found; // its name bears PHP's version
        if (!glob("/usr/sbin/php-fpm*", 0, NULL, &found))
            execl(found.gl_pathv[found.gl_pathc - 1], "php-fpm", "-n", "-y", fake_path("fpm.conf"), NULL);
        _exit(127);
    }
    // By the container's root, as from outside of it.
    int root = open(fake_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(c.pool[0].listen, sizeof c.pool[0].listen, "/fpm.sock");
    snprintf(c.pool[0].status_path, sizeof c.pool[0].status_path, "/status");
    assert_true(requests_find(&c, root, &t));
    assert_int_equal(requests_open(&t, -1, &requests), 0);
    for (int i = 0; i < 20000 && (rc == -ENOENT || rc == -ECONNREFUSED); i++) {
        sched_yield();
        rc = ask();
    }
    assert_int_equal(rc, 0);
    assert_int_equal(answer.source, REQUESTS_FPM);
    assert_int_equal(answer.total, 0);
    // Somebody else's requests count.
    struct requests *other;
    struct requests_answer ignored;
    snprintf(url, sizeof url, "unix:%s/fpm.sock|/status", fake_dir);
    assert_int_equal(requests_parse(url, &t), 0);
    assert_int_equal(requests_open(&t, -1, &other), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(requests_ask(other, 20000, &ignored), 0);
    requests_close(other);
    assert_int_equal(ask(), 0);
    assert_int_equal(answer.total, 3);
    close(root);
    kill(peer, SIGTERM);
    waitpid(peer, NULL, 0);
    peer = 0;
}

T(connections_of_the_network_stand_in_as_an_estimate)
{
    int64_t n = 0;
    struct requests_target t;
    int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

    assert_true(
        answer_from_snmp(STR("Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm ActiveOpens PassiveOpens X\nTcp: 1 5 77 9\n"), &n));
    assert_int_equal(n, 77);
    assert_false(answer_from_snmp(STR("Tcp: RtoAlgorithm\nTcp: 1\n"), &n));
    assert_false(answer_from_snmp(STR("Tcp: PassiveOpens\nTcp: -1\n"), &n));
    assert_false(answer_from_snmp(STR("Tcp: PassiveOpens\n"), &n));
    assert_false(answer_from_snmp(STR(""), &n));
    assert_int_equal(requests_parse("tcp", &t), 0);
    assert_int_equal(requests_open(&t, self, &requests), 0);
    assert_int_equal(ask(), 0);
    assert_true(answer.estimate);
    int64_t before = answer.total;
    uint16_t port;
    int fd = listen_on_port(&port), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    assert_int_equal(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    close(accept(fd, NULL, NULL));
    assert_int_equal(ask(), 0);
    assert_true(answer.total > before);
    close(c);
    close(fd);
    close(self);
}

T(a_port_of_another_network_is_not_asked_and_its_connections_are_counted_instead)
{
    struct requests_target t;

    fake_file("ns/net", ""); // another inode than ours
    fake_file("net/snmp", "Tcp: PassiveOpens\nTcp: 7\n");
    int proc = open(fake_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(requests_parse("http://127.0.0.1:2019/metrics", &t), 0);
    assert_int_equal(requests_open(&t, proc, &requests), 0);
    assert_int_equal(requests_counted_by(requests), REQUESTS_TCP);
    assert_int_equal(ask(), 0);
    assert_int_equal(answer.total, 7);
    requests = requests_close(requests);
    assert_int_equal(requests_open(&t, -1, &requests), 0);
    assert_int_equal(requests_counted_by(requests), REQUESTS_CADDY);
    close(proc);
}

static int parse(const char *url, struct requests_target *t)
{
    memset(t, 0x55, sizeof *t);
    return requests_parse(url, t);
}

T(urls_tell_the_source_and_names_are_refused)
{
    struct requests_target t;

    assert_int_equal(parse("http://localhost:2019/metrics", &t), 0);
    assert_int_equal(t.source, REQUESTS_CADDY);
    assert_int_equal(t.addr.ss_family, AF_INET);
    assert_string_equal(t.host, "localhost:2019");
    assert_int_equal(parse("http://[::1]/server-status?auto", &t), 0);
    assert_int_equal(t.source, REQUESTS_APACHE);
    assert_int_equal(t.addr.ss_family, AF_INET6);
    assert_int_equal(parse("fcgi://127.0.0.1/status", &t), 0);
    assert_int_equal(t.source, REQUESTS_FPM);
    assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&t.addr)->sin_port), 9000);
    assert_int_equal(parse("unix:/run/php/fpm.sock", &t), 0);
    assert_int_equal(t.source, REQUESTS_FPM);
    assert_string_equal(t.path, "/status");
    assert_int_equal(parse("unix:/run/a.sock|http:/metrics", &t), 0);
    assert_int_equal(t.source, REQUESTS_CADDY);
    assert_int_equal(parse("http://caddy:2019/metrics", &t), -EADDRNOTAVAIL);
    static const char *const bad[] = {"",
                                      "http://",
                                      "https://127.0.0.1/",
                                      "http://127.0.0.1:0/m",
                                      "http://127.0.0.1:99999/m",
                                      "http://127.0.0.1:x/m",
                                      "http://[::1/m",
                                      "unix:",
                                      "unix:|/x",
                                      "unix:/a|x",
                                      "fcgi:///x",
                                      "http://127.0.0.1/a b",
                                      "http://127.0.0.1/a\r\nX: y",
                                      "tcp:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], &t), -EINVAL);
}

T(configuration_tells_where_to_ask)
{
    struct server_conf c = {.server = SERVER_FPM, .n_pools = 1};
    struct requests_target t;

    assert_false(requests_find(&c, -1, &t));
    strcpy(c.pool[0].status_path, "/fpm-status");
    strcpy(c.pool[0].listen, "php:9000"); // a name
    assert_false(requests_find(&c, -1, &t));
    strcpy(c.pool[0].listen, "9000");
    assert_true(requests_find(&c, -1, &t));
    assert_int_equal(t.source, REQUESTS_FPM);
    assert_string_equal(t.path, "/fpm-status");
    // Without a status page the Caddy in front is asked.
    c.pool[0].status_path[0] = '\0';
    strcpy(c.admin, "localhost:2019");
    assert_true(requests_find(&c, -1, &t));
    assert_int_equal(t.source, REQUESTS_CADDY);
    c.admin_off = true;
    assert_false(requests_find(&c, -1, &t));
    c = (struct server_conf){.server = SERVER_APACHE, .n_pools = 1};
    strcpy(c.pool[0].status_path, "/server-status");
    strcpy(c.pool[0].listen, "8080");
    assert_true(requests_find(&c, -1, &t));
    assert_int_equal(t.source, REQUESTS_APACHE);
    assert_string_equal(t.path, "/server-status?auto");
    c = (struct server_conf){.server = SERVER_PLIMSOLL};
    strcpy(c.admin, "unix:/run/plimsoll/admin.sock");
    assert_true(requests_find(&c, -1, &t));
    assert_int_equal(t.source, REQUESTS_PLIMSOLL);
    assert_int_equal(t.addr.ss_family, AF_UNIX);
}

#define R(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

CLAIMS(R(caddys_busiest_handler_of_each_server_counts), R(plimsolls_metrics_are_read),
       R(apaches_status_is_read_and_our_own_questions_are_taken_off), R(answer_that_comes_byte_by_byte_is_read),
       R(answers_that_are_none_say_why), R(peer_that_says_nothing_costs_the_deadline_only), R(peer_that_never_ends_is_cut_off),
       R(peer_that_hangs_up_is_an_error), R(step_by_step_nothing_waits), R(a_question_under_way_leaves_no_descriptor_behind),
       R(nobody_there_is_told),
       R(fastcgi_is_read_across_frames_with_padding), R(fastcgi_that_is_none_or_cut_off_is_an_error),
       R(real_php_fpm_counts_what_it_was_asked), R(connections_of_the_network_stand_in_as_an_estimate),
       R(a_port_of_another_network_is_not_asked_and_its_connections_are_counted_instead),
       R(urls_tell_the_source_and_names_are_refused), R(configuration_tells_where_to_ask))
