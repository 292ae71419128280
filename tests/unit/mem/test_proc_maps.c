// SPDX-License-Identifier: Apache-2.0
// Claims about telling what a process's mappings are from their lines.
#include "mem/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../claim.h"

static struct proc_maps *maps;

static int set_up(void **state)
{
    maps = malloc(sizeof *maps);
    assert_non_null(maps);
    proc_maps_begin(maps, false);
    return 0;
}

static int tear_down(void **state)
{
    free(maps);
    return 0;
}

static void line(const char *text)
{
    char copy[256];

    assert_in_range(snprintf(copy, sizeof copy, "%s", text), 1, sizeof copy - 1);
    proc_maps_line(maps, copy);
}

static void lines(const char *const *text)
{
    for (; *text; text++)
        line(*text);
}

static enum span_class class_at(uint64_t address)
{
    const struct map_span *s = proc_maps_find(maps, address);
    return s ? s->class : SPAN_CLASS_N;
}

T(ordinary_mappings_are_told_by_name_and_rights)
{
    lines((const char *const[]){
        "55a000000000-55a000100000 r--p 00000000 08:01 111                        /usr/sbin/php-fpm8.2",
        "55a000100000-55a000200000 r-xp 00100000 08:01 111                        /usr/sbin/php-fpm8.2",
        "55a000200000-55a000210000 rw-p 00200000 08:01 111                        /usr/sbin/php-fpm8.2",
        "55a000300000-55a000400000 rw-p 00000000 00:00 0                          [heap]",
        "7f0000000000-7f0000200000 rw-p 00000000 00:00 0 ", "7f0000300000-7f0000400000 rwxp 00000000 00:00 0 ",
        "7f0001000000-7f0009000000 rw-s 00000000 00:01 42                         /dev/zero (deleted)",
        "7f000a000000-7f000a100000 rw-s 00000000 00:05 9                          /memfd:x (deleted)",
        "7f000b000000-7f000b100000 rw-s 00000000 00:05 9                          /SYSV00000000 (deleted)",
        "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]",
        "7ffc00100000-7ffc00102000 r-xp 00000000 00:00 0                          [vdso]", NULL});
    assert_int_equal(class_at(UINT64_C(0x55a000000000)), SPAN_FILE);
    assert_int_equal(class_at(UINT64_C(0x55a0001fffff)), SPAN_TEXT);
    assert_int_equal(class_at(UINT64_C(0x55a000200000)), SPAN_FILE);
    assert_int_equal(class_at(UINT64_C(0x55a000300000)), SPAN_HEAP);
    assert_int_equal(class_at(UINT64_C(0x7f0000000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0x7f0000300000)), SPAN_JIT);
    assert_int_equal(class_at(UINT64_C(0x7f0001000000)), SPAN_CLASS_N);
    assert_int_equal(class_at(UINT64_C(0x7f000a000000)), SPAN_CLASS_N);
    assert_int_equal(class_at(UINT64_C(0x7f000b000000)), SPAN_CLASS_N);
    assert_int_equal(class_at(UINT64_C(0x7ffc00000000)), SPAN_STACK);
    assert_int_equal(class_at(UINT64_C(0x7ffc00100000)), SPAN_CLASS_N);
    assert_false(maps->php);
}

T(stack_of_a_thread_is_told_by_its_guard)
{
    lines((const char *const[]){
        "7f0000000000-7f0000001000 ---p 00000000 00:00 0 ", "7f0000001000-7f0000801000 rw-p 00000000 00:00 0 ",
        // What the kernel has merged above it is no stack.
        "7f0001000000-7f0001001000 ---p 00000000 00:00 0 ", "7f0001001000-7f0002001000 rw-p 00000000 00:00 0 ",
        // Address space that malloc reserves is no guard, and a guard elsewhere guards nothing.
        "7f0004000000-7f0008000000 ---p 00000000 00:00 0 ", "7f0008000000-7f0008100000 rw-p 00000000 00:00 0 ",
        "7f0009000000-7f0009001000 ---p 00000000 00:00 0 ", "7f0009002000-7f0009100000 rw-p 00000000 00:00 0 ", NULL});
    assert_int_equal(class_at(UINT64_C(0x7f0000001000)), SPAN_STACK);
    assert_int_equal(class_at(UINT64_C(0x7f0001001000)), SPAN_STACK);
    assert_int_equal(class_at(UINT64_C(0x7f0001801000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0x7f0008000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0x7f0009002000)), SPAN_ANON);
}

