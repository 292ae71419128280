// SPDX-License-Identifier: Apache-2.0
// Content types by extension. Pure; runs in the edge. Invariant: tbl/mime.def is sorted (a unit test looks), because the
// search is binary.
#include "http/mime.h"

#include "http/http_int.h"

#define EXTENSION_MAX 16

static const struct row {
    const char *extension, *type;
} rows[] = {
#define MIME(extension, type) {extension, type},
#include "tbl/mime.def"
#undef MIME
};

static const char unknown[] = "application/octet-stream";

const char *mime_of(struct str file_name)
{
    char extension[EXTENSION_MAX];
    size_t n = 0, low = 0, high = sizeof rows / sizeof rows[0];

    while (n < file_name.n && n < EXTENSION_MAX && file_name.p[file_name.n - 1 - n] != '.' &&
           file_name.p[file_name.n - 1 - n] != '/')
        n++;
    if (n == file_name.n || n == EXTENSION_MAX || file_name.p[file_name.n - 1 - n] != '.')
        return unknown;
    for (size_t i = 0; i < n; i++)
        extension[i] = ascii_lower(file_name.p[file_name.n - n + i]);
    extension[n] = '\0';
    if (strlen(extension) != n)
        return unknown;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(extension, rows[middle].extension);
        if (!order)
            return rows[middle].type;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return unknown;
}
