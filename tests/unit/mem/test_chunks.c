// SPDX-License-Identifier: Apache-2.0
// Claims about finding PHP's heap in an address space: real ones are told by PHP itself, made-up ones hold what a hostile process
// could put there.
#include "mem/chunks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "heap_image.h"

static struct chunks found;

static int look(void)
{
    memset(&found, 0x55, sizeof found);
    return chunks_read(image_room, image_mem, image_pagemap, image_maps, &found);
}

static void ring_in(const struct heap_layout *layout)
{
    put_heap(HEAP_A, 3, layout, 64 << 20);
    map(HEAP_A, HEAP_A + 3 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, 1);
    assert_int_equal(found.chunks, 3);
    assert_int_equal(found.bytes, 3 * UNIT);
    assert_int_equal(found.live, 3 * 100 * 4096);
    assert_int_equal(found.limit, 64 << 20);
    assert_true(found.exact);
}

T(heap_of_php_8_1_to_8_3_is_counted)
{
    ring_in(&layout_82);
}

T(heap_of_php_8_4_is_counted)
{
    ring_in(&layout_84);
}

T(heap_of_a_distribution_with_fields_of_its_own_is_counted)
{
    ring_in(&layout_backport);
}

T(chunks_within_memory_of_malloc_are_found)
{
    put_heap(HEAP_A, 3, &layout_82, 64 << 20);
    put64(HEAP_A + 3 * UNIT, 0x12345678);
    put_pages(HEAP_A + 3 * UNIT, 1, 1);
    map(HEAP_A - 5 * 4096, HEAP_A + 5 * UNIT + 8192);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 3);
    assert_true(found.exact);
}

T(several_heaps_of_threads_are_added_up)
{
    put_heap(HEAP_A, 3, &layout_84, 64 << 20);
    put_heap(HEAP_A + 8 * UNIT, 2, &layout_84, 128 << 20);
    map(HEAP_A, HEAP_A + 12 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, 2);
    assert_int_equal(found.bytes, 5 * UNIT);
    assert_int_equal(found.limit, 128 << 20);
    assert_true(found.exact);
}

T(more_heaps_than_have_room_are_not_called_exact)
{
    for (int i = 0; i < CHUNKS_HEAPS; i++)
        put_heap(HEAP_A + (uint64_t)i * UNIT, 1, &layout_84, 64 << 20);
    map(HEAP_A, HEAP_A + CHUNKS_HEAPS * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, CHUNKS_HEAPS);
    assert_true(found.exact);
    put_heap(HEAP_A + CHUNKS_HEAPS * UNIT, 1, &layout_84, 64 << 20);
    map(HEAP_A + CHUNKS_HEAPS * UNIT, HEAP_A + (CHUNKS_HEAPS + 1) * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, CHUNKS_HEAPS);
    assert_false(found.exact);
}

T(memory_limit_of_minus_one_is_no_limit)
{
    put_heap(HEAP_A, 1, &layout_82, INT64_MAX);
    map(HEAP_A, HEAP_A + UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.limit, 0);
}

static void add_huge(uint64_t record, uint64_t start, uint64_t size, uint64_t next)
{
    put64(record, start);
    put64(record + 8, size);
    put64(record + 16, next);
}

T(huge_blocks_are_counted_by_the_heaps_own_list)
{
    uint64_t record = HEAP_A + 0x9000, heap = HEAP_A + 0x40;

    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    add_huge(record, HEAP_A + 2 * UNIT, 3 * UNIT, record + 24);
    add_huge(record + 24, HEAP_A + 5 * UNIT, UNIT + 4096, 0);
    put64(heap + layout_82.huge_list, record);
    put64(heap + layout_82.real_size, 5 * UNIT + 4096);
    put64(heap + layout_82.real_size + 8, 6 * UNIT);
    map(HEAP_A, HEAP_A + UNIT);
    map(HEAP_A + 2 * UNIT, HEAP_A + 7 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.huge, 2);
    assert_int_equal(found.bytes, 5 * UNIT + 4096);
    assert_true(found.exact);
}

