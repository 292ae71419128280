// SPDX-License-Identifier: Apache-2.0
// PHP's heap in a foreign process. chunks_room owns the list of candidates. Invariant: a chunk counts only if its ring, its heap
// and the heap's own pointer to its first chunk agree; no pointer of the process is followed outside of the mappings given.
//
// What is read of the process (facts of zend_alloc, PHP 8.1 to 8.5, 64 bit): a chunk begins with {heap, next, prev, u32
// free_pages}; the heap lies at 0x40 of its first chunk and holds, in this order, with others before and between: real_size,
// real_peak, limit, ..., {huge_list, main_chunk, cached_chunks, i32 count, peak count, cached count}. Versions and distributions
// put fields in between, so places are found by what they hold: main_chunk names the chunk that the heap is in. A cached chunk is
// linked by `next` only. A huge block's record is {address, size, next}, in a chunk of the heap.
#include "mem/chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAP_AT UINT64_C(0x40) // in its first chunk
#define HEAP_BYTES 512
#define CHUNK_PAGES 512
#define PAGE UINT64_C(4096)
#define NONE UINT32_MAX
#define COUNT_MAX (CHUNKS_MAX * CHUNK_BYTES)
#define READS_MAX (8 * CHUNKS_MAX) // of one process's memory: a fraction of a second
#define NO_LIMIT (INT64_MAX >> 1)  // memory_limit = -1 is set as "half of the address space", and more than that never is

// Offsets in the heap: real_size up to PHP 8.3 and from 8.4 on (a key more before it); then real_peak, limit.
static const size_t sizes_at[] = {272, 280};
// main_chunk lies between these; around it -8 huge_list, +8 cached_chunks, +16 count, +24 cached count.
enum { MAIN_FROM = 304, MAIN_TO = 448 };

// A 2 MiB-aligned address that begins like a chunk. Addresses are in units of 2 MiB: 26 bits.
struct candidate {
    uint32_t at, next, prev;
    uint16_t heap; // index
    uint16_t free_pages;
};

struct heap {
    uint32_t main; // address of its first chunk
    bool valid, limit_known;
    int32_t chunks, count, cached, cached_count;
    uint64_t real_size, limit, huge_list, cached_list;
    uint64_t huge_bytes;
};

struct chunks_room {
    bool tell_shared, full; // full: there was more than has room
    int32_t n, n_heaps;
    struct heap heap[CHUNKS_HEAPS];
    struct candidate c[CHUNKS_MAX];
};

struct chunks_room *chunks_room_new(void)
{
    return calloc(1, sizeof(struct chunks_room));
}

struct chunks_room *chunks_room_free(struct chunks_room *room)
{
    free(room);
    return NULL;
}

void chunks_tell_shared(struct chunks_room *room, bool shared)
{
    room->tell_shared = shared;
}

// The foreign process.
struct target {
    bool tell_shared;
    int mem, pagemap;
    const struct proc_maps *maps;
    bool gone, read;     // it went away; something could be read
    uint64_t count_room; // address space whose pages may still be counted
    int32_t reads;       // that are left
};

// False: a process can make its mappings and lists so long that following them takes minutes.
static bool may_read(struct target *t)
{
    t->reads -= t->reads > 0;
    return t->reads > 0;
}

static bool fetch(struct target *t, uint64_t address, void *buf, size_t n)
{
    const struct map_span *s = proc_maps_find(t->maps, address);
    ssize_t got;

    // A mapped file's page may have to come from a file system that never answers; PHP's heap is in no file.
    if (!s || s->class == SPAN_FILE || s->class == SPAN_TEXT || n > s->end - address || !may_read(t))
        return false;
    do
        got = pread(t->mem, buf, n, (off_t)address);
    while (got < 0 && errno == EINTR);
    // A process without memory (it is exiting) reads as end of file at every address.
    t->gone = t->gone || got == 0 || (got < 0 && errno == ESRCH);
    t->read = t->read || got > 0;
    return got == (ssize_t)n;
}

// Reading a page that isn't there would put it there; so look before.
static bool is_present(struct target *t, uint64_t address)
{
    uint64_t entry;

    if (t->pagemap < 0)
        return true;
    if (!may_read(t))
        return false;
    ssize_t n = pread(t->pagemap, &entry, sizeof entry, (off_t)(address / PAGE * 8));
    return n != (ssize_t)sizeof entry || entry >> 62; // present or swapped
}

