// SPDX-License-Identifier: Apache-2.0
// Directories for tests of what recognises them.
#include "advice_tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tree_make(struct tree *t)
{
    snprintf(t->path, sizeof t->path, "%s/advice-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(t->path))
        abort();
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void tree_add(struct tree *t, const char *name, size_t n)
{
    char path[512];

    snprintf(path, sizeof path, "%s", name);
    for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdirat(t->fd, path, 0755);
        *p = '/';
    }
    if (name[strlen(name) - 1] == '/')
        return;
    int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    char *bytes = calloc(1, n ? n : 1);
    memset(bytes, 'x', n);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    free(bytes);
    close(fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void tree_remove(struct tree *t)
{
    nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    close(t->fd);
}
