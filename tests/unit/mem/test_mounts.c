// SPDX-License-Identifier: Apache-2.0
#include "mem/mounts.h"

#include <sys/sysmacros.h>

#include "own_tmpfs.h"

static int parse(const char *text, struct mount_line *ret, char *line, size_t size)
{
    snprintf(line, size, "%s", text);
    return mounts_parse_line(line, ret);
}

T(a_line_of_mountinfo_is_taken_apart)
{
    char line[256];
    struct mount_line l;

    assert_int_equal(
        parse("36 25 0:32 /sub /dev/shm rw,nosuid shared:3 master:1 - tmpfs shm rw,size=65536k", &l, line, sizeof line), 0);
    assert_int_equal(l.id, 36);
    assert_int_equal(l.parent, 25);
    assert_int_equal(l.major, 0);
    assert_int_equal(l.minor, 32);
    assert_string_equal(l.root, "/sub");
    assert_string_equal(l.path, "/dev/shm");
    assert_string_equal(l.type, "tmpfs");
    assert_string_equal(l.source, "shm");
    assert_string_equal(l.super, "rw,size=65536k");
}

T(no_optional_field_and_an_empty_source_are_fine)
{
    char line[256];
    struct mount_line l;

    assert_int_equal(parse("10 10 0:10 / / rw - overlay none rw", &l, line, sizeof line), 0);
    assert_string_equal(l.source, "none");
    assert_int_equal(parse("10 10 0:10 / /x rw - tmpfs  rw,inode64", &l, line, sizeof line), 0);
    assert_string_equal(l.source, "");
    assert_string_equal(l.super, "rw,inode64");
    assert_int_equal(parse("10 10 0:10 / / rw  - tmpfs none", &l, line, sizeof line), 0); // gVisor writes two spaces
    assert_string_equal(l.super, "");
}

T(octal_escapes_are_resolved_and_others_left)
{
    char line[256];
    struct mount_line l;

    assert_int_equal(parse("1 1 0:1 / /a\\040b\\011c\\134d\\000e\\08 rw - tmpfs x rw", &l, line, sizeof line), 0);
    assert_string_equal(l.path, "/a b\tc\\d\\000e\\08");
}

T(garbage_is_no_line)
{
    static const char *const garbage[] = {"",
                                          " ",
                                          "1",
                                          "1 2 0:1 / /x rw",
                                          "1 2 0:1 / /x rw -",
                                          "1 2 0:1 / /x rw shared:1 tmpfs x rw",
                                          "x 2 0:1 / /x rw - tmpfs x rw",
                                          "1 2 01 / /x rw - tmpfs x rw",
                                          "1 2 0:x / /x rw - tmpfs x rw",
                                          "1 2 0:99999999999 / /x rw - tmpfs x rw",
                                          "1 2 -1:0 / /x rw - tmpfs x rw",
                                          "1 2 0:1 / x rw - tmpfs x rw"};
    char line[256];
    struct mount_line l;

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        assert_int_equal(parse(garbage[i], &l, line, sizeof line), -EINVAL);
}

T(the_upper_directory_of_an_overlay_is_found)
{
    char out[32];

    mounts_upperdir("rw,lowerdir=/a:/b,upperdir=/run/x\\040y,workdir=/w", out, sizeof out);
    assert_string_equal(out, "/run/x y");
    mounts_upperdir("rw,lowerdir=/a", out, sizeof out);
    assert_string_equal(out, "");
    mounts_upperdir("rw,xupperdir=/a", out, sizeof out);
    assert_string_equal(out, "");
    mounts_upperdir("upperdir=/0123456789012345678901234567890123456789", out, sizeof out);
    assert_string_equal(out, "");
}

// --- against the kernel

static char scratch[65536];

static void read_own(struct mounts *m)
{
    int proc = open("/proc", O_PATH | O_DIRECTORY), self = open("/proc/self", O_PATH | O_DIRECTORY);
    int root = open("/", O_PATH | O_DIRECTORY);
    assert_int_equal(mounts_read(proc, self, root, false, scratch, sizeof scratch, m), 0);
    close(proc);
    close(self);
    close(root);
}

static const struct mount *find(const struct mounts *m, const char *at)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", own_dir, at ? "/" : "", at ? at : "");
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->m[i].path, path) == 0)
            return &m->m[i];
    return NULL;
}

T(a_tmpfs_is_found_with_its_use_and_its_size)
{
    NEED_OWN_TMPFS();
    struct mounts m;
    mounts_init(&m);
    own_tmpfs_mount(NULL, "size=8m,nr_inodes=1000");
    own_file("a", 100000);
    read_own(&m);

    const struct mount *t = find(&m, NULL);
    assert_non_null(t);
    assert_int_equal(t->kind, MOUNT_TMPFS);
    assert_true(t->sized && t->whole && !t->shadowed);
    assert_int_equal(t->used, 102400);
    assert_int_equal(t->inodes, 2);
    assert_int_equal(t->size, 8 << 20);
    assert_int_equal(t->max_inodes, 1000);
    own_file("b", 4096);
    mounts_measure(&m);
    assert_int_equal(t->used, 106496);
    assert_int_equal(t->error, 0);
    close(t->fd);
    mounts_measure(&m);
    assert_int_equal(t->error, EBADF); // and what was known stays
    assert_int_equal(t->used, 106496);
    m.m[t - m.m].fd = -1;
    mounts_close(&m);
    own_tmpfs_unmount(NULL);
}

