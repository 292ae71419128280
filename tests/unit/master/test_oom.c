// SPDX-License-Identifier: Apache-2.0
// Claims about telling the kernel's OOM kills from others: reading its files' texts.
#include "master/oom.h"

#include "../claim.h"

T(oom_kill_is_found_among_v2_events)
{
    unsigned long long n = 99;

    assert_true(oom_parse("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", &n));
    assert_int_equal(n, 2);
}

T(oom_kill_disable_of_v1_is_not_taken_for_the_count)
{
    unsigned long long n = 99;

    assert_true(oom_parse("oom_kill_disable 7\nunder_oom 0\noom_kill 5\n", &n));
    assert_int_equal(n, 5);
}

T(text_without_the_counter_gives_none)
{
    unsigned long long n = 99;

    assert_false(oom_parse("", &n));
    assert_false(oom_parse("oom_kill\n", &n));
    assert_false(oom_parse("oom_kill x\n", &n));
    assert_false(oom_parse("foo oom_kill 4\n", &n));
    assert_int_equal(n, 99);
}

T(group_of_a_v2_system_is_the_line_without_controllers)
{
    char path[64];
    bool v2 = false;

    assert_true(oom_cgroup_path("0::/system.slice/plimsoll.service\n", &v2, path, sizeof path));
    assert_true(v2);
    assert_string_equal(path, "/system.slice/plimsoll.service");
}

T(memory_of_a_hybrid_system_is_v1s)
{
    char path[64];
    bool v2 = true;

    assert_true(oom_cgroup_path("5:cpu,cpuacct:/a\n4:memory:/docker/x:y\n0::/b\n", &v2, path, sizeof path));
    assert_false(v2);
    assert_string_equal(path, "/docker/x:y");
    assert_true(oom_cgroup_path("0::/b\n4:hugetlb,memory:/c", &v2, path, sizeof path));
    assert_false(v2);
    assert_string_equal(path, "/c");
}

T(path_that_does_not_fit_or_is_not_there_is_no_group)
{
    char path[8] = "kept";
    bool v2;

    assert_false(oom_cgroup_path("0::/a/long/path\n", &v2, path, sizeof path));
    assert_false(oom_cgroup_path("nonsense\n4:cpu:/x\n", &v2, path, sizeof path));
    assert_string_equal(path, "kept");
}

CLAIMS(C(oom_kill_is_found_among_v2_events), C(oom_kill_disable_of_v1_is_not_taken_for_the_count),
       C(text_without_the_counter_gives_none), C(group_of_a_v2_system_is_the_line_without_controllers),
       C(memory_of_a_hybrid_system_is_v1s), C(path_that_does_not_fit_or_is_not_there_is_no_group))
