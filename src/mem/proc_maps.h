// SPDX-License-Identifier: Apache-2.0
// What the mappings of a process are: text, stacks, [heap], anonymous memory, JIT, Go arenas, shared segments; and how much of
// each is resident, by pagemap where there is one.
//
// The answer holds for one moment of a process that goes on: mappings may come and go while they are read.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAPS_SPANS 16384               // kept; what lies behind counts as native
#define PROC_MAPS_STACK (UINT64_C(8) << 20) // a thread's stack is no larger: the usual limit

enum span_class {
    SPAN_TEXT,   // file, executable
    SPAN_FILE,   // other file mappings: data, constants
    SPAN_HEAP,   // [heap]: malloc's main arena
    SPAN_ANON,   // other private anonymous memory: malloc, ZendMM, whatever
    SPAN_GO,     // an arena of the Go runtime
    SPAN_STACK,  // [stack] and threads' stacks
    SPAN_JIT,    // private anonymous and executable
    SPAN_SHARED, // shared segments: /dev/zero (deleted), memfd, SysV; not the process's own
    SPAN_GUARD,  // no access: reserved
    SPAN_OTHER,  // vdso, vvar
    SPAN_CLASS_N
};

// Mappings of one class side by side.
struct map_span {
    uint64_t start, end;
    enum span_class class;
    int64_t resident; // from smaps: anonymous pages in bytes, of TEXT all; 0 from maps
};

struct proc_maps {
    int32_t n, dropped;  // spans, ascending; all but GUARD, SHARED and OTHER
    bool go_names;       // Go's mappings are named: addresses needn't tell
    bool php, mod_php;   // libphp or an Apache module of it is mapped
    bool frankenphp;     // by the path of a mapping
    bool go;             // as told by the caller
    uint64_t guard_end;  // of the last mapping that may be a stack's guard
    int32_t settled;     // spans below the last mapping that isn't anonymous
    uint64_t anchor_end; // of the last mapping that isn't anonymous
    int32_t last_span;   // of the last mapping; -1: it has none
    uint64_t last_end;   // of the last mapping
    struct map_span span[PROC_MAPS_SPANS];
};

// Reads PID/maps beneath proc_pid. go: the process has a Go runtime. scratch: any buffer of at least 4 KiB. 0 or -errno.
int proc_maps_read(int proc_pid, bool go, char *scratch, size_t size, struct proc_maps *ret);
// The same from PID/smaps, with what is resident: for systems without a pagemap. It costs the kernel a walk over all pages.
int proc_maps_read_smaps(int proc_pid, bool go, char *scratch, size_t size, struct proc_maps *ret);
// The same from a text of maps (or smaps: other lines are passed over), line by line.
void proc_maps_begin(struct proc_maps *m, bool go);
void proc_maps_line(struct proc_maps *m, char *line);                // changes the line
void proc_maps_resident_line(struct proc_maps *m, const char *line); // of smaps, below a mapping's line

// The span that address lies in; NULL.
const struct map_span *proc_maps_find(const struct proc_maps *m, uint64_t address);
// Is [start, end) covered by spans without a gap?
bool proc_maps_covers(const struct proc_maps *m, uint64_t start, uint64_t end);

// Resident pages in [start, end) by pagemap: all of them and those that only this process maps. In bytes.
struct map_pages {
    int64_t anon, anon_exclusive; // private memory
    int64_t file;                 // file pages and shared memory
};
// Adds to *io what is resident in [start, end), at most *io_room bytes of address space of it, which are taken off *io_room: a
// process may map terabytes of nothing. pagemap: descriptor. 0 or -errno.
int proc_maps_count(int pagemap, uint64_t start, uint64_t end, uint64_t *io_room, struct map_pages *io);
// The same for private anonymous memory, quicker by half where the kernel can list present pages (6.7): all of it counts as
// exclusive.
int proc_maps_count_own(int pagemap, uint64_t start, uint64_t end, uint64_t *io_room, struct map_pages *io);
