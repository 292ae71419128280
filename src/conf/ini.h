// SPDX-License-Identifier: Apache-2.0
// The configuration file's syntax, and nothing of its meaning: bytes in, a list of items in file order out.
//
//   ; comment        # comment        [section NAME]        key = value        key = "quoted; with \"escapes\""
//
// 'in single quotes everything is as it is'
// A comment may also follow a value after white space and ';'. "${NAME}" is replaced by that environment variable, in
// quotes too; a variable that is not set is an error. Escapes in quotes: \" \\ \n \t \$. No continued lines.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

#define INI_FILE_MAX (1u << 20)
#define INI_LINE_MAX (64u << 10)

enum ini_type { INI_SECTION, INI_KEY, INI_ERROR };

struct ini_item {
    enum ini_type type;
    unsigned line;
    bool quoted;       // the value was in quotes
    const char *key;   // INI_KEY: the key; INI_SECTION: the first word
    const char *value; // INI_KEY: the value; INI_SECTION: what follows the first word, "" if nothing; INI_ERROR: the reason
};

// Never fails: what can't be read becomes an INI_ERROR item with its line. Items live in the arena.
void ini_parse(struct arena *a, struct str text, char **environ, struct ini_item **ret_items, size_t *ret_n);
