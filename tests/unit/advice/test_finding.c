// SPDX-License-Identifier: Apache-2.0
#include "advice/finding.h"

#include <string.h>

#include "../claim.h"
#include "advice_tree.h"

#define MIB (1024.0 * 1024)
#define H60 "00112233445566778899aabbccddeeff00112233445566778899aabbccdd"

static struct judge_report growing(enum mem_cause cause, enum mem_line line, double total, double part)
{
    struct judge_report j = {.rows = 600,
                             .verdict = VERDICT_GROWING,
                             .cause = cause,
                             .span = 600,
                             .stall_known = true,
                             .stall_lo = 1500,
                             .stall_hi = 2400};
    j.bytes_per_min = (struct judge_growth){total * 0.9, total, total * 1.1};
    j.line[LINE_TOTAL] = (struct judge_line){.known = true, .bytes_per_min = j.bytes_per_min};
    j.line[line] =
        (struct judge_line){.known = true, .bytes = (int64_t)(100 * MIB), .bytes_per_min = {part * 0.9, part, part * 1.1}};
    return j;
}

T(the_sentence_names_place_rate_share_cause_and_time_left)
{
    struct tree t;
    tree_make(&t);
    tree_add(&t, "app/var/cache/prod/http_cache/md/ab/cd/" H60, 10);
    tree_add(&t, "app/var/cache/prod/http_cache/en/ab/cd/1234", 10);
    struct judge_report j = growing(CAUSE_TMPFS, LINE_TMPFS, 3.2 * MIB, 3.1 * MIB);
    struct mounts m = {.n = 1, .m = {{.kind = MOUNT_TMPFS, .path = "/app/var"}}};
    struct eye_dir d[] = {
        {.bytes = 5000, .growth_per_min = 0, .path = "/app/var/log"},
        {.bytes = (int64_t)(90 * MIB), .growth_per_min = (int64_t)(3 * MIB), .path = "/app/var/cache/prod/http_cache/en"},
        {.bytes = 700, .growth_per_min = 0, .path = "/app/var/cache/prod/http_cache/md"},
        {.bytes = (int64_t)(90 * MIB), .growth_per_min = (int64_t)(3 * MIB), .path = "/app/var/cache/prod/http_cache/en"}};
    struct finding_input in = {.judge = &j, .dirs = d, .n_dirs = 4, .mounts = &m, .root_fd = t.fd};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    tree_remove(&t);
    assert_int_equal(f.signature, SIG_SYMFONY_HTTP_CACHE);
    assert_int_equal(f.bytes, (int64_t)(90 * MIB) + 700); // the store's, each of its directories once
    assert_string_equal(finding_text(&f, text), "/app/var/cache/prod/http_cache (tmpfs) grows 3.10 MiB/min, 97 % of all growth: "
                                                "Symfony HttpCache never deletes. Stalls in 25 min to 40 min.");
    const struct fix *fixes[FIX_MAX];
    assert_true(finding_fixes(&f, NULL, fixes) >= 3);
    assert_string_equal(fixes[0]->title, "Move the store to Redis");
}

