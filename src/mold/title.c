// SPDX-License-Identifier: Apache-2.0
// The process title. Runs in mold and worker. Owns the area where the kernel put argv and environ.
#include "mold/title.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

extern char **environ;

static char *area;
static size_t area_n;

void title_init(int argc, char **argv)
{
    size_t n = 0;
    char *end = argv[0];

    for (int i = 0; i < argc && argv[i] == end; i++)
        end += strlen(end) + 1;
    while (environ[n])
        n++;
    char **moved = xcalloc(n + 1, sizeof *moved);
    for (size_t i = 0; i < n; i++) {
        if (environ[i] == end)
            end += strlen(end) + 1;
        moved[i] = xstrdup(environ[i]);
    }
    environ = moved;
    area = argv[0];
    area_n = (size_t)(end - argv[0]);
}

void title_set(const char *title)
{
    if (area_n < 2)
        return;
    memset(area, 0, area_n);
    strncpy(area, title, area_n - 1);
}