static const char *const go_program[] = {
    "00400000-014f7000 r-xp 00000000 08:01 7                          /usr/bin/caddy",
    "02675000-0270e000 rw-p 02274000 08:01 7                          /usr/bin/caddy",
    "0270e000-02740000 rw-p 00000000 00:00 0                          [heap]",
    "c000000000-c000800000 rw-p 00000000 00:00 0 ",
    "c000800000-c004000000 ---p 00000000 00:00 0 ",
    "35357d000000-353581000000 rw-p 00000000 00:00 0 ",
    "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 ", // aligned like an arena, but among libraries
    "7f0000800000-7f0000900000 r-xp 00000000 08:01 9                          /usr/lib/libc.so.6",
    "7f0000c00000-7f0001000000 rw-p 00000000 00:00 0 ",
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]",
    NULL,
};

T(arenas_of_go_are_told_by_lying_apart)
{
    proc_maps_begin(maps, true);
    lines(go_program);
    assert_int_equal(class_at(UINT64_C(0xc000000000)), SPAN_GO);
    assert_int_equal(class_at(UINT64_C(0x35357d000000)), SPAN_GO);
    assert_int_equal(class_at(UINT64_C(0x7f0000000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0x7f0000c00000)), SPAN_ANON);
    assert_int_equal(class_at(0x270e000), SPAN_HEAP);
}

// Of FrankenPHP 1.12.7, built by Go 1.26, with PHP 8.4 (ZTS) and four threads, idle: shortened, nothing changed.
static const char *const frankenphp[] = {
    "00400000-00404000 r--p 00000000 fe:00 2566655                            /app/bin/frankenphp",
    "00404000-01908000 r-xp 00004000 fe:00 2566655                            /app/bin/frankenphp",
    "032e1000-033ff000 rw-p 02ee0000 fe:00 2566655                            /app/bin/frankenphp",
    "033ff000-0545a000 rw-p 00000000 00:00 0 ",
    "1b835000-1b856000 rw-p 00000000 00:00 0                                  [heap]",
    "40141000-42141000 rw-s 00000000 00:01 603052                             /dev/zero (deleted)",
    "3ddfd0000000-3ddfd1400000 ---p 00000000 00:00 0 ",
    "3ddfd1400000-3ddfd2000000 rw-p 00000000 00:00 0 ",
    "3ddfd2000000-3ddfd4000000 ---p 00000000 00:00 0 ",
    "7f2a70000000-7f2a7007a000 rw-p 00000000 00:00 0 ",
    "7f2a7007a000-7f2a74000000 ---p 00000000 00:00 0 ",
    "7f2a85600000-7f2a85e00000 rw-p 00000000 00:00 0 ",
    "7f2a85ffc000-7f2a85ffd000 ---p 00000000 00:00 0 ",
    "7f2a85ffd000-7f2a867fd000 rw-p 00000000 00:00 0 ",
    "7f2a867fd000-7f2a867fe000 ---p 00000000 00:00 0 ",
    "7f2a867fe000-7f2a86ffe000 rw-p 00000000 00:00 0 ",
    "7f2aa43ff000-7f2aa4400000 ---p 00000000 00:00 0 ",
    "7f2aa4400000-7f2aa4c00000 rw-p 00000000 00:00 0 ",
    "7f2aa4c00000-7f2aa4e00000 rw-p 00000000 00:00 0 ",
    "7f2aac0f7000-7f2aac10e000 r-xp 00003000 fe:00 2566671                    /app/lib/libgcc_s.so.1",
    "7ffdf937a000-7ffdf939b000 rw-p 00000000 00:00 0                          [stack]",
    NULL,
};

