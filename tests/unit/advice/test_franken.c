// SPDX-License-Identifier: Apache-2.0
// Claims about FrankenPHP as it really is: its files, arguments, threads and answers are those seen of FrankenPHP 1.12.7 with Caddy
// 2.11.4 and PHP 8.4 (ZTS), shortened.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../mem/fake_tree.h"
#include "advice/requests_int.h"
#include "advice/server_conf.h"
#include "advice/signatures.h"
#include "fake_server.h"

#define MIB (INT64_C(1) << 20)

static struct server_conf conf;
static struct proc_info process;
static int proc;
static struct requests *requests;
static struct requests_answer answer;
static pid_t peer;

static int set_up(void **state)
{
    fake_make();
    fake_folder("proc/7/root");
    process = (struct proc_info){.pid = 7, .role = ROLE_FRANKENPHP, .go = true, .php = true, .memory_limit = -1};
    strcpy(process.comm, "frankenphp");
    proc = open(fake_path("proc"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    peer = 0;
    return 0;
}

static int tear_down(void **state)
{
    requests = requests_close(requests);
    if (peer) {
        kill(peer, SIGKILL);
        waitpid(peer, NULL, 0);
    }
    close(proc);
    fake_remove();
    return 0;
}

static void thread(int tid, const char *name)
{
    char path[64], text[32];

    snprintf(path, sizeof path, "proc/7/task/%d/comm", tid);
    snprintf(text, sizeof text, "%s\n", name);
    fake_file(path, text);
}

static void look(void)
{
    memset(&conf, 0x55, sizeof conf);
    server_conf_read(proc, &process, 1, &conf);
}

static void is(const struct conf_amount *a, int64_t value, const char *from)
{
    assert_true(a->known);
    assert_int_equal(a->value, value);
    assert_string_equal(a->from, from);
}

static struct advice_facts facts(void)
{
    struct advice_facts f = ADVICE_FACTS_UNKNOWN;

    server_conf_facts(&conf, &f);
    return f;
}

// The Caddyfile of the Docker image without its comments.
#define IMAGE                                                                                                                    \
    "# The Caddyfile is an easy way to configure FrankenPHP and the Caddy web server.\n\n{\n\tskip_install_trust\n\n"            \
    "\t{$CADDY_GLOBAL_OPTIONS}\n\n\tfrankenphp {\n\t\t{$FRANKENPHP_CONFIG}\n\t}\n}\n\n{$CADDY_EXTRA_CONFIG}\n\n"                \
    "{$SERVER_NAME:localhost} {\n\t#log {\n\t#\t# Redact the authorization query parameter\n\t#}\n\n"                            \
    "\troot {$SERVER_ROOT:public/}\n\tencode zstd br gzip\n\n\t{$CADDY_SERVER_EXTRA_DIRECTIVES}\n\n\tphp_server {\n"             \
    "\t\t#worker /path/to/your/worker.php\n\t}\n}\n\nimport Caddyfile.d/*.caddyfile\n"

static void image(void)
{
    WORDS("cmdline", "frankenphp\0run\0--config\0/etc/frankenphp/Caddyfile\0--adapter\0caddyfile");
    file("/etc/frankenphp/Caddyfile", IMAGE);
}

static const char *counted_at(void)
{
    static char text[600];
    struct requests_target t;

    if (!requests_find(&conf, -1, &t))
        return "nowhere";
    snprintf(text, sizeof text, "%s %.64s%.64s", requests_source_name(t.source), t.host, t.path);
    return text;
}

T(image_as_it_comes_has_no_metrics_and_is_counted_by_its_threads)
{
    image();
    WORDS("environ", "SERVER_NAME=:8080\0GODEBUG=cgocheck=0");
    look();
    is(&conf.memory_limit, 128 * MIB, "PHP's default");
    assert_string_equal(counted_at(), "FrankenPHP threads localhost:2019/frankenphp/threads");
    WORDS("environ", "CADDY_GLOBAL_OPTIONS=metrics");
    look();
    assert_string_equal(counted_at(), "Caddy metrics localhost:2019/metrics");
    WORDS("environ", "CADDY_GLOBAL_OPTIONS=admin 127.0.0.1:2020\nservers {\n  metrics\n}");
    look();
    assert_string_equal(counted_at(), "Caddy metrics 127.0.0.1:2020/metrics");
    WORDS("environ", "CADDY_GLOBAL_OPTIONS=metrics {\n per_host\n}");
    look();
    assert_string_equal(counted_at(), "Caddy metrics localhost:2019/metrics");
    WORDS("environ", "CADDY_GLOBAL_OPTIONS=admin off");
    look();
    assert_string_equal(counted_at(), "nowhere");
}

T(metrics_that_may_be_on_in_a_file_not_read_are_asked_first)
{
    image();
    WORDS("environ", "CADDY_GLOBAL_OPTIONS=import /etc/frankenphp/global.d/*");
    look();
    assert_false(conf.memory_limit.known); // php_ini may stand there, too
    assert_string_equal(counted_at(), "Caddy metrics localhost:2019/metrics");
}

T(address_of_the_admin_may_come_from_the_environment)
{
    image();
    WORDS("environ", "CADDY_ADMIN=127.0.0.1:2999");
    look();
    assert_string_equal(counted_at(), "FrankenPHP threads 127.0.0.1:2999/frankenphp/threads");
    WORDS("environ", "CADDY_ADMIN=127.0.0.1:2999\0CADDY_GLOBAL_OPTIONS=admin unix//run/admin.sock");
    look();
    assert_string_equal(counted_at(), "FrankenPHP threads localhost/frankenphp/threads");
}

T(php_server_reads_no_caddyfile_and_has_no_admin)
{
    WORDS("cmdline", "frankenphp\0php-server\0--worker\0/app/public/index.php,4");
    WORDS("environ", "A=b");
    fake_link("/app", "proc/7/cwd");
    file("/app/Caddyfile", "{\n frankenphp {\n  num_threads 99\n  php_ini memory_limit 1G\n }\n}\n");
    file("/etc/frankenphp/Caddyfile", "{\n frankenphp {\n  num_threads 98\n }\n}\n");
    look();
    assert_false(conf.num_threads.known);
    is(&conf.memory_limit, 128 * MIB, "PHP's default");
    assert_string_equal(counted_at(), "nowhere");
}

T(embedded_application_brings_its_caddyfile)
{
    WORDS("cmdline", "/usr/bin/app\0php-server");
    WORDS("environ", "A=b");
    fake_link("/tmp/frankenphp_3b5d5c3712955042212316173ccf37be", "proc/7/cwd");
    file("/tmp/frankenphp_3b5d5c3712955042212316173ccf37be/Caddyfile", "{\n frankenphp {\n  num_threads 9\n }\n}\n");
    look();
    assert_int_equal(conf.num_threads.value, 9);
}

T(php_ini_of_the_working_directory_stands_before_the_images)
{
    image();
    WORDS("environ", "A=b");
    fake_link("/app", "proc/7/cwd");
    file("/usr/local/etc/php/php.ini", "memory_limit = 64M\n");
    look();
    is(&conf.memory_limit, 64 * MIB, "/usr/local/etc/php/php.ini:1");
    file("/app/php.ini", "memory_limit = 96M\n");
    look();
    is(&conf.memory_limit, 96 * MIB, "/app/php.ini:1");
    assert_string_equal(conf.php_ini, "/app/php.ini");
    // What the image scans holds all the same.
    file("/usr/local/etc/php/conf.d/memory.ini", "\nmemory_limit = 80M\n");
    look();
    is(&conf.memory_limit, 80 * MIB, "/usr/local/etc/php/conf.d/memory.ini:2");
    assert_string_equal(conf.php_ini, "/app/php.ini");
}

T(limit_that_files_not_seen_may_change_is_not_guessed)
{
    // As another user than root from a container with Docker's capabilities: neither its environment nor where it works is told.
    WORDS("cmdline", "frankenphp\0php-server");
    file("/etc/php/8.2/embed/php.ini", "memory_limit = 64M\n");
    look();
    assert_false(conf.memory_limit.known);
    file("/usr/local/etc/php/php.ini", "memory_limit = 96M\n");
    look();
    is(&conf.memory_limit, 96 * MIB, "/usr/local/etc/php/php.ini:1");
}

T(file_with_capabilities_is_told_by_who_owns_its_process)
{
    image();
    fake_folder("proc/7/environ"); // there, but not to be read; of root as a non-dumpable process's files are
    process.uid = geteuid() + 33;
    look();
    assert_true(conf.file_caps);
    process.uid = geteuid();
    look();
    assert_false(conf.file_caps);
}

T(lines_of_a_variable_stand_where_the_variable_does)
{
    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    WORDS("environ", "FRANKENPHP_CONFIG=worker ./public/index.php 2\nnum_threads 5\nmax_threads 8");
    file("/c", "{\n frankenphp {\n  {$FRANKENPHP_CONFIG}\n  php_ini memory_limit 48M\n }\n}\n");
    look();
    is(&conf.num_threads, 5, "/c:3");
    is(&conf.max_threads, 8, "/c:3");
    is(&conf.memory_limit, 48 * MIB, "/c:4");
}

T(variables_of_variables_end)
{
    static char env[100000], text[100000];
    size_t n = 0;

    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    memset(env, 'x', sizeof env - 1);
    memcpy(env, "A=", 2);
    words("environ", env, sizeof env);
    while (n + 6 < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, "{$A}\n");
    file("/c", text); // 2 GB, if all were filled in
    look();
    assert_false(conf.memory_limit.known);
}

T(threads_are_counted_by_their_names)
{
    image();
    WORDS("environ", "A=b");
    thread(7, "frankenphp");
    thread(8, "php-main");
    thread(9, "frankenphp");
    for (int i = 0; i < 18; i++) {
        char name[16];
        snprintf(name, sizeof name, "php-%x", (unsigned)i);
        thread(20 + i, name);
    }
    thread(50, "php-3"); // of the Go runtime, started by php-3
    thread(60, "php-fpm");
    thread(61, "php-");
    look();
    is(&conf.threads, 18, "the running process");
    assert_int_equal(facts().num_threads, 18);
    // What may come yet counts, too.
    WORDS("environ", "FRANKENPHP_CONFIG=max_threads 30");
    look();
    assert_int_equal(facts().num_threads, 30);
    WORDS("environ", "FRANKENPHP_CONFIG=max_threads auto");
    look();
    assert_int_equal(facts().num_threads, 18);
    assert_true(facts().max_threads_auto);
}

T(threads_that_may_be_started_count_against_the_limit)
{
    enum signature_id found[8];

    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    WORDS("environ", "GOMEMLIMIT=64MiB");
    file("/c", "{\n frankenphp {\n  num_threads 2\n  max_threads 20\n  php_ini memory_limit 64M\n }\n}\n");
    look();
    struct advice_facts f = facts();
    f.limit = 256 * MIB;
    assert_int_equal(signature_find_conditions(&f, found, 8), 1);
    assert_int_equal(found[0], SIG_CHILDREN_BEYOND_LIMIT);
    f.limit = 20 * 64 * MIB;
    assert_int_equal(signature_find_conditions(&f, found, 8), 0);
}

T(auto_without_memory_limit_is_twice_num_threads_and_not_of_the_hosts_memory)
{
    enum signature_id found[8];

    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    WORDS("environ", "GOMEMLIMIT=64MiB");
    file("/c", "{\n frankenphp {\n  max_threads auto\n  php_ini memory_limit 64M\n }\n}\n");
    look();
    struct advice_facts f = facts();
    f.limit = 256 * MIB;
    f.host_ram = 65536 * MIB;
    assert_int_equal(signature_find_conditions(&f, found, 8), 1);
    assert_int_equal(found[0], SIG_MAX_THREADS_AUTO);
    f.memory_limit = 0;
    assert_int_equal(signature_find_conditions(&f, found, 8), 1);
    assert_int_equal(found[0], SIG_NO_MEMORY_LIMIT);
}

#define OK "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
#define THREAD(index, count)                                                                                                     \
    "        {\n            \"Index\": " #index ",\n            \"Name\": \"Regular PHP Thread\",\n            \"State\": \"ready\",\n" \
    "            \"IsWaiting\": true,\n            \"RequestCount\": " #count ",\n            \"MemoryUsage\": 445240\n        }"
#define THREADS(a, b)                                                                                                            \
    OK "{\n    \"ThreadDebugStates\": [\n" THREAD(0, a) ",\n" THREAD(1, b) "\n    ],\n    \"ReservedThreadCount\": 0\n}"

// Answers /metrics and /frankenphp/threads, the second one after another. With want_origin only who says where he comes from
// (enforce_origin), without it only who doesn't (origins that aren't his).
static bool want_origin;

static void start_peer(const char *metrics, const char *const *threads, struct requests_target *t)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    peer = fork();
    if (peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            char ask[4096];
            int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
            ssize_t got = read(c, ask, sizeof ask - 1);
            ask[got > 0 ? got : 0] = '\0';
            const char *text = strncmp(ask, "GET /frankenphp/threads ", 24) != 0 ? metrics : *threads;
            bool origin = strstr(ask, "\r\nOrigin: http://127.0.0.1:") != NULL;
            if (want_origin != origin)
                text = "HTTP/1.1 403 Forbidden\r\n\r\n{\"error\":\"client is not allowed to access from origin ''\"}\n";
            threads += text == *threads && threads[1];
            (void)!write(c, text, strlen(text));
            close(c);
        }
    }
    close(fd);
    struct server_conf c = {.server = SERVER_FRANKENPHP};
    snprintf(c.admin, sizeof c.admin, "127.0.0.1:%d", ntohs(a.sin_port));
    assert_true(requests_find(&c, -1, t));
}