T(cached_chunks_are_counted_though_their_headers_are_cleared)
{
    uint64_t heap = HEAP_A + 0x40;

    put_heap(HEAP_A, 2, &layout_82, 1 << 30);
    put64(heap + layout_82.huge_list + 16, HEAP_A + 3 * UNIT);
    put32(heap + layout_82.huge_list + 32, 2);
    put64(HEAP_A + 3 * UNIT + 8, HEAP_A + 4 * UNIT);
    put64(heap + layout_82.real_size, 4 * UNIT);
    put64(heap + layout_82.real_size + 8, 4 * UNIT);
    map(HEAP_A, HEAP_A + 5 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 4);
    assert_int_equal(found.bytes, 4 * UNIT);
    assert_true(found.exact);
}

T(chunk_that_its_neighbours_dont_know_isnt_counted)
{
    put_heap(HEAP_A, 3, &layout_82, 1 << 30);
    put_chunk(HEAP_A + 3 * UNIT, HEAP_A, HEAP_A, HEAP_A + UNIT, 0);
    map(HEAP_A, HEAP_A + 4 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 3);
}

// A page of a mapped file may be one that never comes.
T(nothing_is_read_from_a_mapped_file)
{
    char line[] = "7f0000400000-7f0000800000 r--p 00000000 00:31 5 /mnt/slow";
    uint64_t heap = HEAP_A + 0x40;

    put_heap(HEAP_A, 2, &layout_82, 1 << 30);
    put64(heap + layout_82.huge_list + 16, HEAP_A + 2 * UNIT);
    put32(heap + layout_82.huge_list + 32, 2);
    put64(HEAP_A + 2 * UNIT + 8, HEAP_A + 3 * UNIT);
    map(HEAP_A, HEAP_A + 2 * UNIT);
    proc_maps_line(image_maps, line);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 2);
}

T(mappings_of_terabytes_are_not_looked_through_to_the_end)
{
    char line[100];
    uint64_t at = UINT64_C(0x100000000000), each = UINT64_C(32) << 30;

    for (int i = 0; i < 100; i++, at += each + 4096) {
        snprintf(line, sizeof line, "%llx-%llx r%c-p 00000000 00:00 0 ", (unsigned long long)at, (unsigned long long)(at + each),
                 i & 1 ? 'w' : '-');
        proc_maps_line(image_maps, line);
    }
    put_heap(HEAP_A, 3, &layout_82, 64 << 20); // behind them
    map(HEAP_A, HEAP_A + 3 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 0);
    assert_false(found.exact);
}

T(heap_whose_count_differs_is_not_exact)
{
    put_heap(HEAP_A, 3, &layout_82, 1 << 30);
    put32(HEAP_A + 0x40 + layout_82.huge_list + 24, 4);
    map(HEAP_A, HEAP_A + 3 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 3);
    assert_false(found.exact);
}

T(heap_that_doesnt_name_its_first_chunk_is_none)
{
    put_heap(HEAP_A, 3, &layout_82, 1 << 30);
    put64(HEAP_A + 0x40 + layout_82.huge_list + 8, HEAP_A + UNIT);
    map(HEAP_A, HEAP_A + 3 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, 0);
    assert_int_equal(found.bytes, 0);
}

T(huge_list_that_runs_in_a_circle_ends)
{
    uint64_t record = HEAP_A + 0x9000;

    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    add_huge(record, HEAP_A + 2 * UNIT, UNIT, record);
    put64(HEAP_A + 0x40 + layout_82.huge_list, record);
    map(HEAP_A, HEAP_A + 5 * UNIT);
    assert_int_equal(look(), 0);
    assert_in_range(found.huge, 1, 5);
    assert_false(found.exact);
}

T(cached_list_that_runs_in_a_circle_ends)
{
    uint64_t heap = HEAP_A + 0x40;

    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    put64(heap + layout_82.huge_list + 16, HEAP_A + 3 * UNIT);
    put32(heap + layout_82.huge_list + 32, INT32_MAX);
    put64(HEAP_A + 3 * UNIT + 8, HEAP_A + 3 * UNIT);
    map(HEAP_A, HEAP_A + 5 * UNIT);
    assert_int_equal(look(), 0);
    assert_false(found.exact);
    assert_in_range(found.chunks, 2, 6);
}

