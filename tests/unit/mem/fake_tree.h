// SPDX-License-Identifier: Apache-2.0
// A small tree of files in a temporary folder that stands for /proc, /sys/fs/cgroup or /.
#pragma once
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"

static char fake_dir[64];

static inline void fake_make(void)
{
    strcpy(fake_dir, "/tmp/plimsoll-fake-XXXXXX");
    assert_non_null(mkdtemp(fake_dir));
    assert_int_equal(chmod(fake_dir, 0755), 0);
}

static inline int fake_unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void fake_remove(void)
{
    assert_int_equal(nftw(fake_dir, fake_unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

// Makes the folders of path, relative to the tree, and gives its whole name.
static inline const char *fake_path(const char *path)
{
    static char whole[512];

    int n = snprintf(whole, sizeof whole, "%s/%s", fake_dir, path);
    assert_in_range(n, 1, sizeof whole - 1);
    for (char *at = whole + strlen(fake_dir) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(whole, 0755);
        *at = '/';
    }
    return whole;
}

static inline void fake_file(const char *path, const char *text)
{
    FILE *f = fopen(fake_path(path), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static inline void fake_folder(const char *path)
{
    const char *whole = fake_path(path);
    struct stat st;

    if (mkdir(whole, 0755) < 0)
        assert_true(stat(whole, &st) == 0 && S_ISDIR(st.st_mode));
}

static inline void fake_link(const char *to, const char *path)
{
    assert_int_equal(symlink(to, fake_path(path)), 0);
}

// The names of what a test means to be unreadable are so for root too.
static inline void fake_be_nobody(void)
{
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
}

static inline void fake_be_self(void)
{
    assert_int_equal(seteuid(getuid()), 0);
}