T(heaps_and_stacks_of_a_real_frankenphp_are_told_apart)
{
    int64_t go = 0, stacks = 0;

    proc_maps_begin(maps, true);
    lines(frankenphp);
    assert_int_equal(class_at(UINT64_C(0x3ddfd1400000)), SPAN_GO); // where its heap begins is random since Go 1.26
    assert_int_equal(class_at(UINT64_C(0x7f2a85600000)), SPAN_ANON); // four chunks of PHP's
    assert_int_equal(class_at(UINT64_C(0x7f2aa4400000)), SPAN_STACK); // aligned like an arena
    assert_int_equal(class_at(UINT64_C(0x7f2aa4c00000)), SPAN_ANON); // php-main's chunk, on top of that stack
    assert_int_equal(class_at(UINT64_C(0x7f2a70000000)), SPAN_ANON); // malloc's
    assert_int_equal(class_at(0x1b835000), SPAN_HEAP);
    for (int32_t i = 0; i < maps->n; i++) {
        int64_t bytes = (int64_t)(maps->span[i].end - maps->span[i].start);
        go += maps->span[i].class == SPAN_GO ? bytes : 0;
        stacks += maps->span[i].class == SPAN_STACK ? bytes : 0;
    }
    assert_int_equal(go, 12 << 20);
    assert_int_equal(stacks, 3 * (8 << 20) + 0x21000);
    assert_true(maps->frankenphp);
}

T(process_without_go_has_no_arenas)
{
    proc_maps_begin(maps, false);
    lines(go_program);
    assert_int_equal(class_at(UINT64_C(0xc000000000)), SPAN_ANON);
}

T(names_of_mappings_decide_where_the_kernel_keeps_them)
{
    proc_maps_begin(maps, true);
    lines((const char *const[]){
        "00400000-014f7000 r-xp 00000000 08:01 7                          /usr/bin/x",
        "c000000000-c000800000 rw-p 00000000 00:00 0                          [anon: other]",
        "d000000000-d000800000 rw-p 00000000 00:00 0 ",
        "e000000000-e000800000 rw-p 00000000 00:00 0                          [anon: Go: heap]",
        "e000800000-e004000000 ---p 00000000 00:00 0                          [anon: Go: heap reservation]",
        "f000000000-f000800000 rw-p 00000000 00:00 0 ",
        "7f0000000000-7f0000100000 rw-p 00000000 00:00 0                          [anon:zend_alloc]",
        "7f0000200000-7f0000300000 rw-p 00000000 00:00 0                          [anon: glibc: pthread stack: 99]", NULL});
    assert_int_equal(class_at(UINT64_C(0xe000000000)), SPAN_GO);
    assert_int_equal(class_at(UINT64_C(0xc000000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0xd000000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0xf000000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0xe000800000)), SPAN_CLASS_N);
    assert_int_equal(class_at(UINT64_C(0x7f0000000000)), SPAN_ANON);
    assert_int_equal(class_at(UINT64_C(0x7f0000200000)), SPAN_STACK);
}

T(libraries_of_php_are_noticed)
{
    line("7f0000000000-7f0000100000 r-xp 00000000 08:01 7    /usr/lib/apache2/modules/libphp8.2.so");
    assert_true(maps->php);
    assert_true(maps->mod_php);
    proc_maps_begin(maps, false);
    line("7f0000000000-7f0000100000 r-xp 00000000 08:01 7    /usr/lib/libphp.so");
    assert_true(maps->php);
    assert_false(maps->mod_php);
}

T(lines_that_are_no_mappings_are_passed_over)
{
    lines((const char *const[]){"x", "Rss:                 4 kB", "VmFlags: rd wr mr mw me ac sd", "7f00-", "7f0000000000 rw-p",
                                "7f0000000000-7f0000000000 rw-p 00000000 00:00 0 ",
                                "7f0000000001-7f0000001000 rw-p 00000000 00:00 0 ",
                                "7f0000002000-7f0000001000 rw-p 00000000 00:00 0 ", "7f0000000000-7f0000001000 rw", "-",
                                "1000-8000000000000000 rw-p 00000000 00:00 0 ",
                                "ffffffffff600000-ffffffffff601000 rw-p 00000000 00:00 0 ", "\xff\xff", NULL});
    assert_int_equal(maps->n, 0);
}