static uint64_t u64_at(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static int32_t i32_at(const unsigned char *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t unit_of(uint64_t address)
{
    return address && address % CHUNK_BYTES == 0 && address >> 47 == 0 ? (uint32_t)(address / CHUNK_BYTES) : NONE;
}

static int32_t heap_index(struct chunks_room *room, uint32_t main)
{
    for (int32_t i = room->n_heaps; i-- > 0;) { // the last one is the likeliest
        if (room->heap[i].main == main)
            return i;
    }
    if (room->n_heaps == CHUNKS_HEAPS)
        return -1;
    room->heap[room->n_heaps] = (struct heap){.main = main};
    return room->n_heaps++;
}

static void look_at(struct chunks_room *room, struct target *t, uint64_t address)
{
    unsigned char head[28];

    if (!is_present(t, address) || !fetch(t, address, head, sizeof head))
        return;
    uint64_t heap = u64_at(head);
    uint32_t main = unit_of(heap - HEAP_AT), next = unit_of(u64_at(head + 8)), prev = unit_of(u64_at(head + 16));
    uint32_t free_pages = (uint32_t)i32_at(head + 24);
    if (main == NONE || next == NONE || prev == NONE || free_pages >= CHUNK_PAGES || !proc_maps_find(t->maps, heap))
        return;
    int32_t index = heap_index(room, main);
    room->full = room->full || index < 0;
    if (index >= 0)
        room->c[room->n++] =
            (struct candidate){(uint32_t)(address / CHUNK_BYTES), next, prev, (uint16_t)index, (uint16_t)free_pages};
}

static void find_candidates(struct chunks_room *room, struct target *t)
{
    uint64_t last = 0;

    for (int32_t i = 0; i < t->maps->n && room->n < CHUNKS_MAX && !t->gone; i++) {
        const struct map_span *s = &t->maps->span[i];
        if (s->class != SPAN_ANON && s->class != SPAN_GO && s->class != SPAN_STACK)
            continue;
        uint64_t at = (s->start + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES, looks = 0;
        // A sparse mapping of terabytes is no heap of PHP's: as many looks as there may be chunks are enough.
        for (; at > last && s->end - at >= PAGE && at < s->end && looks < CHUNKS_MAX && room->n < CHUNKS_MAX && !t->gone;
             at += CHUNK_BYTES, looks++) {
            look_at(room, t, at);
            last = at;
        }
    }
}

static struct candidate *find_candidate(struct chunks_room *room, uint32_t at)
{
    int32_t low = 0, high = room->n;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (room->c[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low < room->n && room->c[low].at == at ? &room->c[low] : NULL;
}

static void read_heap(struct target *t, struct heap *h)
{
    unsigned char raw[HEAP_BYTES];

    if (!fetch(t, h->main * CHUNK_BYTES + HEAP_AT, raw, sizeof raw))
        return;
    for (size_t at = MAIN_FROM; at <= MAIN_TO && !h->valid; at += 8) {
        if (unit_of(u64_at(raw + at)) != h->main)
            continue;
        h->huge_list = u64_at(raw + at - 8);
        h->cached_list = u64_at(raw + at + 8);
        h->count = i32_at(raw + at + 16);
        h->cached_count = i32_at(raw + at + 24);
        h->valid = h->count > 0 && h->cached_count >= 0;
    }
    h->limit = UINT64_MAX;
    for (size_t i = 0; i < sizeof sizes_at / sizeof sizes_at[0]; i++) {
        uint64_t size = u64_at(raw + sizes_at[i]), peak = u64_at(raw + sizes_at[i] + 8);
        if (size < CHUNK_BYTES || size % PAGE || peak < size || peak % PAGE)
            continue;
        h->real_size = size;
        h->limit = u64_at(raw + sizes_at[i] + 16);
        h->limit_known = true;
        break;
    }
}

static void count_pages(struct target *t, uint64_t start, uint64_t end, struct chunks *out)
{
    // Within a chunk or block the mapping's class may change only where mappings of different kinds lie side by side.
    while (start < end) {
        const struct map_span *s = proc_maps_find(t->maps, start);
        if (!s)
            return;
        uint64_t to = s->end < end ? s->end : end;
        if (t->pagemap < 0 || t->count_room < to - start ||
            (t->tell_shared ? proc_maps_count : proc_maps_count_own)(t->pagemap, start, to, &t->count_room,
                                                                     &out->resident[s->class]) < 0)
            out->resident_known = false;
        start = to;
    }
}

// Tells when a list of the process runs in a circle: one of its places is kept, after 1, 2, 4, 8, ... steps anew (Brent).
struct circle {
    uint64_t kept;
    uint32_t steps, next;
};

static bool goes_round(struct circle *c, uint64_t at)
{
    if (c->steps && at == c->kept)
        return true;
    if (c->steps == c->next) {
        c->kept = at;
        c->next = 2 * c->next + 1;
    }
    c->steps++;
    return false;
}

// Is the chunk in its heap's ring? Both neighbours must say so.
static bool in_ring(struct chunks_room *room, const struct candidate *c)
{
    const struct candidate *next = find_candidate(room, c->next), *prev = find_candidate(room, c->prev);
    return next && prev && next->heap == c->heap && prev->heap == c->heap && next->prev == c->at && prev->next == c->at;
}

static void add_rings(struct chunks_room *room, struct target *t, struct chunks *out)
{
    uint64_t from = 0, to = 0; // neighbours, whose pages are counted in one go

    for (int32_t i = 0; i < room->n; i++) {
        const struct candidate *c = &room->c[i];
        struct heap *h = &room->heap[c->heap];
        uint64_t start = c->at * CHUNK_BYTES;
        if (!h->valid || !in_ring(room, c) || !proc_maps_covers(t->maps, start, start + CHUNK_BYTES))
            continue;
        h->chunks++;
        out->chunks++;
        out->live += (int64_t)((CHUNK_PAGES - c->free_pages) * PAGE);
        if (start != to) {
            count_pages(t, from, to, out);
            from = start;
        }
        to = start + CHUNK_BYTES;
    }
    count_pages(t, from, to, out);
}

// Chunks kept for later. After a request their headers are cleared but for the link.
static void add_cached(struct target *t, struct heap *h, struct chunks *out)
{
    struct circle circle = {0};

    for (uint64_t at = h->cached_list; at && h->cached < h->cached_count && h->cached < CHUNKS_MAX && !goes_round(&circle, at);) {
        unsigned char head[16];
        if (unit_of(at) == NONE || !proc_maps_covers(t->maps, at, at + CHUNK_BYTES) || !fetch(t, at, head, sizeof head))
            return;
        h->cached++;
        out->chunks++;
        count_pages(t, at, at + CHUNK_BYTES, out);
        at = u64_at(head + 8);
    }
}

// Huge blocks can't overlap, so all of them together are no larger than the process's mappings.
static void add_huge(struct chunks_room *room, struct target *t, int32_t index, uint64_t *io_room, struct chunks *out)
{
    struct heap *h = &room->heap[index];
    struct circle circle = {0};
    uint64_t record = h->huge_list;

    for (int n = 0; record && n < CHUNKS_HUGE && !goes_round(&circle, record); n++) {
        unsigned char raw[24];
        const struct candidate *in = find_candidate(room, (uint32_t)(record / CHUNK_BYTES));
        if (record % 8 || record >> 47 || !in || in->heap != index || !fetch(t, record, raw, sizeof raw))
            return;
        uint64_t start = u64_at(raw), size = u64_at(raw + 8);
        if (unit_of(start) == NONE || size % PAGE || !size || size > *io_room || !proc_maps_covers(t->maps, start, start + size))
            return;
        *io_room -= size;
        h->huge_bytes += size;
        out->huge++;
        count_pages(t, start, start + size, out);
        record = u64_at(raw + 16);
    }
}

int chunks_read(struct chunks_room *room, int mem, int pagemap, const struct proc_maps *maps, struct chunks *ret)
{
    struct target t = {.tell_shared = room->tell_shared,
                       .mem = mem,
                       .pagemap = pagemap,
                       .maps = maps,
                       .count_room = COUNT_MAX,
                       .reads = READS_MAX};
    struct chunks out = {.limit = -1, .exact = !maps->dropped, .resident_known = pagemap >= 0};
    uint64_t huge_room = 0;

    room->n = room->n_heaps = 0;
    room->full = false;
    find_candidates(room, &t);
    if (t.gone)
        return -ESRCH;
    for (int32_t i = 0; i < maps->n; i++)
        huge_room += maps->span[i].class == SPAN_TEXT ? 0 : maps->span[i].end - maps->span[i].start;
    for (int32_t i = 0; i < room->n_heaps; i++)
        read_heap(&t, &room->heap[i]);
    add_rings(room, &t, &out);
    for (int32_t i = 0; i < room->n_heaps; i++) {
        struct heap *h = &room->heap[i];
        if (!h->valid || !h->chunks)
            continue;
        add_cached(&t, h, &out);
        add_huge(room, &t, i, &huge_room, &out);
        uint64_t bytes = (uint64_t)(h->chunks + h->cached) * CHUNK_BYTES + h->huge_bytes;
        out.heaps++;
        out.bytes += (int64_t)bytes;
        out.live += (int64_t)h->huge_bytes;
        out.exact = out.exact && h->chunks == h->count && bytes == h->real_size;
        int64_t limit = h->limit > NO_LIMIT ? 0 : (int64_t)h->limit;
        if (h->limit_known && out.limit != 0 && (limit == 0 || limit > out.limit))
            out.limit = limit;
    }
    if (t.gone)
        return -ESRCH;
    out.exact = out.exact && t.reads > 0 && !room->full && room->n < CHUNKS_MAX;
    *ret = out;
    return 0;
}
