// SPDX-License-Identifier: Apache-2.0
#include "mem/scan.h"

#include "own_tmpfs.h"

#include "mem/scan_int.h"

#define WALL 2e9 // later than any file of these tests

static int64_t clock_us; // moves by a microsecond whenever it is looked at
static int64_t tick(void *arg)
{
    return clock_us += arg ? *(int64_t *)arg : 1;
}

static void set_up(struct scan *s, int slot, const char *at)
{
    int fd = own_open(at ? at : ".");
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    scan_set_mount(s, slot, &(struct scan_mount){.fd = fd, .dev = st.st_dev});
}

static void walk(struct scan *s, double t)
{
    assert_true(scan_step(s, t, WALL, 0, tick, NULL));
}

static int64_t bytes_of(struct scan *s, int slot)
{
    struct scan_total total;
    scan_total(s, slot, &total);
    return total.known ? total.bytes : -1;
}

// The directory that comes first, its path beneath the mount.
static const char *first(struct scan *s, enum scan_by by, struct scan_dir *ret)
{
    static char path[4096];
    assert_true(scan_top(s, -1, by, 0.1, 1, ret) == 1);
    assert_int_equal(scan_path(s, ret->id, path, sizeof path), 0);
    return path;
}

T(a_walk_finds_every_byte_and_every_inode)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=16m");
    own_file("a/b/c/f", 10000);
    own_file("a/g", 1);
    own_file("h", 4096);
    own_file("empty", 0);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    struct scan_total total;
    scan_total(s, 0, &total);
    assert_true(total.known);
    assert_int_equal(total.bytes, 12288 + 4096 + 4096);
    assert_int_equal(total.inodes, 8); // the root, 3 directories, 4 files
    assert_int_equal(total.missed, 0);
    struct scan_progress p;
    scan_progress(s, &p);
    assert_int_equal(p.rounds, 1);
    assert_int_equal(p.dirs, 4);
    assert_true(p.covered == 1);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(a_file_with_two_names_counts_once_and_a_hole_not_at_all)
{
    NEED_OWN_TMPFS();
    char one[256], two[256];
    own_tmpfs_mount(NULL, "size=16m");
    own_file("d/one", 40960);
    snprintf(one, sizeof one, "%s/d/one", own_dir);
    snprintf(two, sizeof two, "%s/two", own_dir);
    assert_int_equal(link(one, two), 0);
    own_file("sparse", 4096);
    snprintf(one, sizeof one, "%s/sparse", own_dir);
    assert_int_equal(truncate(one, 8 << 20), 0);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    struct scan_total total;
    scan_total(s, 0, &total);
    assert_int_equal(total.bytes, 40960 + 4096);
    assert_int_equal(total.inodes, 4);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(other_file_systems_and_symbolic_links_are_not_followed)
{
    NEED_OWN_TMPFS();
    char link_at[256], bound[256], from[256];
    own_tmpfs_mount(NULL, "size=16m");
    own_tmpfs_mount("other", "size=16m");
    own_file("other/big", 1 << 20);
    own_file("small", 4096);
    own_file("bound", 0);
    snprintf(link_at, sizeof link_at, "%s/loop", own_dir);
    assert_int_equal(symlink(".", link_at), 0);
    snprintf(bound, sizeof bound, "%s/bound", own_dir);
    snprintf(from, sizeof from, "%s/other/big", own_dir);
    assert_int_equal(mount(from, bound, NULL, MS_BIND, NULL), 0); // a file of another one
    own_file("other/sub/f", 4096);
    snprintf(bound, sizeof bound, "%s/d", own_dir);
    snprintf(from, sizeof from, "%s/other/sub", own_dir);
    assert_int_equal(mkdir(bound, 0755), 0);
    assert_int_equal(mount(from, bound, NULL, MS_BIND, NULL), 0); // a directory of another one
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    struct scan_progress p;
    scan_progress(s, &p);
    assert_int_equal(bytes_of(s, 0), 4096);
    assert_int_equal(p.dirs, 1);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(a_tree_bound_into_itself_counts_once)
{
    NEED_OWN_TMPFS();
    char from[256], to[256];
    own_tmpfs_mount(NULL, "size=16m");
    own_file("a/f", 4096);
    own_file("b/g", 4096);
    snprintf(from, sizeof from, "%s/a", own_dir);
    snprintf(to, sizeof to, "%s/b", own_dir);
    assert_int_equal(mount(from, to, NULL, MS_BIND, NULL), 0); // hides b/g
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    assert_int_equal(bytes_of(s, 0), 4096);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(deeper_than_it_goes_is_told_not_walked)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=16m");
    int fd = own_open(".");
    for (int i = 0; i < SCAN_DEPTH + 5; i++) {
        assert_int_equal(mkdirat(fd, "d", 0755), 0);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    struct scan_progress p;
    struct scan_total total;
    scan_progress(s, &p);
    scan_total(s, 0, &total);
    assert_int_equal(p.too_deep, 1);
    assert_int_equal(total.missed, 1);
    assert_int_equal(total.inodes, SCAN_DEPTH);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(more_names_than_there_is_room_for_are_entered_all_the_same)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    enum { DIRS = 1200 }; // of 240 bytes each: more than twice what is kept
    char name[300];
    for (int i = 0; i < DIRS; i++) {
        snprintf(name, sizeof name, "wide/%0240d/f", i);
        own_file(name, 1);
    }
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    assert_int_equal(bytes_of(s, 0), DIRS * 4096);
    struct scan_progress p;
    scan_progress(s, &p);
    assert_int_equal(p.dirs, DIRS + 2);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(directories_without_a_record_count_for_the_one_above)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m,nr_inodes=200000");
    enum { EXTRA = 40 };
    own_file("many/f", 1);
    int fd = own_open("many");
    char name[32];
    for (int i = 0; i < SCAN_DIRS + EXTRA; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        if (i % 1000 == 0) {
            strcat(name, "/x");
            int file = openat(fd, name, O_WRONLY | O_CREAT, 0644);
            assert_int_equal(write(file, "x", 1), 1);
            close(file);
        }
    }
    close(fd);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);
    walk(s, 1);

    struct scan_progress p;
    scan_progress(s, &p);
    assert_int_equal(p.dirs, SCAN_DIRS);
    assert_int_equal(p.unrecorded, EXTRA + 2); // the root and "many" have one
    assert_int_equal(bytes_of(s, 0), 4096 * (1 + SCAN_DIRS / 1000 + 1));
    struct scan_dir top;
    assert_string_equal(first(s, SCAN_BY_BYTES, &top), "many");
    assert_int_equal(top.bytes, bytes_of(s, 0));
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(a_step_ends_with_its_budget_and_the_next_goes_on_there)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    char name[64];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "d%d/f%d", i % 20, i);
        own_file(name, 1);
    }
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    int64_t slow = 1000;
    int steps = 0;
    struct scan_progress p;
    while (!scan_step(s, steps, WALL, 1000, tick, &slow)) {
        assert_true(++steps < 1000);
        scan_progress(s, &p);
        assert_int_equal(p.rounds, 0);
    }

    assert_true(steps >= 5);
    assert_int_equal(bytes_of(s, 0), 400 * 4096);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(a_round_that_takes_long_names_already_what_it_has_seen)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("old/f", 1);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);
    char name[64];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "store/d%d/f%d", i % 40, i);
        own_file(name, 1);
    }
    int64_t slow = 1000;
    struct scan_progress p;
    do {
        assert_false(scan_step(s, 60, WALL, 1000, tick, &slow));
        scan_progress(s, &p);
    } while (p.entries < 200);

    struct scan_dir d;
    assert_string_equal(first(s, SCAN_BY_GROWTH, &d), "store");
    assert_in_range(d.bytes, 100 * 4096, 399 * 4096);
    assert_in_range(d.growth_per_min, 100 * 4096, 399 * 4096);
    walk(s, 60);
    assert_string_equal(first(s, SCAN_BY_GROWTH, &d), "store");
    assert_int_equal(d.bytes, 400 * 4096);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(growth_is_what_came_from_round_to_round)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("cache/old", 4 << 20);
    own_file("log/l", 4096);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 100);
    own_file("cache/en/new", 2 << 20);
    own_file("log/l", 4096);
    walk(s, 160);

    struct scan_dir d;
    assert_string_equal(first(s, SCAN_BY_GROWTH, &d), "cache/en");
    assert_int_equal(d.growth_per_min, 2 << 20);
    assert_false(d.from_ages);
    assert_string_equal(first(s, SCAN_BY_BYTES, &d), "cache");
    assert_int_equal(d.growth_per_min, 2 << 20);
    assert_int_equal(d.bytes, 6 << 20);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(rounds_near_each_other_tell_no_rate)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("cache/old", 4096);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 100);
    own_file("cache/new", 1 << 20);
    walk(s, 104);
    struct scan_dir d;
    assert_true(scan_get(s, scan_root(s, 0), &d));
    assert_true(d.from_ages); // a mebibyte in four seconds is no 15 a minute
    walk(s, 105);
    assert_true(scan_get(s, scan_root(s, 0), &d));
    assert_false(d.from_ages);
    assert_int_equal(d.growth_per_min, 12 << 20);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(empty_files_weigh_what_their_inodes_cost)
{
    NEED_OWN_TMPFS();
    char name[64];
    own_tmpfs_mount(NULL, "size=64m");
    own_file("data/f", 100000);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "locks/%d", i);
        own_file(name, 0);
    }
    own_file("data/f", 4096);
    walk(s, 60);

    struct scan_dir d;
    assert_string_equal(first(s, SCAN_BY_GROWTH, &d), "locks");
    assert_int_equal(d.growth_per_min, 0);
    assert_int_equal(d.files_per_min, 600);
    assert_string_equal(first(s, SCAN_BY_BYTES, &d), "locks");
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(what_is_deleted_shrinks_and_its_record_is_used_again)
{
    NEED_OWN_TMPFS();
    char path[256];
    own_tmpfs_mount(NULL, "size=64m");
    own_file("a/x/f", 1 << 20);
    own_file("b/f", 4096);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);
    snprintf(path, sizeof path, "%s/a/x/f", own_dir);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    walk(s, 60);

    struct scan_progress p;
    struct scan_dir root;
    scan_progress(s, &p);
    assert_int_equal(p.dirs, 3);
    assert_int_equal(bytes_of(s, 0), 4096);
    assert_true(scan_get(s, scan_root(s, 0), &root));
    assert_int_equal(root.growth_per_min, -(1 << 20));
    own_file("c/d/f", 4096);
    walk(s, 120);
    scan_progress(s, &p);
    assert_int_equal(p.dirs, 5);
    assert_string_equal(first(s, SCAN_BY_GROWTH, &root), "c/d");
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(directories_that_stay_are_known_again_however_many_go)
{
    NEED_OWN_TMPFS();
    enum { DIRS = 3000 };
    char name[300];
    own_tmpfs_mount(NULL, "size=64m");
    for (int i = 0; i < DIRS; i++) {
        snprintf(name, sizeof name, "%d/f", i);
        own_file(name, 1);
    }
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);
    for (int i = 0; i < DIRS; i += 2) {
        snprintf(name, sizeof name, "%s/%d/f", own_dir, i);
        assert_int_equal(unlink(name), 0);
        *strrchr(name, '/') = '\0';
        assert_int_equal(rmdir(name), 0);
    }
    walk(s, 60);
    walk(s, 120); // finds them by the index from which the others were taken
    struct scan_progress p;
    struct scan_dir d;
    scan_progress(s, &p);
    assert_int_equal(p.dirs, 1 + DIRS / 2);
    int found = 0;
    for (uint32_t id = 0; id <= DIRS; id++)
        if (scan_get(s, id, &d) && d.parent != SCAN_NONE) {
            assert_int_equal(d.growth_per_min, 0); // not taken for new
            found++;
        }
    assert_int_equal(found, DIRS / 2);
    for (int i = 0; i < DIRS; i += 2) {
        snprintf(name, sizeof name, "new%d/f", i);
        own_file(name, 1);
    }
    walk(s, 180);
    scan_progress(s, &p);
    assert_int_equal(p.dirs, 1 + DIRS);
    for (uint32_t id = DIRS + 1; id < SCAN_DIRS; id++) // records of those that went are used again
        assert_false(scan_get(s, id, &d));
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

