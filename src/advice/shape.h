// SPDX-License-Identifier: Apache-2.0
// Is a directory built like this? A shape is alternatives separated by " | ", each patterns separated by spaces that must all be
// found. A pattern is a path below the directory whose components are literal bytes and
//   *     any run of bytes, also none
//   %c    one byte of class c;  %Nc  exactly N of them;  %+c  one or more
//         h 0-9a-f   d 0-9   w 0-9A-Za-z   s session ids: 0-9A-Za-z,-   B A-Z0-9+-   f 0-9A-Za-z+-   p 0-9A-Za-z+-_.
//   **    as a component of its own: any number of directories, also none
// A component before "/" is a directory; the last one is a file, or a directory where the pattern ends in "/".
//   "md/%2h/%2h/ en/%2h/%2h/"    "sess_%+s | %1s/sess_%+s"    "supercache/**/*.html*"
// A pattern of a single component speaks of the files in the directory itself: those that match must hold a third of its files'
// bytes or be half of its files.
#pragma once
#include <stdbool.h>

struct shape_budget {
    int opens, names; // directories that may still be opened, names that may still be read
};

// name against a component; `component` ends at NUL, '/' or ' '.
bool shape_component_matches(const char *component, const char *name);
// Can a directory `rel` ("" or "en/ab") below one of this shape be part of it? "": yes.
bool shape_has_inside(const char *shape, const char *rel);
// dir_fd is borrowed. "" matches everything. What can't be read doesn't match.
bool shape_matches(int dir_fd, const char *shape, struct shape_budget *io);
