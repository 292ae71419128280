// SPDX-License-Identifier: Apache-2.0
// The sensor: a container's memory counters into a mem_sample, by pread on descriptors that stay open.
//
// It fills what the kernel counts for the whole group (or machine): usage to events_oom, working_set, psi. Sums over processes,
// mounts and requests are others' fields and stay as they are. A file that is missing, unreadable or garbage leaves its fields
// unknown and nothing else. Reading opens nothing, allocates nothing, has no clock.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mem/cgroup_find.h"
#include "mem/sample.h"

struct mem_sensor;

// Where MEM_limit comes from.
struct mem_limit {
    int64_t bytes; // MEM_UNLIMITED: not known, or none
    enum mem_limit_from {
        MEM_LIMIT_NONE,
        MEM_LIMIT_GROUP,    // its own limit
        MEM_LIMIT_HIGH,     // v2: memory.high, its own or an ancestor's: throttled there, long before memory.max
        MEM_LIMIT_ANCESTOR, // a group above
        MEM_LIMIT_RAM,      // no group limits it: MemTotal of the machine, VM or sandbox
    } from;
    int level;              // ancestors above: 0 its own; v1: 1 stands for some ancestor
    int64_t ancestor_usage; // v2: usage of the group that limits; -1: not known. Siblings' memory is in it
};

// roots and where are borrowed; the descriptors may be closed afterwards. 0 or -ENOMEM.
int mem_sensor_open(const struct mem_roots *roots, const struct mem_where *where, struct mem_sensor **ret);
// Reads everything into *io; its own fields are cleared first. t: the caller's seconds, becomes io->t. 0; -ESRCH: the group
// has been removed (what could still be read is filled in).
int mem_sensor_read(struct mem_sensor *s, double t, struct mem_sample *io);
void mem_sensor_limit(const struct mem_sensor *s, struct mem_limit *ret); // as of the last read
struct mem_sensor *mem_sensor_close(struct mem_sensor *s); // NULL
