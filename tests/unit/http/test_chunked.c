// SPDX-License-Identifier: Apache-2.0
#include "http/chunked.h"

#include <stdlib.h>

#include "../claim.h"

static char body[65536];
static size_t body_n;

// Decodes pieces of `step` bytes. Returns the bytes used up to the end of the body, 0 = unfinished, -1 = malformed.
static long decode_in_steps(struct str text, size_t step)
{
    struct chunked c = CHUNKED_INIT;

    body_n = 0;
    for (size_t at = 0; at < text.n;) {
        size_t n = text.n - at < step ? text.n - at : step, used = SIZE_MAX;
        struct str data;
        int rc = chunked_decode(&c, text.p + at, n, &used, &data);
        if (rc < 0)
            return -1;
        assert_true(used <= n);
        at += used;
        if (rc == 1) {
            assert_true(data.n > 0 && data.p + data.n == text.p + at);
            memcpy(body + body_n, data.p, data.n);
            body_n += data.n;
        }
        if (rc == 0)
            assert_int_equal(used, n);
        if (rc == 2)
            return (long)at;
    }
    return 0;
}

static long decode(struct str text)
{
    long whole = decode_in_steps(text, SIZE_MAX);
    size_t n = body_n;

    for (size_t step = 1; step < 8; step++) {
        assert_int_equal(decode_in_steps(text, step), whole);
        if (whole >= 0)
            assert_int_equal(body_n, n);
    }
    return whole;
}

#define REFUSED(text) assert_int_equal(decode(STR(text)), -1)

T(chunks_give_the_body_and_its_end)
{
    assert_int_equal(decode(STR("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /")), 26);
    assert_int_equal(body_n, 11);
    assert_memory_equal(body, "hello world", 11);
    assert_int_equal(decode(STR("0\r\n\r\n")), 5);
    assert_int_equal(body_n, 0);
}

T(hex_in_either_case_and_leading_zeros_are_sizes)
{
    assert_int_equal(decode(STR("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n")), 37);
    assert_int_equal(body_n, 20);
    assert_true(decode(STR("0000000000000005\r\nhello\r\n0\r\n\r\n")) > 0);
    REFUSED("00000000000000005\r\nhello\r\n0\r\n\r\n");
}

T(extensions_are_skipped)
{
    assert_true(decode(STR("5;ext\r\nhello\r\n0;a=\"b\\\"\"\r\n\r\n")) > 0);
    assert_true(decode(STR("5 \t;a=b\r\nhello\r\n0\r\n\r\n")) > 0);
    REFUSED("5;a\nb\r\nhello\r\n0\r\n\r\n");
    REFUSED("5;a\0b\r\nhello\r\n0\r\n\r\n");
    REFUSED("5;a\rb\r\nhello\r\n0\r\n\r\n");
}

T(sizes_are_hex_digits_only)
{
    REFUSED("5 \r\nhello\r\n0\r\n\r\n");
    REFUSED("5 5\r\nhello\r\n0\r\n\r\n");
    REFUSED(" 5\r\nhello\r\n0\r\n\r\n");
    REFUSED("+5\r\nhello\r\n0\r\n\r\n");
    REFUSED("-5\r\nhello\r\n0\r\n\r\n");
    REFUSED("0x5\r\nhello\r\n0\r\n\r\n");
    REFUSED("g\r\nhello\r\n0\r\n\r\n");
    REFUSED("\r\nhello\r\n0\r\n\r\n");
    REFUSED("5,5\r\nhello\r\n0\r\n\r\n");
    REFUSED("5\0\r\nhello\r\n0\r\n\r\n");
    REFUSED(";a\r\nhello\r\n0\r\n\r\n");
}

T(sizes_that_overflow_are_refused)
{
    REFUSED("10000000000000005\r\nhello\r\n0\r\n\r\n");
    REFUSED("fffffffffffffffff\r\n");
    REFUSED("8000000000000000\r\n");
    assert_int_equal(decode(STR("7fffffffffffffff\r\nhello")), 0);
    assert_int_equal(body_n, 5);
}

