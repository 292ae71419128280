// SPDX-License-Identifier: Apache-2.0
// Directories for tests of what recognises them: files are named, folders made on the way.
#pragma once
#include <stddef.h>

struct tree {
    char path[64];
    int fd;
};

void tree_make(struct tree *t);
// A file of n bytes; a folder where the name ends in "/".
void tree_add(struct tree *t, const char *name, size_t n);
void tree_remove(struct tree *t);
