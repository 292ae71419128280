// SPDX-License-Identifier: Apache-2.0
// The input is a chunked body and what follows. Any pieces give the same body, and a plain reader, written in another way,
// finds the same end.
#include "fuzz.h"

#include "http/chunked.h"

// Returns as chunked_decode's last answer; body has room for n bytes.
static int decode(const char *data, size_t n, uint32_t step_max, char *body, size_t *ret_body_n, size_t *ret_end)
{
    struct chunked c = CHUNKED_INIT;
    uint32_t state = fuzz_seed(data, n);
    size_t at = 0;

    *ret_body_n = 0;
    while (at < n) {
        size_t have = step_max ? 1 + fuzz_next(&state) % step_max : n - at, used = SIZE_MAX;
        struct str run = {NULL, 0};
        if (have > n - at)
            have = n - at;
        char *piece = malloc(have); // memory that ends where the bytes end
        memcpy(piece, data + at, have);
        int rc = chunked_decode(&c, piece, have, &used, &run);
        if (rc == 1) {
            CHECK(run.n > 0 && used <= have && run.p + run.n == piece + used);
            check_inside(run, piece, have);
            if (step_max) { // as if there were no room for its end
                size_t back = fuzz_next(&state) % (run.n + 1);
                chunked_give_back(&c, back);
                run.n -= back;
                used -= back;
            }
            memcpy(body + *ret_body_n, run.p, run.n);
            *ret_body_n += run.n;
        }
        free(piece);
        if (rc < 0)
            return rc;
        CHECK(used <= have && (rc != 0 || used == have));
        at += used;
        if (rc == 2) {
            *ret_end = at;
            return 2;
        }
        CHECK(rc == 0 || rc == 1);
    }
    return 0;
}

// A reader for bodies that are known to be complete and valid: by lines and numbers.
static size_t read_plainly(const char *data, size_t n, char *body, size_t *ret_body_n)
{
    size_t at = 0;

    *ret_body_n = 0;
    for (;;) {
        char digits[32] = "";
        size_t line = (size_t)((const char *)memmem(data + at, n - at, "\r\n", 2) - data);
        memcpy(digits, data + at, line - at < 16 ? line - at : 16);
        size_t size = strtoull(digits, NULL, 16);
        at = line + 2;
        if (!size)
            break;
        memcpy(body + *ret_body_n, data + at, size);
        *ret_body_n += size;
        CHECK(memcmp(data + at + size, "\r\n", 2) == 0);
        at += size + 2;
    }
    const char *end = memcmp(data + at, "\r\n", 2) == 0 ? data + at : (const char *)memmem(data + at, n - at, "\r\n\r\n", 4) + 2;
    return (size_t)(end + 2 - data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *data = (const char *)bytes;
    char *body = malloc(n + 1), *other = malloc(n + 1);
    size_t body_n, other_n, end = 0, other_end = 0;
    static const uint32_t steps[] = {1, 7, 300};
    int rc = decode(data, n, 0, body, &body_n, &end);

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK(decode(data, n, steps[i], other, &other_n, &other_end) == rc);
        CHECK(other_n == body_n && memcmp(body, other, body_n) == 0 && other_end == end);
    }
    if (rc == 2) {
        CHECK(read_plainly(data, n, other, &other_n) == end);
        CHECK(other_n == body_n && memcmp(body, other, body_n) == 0);
    }
    free(body);
    free(other);
    return 0;
}
