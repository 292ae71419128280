// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include "../claim.h"

T(what_is_added_stands_in_order)
{
    struct buf b = BUF_INIT;

    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%03d,", i);
    assert_int_equal(b.n, 4000);
    assert_memory_equal(b.p, "000,001,", 8);
    assert_memory_equal(b.p + 3996, "999,", 4);
    buf_done(&b);
    assert_null(b.p);
}

T(dropping_moves_the_rest_to_the_front)
{
    struct buf b = BUF_INIT;

    buf_add(&b, "abcdef", 6);
    buf_drop(&b, 2);
    assert_int_equal(b.n, 4);
    assert_memory_equal(b.p, "cdef", 4);
    buf_drop(&b, 4);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

T(a_printed_text_longer_than_the_first_guess_is_whole)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "%0*d", 5000, 7);
    assert_int_equal(b.n, 5000);
    assert_int_equal(b.p[4999], '7');
    buf_done(&b);
}

CLAIMS(C(what_is_added_stands_in_order), C(dropping_moves_the_rest_to_the_front),
       C(a_printed_text_longer_than_the_first_guess_is_whole))
