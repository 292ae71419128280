// SPDX-License-Identifier: Apache-2.0
// Claims about the table of processes: real children in a made-up group, and made-up processes.
#include "mem/proc_table.h"

#include <errno.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_tree.h"
#include "heap_image.h"

static struct proc_table *table;
static struct mem_sample sample;
static int group, proc;
static pid_t child[8];
static int n_children;

static int set_up(void **state)
{
    fake_make();
    fake_file("g/cgroup.procs", "");
    fake_folder("proc");
    group = open(fake_path("g"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    n_children = 0;
    memset(&sample, 0, sizeof sample);
    return 0;
}

static void end_child(int i)
{
    if (child[i]) {
        kill(child[i], SIGKILL);
        waitpid(child[i], NULL, 0);
    }
    child[i] = 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < n_children; i++)
        end_child(i);
    table = proc_table_close(table);
    close(group);
    close(proc);
    fake_remove();
    return 0;
}

static void list_children(void)
{
    char text[128] = "";
    size_t at = 0;

    for (int i = 0; i < n_children; i++) {
        if (child[i])
            at += (size_t)snprintf(text + at, sizeof text - at, "%d\n", child[i]);
    }
    fake_file("g/cgroup.procs", text);
}

// Starts a child that runs body and then waits to be killed; returns when body is done. Its index.
static int start(void (*body)(void))
{
    int done[2];
    char byte;

    assert_int_equal(pipe2(done, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(done[0]);
        if (body)
            body();
        if (write(done[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(done[1]);
    child[n_children] = pid;
    list_children();
    assert_int_equal(read(done[0], &byte, 1), 1);
    close(done[0]);
    n_children++;
    list_children();
    return n_children - 1;
}

static void open_table(void)
{
    assert_int_equal(proc_table_open(proc, group, &table), 0);
}

static const struct proc_info *look_at(int i)
{
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    const struct proc_info *p = proc_table_find(table, child[i]);
    assert_non_null(p);
    return p;
}

static int64_t now_us(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void dirty(size_t mib)
{
    char *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        _exit(1);
    memset(p, 7, mib << 20);
}

static void dirty_8(void)
{
    dirty(8);
}

static void dirty_32(void)
{
    dirty(32);
}

T(living_processes_are_there_and_summed_up)
{
    start(dirty_8);
    start(NULL);
    open_table();
    const struct proc_info *p = look_at(0);
    assert_int_equal(p->ppid, getpid());
    assert_int_equal(p->threads, 1);
    assert_true(p->rss_anon >= 8 << 20);
    assert_true(p->rss >= p->rss_anon);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), 2);
    assert_int_equal(mem_get(&sample, MEM_nthreads, -1), 2);
    int64_t other = proc_table_find(table, child[1])->rss_anon;
    assert_int_equal(mem_get(&sample, MEM_sum_rss_anon, -1), p->rss_anon + other);
}

T(process_that_dies_is_dropped_and_a_group_without_any_is_told)
{
    start(NULL);
    start(NULL);
    open_table();
    look_at(0);
    end_child(1); // the list still has it
    look_at(0);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), 1);
    end_child(0);
    assert_int_equal(proc_table_refresh(table, &sample), -ESRCH);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), 0);
    int32_t n;
    proc_table_get(table, &n);
    assert_int_equal(n, 0);
}

// A child with a pid that was another's.
static pid_t fork_as(pid_t pid)
{
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
    long r = syscall(SYS_clone3, &args, sizeof args);

    if (r == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return r < 0 ? -errno : (pid_t)r;
}

T(lack_of_descriptors_isnt_taken_for_the_end_of_all_processes)
{
    struct rlimit before, none;

    start(NULL);
    open_table();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = proc_table_refresh(table, &sample);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), 1);
}

T(another_process_with_the_same_pid_is_another_process)
{
    start(dirty_8);
    open_table();
    uint64_t start_time = look_at(0)->start_time;
    pid_t pid = child[0];

    assert_int_equal(proc_table_split(table, 0), 0);
    end_child(0);
    // Start times are told in hundredths of a second.
    for (int64_t from = now_us(NULL); now_us(NULL) - from < 20000;)
        sched_yield();
    pid_t again = fork_as(pid);
    if (again == -EPERM)
        skip();
    assert_int_equal(again, pid);
    child[0] = pid;
    const struct proc_info *p = look_at(0);
    assert_true(p->start_time > start_time);
    assert_false(p->split_known);
    assert_true(p->rss_anon < 8 << 20);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), 1);
}

