// SPDX-License-Identifier: Apache-2.0
// Claims about which processes are in a cgroup, over made-up trees.
#include "mem/proc_list.h"

#include <errno.h>

#include "fake_tree.h"

static struct proc_list *list;
static int group, proc;

static int set_up(void **state)
{
    fake_make();
    fake_file("g/cgroup.procs", "");
    fake_folder("proc");
    group = open(fake_path("g"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    proc = open(fake_path("proc"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(group >= 0 && proc >= 0);
    return 0;
}

static int tear_down(void **state)
{
    list = proc_list_close(list);
    close(group);
    close(proc);
    fake_remove();
    return 0;
}

// The pids as text.
static const char *pids(void)
{
    static char text[256];
    size_t at = 0;
    int32_t n;
    const pid_t *p = proc_list_pids(list, &n);

    text[0] = '\0';
    for (int32_t i = 0; i < n && at < sizeof text - 16; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i ? " " : "", p[i]);
    return text;
}

static bool look(void)
{
    bool changed;

    assert_int_equal(proc_list_read(list, &changed), 0);
    return changed;
}

T(group_and_its_children_are_listed_in_order_each_once)
{
    fake_file("g/cgroup.procs", "30\n7\n100\n");
    fake_file("g/a/cgroup.procs", "8\n7\n");
    fake_file("g/a/b/cgroup.procs", "9\n");
    fake_file("g/notes", "55\n");
    assert_int_equal(proc_list_open(proc, group, &list), 0);
    assert_true(look());
    assert_string_equal(pids(), "7 8 9 30 100");
}

T(list_that_is_the_same_is_told_as_such)
{
    fake_file("g/cgroup.procs", "1\n2\n");
    assert_int_equal(proc_list_open(proc, group, &list), 0);
    assert_true(look());
    assert_false(look());
    fake_file("g/cgroup.procs", "1\n3\n");
    assert_true(look());
    assert_string_equal(pids(), "1 3");
    assert_false(look());
}

T(child_group_made_later_is_found)
{
    fake_file("g/cgroup.procs", "1\n");
    assert_int_equal(proc_list_open(proc, group, &list), 0);
    assert_true(look());
    fake_file("g/new/cgroup.procs", "5\n");
    // At the latest where the file system doesn't count folders.
    for (int i = 0; i < 40 && strcmp(pids(), "1 5") != 0; i++)
        look();
    assert_string_equal(pids(), "1 5");
}

T(garbage_between_pids_is_left_out)
{
    fake_file("g/cgroup.procs", "1\n0\nx\n-4\n12x\n99999999999\n4294967296\n\n 3\n2\n77");
    assert_int_equal(proc_list_open(proc, group, &list), 0);
    look();
    assert_string_equal(pids(), "1 2");
}

T(more_pids_than_fit_are_counted)
{
    static char text[PROC_LIST_MAX * 7 + 100];
    size_t at = 0;
    int32_t n;

    for (int i = 1; i <= PROC_LIST_MAX + 5; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d\n", i);
    fake_file("g/cgroup.procs", text);
    assert_int_equal(proc_list_open(proc, group, &list), 0);
    look();
    const pid_t *p = proc_list_pids(list, &n);
    assert_int_equal(n, PROC_LIST_MAX);
    assert_int_equal(p[PROC_LIST_MAX - 1], PROC_LIST_MAX);
    assert_int_equal(proc_list_dropped(list), 5);
}

T(without_a_group_all_of_proc_is_listed)
{
    fake_folder("proc/12");
    fake_folder("proc/3");
    fake_folder("proc/self");
    fake_folder("proc/0x9");
    fake_folder("proc/sys");
    assert_int_equal(proc_list_open(proc, -1, &list), 0);
    look();
    assert_string_equal(pids(), "3 12");
}

T(group_without_a_list_cant_be_opened)
{
    assert_int_equal(unlink(fake_path("g/cgroup.procs")), 0);
    assert_int_equal(proc_list_open(proc, group, &list), -ENOENT);
    assert_null(list);
}

#define L(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

CLAIMS(L(group_and_its_children_are_listed_in_order_each_once), L(list_that_is_the_same_is_told_as_such),
       L(child_group_made_later_is_found), L(garbage_between_pids_is_left_out), L(more_pids_than_fit_are_counted),
       L(without_a_group_all_of_proc_is_listed), L(group_without_a_list_cant_be_opened))