T(a_place_that_is_a_part_of_the_growth_has_its_own_rate_and_share)
{
    struct judge_report j = growing(CAUSE_TMPFS, LINE_TMPFS, 4 * MIB, 4 * MIB);
    struct eye_dir d[] = {{.growth_per_min = (int64_t)(2 * MIB), .path = "/tmp/a"},
                          {.growth_per_min = (int64_t)MIB, .path = "/tmp/b"}};
    struct finding_input in = {.judge = &j, .dirs = d, .n_dirs = 2, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_non_null(strstr(finding_text(&f, text),
                           "/tmp/a (tmpfs) grows 2.00 MiB/min, 50 % of all growth: files in memory that nobody deletes."));
}

T(where_requests_are_counted_the_growth_of_one_is_told)
{
    struct judge_report j = growing(CAUSE_TMPFS, LINE_TMPFS, 4 * MIB, 4 * MIB);
    j.line[LINE_TMPFS].per_request_known = true;
    j.line[LINE_TMPFS].bytes_per_request = (struct judge_growth){30000, 32 * 1024, 34000};
    struct eye_dir d[] = {{.growth_per_min = (int64_t)(4 * MIB), .path = "/tmp/a"}, {.growth_per_min = 0, .path = "/tmp/b"}};
    struct finding_input in = {.judge = &j, .dirs = d, .n_dirs = 2, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_non_null(
        strstr(finding_text(&f, text), "/tmp/a (tmpfs) grows 4.00 MiB/min, 32.0 KiB a request, 100 % of all growth:"));
    d[0].growth_per_min = (int64_t)MIB; // a quarter of it is there
    in.requests_estimated = true;
    finding_make(&in, &f);
    assert_non_null(
        strstr(finding_text(&f, text), "/tmp/a (tmpfs) grows 1.00 MiB/min, about 8.00 KiB a request, 25 % of all growth:"));
}

T(without_a_judge_the_ages_of_files_are_marked_as_such)
{
    struct eye_dir d = {.bytes = (int64_t)MIB, .growth_per_min = (int64_t)(3 * MIB), .growth_from_ages = true, .path = "/tmp/c"};
    struct finding_input in = {.dirs = &d, .n_dirs = 1, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_int_equal(f.verdict, VERDICT_UNDECIDED);
    assert_string_equal(
        finding_text(&f, text),
        "Undecided. /tmp/c (tmpfs) grows about 3.00 MiB/min (from file ages): files in memory that nobody deletes.");
    d.bytes = 4096; // a log's first lines
    finding_make(&in, &f);
    assert_string_equal(finding_text(&f, text), "Undecided.");
}

T(in_a_stall_what_an_earlier_look_recognised_still_holds)
{
    struct judge_report j = {.verdict = VERDICT_SATURATED, .cause = CAUSE_TMPFS};
    struct signature_hit known = {SIG_SYMFONY_HTTP_CACHE, APP_SULU, "/app/var/cache/prod/http_cache"};
    struct eye_dir d = {.bytes = (int64_t)(90 * MIB), .growth_per_min = 1, .path = "/app/var/cache/prod/http_cache/en"};
    struct finding_input in = {.judge = &j, .dirs = &d, .n_dirs = 1, .root_fd = -1, .earlier = &known};
    struct finding f;
    finding_make(&in, &f);
    assert_int_equal(f.signature, SIG_SYMFONY_HTTP_CACHE);
    assert_int_equal(f.app, APP_SULU);
    assert_string_equal(f.place, "/app/var/cache/prod/http_cache");
    assert_int_equal(f.bytes, d.bytes);
    // Another directory is another matter.
    strcpy(d.path, "/app/var/cache/prod/http_cache_of_others");
    finding_make(&in, &f);
    assert_int_equal(f.signature, SIG_NONE);
}

T(a_stall_is_told_with_oom_kill)
{
    struct judge_report j = {.verdict = VERDICT_SATURATED, .cause = CAUSE_TMPFS};
    struct eye_dir d = {.bytes = (int64_t)(179 * MIB), .growth_per_min = INT64_MIN, .path = "/tmp/c"};
    struct mem_sample s = {0};
    mem_set(&s, MEM_oom_kill, 0);
    struct finding_input in = {.judge = &j, .sample = &s, .dirs = &d, .n_dirs = 1, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_string_equal(finding_text(&f, text),
                        "Saturated: the container stalls at its limit though nothing was killed (oom_kill 0). "
                        "/tmp/c (tmpfs) holds 179 MiB: files in memory that nobody deletes.");
}

T(an_alarm_without_anything_but_the_judge_still_says_what_grows)
{
    struct judge_report j = growing(CAUSE_KERNEL, LINE_KERNEL, MIB, MIB);
    struct finding_input in = {.judge = &j, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_string_equal(finding_text(&f, text),
                        "Kernel memory (inodes, sockets, page tables) grows 1.00 MiB/min, 100 % of all growth. "
                        "Stalls in 25 min to 40 min.");
}

T(the_process_with_most_of_what_grows_is_named)
{
    struct judge_report j = growing(CAUSE_PHP_HEAP, LINE_PHP_HEAP, MIB, MIB);
    struct proc_info p[] = {{.pid = 7, .role = ROLE_FPM_WORKER, .pool = "www", .split_known = true, .split = {.php_heap = 50}},
                            {.pid = 8, .role = ROLE_FPM_WORKER, .pool = "api", .split_known = true, .split = {.php_heap = 90}},
                            {.pid = 9, .role = ROLE_XRAY, .split_known = true, .split = {.php_heap = 900}}};
    struct finding_input in = {.judge = &j, .procs = p, .n_procs = 3, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_string_equal(f.place, "php-fpm pool api (pid 8)");
    assert_non_null(
        strstr(finding_text(&f, text), "php-fpm pool api (pid 8) grows 1.00 MiB/min, 100 % of all growth: the PHP heap"));
}

T(workers_that_grow_together_are_named_together)
{
    struct judge_report j = growing(CAUSE_PHP_HEAP, LINE_PHP_HEAP, MIB, MIB);
    struct proc_info p[] = {{.pid = 7, .role = ROLE_FPM_WORKER, .pool = "www", .split_known = true, .split = {.php_heap = 70}},
                            {.pid = 8, .role = ROLE_FPM_WORKER, .pool = "www", .split_known = true, .split = {.php_heap = 90}},
                            {.pid = 9, .role = ROLE_FPM_WORKER, .pool = "www", .split_known = true, .split = {.php_heap = 10}}};
    struct finding_input in = {.judge = &j, .procs = p, .n_procs = 3, .root_fd = -1};
    struct finding f;
    finding_make(&in, &f);
    assert_string_equal(f.place, "php-fpm pool www (2 processes)");
    assert_int_equal(f.bytes, 160);
}

T(kernel_memory_of_inodes_names_the_directory_with_the_files)
{
    struct judge_report j = growing(CAUSE_KERNEL, LINE_KERNEL, MIB, MIB);
    struct mounts m = {.n = 1, .m = {{.kind = MOUNT_TMPFS, .path = "/app/locks", .inodes = 100000}}};
    struct eye_dir d[] = {{.bytes = 9999, .files = 3, .growth_per_min = 0, .path = "/app/locks/big"},
                          {.bytes = 0, .files = 99000, .growth_per_min = 0, .path = "/app/locks/empty"}};
    struct finding_input in = {.judge = &j, .dirs = d, .n_dirs = 2, .mounts = &m, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_string_equal(finding_text(&f, text),
                        "/app/locks/empty (tmpfs) grows 1.00 MiB/min, 100 % of all growth: each file in memory costs the kernel "
                        "about 1 KiB, an empty one too. Stalls in 25 min to 40 min.");
    m.m[0].inodes = 1000; // they explain a hundredth of it
    finding_make(&in, &f);
    assert_string_equal(f.place, "");
}

T(before_the_walk_the_fullest_mount_is_named)
{
    struct judge_report j = growing(CAUSE_TMPFS, LINE_TMPFS, MIB, MIB);
    struct mounts m = {
        .n = 2,
        .m = {{.kind = MOUNT_TMPFS, .path = "/dev/shm", .used = 5}, {.kind = MOUNT_TMPFS, .path = "/app/var", .used = 50}}};
    struct finding_input in = {.judge = &j, .mounts = &m, .root_fd = -1};
    struct finding f;
    finding_make(&in, &f);
    assert_string_equal(f.place, "/app/var");
    assert_int_equal(f.bytes, 50);
}

T(deleted_files_name_who_holds_them)
{
    struct judge_report j = growing(CAUSE_DELETED_FILES, LINE_DELETED_FILES, MIB, MIB);
    struct segments g = {.n = 3,
                         .s = {{.kind = SEGMENT_DELETED, .owner = 7, .bytes = 30},
                               {.kind = SEGMENT_DELETED, .owner = 8, .bytes = 20},
                               {.kind = SEGMENT_DELETED, .owner = 8, .bytes = 20}}};
    struct proc_info p[] = {{.pid = 7, .role = ROLE_FPM_WORKER}, {.pid = 8, .role = ROLE_OTHER, .comm = "rotator"}};
    struct finding_input in = {.judge = &j, .segments = &g, .procs = p, .n_procs = 2, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    assert_string_equal(f.place, "Deleted files held open by rotator (pid 8)");
    assert_int_equal(f.bytes, 40);
    assert_non_null(strstr(finding_text(&f, text), "Deleted files held open by rotator (pid 8) (tmpfs) grow 1.00 MiB/min"));
    // What isn't found among the descriptors yet counts as files in memory.
    j.bytes_per_min.mid = 2 * MIB;
    j.line[LINE_TMPFS] = (struct judge_line){.known = true, .bytes_per_min = {0.4 * MIB, 0.5 * MIB, 0.6 * MIB}};
    finding_make(&in, &f);
    assert_non_null(strstr(finding_text(&f, text), "grow 1.50 MiB/min, 75 % of all growth"));
}

T(control_characters_of_paths_do_not_reach_the_sentence)
{
    struct eye_dir d = {.bytes = (int64_t)MIB, .growth_per_min = 1, .path = "/tmp/a\033[2Jb\nc"};
    struct finding_input in = {.dirs = &d, .n_dirs = 1, .root_fd = -1};
    struct finding f;
    char text[FINDING_TEXT];
    finding_make(&in, &f);
    finding_text(&f, text);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\n'));
}

T(every_verdict_has_a_sentence)
{
    char text[FINDING_TEXT];
    for (int v = 0; v < VERDICT_N; v++) {
        struct finding f = {
            .verdict = (enum mem_verdict)v, .place_kind = "", .share = -1, .bytes = -1, .oom_kills = -1, .span = 60};
        finding_text(&f, text);
        assert_true(strlen(text) > 5);
        assert_int_equal(text[strlen(text) - 1], '.');
    }
}

T(the_application_that_runs_is_the_findings_where_its_place_tells_of_none)
{
    struct judge_report j = growing(CAUSE_PHP_HEAP, LINE_PHP_HEAP, 4 * MIB, 4 * MIB);
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    facts.app = APP_LARAVEL;
    struct finding_input in = {.judge = &j, .facts = &facts, .root_fd = -1};
    struct finding f;
    finding_make(&in, &f);
    assert_int_equal(f.app, APP_LARAVEL);
}

CLAIMS(C(the_sentence_names_place_rate_share_cause_and_time_left),
       C(a_place_that_is_a_part_of_the_growth_has_its_own_rate_and_share),
       C(where_requests_are_counted_the_growth_of_one_is_told), C(without_a_judge_the_ages_of_files_are_marked_as_such),
       C(in_a_stall_what_an_earlier_look_recognised_still_holds), C(a_stall_is_told_with_oom_kill),
       C(an_alarm_without_anything_but_the_judge_still_says_what_grows), C(the_process_with_most_of_what_grows_is_named),
       C(workers_that_grow_together_are_named_together), C(kernel_memory_of_inodes_names_the_directory_with_the_files),
       C(before_the_walk_the_fullest_mount_is_named), C(deleted_files_name_who_holds_them),
       C(control_characters_of_paths_do_not_reach_the_sentence), C(every_verdict_has_a_sentence),
       C(the_application_that_runs_is_the_findings_where_its_place_tells_of_none))
