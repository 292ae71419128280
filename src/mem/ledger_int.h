// SPDX-License-Identifier: Apache-2.0
// What the files of the ledger share: adding entries.
#pragma once
#include "mem/ledger.h"

#define LEDGER_DIRS_MAX 64

// The index of the new entry, or -1 where it went into "others" (its bytes still count in the category, if it is a summand).
int ledger__add(struct ledger *l, enum ledger_category category, int parent, int64_t bytes, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
// Sets the note of an entry; index -1: nothing.
void ledger__note(struct ledger *l, int index, const char *format, ...) __attribute__((format(printf, 3, 4)));
void ledger__estimate(struct ledger *l, int index);

// Files in memory and shared memory: they share out what the group's shmem counter says.
void ledger__add_files(const struct ledger_input *in, struct ledger *l);
