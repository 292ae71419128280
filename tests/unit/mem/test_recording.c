// SPDX-License-Identifier: Apache-2.0
#include "mem/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../claim.h"

// Reads all of a text; returns the number of rows, the last in *last, and what was put up with.
struct result {
    int rc;
    unsigned rows;
    struct mem_sample row[8];
    struct recording_notes notes;
    struct recording_error error;
};

static struct result read_all(struct recording *r, struct result *ret)
{
    struct mem_sample s;

    while ((ret->rc = recording_next(r, &s, &ret->error)) == 1)
        if (ret->rows++ < 8)
            ret->row[ret->rows - 1] = s;
    recording_notes(r, &ret->notes);
    recording_close(r);
    return *ret;
}

static struct result read_text_n(const char *text, size_t n)
{
    struct result result = {0};
    struct recording *r;

    result.rc = recording_open_text(text, n, &r, &result.error);
    return result.rc < 0 ? result : read_all(r, &result);
}

static struct result read_text(const char *text)
{
    return read_text_n(text, strlen(text));
}

// The same through a descriptor, in pieces of `piece` bytes.
static struct result read_pipe(const char *text, size_t n, size_t piece)
{
    struct result result = {0};
    struct recording *r;
    int fd[2];

    assert_int_equal(pipe(fd), 0);
    if (fork() == 0) {
        close(fd[0]);
        for (size_t at = 0; at < n; at += piece)
            if (write(fd[1], text + at, n - at < piece ? n - at : piece) < 0)
                _exit(1);
        _exit(0);
    }
    close(fd[1]);
    result.rc = recording_open(fd[0], &r, &result.error);
    if (result.rc == 0)
        read_all(r, &result);
    close(fd[0]);
    return result;
}

T(columns_are_found_by_name_of_v1_v2_or_alias)
{
    struct result v1 = read_text("t,rss,kmem_usage,cache,usage\n1,10,20,30,40\n");
    struct result v2 = read_text("anon,file,kernel,t,current\n10,30,20,1,40\n");

    assert_int_equal(v1.rows, 1);
    assert_int_equal(v2.rows, 1);
    assert_memory_equal(v1.row[0].known, v2.row[0].known, sizeof v1.row[0].known);
    assert_int_equal(v1.row[0].v[MEM_anon], 10);
    assert_int_equal(v2.row[0].v[MEM_anon], 10);
    assert_int_equal(v2.row[0].v[MEM_kernel], 20);
    assert_int_equal(v1.row[0].v[MEM_file], 30);
    assert_int_equal(v2.row[0].v[MEM_usage], 40);
}

T(of_two_columns_for_a_field_the_kernels_own_name_holds)
{
    struct result a = read_text("t,current,usage,memory.current\n1,5,6,7\n");
    struct result b = read_text("t,total_shmem,total_inactive_file,inactive_file\n1,5,6,7\n");

    assert_int_equal(a.row[0].v[MEM_usage], 6);
    struct result twice = read_text("t,usage,usage,t\n1,5,6,7\n"); // of equals the first
    assert_int_equal(twice.row[0].v[MEM_usage], 5);
    assert_true(twice.row[0].t == 1);
    assert_int_equal(b.row[0].v[MEM_shmem], 5);
    assert_int_equal(b.row[0].v[MEM_inactive_file], 7);
    assert_int_equal(a.notes.columns_unknown, 0);
}

T(missing_empty_and_garbage_are_not_known_and_never_zero)
{
    struct result r = read_text("t,usage,shmem,anon,kernel,color,file\n1,,nan,12x,-4,red,0\n2,1e6\n3,1,2,3,4,5,6,7,8,9\n");

    assert_int_equal(r.rows, 3);
    assert_false(mem_known(&r.row[0], MEM_usage));
    assert_false(mem_known(&r.row[0], MEM_shmem));
    assert_false(mem_known(&r.row[0], MEM_anon));
    assert_false(mem_known(&r.row[0], MEM_kernel));
    assert_true(mem_known(&r.row[0], MEM_file));
    assert_int_equal(r.row[0].v[MEM_file], 0);
    assert_int_equal(r.row[1].v[MEM_usage], 1000000);
    assert_false(mem_known(&r.row[1], MEM_file));
    assert_int_equal(r.row[2].v[MEM_file], 6);
    assert_int_equal(r.notes.bad_numbers, 2); // 12x and -4; nothing and nan are no mistakes
    assert_int_equal(r.notes.first_bad_line, 2);
    assert_int_equal(r.notes.first_bad_column, 4);
    assert_int_equal(r.notes.columns_unknown, 1);
}

