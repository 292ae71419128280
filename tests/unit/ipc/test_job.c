// SPDX-License-Identifier: Apache-2.0
#include "ipc/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../claim.h"

static struct job_field fields[JOB_FIELDS_MAX];

static size_t encode_sample(char *dst, size_t cap)
{
    struct job_field f[2] = {{STR("Accept"), STR("*/*")}, {STR("X-Empty"), STR("")}};
    struct job j = {.fields = f, .n_fields = 2};

    j.var[JOB_REQUEST_METHOD] = STR("GET");
    j.var[JOB_SCRIPT_FILENAME] = STR("/srv/index.php");
    return job_encode(&j, dst, cap);
}

T(a_request_comes_out_as_it_went_in)
{
    char block[4096];
    struct job j;
    size_t n = encode_sample(block, sizeof block);

    assert_true(n > 0);
    assert_int_equal(job_decode(block, n, &j, fields), 0);
    assert_string_equal(j.var[JOB_REQUEST_METHOD].p, "GET");
    assert_string_equal(j.var[JOB_SCRIPT_FILENAME].p, "/srv/index.php");
    assert_int_equal(j.var[JOB_QUERY_STRING].n, 0);
    assert_int_equal(j.n_fields, 2);
    assert_string_equal(j.fields[0].value.p, "*/*");
    assert_string_equal(j.fields[1].value.p, "");
}

T(a_block_that_does_not_fit_is_not_written)
{
    char block[4096];
    size_t n = encode_sample(block, sizeof block);

    for (size_t cap = 0; cap < n; cap++) {
        char *exact = malloc(cap ? cap : 1); // so that the sanitizer sees a byte too many
        assert_int_equal(encode_sample(exact, cap), 0);
        free(exact);
    }
}

T(every_cut_and_every_flipped_byte_of_a_block_is_survived)
{
    char block[4096];
    struct job j;
    size_t n = encode_sample(block, sizeof block);

    for (size_t cut = 0; cut < n; cut++) {
        char *exact = malloc(cut ? cut : 1);
        memcpy(exact, block, cut);
        assert_int_equal(job_decode(exact, cut, &j, fields), -EBADMSG);
        free(exact);
    }
    for (size_t i = 0; i < n; i++) {
        char *copy = malloc(n);
        memcpy(copy, block, n);
        copy[i] ^= (char)0xff;
        (void)job_decode(copy, n, &j, fields); // the sanitizers judge
        free(copy);
    }
}

T(a_header_block_gives_its_lines_and_a_broken_one_says_so)
{
    char block[256];
    struct str line;
    bool bad = false;
    size_t at = 0;
    size_t n = head_block_add(block, sizeof block, 0, STR("A: 1"));
    n = head_block_add(block, sizeof block, n, STR("B: 2"));

    assert_true(head_block_next(block, n, &at, &line, &bad));
    assert_true(str_eq(line, STR("A: 1")));
    assert_true(head_block_next(block, n, &at, &line, &bad));
    assert_true(str_eq(line, STR("B: 2")));
    assert_false(head_block_next(block, n, &at, &line, &bad));
    assert_false(bad);
    at = 0;
    assert_false(head_block_next(block, 6, &at, &line, &bad));
    assert_true(bad);
    assert_int_equal(head_block_add(block, 8, 0, STR("too long")), 0);
}

CLAIMS(C(a_request_comes_out_as_it_went_in), C(a_block_that_does_not_fit_is_not_written),
       C(every_cut_and_every_flipped_byte_of_a_block_is_survived), C(a_header_block_gives_its_lines_and_a_broken_one_says_so))