static uint64_t some_ino(uint32_t n)
{
    return (n + UINT64_C(1)) * (n + UINT64_C(7)) * UINT64_C(2654435761) ^ n; // clustered: the index must probe
}

T(the_index_finds_what_stays_after_anything_is_taken_out)
{
    struct scan *s = scan_new();
    enum { N = 50000 };
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(scan__add(s, (int)(i % 3), some_ino(i)), i);
    for (uint32_t i = 0; i < N; i += 1 + i % 3)
        scan__del(s, i);

    bool gone[N] = {false};
    for (uint32_t i = 0; i < N; i += 1 + i % 3)
        gone[i] = true;
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(scan__find(s, (int)(i % 3), some_ino(i)), gone[i] ? SCAN_NONE : i);
    scan_free(s);
}

T(without_a_second_round_growth_comes_from_the_ages_of_files)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("cache/f", 6 << 20);
    struct stat st;
    int fd = own_open("cache/f");
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    // Five minutes on: the mount is as old as the file, so it came at 6 MiB in 5 minutes. An hour on it is old.
    assert_true(scan_step(s, 0, (double)st.st_mtime + 300, 0, tick, NULL));

    struct scan_dir d;
    assert_string_equal(first(s, SCAN_BY_GROWTH, &d), "cache");
    assert_true(d.from_ages);
    assert_in_range(d.growth_per_min, (6 << 20) / 5 * 0.95, (6 << 20) / 5 * 1.05);
    scan_free(s);
    s = scan_new();
    set_up(s, 0, NULL);
    assert_true(scan_step(s, 0, (double)st.st_mtime + 3600, 0, tick, NULL));
    assert_int_equal(scan_top(s, -1, SCAN_BY_GROWTH, 0.1, 1, &d), 0);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(where_files_have_no_birth_the_oldest_change_is_the_beginning)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("cache/f", 6 << 20);
    struct stat st;
    int fd = own_open("cache/f");
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    struct scan *s = scan_new();
    s->no_statx = true; // as in gVisor
    set_up(s, 0, NULL);
    assert_true(scan_step(s, 0, (double)st.st_mtime + 120, 0, tick, NULL));

    struct scan_dir d;
    assert_string_equal(first(s, SCAN_BY_GROWTH, &d), "cache");
    assert_true(d.from_ages);
    assert_in_range(d.growth_per_min, 3 * 0.95 * (1 << 20), 3 * 1.05 * (1 << 20));
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(of_hashed_directories_the_one_above_is_named)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    char name[64];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "app/cache/en/%02x/%02x/f", i, i);
        own_file(name, 20000);
    }
    own_file("app/md/f", 200000);
    own_file("log/f", 4096);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);

    struct scan_dir top[8];
    char path[64];
    assert_int_equal(scan_top(s, 0, SCAN_BY_BYTES, 0.1, 8, top), 2);
    assert_int_equal(scan_path(s, top[0].id, path, sizeof path), 0);
    assert_string_equal(path, "app/cache/en");
    assert_int_equal(top[0].files, 64);
    assert_int_equal(scan_path(s, top[1].id, path, sizeof path), 0);
    assert_string_equal(path, "app/md");
    assert_int_equal(scan_path(s, top[0].id, path, 8), -ENAMETOOLONG);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(the_biggest_files_of_a_directory_are_named_when_asked)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("d/small", 4096);
    own_file("d/sub/big", 1 << 20);
    own_file("d/middle", 50000);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    walk(s, 0);
    struct scan_dir d = {0};
    struct scan_file file[2];
    for (uint32_t id = 0; id < 4; id++)
        if (scan_get(s, id, &d) && d.parent == scan_root(s, 0))
            break;

    assert_int_equal(scan_files(s, d.id, SCAN_BY_BYTES, WALL, 1000, 2, file), 2);
    assert_string_equal(file[0].path, "sub/big");
    assert_int_equal(file[0].bytes, 1 << 20);
    assert_string_equal(file[1].path, "middle");
    assert_int_equal(scan_files(s, d.id, SCAN_BY_BYTES, WALL, 1, 2, file) <= 1, 1);
    assert_int_equal(scan_files(s, 999999, SCAN_BY_BYTES, WALL, 1000, 2, file), -ENOENT);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(a_directory_that_is_gone_has_no_path)
{
    NEED_OWN_TMPFS();
    char path[256];
    own_tmpfs_mount(NULL, "size=64m");
    own_file("d/f", 4096);
    struct scan *s = scan_new();
    struct scan_dir d;
    set_up(s, 0, NULL);
    walk(s, 0);
    assert_string_equal(first(s, SCAN_BY_BYTES, &d), "d");
    snprintf(path, sizeof path, "%s/d/f", own_dir);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);

    assert_int_equal(scan_path(s, d.id, path, sizeof path), -ENOENT);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(a_mount_taken_away_in_the_middle_of_its_walk_is_forgotten)
{
    NEED_OWN_TMPFS();
    own_tmpfs_mount(NULL, "size=64m");
    char name[64];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "a%d/f", i);
        own_file(name, 1);
    }
    struct scan *s = scan_new();
    set_up(s, 3, NULL);
    int64_t slow = 1000;
    assert_false(scan_step(s, 0, WALL, 1000, tick, &slow));
    scan_unset_mount(s, 3);
    walk(s, 1);
    walk(s, 2);

    struct scan_progress p;
    scan_progress(s, &p);
    assert_int_equal(p.dirs, 0);
    assert_int_equal(bytes_of(s, 3), -1);
    set_up(s, 3, NULL);
    walk(s, 3);
    assert_int_equal(bytes_of(s, 3), 200 * 4096);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