T(numbers_may_be_written_as_floats_and_are_bounded)
{
    struct result r = read_text("t,usage,shmem,anon,kernel,file\n0.5,12.0,1.6e3,0x10,99999999999999999999,inf\n");

    assert_true(r.row[0].t == 0.5);
    assert_int_equal(r.row[0].v[MEM_usage], 12);
    assert_int_equal(r.row[0].v[MEM_shmem], 1600);
    assert_false(mem_known(&r.row[0], MEM_anon));
    assert_false(mem_known(&r.row[0], MEM_kernel)); // adding such numbers would overflow
    assert_false(mem_known(&r.row[0], MEM_file));
}

T(a_limit_may_be_none)
{
    struct result r = read_text("t,limit\n1,max\n2,9223372036854771712\n3,9223372036854775807\n4,-1\n5,0\n6,268435456\n");

    for (int i = 0; i < 4; i++)
        assert_true(r.row[i].v[MEM_limit] == MEM_UNLIMITED);
    assert_false(mem_known(&r.row[4], MEM_limit));
    assert_int_equal(r.row[5].v[MEM_limit], 268435456);
}

T(line_ends_quotes_blank_lines_and_a_byte_order_mark_are_put_up_with)
{
    struct result r =
        read_text("\xef\xbb\xbf\"t\", \"usage\" ,\"note, with comma\"\r\n\r\n1,\"7\",\"a,b\"\r\n   \r\n\"2\" , 8 ,\"open\r\n3,9");

    assert_int_equal(r.rows, 2); // the last line has too few fields and no end
    assert_int_equal(r.row[0].v[MEM_usage], 7);
    assert_int_equal(r.row[1].v[MEM_usage], 8);
    assert_true(r.row[1].t == 2);
    assert_int_equal(r.notes.rows_left_out, 1);
}

T(an_unfinished_last_line_counts_only_where_it_is_whole)
{
    struct result whole = read_text("t,usage\n1,5\n2,6"), cut = read_text("t,usage,shmem\n1,5,1\n2,6");

    assert_int_equal(whole.rows, 2);
    assert_int_equal(whole.row[1].v[MEM_usage], 6);
    assert_int_equal(cut.rows, 1);
}

T(rows_from_the_first_without_processes_to_the_end_are_teardown)
{
    struct result r = read_text("t,usage,nprocs\n1,5,\n2,6,3\n3,7,0\n4,8,3\n");

    assert_int_equal(r.rc, 0);
    assert_int_equal(r.rows, 2); // nprocs not known is not nprocs = 0
    assert_true(r.notes.teardown);
}

T(t_is_required_and_must_rise)
{
    struct result r = read_text("t,usage\n5,1\n5,2\n4,3\n,4\nsoon,5\n6,6\nnan,7\n1e300,8\n7,9\n");

    assert_int_equal(r.rows, 3);
    assert_int_equal(r.row[1].v[MEM_usage], 6);
    assert_int_equal(r.row[2].v[MEM_usage], 9);
    assert_int_equal(r.notes.rows_left_out, 6);
}

T(what_cannot_be_read_is_told_with_its_place)
{
    struct result r = read_text("time,usage\n1,2\n");

    assert_int_equal(r.rc, -EBADMSG);
    assert_int_equal(r.error.line, 1);
    assert_non_null(strstr(r.error.text, "no column is called t"));
    assert_non_null(strstr(r.error.text, "time,usage"));

    r = read_text("t;usage\n1;2\n");
    assert_non_null(strstr(r.error.text, "not by ';'"));
    r = read_text("");
    assert_non_null(strstr(r.error.text, "empty"));
    assert_int_equal(r.rc, -EBADMSG);
    r = read_text("\n \n\n");
    assert_int_equal(r.rc, -EBADMSG);

    r = read_text("t,usage\nnow,2\nthen,3\n");
    assert_int_equal(r.rc, -EBADMSG);
    assert_int_equal(r.error.line, 2);
    assert_int_equal(r.error.column, 1);
    assert_non_null(strstr(r.error.text, "\"now\""));
}