T(lines_end_in_cr_lf)
{
    REFUSED("5\nhello\r\n0\r\n\r\n");
    REFUSED("5\r\nhello\n0\r\n\r\n");
    REFUSED("5\r\nhello\r\n0\n\r\n");
    REFUSED("5\r\nhello\r\n0\r\n\n");
    REFUSED("5\r\nhello0\r\n\r\n");
    REFUSED("5\rhello\r\n0\r\n\r\n");
    REFUSED("5\r\nhelloXX0\r\n\r\n");
    REFUSED("5\r\nhello\r\r0\r\n\r\n");
    REFUSED("6\r\nhello\r\n0\r\n\r\n");
    REFUSED("4\r\nhello\r\n0\r\n\r\n");
    REFUSED("0\r\n\rX");
}

T(trailers_are_checked_and_thrown_away)
{
    assert_int_equal(decode(STR("1\r\nx\r\n0\r\nX-A: b\r\nContent-Length: 99\r\nE:\r\n\r\n")), 43);
    assert_int_equal(body_n, 1);
    REFUSED("0\r\n X: y\r\n\r\n");
    REFUSED("0\r\nX: y\r\n z\r\n\r\n");
    REFUSED("0\r\nX : y\r\n\r\n");
    REFUSED("0\r\nX: y\n\r\n");
    REFUSED("0\r\nX\r\n\r\n");
    REFUSED("0\r\n: y\r\n\r\n");
    REFUSED("0\r\nX: \0\r\n\r\n");
    REFUSED("0\r\nX: y\rz\r\n\r\n");
}

T(lines_and_trailers_are_bounded)
{
    size_t n = 20000;
    char *text = malloc(n);

    memset(text, 'x', n);
    memcpy(text, "5;", 2);
    assert_int_equal(decode((struct str){text, 1024}), 0);
    assert_int_equal(decode((struct str){text, 1025}), -1);
    memcpy(text, "0\r\n", 3);
    assert_int_equal(decode((struct str){text, 3 + 8192}), 0);
    assert_int_equal(decode((struct str){text, 3 + 8193}), -1);
    for (size_t at = 3; at + 6 <= n; at += 6)
        memcpy(text + at, "X: y\r\n", 6);
    assert_int_equal(decode((struct str){text, n}), -1);
    free(text);
}

T(many_short_chunks_are_not_bounded)
{
    size_t n = 0;
    char *text = malloc(6 * 3000 + 5);

    for (int i = 0; i < 3000; i++, n += 6)
        memcpy(text + n, "1\r\nx\r\n", 6);
    memcpy(text + n, "0\r\n\r\n", 5);
    assert_int_equal(decode((struct str){text, n + 5}), n + 5);
    assert_int_equal(body_n, 3000);
    free(text);
}

T(the_end_stays_the_end)
{
    struct chunked c = CHUNKED_INIT;
    struct str data;
    size_t used;

    assert_int_equal(chunked_decode(&c, "0\r\n\r\nX", 6, &used, &data), 2);
    assert_int_equal(used, 5);
    assert_int_equal(chunked_decode(&c, "X", 1, &used, &data), 2);
    assert_int_equal(used, 0);
}

T(bytes_given_back_come_again)
{
    struct chunked c = CHUNKED_INIT;
    struct str text = STR("5\r\nhello\r\n0\r\n\r\n"), data;
    size_t used;

    assert_int_equal(chunked_decode(&c, text.p, text.n, &used, &data), 1);
    assert_int_equal(used, 8);
    chunked_give_back(&c, 3);
    assert_int_equal(chunked_decode(&c, text.p + 5, text.n - 5, &used, &data), 1);
    assert_true(str_eq(data, STR("llo")));
    chunked_give_back(&c, 0);
    assert_int_equal(chunked_decode(&c, text.p + 8, text.n - 8, &used, &data), 2);
    assert_int_equal(used, 7);
}

CLAIMS(C(chunks_give_the_body_and_its_end), C(hex_in_either_case_and_leading_zeros_are_sizes), C(extensions_are_skipped),
       C(sizes_are_hex_digits_only), C(sizes_that_overflow_are_refused), C(lines_end_in_cr_lf),
       C(trailers_are_checked_and_thrown_away), C(lines_and_trailers_are_bounded), C(many_short_chunks_are_not_bounded),
       C(the_end_stays_the_end), C(bytes_given_back_come_again))
