// SPDX-License-Identifier: Apache-2.0
#include "mem/sensor.h"

#include <errno.h>
#include <unistd.h>

#include "fake_tree.h"

#define MEMINFO                                                                                                                  \
    "MemTotal:        1048576 kB\nMemFree:          524288 kB\nMemAvailable:     700000 kB\nBuffers:              10 kB\n"       \
    "Cached:              200 kB\nActive(anon):         1 kB\nInactive(anon):       2 kB\nActive(file):        30 kB\n"          \
    "Inactive(file):      40 kB\nUnevictable:          5 kB\nDirty:                6 kB\nWriteback:            7 kB\n"           \
    "AnonPages:          100 kB\nMapped:              50 kB\nShmem:               25 kB\nSlab:               300 kB\n"           \
    "SReclaimable:       200 kB\nSUnreclaim:         100 kB\nKernelStack:         16 kB\nPageTables:          20 kB\n"           \
    "SecPageTables:        4 kB\nPercpu:               8 kB\nAnonHugePages:        0 kB\n"

static struct mem_roots roots;
static struct mem_where where;
static struct mem_sensor *sensor;
static struct mem_sample sample;

static int set_up(void **state)
{
    char proc[100], sys[100];

    fake_make();
    fake_folder("sys/g");
    fake_folder("proc");
    fake_file("proc/meminfo", MEMINFO);
    fake_file("proc/vmstat",
              "pgpgin 9\npgfault 11\npgmajfault 12\noom_kill 3\nworkingset_refault_anon 4\nworkingset_refault_file 5\n");
    fake_file("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 total=66\n");
    snprintf(proc, sizeof proc, "%s/proc", fake_dir);
    snprintf(sys, sizeof sys, "%s/sys", fake_dir);
    assert_int_equal(mem_roots_open(proc, sys, &roots), 0);
    where = (struct mem_where){.dir = -1};
    memset(&sample, 0, sizeof sample);
    return 0;
}

static int tear_down(void **state)
{
    sensor = mem_sensor_close(sensor);
    mem_where_close(&where);
    mem_roots_close(&roots);
    fake_remove();
    return 0;
}

static void open_group(void)
{
    assert_int_equal(mem_where_path(&roots, "g", &where), 0);
    assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
}

static void look(double t)
{
    assert_int_equal(mem_sensor_read(sensor, t, &sample), 0);
}

static void is(enum mem_field f, int64_t value)
{
    assert_true(mem_known(&sample, f));
    assert_int_equal(sample.v[f], value);
}

static const char v1_stat[] =
    "cache 1\nrss 2\nshmem 3\nhierarchical_memory_limit 268435456\nhierarchical_memsw_limit 9223372036854771712\n"
    "total_cache 100\ntotal_rss 200\ntotal_rss_huge 0\ntotal_shmem 30\ntotal_mapped_file 40\ntotal_dirty 5\ntotal_writeback 6\n"
    "total_workingset_refault_anon 7\ntotal_workingset_refault_file 8\ntotal_swap 9\ntotal_pgpgin 10\ntotal_pgpgout 11\n"
    "total_pgfault 12\ntotal_pgmajfault 13\ntotal_inactive_anon 14\ntotal_active_anon 15\ntotal_inactive_file 16\n"
    "total_active_file 17\ntotal_unevictable 18\n";
static const struct {
    const char *file, *text;
} v1_files[] =
    {
        {"sys/g/memory.usage_in_bytes", "1000\n"},
        {"sys/g/memory.stat", v1_stat},
        {"sys/g/memory.kmem.usage_in_bytes", "50\n"},
        {"sys/g/memory.kmem.tcp.usage_in_bytes", "51\n"},
        {"sys/g/memory.max_usage_in_bytes", "2000\n"},
        {"sys/g/memory.failcnt", "52\n"},
        {"sys/g/memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 2\n"},
        {"sys/g/memory.limit_in_bytes", "314572800\n"},
},
  v2_files[] = {
      {"sys/g/memory.current", "1000\n"},
      {"sys/g/memory.stat",
       "anon 200\nfile 100\nkernel 50\nkernel_stack 1\npagetables 2\nsec_pagetables 0\npercpu 3\nsock 4\nvmalloc 5\n"
       "shmem 30\nfile_mapped 40\nfile_dirty 5\nfile_writeback 6\nanon_thp 0\ninactive_anon 14\nactive_anon 15\n"
       "inactive_file 16\nactive_file 17\nunevictable 18\nslab_reclaimable 19\nslab_unreclaimable 20\nslab 39\n"
       "workingset_refault_anon 7\nworkingset_refault_file 8\npgfault 12\npgmajfault 13\n"},
      {"sys/g/memory.peak", "2000\n"},
      {"sys/g/memory.swap.current", "9\n"},
      {"sys/g/memory.events", "low 0\nhigh 21\nmax 22\noom 23\noom_kill 2\noom_group_kill 0\n"},
      {"sys/g/memory.max", "268435456\n"},
      {"sys/g/memory.high", "max\n"},
      {"sys/g/memory.pressure",
       "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=6\n"},
};
#define V1_FILES (sizeof v1_files / sizeof *v1_files)
#define V2_FILES (sizeof v2_files / sizeof *v2_files)