T(a_header_alone_is_an_empty_recording)
{
    struct result r = read_text("t,usage\n");

    assert_int_equal(r.rc, 0);
    assert_int_equal(r.rows, 0);
}

T(nul_bytes_are_garbage_like_any)
{
    static const char text[] = "t,usage,\0\n1,5\0,2\n2,6,\0\n";
    struct result r = read_text_n(text, sizeof text - 1);

    assert_int_equal(r.rows, 2);
    assert_false(mem_known(&r.row[0], MEM_usage));
    assert_int_equal(r.row[1].v[MEM_usage], 6);
}

T(a_line_too_long_is_left_out_and_the_rest_is_read)
{
    size_t n = 3 * RECORDING_LINE_MAX;
    char *text = malloc(n + 100);
    int head = sprintf(text, "t,usage\n1,5\n2,");

    memset(text + head, '7', n);
    strcpy(text + head + n, "\n3,6\n");
    struct result r = read_text(text), p = read_pipe(text, strlen(text), 777);
    assert_int_equal(r.rows, 2);
    assert_int_equal(r.row[1].v[MEM_usage], 6);
    assert_int_equal(r.notes.rows_left_out, 1);
    assert_int_equal(r.notes.lines, 4);
    assert_int_equal(p.rows, 2);
    assert_int_equal(p.notes.lines, 4);

    memset(text, 'x', n);
    text[n] = '\0';
    r = read_text(text);
    assert_int_equal(r.rc, -EBADMSG);
    assert_non_null(strstr(r.error.text, "longer than 64 KiB"));
    free(text);
}

T(more_columns_than_the_bound_are_ignored)
{
    static char text[3 * RECORDING_COLUMNS_MAX + 100];
    char *p = text + sprintf(text, "t,usage");

    for (int i = 0; i < RECORDING_COLUMNS_MAX + 10; i++)
        p += sprintf(p, ",x");
    sprintf(p, "\n1,2\n");
    assert_int_equal(read_text(text).rows, 1);
}

T(a_descriptor_in_pieces_gives_the_same_rows_as_memory)
{
    static const char text[] = "t,usage,rss,shmem\r\n1,10,20,30\r\n2,11,21,31\n\n3,12,22,32\n4,13";
    struct result whole = read_text(text);

    for (size_t piece = 1; piece < sizeof text; piece += 3) {
        struct result r = read_pipe(text, sizeof text - 1, piece);
        assert_int_equal(r.rows, whole.rows);
        for (unsigned i = 0; i < r.rows; i++) {
            assert_true(r.row[i].t == whole.row[i].t);
            assert_memory_equal(r.row[i].known, whole.row[i].known, sizeof r.row[i].known);
            assert_int_equal(r.row[i].v[MEM_shmem], whole.row[i].v[MEM_shmem]);
        }
    }
}

T(what_is_written_reads_back_the_same)
{
    for (int names = RECORDING_V1; names <= RECORDING_V2; names++) {
        struct mem_sample s = {.t = 1734567890.123}, last = {.t = 1734567891.5};
        uint64_t all[2] = {0, 0};
        char text[3 * RECORDING_TEXT_MAX];
        for (int f = 0; f < MEM_N; f++) {
            all[f / 64] |= UINT64_C(1) << (f % 64);
            mem_set(&s, (enum mem_field)f, f == MEM_limit ? MEM_UNLIMITED : (INT64_C(1) << 60) - f);
        }
        mem_set(&last, MEM_usage, 0);
        size_t n = recording_header((enum recording_names)names, all, text, sizeof text);
        assert_true(n > 0 && n < RECORDING_TEXT_MAX);
        n += recording_row(&s, all, text + n, sizeof text - n);
        n += recording_row(&last, all, text + n, sizeof text - n);
        struct result r = read_text_n(text, n);
        assert_int_equal(r.rows, 2);
        assert_int_equal(r.notes.columns_unknown, 0);
        assert_true(r.row[0].t == s.t && r.row[1].t == last.t);
        assert_memory_equal(r.row[0].known, s.known, sizeof s.known);
        for (int f = 0; f < MEM_N; f++)
            if (r.row[0].v[f] != s.v[f])
                fail_msg("field %d", f);
        assert_memory_equal(r.row[1].known, last.known, sizeof last.known);
    }
}

