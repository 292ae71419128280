// SPDX-License-Identifier: Apache-2.0
// Gives back what only starting PHP needed. Runs in the mold. Invariant: only pages that have a file behind them and were
// never written are given up (smaps' "Anonymous" says so for each mapping: relocated data is anonymous and stays).
#include "mold/trim.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct mapping {
    uintptr_t from, to;
    bool candidate; // private, not writable, of a file
    unsigned long anonymous_kb, swap_kb;
};

static void give_up(const struct mapping *m)
{
    if (m->candidate && !m->anonymous_kb && !m->swap_kb)
        (void)madvise((void *)m->from, m->to - m->from, MADV_DONTNEED);
}

void mold_trim(void)
{
    struct mapping m = {0};
    char line[512], rights[5];
    unsigned long inode, kb;
    unsigned long from, to;

    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/smaps", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, rights, &inode) == 4) {
            give_up(&m);
            m = (struct mapping){.from = from, .to = to, .candidate = inode && rights[1] == '-' && rights[3] == 'p'};
            m.anonymous_kb = m.candidate ? 1 : 0; // until the mapping's own line says otherwise
        } else if (sscanf(line, "Anonymous: %lu", &kb) == 1) {
            m.anonymous_kb = kb;
        } else if (sscanf(line, "Swap: %lu", &kb) == 1) {
            m.swap_kb = kb;
        }
    }
    give_up(&m);
    fclose(f);
}