T(what_may_not_be_read_is_counted_as_missed)
{
    NEED_OWN_TMPFS();
    char path[256];
    own_tmpfs_mount(NULL, "size=64m");
    own_file("secret/f", 4096);
    own_file("open/f", 4096);
    snprintf(path, sizeof path, "%s/secret", own_dir);
    assert_int_equal(chmod(path, 0700), 0);
    struct scan *s = scan_new();
    set_up(s, 0, NULL);
    assert_int_equal(chmod(own_dir, 0755), 0);
    assert_int_equal(seteuid(65534), 0);
    bool done = scan_step(s, 0, WALL, 0, tick, NULL);
    assert_int_equal(seteuid(0), 0);

    assert_true(done);
    struct scan_total total;
    scan_total(s, 0, &total);
    assert_int_equal(total.missed, 1);
    assert_int_equal(total.bytes, 4096);
    scan_free(s);
    own_tmpfs_unmount(NULL);
}

// A walk in steps of a few entries; what it says is covered, in turn, until the round's end. How many steps it took.
static int covered_in_steps(struct scan *s, double covered[], int max)
{
    int64_t slow = 1000;
    int n = 0;
    struct scan_progress p;
    bool done;
    do {
        done = scan_step(s, 0, WALL, 1000, tick, &slow);
        scan_progress(s, &p);
        assert_true(n < max);
        covered[n++] = p.covered;
    } while (!done);
    return n;
}