T(writing_into_too_little_room_writes_nothing)
{
    struct mem_sample s = {.t = 5};
    uint64_t columns[2] = {3, 0};
    char text[64];

    mem_set(&s, MEM_usage, 123456);
    for (size_t cap = 1; cap < sizeof text; cap++) {
        memset(text, '#', sizeof text);
        size_t n = recording_row(&s, columns, text, cap);
        assert_true(n == 0 || (n < cap && text[n] == '\0' && text[n - 1] == '\n'));
        for (size_t i = cap; i < sizeof text; i++)
            assert_int_equal(text[i], '#');
    }
    assert_string_equal(text, "5.00,123456,\n");
}

static struct recording_error procs_error;

static struct recording_procs *procs_of(const char *text)
{
    struct recording_procs *r;
    FILE *f = tmpfile();

    assert_non_null(f);
    fputs(text, f);
    rewind(f);
    int rc = recording_procs_open(fileno(f), &r, &procs_error);
    return rc < 0 ? NULL : r; // f stays open for r
}

T(processes_fill_the_sums_that_a_recording_lacks)
{
    struct recording_procs *r =
        procs_of("t,pid,comm,VmRSS,RssAnon,odd\n1,7,php,100,50,\n1,8,php,110,60,x\n2,7,php,100,90,\n2,8,php,110,,\n");
    struct mem_sample s = {.t = 1}, known = {.t = 2};

    assert_int_equal(recording_procs_fill(r, &s, NULL), 0);
    assert_int_equal(s.v[MEM_nprocs], 2);
    assert_int_equal(s.v[MEM_sum_rss], 210);
    assert_int_equal(s.v[MEM_sum_rss_anon], 110);
    assert_false(mem_known(&s, MEM_sum_pss));

    mem_set(&known, MEM_nprocs, 5);
    assert_int_equal(recording_procs_fill(r, &known, NULL), 0);
    assert_int_equal(known.v[MEM_nprocs], 5);
    assert_false(mem_known(&known, MEM_sum_rss_anon)); // of one process it is not told

    struct recording_proc p;
    assert_true(recording_procs_grower(r, &p));
    assert_int_equal(p.pid, 7);
    assert_int_equal(p.rss_anon_last - p.rss_anon_first, 40);
    unsigned n;
    const struct recording_proc *all = recording_procs_get(r, &n);
    assert_int_equal(n, 2);
    assert_int_equal(all[0].anon_min, 50);
    assert_int_equal(all[0].anon_max, 90);
    assert_int_equal(all[1].anon_max, 60);
    recording_procs_close(r);
}

T(processes_of_another_time_fill_nothing)
{
    struct recording_procs *r = procs_of("t,pid,VmRSS\n1,7,100\n3,7,100\n");
    struct mem_sample s = {.t = 2};

    assert_int_equal(recording_procs_fill(r, &s, NULL), 0);
    assert_true(s.known[0] == 0 && s.known[1] == 0);
    recording_procs_close(r);
    assert_null(procs_of("t,name\n1,x\n"));
    assert_int_equal(procs_error.line, 1);
    assert_string_equal(procs_error.text, "no columns are called t and pid");
    assert_null(procs_of(""));
}

CLAIMS(C(columns_are_found_by_name_of_v1_v2_or_alias), C(of_two_columns_for_a_field_the_kernels_own_name_holds),
       C(missing_empty_and_garbage_are_not_known_and_never_zero), C(numbers_may_be_written_as_floats_and_are_bounded),
       C(a_limit_may_be_none), C(line_ends_quotes_blank_lines_and_a_byte_order_mark_are_put_up_with),
       C(an_unfinished_last_line_counts_only_where_it_is_whole), C(rows_from_the_first_without_processes_to_the_end_are_teardown),
       C(t_is_required_and_must_rise), C(what_cannot_be_read_is_told_with_its_place), C(a_header_alone_is_an_empty_recording),
       C(nul_bytes_are_garbage_like_any), C(a_line_too_long_is_left_out_and_the_rest_is_read),
       C(more_columns_than_the_bound_are_ignored), C(a_descriptor_in_pieces_gives_the_same_rows_as_memory),
       C(what_is_written_reads_back_the_same), C(writing_into_too_little_room_writes_nothing),
       C(processes_fill_the_sums_that_a_recording_lacks), C(processes_of_another_time_fill_nothing))
