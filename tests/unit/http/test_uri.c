// SPDX-License-Identifier: Apache-2.0
#include "http/uri.h"

#include <stdlib.h>

#include "../claim.h"

// The buffer is exactly as large as promised, so that a sanitizer sees a byte too many.
static void normalized(struct str path, const char *expected)
{
    char *dst = malloc(path.n + 1);
    long n = uri_normalize(path, dst);

    if (!expected) {
        assert_int_equal(n, -1);
    } else {
        assert_int_equal(n, strlen(expected));
        assert_string_equal(dst, expected);
    }
    free(dst);
}

#define NORMALIZED(path, expected) normalized(STR(path), expected)

T(plain_paths_stay_as_they_are)
{
    NORMALIZED("/", "/");
    NORMALIZED("/a/b.php", "/a/b.php");
    NORMALIZED("/a/", "/a/");
    NORMALIZED("/...", "/...");
    NORMALIZED("/.a/..b/c.", "/.a/..b/c.");
    NORMALIZED("/\xc3\xa4\xff", "/\xc3\xa4\xff");
    NORMALIZED("/a\\..\\b", "/a\\..\\b");
}

T(escapes_are_decoded_once)
{
    NORMALIZED("/%41%2d%7E", "/A-~");
    NORMALIZED("/%2e%2E/a", NULL);
    NORMALIZED("/%252e%252e/a", "/%2e%2e/a");
    NORMALIZED("/%e4%3F%23", "/\xe4?#");
    NORMALIZED("/a%2Fb%2f%2fc", "/a/b/c");
}

T(bad_escapes_are_refused)
{
    NORMALIZED("/%", NULL);
    NORMALIZED("/%4", NULL);
    NORMALIZED("/%4g", NULL);
    NORMALIZED("/%%41", NULL);
    NORMALIZED("/%u0041", NULL);
    NORMALIZED("/% 1", NULL);
}

T(nul_and_control_bytes_are_refused)
{
    NORMALIZED("/a%00.php", NULL);
    NORMALIZED("/a\0b", NULL);
    NORMALIZED("/%0d%0aSet-Cookie:", NULL);
    NORMALIZED("/%1f", NULL);
    NORMALIZED("/%7f", NULL);
    NORMALIZED("/\x7f", NULL);
}

T(slashes_are_merged)
{
    NORMALIZED("//", "/");
    NORMALIZED("//evil.example/a", "/evil.example/a");
    NORMALIZED("/a///b//", "/a/b/");
}

T(dot_segments_are_resolved)
{
    NORMALIZED("/.", "/");
    NORMALIZED("/./", "/");
    NORMALIZED("/a/.", "/a/");
    NORMALIZED("/a/./b", "/a/b");
    NORMALIZED("/a/..", "/");
    NORMALIZED("/a/../", "/");
    NORMALIZED("/a/b/..", "/a/");
    NORMALIZED("/a/b/../c", "/a/c");
    NORMALIZED("/a/b/../../c", "/c");
    NORMALIZED("/a//../b", "/b");
    NORMALIZED("/a/%2e%2e/b", "/b");
    NORMALIZED("/a/%2E/b", "/a/b");
    NORMALIZED("/a/.%2e%2fb", "/b");
}

T(above_the_root_is_refused)
{
    NORMALIZED("/..", NULL);
    NORMALIZED("/../", NULL);
    NORMALIZED("/a/../..", NULL);
    NORMALIZED("/a/../../b", NULL);
    NORMALIZED("/./../a", NULL);
    NORMALIZED("//..", NULL);
    NORMALIZED("/%2e%2e%2fetc", NULL);
}

T(a_path_begins_with_a_slash)
{
    NORMALIZED("", NULL);
    NORMALIZED("a", NULL);
    NORMALIZED("%2fa", NULL);
    NORMALIZED("..", NULL);
}