T(pointers_outside_of_the_mappings_are_not_followed)
{
    uint64_t record = HEAP_A + 0x9000, heap = HEAP_A + 0x40;
    const uint64_t bad[][2] = {
        {HEAP_A + 64 * UNIT, UNIT},
        {HEAP_A + 2 * UNIT, UINT64_MAX - 4095},
        {HEAP_A + 2 * UNIT, UINT64_C(1) << 46},
        {HEAP_A + 2 * UNIT + 8, UNIT},
        {HEAP_A + 2 * UNIT, 100},
        {0, UNIT},
        {UINT64_MAX & ~(UNIT - 1), UNIT},
        {HEAP_A + 2 * UNIT, 0},
    };

    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    put64(heap + layout_82.huge_list, record);
    map(HEAP_A, HEAP_A + 5 * UNIT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        add_huge(record, bad[i][0], bad[i][1], 0);
        assert_int_equal(look(), 0);
        assert_int_equal(found.huge, 0);
        assert_int_equal(found.bytes, UNIT);
    }
    const uint64_t records[] = {1, UINT64_MAX, HEAP_A + 3 * UNIT + 64, HEAP_A + 0x9004, UINT64_C(1) << 47};
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        put64(heap + layout_82.huge_list, records[i]);
        put64(heap + layout_82.huge_list + 16, records[i]);
        put32(heap + layout_82.huge_list + 32, 9);
        assert_int_equal(look(), 0);
        assert_int_equal(found.bytes, UNIT);
    }
}

T(pages_that_arent_there_are_not_read)
{
    uint64_t none = 0;

    put_heap(HEAP_A, 3, &layout_82, 1 << 30);
    map(HEAP_A, HEAP_A + 3 * UNIT);
    assert_int_equal(pwrite(image_pagemap, &none, 8, (off_t)(HEAP_A / 4096 * 8)), 8);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 0);
}

T(resident_pages_are_told_from_address_space_and_own_from_shared)
{
    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    put_pages(HEAP_A + 4096, 50, 20);
    chunks_tell_shared(image_room, true);
    map(HEAP_A, HEAP_A + UNIT);
    assert_int_equal(look(), 0);
    assert_true(found.resident_known);
    assert_int_equal(found.resident[SPAN_ANON].anon, 51 * 4096);
    assert_int_equal(found.resident[SPAN_ANON].anon_exclusive, 21 * 4096);
    assert_int_equal(found.bytes, UNIT);
    chunks_tell_shared(image_room, false);
    assert_int_equal(look(), 0);
    assert_int_equal(found.resident[SPAN_ANON].anon_exclusive, 51 * 4096);
}

T(process_that_has_gone_is_told)
{
    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    map(HEAP_A, HEAP_A + UNIT);
    assert_int_equal(ftruncate(image_mem, 0), 0);
    assert_int_equal(look(), -ESRCH);
}

T(process_without_php_has_no_heap)
{
    put_pages(HEAP_A, 512, 512);
    map(HEAP_A, HEAP_A + 64 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, 0);
    assert_int_equal(found.bytes, 0);
    assert_int_equal(found.limit, -1);
}

