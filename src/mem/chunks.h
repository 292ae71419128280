// SPDX-License-Identifier: Apache-2.0
// PHP's heap in a foreign process, exactly: ZendMM's chunks found by their headers, its huge blocks by its own list.
//
// ZendMM takes memory in chunks of 2 MiB at addresses divisible by 2 MiB; each begins with a pointer to its heap and the next and
// previous chunk of a ring; the heap lies in its first chunk, at 0x40, and names that chunk. The kernel merges chunks and
// malloc's memory into one mapping, so mappings tell nothing. PHP 8.1 to 8.5, NTS and ZTS (a heap a thread). Everything read is
// hostile: every pointer must lie in one of the spans given, every loop is bounded.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/proc_maps.h"

#define CHUNKS_HEAPS 1024 // threads with a heap; the rest counts as native
#define CHUNKS_MAX 32768  // 64 GiB; the rest counts as native
#define CHUNKS_HUGE 65536 // huge blocks of one heap that are followed
#define CHUNK_BYTES (UINT64_C(2) << 20)

struct chunks {
    int32_t heaps;
    int32_t chunks; // in rings and cached
    int32_t huge;   // huge blocks
    int64_t bytes;  // of chunks and huge blocks: what memory_get_usage(true) says, over all heaps
    int64_t live;   // pages handed out and huge blocks
    int64_t limit;  // memory_limit in force, the largest of the heaps'; -1: not known, 0: none
    bool exact;     // each heap's own count of its bytes agrees with what was found
    bool resident_known;
    struct map_pages resident[SPAN_CLASS_N]; // by the class of the mapping it lies in
};

// Working room, for any number of calls one after the other.
struct chunks_room;
struct chunks_room *chunks_room_new(void); // NULL: no memory
struct chunks_room *chunks_room_free(struct chunks_room *room);
// Tell in `resident` which pages are also mapped by a relative (a forked parent or child)? That takes twice the time. Off at
// first: then all are taken to be its own.
void chunks_tell_shared(struct chunks_room *room, bool shared);

// mem: descriptor of PID/mem; pagemap: of PID/pagemap or -1; maps: of the same process, just read. 0 (also where it has no PHP),
// -ESRCH: it is gone, -EIO: nothing could be read.
int chunks_read(struct chunks_room *room, int mem, int pagemap, const struct proc_maps *maps, struct chunks *ret);