static void take_a_hostile_name(void)
{
    prctl(PR_SET_NAME, ") R 1 1\n\x1b[2J");
}

T(hostile_name_changes_nothing_but_itself)
{
    start(take_a_hostile_name);
    start(NULL);
    open_table();
    const struct proc_info *p = look_at(0);
    assert_int_equal(p->ppid, getpid());
    for (const char *c = p->comm; *c; c++)
        assert_true(*c >= ' ' && *c < 0x7f);
    // Started one right after the other.
    uint64_t other = proc_table_find(table, child[1])->start_time;
    assert_true(p->start_time <= other && other - p->start_time < 6000);
}

static void on_signal(int signal)
{
    // A copy of sleep under another name.
    execl(fake_path("nginx"), "nginx", "600", NULL);
    _exit(127);
}

static void exec_when_told(void)
{
    signal(SIGUSR1, on_signal);
}

T(role_follows_an_exec)
{
    char command[600];

    snprintf(command, sizeof command, "cp /bin/sleep %s", fake_path("nginx"));
    assert_int_equal(system(command), 0);
    start(exec_when_told);
    open_table();
    // Old enough not to be asked for its name at every look.
    for (int i = 0; i < 9; i++)
        assert_int_equal(look_at(0)->role, ROLE_OTHER);
    assert_int_equal(kill(child[0], SIGUSR1), 0);
    // At the very look that sees the new name.
    const struct proc_info *p = look_at(0);
    for (int64_t from = now_us(NULL); strcmp(p->comm, "nginx") != 0 && now_us(NULL) - from < 60000000; p = look_at(0))
        sched_yield();
    assert_int_equal(p->role, ROLE_NGINX);
}

T(parts_of_a_split_add_up_to_the_anonymous_memory)
{
    start(dirty_8);
    open_table();
    const struct proc_info *p = look_at(0);
    assert_true(p->visible);
    assert_true(proc_table_rollup(table, INT64_MAX, now_us, NULL));
    assert_int_equal(proc_table_split(table, 0), 0);
    assert_true(p->pss_known && p->split_known);
    assert_int_equal(p->split.php_heap + p->split.go_heap + p->split.native + p->split.stacks + p->split.jit, p->split.total);
    assert_true(p->split.native >= 8 << 20);
    assert_int_equal(p->split.php_heap, 0);
    assert_true(p->split.stacks > 0);
    assert_true(p->text > 0);
    assert_true(llabs(p->split.total - p->pss_anon) <= 256 << 10);
    proc_table_refresh(table, &sample);
    assert_int_equal(mem_get(&sample, MEM_sum_pss_anon, -1), p->pss_anon);
    assert_int_equal(mem_get(&sample, MEM_php_heap, -1), 0);
    assert_int_equal(mem_get(&sample, MEM_native, -1), p->split.total);
}

T(memory_shared_with_a_parent_counts_once_in_all)
{
    char *p = mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char text[32];

    memset(p, 1, 32 << 20);
    start(NULL);
    snprintf(text, sizeof text, "%d\n%d\n", getpid(), child[0]);
    fake_file("g/cgroup.procs", text);
    open_table();
    look_at(0);
    assert_true(proc_table_rollup(table, INT64_MAX, now_us, NULL));
    assert_true(proc_table_split_some(table, INT64_MAX, now_us, NULL));
    int64_t sum = 0;
    int32_t n;
    const struct proc_info *q = proc_table_get(table, &n);
    for (int32_t i = 0; i < n; i++)
        sum += q[i].split.native;
    munmap(p, 32 << 20);
    assert_int_equal(n, 2);
    assert_in_range(sum, 32 << 20, 40 << 20);
    assert_in_range(q[0].split.native, 16 << 20, 24 << 20);
}

static void run_php(void)
{
    int null = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    dup2(null, 0);
    execlp("php", "php", "-n", "-d", "memory_limit=77M", "-r",
           "$a = str_repeat('x', 5 << 20); for ($i = 0; $i < 40; $i++) $b[] = str_repeat('y', 100000 + $i); "
           "file_put_contents($argv[1], memory_get_usage(true)); sleep(600);",
           fake_path("said"), NULL);
    _exit(127);
}