// A real PHP that says what it uses and waits for the end of its input.
static void compare_with_php(const char *script, const char *limit)
{
    int in[2], out[2];
    char answer[64] = "", name[32];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("php", "php", "-n", "-d", limit, "-r", script, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    for (size_t n = 0; n < sizeof answer - 1 && !memchr(answer, '\n', n);) {
        ssize_t got = read(out[0], answer + n, sizeof answer - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    snprintf(name, sizeof name, "/proc/%d", pid);
    int dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int mem = openat(dir, "mem", O_RDONLY | O_CLOEXEC), pagemap = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
    char *scratch = malloc(65536);
    int r = proc_maps_read(dir, false, scratch, 65536, image_maps);
    if (r == 0)
        r = chunks_read(image_room, mem, pagemap, image_maps, &found);
    close(in[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    free(scratch);
    close(mem);
    close(pagemap);
    close(dir);
    close(out[0]);
    assert_int_equal(r, 0);
    assert_int_equal(found.bytes, strtoll(answer, NULL, 10));
    assert_true(found.exact);
    // What is resident is at least what PHP wrote, and no more than there is.
    int64_t resident = found.resident[SPAN_ANON].anon;
    assert_true(resident <= found.bytes && resident > 4096);
}

#define SAY_AND_WAIT "echo memory_get_usage(true), \"\\n\"; fgets(STDIN);"

T(real_php_agrees_to_the_byte)
{
    compare_with_php("for ($i = 0; $i < 300; $i++) $a[] = str_repeat('x', 100000 + $i); " SAY_AND_WAIT, "memory_limit=900M");
    assert_int_equal(found.limit, 900 << 20);
    assert_true(found.chunks > 10);
}

T(real_php_with_huge_blocks_and_cached_chunks_agrees_to_the_byte)
{
    compare_with_php("$h = str_repeat('y', 9 << 20); $g = str_repeat('z', 3000000); "
                     "for ($i = 0; $i < 60; $i++) $a[] = str_repeat('x', 700000); $a = array_slice($a, 0, 9); " SAY_AND_WAIT,
                     "memory_limit=-1");
    assert_int_equal(found.limit, 0);
    assert_int_equal(found.huge, 2);
}

#define I(claim) cmocka_unit_test_setup_teardown(claim, image_set_up, image_tear_down)

T(a_heap_without_a_limit_among_others_means_none)
{
    put_heap(HEAP_A, 1, &layout_82, 128 << 20);
    put_heap(HEAP_A + 8 * UNIT, 1, &layout_82, INT64_MAX);
    map(HEAP_A, HEAP_A + 9 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.heaps, 2);
    assert_int_equal(found.limit, 0);
}

T(huge_blocks_that_name_the_same_memory_again_are_not_counted_beyond_it)
{
    uint64_t record = HEAP_A + 0x9000;

    put_heap(HEAP_A, 1, &layout_82, 1 << 30);
    for (uint64_t i = 0; i < 100; i++)
        add_huge(record + i * 24, HEAP_A + UNIT, 3 * UNIT, i < 99 ? record + (i + 1) * 24 : 0);
    put64(HEAP_A + 0x40 + layout_82.huge_list, record);
    map(HEAP_A, HEAP_A + 4 * UNIT);
    assert_int_equal(look(), 0);
    assert_in_range(found.bytes, UNIT, 5 * UNIT);
    assert_false(found.exact);
}

T(both_neighbours_must_know_a_chunk)
{
    put_heap(HEAP_A, 3, &layout_82, 64 << 20);
    put64(HEAP_A + 8, HEAP_A + 2 * UNIT); // the first one's next skips the second
    map(HEAP_A, HEAP_A + 3 * UNIT);
    assert_int_equal(look(), 0);
    assert_int_equal(found.chunks, 1); // the third: the others' neighbours contradict them
    assert_false(found.exact);
}

CLAIMS(I(heap_of_php_8_1_to_8_3_is_counted), I(heap_of_php_8_4_is_counted),
       I(heap_of_a_distribution_with_fields_of_its_own_is_counted), I(chunks_within_memory_of_malloc_are_found),
       I(several_heaps_of_threads_are_added_up), I(more_heaps_than_have_room_are_not_called_exact), I(memory_limit_of_minus_one_is_no_limit),
       I(huge_blocks_are_counted_by_the_heaps_own_list), I(cached_chunks_are_counted_though_their_headers_are_cleared),
       I(chunk_that_its_neighbours_dont_know_isnt_counted), I(heap_whose_count_differs_is_not_exact),
       I(nothing_is_read_from_a_mapped_file), I(mappings_of_terabytes_are_not_looked_through_to_the_end),
       I(heap_that_doesnt_name_its_first_chunk_is_none), I(huge_list_that_runs_in_a_circle_ends),
       I(cached_list_that_runs_in_a_circle_ends), I(pointers_outside_of_the_mappings_are_not_followed),
       I(pages_that_arent_there_are_not_read), I(resident_pages_are_told_from_address_space_and_own_from_shared),
       I(process_that_has_gone_is_told), I(process_without_php_has_no_heap), I(real_php_agrees_to_the_byte),
       I(real_php_with_huge_blocks_and_cached_chunks_agrees_to_the_byte), I(a_heap_without_a_limit_among_others_means_none),
       I(huge_blocks_that_name_the_same_memory_again_are_not_counted_beyond_it), I(both_neighbours_must_know_a_chunk))
