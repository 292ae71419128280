// SPDX-License-Identifier: Apache-2.0
// The files of a made-up process 7 in a fake tree: those it sees, and those that /proc has of it.
#pragma once
#include "../mem/fake_tree.h"

// Below its root.
static inline void file(const char *path, const char *text)
{
    char name[300];

    snprintf(name, sizeof name, "proc/7/root%s", path);
    fake_file(name, text);
}

// Files of a process that hold NULs.
static inline void words(const char *name, const char *text, size_t n)
{
    char path[64];

    snprintf(path, sizeof path, "proc/7/%s", name);
    FILE *f = fopen(fake_path(path), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}
#define WORDS(name, text) words(name, text, sizeof(text))
