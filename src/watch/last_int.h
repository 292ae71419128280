// SPDX-License-Identifier: Apache-2.0
// What state.c and last.c share.
#pragma once
#include <jansson.h>

// A JSON object of the folder, NULL where it isn't there or is none; to be freed by json_decref().
json_t *last__load(int dir, const char *name);
// Adds the life of last.json to lives.jsonl.
void last__add_life(int dir);

// Files of a folder that may be somebody else's: nothing that a link or another name stands for is written into, and neither
// waits. The descriptor or -errno.
int last__create(int dir, const char *name); // anew, for appending, in the place of what has that name
int last__open(int dir, const char *name);   // for reading
