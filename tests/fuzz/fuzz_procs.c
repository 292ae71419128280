// SPDX-License-Identifier: Apache-2.0
// What a foreign process can make of its own files. First byte modulo 3: 0 the rest is the text of its maps; 1 writes into an
// address space with a PHP heap in it (5 bytes each: unit and page, offset, what is written); 2 its executable, title and name.
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/chunks.h"
#include "mem/proc_roles.h"

static struct proc_maps *maps;
static struct chunks_room *room;
static int mem, pagemap;

static void check_maps(void)
{
    uint64_t last = 0;

    CHECK(maps->n >= 0 && maps->n <= PROC_MAPS_SPANS && maps->dropped >= 0);
    for (int32_t i = 0; i < maps->n; i++) {
        const struct map_span *s = &maps->span[i];
        CHECK(s->start >= last && s->end > s->start && s->class < SPAN_CLASS_N);
        CHECK(proc_maps_find(maps, s->start) == s && proc_maps_find(maps, s->end - 1) == s);
        CHECK(proc_maps_covers(maps, s->start, s->end));
        CHECK(s->resident >= 0 && (uint64_t)s->resident <= s->end - s->start);
        last = s->end;
    }
}

static void read_maps(char *text, size_t n)
{
    proc_maps_begin(maps, n % 2);
    for (size_t at = 0; at < n;) {
        char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - (text + at)) : n - at;
        text[at + length] = '\0';
        proc_maps_resident_line(maps, text + at);
        proc_maps_line(maps, text + at);
        at += length + 1;
    }
    check_maps();
}

#define FIRST UINT64_C(0x7f0000000000)
#define UNITS 8

static void put(uint64_t at, const void *data, size_t n)
{
    CHECK(pwrite(mem, data, n, (off_t)at) == (ssize_t)n);
}

static void put64(uint64_t at, uint64_t v)
{
    put(at, &v, sizeof v);
}

static void make_heap(void)
{
    uint64_t heap = FIRST + 0x40;

    CHECK(fallocate(mem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)FIRST, UNITS * CHUNK_BYTES) == 0);
    for (unsigned i = 0; i < 3; i++) {
        put64(FIRST + i * CHUNK_BYTES, heap);
        put64(FIRST + i * CHUNK_BYTES + 8, FIRST + (i + 1) % 3 * CHUNK_BYTES);
        put64(FIRST + i * CHUNK_BYTES + 16, FIRST + (i + 2) % 3 * CHUNK_BYTES);
    }
    put64(heap + 272, 3 * CHUNK_BYTES);
    put64(heap + 280, 3 * CHUNK_BYTES);
    put64(heap + 288, 128 << 20);
    put64(heap + 304, FIRST + 4096);
    put64(heap + 312, FIRST);
    put64(heap + 328, UINT64_C(3) << 32 | 3);
    put64(FIRST + 4096, FIRST + 4 * CHUNK_BYTES);
    put64(FIRST + 4104, CHUNK_BYTES);
}

static void read_heap(const uint8_t *data, size_t n)
{
    static char line[] = "7f0000000000-7f0001000000 rw-p 00000000 00:00 0 ";
    char copy[sizeof line];
    struct chunks found;

    make_heap();
    for (size_t i = 0; n - i >= 5; i += 5) {
        uint64_t unit = data[i] % UNITS, page = data[i] / UNITS % 4;
        uint64_t at = FIRST + unit * CHUNK_BYTES + page * 4096 + (data[i + 1] | (data[i + 2] & 1) << 8) * 8;
        // A pointer into the heap, a small number or bytes.
        uint64_t value = data[i + 2] & 2   ? FIRST + data[i + 3] % 16 * CHUNK_BYTES + data[i + 4] * 8
                         : data[i + 2] & 4 ? (uint64_t)data[i + 3] << data[i + 4] % 64
                                           : UINT64_MAX - data[i + 3];
        put64(at, value);
    }
    memcpy(copy, line, sizeof line);
    proc_maps_begin(maps, false);
    proc_maps_line(maps, copy);
    CHECK(maps->n == 1);
    CHECK(chunks_read(room, mem, pagemap, maps, &found) == 0);
    CHECK(found.heaps >= 0 && found.heaps <= UNITS && found.chunks >= 0 && found.huge >= 0);
    // Rings can't share a chunk, huge blocks can't exceed the mapping; a list of cached chunks may lie, once around.
    CHECK(found.bytes >= 0 && found.bytes <= (int64_t)((2 + UNITS) * UNITS * CHUNK_BYTES));
    CHECK(found.live >= 0 && found.live <= found.bytes);
    CHECK(found.limit >= -1);
}

static void read_exe(const uint8_t *data, size_t n)
{
    static int exe = -1;
    char pool[32], clean[40], comm[17] = "";
    struct role_clues c = {.comm = comm, .cmdline = (const char *)data, .cmdline_n = n, .exe = comm};

    if (exe < 0)
        exe = memfd_create("exe", MFD_CLOEXEC);
    CHECK(ftruncate(exe, 0) == 0 && pwrite(exe, data, n, 0) == (ssize_t)n);
    proc_roles_look_at_exe(exe, &c);
    memcpy(comm, data, n < 16 ? n : 16);
    CHECK(proc_roles_of(&c) < ROLE_N);
    proc_roles_pool(&c, pool);
    proc_roles_clean((const char *)data, n, clean, sizeof clean);
    CHECK(strnlen(pool, sizeof pool) < sizeof pool && strnlen(clean, sizeof clean) < sizeof clean);
    for (const char *p = clean; *p; p++)
        CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!maps) {
        maps = malloc(sizeof *maps);
        room = chunks_room_new();
        mem = memfd_create("mem", MFD_CLOEXEC);
        pagemap = memfd_create("pagemap", MFD_CLOEXEC);
        uint64_t entry = UINT64_C(1) << 63;
        CHECK(maps && room && ftruncate(mem, (off_t)1 << 47) == 0 && ftruncate(pagemap, (off_t)1 << 38) == 0);
        for (unsigned i = 0; i < UNITS; i++)
            CHECK(pwrite(pagemap, &entry, 8, (off_t)((FIRST + i * CHUNK_BYTES) / 4096 * 8)) == 8);
    }
    if (n < 1)
        return 0;
    char *rest = malloc(n);
    memcpy(rest, data + 1, n - 1);
    rest[n - 1] = '\0';
    if (data[0] % 3 == 0)
        read_maps(rest, n - 1);
    else if (data[0] % 3 == 1)
        read_heap((const uint8_t *)rest, n - 1);
    else
        read_exe((const uint8_t *)rest, n - 1);
    free(rest);
    return 0;
}
