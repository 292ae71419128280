// SPDX-License-Identifier: Apache-2.0
#include "mem/ledger.h"

#include <string.h>

#include "../claim.h"

#include "mem/eye.h"
#include "mem/prices.h"

#define MIB (INT64_C(1) << 20)

static struct ledger l;
static struct mem_sample sample;
static struct proc_info procs[4];
static struct mounts mounts;
static struct segments segments;
static struct scan_total walked[MOUNTS_MAX];
static struct ledger_input in;

// A v1 group: 40 MiB anonymous in two processes, a tmpfs with 60, OPcache with 10, 20 of page cache, 5 of the kernel, 135 in all.
static void set_up(void)
{
    memset(&sample, 0, sizeof sample);
    memset(procs, 0, sizeof procs);
    memset(&mounts, 0, sizeof mounts);
    memset(walked, 0, sizeof walked);
    segments_init(&segments);
    segments_begin(&segments);
    mem_set(&sample, MEM_usage, 135 * MIB);
    mem_set(&sample, MEM_limit, 256 * MIB);
    mem_set(&sample, MEM_anon, 40 * MIB);
    mem_set(&sample, MEM_file, 90 * MIB);
    mem_set(&sample, MEM_shmem, 70 * MIB);
    mem_set(&sample, MEM_file_mapped, 18 * MIB);
    mem_set(&sample, MEM_kernel, 5 * MIB);
    for (int i = 0; i < 2; i++)
        procs[i] = (struct proc_info){.pid = 100 + i,
                                      .comm = "php-fpm8.2",
                                      .role = i ? ROLE_FPM_WORKER : ROLE_FPM_MASTER,
                                      .rss = 60 * MIB,
                                      .rss_anon = 30 * MIB,
                                      .rss_shmem = 8 * MIB,
                                      .page_tables = MIB / 4,
                                      .threads = 1,
                                      .pss_known = true,
                                      .pss_anon = 20 * MIB,
                                      .pss_shmem = 5 * MIB};
    mounts.n = 1;
    mounts.m[0] = (struct mount){.kind = MOUNT_TMPFS,
                                 .dev = 77,
                                 .fd = -1,
                                 .sized = true,
                                 .whole = true,
                                 .used = 60 * MIB,
                                 .inodes = 1000,
                                 .path = "/app/var"};
    walked[0] = (struct scan_total){.known = true, .bytes = 60 * MIB, .inodes = 1000};
    struct segment *s = segments_get(&segments, SEGMENT_SHARED_ANON, 1, 9);
    segments_hold(s, 100);
    s->bytes = 10 * MIB;
    s->size = 128 * MIB;
    in = (struct ledger_input){.sample = &sample,
                               .procs = procs,
                               .nprocs = 2,
                               .pss_fresh = true,
                               .sight = SIGHT_FULL,
                               .ncpus = 2,
                               .mounts = &mounts,
                               .walked = walked,
                               .complete = true,
                               .segments = &segments};
}

static void at_lower_sight(void)
{
    in.sight = SIGHT_NONE;
    segments_init(&segments);
    segments_begin(&segments);
    segments.unseen = 2;
    segments.complete = false;
    for (int i = 0; i < 2; i++) {
        procs[i].pss_known = false;
        procs[i].pss_anon = procs[i].pss_shmem = 0;
    }
}

static void build(void)
{
    ledger_build(&in, &l);
    // Whatever it holds: the parts are the sum, and the sum is usage.
    int64_t sum[LEDGER_CATEGORY_N] = {0}, total = 0;
    for (int i = 0; i < l.n; i++)
        if (l.entry[i].parent < 0 && !l.entry[i].elsewhere)
            sum[l.entry[i].category] += l.entry[i].bytes;
    for (int c = 0; c <= LEDGER_UNEXPLAINED; c++)
        total += l.sum[c];
    if (!l.dropped)
        assert_memory_equal(sum, l.sum, sizeof sum);
    assert_int_equal(total, l.usage);
}

static const struct ledger_entry *find(enum ledger_category c, const char *name)
{
    for (int i = 0; i < l.n; i++)
        if (l.entry[i].category == c && strstr(l.entry[i].name, name))
            return &l.entry[i];
    return NULL;
}

