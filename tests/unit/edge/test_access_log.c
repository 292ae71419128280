// SPDX-License-Identifier: Apache-2.0
// Access log lines as log tools read them, and what happens when they can't be written.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fdio.h"
#include "base/log.h"
#include "base/loop.h"
#include "conf/conf.h"
#include "edge/access_log.h"
#include "edge/req.h"
#include "ipc/board.h"

static struct field fields[2] = {{.name = {"Referer", 7}, .id = FIELD_REFERER},
                                 {.name = {"User-Agent", 10}, .id = FIELD_USER_AGENT}};
static struct conf_site sites[2];
static struct conf conf = {.sites = sites, .n_sites = 2};
static struct req_peer peer = {.client_addr = "192.0.2.7"};
static struct req req;
static char out[1 << 20];

// The edge's own is in req.c, which would bring the whole edge along.
struct str req_field(const struct req *r, enum field_id id)
{
    for (size_t i = 0; i < r->n_fields; i++)
        if (r->fields[i].id == id)
            return r->fields[i].value;
    return (struct str){0};
}

static uint64_t dropped(void)
{
    return atomic_load(&board->counters[COUNTER_ACCESS_LOG_DROPPED]);
}

static int setup(void **state)
{
    setenv("TZ", "UTC-5:30", 1); // east of Greenwich, and not by whole hours
    tzset();
    if (!board)
        board_create();
    atomic_store(&board->counters[COUNTER_ACCESS_LOG_DROPPED], 0);
    loop_init();
    conf.global.log_format = LOG_FORMAT_COMBINED;
    fields[0].value = STR("http://example.org/from");
    fields[1].value = STR("Mozilla/5.0");
    req = (struct req){
        .method = STR("GET"), .target = STR("/a?b=c"), .protocol = "HTTP/1.1", .fields = fields, .n_fields = 2,
        .peer = &peer, .site = &sites[0], .host = STR("example.org"), .client_addr = STR("203.0.113.9"),
        .script_filename = STR("/srv/app/index.php"), .status = 200, .bytes_out = 1234, .id = "abc-1",
        .started_us = 5000000, .finished_us = 5001234, .started_wall_us = INT64_C(1795504135999000), .worker_pid = 77,
        .queue_us = 1500,
    };
    return 0;
}

static int teardown(void **state)
{
    access_log_done();
    loop_done();
    return 0;
}

static int temp_file(void)
{
    int fd = fd_unlinked_file("/tmp");
    assert_true(fd >= 0);
    return fd;
}