T(coverage_is_the_inodes_seen_of_those_there_are)
{
    NEED_OWN_TMPFS();
    double covered[1000];
    own_tmpfs_mount(NULL, "size=64m");
    own_tmpfs_mount("other", "size=64m");
    char name[64];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "d%d/f%d", i % 20, i);
        own_file(name, 1);
    }
    own_file("other/f", 1);
    struct scan *s = scan_new();
    struct stat st;
    int fd = own_open("."), other = own_open("other");
    assert_int_equal(fstat(fd, &st), 0);
    struct scan_mount m = {.fd = fd, .dev = st.st_dev, .inodes = 4 * 421};
    scan_set_mount(s, 3, &m);
    int n = covered_in_steps(s, covered, 1000);
    assert_true(n >= 5);
    for (int i = 0; i + 1 < n; i++) { // a quarter of the inodes that statvfs counts can be found
        assert_true(covered[i] > (i ? covered[i - 1] : -1) - 1e-9 && covered[i] >= 0 && covered[i] <= 0.25);
    }
    assert_true(covered[n - 2] > 0.15);
    assert_true(covered[n - 1] == 1); // the round has ended
    m.inodes = 100; // fewer than there are: it was counted before they came
    scan_set_mount(s, 3, &m);
    n = covered_in_steps(s, covered, 1000);
    for (int i = 0; i < n; i++)
        assert_true(covered[i] >= 0 && covered[i] <= 1);
    assert_true(covered[n - 2] == 1);
    // Of one the inodes aren't counted: nothing is known until the end.
    assert_int_equal(fstat(other, &st), 0);
    scan_set_mount(s, 5, &(struct scan_mount){.fd = other, .dev = st.st_dev});
    n = covered_in_steps(s, covered, 1000);
    for (int i = 0; i + 1 < n; i++)
        assert_true(covered[i] == -1);
    assert_true(covered[n - 1] == 1);
    scan_free(s);
    own_tmpfs_unmount("other");
    own_tmpfs_unmount(NULL);
}

