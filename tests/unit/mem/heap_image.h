// SPDX-License-Identifier: Apache-2.0
// A made-up address space with ZendMM heaps in it: two sparse files that stand for /proc/PID/mem and pagemap.
#pragma once
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../claim.h"
#include "mem/chunks.h"

#define HEAP_A UINT64_C(0x7f0000000000) // first chunk of a heap
#define UNIT CHUNK_BYTES

struct heap_layout {
    size_t real_size, huge_list; // main_chunk, cached_chunks and counts come behind huge_list
};
// Of PHP 8.1 to 8.3; of 8.4 and 8.5; of a distribution's 8.2 with fields put in between.
static const struct heap_layout layout_82 = {272, 304}, layout_84 = {280, 312}, layout_backport = {272, 320};

static int image_mem, image_pagemap;
static struct proc_maps *image_maps;
static struct chunks_room *image_room;

static inline int image_set_up(void **state)
{
    image_mem = memfd_create("mem", MFD_CLOEXEC);
    image_pagemap = memfd_create("pagemap", MFD_CLOEXEC);
    assert_true(image_mem >= 0 && image_pagemap >= 0);
    // What isn't written reads as zero, not as an end of file.
    assert_int_equal(ftruncate(image_mem, (off_t)1 << 47), 0);
    assert_int_equal(ftruncate(image_pagemap, (off_t)1 << 38), 0);
    image_maps = calloc(1, sizeof *image_maps);
    image_room = chunks_room_new();
    assert_non_null(image_maps);
    assert_non_null(image_room);
    return 0;
}

static inline int image_tear_down(void **state)
{
    close(image_mem);
    close(image_pagemap);
    free(image_maps);
    image_room = chunks_room_free(image_room);
    assert_null(image_room);
    return 0;
}

static inline void put(uint64_t at, const void *data, size_t n)
{
    assert_int_equal(pwrite(image_mem, data, n, (off_t)at), n);
}

static inline void put64(uint64_t at, uint64_t value)
{
    put(at, &value, sizeof value);
}

static inline void put32(uint64_t at, uint32_t value)
{
    put(at, &value, sizeof value);
}

// Pages from `at` on that are there: anonymous, the first `own` of them mapped by nobody else.
static inline void put_pages(uint64_t at, unsigned n, unsigned own)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t entry = UINT64_C(1) << 63 | (i < own ? UINT64_C(1) << 56 : 0);
        assert_int_equal(pwrite(image_pagemap, &entry, sizeof entry, (off_t)((at / 4096 + i) * 8)), 8);
    }
}

static inline void put_chunk(uint64_t at, uint64_t first, uint64_t next, uint64_t prev, uint32_t free_pages)
{
    put64(at, first + 0x40);
    put64(at + 8, next);
    put64(at + 16, prev);
    put32(at + 24, free_pages);
    put_pages(at, 1, 1);
}

// n chunks one behind the other in one ring, each with 100 pages in use, and a heap that says so.
static inline void put_heap(uint64_t first, int n, const struct heap_layout *layout, uint64_t limit)
{
    uint64_t heap = first + 0x40, size = (uint64_t)n * UNIT;

    for (int i = 0; i < n; i++)
        put_chunk(first + (uint64_t)i * UNIT, first, first + (uint64_t)((i + 1) % n) * UNIT,
                  first + (uint64_t)((i + n - 1) % n) * UNIT, 412);
    put64(heap + layout->real_size, size);
    put64(heap + layout->real_size + 8, size);
    put64(heap + layout->real_size + 16, limit);
    put64(heap + layout->huge_list + 8, first);
    put32(heap + layout->huge_list + 24, (uint32_t)n);
    put32(heap + layout->huge_list + 28, (uint32_t)n);
}

static inline void map(uint64_t start, uint64_t end)
{
    char line[80];

    snprintf(line, sizeof line, "%llx-%llx rw-p 00000000 00:00 0 ", (unsigned long long)start, (unsigned long long)end);
    proc_maps_line(image_maps, line);
}