static const char *text_of(int fd)
{
    ssize_t n = pread(fd, out, sizeof out - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    return out;
}

static const char *logged(void)
{
    int fd = temp_file(), fds[2] = {fd, -1};
    access_log_init(&conf, fds);
    access_log_request(&req);
    access_log_flush();
    return text_of(fd);
}

static void combined_line_is_apaches(void **state)
{
    req.remote_user = STR("ann");
    assert_string_equal(logged(), "203.0.113.9 - ann [24/Nov/2026:12:38:56 +0530] \"GET /a?b=c HTTP/1.1\" 200 1234 "
                                  "\"http://example.org/from\" \"Mozilla/5.0\"\n");
}

static void combined_line_of_nothing_has_dashes_and_499(void **state)
{
    req = (struct req){.peer = &peer, .protocol = "HTTP/1.1", .started_wall_us = INT64_C(1795504135999000), .site = NULL};
    assert_string_equal(logged(), "192.0.2.7 - - [24/Nov/2026:12:38:55 +0530] \"-\" 499 0 \"-\" \"-\"\n");
}

static void combined_text_can_not_forge_lines_or_fields(void **state)
{
    req.target = STR("/\"\\\r\n\x7f\xc3\xa4");
    req.remote_user = STR("a b\"");
    fields[1].value = STR("x\ty");
    assert_string_equal(logged(), "203.0.113.9 - a\\x20b\\x22 [24/Nov/2026:12:38:56 +0530] "
                                  "\"GET /\\x22\\x5C\\x0D\\x0A\\x7F\\xC3\\xA4 HTTP/1.1\" 200 1234 "
                                  "\"http://example.org/from\" \"x\\x09y\"\n");
}

static void json_line_has_every_field(void **state)
{
    conf.global.log_format = LOG_FORMAT_JSON;
    req.end_reason = "worker was killed by signal 11";
    assert_string_equal(logged(),
                        "{\"time\":\"2026-11-24T07:08:56.000Z\",\"id\":\"abc-1\",\"client\":\"203.0.113.9\",\"method\":\"GET\","
                        "\"host\":\"example.org\",\"target\":\"/a?b=c\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":1234,"
                        "\"duration_ms\":1.234,\"referer\":\"http://example.org/from\",\"user_agent\":\"Mozilla/5.0\","
                        "\"script\":\"/srv/app/index.php\",\"worker\":77,\"queue_ms\":1.500,"
                        "\"end\":\"worker was killed by signal 11\"}\n");
}

static void json_is_valid_utf8_whatever_the_client_sends(void **state)
{
    conf.global.log_format = LOG_FORMAT_JSON;
    // a good 2-, 3- and 4-byte character; a lone continuation, an overlong slash, a surrogate, beyond U+10FFFF, one cut short
    req.target = STR("/\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xa2 \x80 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82");
    fields[1].value = STR("\"\\\n\x01\x7f");
    const char *line = logged();
    assert_non_null(strstr(line, "\"target\":\"/\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xa2 \\u0080 \\u00c0\\u00af "
                                 "\\u00ed\\u00a0\\u0080 \\u00f4\\u0090\\u0080\\u0080 \\u00e2\\u0082\""));
    assert_non_null(strstr(line, "\"user_agent\":\"\\\"\\\\\\u000a\\u0001\x7f\""));
}

static void longest_lines_fit(void **state)
{
    static char long_text[100000];
    memset(long_text, 1, sizeof long_text);
    struct str s = {long_text, sizeof long_text};
    conf.global.log_format = LOG_FORMAT_JSON;
    req.target = req.method = req.host = req.remote_user = req.script_filename = fields[0].value = fields[1].value = s;
    int fd = temp_file(), fds[2] = {fd, -1};
    access_log_init(&conf, fds);
    for (int i = 0; i < 8; i++)
        access_log_request(&req);
    access_log_flush();
    size_t lines = 0;
    for (const char *p = text_of(fd); (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 8);
    assert_int_equal(dropped(), 0);
}

static void lines_are_collected_and_written_by_the_timer(void **state)
{
    int fd = temp_file(), fds[2] = {fd, -1};
    access_log_init(&conf, fds);
    access_log_request(&req);
    access_log_request(&req);
    assert_string_equal(text_of(fd), "");
    for (uint64_t end = clock_ms() + 60000; !*text_of(fd) && clock_ms() < end;)
        loop_once(50);
    assert_non_null(strchr(strchr(text_of(fd), '\n') + 1, '\n'));
}

static void full_buffer_is_written_without_the_timer(void **state)
{
    int fd = temp_file(), fds[2] = {fd, -1};
    access_log_init(&conf, fds);
    for (int i = 0; i < 400; i++)
        access_log_request(&req);
    assert_true(strlen(text_of(fd)) > 16384);
    access_log_flush();
}

static void sites_go_to_their_own_files_and_off_is_off(void **state)
{
    int a = temp_file(), b = temp_file(), fds[2] = {a, b};
    access_log_init(&conf, fds);
    req.site = &sites[1];
    req.target = STR("/second");
    access_log_request(&req);
    access_log_flush();
    assert_string_equal(text_of(a), "");
    assert_non_null(strstr(text_of(b), "/second"));
    int off[2] = {-1, -1};
    access_log_reopen(off);
    access_log_request(&req);
    access_log_flush();
    assert_int_equal(fcntl(a, F_GETFD), -1);
    assert_int_equal(fcntl(b, F_GETFD), -1);
}

static void admin_requests_are_not_logged(void **state)
{
    req.admin = true;
    assert_string_equal(logged(), "");
}

static void reopen_writes_what_is_pending_to_the_old_file(void **state)
{
    int a = temp_file(), old = dup(a), b = temp_file(), fds[2] = {a, -1}, next[2] = {b, -1};
    access_log_init(&conf, fds);
    req.target = STR("/before");
    access_log_request(&req);
    access_log_reopen(next);
    req.target = STR("/after");
    access_log_request(&req);
    access_log_flush();
    assert_non_null(strstr(text_of(old), "/before"));
    assert_null(strstr(text_of(old), "/after"));
    assert_non_null(strstr(text_of(b), "/after"));
    assert_int_equal(fcntl(a, F_GETFD), -1);
    close(old);
}

static void full_disk_costs_lines_not_requests(void **state)
{
    int fd = open("/dev/full", O_WRONLY), fds[2] = {fd, -1};
    assert_true(fd >= 0);
    access_log_init(&conf, fds);
    access_log_request(&req);
    access_log_request(&req);
    access_log_flush();
    assert_int_equal(dropped(), 2);
}

static void unread_pipe_never_blocks_and_loses_only_what_does_not_fit(void **state)
{
    int p[2];
    assert_int_equal(pipe(p), 0);
    int flags = fcntl(p[1], F_GETFL), fds[2] = {p[1], -1};
    access_log_init(&conf, fds);
    for (int i = 0; i < 20000; i++) // 2.7 MB; a write that waited would never come back
        access_log_request(&req);
    uint64_t lost = dropped();
    assert_true(lost > 1000 && lost < 20000);
    assert_int_equal(fcntl(p[1], F_GETFL), flags); // shared with whoever gave us the pipe
    assert_int_equal(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
    uint64_t lines = 0;
    for (int quiet = 0; quiet < 3;) {
        ssize_t n = read(p[0], out, sizeof out);
        quiet = n > 0 ? 0 : quiet + 1;
        for (ssize_t i = 0; i < n; i++)
            lines += out[i] == '\n';
        access_log_flush();
    }
    assert_int_equal(lines, 20000 - lost);
    assert_int_equal(dropped(), lost);
}

static void broken_pipe_and_socket_are_counted(void **state)
{
    int p[2], s[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    int fds[2] = {p[1], s[1]};
    access_log_init(&conf, fds);
    close(p[0]);
    close(s[0]);
    access_log_request(&req);
    req.site = &sites[1];
    access_log_request(&req);
    access_log_flush();
    assert_int_equal(dropped(), 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(combined_line_is_apaches),
        T(combined_line_of_nothing_has_dashes_and_499),
        T(combined_text_can_not_forge_lines_or_fields),
        T(json_line_has_every_field),
        T(json_is_valid_utf8_whatever_the_client_sends),
        T(longest_lines_fit),
        T(lines_are_collected_and_written_by_the_timer),
        T(full_buffer_is_written_without_the_timer),
        T(sites_go_to_their_own_files_and_off_is_off),
        T(admin_requests_are_not_logged),
        T(reopen_writes_what_is_pending_to_the_old_file),
        T(full_disk_costs_lines_not_requests),
        T(unread_pipe_never_blocks_and_loses_only_what_does_not_fit),
        T(broken_pipe_and_socket_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
