// SPDX-License-Identifier: Apache-2.0
// What to change: settings to paste, in the words of the server and the application at hand (rows of tbl/fixes.def).
#pragma once
#include <stddef.h>

#include "advice/facts.h"
#include "advice/signatures.h"
#include "mem/verdict.h"

struct fix {
    const char *title; // "Move the store to Redis"
    const char *where; // the file or place: "config/packages/cache.yaml"; "" where title says it
    const char *paste; // lines to paste; may hold {placeholders}
    const char *note;  // what to know before; ""
};
#define FIX_MAX 8
#define FIX_TEXT 1536 // room for fix_text

// Fixes for a signature, those for this application and server first, general ones after; those for others are left out.
unsigned fix_list(enum signature_id id, enum advice_app app, enum advice_server server, const struct fix *ret[FIX_MAX]);
// Fixes for a cause that no signature explains.
unsigned fix_list_cause(enum mem_cause cause, enum advice_server server, const struct fix *ret[FIX_MAX]);
// "Title (where):\n<paste>\nnote" with the placeholders filled in: {path} the directory, {tmpfs_size}, {gomemlimit},
// {max_children}, {threads}, {memory_limit}, {memory_share}, {limit}; one that isn't known becomes a word to replace in capitals.
// Returns text.
const char *fix_text(const struct fix *f, const struct advice_facts *facts, const char *path, char text[FIX_TEXT]);
// The same for `words` alone, a fix's paste or note.
const char *fix_fill(const char *words, const struct advice_facts *facts, const char *path, char text[FIX_TEXT]);
// docs/signatures.md, to standard output.
void fix_print_reference(void);
