// SPDX-License-Identifier: Apache-2.0
// A temporary folder with an application in it, and loading configurations there.
#pragma once
#include "conf/conf_int.h"

extern char folder[256]; // of this test; open to everybody

void folder_make(void);
void folder_remove(void);
void folder_write(const char *name, const char *text); // makes the folders on the way
char *folder_path(const char *name);                   // malloc'ed

// Loads `text` (NULL = no file) as folder/test.ini with flags {key, value, ..., NULL} (NULL = none) and environment; DIR is
// folder/app unless the flags hold "DIR".
int load(const char *text, const char *const *flags, char **env, struct conf **ret_conf, struct conf_errors *errors);
// Loads what must be right; prints the errors and fails otherwise.
struct conf *load_right(const char *text, const char *const *flags, char **env);
// Loads what must be wrong and wants one of the error lines to hold `part`.
void load_wrong(const char *text, const char *const *flags, char **env, const char *part);
