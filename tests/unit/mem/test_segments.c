// SPDX-License-Identifier: Apache-2.0
#include "mem/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_tree.h"

#include "mem/deleted.h"

static struct segments g;
static char scratch[8192];

static bool nowhere(dev_t dev, void *arg)
{
    return false;
}

static bool everywhere(dev_t dev, void *arg)
{
    return true;
}

static bool is_17(pid_t pid, void *arg)
{
    return pid == 17;
}

static int parse(const char *text, struct map_line *ret, char *line, size_t size)
{
    snprintf(line, size, "%s", text);
    return segments_parse_map(line, ret);
}

T(a_line_of_maps_is_taken_apart)
{
    char line[256];
    struct map_line m;

    assert_int_equal(
        parse("7f0a1000-7f0b2000 rw-s 00003000 00:01 4711                       /dev/zero (deleted)", &m, line, sizeof line), 0);
    assert_int_equal(m.start, 0x7f0a1000);
    assert_int_equal(m.end, 0x7f0b2000);
    assert_string_equal(m.perms, "rw-s");
    assert_int_equal(m.offset, 0x3000);
    assert_int_equal(m.minor, 1);
    assert_int_equal(m.ino, 4711);
    assert_string_equal(m.path, "/dev/zero (deleted)");
    assert_int_equal(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 ", &m, line, sizeof line), 0);
    assert_string_equal(m.path, "");
}

T(garbage_is_no_mapping)
{
    static const char *const garbage[] = {"",
                                          "7f-",
                                          "7f-80",
                                          "80-7f rw-s 0 00:01 1 x",
                                          "7f-80 rw 0 00:01 1",
                                          "7f-80 rw-s zz 00:01 1",
                                          "7f-80 rw-s 0 0001 1",
                                          "7f-80 rw-s 0 00:01 x",
                                          "7f-80 rw-s 0 00:01 99999999999999999999999",
                                          "11111111111111111-22222222222222222 rw-s 0 00:01 1",
                                          "7f-80 rw-s 0 fffffffff:01 1",
                                          "Size:   4 kB"};
    char line[256];
    struct map_line m;

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        assert_int_equal(parse(garbage[i], &m, line, sizeof line), -EINVAL);
}

T(what_a_mapping_is_shows_in_its_path)
{
    static const struct {
        const char *path;
        bool is;
        enum segment_kind kind;
    } cases[] = {{"/dev/zero (deleted)", true, SEGMENT_SHARED_ANON},
                 {"/SYSV0000002a (deleted)", true, SEGMENT_SYSV},
                 {"/memfd:jit (deleted)", true, SEGMENT_MEMFD},
                 {"/dev/shm/x (deleted)", true, SEGMENT_DELETED},
                 {"/SYSVish (deleted)", true, SEGMENT_DELETED},
                 {"/dev/zero", false, 0},
                 {"/usr/lib/libc.so.6", false, 0},
                 {" (deleted)", false, 0},
                 {"[heap]", false, 0},
                 {"", false, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum segment_kind kind = 99;
        assert_int_equal(segments_kind_of(cases[i].path, &kind), cases[i].is);
        if (cases[i].is)
            assert_int_equal(kind, cases[i].kind);
    }
}

static const struct segment *find(enum segment_kind kind, ino_t ino)
{
    for (int i = 0; i < g.n; i++)
        if (g.s[i].kind == kind && g.s[i].ino == ino)
            return &g.s[i];
    return NULL;
}

T(a_segment_of_two_processes_counts_once)
{
    static const char maps[] = "7f0000000000-7f0000800000 rw-s 00000000 00:01 9    /dev/zero (deleted)\n"
                               "7f0000800000-7f0000801000 rw-s 00000000 00:01 9    /dev/zero (deleted)\n"
                               "7f0000800000-7f0000801000 rw-p 00000000 00:00 0\n"
                               "7f0000801000-7f0000802000 r--p 00000000 08:01 9    /lib/x (deleted)\n";
    static const char smaps[] =
        "7f0000000000-7f0000800000 rw-s 00000000 00:01 9    /dev/zero (deleted)\nRss: 4096 kB\nPss: 2048 kB\n"
        "VmFlags: rd wr\n"
        "7f0000800000-7f0000801000 rw-p 00000000 00:00 0\nPss: 99 kB\n";
    fake_make();
    fake_file("1/maps", maps);
    fake_file("1/smaps", smaps);
    fake_file("2/maps", maps);
    fake_file("2/smaps", smaps);
    segments_init(&g);
    segments_begin(&g);
    for (pid_t pid = 1; pid <= 2; pid++) {
        int dir = open(fake_path(pid == 1 ? "1" : "2"), O_PATH | O_DIRECTORY);
        assert_int_equal(segments_read_maps(&g, dir, pid, true, nowhere, NULL, scratch, sizeof scratch), 0);
        close(dir);
    }
    segments_end(&g);

    assert_int_equal(g.n, 1);
    const struct segment *s = find(SEGMENT_SHARED_ANON, 9);
    assert_non_null(s);
    assert_int_equal(s->bytes, 4096 * 1024);
    assert_true(s->estimate);
    assert_int_equal(s->size, 0x800000);
    assert_int_equal(s->holders, 2);
    assert_int_equal(s->owner, 1);
    assert_string_equal(s->name, "/dev/zero");
    fake_remove();
}

T(what_a_round_does_not_see_is_dropped)
{
    segments_init(&g);
    segments_begin(&g);
    segments_hold(segments_get(&g, SEGMENT_MEMFD, 1, 1), 5);
    segments_hold(segments_get(&g, SEGMENT_MEMFD, 1, 2), 5);
    segments_end(&g);
    segments_begin(&g);
    segments_hold(segments_get(&g, SEGMENT_MEMFD, 1, 2), 6);
    segments_end(&g);

    assert_int_equal(g.n, 1);
    assert_int_equal(g.s[0].ino, 2);
    assert_int_equal(g.s[0].owner, 6);
    assert_int_equal(g.s[0].holders, 1);
}

T(what_could_not_be_seen_is_told_when_the_round_is_over)
{
    segments_init(&g);
    segments_begin(&g);
    g.running_unseen = 2;
    g.running_complete = false;
    segments_end(&g);
    assert_int_equal(g.unseen, 2);
    assert_false(g.complete);
    segments_begin(&g);
    assert_int_equal(g.unseen, 2); // still, while the next is under way
    segments_end(&g);
    assert_int_equal(g.unseen, 0);
    assert_true(g.complete);
}

// n deleted files of a page each, as one process after the other has them open.
static void add_deleted(int n, int processes)
{
    for (pid_t pid = 1; pid <= processes; pid++)
        for (int i = 0; i < n; i++) {
            struct segment *s = segments_get(&g, SEGMENT_DELETED, 7, (ino_t)i + 1);
            if (s) {
                segments_hold(s, pid);
                s->bytes = 4096;
            } else {
                segments_add_more(&g, &(struct segment){.kind = SEGMENT_DELETED, .dev = 7, .ino = (ino_t)i + 1, .bytes = 4096},
                                  pid);
            }
        }
}

T(what_is_beyond_the_table_is_summed_up_once)
{
    segments_init(&g);
    for (int round = 0; round < 2; round++) {
        segments_begin(&g);
        add_deleted(1000, 2);
        segments_end(&g);
        assert_int_equal(segments_sum(&g, SEGMENT_DELETED), 1000 * 4096);
        const struct segment *more = find(SEGMENT_DELETED, SEGMENTS_MORE);
        assert_non_null(more);
        assert_int_equal(more->more, g.dropped);
        char name[SEGMENT_NAME];
        snprintf(name, sizeof name, "%d others", g.dropped);
        assert_string_equal(more->name, name);
        assert_int_equal(more->holders, 2);
        assert_true(g.dropped > 1000 - SEGMENTS_MAX);
        assert_false(g.lost);
    }
    segments_begin(&g);
    assert_non_null(segments_get(&g, SEGMENT_SHARED_ANON, 1, 1)); // there is room left for what is mapped
    segments_end(&g);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.dropped, 0);
}

T(more_than_can_be_told_apart_makes_sums_unknown)
{
    segments_init(&g);
    segments_begin(&g);
    add_deleted(SEGMENTS_KEYS, 1);
    segments_end(&g);
    assert_true(g.lost);
    segments_begin(&g);
    segments_end(&g);
    assert_false(g.lost);
}

T(a_name_shows_its_end_and_nothing_a_terminal_obeys)
{
    struct segment s;
    char path[300];

    segments_name(&s, "/tmp/\xc2\x9b"
                      "31m\xffé");
    assert_string_equal(s.name, "/tmp/?31m?é");
    segments_name(&s, "/tmp/a\033[31m\nb (deleted)");
    assert_string_equal(s.name, "/tmp/a?[31m?b");
    memset(path, 'x', sizeof path);
    strcpy(path + 250, "/end (deleted)");
    segments_name(&s, path);
    assert_int_equal(strlen(s.name), SEGMENT_NAME - 1);
    assert_string_equal(s.name + SEGMENT_NAME - 5, "/end");
}

T(sysv_segments_are_ours_by_their_maker)
{
    fake_make();
    fake_file(
        "sysvipc/shm",
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime   "
        "   ctime                   rss                  swap\n"
        "         0          3   600               8388608    17    17      0     0     0     0     0 1 1 1     "
        "          4194304                     0\n"
        "         0          4   600               8388608    18    17      0     0     0     0     0 1 1 1     "
        "          4096                     0\n"
        "         garbage\n"
        "         0          -1   600               1    17    17      0     0     0     0     0 1 1 1 1 0\n");
    int proc = open(fake_path("."), O_PATH | O_DIRECTORY);
    segments_init(&g);
    segments_begin(&g);
    assert_int_equal(segments_read_sysv(&g, proc, is_17, NULL, scratch, sizeof scratch), 0);
    segments_end(&g);

    assert_int_equal(g.n, 1);
    assert_int_equal(g.s[0].bytes, 4194304);
    assert_int_equal(g.s[0].size, 8388608);
    assert_int_equal(g.s[0].owner, 17);
    assert_int_equal(segments_sum(&g, SEGMENT_SYSV), 4194304);
    close(proc);
    fake_remove();
}

T(sysv_segments_beyond_the_table_are_summed_up)
{
    static char table[(SEGMENTS_MAX + 8) * 128];
    size_t at = 0;
    fake_make();
    for (int i = 1; i <= SEGMENTS_MAX + 5; i++)
        at += (size_t)snprintf(table + at, sizeof table - at, "0 %d 600 8192 17 17 0 0 0 0 0 1 1 1 4096 0\n", i);
    fake_file("sysvipc/shm", table);
    int proc = open(fake_path("."), O_PATH | O_DIRECTORY);
    segments_init(&g);
    segments_begin(&g);
    assert_int_equal(segments_read_sysv(&g, proc, is_17, NULL, scratch, sizeof scratch), 0);
    segments_end(&g);

    const struct segment *more = find(SEGMENT_SYSV, SEGMENTS_MORE);
    assert_non_null(more);
    assert_int_equal(more->more, g.dropped);
    assert_int_equal(segments_sum(&g, SEGMENT_SYSV), (SEGMENTS_MAX + 5) * 4096);
    close(proc);
    fake_remove();
}

T(files_that_lack_are_errors_and_change_nothing)
{
    fake_make();
    int dir = open(fake_path("."), O_PATH | O_DIRECTORY);
    segments_init(&g);
    segments_begin(&g);
    assert_int_equal(segments_read_maps(&g, dir, 1, true, nowhere, NULL, scratch, sizeof scratch), -ENOENT);
    assert_int_equal(segments_read_sysv(&g, dir, is_17, NULL, scratch, sizeof scratch), -ENOENT);
    assert_int_equal(deleted_read(&g, dir, 1, 10, nowhere, NULL), -ENOENT);
    fake_file("maps", "garbage\n\n7f-\n");
    assert_int_equal(segments_read_maps(&g, dir, 1, true, nowhere, NULL, scratch, sizeof scratch), 0);
    assert_int_equal(g.n, 0);
    close(dir);
    fake_remove();
}

T(what_may_not_be_read_is_told_from_what_is_gone)
{
    fake_make();
    fake_file("maps", "");
    fake_file("sysvipc/shm", "");
    fake_folder("fd");
    int dir = open(fake_path("."), O_PATH | O_DIRECTORY);
    static const char *const names[] = {"maps", "sysvipc/shm", "fd"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(chmod(fake_path(names[i]), 0), 0);
    segments_init(&g);
    segments_begin(&g);
    fake_be_nobody();
    int maps = segments_read_maps(&g, dir, 1, true, nowhere, NULL, scratch, sizeof scratch);
    int sysv = segments_read_sysv(&g, dir, is_17, NULL, scratch, sizeof scratch),
        fds = deleted_read(&g, dir, 1, 10, nowhere, NULL);
    fake_be_self();
    assert_int_equal(maps, -EACCES);
    assert_int_equal(sysv, -EACCES);
    assert_int_equal(fds, -EACCES);
    close(dir);
    fake_remove();
}

// --- this very process

T(shared_memory_of_a_process_is_sized_by_what_it_touched)
{
    char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    memset(p, 1, 1 << 20);
    int self = open("/proc/self", O_PATH | O_DIRECTORY);
    segments_init(&g);
    segments_begin(&g);
    assert_int_equal(segments_read_maps(&g, self, getpid(), true, nowhere, NULL, scratch, sizeof scratch), 0);
    segments_end(&g);

    const struct segment *s = NULL;
    for (int i = 0; i < g.n; i++)
        if (g.s[i].kind == SEGMENT_SHARED_ANON && g.s[i].size == 4 << 20)
            s = &g.s[i];
    assert_non_null(s);
    assert_int_equal(s->bytes, 1 << 20);
    close(self);
    munmap(p, 4 << 20);
}

T(memfds_and_deleted_files_are_found_by_their_descriptors)
{
    char path[] = "/dev/shm/plimsoll-test-XXXXXX", kept[] = "/dev/shm/plimsoll-test (deleted)";
    static const char zeros[100000];
    int mem = memfd_create("scratch", MFD_CLOEXEC), gone = mkostemp(path, O_CLOEXEC);
    int named = open(kept, O_RDWR | O_CREAT | O_CLOEXEC, 0600), self = open("/proc/self", O_PATH | O_DIRECTORY);
    assert_true(mem >= 0 && gone >= 0 && named >= 0);
    assert_int_equal(write(mem, zeros, 8192), 8192);
    assert_int_equal(write(gone, zeros, sizeof zeros), sizeof zeros);
    assert_int_equal(write(named, zeros, 4096), 4096);
    assert_int_equal(unlink(path), 0);
    struct stat st;
    segments_init(&g);
    segments_begin(&g);
    assert_int_equal(deleted_read(&g, self, getpid(), 1000, nowhere, NULL), 0); // tmpfs is recognised by itself
    segments_end(&g);
    unlink(kept);

    assert_int_equal(fstat(mem, &st), 0);
    const struct segment *s = find(SEGMENT_MEMFD, st.st_ino);
    assert_non_null(s);
    assert_int_equal(s->bytes, 8192);
    assert_string_equal(s->name, "/memfd:scratch");
    assert_int_equal(fstat(gone, &st), 0);
    s = find(SEGMENT_DELETED, st.st_ino);
    assert_non_null(s);
    assert_int_equal(s->bytes, 102400);
    assert_int_equal(s->owner, getpid());
    assert_true(s->open);
    assert_int_equal(write(gone, zeros, 4096), 4096); // between rounds
    int proc = open("/proc", O_PATH | O_DIRECTORY);
    segments_refresh(&g, proc, 100);
    assert_int_equal(s->bytes, 106496);
    close(proc);
    assert_int_equal(fstat(named, &st), 0);
    assert_null(find(SEGMENT_DELETED, st.st_ino)); // its name only says so
    close(mem);
    close(gone);
    close(named);
    close(self);
}

T(only_what_is_known_exactly_and_has_an_owner_is_sized_again)
{
    struct stat st;
    int proc = open("/proc", O_PATH | O_DIRECTORY), mem = memfd_create("x", MFD_CLOEXEC);
    assert_int_equal(write(mem, "x", 1), 1);
    assert_int_equal(fstat(mem, &st), 0);
    struct segment held = {.kind = SEGMENT_MEMFD, .owner = getpid(), .ino = st.st_ino, .bytes = 7, .fd = mem};
    segments_init(&g);
    g.n = 4;
    g.s[0] = g.s[1] = g.s[2] = g.s[3] = held;
    g.s[0].owner = 0;
    g.s[1].bytes = -1;
    g.s[2].estimate = true;
    segments_refresh(&g, proc, 9);

    assert_int_equal(g.s[0].bytes, 7);
    assert_int_equal(g.s[1].bytes, -1);
    assert_int_equal(g.s[2].bytes, 7);
    assert_int_equal(g.s[3].bytes, (int64_t)st.st_blocks * 512);
    g.s[3].bytes = 7;
    g.s[3].ino++; // another object has its descriptor
    segments_refresh(&g, proc, 9);
    assert_int_equal(g.s[3].bytes, 7);
    close(mem);
    close(proc);
}

T(a_deleted_file_on_a_disk_is_no_memory)
{
    char path[] = "/var/tmp/plimsoll-test-XXXXXX";
    int gone = mkostemp(path, O_CLOEXEC), self = open("/proc/self", O_PATH | O_DIRECTORY);
    assert_true(gone >= 0);
    assert_int_equal(unlink(path), 0);
    struct stat st;
    assert_int_equal(fstat(gone, &st), 0);
    segments_init(&g);
    segments_begin(&g);
    assert_int_equal(deleted_read(&g, self, getpid(), 1000, nowhere, NULL), 0);
    assert_null(find(SEGMENT_DELETED, st.st_ino));
    assert_int_equal(deleted_read(&g, self, getpid(), 1000, everywhere, NULL), 0);
    assert_non_null(find(SEGMENT_DELETED, st.st_ino));
    assert_int_equal(deleted_read(&g, self, getpid(), 1, everywhere, NULL), -EOVERFLOW);
    close(gone);
    close(self);
}

CLAIMS(C(a_line_of_maps_is_taken_apart), C(garbage_is_no_mapping), C(what_a_mapping_is_shows_in_its_path),
       C(a_segment_of_two_processes_counts_once), C(what_a_round_does_not_see_is_dropped),
       C(what_could_not_be_seen_is_told_when_the_round_is_over), C(what_is_beyond_the_table_is_summed_up_once),
       C(more_than_can_be_told_apart_makes_sums_unknown), C(a_name_shows_its_end_and_nothing_a_terminal_obeys),
       C(sysv_segments_are_ours_by_their_maker), C(sysv_segments_beyond_the_table_are_summed_up),
       C(files_that_lack_are_errors_and_change_nothing),
       C(what_may_not_be_read_is_told_from_what_is_gone), C(shared_memory_of_a_process_is_sized_by_what_it_touched),
       C(memfds_and_deleted_files_are_found_by_their_descriptors), C(a_deleted_file_on_a_disk_is_no_memory),
       C(only_what_is_known_exactly_and_has_an_owner_is_sized_again))