static void make_v1(void)
{
    for (size_t i = 0; i < V1_FILES; i++)
        fake_file(v1_files[i].file, v1_files[i].text);
}

static void make_v2(void)
{
    for (size_t i = 0; i < V2_FILES; i++)
        fake_file(v2_files[i].file, v2_files[i].text);
}

T(v1_is_read_with_its_children)
{
    make_v1();
    open_group();
    look(3.5);
    assert_true(sample.t == 3.5);
    is(MEM_usage, 1000);
    is(MEM_file, 100);
    is(MEM_anon, 200);
    is(MEM_shmem, 30);
    is(MEM_kernel, 50);
    is(MEM_tcp, 51);
    is(MEM_peak, 2000);
    is(MEM_failcnt, 52);
    is(MEM_under_oom, 1);
    is(MEM_oom_kill, 2);
    is(MEM_refault_file, 8);
    is(MEM_working_set, 984);
    is(MEM_psi_some, 77); // the machine's
    assert_false(mem_known(&sample, MEM_slab_reclaimable));
    int64_t hard;
    assert_true(mem_hard(&sample, &hard));
    assert_int_equal(hard, 967);
}

T(the_limit_of_v1_is_the_hierarchys)
{
    struct mem_limit limit;

    make_v1();
    open_group();
    look(1);
    is(MEM_limit, 268435456);
    mem_sensor_limit(sensor, &limit);
    assert_int_equal(limit.from, MEM_LIMIT_ANCESTOR);
    fake_file("sys/g/memory.limit_in_bytes", "200000000\n");
    look(2);
    is(MEM_limit, 200000000);
    mem_sensor_limit(sensor, &limit);
    assert_int_equal(limit.from, MEM_LIMIT_GROUP);
}

