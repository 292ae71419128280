// SPDX-License-Identifier: Apache-2.0
#include "mem/cgroup_find.h"

#include <errno.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "fake_tree.h"

#define V1_MOUNT "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define V2_MOUNT "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"

static struct mem_roots roots;
static struct mem_where where;

static int set_up(void **state)
{
    fake_make();
    fake_folder("sys");
    fake_link("7", "proc/self");
    fake_folder("proc/7");
    fake_link("/nowhere", "proc/7/root");
    char proc[100], sys[100];
    snprintf(proc, sizeof proc, "%s/proc", fake_dir);
    snprintf(sys, sizeof sys, "%s/sys", fake_dir);
    assert_int_equal(mem_roots_open(proc, sys, &roots), 0);
    where = (struct mem_where){.dir = -1};
    return 0;
}

static int tear_down(void **state)
{
    mem_where_close(&where);
    mem_roots_close(&roots);
    fake_remove();
    return 0;
}

static void v1_group(const char *path, const char *procs)
{
    char name[256];

    snprintf(name, sizeof name, "%s/memory.usage_in_bytes", path);
    fake_file(name, "1\n");
    snprintf(name, sizeof name, "%s/cgroup.procs", path);
    fake_file(name, procs);
}

static void v2_group(const char *path, const char *procs)
{
    char name[256];

    snprintf(name, sizeof name, "%s/memory.current", path);
    fake_file(name, "1\n");
    snprintf(name, sizeof name, "%s/cgroup.procs", path);
    fake_file(name, procs);
}

static void is_group(enum mem_kind kind, const char *path)
{
    struct stat st;
    char name[600];

    assert_int_equal(where.kind, kind);
    assert_string_equal(where.path, path);
    assert_true(where.dir >= 0);
    snprintf(name, sizeof name, "sys%s", path + strlen("/sys/fs/cgroup"));
    assert_int_equal(stat(fake_path(name), &st), 0);
    assert_int_equal(where.ino, st.st_ino);
}

T(v1_is_found_beneath_the_memory_mount)
{
    fake_file("proc/7/cgroup", "9:name=systemd:/\n4:hugetlb,memory:/docker/abc\n1:cpu:/x\n0::/\n");
    fake_file("proc/7/mountinfo", "23 1 8:1 / / rw - ext4 /dev/root rw\n" V1_MOUNT);
    v1_group("sys/memory", "1\n");
    fake_file("sys/memory/release_agent", "");
    v1_group("sys/memory/docker/abc", "5\n7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory/docker/abc");
    assert_true(where.verified);
    assert_false(where.top);
}

T(v2_has_its_ancestors_nearest_first)
{
    struct stat st, kube;

    fake_file("proc/7/cgroup", "0::/kube/pod/app\n");
    fake_file("proc/7/mountinfo", V2_MOUNT);
    v2_group("sys/kube/pod/app", "7\n");
    assert_int_equal(mem_where_find(&roots, 7, &where), 0);
    is_group(MEM_KIND_V2, "/sys/fs/cgroup/kube/pod/app");
    assert_int_equal(where.levels, 3);
    assert_int_equal(fstat(where.level[1], &st), 0);
    assert_int_equal(stat(fake_path("sys/kube"), &kube), 0);
    assert_int_equal(st.st_ino, kube.st_ino);
}

T(in_a_hybrid_the_hierarchy_that_counts_memory_is_taken)
{
    fake_file("proc/7/cgroup", "4:memory:/a\n0::/b\n");
    fake_file("proc/7/mountinfo", "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" V1_MOUNT);
    fake_file("sys/unified/b/cgroup.procs", "7\n"); // v2 without a memory controller
    v1_group("sys/memory/a", "7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory/a");
}

