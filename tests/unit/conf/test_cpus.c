// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "../claim.h"
#include "conf_folder.h"

static int setup(void **state)
{
    folder_make();
    return 0;
}

static int teardown(void **state)
{
    folder_remove();
    return 0;
}

static unsigned quota(const char *proc_text)
{
    folder_write("cgroup", proc_text);
    char *proc = folder_path("cgroup"), *sys = folder_path("sys");
    unsigned n = conf__cpus_quota(proc, sys);
    free(proc);
    free(sys);
    return n;
}

T(without_a_quota_there_is_none)
{
    assert_int_equal(quota("0::/\n"), 0);
    folder_write("sys/cpu.max", "max 100000\n");
    assert_int_equal(quota("0::/\n"), 0);
}

T(a_v2_quota_is_rounded_up)
{
    folder_write("sys/app/cpu.max", "150000 100000\n");
    assert_int_equal(quota("0::/app\n"), 2);
    folder_write("sys/app/cpu.max", "50000 100000\n");
    assert_int_equal(quota("0::/app\n"), 1);
}

T(the_tightest_group_above_counts)
{
    folder_write("sys/a/cpu.max", "300000 100000\n");
    folder_write("sys/a/b/cpu.max", "800000 100000\n");
    folder_write("sys/a/b/c/cpu.max", "max 100000\n");
    assert_int_equal(quota("0::/a/b/c\n"), 3);
}

// /proc names the host's path while the container's mount begins at its own group.
T(a_container_finds_its_own_group_at_the_mounts_root)
{
    folder_write("sys/cpu.max", "400000 100000\n");
    assert_int_equal(quota("0::/kubepods/pod1/x\n"), 4);
}

T(v1_quotas_count_too)
{
    folder_write("sys/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "250000\n");
    folder_write("sys/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
    folder_write("sys/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    folder_write("sys/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota("5:cpuset:/\n4:cpu,cpuacct:/docker/x\n0::/\n"), 3);
    assert_int_equal(quota("5:cpuset:/docker/x\n"), 0);
}

T(nonsense_is_no_quota)
{
    folder_write("sys/cpu.max", "0 0\n");
    assert_int_equal(quota("0::/\n"), 0);
    folder_write("sys/cpu.max", "x");
    assert_int_equal(quota("0::/\n"), 0);
    assert_int_equal(quota(""), 0);
    assert_int_equal(quota("::::\n0\n0:\n"), 0);
}

T(there_is_always_a_cpu)
{
    assert_true(conf__cpus() >= 1);
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(without_a_quota_there_is_none), CT(a_v2_quota_is_rounded_up), CT(the_tightest_group_above_counts),
       CT(a_container_finds_its_own_group_at_the_mounts_root), CT(v1_quotas_count_too), CT(nonsense_is_no_quota),
       CT(there_is_always_a_cpu))
