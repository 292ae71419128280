// SPDX-License-Identifier: Apache-2.0
// The input is a path with query, and an authority.
#include "fuzz.h"

#include "http/uri.h"

static void check_path(struct str path)
{
    char *dst = malloc(path.n + 1);
    long n = uri_normalize(path, dst);

    if (n >= 0) {
        CHECK((size_t)n <= path.n && n >= 1 && dst[0] == '/' && dst[n] == '\0' && strlen(dst) == (size_t)n);
        CHECK(!strstr(dst, "//") && !strstr(dst, "/../") && !strstr(dst, "/./"));
        CHECK(!str_ends((struct str){dst, (size_t)n}, STR("/..")) && !str_ends((struct str){dst, (size_t)n}, STR("/.")));
        for (long i = 0; i < n; i++)
            CHECK((unsigned char)dst[i] >= 0x20 && dst[i] != 0x7f);

        // What is encoded again means the same.
        char *encoded = malloc(3 * (size_t)n + 1), *again = malloc(3 * (size_t)n + 1);
        size_t encoded_n = uri_encode_path((struct str){dst, (size_t)n}, encoded);
        CHECK(encoded_n >= (size_t)n && encoded_n <= 3 * (size_t)n && strlen(encoded) == encoded_n);
        for (size_t i = 0; i < encoded_n; i++)
            CHECK(encoded[i] > 0x20 && encoded[i] < 0x7f && !strchr("?#\"<>\\", encoded[i]));
        CHECK(uri_normalize((struct str){encoded, encoded_n}, again) == n && memcmp(again, dst, (size_t)n) == 0);
        free(encoded);
        free(again);
    } else {
        CHECK(n == -1);
    }
    free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n}, path, query, host, port;
    bool has_query;
    uint64_t number;

    uri_split(text, &path, &query, &has_query);
    CHECK(path.n + query.n + has_query == n && str_find(path, '?') == SIZE_MAX);
    check_inside(path, text.p, n);
    check_inside(query, text.p, n);
    check_path(path);
    check_path(text);
    if (uri_split_authority(text, &host, &port)) {
        check_inside(host, text.p, n);
        check_inside(port, text.p, n);
        CHECK(host.n || !n);
        CHECK(host.n + port.n == n || host.n + 1 + port.n == n);
        CHECK(!port.n || (str_to_u64(port, &number) && number <= 65535));
        for (size_t i = 0; i < host.n; i++)
            CHECK(host.p[i] > 0x20 && host.p[i] < 0x7f && !strchr("/?#@,;<>\"'\\", host.p[i]));
    }
    return 0;
}
