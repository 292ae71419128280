// SPDX-License-Identifier: Apache-2.0
// Precompressed siblings of a static file: app.js.br, app.js.zst, app.js.gz beside app.js.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "http/negotiate.h"

struct req;

// What is sent: the file itself or one of its siblings.
struct representation {
    int fd;
    int64_t size, mtime_s, mtime_ns;
    enum coding coding;
    bool varies; // there are siblings, so the answer depends on Accept-Encoding
};

// rep is the file itself; it becomes the sibling that the client likes best, if there is one that is not older than the
// file. type is the file's content type: siblings of what doesn't compress (pictures, archives) are not looked for.
void precompressed_choose(struct req *r, const char *type, struct representation *rep);
