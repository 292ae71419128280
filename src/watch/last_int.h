// SPDX-License-Identifier: Apache-2.0
// What state.c and last.c share.
#pragma once
#include <jansson.h>

// A JSON object of the folder, NULL where it isn't there or is none; to be freed by json_decref().
json_t *last__load(int dir, const char *name);
// Adds the life of last.json to lives.jsonl.
void last__add_life(int dir);