T(the_first_question_mark_splits)
{
    struct str path, query;
    bool has;

    uri_split(STR("/a?b?c"), &path, &query, &has);
    assert_true(has && str_eq(path, STR("/a")) && str_eq(query, STR("b?c")));
    uri_split(STR("/a?"), &path, &query, &has);
    assert_true(has && str_eq(path, STR("/a")) && !query.n);
    uri_split(STR("/a"), &path, &query, &has);
    assert_true(!has && str_eq(path, STR("/a")) && !query.n && query.p);
}

T(encoding_leaves_what_a_path_may_hold)
{
    char dst[64];

    assert_int_equal(uri_encode_path(STR("/a-._~!$&'()*+,;=:@9/"), dst), 21);
    assert_string_equal(dst, "/a-._~!$&'()*+,;=:@9/");
    assert_int_equal(uri_encode_path(STR("/ ?#%\"<\r\n\xc3"), dst), 28);
    assert_string_equal(dst, "/%20%3F%23%25%22%3C%0D%0A%C3");
}

T(every_byte_survives_encoding_and_decoding)
{
    for (int c = 0x20; c < 256; c++) {
        char path[3] = {'/', (char)c, 'x'}, encoded[10], decoded[10];
        if (c == '/' || c == 0x7f)
            continue;
        size_t n = uri_encode_path((struct str){path, 3}, encoded);
        assert_int_equal(uri_normalize((struct str){encoded, n}, decoded), 3);
        assert_memory_equal(decoded, path, 3);
    }
}

static void authority(struct str text, const char *expected_host, const char *expected_port)
{
    struct str host = STR("untouched"), port = STR("untouched");
    bool ok = uri_split_authority(text, &host, &port);

    assert_int_equal(ok, expected_host != NULL);
    assert_true(str_eq(host, str_from(ok ? expected_host : "untouched")));
    assert_true(str_eq(port, str_from(ok ? expected_port : "untouched")));
}

#define AUTHORITY(text, host, port) authority(STR(text), host, port)

T(an_authority_is_a_host_and_perhaps_a_port)
{
    AUTHORITY("", "", "");
    AUTHORITY("localhost", "localhost", "");
    AUTHORITY("EXAMPLE.org:8080", "EXAMPLE.org", "8080");
    AUTHORITY("a:", "a", "");
    AUTHORITY("127.0.0.1:65535", "127.0.0.1", "65535");
    AUTHORITY("[::1]", "[::1]", "");
    AUTHORITY("[2001:db8::192.0.2.1]:80", "[2001:db8::192.0.2.1]", "80");
    AUTHORITY("a_b.xn--bcher-kva~%41", "a_b.xn--bcher-kva~%41", "");
}

T(what_is_no_authority_is_refused)
{
    static const char *const bad[] = {":80",
                                      "a:b",
                                      "a:-1",
                                      "a:65536",
                                      "a:099999",
                                      "a:99999999999999999999",
                                      "a:80:80",
                                      "u@a",
                                      "u:p@a",
                                      "a b",
                                      "a/b",
                                      "a?b",
                                      "a#b",
                                      "a,b",
                                      "a;b",
                                      "a'b",
                                      "<script>",
                                      "a\\b",
                                      "\xc3\xa4",
                                      "%",
                                      "%4",
                                      "%zz",
                                      "[",
                                      "[]",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]]",
                                      "::1",
                                      "[1.2.3.4]",
                                      "[::1%25eth0]",
                                      "[v1.x]",
                                      "[:::1]",
                                      "[::g]",
                                      "a\t",
                                      "a\"",
                                      "a[",
                                      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        authority(str_from(bad[i]), NULL, NULL);
    AUTHORITY("a\0b", NULL, NULL);
    AUTHORITY("[::1\0]", NULL, NULL);
}

CLAIMS(C(plain_paths_stay_as_they_are), C(escapes_are_decoded_once), C(bad_escapes_are_refused),
       C(nul_and_control_bytes_are_refused), C(slashes_are_merged), C(dot_segments_are_resolved), C(above_the_root_is_refused),
       C(a_path_begins_with_a_slash), C(the_first_question_mark_splits), C(encoding_leaves_what_a_path_may_hold),
       C(every_byte_survives_encoding_and_decoding), C(an_authority_is_a_host_and_perhaps_a_port),
       C(what_is_no_authority_is_refused))