// Waits for a file that a program writes whole.
static int64_t number_said(const char *name)
{
    char text[32] = "";

    for (int64_t from = now_us(NULL); now_us(NULL) - from < 60000000; sched_yield()) {
        int fd = open(fake_path(name), O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        if (n > 0) {
            text[n] = '\0';
            return strtoll(text, NULL, 10);
        }
    }
    fail_msg("%s was not written", name);
    return 0;
}

T(php_is_told_with_its_heap_and_its_limit)
{
    pid_t pid = fork();
    if (pid == 0)
        run_php();
    child[n_children++] = pid;
    list_children();
    int64_t said = number_said("said");
    open_table();
    const struct proc_info *p = look_at(0);
    assert_int_equal(p->role, ROLE_PHP_CLI);
    assert_int_equal(proc_table_split(table, 0), 0);
    assert_int_equal(p->php_bytes, said);
    assert_true(p->heap_exact);
    assert_int_equal(p->php_heaps, 1);
    assert_int_equal(p->memory_limit, 77 << 20);
    assert_in_range(p->split.php_heap, 9 << 20, p->php_bytes);
    assert_true(p->split.php_heap_live <= p->split.php_heap);
    assert_int_equal(p->split.php_heap + p->split.go_heap + p->split.native + p->split.stacks + p->split.jit, p->split.total);
}

static void run_forking_php(void)
{
    int null = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    dup2(null, 0);
    execlp("php", "php", "-n", "-r",
           "for ($i = 0; $i < 200; $i++) $b[] = str_repeat('y', 100000 + $i); $pid = pcntl_fork(); "
           "if ($pid) file_put_contents($argv[1], $pid); sleep(600);",
           fake_path("forked"), NULL);
    _exit(127);
}

T(php_heap_that_a_fork_shares_counts_once_in_all)
{
    pid_t pid = fork();
    if (pid == 0)
        run_forking_php();
    child[n_children++] = pid;
    pid_t forked = (pid_t)number_said("forked");
    char text[32];
    snprintf(text, sizeof text, "%d\n%d\n", pid, forked);
    fake_file("g/cgroup.procs", text);
    open_table();
    look_at(0);
    assert_true(proc_table_rollup(table, INT64_MAX, now_us, NULL));
    assert_true(proc_table_split_some(table, INT64_MAX, now_us, NULL));
    int32_t n;
    const struct proc_info *p = proc_table_get(table, &n);
    kill(forked, SIGKILL); // not our child to wait for
    assert_int_equal(n, 2);
    assert_true(p[0].php_bytes >= 20 << 20 && p[1].php_bytes >= 20 << 20);
    assert_in_range(p[0].split.php_heap + p[1].split.php_heap, 20000000, 26 << 20);
    assert_in_range(p[1].split.php_heap, 9000000, 13 << 20);
}

T(process_split_before_its_sharing_is_known_is_split_again)
{
    size_t size = 32 << 20;
    char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    memset(shared, 1, size);
    start(NULL);
    open_table();
    const struct proc_info *p = look_at(0);
    assert_int_equal(proc_table_split(table, 0), 0);
    assert_true(p->split.native >= 32 << 20);
    assert_int_equal(proc_table_unsplit(table), -1);
    assert_true(proc_table_rollup(table, INT64_MAX, now_us, NULL));
    assert_int_equal(proc_table_unsplit(table), 0);
    assert_int_equal(proc_table_split(table, 0), 0);
    munmap(shared, size);
    assert_true(p->split.native <= p->pss_anon && p->pss_anon <= p->rss_anon - (12 << 20));
    assert_int_equal(proc_table_unsplit(table), -1);
}

T(process_that_changed_most_is_split_next)
{
    start(dirty_8);
    start(dirty_32);
    open_table();
    look_at(0);
    int32_t first = proc_table_unsplit(table), n;
    const struct proc_info *p = proc_table_get(table, &n);
    assert_int_equal(p[first].pid, child[1]);
    assert_int_equal(proc_table_split(table, first), 0);
    int32_t second = proc_table_unsplit(table);
    assert_int_equal(p[second].pid, child[0]);
    assert_int_equal(proc_table_split(table, second), 0);
    assert_int_equal(proc_table_unsplit(table), -1);
}

static int64_t fast_clock(void *arg)
{
    return *(int64_t *)arg += 1000; // each look at it is a millisecond later
}

T(budget_is_kept_and_saved_up)
{
    int64_t clock = 0;

    start(dirty_32);
    start(dirty_8);
    open_table();
    look_at(0);
    assert_false(proc_table_rollup(table, 0, fast_clock, &clock));
    assert_int_equal(clock, 0); // nothing was read, nothing measured
    int calls = 0;
    while (!proc_table_rollup(table, 100, fast_clock, &clock) && calls < 1000)
        calls++;
    assert_in_range(calls, 2, 999);
    assert_true(proc_table_find(table, child[0])->pss_known);
    assert_true(proc_table_find(table, child[1])->pss_known);
}

// In a process of its own: nobody's rights over root's processes.
T(without_rights_status_is_still_seen_and_the_rest_told_as_unseen)
{
    if (geteuid() != 0)
        skip();
    start(dirty_8);
    open_table();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(90);
        struct proc_table *mine;
        struct mem_sample s = {0};
        if (proc_table_open(proc, group, &mine) || proc_table_refresh(mine, &s))
            _exit(91);
        const struct proc_info *p = proc_table_find(mine, child[0]);
        if (!p || p->visible || p->rss_anon < 8 << 20)
            _exit(92);
        if (proc_table_sight(mine) != SIGHT_NONE || proc_table_unsplit(mine) != -1)
            _exit(93);
        if (proc_table_split(mine, 0) != -EACCES || p->split_known || mem_known(&s, MEM_php_heap))
            _exit(94);
        if (!proc_table_rollup(mine, INT64_MAX, now_us, NULL) || p->pss_known || mem_known(&s, MEM_sum_pss))
            _exit(95);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    assert_int_equal(proc_table_sight(table), SIGHT_FULL);
}

#define STAT_TAIL " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n"

static void open_fake(void)
{
    close(proc);
    proc = open(fake_path("proc"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    open_table();
}

T(status_without_the_kinds_of_memory_leaves_them_unknown)
{
    fake_file("g/cgroup.procs", "5\n");
    fake_file("proc/5/status", "Name:\tphp-fpm\nPid:\t5\nPPid:\t1\nVmSize:\t  1000 kB\nVmRSS:\t  500 kB\nThreads:\t3\n");
    fake_file("proc/5/stat", "5 (a) b)" STAT_TAIL);
    fake_file("proc/5/cmdline", "php-fpm: pool www");
    open_fake();
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    const struct proc_info *p = proc_table_find(table, 5);
    assert_non_null(p);
    assert_int_equal(p->rss, 500 << 10);
    assert_int_equal(p->rss_anon, -1);
    assert_int_equal(p->start_time, 4711);
    assert_int_equal(p->role, ROLE_FPM_WORKER);
    assert_string_equal(p->pool, "www");
    assert_false(mem_known(&sample, MEM_sum_rss_anon));
    assert_int_equal(mem_get(&sample, MEM_sum_rss, -1), 500 << 10);
    assert_int_equal(mem_get(&sample, MEM_nthreads, -1), 3);
}

T(without_a_pagemap_smaps_tells_what_is_resident)
{
    uint64_t first = UINT64_C(1) << 30;

    fake_file("g/cgroup.procs", "5\n");
    fake_file("proc/5/status", "Name:\tphp\nVmSize:\t  90000 kB\nVmRSS:\t  50000 kB\nThreads:\t1\n");
    fake_file("proc/5/stat", "5 (php)" STAT_TAIL);
    fake_file("proc/5/maps", "");
    fake_file("proc/5/smaps",
              "00400000-00800000 r-xp 00000000 00:0e 3            /usr/bin/php\nRss:   300 kB\nAnonymous: 0 kB\nVmFlags: rd\n"
              "3ff00000-40600000 rw-p 00000000 00:00 0 \nSize: 7168 kB\nRss:  7000 kB\nAnonymous:  6900 kB\n"
              "50000000-50100000 rwxp 00000000 00:00 0 \nRss:   64 kB\nAnonymous:  64 kB\nAnonymous:\n"
              "60000000-60021000 rw-p 00000000 00:00 0                   [stack]\nAnonymous:  99999999999999999999 kB\n");
    image_mem = open(fake_path("proc/5/mem"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    image_pagemap = memfd_create("unused", MFD_CLOEXEC);
    assert_int_equal(ftruncate(image_mem, INT64_C(2) << 30), 0);
    put_heap(first, 3, &layout_82, 64 << 20);
    open_fake();
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    assert_int_equal(proc_table_split(table, 0), 0);
    const struct proc_info *p = proc_table_find(table, 5);
    assert_int_equal(p->php_bytes, 6 << 20);
    assert_int_equal(p->split.php_heap, 6 << 20);
    assert_int_equal(p->split.native, 6900 * 1024 - (6 << 20));
    assert_int_equal(p->split.jit, 64 << 10);
    assert_int_equal(p->split.stacks, 0x21000);
    assert_int_equal(p->split.total, 6900 * 1024 + (64 << 10) + 0x21000);
    assert_int_equal(p->text, 300 << 10);
    assert_int_equal(p->memory_limit, 64 << 20);
    // It isn't split again while it stays as it is.
    assert_int_equal(proc_table_unsplit(table), -1);
    close(image_mem);
    close(image_pagemap);
}

T(garbage_in_the_files_of_a_process_leaves_it_out)
{
    fake_file("g/cgroup.procs", "5\n6\n7\n8\n9\n");
    fake_file("proc/5/status", "Name:\tok\nVmSize:\t10 kB\nVmRSS:\t8 kB\nThreads:\t1\n");
    fake_file("proc/5/stat", "5 (ok)" STAT_TAIL);
    fake_file("proc/6/status", "\xff\xfe garbage");
    fake_file("proc/6/stat", "6 (x)" STAT_TAIL);
    fake_file("proc/7/status", "Name:\tx\nVmSize:\t10 kB\nVmRSS:\t8 kB\n");
    fake_file("proc/7/stat", "7 (unfinished S 1 2");
    fake_file("proc/8/status", "");
    // 9 has gone.
    open_fake();
    for (int i = 0; i < 3; i++)
        assert_int_equal(proc_table_refresh(table, &sample), 0);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), 1);
    assert_int_equal(mem_get(&sample, MEM_sum_rss, -1), 8 << 10);
    assert_int_equal(proc_table_split(table, 0), -ENOENT);
    assert_int_equal(proc_table_split(table, 1), -EINVAL);
    assert_int_equal(proc_table_dir(table, -1), -EINVAL);
}

T(processes_beyond_the_table_are_summed_up)
{
    static char text[(PROC_TABLE_MAX + 10) * 6];
    size_t at = 0;
    char name[64];
    int n = 0;

    for (int i = 1; i <= PROC_TABLE_MAX + 3; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%d\n", i);
        snprintf(name, sizeof name, "proc/%d/status", i);
        fake_file(name, "Name:\tx\nVmSize:\t10 kB\nVmRSS:\t8 kB\nRssAnon:\t4 kB\nRssFile:\t4 kB\nRssShmem:\t0 kB\nThreads:\t2\n");
        snprintf(name, sizeof name, "proc/%d/stat", i);
        fake_file(name, "5 (x)" STAT_TAIL);
    }
    fake_file("g/cgroup.procs", text);
    open_fake();
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    (void)proc_table_get(table, &n);
    assert_int_equal(n, PROC_TABLE_MAX);
    assert_int_equal(proc_table_dropped(table), 3);
    assert_int_equal(mem_get(&sample, MEM_nprocs, -1), PROC_TABLE_MAX + 3);
    assert_int_equal(mem_get(&sample, MEM_nthreads, -1), 2 * (PROC_TABLE_MAX + 3));
    assert_int_equal(mem_get(&sample, MEM_sum_rss_anon, -1), (int64_t)(PROC_TABLE_MAX + 3) * 4096);
    // Those whose descriptors aren't kept are read all the same.
    fake_file("proc/4000/status", "Name:\ty\nVmSize:\t10 kB\nVmRSS:\t80 kB\nThreads:\t1\n");
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    assert_int_equal(proc_table_find(table, 4000)->rss, 80 << 10);
    assert_true(proc_table_dir(table, 3999) >= 0);
}

static void fake_process(int pid, int pss_kib)
{
    char name[64], text[128];

    snprintf(name, sizeof name, "proc/%d/status", pid);
    fake_file(name, "Name:\tx\nVmSize:\t10 kB\nVmRSS:\t8 kB\nRssAnon:\t4 kB\nRssFile:\t4 kB\nRssShmem:\t0 kB\nThreads:\t1\n");
    snprintf(name, sizeof name, "proc/%d/stat", pid);
    fake_file(name, "5 (x)" STAT_TAIL);
    snprintf(name, sizeof name, "proc/%d/maps", pid);
    fake_file(name, "");
    snprintf(name, sizeof name, "proc/%d/smaps_rollup", pid);
    snprintf(text, sizeof text, "Pss: %d kB\n", pss_kib);
    fake_file(name, text);
}

static int64_t pss_of(int pid)
{
    const struct proc_info *p = proc_table_find(table, pid);
    assert_non_null(p);
    return p->pss_known ? p->pss : -1;
}

T(processes_have_one_turn_each_and_new_ones_come_first)
{
    int64_t clock = 0;

    fake_file("g/cgroup.procs", "5\n6\n7\n");
    for (int pid = 5; pid <= 9; pid++)
        fake_process(pid, 4);
    open_fake();
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    // A call of 900 µs, and the clock takes 1000 for each process.
    for (int pid = 5; pid <= 6; pid++) {
        assert_false(proc_table_rollup(table, 900, fast_clock, &clock));
        assert_int_equal(pss_of(pid), 4 << 10);
        assert_int_equal(pss_of(pid + 1), -1);
    }
    // Two come in the middle of the turn; then one that had its turn changes, and isn't read again before the next.
    fake_file("g/cgroup.procs", "5\n6\n7\n8\n9\n");
    fake_process(5, 44);
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    int order[5], n = 0;
    bool had[10] = {[5] = true, [6] = true}, turned = false;
    for (int calls = 0; calls < 100 && !turned; calls++) {
        turned = proc_table_rollup(table, 900, fast_clock, &clock);
        for (int pid = 5; pid <= 9; pid++)
            if (!had[pid] && pss_of(pid) >= 0) {
                had[pid] = true;
                order[n++] = pid;
            }
    }
    assert_true(turned);
    assert_int_equal(n, 3);
    assert_memory_equal(order, ((int[]){7, 8, 9}), 3 * sizeof(int));
    assert_int_equal(pss_of(5), 4 << 10);
    // In the next turn a new one goes before the rest of those that had theirs.
    fake_process(6, 66);
    assert_false(proc_table_rollup(table, 900, fast_clock, &clock));
    fake_process(10, 100);
    fake_file("g/cgroup.procs", "5\n6\n7\n8\n9\n10\n");
    assert_int_equal(proc_table_refresh(table, &sample), 0);
    while (pss_of(10) < 0)
        assert_false(proc_table_rollup(table, 900, fast_clock, &clock));
    assert_int_equal(pss_of(5), 44 << 10);
    assert_int_equal(pss_of(6), 4 << 10);
    while (!proc_table_rollup(table, 900, fast_clock, &clock))
        ;
    assert_int_equal(pss_of(6), 66 << 10);
}

#define P(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

CLAIMS(P(living_processes_are_there_and_summed_up), P(process_that_dies_is_dropped_and_a_group_without_any_is_told),
       P(lack_of_descriptors_isnt_taken_for_the_end_of_all_processes), P(another_process_with_the_same_pid_is_another_process),
       P(hostile_name_changes_nothing_but_itself), P(role_follows_an_exec), P(parts_of_a_split_add_up_to_the_anonymous_memory),
       P(memory_shared_with_a_parent_counts_once_in_all), P(php_is_told_with_its_heap_and_its_limit),
       P(php_heap_that_a_fork_shares_counts_once_in_all), P(process_that_changed_most_is_split_next),
       P(process_split_before_its_sharing_is_known_is_split_again),
       P(budget_is_kept_and_saved_up), P(without_rights_status_is_still_seen_and_the_rest_told_as_unseen),
       P(status_without_the_kinds_of_memory_leaves_them_unknown), P(without_a_pagemap_smaps_tells_what_is_resident),
       P(garbage_in_the_files_of_a_process_leaves_it_out), P(processes_beyond_the_table_are_summed_up),
       P(processes_have_one_turn_each_and_new_ones_come_first))
