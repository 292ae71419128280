// SPDX-License-Identifier: Apache-2.0
// The records of directories that the walk keeps: found by (file system, inode) through a hash index with linear probing, and
// which of them are worth naming. Owns nothing but what lies in struct scan. Invariant: every record in use stands in the index
// exactly once, and the index is never more than half full.
#include "mem/scan_int.h"

#include <string.h>

#include "mem/prices.h"

static uint32_t home_of(int slot, uint64_t ino)
{
    uint64_t h = (ino ^ (uint64_t)slot << 56) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 47) & (SCAN_INDEX - 1);
}

uint32_t scan__find(const struct scan *s, int slot, uint64_t ino)
{
    for (uint32_t i = home_of(slot, ino); s->index[i]; i = (i + 1) & (SCAN_INDEX - 1)) {
        const struct scan_record *r = &s->record[s->index[i] - 1];
        if (r->ino == ino && r->slot == slot)
            return s->index[i] - 1u;
    }
    return SCAN_NONE;
}

uint32_t scan__add(struct scan *s, int slot, uint64_t ino)
{
    uint32_t record;
    if (s->first_free != SCAN_DIRS) {
        record = s->first_free;
        s->first_free = s->record[record].parent;
    } else if (s->n_records < SCAN_DIRS) {
        record = s->n_records++;
    } else {
        return SCAN_NONE;
    }
    s->record[record] =
        (struct scan_record){.ino = ino, .slot = (uint8_t)slot, .parent = SCAN_DIRS, .rate = NAN, .base_ds = UINT32_MAX};
    uint32_t i = home_of(slot, ino);
    while (s->index[i])
        i = (i + 1) & (SCAN_INDEX - 1);
    s->index[i] = (uint16_t)(record + 1);
    s->progress.dirs++;
    return record;
}

void scan__del(struct scan *s, uint32_t record)
{
    struct scan_record *r = &s->record[record];
    uint32_t hole = home_of(r->slot, r->ino);
    while (s->index[hole] != record + 1)
        hole = (hole + 1) & (SCAN_INDEX - 1);
    // Close the gap: move back what would otherwise no longer be found from its home.
    for (uint32_t i = hole;;) {
        i = (i + 1) & (SCAN_INDEX - 1);
        if (!s->index[i])
            break;
        const struct scan_record *other = &s->record[s->index[i] - 1];
        uint32_t home = home_of(other->slot, other->ino);
        if (((i - home) & (SCAN_INDEX - 1)) >= ((i - hole) & (SCAN_INDEX - 1))) {
            s->index[hole] = s->index[i];
            hole = i;
        }
    }
    s->index[hole] = 0;
    *r = (struct scan_record){.slot = SCAN_FREE, .parent = (uint16_t)s->first_free};
    s->first_free = record;
    s->progress.dirs--;
}

void scan__sweep(struct scan *s, int slot, bool all)
{
    for (uint32_t i = 0; i < s->n_records; i++)
        if (s->record[i].slot == slot && (all || s->record[i].round != s->round))
            scan__del(s, i);
}

static double young_scale(const struct scan_slot *slot)
{
    return slot->young_scale > 0 ? slot->young_scale : 1;
}

// What a directory weighs: its bytes and inodes, or their growth by rounds where its file system has had two of them, else by
// ages.
static double weigh(const struct scan *s, const struct scan_record *r, enum scan_by by, bool *ret_from_ages)
{
    const struct scan_slot *slot = &s->slot[r->slot];
    *ret_from_ages = slot->root == SCAN_NONE || isnan(s->record[slot->root].rate);
    if (by == SCAN_BY_BYTES)
        return (double)r->tree + MEM_INODE_BYTES * (double)r->files;
    if (*ret_from_ages)
        return young_scale(slot) * ((double)r->young + MEM_INODE_BYTES * (double)r->files_young);
    return isnan(r->rate) ? 0 : (double)r->rate + MEM_INODE_BYTES * (double)r->files_rate;
}