T(a_tmpfs_bound_to_several_places_counts_once)
{
    NEED_OWN_TMPFS();
    struct mounts m;
    char from[256], to[256];
    mounts_init(&m);
    own_tmpfs_mount(NULL, "size=8m");
    own_tmpfs_mount("one", "size=1m");
    own_file("one/sub/f", 1);
    snprintf(from, sizeof from, "%s/one/sub", own_dir);
    snprintf(to, sizeof to, "%s/b", own_dir);
    assert_int_equal(mkdir(to, 0755), 0);
    assert_int_equal(mount(from, to, NULL, MS_BIND, NULL), 0);
    read_own(&m);

    const struct mount *t = find(&m, "one"); // the whole of it, though "b" is shorter
    assert_non_null(t);
    assert_true(t->whole);
    assert_null(find(&m, "b"));
    mounts_close(&m);
    own_tmpfs_unmount(NULL);
}

T(a_file_bound_from_a_tmpfs_is_measured_too)
{
    NEED_OWN_TMPFS();
    struct mounts m;
    char from[256], to[256];
    mounts_init(&m);
    own_tmpfs_mount(NULL, "size=8m");
    own_tmpfs_mount("one", "size=1m");
    own_file("one/f", 5000);
    own_file("bound", 0);
    snprintf(from, sizeof from, "%s/one/f", own_dir);
    snprintf(to, sizeof to, "%s/bound", own_dir);
    assert_int_equal(mount(from, to, NULL, MS_BIND, NULL), 0);
    own_tmpfs_unmount("one"); // only the file is left of it
    read_own(&m);

    const struct mount *t = find(&m, "bound");
    assert_non_null(t);
    assert_false(t->whole);
    assert_int_equal(t->used, 8192);
    mounts_close(&m);
    own_tmpfs_unmount(NULL);
}

T(a_mount_that_another_one_hides_is_told_and_not_measured)
{
    NEED_OWN_TMPFS();
    struct mounts m;
    mounts_init(&m);
    own_tmpfs_mount(NULL, "size=8m");
    own_tmpfs_mount("under", "size=1m");
    own_file("under/f", 5000);
    dev_t under, over;
    struct stat st;
    int fd = own_open("under");
    assert_int_equal(fstat(fd, &st), 0);
    under = st.st_dev;
    close(fd);
    own_tmpfs_mount("under", "size=1m");
    fd = own_open("under");
    assert_int_equal(fstat(fd, &st), 0);
    over = st.st_dev;
    close(fd);
    read_own(&m);

    int i = mounts_find_dev(&m, under), j = mounts_find_dev(&m, over);
    assert_true(i >= 0 && j >= 0);
    assert_true(m.m[i].shadowed);
    assert_int_equal(m.m[i].used, -1);
    assert_false(m.m[j].shadowed);
    assert_int_equal(m.m[j].used, 0);
    mounts_close(&m);
    own_tmpfs_unmount(NULL);
}

T(a_mount_without_a_size_says_so)
{
    NEED_OWN_TMPFS();
    struct mounts m;
    mounts_init(&m);
    own_tmpfs_mount(NULL, "size=0,nr_inodes=0");
    own_file("a", 5000);
    read_own(&m);

    const struct mount *t = find(&m, NULL);
    assert_non_null(t);
    assert_false(t->sized);
    assert_int_equal(t->used, -1);
    mounts_close(&m);
    own_tmpfs_unmount(NULL);
}

T(reading_again_keeps_descriptors_and_lets_go_of_what_was_unmounted)
{
    NEED_OWN_TMPFS();
    struct mounts m;
    mounts_init(&m);
    own_tmpfs_mount(NULL, "size=8m");
    own_tmpfs_mount("a", "size=1m");
    read_own(&m);
    const struct mount *t = find(&m, "a");
    assert_non_null(t);
    int kept = find(&m, NULL)->fd, gone = t->fd;
    own_tmpfs_unmount("a");
    own_tmpfs_mount("b", "size=1m");
    read_own(&m);

    assert_int_equal(find(&m, NULL)->fd, kept);
    assert_null(find(&m, "a"));
    assert_non_null(find(&m, "b"));
    struct stat st;
    dev_t b = find(&m, "b")->dev;
    assert_true(fstat(gone, &st) < 0 || st.st_dev == b); // closed, or its number taken anew
    mounts_close(&m);
    assert_true(fstat(kept, &st) < 0);
    own_tmpfs_unmount(NULL);
}

T(a_mountinfo_that_is_missing_changes_nothing)
{
    struct mounts m;
    mounts_init(&m);
    m.n = 1;
    m.m[0] = (struct mount){.fd = -1, .used = 5};
    int dir = open("/dev", O_PATH | O_DIRECTORY);
    assert_int_equal(mounts_read(dir, dir, dir, false, scratch, sizeof scratch, &m), -ENOENT);
    assert_int_equal(m.n, 1);
    close(dir);
}

CLAIMS_WITH_TMPFS(C(a_line_of_mountinfo_is_taken_apart), C(no_optional_field_and_an_empty_source_are_fine),
                  C(octal_escapes_are_resolved_and_others_left), C(garbage_is_no_line),
                  C(the_upper_directory_of_an_overlay_is_found), C(a_tmpfs_is_found_with_its_use_and_its_size),
                  C(a_tmpfs_bound_to_several_places_counts_once), C(a_file_bound_from_a_tmpfs_is_measured_too),
                  C(a_mount_that_another_one_hides_is_told_and_not_measured), C(a_mount_without_a_size_says_so),
                  C(reading_again_keeps_descriptors_and_lets_go_of_what_was_unmounted),
                  C(a_mountinfo_that_is_missing_changes_nothing))
