// SPDX-License-Identifier: Apache-2.0
// Claims about files of a file system in user space that doesn't answer any more: what looks at processes never waits for it.
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../claim.h"
#include "fake_tree.h"
#include "mem/deleted.h"
#include "mem/kfile.h"
#include "mem/mounts.h"

static char place[64];
static int device = -1;

static void reply(uint64_t unique, const void *what, size_t n, int error)
{
    struct fuse_out_header h = {.len = (uint32_t)(sizeof h + n), .error = -error, .unique = unique};
    struct iovec v[2] = {{&h, sizeof h}, {(void *)what, n}};

    (void)!writev(device, v, 2);
}

// Answers what it takes to open a file, then nothing more.
static void serve(int fd)
{
    static char in[1 << 18];
    const struct fuse_in_header *h = (const void *)in;
    struct fuse_attr attr = {.ino = 2, .mode = S_IFREG | 0644, .nlink = 1};
    bool opened = false;

    device = fd;
    alarm(61); // its end lets go whoever waits
    while (read(device, in, sizeof in) > 0) {
        if (opened)
            continue;
        opened = h->opcode == FUSE_OPEN;
        if (h->opcode == FUSE_INIT)
            reply(h->unique, &(struct fuse_init_out){.major = 7, .minor = 31, .max_write = 4096}, sizeof(struct fuse_init_out),
                  0);
        else if (h->opcode == FUSE_LOOKUP)
            reply(h->unique, &(struct fuse_entry_out){.nodeid = 2, .attr = attr}, sizeof(struct fuse_entry_out), 0);
        else if (h->opcode == FUSE_OPEN)
            reply(h->unique, &(struct fuse_open_out){.fh = 1}, sizeof(struct fuse_open_out), 0);
        else
            reply(h->unique, NULL, 0, ENOSYS);
    }
}

// In a process of its own, for its mounts and for its end. 0: as it should be; 77: no such file system can be made here.
static int look(void)
{
    static struct segments found;
    static char scratch[1 << 16];
    char options[80], name[128];
    struct stat st;

    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (fd < 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("slow", place, "fuse", 0, options) < 0)
        return 77;
    pid_t server = fork();
    if (server == 0) {
        serve(fd);
        _exit(0);
    }
    close(fd);
    alarm(60); // it would wait for ever
    snprintf(name, sizeof name, "%s/a (deleted)", place);
    int file = open(name, O_RDONLY | O_CLOEXEC), self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (file < 0 || self < 0)
        return 1;
    segments_init(&found);
    segments_begin(&found);
    int r = deleted_read(&found, self, getpid(), 1000, NULL, NULL);
    // A descriptor of a segment's owner that has become another file's.
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    found.s[0] = (struct segment){.owner = getpid(), .ino = 99, .bytes = 7, .fd = file};
    found.n = 1;
    segments_refresh(&found, proc, 9);
    found.n = found.s[0].bytes == 7 ? 0 : 1;
    snprintf(name, sizeof name, "fd/%d", file);
    bool ok = r == 0 && found.n == 0 && kfile_stat(self, name, &st) == 0 && S_ISREG(st.st_mode) &&
              mounts_is_fuse(self, st.st_dev, scratch, sizeof scratch);
    kill(server, SIGKILL);
    return ok ? 0 : 2;
}

T(a_file_that_cant_be_asked_any_more_holds_nobody_up)
{
    int status;

    strcpy(place, "/tmp/plimsoll-slow-XXXXXX");
    assert_non_null(mkdtemp(place));
    pid_t pid = fork();
    if (pid == 0)
        _exit(look());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(place);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

T(a_link_is_seen_as_stat_sees_it)
{
    struct stat a, b;
    int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(kfile_stat(self, "exe", &a), 0);
    assert_int_equal(fstatat(self, "exe", &b, 0), 0);
    assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_size == b.st_size);
    assert_true(a.st_blocks == b.st_blocks && a.st_nlink == b.st_nlink);
    assert_int_equal(kfile_stat(self, "nothing", &a), -ENOENT);
    close(self);
}

T(file_systems_in_user_space_are_told_by_the_table_of_mounts)
{
    char scratch[4096];

    fake_make();
    fake_file("7/mountinfo",
              "25 1 0:31 / /a rw - fuse.slow x rw\n26 1 0:32 / /b rw - tmpfs x rw\ngarbage\n27 1 8:1 / /c rw - fuseblk x rw\n");
    int dir = open(fake_path("7"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(mounts_is_fuse(dir, makedev(0, 31), scratch, sizeof scratch));
    assert_true(mounts_is_fuse(dir, makedev(8, 1), scratch, sizeof scratch));
    assert_false(mounts_is_fuse(dir, makedev(0, 32), scratch, sizeof scratch));
    assert_false(mounts_is_fuse(dir, makedev(0, 99), scratch, sizeof scratch));
    close(dir);
    fake_remove();
}

CLAIMS(C(a_file_that_cant_be_asked_any_more_holds_nobody_up), C(a_link_is_seen_as_stat_sees_it),
       C(file_systems_in_user_space_are_told_by_the_table_of_mounts))
