// SPDX-License-Identifier: Apache-2.0
// One look at memory: what it holds and how "not known" is told.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// One look at a container's memory, the same struct for cgroup v1, v2 and gVisor, live or from a recording: every row of
// tbl/mem_fields.def and a bit that says whether it is known. "Not known" is never 0.
enum mem_field {
#define FIELD(id, kind, v1, v2, aliases, help) MEM_##id,
#include "tbl/mem_fields.def"
#undef FIELD
    MEM_N
};

struct mem_sample {
    double t;          // seconds, by the caller's clock; the only clock there is
    uint64_t known[2]; // bit mem_field
    int64_t v[MEM_N];  // bytes, counts, µs or ms as the row says; meaningless where not known
};
_Static_assert(MEM_N <= 128, "known[] holds 128 bits");

static inline bool mem_known(const struct mem_sample *s, enum mem_field f)
{
    return s->known[f / 64] >> (f % 64) & 1;
}

static inline void mem_set(struct mem_sample *s, enum mem_field f, int64_t value)
{
    s->known[f / 64] |= UINT64_C(1) << (f % 64);
    s->v[f] = value;
}

// The value, or `otherwise` where it is not known.
static inline int64_t mem_get(const struct mem_sample *s, enum mem_field f, int64_t otherwise)
{
    return mem_known(s, f) ? s->v[f] : otherwise;
}

// usage - inactive_file - active_file: what the kernel can't simply drop, an upper bound (reclaimable slab is inside).
// False where a part is not known; without the file LRUs (gVisor) the caller decides what stands in.
static inline bool mem_hard(const struct mem_sample *s, int64_t *ret_bytes)
{
    if (!mem_known(s, MEM_usage) || !mem_known(s, MEM_inactive_file) || !mem_known(s, MEM_active_file))
        return false;
    int64_t hard = s->v[MEM_usage] - s->v[MEM_inactive_file] - s->v[MEM_active_file];
    *ret_bytes = hard > 0 ? hard : 0;
    return true;
}

#define MEM_UNLIMITED INT64_MAX // MEM_limit where there is none