static int64_t ask(void)
{
    int rc = requests_ask(requests, 20000, &answer);
    return rc < 0 ? rc : answer.total;
}

T(metrics_without_requests_yet_are_none)
{
    struct requests_target t;

    start_peer(OK "# TYPE frankenphp_total_threads gauge\nfrankenphp_total_threads 4\n", (const char *const[]){"", NULL}, &t);
    assert_int_equal(requests_open(&t, -1, &requests), 0);
    assert_int_equal(ask(), 0);
    assert_int_equal(answer.source, REQUESTS_CADDY);
}

T(where_metrics_are_off_threads_are_asked_and_a_restarted_one_doesnt_count_twice)
{
    struct requests_target t;
    const char *const threads[] = {THREADS(100, 40), THREADS(110, 41), THREADS(3, 45), THREADS(5, 45), NULL};

    start_peer(OK "caddy_admin_http_requests_total{code=\"200\",handler=\"metrics\",method=\"GET\",path=\"/metrics\"} 2\n", threads, &t);
    assert_int_equal(t.source, REQUESTS_CADDY);
    assert_int_equal(requests_open(&t, -1, &requests), 0);
    assert_int_equal(ask(), 140);
    assert_int_equal(answer.source, REQUESTS_THREADS);
    assert_false(answer.estimate);
    assert_int_equal(ask(), 151);
    assert_int_equal(ask(), 151); // max_requests 110: the first thread began anew
    assert_int_equal(ask(), 153);
}

