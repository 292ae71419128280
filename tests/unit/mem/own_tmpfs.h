// SPDX-License-Identifier: Apache-2.0
// A tmpfs of a test's own, in a mount namespace of its own: gone with the process. Tests that need it skip where it can't be had.
#pragma once
#include "../claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char own_dir[64];    // where it is mounted
static const char *own_why; // it can't be had because; NULL: it can

// Once a program, before its first test.
static inline void own_tmpfs_prepare(void)
{
    strcpy(own_dir, "/tmp/own-tmpfs-XXXXXX");
    if (!mkdtemp(own_dir))
        own_why = "no directory to mount on";
    else if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        own_why = "no mount namespace of our own (CAP_SYS_ADMIN)";
}

// Mounts a fresh one with these options at `at` beneath own_dir (NULL: own_dir itself).
static inline void own_tmpfs_mount(const char *at, const char *options)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", own_dir, at ? "/" : "", at ? at : "");
    if (at)
        (void)mkdir(path, 0755);
    assert_int_equal(mount("none", path, "tmpfs", 0, options), 0);
}

static inline void own_tmpfs_unmount(const char *at)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", own_dir, at ? "/" : "", at ? at : "");
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

#define NEED_OWN_TMPFS()                                                                                                         \
    do {                                                                                                                         \
        if (own_why) {                                                                                                           \
            print_message("skipped: %s\n", own_why);                                                                             \
            skip();                                                                                                              \
        }                                                                                                                        \
    } while (0)

static inline int own_open(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", own_dir, path);
    int fd = open(full, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

// A file of n bytes beneath own_dir, its directories made as needed.
static inline void own_file(const char *path, size_t n)
{
    char full[4096], block[4096];
    snprintf(full, sizeof full, "%s/%s", own_dir, path);
    for (char *s = full + strlen(own_dir) + 1; (s = strchr(s, '/')); s++) {
        *s = '\0';
        (void)mkdir(full, 0755);
        *s = '/';
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_END) >= 0, 1);
    memset(block, 'x', sizeof block);
    for (size_t left = n; left;) {
        ssize_t w = write(fd, block, left < sizeof block ? left : sizeof block);
        assert_true(w > 0);
        left -= (size_t)w;
    }
    close(fd);
}

// A program's main: prepares, runs, and leaves no directory behind.
#define CLAIMS_WITH_TMPFS(...)                                                                                                   \
    int main(void)                                                                                                               \
    {                                                                                                                            \
        own_tmpfs_prepare();                                                                                                     \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                                         \
        int failed = cmocka_run_group_tests(tests, NULL, NULL);                                                                  \
        (void)rmdir(own_dir);                                                                                                    \
        return failed;                                                                                                           \
    }