static int depth_of(const struct scan *s, uint32_t record)
{
    int depth = 0;
    for (uint32_t at = record; at < SCAN_DIRS && depth < 2 * SCAN_DEPTH; at = s->record[at].parent)
        depth++;
    return depth;
}

static bool is_below(const struct scan *s, uint32_t record, uint32_t ancestor)
{
    int depth = 0;
    for (uint32_t at = record; at < SCAN_DIRS && depth < 2 * SCAN_DEPTH; at = s->record[at].parent, depth++)
        if (at == ancestor)
            return true;
    return false;
}

bool scan_get(const struct scan *s, uint32_t id, struct scan_dir *ret)
{
    if (id >= s->n_records || s->record[id].slot == SCAN_FREE)
        return false;
    const struct scan_record *r = &s->record[id];
    bool from_ages;
    (void)weigh(s, r, SCAN_BY_GROWTH, &from_ages);
    double scale = young_scale(&s->slot[r->slot]);
    bool unknown = !from_ages && isnan(r->rate);
    *ret = (struct scan_dir){
        .id = id,
        .parent = r->parent < SCAN_DIRS ? r->parent : SCAN_NONE,
        .mount = r->slot,
        .ino = r->ino,
        .bytes = r->tree,
        .files = r->files,
        .growth_per_min = unknown ? INT64_MIN : (int64_t)(from_ages ? r->young * scale : r->rate),
        .files_per_min = unknown ? INT64_MIN : (int64_t)(from_ages ? r->files_young * scale : r->files_rate),
        .from_ages = from_ages,
    };
    return true;
}

uint32_t scan_root(const struct scan *s, int slot)
{
    return slot >= 0 && slot < SCAN_MOUNTS && s->slot[slot].set ? s->slot[slot].root : SCAN_NONE;
}

#define CANDIDATES_MAX 512

struct candidate {
    uint32_t id;
    int depth;
    double weight;
};

// Deeper first, so that each is decided on after all below it.
static void insert_by_depth(struct candidate *c, int n, struct candidate new)
{
    int i = n;
    for (; i > 0 && c[i - 1].depth < new.depth; i--)
        c[i] = c[i - 1];
    c[i] = new;
}

int scan_top(struct scan *s, int slot, enum scan_by by, double share, int max, struct scan_dir *ret)
{
    double total = 0;
    bool from_ages;
    scan__foresee(s);
    for (int i = 0; i < SCAN_MOUNTS; i++)
        if (s->slot[i].set && s->slot[i].root != SCAN_NONE && (slot < 0 || slot == i)) {
            double w = weigh(s, &s->record[s->slot[i].root], by, &from_ages);
            total += w > 0 ? w : 0;
        }
    if (total <= 0)
        return 0;
    struct candidate candidate[CANDIDATES_MAX];
    int n = 0, found = 0;
    double threshold = total * share;
    for (uint32_t i = 0; i < s->n_records && n < CANDIDATES_MAX; i++) {
        const struct scan_record *r = &s->record[i];
        if (r->slot == SCAN_FREE || (slot >= 0 && r->slot != slot))
            continue;
        double w = weigh(s, r, by, &from_ages);
        if (w >= threshold)
            insert_by_depth(candidate, n++, (struct candidate){i, depth_of(s, i), w});
    }
    // A directory is named if what lies in it, beside those named below it, is enough by itself.
    struct candidate named[CANDIDATES_MAX];
    for (int i = 0; i < n; i++) {
        double rest = candidate[i].weight;
        for (int j = 0; j < found; j++)
            if (is_below(s, named[j].id, candidate[i].id))
                rest -= named[j].weight;
        if (rest < threshold)
            continue;
        int at = found++;
        for (; at > 0 && named[at - 1].weight < rest; at--)
            named[at] = named[at - 1];
        named[at] = candidate[i];
        named[at].weight = rest;
    }
    int out = 0;
    for (int i = 0; i < found && out < max; i++)
        out += scan_get(s, named[i].id, &ret[out]);
    return out;
}