T(threads_without_a_count_leave_connections)
{
    struct requests_target t;
    const char *const threads[] = {OK "{\n    \"ThreadDebugStates\": [\n        {\n            \"Index\": 0\n        }\n    ]\n}", NULL};

    fake_file("proc/7/net/snmp", "Tcp: PassiveOpens\nTcp: 12\n");
    int dir = open(fake_path("proc/7"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    start_peer(OK "go_goroutines 9\n", threads, &t);
    assert_int_equal(requests_open(&t, dir, &requests), 0);
    assert_int_equal(ask(), 12);
    assert_int_equal(requests_counted_by(requests), REQUESTS_TCP);
    assert_true(answer.estimate);
    close(dir);
}

T(admin_that_wants_to_hear_the_origin_hears_it_then)
{
    struct requests_target t;

    want_origin = true;
    start_peer(OK "caddy_http_requests_total{handler=\"subroute\",server=\"srv0\"} 21\n", (const char *const[]){"", NULL}, &t);
    want_origin = false;
    assert_int_equal(requests_open(&t, -1, &requests), 0);
    assert_int_equal(ask(), 21);
    assert_int_equal(ask(), 21);
    assert_int_equal(answer.source, REQUESTS_CADDY);
}

T(admin_that_refuses_leaves_connections)
{
    struct requests_target t;

    fake_file("proc/7/net/snmp", "Tcp: PassiveOpens\nTcp: 12\n");
    int dir = open(fake_path("proc/7"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    start_peer("HTTP/1.1 403 Forbidden\r\n\r\n", (const char *const[]){"HTTP/1.1 403 Forbidden\r\n\r\n", NULL}, &t);
    assert_int_equal(requests_open(&t, dir, &requests), 0);
    assert_int_equal(ask(), 12);
    assert_int_equal(requests_counted_by(requests), REQUESTS_TCP);
    close(dir);
}

T(source_that_has_answered_is_kept)
{
    struct requests_target t;
    const char *const threads[] = {THREADS(1, 2), OK "gone", NULL};

    fake_file("proc/7/net/snmp", "Tcp: PassiveOpens\nTcp: 12\n");
    int dir = open(fake_path("proc/7"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    start_peer(OK, threads, &t);
    assert_int_equal(requests_open(&t, dir, &requests), 0);
    assert_int_equal(ask(), 3);
    assert_int_equal(ask(), -ENODATA); // a count of something else would look like a leap
    assert_int_equal(requests_counted_by(requests), REQUESTS_THREADS);
    close(dir);
}

#define S(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
CLAIMS(S(image_as_it_comes_has_no_metrics_and_is_counted_by_its_threads), S(metrics_that_may_be_on_in_a_file_not_read_are_asked_first),
       S(address_of_the_admin_may_come_from_the_environment), S(php_server_reads_no_caddyfile_and_has_no_admin),
       S(embedded_application_brings_its_caddyfile), S(php_ini_of_the_working_directory_stands_before_the_images),
       S(limit_that_files_not_seen_may_change_is_not_guessed), S(file_with_capabilities_is_told_by_who_owns_its_process),
       S(lines_of_a_variable_stand_where_the_variable_does), S(variables_of_variables_end), S(threads_are_counted_by_their_names),
       S(threads_that_may_be_started_count_against_the_limit),
       S(auto_without_memory_limit_is_twice_num_threads_and_not_of_the_hosts_memory), S(metrics_without_requests_yet_are_none),
       S(where_metrics_are_off_threads_are_asked_and_a_restarted_one_doesnt_count_twice), S(threads_without_a_count_leave_connections),
       S(admin_that_wants_to_hear_the_origin_hears_it_then),
       S(admin_that_refuses_leaves_connections), S(source_that_has_answered_is_kept))