T(owners_that_cover_usage_leave_nothing_unexplained)
{
    set_up();
    build();

    assert_int_equal(l.sum[LEDGER_ANON], 40 * MIB);
    assert_int_equal(l.sum[LEDGER_FILES], 60 * MIB);
    assert_int_equal(l.sum[LEDGER_SHARED], 10 * MIB);
    assert_int_equal(l.sum[LEDGER_CACHE], 20 * MIB);
    assert_int_equal(l.sum[LEDGER_KERNEL], 5 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
    assert_true(ledger_balances(&l));
    assert_int_equal(find(LEDGER_CACHE, "program text")->bytes, 8 * MIB); // mapped, but for the shared segment
    assert_int_equal(find(LEDGER_CACHE, "reclaimable")->bytes, 12 * MIB);
    assert_false(find(LEDGER_ANON, "php-fpm")->estimate);
    assert_non_null(find(LEDGER_SHARED, "OPcache"));
}

T(what_no_owner_covers_is_shown_with_its_sign)
{
    set_up();
    mem_set(&sample, MEM_usage, 155 * MIB);
    mem_set(&sample, MEM_file, 110 * MIB); // 20 MiB of a memfd that nobody in sight holds
    mem_set(&sample, MEM_shmem, 90 * MIB);
    build();
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 20 * MIB);
    assert_false(ledger_balances(&l));

    mem_set(&sample, MEM_usage, 115 * MIB);
    build();
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], -20 * MIB);
    assert_false(ledger_balances(&l));
}

T(a_file_system_that_can_not_be_measured_is_named_as_a_reason)
{
    set_up();
    mounts.m[0].used = -1;
    build();
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 60 * MIB);
    assert_non_null(strstr(find(LEDGER_UNEXPLAINED, "unexplained")->note, "1 file systems in memory can't be measured"));
    mounts.m[0].shadowed = true; // by another mount: no cure for that
    build();
    assert_null(strstr(find(LEDGER_UNEXPLAINED, "unexplained")->note, "measured"));
}

