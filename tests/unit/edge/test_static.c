// SPDX-License-Identifier: Apache-2.0
// Answers from files: fields, conditions, ranges, precompressed siblings, and what PHP's own fields change.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"

#include "base/die.h"
#include "edge/route.h"
#include "edge/static.h"
#include "http/http_date.h"
#include "http/status.h"
#include "sites.h"

#define MODIFIED 1700000000 // Tue, 14 Nov 2023 22:13:20 GMT
#define MODIFIED_TEXT "Tue, 14 Nov 2023 22:13:20 GMT"

static void set_time(const char *below, time_t s, long ns)
{
    char *path = tree_path(below);
    struct timespec times[2] = {{s, ns}, {s, ns}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

static struct req *asked(const char *method, const char *path, const char *const fields[][2], size_t n)
{
    struct req *r = tree_req(method, "plain.test", path);
    for (size_t i = 0; i < n; i++)
        tree_req_field(r, fields[i][0], fields[i][1]);
    route_decide(r, false);
    assert_int_equal(r->plan, PLAN_STATIC);
    return r;
}

// Every answer ends, keeps the length it promised (HEAD and 304 apart) and leaves no descriptor behind.
static struct req *answered(struct req *r)
{
    int fd = r->file_fd;

    static_answer(r);
    assert_true(recorded.ended);
    assert_int_equal(r->file_fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    if (!recorded.cut && !r->is_head && recorded.status != 304)
        assert_int_equal(recorded.body_n, recorded.got);
    if (r->is_head)
        assert_int_equal(recorded.got, 0);
    return r;
}

static struct req *get_with(const char *path, const char *name, const char *value)
{
    const char *const field[][2] = {{name, value}};
    return answered(asked("GET", path, field, name ? 1 : 0));
}

T(a_file_is_sent_with_its_type_length_and_validators)
{
    set_time("site/public/style.css", MODIFIED, 0x1f);
    struct req *r = get_with("/style.css", NULL, NULL);
    assert_int_equal(recorded.status, 200);
    assert_string_equal(recorded.body, "site/public/style.css");
    assert_string_equal(recorded_field("Content-Type"), "text/css; charset=utf-8");
    assert_string_equal(recorded_field("Last-Modified"), MODIFIED_TEXT);
    assert_string_equal(recorded_field("ETag"), "\"6553f100.1f-15\"");
    assert_string_equal(recorded_field("Accept-Ranges"), "bytes");
    assert_string_equal(recorded_field("Vary"), "");
    tree_req_free(r);
}

T(head_says_what_get_would)
{
    struct req *r = get_with("/style.css", NULL, NULL);
    struct field fields[40];
    unsigned n = recorded.n_fields;
    int64_t body_n = recorded.body_n;
    for (unsigned i = 0; i < n; i++)
        fields[i] = (struct field){recorded.fields[i].name, str_from(xstrdup(recorded.fields[i].value.p)), FIELD_OTHER};
    tree_req_free(r);
    r = answered(asked("HEAD", "/style.css", NULL, 0));
    assert_int_equal(recorded.status, 200);
    assert_int_equal(recorded.body_n, body_n);
    assert_int_equal(recorded.n_fields, n);
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(recorded_field(fields[i].name.p), fields[i].value.p);
        free((char *)fields[i].value.p);
    }
    tree_req_free(r);
}

T(empty_files_are_answers_too)
{
    struct req *r = get_with("/empty.txt", NULL, NULL);
    assert_int_equal(recorded.status, 200);
    assert_int_equal(recorded.body_n, 0);
    tree_req_free(r);
    r = get_with("/empty.txt", "Range", "bytes=0-");
    assert_int_equal(recorded.status, 416);
    assert_string_equal(recorded_field("Content-Range"), "bytes */0");
    tree_req_free(r);
}

T(tags_differ_when_anything_about_the_file_does)
{
    char first[64];

    set_time("site/public/app.js", MODIFIED, 1);
    struct req *r = get_with("/app.js", NULL, NULL);
    strcpy(first, recorded_field("ETag"));
    tree_req_free(r);
    set_time("site/public/app.js", MODIFIED, 2);
    r = get_with("/app.js", NULL, NULL);
    assert_string_not_equal(recorded_field("ETag"), first);
    tree_req_free(r);
}

T(a_time_to_come_is_not_claimed)
{
    time_t said;

    set_time("site/public/photo.jpg", time(NULL) + 100000, 0);
    struct req *r = get_with("/photo.jpg", NULL, NULL);
    assert_true(http_date_parse(str_from(recorded_field("Last-Modified")), &said));
    assert_true(said <= time(NULL));
    tree_req_free(r);
}

T(conditions_spare_the_body)
{
    static const struct {
        const char *name, *value;
        unsigned status;
    } rows[] = {
        {"If-None-Match", "\"6553f100.1f-15\"", 304},
        {"If-None-Match", "W/\"6553f100.1f-15\"", 304},
        {"If-None-Match", "\"x\", \"6553f100.1f-15\"", 304},
        {"If-None-Match", "*", 304},
        {"If-None-Match", "\"x\"", 200},
        {"If-Modified-Since", MODIFIED_TEXT, 304},
        {"If-Modified-Since", "Tue, 14 Nov 2023 22:13:19 GMT", 200},
        {"If-Modified-Since", "nonsense", 200},
        {"If-Match", "\"x\"", 412},
        {"If-Match", "\"6553f100.1f-15\"", 200},
        {"If-Match", "W/\"6553f100.1f-15\"", 412},
        {"If-Unmodified-Since", MODIFIED_TEXT, 200},
        {"If-Unmodified-Since", "Tue, 14 Nov 2023 22:13:19 GMT", 412},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_time("site/public/style.css", MODIFIED, 0x1f);
        struct req *r = get_with("/style.css", rows[i].name, rows[i].value);
        if (recorded.status != rows[i].status)
            fail_msg("%s: %s gives %u, not %u", rows[i].name, rows[i].value, recorded.status, rows[i].status);
        if (recorded.status == 304) {
            assert_int_equal(recorded.got, 0);
            assert_string_equal(recorded_field("ETag"), "\"6553f100.1f-15\"");
            assert_string_equal(recorded_field("Last-Modified"), MODIFIED_TEXT);
            assert_string_equal(recorded_field("Content-Type"), "");
        }
        tree_req_free(r);
    }
}

static char css[] = "*.css";
static char *g_css = css;

T(how_long_to_keep_goes_with_200_and_304_not_with_errors)
{
    rule(&g_css)->expires_s = 60;
    start();
    struct req *r = get_with("/style.css", NULL, NULL);
    assert_string_equal(recorded_field("Cache-Control"), "max-age=60");
    tree_req_free(r);
    r = get_with("/style.css", "If-None-Match", "*");
    assert_int_equal(recorded.status, 304);
    assert_string_equal(recorded_field("Cache-Control"), "max-age=60");
    assert_string_not_equal(recorded_field("Expires"), "");
    tree_req_free(r);
    static const char *const bad[][2] = {{"If-Match", "\"x\""}, {"Range", "bytes=900-"}};
    for (int i = 0; i < 2; i++) {
        r = get_with("/style.css", bad[i][0], bad[i][1]);
        assert_true(recorded.status == 412 || recorded.status == 416);
        assert_string_equal(recorded_field("Cache-Control"), "");
        assert_string_equal(recorded_field("Expires"), "");
        tree_req_free(r);
    }
}

// ---- ranges; the file is "site/public/style.css", 21 bytes ----

T(one_range_is_a_part)
{
    static const char *const rows[][3] = {
        {"bytes=0-3", "bytes 0-3/21", "site"},
        {"bytes=5-10", "bytes 5-10/21", "public"},
        {"bytes=-3", "bytes 18-20/21", "css"},
        {"bytes=18-", "bytes 18-20/21", "css"},
        {"bytes=18-99", "bytes 18-20/21", "css"},
        {"bytes=20-20", "bytes 20-20/21", "s"},
        {"bytes=-99", "bytes 0-20/21", "site/public/style.css"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct req *r = get_with("/style.css", "Range", rows[i][0]);
        assert_int_equal(recorded.status, 206);
        assert_string_equal(recorded_field("Content-Range"), rows[i][1]);
        assert_string_equal(recorded.body, rows[i][2]);
        assert_string_equal(recorded_field("Content-Type"), "text/css; charset=utf-8");
        tree_req_free(r);
    }
}

T(ranges_that_mean_nothing_are_ignored)
{
    static const char *const rows[] = {"bytes=", "bytes=5-3", "lines=0-3", "bytes=a-b", "bytes 0-3", "bytes=-", "bytes=0-3;x"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct req *r = get_with("/style.css", "Range", rows[i]);
        if (recorded.status != 200)
            fail_msg("%s gives %u", rows[i], recorded.status);
        tree_req_free(r);
    }
}

T(a_range_outside_the_file_is_416)
{
    struct req *r = get_with("/style.css", "Range", "bytes=21-");
    assert_int_equal(recorded.status, 416);
    assert_string_equal(recorded_field("Content-Range"), "bytes */21");
    tree_req_free(r);
}

T(several_ranges_are_a_multipart)
{
    struct req *r = get_with("/style.css", "Range", "bytes=0-3, 5-10, -3");
    char boundary[64], expected[1000];

    assert_int_equal(recorded.status, 206);
    assert_int_equal(sscanf(recorded_field("Content-Type"), "multipart/byteranges; boundary=%63s", boundary), 1);
    assert_string_equal(recorded_field("Content-Range"), "");
    snprintf(expected, sizeof expected,
             "--%s\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes 0-3/21\r\n\r\nsite"
             "\r\n--%s\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes 5-10/21\r\n\r\npublic"
             "\r\n--%s\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes 18-20/21\r\n\r\ncss"
             "\r\n--%s--\r\n",
             boundary, boundary, boundary, boundary);
    assert_string_equal(recorded.body, expected);
    tree_req_free(r);
}

T(a_head_request_has_no_ranges)
{
    static const char *const field[][2] = {{"Range", "bytes=0-3"}};
    struct req *r = answered(asked("HEAD", "/style.css", field, 1));
    assert_int_equal(recorded.status, 200);
    assert_int_equal(recorded.body_n, 21);
    tree_req_free(r);
}

T(a_range_of_another_state_of_the_file_is_the_whole)
{
    set_time("site/public/style.css", MODIFIED, 0x1f);
    static const char *const rows[][2] = {{"\"6553f100.1f-15\"", "206"},
                                          {"\"x\"", "200"},
                                          {MODIFIED_TEXT, "206"},
                                          {"Tue, 14 Nov 2023 22:13:19 GMT", "200"},
                                          {"W/\"6553f100.1f-15\"", "200"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const fields[][2] = {{"Range", "bytes=0-3"}, {"If-Range", rows[i][0]}};
        struct req *r = answered(asked("GET", "/style.css", fields, 2));
        if (recorded.status != (unsigned)atoi(rows[i][1]))
            fail_msg("If-Range: %s gives %u", rows[i][0], recorded.status);
        tree_req_free(r);
    }
}

T(a_transport_that_takes_too_little_is_cut_not_left_short)
{
    static const char *const field[][2] = {{"Range", "bytes=0-3,5-10"}};
    struct req *r = asked("GET", "/style.css", field, 1);
    recorded.write_max = 5;
    answered(r);
    assert_true(recorded.cut);
    tree_req_free(r);
}

T(without_descriptors_for_the_parts_the_whole_is_sent)
{
    static const char *const field[][2] = {{"Range", "bytes=0-3,5-10"}};
    struct req *r = asked("GET", "/style.css", field, 1);

    tree_no_descriptors(true);
    static_answer(r);
    tree_no_descriptors(false);
    assert_int_equal(recorded.status, 200);
    assert_string_equal(recorded.body, "site/public/style.css");
    tree_req_free(r);
}

// ---- precompressed siblings ----

static int set_up_siblings(void **state)
{
    set_up(state);
    sites[PLAIN].precompressed = true;
    return 0;
}

static void sibling(const char *below, const char *text, time_t modified)
{
    tree_write(below, text);
    set_time(below, modified, 0);
}

T(the_sibling_the_client_likes_best_is_sent)
{
    sibling("site/public/a.js", "plain", MODIFIED);
    sibling("site/public/a.js.br", "brotli", MODIFIED);
    sibling("site/public/a.js.gz", "gzip", MODIFIED + 5);
    static const char *const rows[][3] = {
        {"gzip, br", "brotli", "br"},         {"gzip", "gzip", "gzip"}, {"gzip;q=1, br;q=0.5", "gzip", "gzip"},
        {"br;q=0, gzip", "gzip", "gzip"},     {"zstd", "plain", ""},    {"identity", "plain", ""},
        {"zstd, gzip;q=0.1", "gzip", "gzip"}, {"*", "brotli", "br"},    {"", "plain", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct req *r = get_with("/a.js", "Accept-Encoding", rows[i][0]);
        if (strcmp(recorded.body, rows[i][1]) != 0)
            fail_msg("\"%s\" gives %s", rows[i][0], recorded.body);
        assert_string_equal(recorded_field("Content-Encoding"), rows[i][2]);
        assert_string_equal(recorded_field("Vary"), "Accept-Encoding"); // also where it is sent as it is
        assert_string_equal(recorded_field("Content-Type"), "text/javascript; charset=utf-8");
        if (rows[i][2][0])
            assert_non_null(strstr(recorded_field("ETag"), rows[i][2]));
        tree_req_free(r);
    }
}

T(ranges_are_of_what_is_sent)
{
    sibling("site/public/b.js", "plain", MODIFIED);
    sibling("site/public/b.js.gz", "gzip!!", MODIFIED);
    static const char *const fields[][2] = {{"Accept-Encoding", "gzip"}, {"Range", "bytes=4-"}};
    struct req *r = answered(asked("GET", "/b.js", fields, 2));
    assert_int_equal(recorded.status, 206);
    assert_string_equal(recorded_field("Content-Range"), "bytes 4-5/6");
    assert_string_equal(recorded_field("Content-Encoding"), "gzip");
    tree_req_free(r);
    char tag[64];
    r = get_with("/b.js", "Accept-Encoding", "gzip");
    strcpy(tag, recorded_field("ETag"));
    tree_req_free(r);
    r = get_with("/b.js", "If-None-Match", tag); // without Accept-Encoding it is another representation
    assert_int_equal(recorded.status, 200);
    tree_req_free(r);
}

T(a_sibling_older_than_the_file_is_not_sent)
{
    sibling("site/public/c.js", "new", MODIFIED + 10);
    sibling("site/public/c.js.gz", "old", MODIFIED);
    struct req *r = get_with("/c.js", "Accept-Encoding", "gzip");
    assert_string_equal(recorded.body, "new");
    assert_string_equal(recorded_field("Content-Encoding"), "");
    tree_req_free(r);
}

T(siblings_obey_the_rules_for_files)
{
    char *link = tree_path("site/public/d.js.gz"), *folder = tree_path("site/public/e.js.gz");
    sibling("site/public/d.js", "plain", MODIFIED);
    sibling("site/public/e.js", "plain", MODIFIED);
    assert_int_equal(symlink("../config/db.php", link), 0);
    assert_int_equal(mkdir(folder, 0755), 0);
    struct req *r = get_with("/d.js", "Accept-Encoding", "gzip");
    assert_string_equal(recorded.body, "plain");
    tree_req_free(r);
    r = get_with("/e.js", "Accept-Encoding", "gzip");
    assert_string_equal(recorded.body, "plain");
    tree_req_free(r);
    free(link);
    free(folder);
}

T(pictures_and_files_without_siblings_stay_as_they_are)
{
    sibling("site/public/photo.jpg.gz", "gzip", time(NULL) + 200000);
    struct req *r = get_with("/photo.jpg", "Accept-Encoding", "gzip");
    assert_string_equal(recorded.body, "site/public/photo.jpg");
    assert_string_equal(recorded_field("Vary"), "");
    tree_req_free(r);
    r = get_with("/style.css", "Accept-Encoding", "gzip");
    assert_string_equal(recorded_field("Vary"), "");
    tree_req_free(r);
}

T(a_sibling_that_vanished_since_the_hint_is_no_error)
{
    char *path = tree_path("site/public/f.js.gz");
    sibling("site/public/f.js", "plain", MODIFIED);
    sibling("site/public/f.js.gz", "gzip", MODIFIED);
    struct req *r = get_with("/f.js", "Accept-Encoding", "gzip");
    assert_string_equal(recorded.body, "gzip");
    tree_req_free(r);
    assert_int_equal(unlink(path), 0);
    r = get_with("/f.js", "Accept-Encoding", "gzip");
    assert_string_equal(recorded.body, "plain");
    tree_req_free(r);
    free(path);
}

// ---- what PHP and rules say about the file ----

T(fields_that_are_there_already_win)
{
    struct req *r = asked("GET", "/style.css", NULL, 0);
    req_add_extra(r, STR("Content-Type"), STR("application/x-own"));
    req_add_extra(r, STR("ETag"), STR("\"own\""));
    req_add_extra(r, STR("Last-Modified"), STR("Mon, 13 Nov 2023 00:00:00 GMT"));
    req_add_extra(r, STR("Content-Disposition"), STR("attachment"));
    answered(r);
    assert_string_equal(recorded_field("Content-Type"), "application/x-own");
    assert_string_equal(recorded_field("ETag"), "\"own\"");
    assert_string_equal(recorded_field("Last-Modified"), "Mon, 13 Nov 2023 00:00:00 GMT");
    assert_string_equal(recorded_field("Content-Disposition"), "attachment");
    tree_req_free(r);
    static const char *const field[][2] = {{"If-None-Match", "\"own\""}};
    r = asked("GET", "/style.css", field, 1);
    req_add_extra(r, STR("ETag"), STR("\"own\""));
    answered(r);
    assert_int_equal(recorded.status, 304);
    tree_req_free(r);
}

T(an_own_type_is_each_parts_type)
{
    static const char *const field[][2] = {{"Range", "bytes=0-3,5-10"}};
    struct req *r = asked("GET", "/style.css", field, 1);
    req_add_extra(r, STR("Content-Type"), STR("application/x-own"));
    answered(r);
    assert_int_equal(strncmp(recorded_field("Content-Type"), "multipart/byteranges", 20), 0);
    assert_non_null(strstr(recorded.body, "Content-Type: application/x-own\r\nContent-Range: bytes 5-10/21"));
    tree_req_free(r);
}

T(vary_is_added_to_not_replaced)
{
    sibling("site/public/g.js", "plain", MODIFIED);
    sibling("site/public/g.js.gz", "gzip", MODIFIED);
    struct req *r = asked("GET", "/g.js", NULL, 0);
    req_add_extra(r, STR("Vary"), STR("Origin"));
    answered(r);
    assert_string_equal(recorded_field("Vary"), "Origin, Accept-Encoding");
    tree_req_free(r);
}

T(a_file_named_by_php_is_sent_whatever_the_method)
{
    char *path = tree_path("store/file.bin");
    struct req *r = tree_req("POST", "plain.test", "/hello.php");
    route_decide(r, false);
    assert_true(route_open_sendfile(r, path));
    answered(r);
    assert_int_equal(recorded.status, 200);
    assert_string_equal(recorded.body, "store/file.bin");
    tree_req_free(r);
    free(path);
}

#define P(claim) cmocka_unit_test_setup_teardown(claim, set_up_siblings, tear_down)

WITH_TREE(S(a_file_is_sent_with_its_type_length_and_validators), S(head_says_what_get_would), S(empty_files_are_answers_too),
          S(tags_differ_when_anything_about_the_file_does), S(a_time_to_come_is_not_claimed), S(conditions_spare_the_body),
          S(how_long_to_keep_goes_with_200_and_304_not_with_errors), S(one_range_is_a_part),
          S(ranges_that_mean_nothing_are_ignored), S(a_range_outside_the_file_is_416), S(several_ranges_are_a_multipart),
          S(a_head_request_has_no_ranges), S(a_range_of_another_state_of_the_file_is_the_whole),
          S(a_transport_that_takes_too_little_is_cut_not_left_short), S(without_descriptors_for_the_parts_the_whole_is_sent),
          P(the_sibling_the_client_likes_best_is_sent), P(ranges_are_of_what_is_sent),
          P(a_sibling_older_than_the_file_is_not_sent), P(siblings_obey_the_rules_for_files),
          P(pictures_and_files_without_siblings_stay_as_they_are), P(a_sibling_that_vanished_since_the_hint_is_no_error),
          S(fields_that_are_there_already_win), S(an_own_type_is_each_parts_type), P(vary_is_added_to_not_replaced),
          S(a_file_named_by_php_is_sent_whatever_the_method))
