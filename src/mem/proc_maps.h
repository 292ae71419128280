// SPDX-License-Identifier: Apache-2.0
// What the mappings of a process are: text, stacks, [heap], anonymous memory, JIT, Go arenas, shared segments; and how much of
// each is resident, by pagemap where there is one.
//
// The answer holds for one moment of a process that goes on: mappings may come and go while they are read.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAPS_SPANS 4096 // private anonymous mappings kept; the rest counts as native

enum map_class {
    MAP_TEXT,   // file, executable
    MAP_FILE,   // other file mappings: data, constants
    MAP_HEAP,   // [heap]: malloc's main arena
    MAP_ANON,   // other private anonymous memory: malloc, ZendMM, whatever
    MAP_GO,     // an arena of the Go runtime
    MAP_STACK,  // [stack] and threads' stacks
    MAP_JIT,    // private anonymous and executable
    MAP_SHARED, // shared segments: /dev/zero (deleted), memfd, SysV; not the process's own
    MAP_GUARD,  // no access: reserved
    MAP_OTHER,  // vdso, vvar
    MAP_CLASS_N
};

struct map_span {
    uint64_t start, end;
    enum map_class class;
};

struct proc_maps {
    int32_t n, dropped;    // spans: private mappings of memory (ANON, GO, HEAP, STACK, JIT), ascending
    uint64_t text_bytes;   // address space of executable file mappings
    bool libphp, go_names; // a mapping of libphp/mod_php was seen; Go's mappings are named
    struct map_span span[PROC_MAPS_SPANS];
};

// Reads PID/maps beneath proc_pid. go: the process has a Go runtime. stack_bytes: a thread's usual stack size. 0 or -errno.
int proc_maps_read(int proc_pid, bool go, uint64_t stack_bytes, char *scratch, size_t size, struct proc_maps *ret);

// Resident pages in [start, end) by pagemap: all of them and those that only this process maps. In bytes.
struct map_pages {
    int64_t anon, anon_exclusive; // private memory
    int64_t file;                 // file pages and shared memory
};
// Adds to *io. pagemap: descriptor. 0 or -errno.
int proc_maps_count(int pagemap, uint64_t start, uint64_t end, struct map_pages *io);
