// SPDX-License-Identifier: Apache-2.0
#include "watch/life.h"

#include <stdio.h>

#include "../mem/fake_tree.h"

static struct mem_roots roots = {-1, -1, -1};

static int set_up(void **state)
{
    char proc[100];

    fake_make();
    fake_folder("proc");
    snprintf(proc, sizeof proc, "%s/proc", fake_dir);
    return mem_roots_open(proc, proc, &roots);
}

static int tear_down(void **state)
{
    mem_roots_close(&roots);
    fake_remove();
    return 0;
}

static void process(int pid, const char *comm, const char *start)
{
    char name[64], text[256];

    snprintf(name, sizeof name, "proc/%d/comm", pid);
    snprintf(text, sizeof text, "%s\n", comm);
    fake_file(name, text);
    snprintf(name, sizeof name, "proc/%d/stat", pid);
    snprintf(text, sizeof text, "%d (%s) S 0 1 1 0 -1 4194560 1 1 0 0 1 1 0 0 20 0 1 0 %s 20971520 5120\n", pid, comm, start);
    fake_file(name, text);
}

T(a_start_time_is_found_whatever_the_name_is)
{
    process(5, "a) b (c) 1 2", "4711");
    process(6, "x", "y");
    assert_int_equal(life_start_of(roots.proc, 5), 4711);
    assert_int_equal(life_start_of(roots.proc, 6), -1);
    assert_int_equal(life_start_of(roots.proc, 7), -1);
    fake_file("proc/8/stat", "8 (x) S 1\n");
    assert_int_equal(life_start_of(roots.proc, 8), -1);
}

T(a_life_is_machine_group_and_start)
{
    struct mem_where where = {.dir = -1, .ino = 12};
    char id[LIFE_ID];

    fake_file("proc/sys/kernel/random/boot_id", "0123\n");
    process(1, "init", "99");
    process(5, "php-fpm", "4711");
    life_id(&roots, &where, 0, id);
    assert_string_equal(id, "boot 0123 cgroup 12 start 99");
    life_id(&roots, &where, 5, id);
    assert_string_equal(id, "boot 0123 cgroup 12 start 4711");
    life_id(&roots, &where, -1, id);
    assert_string_equal(id, "boot 0123 cgroup 12 start -1");
    unlink(fake_path("proc/sys/kernel/random/boot_id"));
    life_id(&roots, &where, 0, id);
    assert_string_equal(id, "boot ? cgroup 12 start 99");
    fake_file("proc/stat", "cpu 1\nintr 1 2 3\nbtime 1795522052\n"); // gVisor
    life_id(&roots, &where, 0, id);
    assert_string_equal(id, "boot at 1795522052 cgroup 12 start 99");
}

T(lives_are_told_apart)
{
    assert_true(life_is_same("boot a cgroup 12 start 5", "boot a cgroup 12 start 5"));
    assert_false(life_is_same("boot a cgroup 12 start 5", "boot a cgroup 12 start 6"));
    assert_true(life_is_same("boot a cgroup 12 start 5", "boot a cgroup 12 start -1"));
    assert_true(life_is_same("boot a cgroup 12 start -1", "boot a cgroup 12 start 5"));
    assert_false(life_is_same("boot a cgroup 12 start -1", "boot a cgroup 123 start 5"));
    assert_false(life_is_same("boot a cgroup 123 start 5", "boot a cgroup 12 start -1"));
    assert_false(life_is_same("", "boot a cgroup 12 start -1"));
}

T(the_oldest_process_of_a_name_is_found)
{
    process(50, "php-fpm8.2", "300");
    process(60, "php-fpm8.2", "200");
    process(40, "php-fpm8.2x", "100");
    process(41, "php-fpm8", "100");
    fake_file("proc/notapid/comm", "php-fpm8.2\n");
    fake_folder("proc/70");
    assert_int_equal(life_find_process(roots.proc, "php-fpm8.2"), 60);
    assert_int_equal(life_find_process(roots.proc, "nginx"), 0);
    process(80, "fifteen-letters", "1"); // what the kernel keeps of a longer name
    assert_int_equal(life_find_process(roots.proc, "fifteen-letters-and-more"), 80);
}

#define F(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
CLAIMS(F(a_start_time_is_found_whatever_the_name_is), F(a_life_is_machine_group_and_start), F(lives_are_told_apart),
       F(the_oldest_process_of_a_name_is_found))