T(without_a_limit_of_its_own_ram_is_the_ceiling)
{
    struct mem_limit limit;

    make_v1();
    fake_file("sys/g/memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
    fake_file("sys/g/memory.limit_in_bytes", "9223372036854771712\n");
    open_group();
    look(1);
    is(MEM_limit, INT64_C(1048576) * 1024);
    mem_sensor_limit(sensor, &limit);
    assert_int_equal(limit.from, MEM_LIMIT_RAM);
}

T(with_no_limit_and_no_ram_told_it_is_unlimited)
{
    make_v2();
    fake_file("sys/g/memory.max", "max\n");
    unlink(fake_path("proc/meminfo"));
    open_group();
    look(1);
    is(MEM_limit, MEM_UNLIMITED);
}

T(v2_is_read)
{
    make_v2();
    open_group();
    look(1);
    is(MEM_usage, 1000);
    is(MEM_limit, 268435456);
    is(MEM_anon, 200);
    is(MEM_file, 100);
    is(MEM_kernel, 50);
    is(MEM_sock, 4);
    is(MEM_slab_reclaimable, 19);
    is(MEM_events_high, 21);
    is(MEM_events_max, 22);
    is(MEM_events_oom, 23);
    is(MEM_oom_kill, 2);
    is(MEM_swap, 9);
    is(MEM_psi_some, 7);
    is(MEM_psi_full, 6);
    assert_false(mem_known(&sample, MEM_failcnt));
}

T(an_older_v2_has_its_kernel_memory_summed)
{
    make_v2();
    fake_file("sys/g/memory.stat", "anon 1\nkernel_stack 100\npagetables 20\npercpu 3\nslab 4000\n");
    open_group();
    look(1);
    is(MEM_kernel, 4123);
}

// The tightest of all levels counts, by memory.max or memory.high, and the events are those of the group that is hit.
T(the_tightest_ancestor_of_v2_limits)
{
    struct mem_limit limit;

    make_v2();
    for (size_t i = 0; i < V2_FILES; i++) {
        char name[128];
        snprintf(name, sizeof name, "sys/g/a/b/%s", strrchr(v2_files[i].file, '/') + 1);
        fake_file(name, v2_files[i].text);
    }
    fake_file("sys/g/a/memory.max", "100000000\n");
    fake_file("sys/g/a/memory.current", "60000000\n");
    fake_file("sys/g/a/memory.events", "max 4711\noom 1\noom_kill 99\n");
    assert_int_equal(mem_where_path(&roots, "g/a/b", &where), 0);
    assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
    look(1);
    is(MEM_limit, 100000000);
    is(MEM_events_max, 4711);
    is(MEM_oom_kill, 2); // its own: those of siblings are no business of ours
    mem_sensor_limit(sensor, &limit);
    assert_int_equal(limit.from, MEM_LIMIT_ANCESTOR);
    assert_int_equal(limit.level, 1);
    assert_int_equal(limit.ancestor_usage, 60000000);
    fake_file("sys/g/a/b/memory.high", "90000000\n");
    look(2);
    is(MEM_limit, 90000000);
    mem_sensor_limit(sensor, &limit);
    assert_int_equal(limit.from, MEM_LIMIT_HIGH);
}

T(a_changed_limit_of_an_ancestor_is_noticed)
{
    make_v2();
    fake_file("sys/g/a/memory.current", "1\n");
    fake_file("sys/g/a/memory.max", "max\n");
    fake_file("sys/g/a/memory.stat", "anon 1\n");
    assert_int_equal(mem_where_path(&roots, "g/a", &where), 0);
    assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
    look(0);
    is(MEM_limit, 268435456);
    fake_file("sys/g/memory.max", "134217728\n");
    for (int i = 1; i <= 10; i++)
        look(i);
    is(MEM_limit, 134217728);
}

T(a_machine_is_told_by_meminfo_and_vmstat)
{
    struct mem_limit limit;

    assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
    look(1);
    is(MEM_limit, INT64_C(1048576) * 1024);
    is(MEM_usage, INT64_C(524288) * 1024);
    is(MEM_file, 210 * 1024);
    is(MEM_anon, 100 * 1024);
    is(MEM_shmem, 25 * 1024);
    is(MEM_kernel, (300 + 16 + 20 + 4 + 8) * 1024);
    is(MEM_pgmajfault, 12);
    is(MEM_refault_file, 5);
    is(MEM_oom_kill, 3);
    is(MEM_psi_some, 77);
    mem_sensor_limit(sensor, &limit);
    assert_int_equal(limit.from, MEM_LIMIT_RAM);
    assert_false(mem_known(&sample, MEM_pgpgin)); // vmstat's are kilobytes of a disk
}

static void make_gvisor(void)
{
    fake_file("proc/meminfo", "MemTotal:        2097152 kB\nMemFree:         2090000 kB\nMemAvailable:    2090000 kB\n"
                              "Buffers:               0 kB\nCached:             4000 kB\nActive(anon):       3000 kB\n"
                              "Inactive(anon):        0 kB\nActive(file):       1252 kB\nInactive(file):     1256 kB\n"
                              "AnonPages:          3000 kB\nMapped:             2508 kB\nShmem:              1000 kB\n");
    unlink(fake_path("proc/vmstat"));
    unlink(fake_path("proc/pressure/memory"));
    rmdir(fake_path("proc/pressure"));
}

T(gvisor_without_a_cgroup_is_told_by_its_meminfo)
{
    make_gvisor();
    where.kind = MEM_KIND_GVISOR;
    assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
    look(1);
    is(MEM_usage, (2097152 - 2090000) * 1024);
    is(MEM_limit, INT64_C(2097152) * 1024);
    is(MEM_shmem, 1000 * 1024);
    is(MEM_anon, 2000 * 1024); // its AnonPages has the files in memory in it
    is(MEM_file, 4000 * 1024);
    assert_false(mem_known(&sample, MEM_kernel));
    assert_false(mem_known(&sample, MEM_psi_some));
}

T(gvisors_cgroup_tells_usage_and_limit)
{
    make_gvisor();
    fake_file("sys/g/memory.usage_in_bytes", "7000000\n");
    fake_file("sys/g/memory.limit_in_bytes", "9223372036854775807\n");
    assert_int_equal(mem_where_path(&roots, "g", &where), 0);
    where.kind = MEM_KIND_GVISOR;
    assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
    look(1);
    is(MEM_usage, 7000000);
    is(MEM_limit, INT64_C(2097152) * 1024);
    is(MEM_shmem, 1000 * 1024);
    fake_file("sys/g/memory.limit_in_bytes", "536870912\n");
    look(2);
    is(MEM_limit, 536870912);
}

static uint64_t bits(void)
{
    return sample.known[0];
}

// What a file gives when it is whole: the bits that the sample loses without it.
static void each_file_costs_its_own_fields_only(bool v1, const char *instead)
{
    size_t n = v1 ? V1_FILES : V2_FILES;
    uint64_t all = 0, lost = 0;

    for (size_t round = 0; round <= n; round++) {
        size_t bad = round ? round - 1 : n; // first: none
        for (size_t i = 0; i < n; i++)
            fake_file(v1 ? v1_files[i].file : v2_files[i].file, v1 ? v1_files[i].text : v2_files[i].text);
        if (bad < n) {
            const char *file = v1 ? v1_files[bad].file : v2_files[bad].file;
            if (!instead) {
                unlink(fake_path(file));
            } else if (strcmp(instead, "EACCES") == 0) {
                chmod(fake_path(file), 0);
            } else if (strcmp(instead, "cut") == 0) {
                const char *text = v1 ? v1_files[bad].text : v2_files[bad].text;
                char half[4096];
                snprintf(half, sizeof half, "%.*s", (int)strlen(text) / 2, text);
                fake_file(file, half);
            } else {
                fake_file(file, instead);
            }
        }
        assert_int_equal(mem_where_path(&roots, "g", &where), 0);
        fake_be_nobody();
        assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
        fake_be_self();
        memset(&sample, 0, sizeof sample);
        look(1);
        if (bad == n) {
            all = bits();
            is(MEM_usage, 1000);
        } else {
            assert_int_equal(bits() & ~all, 0); // nothing comes from nowhere
            lost |= all & ~bits();
            if (bad != 0)
                is(MEM_usage, 1000);
            if (bad != 1)
                is(MEM_anon, 200);
            if (bad > 1)
                is(MEM_inactive_file, 16);
        }
        sensor = mem_sensor_close(sensor);
        mem_where_close(&where);
        for (size_t i = 0; i < n; i++)
            unlink(fake_path(v1 ? v1_files[i].file : v2_files[i].file));
    }
    // Each field is lost with its file, but those for which another file stands in, and those in the half that is still there.
    uint64_t stand_in = UINT64_C(1) << MEM_limit | UINT64_C(3) << MEM_psi_some;
    if (!instead || strcmp(instead, "cut") != 0)
        assert_int_equal(all & ~lost & ~stand_in, 0);
}

T(an_absent_file_costs_its_own_fields_only)
{
    each_file_costs_its_own_fields_only(true, NULL);
    each_file_costs_its_own_fields_only(false, NULL);
}

T(an_unreadable_file_costs_its_own_fields_only)
{
    each_file_costs_its_own_fields_only(true, "EACCES");
    each_file_costs_its_own_fields_only(false, "EACCES");
}

T(garbage_costs_its_own_fields_only)
{
    static const char *const garbage[] = {"",
                                          "\n",
                                          "garbage\n",
                                          "\x01\xff\xfe",
                                          "-1\n",
                                          "99999999999999999999999\n",
                                          "anon\ntotal_rss\nsome\nkernel \nlow high max\n"};

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        each_file_costs_its_own_fields_only(true, garbage[i]);
        each_file_costs_its_own_fields_only(false, garbage[i]);
    }
}