T(of_an_overlay_what_was_written_counts_and_the_image_does_not)
{
    NEED_OWN_TMPFS();
    char options[1024], path[256];
    struct stat st;
    own_tmpfs_mount(NULL, "size=16m");
    own_tmpfs_mount("image", "size=16m");
    own_tmpfs_mount("up", "size=16m");
    own_file("image/etc/file", 100000);
    own_file("image/etc/deep/file", 100000);
    static const char *const made[] = {"up/upper", "up/work", "merged"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", own_dir, made[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    snprintf(options, sizeof options, "lowerdir=%s/image,upperdir=%s/up/upper,workdir=%s/up/work", own_dir, own_dir, own_dir);
    snprintf(path, sizeof path, "%s/merged", own_dir);
    if (mount("none", path, "overlay", 0, options) < 0) {
        own_tmpfs_unmount(NULL);
        print_message("skipped: no overlay can be mounted here\n");
        skip();
    }
    own_file("merged/new/f", 8192);
    own_file("merged/etc/g", 4096);
    struct scan *s = scan_new();
    int fd = own_open("merged"), image = own_open("merged/etc/file");
    assert_int_equal(fstat(image, &st), 0);
    dev_t image_dev = st.st_dev;
    assert_int_equal(fstat(fd, &st), 0);
    scan_set_mount(s, 0, &(struct scan_mount){.fd = fd, .dev = st.st_dev, .skip_dev = image_dev, .overlay = true});
    walk(s, 0);

    assert_int_equal(bytes_of(s, 0), 8192 + 4096);
    struct scan_dir d;
    assert_string_equal(first(s, SCAN_BY_BYTES, &d), "new");
    scan_free(s);
    close(image);
    close(fd);
    own_tmpfs_unmount("merged");
    own_tmpfs_unmount(NULL);
}

T(of_an_overlay_directories_with_blocks_are_of_the_image_but_for_the_root)
{
    char dir[] = "/var/tmp/plimsoll-scan-XXXXXX", path[300];
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sub", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/sub/f", dir);
    for (int i = 0; i < 2; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
        snprintf(path, sizeof path, "%s/f", dir);
    }
    struct scan *s = scan_new();
    int fd = open(dir, O_PATH | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/sub", dir);
    assert_int_equal(stat(path, &st), 0);
    bool has_blocks = st.st_blocks > 0;
    if (has_blocks) {
        scan_set_mount(s, 0, &(struct scan_mount){.fd = fd, .dev = st.st_dev, .skip_dev = st.st_dev + 1, .overlay = true});
        walk(s, 0);
        struct scan_total total;
        scan_total(s, 0, &total);
        assert_int_equal(total.inodes, 2); // the root and its file
        assert_int_equal(total.missed, 0);
        scan_set_mount(s, 0, &(struct scan_mount){.fd = fd, .dev = st.st_dev});
        walk(s, 1);
        scan_total(s, 0, &total);
        assert_int_equal(total.inodes, 4);
    }
    scan_free(s);
    close(fd);
    static const char *const names[] = {"sub/f", "sub", "f", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    if (!has_blocks) {
        print_message("skipped: directories take no blocks here\n");
        skip();
    }
}

CLAIMS_WITH_TMPFS(C(a_walk_finds_every_byte_and_every_inode), C(a_file_with_two_names_counts_once_and_a_hole_not_at_all),
                  C(other_file_systems_and_symbolic_links_are_not_followed), C(a_tree_bound_into_itself_counts_once),
                  C(deeper_than_it_goes_is_told_not_walked), C(more_names_than_there_is_room_for_are_entered_all_the_same),
                  C(directories_without_a_record_count_for_the_one_above),
                  C(a_step_ends_with_its_budget_and_the_next_goes_on_there),
                  C(a_round_that_takes_long_names_already_what_it_has_seen), C(growth_is_what_came_from_round_to_round),
                  C(empty_files_weigh_what_their_inodes_cost), C(what_is_deleted_shrinks_and_its_record_is_used_again),
                  C(directories_that_stay_are_known_again_however_many_go),
                  C(the_index_finds_what_stays_after_anything_is_taken_out),
                  C(without_a_second_round_growth_comes_from_the_ages_of_files),
                  C(where_files_have_no_birth_the_oldest_change_is_the_beginning),
                  C(of_hashed_directories_the_one_above_is_named), C(the_biggest_files_of_a_directory_are_named_when_asked),
                  C(a_directory_that_is_gone_has_no_path), C(a_mount_taken_away_in_the_middle_of_its_walk_is_forgotten),
                  C(what_may_not_be_read_is_counted_as_missed), C(coverage_is_the_inodes_seen_of_those_there_are), C(rounds_near_each_other_tell_no_rate),
                  C(of_an_overlay_what_was_written_counts_and_the_image_does_not),
                  C(of_an_overlay_directories_with_blocks_are_of_the_image_but_for_the_root))
