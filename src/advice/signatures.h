// SPDX-License-Identifier: Apache-2.0
// What is known to bite: the rows of tbl/signatures.def, found by what a directory looks like inside or by a condition on the
// server. A path's name alone proves nothing; an unusual path with the right structure inside is found all the same.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "advice/facts.h"

enum signature_id {
    SIG_NONE,
#define SIGNATURE(id, name, kind, paths, shape, app, what, cause) SIG_##id,
#include "tbl/signatures.def"
#undef SIGNATURE
    SIG_N
};
enum signature_kind {
    SIGNATURE_DIRECTORY, // found by signature_find_directory
    SIGNATURE_DELETED,   // deleted files that are still open
    SIGNATURE_CONDITION, // found by signature_find_conditions
};

struct signature {
    enum signature_kind kind;
    enum advice_app app;
    const char *name;  // stable, in plimsoll.xray/1: "symfony_http_cache"
    const char *paths; // globs, any of which the directory's path must match; "" any
    const char *shape; // relative patterns (advice/shape.h), all of which must be found in it; "" the path says enough
    const char *what;  // a noun: "Symfony HttpCache store"
    const char *cause; // a clause: "Symfony HttpCache never deletes"
};

#define SIGNATURE_PATH 256
struct signature_hit {
    enum signature_id id;
    enum advice_app app;       // by the row, else by what lies beside or above it, else by the path
    char path[SIGNATURE_PATH]; // the directory the row is about: `path` of the question or one above it
};

// Never NULL for an id of the table; SIG_NONE has empty texts.
const struct signature *signature_get(enum signature_id id);
// What the directory `path` (absolute, as the container sees it; root_fd is its /) belongs to: it and those above it down to
// the mount point `top` are looked into. Opens at most 512 directories and reads at most 16384 names, follows no symlinks. False:
// nothing known. Never fails: what can't be read doesn't match.
bool signature_find_directory(int root_fd, const char *top, const char *path, struct signature_hit *ret);
// Conditions that hold; returns how many were written, in the order of the table.
unsigned signature_find_conditions(const struct advice_facts *f, enum signature_id *ret, unsigned max);
