// SPDX-License-Identifier: Apache-2.0
// The eye on a real child with a real tmpfs, in a made-up cgroup whose counters say what the child's memory is.
#include "mem/eye.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_tree.h"
#include "own_tmpfs.h"

#include "base/clock.h"
#include "mem/cgroup_find.h"

#define MIB (INT64_C(1) << 20)

static struct mem_roots roots;
static struct mem_where where;
static struct eye *eye;
static struct ledger ledger;
static pid_t child;

// 8 MiB anonymous, a memfd of 2 MiB, a deleted file of 1 MiB on the tmpfs.
static void be_child(int ready)
{
    char path[256];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char *anon = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(anon, 1, 8 << 20);
    int mem = memfd_create("held", MFD_CLOEXEC);
    snprintf(path, sizeof path, "%s/gone", own_dir);
    int gone = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (write(mem, anon, 2 << 20) != 2 << 20 || write(gone, anon, 1 << 20) != 1 << 20 || unlink(path) < 0 ||
        write(ready, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static int64_t pss_anon(pid_t pid)
{
    char name[64], line[256];
    long long kib = -1;
    snprintf(name, sizeof name, "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(name, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Pss_Anon: %lld kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

static void write_counters(int64_t anon, int64_t shmem, int64_t cache, int64_t kernel, int64_t reserve)
{
    char text[512];
    snprintf(text, sizeof text, "%lld\n", (long long)(anon + shmem + cache + kernel + reserve));
    fake_file("sys/g/memory.usage_in_bytes", text);
    snprintf(text, sizeof text, "%lld\n", (long long)kernel);
    fake_file("sys/g/memory.kmem.usage_in_bytes", text);
    snprintf(text, sizeof text,
             "hierarchical_memory_limit 268435456\ntotal_cache %lld\ntotal_rss %lld\ntotal_shmem %lld\ntotal_mapped_file 0\n"
             "total_inactive_file %lld\ntotal_active_file 0\n",
             (long long)(cache + shmem), (long long)anon, (long long)shmem, (long long)cache);
    fake_file("sys/g/memory.stat", text);
}

// The machine's own files in memory are charged to others and would be looked at, too.
static void hide_others(void)
{
    char line[1024], path[512], type[64];
    FILE *f = fopen("/proc/self/mounts", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%*s %511s %63s", path, type) == 2 && strcmp(type, "tmpfs") == 0)
            (void)umount2(path, MNT_DETACH);
    if (f)
        fclose(f);
}

static int set_up(void **state)
{
    char sys[100], text[32], byte;
    int ready[2];
    if (own_why)
        return 0;
    hide_others();
    own_tmpfs_mount(NULL, "size=64m");
    own_file("cache/en/f", 4 << 20);
    own_file("log", 4096);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    if (child == 0)
        be_child(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    fake_make();
    snprintf(text, sizeof text, "%d\n", child);
    fake_file("sys/g/cgroup.procs", text);
    write_counters(pss_anon(child), 7 * MIB + 4096, 3 * MIB, MIB, 100000);
    snprintf(sys, sizeof sys, "%s/sys", fake_dir);
    assert_int_equal(mem_roots_open(NULL, sys, &roots), 0);
    assert_int_equal(mem_roots_enter(&roots, "/", 0), 0);
    assert_int_equal(mem_where_path(&roots, "g", &where), 0);
    struct eye_options options = {.now_us = clock_brought_us, .pid = child, .budget_us = 500};
    assert_int_equal(eye_open(&roots, &where, &options, &eye), 0);
    return 0;
}

static void end_child(void)
{
    if (!child)
        return;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = 0;
}

static int tear_down(void **state)
{
    if (own_why)
        return 0;
    eye = eye_close(eye);
    end_child();
    mem_where_close(&where);
    mem_roots_close(&roots);
    fake_remove();
    own_tmpfs_unmount(NULL);
    return 0;
}

static const struct ledger_entry *find(enum ledger_category c, const char *name)
{
    for (int i = 0; i < ledger.n; i++)
        if (ledger.entry[i].category == c && !ledger.entry[i].elsewhere && strstr(ledger.entry[i].name, name))
            return &ledger.entry[i];
    return NULL;
}

static void walk(double t)
{
    for (int i = 0; !eye_walk(eye, t, 100000); i++)
        assert_true(i < 100);
}

T(a_full_look_and_a_walk_make_a_ledger_that_balances)
{
    NEED_OWN_TMPFS();
    struct eye_view view;
    assert_int_equal(eye_look(eye, 1e9, EYE_FULL), 0);
    walk(1e9);
    eye_ledger(eye, &ledger);
    eye_view(eye, &view);

    assert_int_equal(view.nprocs, 1);
    assert_int_equal(view.sight, SIGHT_FULL);
    assert_true(ledger_balances(&ledger));
    assert_in_range(ledger.sum[LEDGER_ANON], 8 * MIB, 32 * MIB); // a sanitizer takes some, too
    const struct ledger_entry *mount = find(LEDGER_FILES, own_dir), *deleted = find(LEDGER_FILES, "gone (deleted)");
    assert_int_equal(mount->bytes, 5 * MIB + 4096);
    assert_int_equal(deleted->bytes, MIB);
    assert_int_equal(deleted->pid, child);
    assert_ptr_equal(&ledger.entry[deleted->parent], mount);
    assert_int_equal(find(LEDGER_FILES, "/cache/en")->bytes, 4 * MIB);
    assert_int_equal(find(LEDGER_SHARED, "/memfd:held")->bytes, 2 * MIB);
    assert_int_equal(view.sample->v[MEM_deleted_files], MIB);
    assert_int_equal(view.sample->v[MEM_segments], 2 * MIB);
    assert_true(view.sample->v[MEM_mnt_used] >= 5 * MIB + 4096);
}

T(a_mount_that_only_another_process_sees_is_found)
{
    NEED_OWN_TMPFS();
    char text[64], byte;
    int ready[2];
    assert_int_equal(eye_look(eye, 1e9, EYE_FIXED), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNS) < 0)
            _exit(1);
        own_tmpfs_mount("private", "size=8m");
        own_file("private/f", 3 << 20);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    snprintf(text, sizeof text, "%d\n%d\n", child, other);
    fake_file("sys/g/cgroup.procs", text);
    write_counters(pss_anon(child) + pss_anon(other), 10 * MIB + 4096, 3 * MIB, MIB, 0);
    assert_int_equal(eye_look(eye, 1e9 + 1, EYE_FULL), 0);
    walk(1e9 + 1);
    eye_ledger(eye, &ledger);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);

    assert_true(ledger_balances(&ledger));
    const struct ledger_entry *e = find(LEDGER_FILES, "/private");
    assert_non_null(e);
    assert_int_equal(e->bytes, 3 * MIB);
    assert_non_null(strstr(e->note, "own mount namespace"));
}

T(what_a_fork_shares_is_split_by_its_share_in_the_first_look)
{
    NEED_OWN_TMPFS();
    char text[64];
    struct eye_view view;
    char *shared = mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    memset(shared, 1, 32 << 20);
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    snprintf(text, sizeof text, "%d\n", other);
    fake_file("sys/g/cgroup.procs", text);
    assert_int_equal(eye_look(eye, 1e9, EYE_FULL), 0);
    eye_view(eye, &view);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    munmap(shared, 32 << 20);

    assert_int_equal(view.nprocs, 1);
    const struct proc_info *p = &view.procs[0];
    assert_int_equal(p->pid, other);
    assert_true(p->split_known);
    assert_true(p->rss_anon >= 32 * MIB);
    assert_true(p->pss_anon <= p->rss_anon - 12 * MIB);
    assert_in_range(p->split.total, p->pss_anon - MIB, p->pss_anon + MIB);
    assert_in_range(p->split.native, 0, p->pss_anon + MIB);
}

T(memory_of_nobody_in_sight_stays_unexplained)
{
    NEED_OWN_TMPFS();
    write_counters(pss_anon(child), 27 * MIB + 4096, 3 * MIB, MIB, 0);
    assert_int_equal(eye_look(eye, 1e9, EYE_FULL), 0);
    walk(1e9);
    eye_ledger(eye, &ledger);

    assert_false(ledger_balances(&ledger));
    assert_in_range(ledger.sum[LEDGER_UNEXPLAINED], 19 * MIB, 21 * MIB);
}

T(at_lower_sight_the_ledger_balances_by_the_counters)
{
    NEED_OWN_TMPFS();
    struct eye_view view;
    assert_int_equal(seteuid(65534), 0);
    int r = eye_look(eye, 1e9, EYE_FULL);
    bool done = false;
    for (int i = 0; i < 100 && !done; i++)
        done = eye_walk(eye, 1e9, 100000);
    r = r < 0 ? r : eye_look(eye, 1e9 + 1, EYE_FULL);
    eye_ledger(eye, &ledger);
    assert_int_equal(seteuid(0), 0);

    assert_int_equal(r, 0);
    assert_true(done);
    eye_view(eye, &view);
    assert_int_not_equal(view.sight, SIGHT_FULL);
    assert_int_equal(view.segments->unseen, 1);
    assert_false(mem_known(view.sample, MEM_segments));
    assert_in_range(view.sample->v[MEM_deleted_files], MIB, MIB + MIB / 4); // used but not found
    const struct ledger_entry *e = find(LEDGER_FILES, "in no directory");
    assert_non_null(e);
    assert_int_equal(e->bytes, MIB);
    assert_int_equal(find(LEDGER_FILES, own_dir)->bytes, 5 * MIB + 4096);
    // A memfd that nobody maps shows in no status: its 2 MiB are nobody's.
    assert_in_range(ledger.sum[LEDGER_UNEXPLAINED], 2 * MIB, 2 * MIB + 200000);
}

T(a_mount_that_comes_is_seen_at_the_next_look)
{
    NEED_OWN_TMPFS();
    struct eye_view view;
    assert_int_equal(eye_look(eye, 1e9, EYE_FIXED), 0);
    eye_view(eye, &view);
    int before = view.mounts->n;
    own_tmpfs_mount("more", "size=1m");
    own_file("more/f", 4096);
    assert_int_equal(eye_look(eye, 1e9 + 1, EYE_FIXED), 0);
    eye_view(eye, &view);

    assert_int_equal(view.mounts->n, before + 1);
    own_tmpfs_unmount("more");
    assert_int_equal(eye_look(eye, 1e9 + 2, EYE_FIXED), 0);
    eye_view(eye, &view);
    assert_int_equal(view.mounts->n, before);
}

T(budgeted_looks_come_round_to_everything)
{
    NEED_OWN_TMPFS();
    struct eye_view view;
    struct scan_progress progress = {0};
    eye_view(eye, &view);
    for (int i = 0; i < 200 && !(progress.rounds && mem_known(view.sample, MEM_segments) && mem_known(view.sample, MEM_sum_pss));
         i++) {
        assert_int_equal(eye_look(eye, 1e9 + i, EYE_BUDGETED), 0);
        eye_progress(eye, &progress);
    }
    assert_true(progress.rounds >= 1);
    assert_int_equal(view.sample->v[MEM_segments], 2 * MIB);
    assert_true(view.sample->v[MEM_sum_pss] > 8 * MIB);
    eye_ledger(eye, &ledger); // smaps_rollup is of another moment than the counters: they stand
    assert_true(find(LEDGER_ANON, "test_mem_eye") == NULL || find(LEDGER_ANON, "test_mem_eye")->estimate);
}

static int64_t racing_us(void *arg)
{
    static int64_t us;
    return us += 1000000;
}

T(a_full_look_at_processes_that_take_minutes_ends_and_says_so)
{
    NEED_OWN_TMPFS();
    struct eye_options options = {.now_us = racing_us, .pid = child, .budget_us = 500};
    struct eye_view view;
    char text[64];
    snprintf(text, sizeof text, "%d\n%d\n", getpid(), child);
    fake_file("sys/g/cgroup.procs", text);
    assert_int_equal(eye_look(eye, 1e9, EYE_FULL), 0);
    eye_view(eye, &view);
    assert_true(view.segments->complete);
    eye = eye_close(eye);
    assert_int_equal(eye_open(&roots, &where, &options, &eye), 0);
    assert_int_equal(eye_look(eye, 1e9, EYE_FULL), 0);
    eye_view(eye, &view);
    assert_false(view.segments->complete);
    assert_int_equal(view.nprocs, 2);
}

T(directories_and_files_are_named_on_request)
{
    NEED_OWN_TMPFS();
    struct eye_dir dir[4];
    struct scan_file file[2];
    char path[128];
    assert_int_equal(eye_look(eye, 1e9, EYE_FIXED), 0);
    walk(1e9);
    int n = eye_dirs(eye, SCAN_BY_BYTES, 4, dir), i = 0;
    snprintf(path, sizeof path, "%s/cache/en", own_dir);
    while (i < n && strcmp(dir[i].path, path) != 0)
        i++;
    assert_true(i < n);
    assert_int_equal(eye_files(eye, dir[i].id, SCAN_BY_BYTES, 2, file), 1);
    assert_string_equal(file[0].path, "f");
}

T(a_container_without_processes_is_told)
{
    NEED_OWN_TMPFS();
    struct eye_view view;
    assert_int_equal(eye_look(eye, 1e9, EYE_FIXED), 0);
    end_child();
    fake_file("sys/g/cgroup.procs", "");
    assert_int_equal(eye_look(eye, 1e9 + 1, EYE_FULL), -ESRCH);
    eye_view(eye, &view);
    assert_int_equal(view.sample->v[MEM_nprocs], 0);
    eye_ledger(eye, &ledger); // still one
    assert_true(ledger.n > 0);
}

T(looking_allocates_nothing)
{
    NEED_OWN_TMPFS();
    assert_int_equal(eye_look(eye, 1e9, EYE_FULL), 0); // names of the time zone and the like, if any
    size_t before = mallinfo2().uordblks;
    for (int i = 1; i < 20; i++) {
        assert_int_equal(eye_look(eye, 1e9 + i, i % 5 ? EYE_BUDGETED : EYE_FULL), 0);
        walk(1e9 + i);
        eye_ledger(eye, &ledger);
    }
    assert_int_equal(mallinfo2().uordblks, before);
}

T(the_directories_of_a_store_become_one_in_its_place)
{
    struct eye_dir dir[] = {{.bytes = 9, .files = 1, .growth_per_min = 5, .files_per_min = 1, .path = "/a"},
                            {.bytes = 7, .files = 2, .growth_per_min = INT64_MIN, .files_per_min = INT64_MIN, .path = "/s/x/1"},
                            {.bytes = 6, .files = 3, .growth_per_min = 4, .files_per_min = 2, .path = "/s/x/2"},
                            {.bytes = 4, .files = 4, .growth_per_min = 3, .files_per_min = 3, .path = "/s/xy"},
                            {.bytes = 3, .files = 5, .growth_per_min = 2, .files_per_min = 4, .path = "/s/x"}};
    assert_int_equal(eye_dirs_merge(dir, 5, "/s/x", SCAN_BY_BYTES), 3);
    assert_string_equal(dir[0].path, "/s/x"); // 16 of it: the biggest now
    assert_int_equal(dir[0].bytes, 16);
    assert_int_equal(dir[0].files, 10);
    assert_int_equal(dir[0].growth_per_min, 6);
    assert_int_equal(dir[0].files_per_min, 6);
    assert_string_equal(dir[1].path, "/a");
    assert_string_equal(dir[2].path, "/s/xy");
    dir[2].growth_per_min = 3;
    assert_int_equal(eye_dirs_merge(dir, 3, "/s/xy", SCAN_BY_GROWTH), 3);
    assert_string_equal(dir[0].path, "/s/x"); // it is the fastest already
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(eye_dirs_merge(dir, 3, (const char *[]){"", "/", "php-fpm (pid 7)"}[i], SCAN_BY_BYTES), 3);
}

T(an_eye_needs_a_clock_and_a_proc)
{
    struct eye *none = NULL;
    struct mem_roots nothing = {-1, -1, -1};
    struct mem_where nowhere = {.dir = -1};
    struct eye_options options = {0};
    assert_int_equal(eye_open(&nothing, &nowhere, &options, &none), -EINVAL);
    options.now_us = clock_brought_us;
    assert_int_equal(eye_open(&nothing, &nowhere, &options, &none), -EINVAL);
    assert_null(none);
    assert_null(eye_close(NULL));
}

#define E(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
CLAIMS_WITH_TMPFS(E(a_full_look_and_a_walk_make_a_ledger_that_balances), E(a_mount_that_only_another_process_sees_is_found),
                  E(what_a_fork_shares_is_split_by_its_share_in_the_first_look),
                  E(memory_of_nobody_in_sight_stays_unexplained), E(at_lower_sight_the_ledger_balances_by_the_counters),
                  E(a_mount_that_comes_is_seen_at_the_next_look), E(budgeted_looks_come_round_to_everything),
                  E(a_full_look_at_processes_that_take_minutes_ends_and_says_so), E(directories_and_files_are_named_on_request),
                  E(a_container_without_processes_is_told), E(looking_allocates_nothing),
                  C(the_directories_of_a_store_become_one_in_its_place), C(an_eye_needs_a_clock_and_a_proc))
