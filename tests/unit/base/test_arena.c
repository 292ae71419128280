// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "../claim.h"

T(pieces_are_aligned_and_do_not_overlap)
{
    struct arena a = ARENA_INIT;
    char *p[200];

    for (int i = 0; i < 200; i++) {
        p[i] = arena_alloc(&a, 1 + (size_t)i * 7);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], i, 1 + (size_t)i * 7);
    }
    for (int i = 0; i < 200; i++)
        for (size_t k = 0; k < 1 + (size_t)i * 7; k++)
            assert_int_equal((unsigned char)p[i][k], i);
    arena_reset(&a);
    assert_null(a.head);
    assert_int_equal(a.bytes, 0);
}

T(a_piece_larger_than_a_block_is_whole_and_leaves_the_current_block_in_use)
{
    struct arena a = ARENA_INIT;
    char *small = arena_alloc(&a, 16);
    char *big = arena_alloc(&a, 1 << 20);
    char *next = arena_alloc(&a, 16);

    memset(big, 1, 1 << 20);
    assert_ptr_equal(next, small + 16);
    arena_reset(&a);
}

T(printed_text_has_its_length_and_a_nul)
{
    struct arena a = ARENA_INIT;
    struct str s = arena_printf(&a, "%d-%s", 42, "x");

    assert_int_equal(s.n, 4);
    assert_string_equal(s.p, "42-x");
    arena_reset(&a);
}

CLAIMS(C(pieces_are_aligned_and_do_not_overlap), C(a_piece_larger_than_a_block_is_whole_and_leaves_the_current_block_in_use),
       C(printed_text_has_its_length_and_a_nul))