T(spans_ascend_whatever_the_text_says)
{
    lines((const char *const[]){"2000-4000 rw-p 00000000 00:00 0 ", "1000-2000 rw-p 00000000 00:00 0 ",
                                "3000-5000 rw-p 00000000 00:00 0 ", "4000-5000 rw-p 00000000 00:00 0 ",
                                "2000-4000 rw-p 00000000 00:00 0 ", NULL});
    assert_int_equal(maps->n, 1); // neighbours of a kind are one
    assert_int_equal(maps->span[0].start, 0x2000);
    assert_int_equal(maps->span[0].end, 0x5000);
    assert_true(proc_maps_covers(maps, 0x2000, 0x5000));
    assert_false(proc_maps_covers(maps, 0x2000, 0x5001));
    assert_false(proc_maps_covers(maps, 0x1fff, 0x3000));
    assert_null(proc_maps_find(maps, 0x5000));
}

T(more_mappings_than_fit_are_counted)
{
    char text[80];

    for (unsigned i = 0; i < PROC_MAPS_SPANS + 10; i++) {
        snprintf(text, sizeof text, "%x-%x rw-p 00000000 00:00 0 ", 0x10000000 + i * 0x2000, 0x10001000 + i * 0x2000);
        line(text);
    }
    assert_int_equal(maps->n, PROC_MAPS_SPANS);
    assert_int_equal(maps->dropped, 10);
}

T(pages_of_this_very_process_are_counted)
{
    size_t page = 4096, n = 64;
    char *p = mmap(NULL, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), self = open("/proc/self", O_PATH | O_CLOEXEC);
    char *scratch = malloc(4096);
    struct map_pages pages = {0};
    uint64_t room = UINT64_C(1) << 30, at = (uint64_t)(uintptr_t)p;

    assert_ptr_not_equal(p, MAP_FAILED);
    madvise(p, n * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < 10; i++)
        p[i * page] = 1;
    assert_int_equal(proc_maps_read(self, false, scratch, 4096, maps), 0);
    assert_int_equal(class_at(at), SPAN_ANON);
    assert_int_equal(proc_maps_count(pagemap, at, at + n * page, &room, &pages), 0);
    assert_int_equal(pages.anon, 10 * page);
    assert_int_equal(pages.anon_exclusive, 10 * page);
    assert_int_equal(pages.file, 0);
    assert_int_equal(room, (UINT64_C(1) << 30) - n * page);
    struct map_pages own = {0};
    room = UINT64_C(1) << 30;
    assert_int_equal(proc_maps_count_own(pagemap, at, at + n * page, &room, &own), 0);
    assert_memory_equal(&own, &pages, sizeof own);
    assert_int_equal(room, (UINT64_C(1) << 30) - n * page);
    room = 4 * page;
    own = (struct map_pages){0};
    assert_int_equal(proc_maps_count_own(pagemap, at, at + n * page, &room, &own), 0);
    assert_int_equal(own.anon, 4 * page);
    assert_int_equal(room, 0);
    // Only as far as there is room.
    room = 4 * page;
    pages = (struct map_pages){0};
    assert_int_equal(proc_maps_count(pagemap, at, at + n * page, &room, &pages), 0);
    assert_int_equal(pages.anon, 4 * page);
    assert_int_equal(room, 0);
    munmap(p, n * page);
    free(scratch);
    close(pagemap);
    close(self);
}

T(maps_that_cant_be_read_are_an_error)
{
    char scratch[4096];
    int dir = open("/", O_PATH | O_CLOEXEC);

    assert_int_equal(proc_maps_read(dir, false, scratch, sizeof scratch, maps), -ENOENT);
    close(dir);
}

#define M(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

CLAIMS(M(ordinary_mappings_are_told_by_name_and_rights), M(stack_of_a_thread_is_told_by_its_guard),
       M(arenas_of_go_are_told_by_lying_apart), M(heaps_and_stacks_of_a_real_frankenphp_are_told_apart),
       M(process_without_go_has_no_arenas),
       M(names_of_mappings_decide_where_the_kernel_keeps_them), M(libraries_of_php_are_noticed),
       M(lines_that_are_no_mappings_are_passed_over), M(spans_ascend_whatever_the_text_says),
       M(more_mappings_than_fit_are_counted), M(pages_of_this_very_process_are_counted), M(maps_that_cant_be_read_are_an_error))