T(it_balances_up_to_the_reserve_or_a_hundredth)
{
    set_up();
    l.usage = 10 * MIB;
    l.reserve = MIB / 2;
    static const struct {
        int64_t usage, unexplained;
        bool balances;
    } cases[] = {{10 * MIB, MIB / 2, true},       {10 * MIB, -MIB / 2, true}, {10 * MIB, MIB / 2 + 1, false},
                 {10 * MIB, -MIB / 2 - 1, false}, {200 * MIB, 2 * MIB, true}, {200 * MIB, 2 * MIB + 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        l.usage = cases[i].usage;
        l.sum[LEDGER_UNEXPLAINED] = cases[i].unexplained;
        assert_int_equal(ledger_balances(&l), cases[i].balances);
    }
}

T(at_lower_sight_the_counter_stands_and_processes_are_estimates)
{
    set_up();
    at_lower_sight();
    build();

    assert_int_equal(l.sum[LEDGER_ANON], 40 * MIB);
    const struct ledger_entry *e = find(LEDGER_ANON, "shared after fork");
    assert_non_null(e);
    assert_int_equal(e->bytes, -20 * MIB);
    e = find(LEDGER_ANON, "php-fpm");
    assert_int_equal(e->bytes, 30 * MIB);
    assert_true(e->estimate);
    e = find(LEDGER_SHARED, "OPcache");
    assert_int_equal(e->bytes, 10 * MIB); // between 8, the most of one, and 16, that of both
    assert_true(e->estimate);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
}

T(at_lower_sight_no_more_is_called_shared_than_processes_map)
{
    set_up();
    at_lower_sight();
    mem_set(&sample, MEM_usage, 185 * MIB);
    mem_set(&sample, MEM_file, 140 * MIB);
    mem_set(&sample, MEM_shmem, 120 * MIB);
    build();

    assert_int_equal(l.sum[LEDGER_SHARED], 16 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 44 * MIB);
}

T(files_charged_elsewhere_are_shown_and_not_in_the_sum)
{
    set_up();
    mounts.n = 2;
    mounts.m[1] = (struct mount){.kind = MOUNT_TMPFS, .dev = 78, .fd = -1, .sized = true, .used = 300 * MIB, .path = "/dev/shm"};
    build();

    assert_int_equal(l.sum[LEDGER_FILES], 60 * MIB);
    const struct ledger_entry *e = find(LEDGER_FILES, "/dev/shm");
    assert_non_null(e);
    assert_true(e->elsewhere);
    assert_int_equal(e->bytes, 300 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
}

T(a_file_system_charged_in_part_is_split)
{
    set_up();
    mounts.m[0].used = 91 * MIB;
    build();

    assert_int_equal(l.sum[LEDGER_FILES], 60 * MIB);
    assert_int_equal(l.entry[0].category, LEDGER_ANON);
    int here = 0, elsewhere = 0;
    for (int i = 0; i < l.n; i++)
        if (l.entry[i].category == LEDGER_FILES && strcmp(l.entry[i].name, "/app/var") == 0) {
            here += !l.entry[i].elsewhere && l.entry[i].bytes == 60 * MIB;
            elsewhere += l.entry[i].elsewhere && l.entry[i].bytes == 31 * MIB;
        }
    assert_int_equal(here, 1);
    assert_int_equal(elsewhere, 1);
}

T(deleted_files_are_a_part_of_their_mount)
{
    set_up();
    struct segment *s = segments_get(&segments, SEGMENT_DELETED, 77, 5);
    segments_hold(s, 101);
    segments_name(s, "/app/var/log/x (deleted)");
    s->bytes = 30 * MIB;
    s->open = true;
    walked[0].bytes = 30 * MIB;
    build();

    assert_int_equal(l.sum[LEDGER_FILES], 60 * MIB);
    const struct ledger_entry *e = find(LEDGER_FILES, "/app/var/log/x (deleted)");
    assert_non_null(e);
    assert_int_equal(e->pid, 101);
    assert_true(e->parent >= 0);
    assert_string_equal(l.entry[e->parent].name, "/app/var");
    assert_null(find(LEDGER_FILES, "in no directory"));

    s->dev = 99; // on no mount in sight: by itself
    mem_set(&sample, MEM_shmem, 100 * MIB);
    mem_set(&sample, MEM_file, 120 * MIB);
    mem_set(&sample, MEM_usage, 165 * MIB);
    build();
    assert_int_equal(l.sum[LEDGER_FILES], 90 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
    int n = l.n;
    s->bytes = 0; // an empty one is no line
    build();
    assert_int_equal(l.n, n - 1);
}

T(a_deleted_file_is_a_part_of_its_own_mount_only)
{
    set_up();
    mounts.n = 2;
    mounts.m[1] = mounts.m[0];
    mounts.m[1].dev = 78;
    mounts.m[1].used = 5 * MIB;
    strcpy(mounts.m[1].path, "/dev/shm");
    walked[1] = (struct scan_total){.known = true, .bytes = MIB, .inodes = 5};
    mounts.m[0].used = walked[0].bytes = 55 * MIB;
    struct segment *s = segments_get(&segments, SEGMENT_DELETED, 78, 5);
    segments_hold(s, 101);
    segments_name(s, "/dev/shm/x (deleted)");
    s->bytes = 4 * MIB;
    build();

    int lines = 0;
    for (int i = 0; i < l.n; i++)
        if (strstr(l.entry[i].name, "/dev/shm/x")) {
            assert_string_equal(l.entry[l.entry[i].parent].name, "/dev/shm");
            lines++;
        }
    assert_int_equal(lines, 1);
    assert_null(find(LEDGER_FILES, "in no directory"));
}

T(the_first_line_may_be_of_a_file_system_charged_elsewhere)
{
    set_up();
    in.nprocs = 0;
    segments_init(&segments);
    segments_begin(&segments);
    sample = (struct mem_sample){0};
    mem_set(&sample, MEM_usage, 8 * MIB);
    mem_set(&sample, MEM_shmem, 0);
    build();
    assert_string_equal(l.entry[0].name, "/app/var");
    assert_true(l.entry[0].elsewhere);
    assert_non_null(strstr(l.entry[0].note, "charged to another cgroup"));
}

T(what_statvfs_counts_and_the_walk_does_not_find_is_told)
{
    set_up();
    at_lower_sight();
    walked[0].bytes = 20 * MIB;
    build();

    const struct ledger_entry *e = find(LEDGER_FILES, "in no directory");
    assert_non_null(e);
    assert_int_equal(e->bytes, 40 * MIB);
    assert_non_null(strstr(e->note, "its owner isn't visible"));
    mounts.m[0].whole = false;
    build();
    assert_non_null(strstr(find(LEDGER_FILES, "in no directory")->note, "only a part"));
    in.complete = false; // not before the walk is through
    build();
    assert_null(find(LEDGER_FILES, "in no directory"));
}

T(directories_lie_in_each_other)
{
    static const struct eye_dir dirs[] = {
        {.mount = 0, .id = 3, .bytes = 50 * MIB, .files = 9, .growth_per_min = 3 * MIB, .path = "/app/var/cache/en"},
        {.mount = 0, .id = 2, .bytes = 55 * MIB, .files = 10, .growth_per_min = 3 * MIB, .path = "/app/var/cache"},
        {.mount = 0, .id = 4, .bytes = 5 * MIB, .files = 1, .growth_per_min = INT64_MIN, .path = "/app/var/cachet"},
        {.mount = 0,
         .id = 1,
         .bytes = 60 * MIB,
         .files = 11,
         .growth_per_min = 4 * MIB,
         .growth_from_ages = true,
         .path = "/app/var"}};
    set_up();
    in.dirs = dirs;
    in.n_dirs = 4;
    build();

    const struct ledger_entry *en = find(LEDGER_FILES, "/cache/en"), *other = find(LEDGER_FILES, "/cachet");
    assert_string_equal(l.entry[en->parent].name, "/app/var/cache");
    const struct ledger_entry *mount = &l.entry[l.entry[en->parent].parent];
    assert_string_equal(mount->name, "/app/var");
    assert_int_equal(mount->growth_per_min, 4 * MIB);
    assert_true(mount->growth_from_ages);
    assert_int_equal(mount->bytes, 60 * MIB);
    assert_ptr_equal(&l.entry[other->parent], mount);
}

T(shared_memory_that_page_tables_do_not_show_is_the_segments_up_to_its_size)
{
    set_up();
    struct segment *s = segments_get(&segments, SEGMENT_SHARED_ANON, 1, 9);
    s->bytes = 4 * MIB;
    s->estimate = true;
    build();
    assert_int_equal(l.sum[LEDGER_SHARED], 10 * MIB);
    assert_true(find(LEDGER_SHARED, "OPcache")->estimate);

    s->size = 6 * MIB;
    build();
    assert_int_equal(l.sum[LEDGER_SHARED], 6 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 4 * MIB);
}

T(huge_pages_of_which_a_part_is_mapped_are_charged_in_whole)
{
    set_up();
    mem_set(&sample, MEM_usage, 157 * MIB);
    mem_set(&sample, MEM_inactive_anon, 132 * MIB); // 110 of them mapped or in files
    mem_set(&sample, MEM_active_anon, 0);
    build();
    assert_int_equal(find(LEDGER_ANON, "huge pages")->bytes, 22 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);

    mem_set(&sample, MEM_inactive_anon, 90 * MIB); // locked memory is on another list
    build();
    assert_null(find(LEDGER_ANON, "huge pages"));
}

T(memory_brought_from_another_cgroup_is_a_correction)
{
    set_up();
    procs[0].pss_anon = 35 * MIB;
    build();
    assert_int_equal(find(LEDGER_ANON, "charged to another cgroup")->bytes, -15 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);

    in.anon_moved = 10 * MIB;
    build();
    assert_int_equal(find(LEDGER_ANON, "changed while")->bytes, -15 * MIB);
    procs[0].pss_anon = 5 * MIB; // too few owners without any movement is no correction
    in.anon_moved = 0;
    build();
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 15 * MIB);
}

T(the_kernels_parts_are_exact_on_v2_and_estimates_on_v1)
{
    set_up();
    build();
    const struct ledger_entry *e = find(LEDGER_KERNEL, "inodes");
    assert_int_equal(e->bytes, 1000 * MEM_INODE_BYTES);
    assert_true(e->estimate);
    assert_false(l.entry[e->parent].estimate);

    mem_set(&sample, MEM_slab_unreclaimable, 3 * MIB);
    mem_set(&sample, MEM_pagetables, MIB);
    mem_set(&sample, MEM_sock, 2 * MIB);
    mem_set(&sample, MEM_usage, 137 * MIB);
    build();
    assert_int_equal(l.sum[LEDGER_KERNEL], 7 * MIB); // v2 counts sockets beside the kernel's
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
    assert_int_equal(find(LEDGER_KERNEL, "slab")->bytes, 3 * MIB);
    assert_false(find(LEDGER_KERNEL, "page tables")->estimate);
    assert_null(find(LEDGER_KERNEL, "inodes of files"));
}

T(estimates_of_the_kernels_parts_never_exceed_it)
{
    set_up();
    mounts.m[0].inodes = 1000000;
    build();
    assert_int_equal(find(LEDGER_KERNEL, "inodes")->bytes, 5 * MIB);
    assert_null(find(LEDGER_KERNEL, "page tables"));
}

T(inodes_of_file_systems_that_can_not_be_ours_are_not_pinned)
{
    set_up();
    assert_int_equal(ledger_pinned(&sample, procs, 2, &mounts), 1000 * MEM_INODE_BYTES + MIB / 2 + 2 * MEM_STACK_BYTES);
    mounts.n = 3;
    mounts.m[1] = (struct mount){.kind = MOUNT_TMPFS, .fd = -1, .used = 300 * MIB, .inodes = 50000};
    mounts.m[2] = (struct mount){.kind = MOUNT_DEVTMPFS, .fd = -1, .used = 0, .inodes = 500};
    assert_int_equal(ledger_pinned(&sample, procs, 2, &mounts), 1000 * MEM_INODE_BYTES + MIB / 2 + 2 * MEM_STACK_BYTES);
}

T(tcp_buffers_of_v1_and_huge_pages_stand_beside_the_sum)
{
    set_up();
    mem_set(&sample, MEM_tcp, 126 * MIB);
    mounts.n = 2;
    mounts.m[1] = (struct mount){.kind = MOUNT_HUGETLB, .dev = 78, .fd = -1, .sized = true, .used = 64 * MIB, .path = "/huge"};
    build();

    assert_int_equal(l.sum[LEDGER_BESIDE], 190 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
    assert_int_equal(l.sum[LEDGER_FILES], 60 * MIB);
}

T(ramfs_is_taken_out_of_the_page_cache)
{
    set_up();
    mounts.n = 2;
    mounts.m[1] = (struct mount){.kind = MOUNT_RAMFS, .dev = 78, .fd = -1, .used = 15 * MIB, .path = "/ram"};
    build();

    assert_int_equal(l.sum[LEDGER_FILES], 75 * MIB);
    assert_int_equal(l.sum[LEDGER_CACHE], 5 * MIB);
    assert_int_equal(l.sum[LEDGER_UNEXPLAINED], 0);
}

T(nothing_known_is_a_ledger_of_what_is_there)
{
    set_up();
    memset(&sample, 0, sizeof sample);
    build();
    assert_int_equal(l.usage, 40 * MIB + 60 * MIB + 10 * MIB);
    assert_int_equal(l.limit, MEM_UNLIMITED);
    assert_int_equal(l.hard, -1);

    in.nprocs = 0;
    mounts.n = 0;
    segments_init(&segments);
    build();
    assert_int_equal(l.usage, 0);
}

T(gvisor_tells_no_anonymous_memory_of_a_process)
{
    set_up();
    at_lower_sight();
    in.gvisor = true;
    for (int i = 0; i < 2; i++)
        procs[i].rss_anon = procs[i].rss_shmem = -1;
    build();

    assert_int_equal(l.sum[LEDGER_ANON], 40 * MIB);
    assert_true(find(LEDGER_ANON, "all processes")->estimate);
    assert_int_equal(find(LEDGER_ANON, "php-fpm")->parent, find(LEDGER_ANON, "all processes") - l.entry);
}

T(more_processes_than_lines_are_summed_up)
{
    static struct proc_info many[700];
    set_up();
    for (int i = 0; i < 700; i++)
        many[i] = (struct proc_info){
            .pid = i + 1, .pss_known = true, .pss_anon = MIB / 16 * (i % 7), .rss_shmem = -1, .page_tables = -1};
    mem_set(&sample, MEM_anon, MIB / 16 * 21 * 100);
    in.procs = many;
    in.nprocs = 700;
    build();

    assert_int_equal(l.sum[LEDGER_ANON], MIB / 16 * 21 * 100);
    assert_int_equal(l.dropped, 0);
    assert_non_null(find(LEDGER_ANON, "652 other processes"));
    in.nprocs = 699; // the last one is none of the biggest, and isn't shown
    build();
    int shown = 0;
    for (int i = 0; i < l.n; i++)
        if (l.entry[i].category == LEDGER_ANON && !strstr(l.entry[i].name, "other processes") && l.entry[i].pid) {
            assert_int_equal(l.entry[i].bytes, MIB / 16 * 6);
            shown++;
        }
    assert_int_equal(shown, 48);
}

T(a_difference_within_the_reserve_is_no_huge_page)
{
    set_up();
    mem_set(&sample, MEM_inactive_anon, 110 * MIB + MIB / 4);
    mem_set(&sample, MEM_active_anon, 0);
    build();
    assert_null(find(LEDGER_ANON, "huge pages"));
}

T(with_swap_the_lists_say_nothing_of_huge_pages)
{
    set_up();
    mem_set(&sample, MEM_usage, 157 * MIB);
    mem_set(&sample, MEM_inactive_anon, 132 * MIB);
    mem_set(&sample, MEM_active_anon, 0);
    mem_set(&sample, MEM_swap, MIB);
    build();
    assert_null(find(LEDGER_ANON, "huge pages"));
}

T(shared_memory_that_a_process_maps_is_no_program_text)
{
    set_up();
    build();
    assert_int_equal(find(LEDGER_CACHE, "program text")->bytes, 8 * MIB); // 18 mapped, 2 x 5 shared
    procs[0].rss_shmem = 12 * MIB;                                        // one maps more than the shares of all say
    build();
    assert_int_equal(find(LEDGER_CACHE, "program text")->bytes, 6 * MIB);
}

T(each_estimate_of_the_kernels_parts_leaves_the_next_its_room)
{
    set_up();
    mounts.m[0].inodes = 0;
    procs[0].page_tables = 4 * MIB;
    procs[1].page_tables = MIB - 8192;
    build();
    assert_int_equal(find(LEDGER_KERNEL, "page tables")->bytes, 5 * MIB - 8192);
    assert_int_equal(find(LEDGER_KERNEL, "threads' stacks")->bytes, 8192);
    assert_null(find(LEDGER_KERNEL, "other slab"));
}

CLAIMS(C(owners_that_cover_usage_leave_nothing_unexplained), C(what_no_owner_covers_is_shown_with_its_sign),
       C(a_file_system_that_can_not_be_measured_is_named_as_a_reason), C(it_balances_up_to_the_reserve_or_a_hundredth),
       C(at_lower_sight_the_counter_stands_and_processes_are_estimates),
       C(at_lower_sight_no_more_is_called_shared_than_processes_map), C(files_charged_elsewhere_are_shown_and_not_in_the_sum),
       C(a_file_system_charged_in_part_is_split), C(deleted_files_are_a_part_of_their_mount),
       C(what_statvfs_counts_and_the_walk_does_not_find_is_told), C(directories_lie_in_each_other),
       C(shared_memory_that_page_tables_do_not_show_is_the_segments_up_to_its_size),
       C(huge_pages_of_which_a_part_is_mapped_are_charged_in_whole), C(memory_brought_from_another_cgroup_is_a_correction),
       C(the_kernels_parts_are_exact_on_v2_and_estimates_on_v1), C(estimates_of_the_kernels_parts_never_exceed_it),
       C(inodes_of_file_systems_that_can_not_be_ours_are_not_pinned), C(tcp_buffers_of_v1_and_huge_pages_stand_beside_the_sum),
       C(ramfs_is_taken_out_of_the_page_cache), C(nothing_known_is_a_ledger_of_what_is_there),
       C(gvisor_tells_no_anonymous_memory_of_a_process), C(more_processes_than_lines_are_summed_up),
       C(a_difference_within_the_reserve_is_no_huge_page), C(with_swap_the_lists_say_nothing_of_huge_pages),
       C(shared_memory_that_a_process_maps_is_no_program_text), C(each_estimate_of_the_kernels_parts_leaves_the_next_its_room),
       C(the_first_line_may_be_of_a_file_system_charged_elsewhere), C(a_deleted_file_is_a_part_of_its_own_mount_only))