T(a_file_cut_off_costs_no_others_fields)
{
    each_file_costs_its_own_fields_only(true, "cut");
    each_file_costs_its_own_fields_only(false, "cut");
}

T(a_field_that_goes_away_is_not_known_any_more)
{
    make_v1();
    open_group();
    look(1);
    is(MEM_usage, 1000);
    mem_set(&sample, MEM_nprocs, 4);
    fake_file("sys/g/memory.usage_in_bytes", "x\n");
    look(2);
    assert_false(mem_known(&sample, MEM_usage));
    assert_false(mem_known(&sample, MEM_working_set));
    is(MEM_nprocs, 4); // another's field stays
}

T(numbers_that_no_machine_has_are_garbage)
{
    make_v2();
    fake_file("sys/g/memory.current", "9223372036854775807\n");
    fake_file("sys/g/memory.stat",
              "anon 9223372036854775807\nfile 7\nslab 9223372036854775807\nkernel_stack 9223372036854775807\n");
    open_group();
    look(1);
    assert_false(mem_known(&sample, MEM_usage));
    assert_false(mem_known(&sample, MEM_anon));
    assert_false(mem_known(&sample, MEM_kernel));
    is(MEM_file, 7);
}

T(a_limit_that_is_garbage_is_not_known)
{
    make_v2();
    fake_file("sys/g/memory.max", "garbage\n");
    fake_file("sys/g/memory.high", "garbage\n");
    open_group();
    look(1);
    assert_false(mem_known(&sample, MEM_limit));
}