T(a_bind_mount_of_the_groups_own_folder_is_cut_off_its_path)
{
    fake_file("proc/7/cgroup", "0::/docker/abc/sub\n");
    fake_file("proc/7/mountinfo", "41 31 0:38 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    v2_group("sys", "1\n");
    v2_group("sys/sub", "7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V2, "/sys/fs/cgroup/sub");
    assert_int_equal(where.levels, 1);
}

T(in_a_private_namespace_the_mountpoint_is_the_group)
{
    fake_file("proc/7/cgroup", "4:memory:/\n");
    fake_file("proc/7/mountinfo", V1_MOUNT);
    v1_group("sys/memory", "7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory");
    assert_false(where.top);
}

T(a_mount_inherited_from_outside_the_namespace_is_still_ours)
{
    fake_file("proc/7/cgroup", "0::/\n");
    fake_file("proc/7/mountinfo", "41 31 0:38 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    v2_group("sys", "7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V2, "/sys/fs/cgroup");
    assert_true(where.verified);
}

T(a_path_that_is_not_visible_leads_to_the_mountpoint)
{
    fake_file("proc/7/cgroup", "4:memory:/docker/of-the-host\n");
    fake_file("proc/7/mountinfo", V1_MOUNT);
    v1_group("sys/memory", "7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory");
}

// A sidecar that shares the pid namespace sees its own group only, but through the other's root that one's.
T(a_process_beside_us_is_looked_up_in_its_own_mounts)
{
    fake_file("proc/9/cgroup", "0::/../app\n");
    fake_file("proc/7/mountinfo", V2_MOUNT);
    fake_file("proc/9/mountinfo", "88 31 0:38 /../app /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    v2_group("sys", "7\n");
    v2_group("proc/9/root/sys/fs/cgroup", "9\n");
    assert_int_equal(mem_where_find(&roots, 9, &where), 0);
    struct stat st;
    assert_int_equal(where.kind, MEM_KIND_V2);
    assert_int_equal(stat(fake_path("proc/9/root/sys/fs/cgroup"), &st), 0);
    assert_int_equal(where.ino, st.st_ino);
    assert_true(where.verified);
}

T(our_own_group_is_never_taken_for_anothers)
{
    fake_file("proc/9/cgroup", "0::/../app\n");
    fake_file("proc/7/mountinfo", V2_MOUNT);
    v2_group("sys", "7\n");
    assert_int_equal(mem_where_find(&roots, 9, &where), 0);
    assert_int_equal(where.kind, MEM_KIND_MACHINE);
    assert_int_equal(where.dir, -1);
}

T(no_such_process_is_said)
{
    assert_int_equal(mem_where_find(&roots, 12, &where), -ESRCH);
}

T(a_process_that_has_ended_is_no_process_of_the_root_group)
{
    struct mem_roots real;
    struct mem_where w;
    siginfo_t info;

    assert_int_equal(mem_roots_open(NULL, NULL, &real), 0);
    pid_t pid = fork();
    if (pid == 0)
        pause();
    assert_int_equal(mem_where_find(&real, pid, &w), 0);
    mem_where_close(&w);
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(mem_where_find(&real, pid, &w), -ESRCH);
    waitpid(pid, NULL, 0);
    mem_roots_close(&real);
}

T(without_any_file_it_is_a_machine)
{
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    assert_int_equal(where.kind, MEM_KIND_MACHINE);
    assert_int_equal(where.ino, 0);
    assert_string_equal(where.path, "");
}

T(the_root_of_v2_is_the_machine)
{
    fake_file("proc/7/cgroup", "0::/\n");
    fake_file("proc/7/mountinfo", V2_MOUNT);
    fake_file("sys/memory.stat", "anon 1\n"); // it has no memory.current
    fake_file("sys/cgroup.procs", "7\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    assert_int_equal(where.kind, MEM_KIND_MACHINE);
}

T(gvisor_is_known_by_its_made_up_kernel)
{
    fake_file("proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n");
    fake_file("proc/7/cgroup", "");
    fake_file("proc/7/mountinfo", "10 10 0:10 / / rw  - overlay none rw\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    assert_int_equal(where.kind, MEM_KIND_GVISOR);
    assert_int_equal(where.dir, -1);
}

T(gvisor_with_a_cgroup_keeps_it)
{
    fake_file("proc/meminfo", "MemTotal: 1 kB\nShmem: 0 kB\n");
    fake_file("proc/7/cgroup", "4:memory:/\n");
    fake_file("proc/7/mountinfo", V1_MOUNT);
    v1_group("sys/memory", "");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_GVISOR, "/sys/fs/cgroup/memory");
}

T(a_kernel_with_slab_is_no_gvisor)
{
    fake_file("proc/meminfo", "MemTotal: 1 kB\nSlab: 0 kB\n");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    assert_int_equal(where.kind, MEM_KIND_MACHINE);
}

T(garbage_in_the_kernels_tables_is_passed_over)
{
    fake_file("proc/7/cgroup", "\n:::\n4:memory\n4:memory:relative\nx\n4:memory:/a\n");
    fake_file("proc/7/mountinfo", "\n\1\2\3\nx x x x x\n99999999999 1 0:1 / / - cgroup2\n" V1_MOUNT "35 31 0:32 / /sys/fs");
    v1_group("sys/memory/a", "x\n\n7");
    assert_int_equal(mem_where_find(&roots, 0, &where), 0);
    is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory/a");
    assert_true(where.verified);
}

T(tables_that_may_not_be_read_lead_to_the_machine)
{
    fake_file("proc/7/cgroup", "4:memory:/a\n");
    fake_file("proc/7/mountinfo", V1_MOUNT);
    v1_group("sys/memory/a", "7\n");
    chmod(fake_path("proc/7/cgroup"), 0);
    chmod(fake_path("proc/7/mountinfo"), 0);
    fake_be_nobody();
    int r = mem_where_find(&roots, 0, &where);
    fake_be_self();
    assert_int_equal(r, 0);
    assert_int_equal(where.kind, MEM_KIND_MACHINE);
}

T(a_group_whose_files_may_not_be_read_is_still_found)
{
    fake_file("proc/7/cgroup", "4:memory:/a\n");
    fake_file("proc/7/mountinfo", V1_MOUNT);
    v1_group("sys/memory/a", "7\n");
    chmod(fake_path("sys/memory/a/memory.usage_in_bytes"), 0);
    fake_be_nobody();
    int r = mem_where_find(&roots, 0, &where);
    fake_be_self();
    assert_int_equal(r, 0);
    is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory/a");
}

T(a_path_may_be_whole_or_relative)
{
    static const char *const names[] = {"/sys/fs/cgroup/memory/docker/abc", "docker/abc", "/docker/abc", "memory/docker/abc"};

    v1_group("sys/memory/docker/abc", "0\n23\n24\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mem_where_close(&where);
        assert_int_equal(mem_where_path(&roots, names[i], &where), 0);
        is_group(MEM_KIND_V1, "/sys/fs/cgroup/memory/docker/abc");
        assert_int_equal(where.pid, 23);
    }
}

T(a_path_that_is_no_group_is_refused)
{
    fake_folder("sys/memory/empty");
    assert_int_equal(mem_where_path(&roots, "/sys/fs/cgroup/memory/empty", &where), -EINVAL);
    assert_int_equal(mem_where_path(&roots, "none", &where), -ENOENT);
    fake_file("sys/file", "");
    assert_int_equal(mem_where_path(&roots, "file", &where), -ENOTDIR);
    char longer[2000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(mem_where_path(&roots, longer, &where), -ENAMETOOLONG);
    where.dir = -1;
}

T(the_tightest_quota_of_cpu_counts)
{
    struct mem_cpus cpus;

    fake_file("proc/stat", "cpu  1 2\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\nintr 1\n");
    fake_file("proc/7/status", "Name:\tx\nCpus_allowed_list:\t0-2\n");
    fake_file("proc/7/cgroup", "0::/kube/app\n");
    fake_file("proc/7/mountinfo", V2_MOUNT);
    fake_file("sys/kube/app/cpu.max", "max 100000\n");
    fake_file("sys/kube/app/cgroup.procs", "7\n");
    mem_cpus(&roots, 0, &cpus);
    assert_int_equal(cpus.online, 4);
    assert_int_equal(cpus.allowed, 3);
    assert_true(cpus.quota == 0);
    assert_true(cpus.usable == 3);
    fake_file("sys/kube/cpu.max", "150000 100000\n");
    mem_cpus(&roots, 0, &cpus);
    assert_true(cpus.quota == 1.5);
    assert_true(cpus.usable == 1.5);
}

T(a_quota_of_v1_is_in_two_files)
{
    struct mem_cpus cpus;

    fake_file("proc/7/cgroup", "3:cpu,cpuacct:/a\n");
    fake_file("proc/7/mountinfo", "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    fake_file("sys/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n");
    fake_file("sys/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    fake_file("sys/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    mem_cpus(&roots, 0, &cpus);
    assert_true(cpus.quota == 0.5);
    assert_true(cpus.usable == 0.5);
    fake_file("sys/cpu,cpuacct/a/cpu.cfs_period_us", "0\n");
    mem_cpus(&roots, 0, &cpus);
    assert_true(cpus.quota == 0);
    assert_true(cpus.usable == 1); // nothing is known
}

#define F(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
CLAIMS(F(v1_is_found_beneath_the_memory_mount), F(v2_has_its_ancestors_nearest_first),
       F(in_a_hybrid_the_hierarchy_that_counts_memory_is_taken), F(a_bind_mount_of_the_groups_own_folder_is_cut_off_its_path),
       F(in_a_private_namespace_the_mountpoint_is_the_group), F(a_mount_inherited_from_outside_the_namespace_is_still_ours),
       F(a_path_that_is_not_visible_leads_to_the_mountpoint), F(a_process_beside_us_is_looked_up_in_its_own_mounts),
       F(our_own_group_is_never_taken_for_anothers), F(no_such_process_is_said),
       F(a_process_that_has_ended_is_no_process_of_the_root_group), F(without_any_file_it_is_a_machine),
       F(the_root_of_v2_is_the_machine), F(gvisor_is_known_by_its_made_up_kernel), F(gvisor_with_a_cgroup_keeps_it),
       F(a_kernel_with_slab_is_no_gvisor), F(garbage_in_the_kernels_tables_is_passed_over),
       F(tables_that_may_not_be_read_lead_to_the_machine), F(a_group_whose_files_may_not_be_read_is_still_found),
       F(a_path_may_be_whole_or_relative), F(a_path_that_is_no_group_is_refused), F(the_tightest_quota_of_cpu_counts),
       F(a_quota_of_v1_is_in_two_files))