// The machine's files, one after the other missing, unreadable, or garbage.
T(a_bad_file_of_the_machine_costs_its_own_fields_only)
{
    static const char *const files[] = {"proc/meminfo", "proc/vmstat", "proc/pressure/memory"};
    static const char *const instead[] = {NULL,
                                          "EACCES",
                                          "",
                                          "garbage\n",
                                          "MemTotal: x kB\nMemFree: -1 kB\npgfault\nsome total=\n",
                                          "MemTotal: 9223372036854775807 kB\nMemFree: 99999999999999999999 kB\n"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t k = 0; k < sizeof instead / sizeof *instead; k++) {
            tear_down(NULL);
            set_up(NULL);
            if (!instead[k])
                unlink(fake_path(files[i]));
            else if (strcmp(instead[k], "EACCES") == 0)
                chmod(fake_path(files[i]), 0);
            else
                fake_file(files[i], instead[k]);
            fake_be_nobody();
            assert_int_equal(mem_sensor_open(&roots, &where, &sensor), 0);
            fake_be_self();
            look(1);
            assert_int_equal(mem_known(&sample, MEM_usage), i != 0);
            assert_int_equal(mem_known(&sample, MEM_limit), i != 0);
            assert_int_equal(mem_known(&sample, MEM_anon), i != 0);
            assert_int_equal(mem_known(&sample, MEM_pgmajfault), i != 1);
            assert_int_equal(mem_known(&sample, MEM_oom_kill), i != 1);
            assert_int_equal(mem_known(&sample, MEM_psi_some), i != 2);
        }
}

// A real group where there is one to be made: usage of a removed group is an error, not a number.
T(a_group_that_was_removed_is_told)
{
    struct mem_roots real;
    char path[64] = "/sys/fs/cgroup/memory/plimsoll-test-sensor-XXXXXX";

    if (geteuid() != 0 || access("/sys/fs/cgroup/memory/memory.usage_in_bytes", F_OK) < 0 || !mkdtemp(path)) {
        print_message("no v1 memory cgroup to make: skipped\n");
        return;
    }
    assert_int_equal(mem_roots_open(NULL, NULL, &real), 0);
    assert_int_equal(mem_where_path(&real, path, &where), 0);
    assert_int_equal(mem_sensor_open(&real, &where, &sensor), 0);
    look(1);
    is(MEM_usage, 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mem_sensor_read(sensor, 2, &sample), -ESRCH);
    assert_false(mem_known(&sample, MEM_usage));
    mem_roots_close(&real);
}

#define F(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
CLAIMS(F(v1_is_read_with_its_children), F(the_limit_of_v1_is_the_hierarchys), F(without_a_limit_of_its_own_ram_is_the_ceiling),
       F(with_no_limit_and_no_ram_told_it_is_unlimited), F(v2_is_read), F(an_older_v2_has_its_kernel_memory_summed),
       F(the_tightest_ancestor_of_v2_limits), F(a_changed_limit_of_an_ancestor_is_noticed),
       F(a_machine_is_told_by_meminfo_and_vmstat), F(gvisor_without_a_cgroup_is_told_by_its_meminfo),
       F(gvisors_cgroup_tells_usage_and_limit), F(an_absent_file_costs_its_own_fields_only),
       F(an_unreadable_file_costs_its_own_fields_only), F(garbage_costs_its_own_fields_only),
       F(a_file_cut_off_costs_no_others_fields), F(a_field_that_goes_away_is_not_known_any_more),
       F(numbers_that_no_machine_has_are_garbage), F(a_limit_that_is_garbage_is_not_known),
       F(a_bad_file_of_the_machine_costs_its_own_fields_only), F(a_group_that_was_removed_is_told))
