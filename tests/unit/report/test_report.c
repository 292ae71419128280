// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../claim.h"
#include "base/fdio.h"
#include "sample_input.h"

static char *written(const struct report_input *in)
{
    int fd = memfd_create("report", MFD_CLOEXEC);
    assert_int_equal(report_write(fd, in), 0);
    off_t n = lseek(fd, 0, SEEK_END);
    char *html = calloc(1, (size_t)n + 1);
    assert_int_equal(pread(fd, html, (size_t)n, 0), n);
    close(fd);
    return html;
}

T(a_report_has_every_panel_and_nothing_that_runs_or_loads)
{
    struct report_input in = sample_input();
    char *html = written(&in);

    static const char *const ids[] = {"time", "fixes", "treemap", "ledger", "directories", "processes", "others", "notes"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char section[64];
        snprintf(section, sizeof section, "<section id=\"%s\">", ids[i]);
        assert_non_null(strstr(html, section));
    }
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "http:"));
    assert_null(strstr(html, "https:"));
    assert_null(strstr(html, "src="));
    assert_non_null(strstr(html, "&lt;script&gt;alert(1)"));
    assert_non_null(strstr(html, "97 % of all growth"));
    assert_non_null(strstr(html, "<pre>protected function createStore(): StoreInterface\n{\n    return"));
    assert_non_null(strstr(html, "of its own, &lt;b&gt;and&lt;/b&gt; look"));
    assert_null(strstr(html, "<pre></pre>"));
    free(html);
}

T(a_report_of_nothing_is_a_page_without_panels)
{
    struct report_input in = {.target = "nothing"};
    char *html = written(&in);

    assert_null(strstr(html, "<section"));
    assert_non_null(strstr(html, "undecided"));
    assert_non_null(strstr(html, "</html>"));
    free(html);
}

T(samples_that_know_little_make_a_picture_all_the_same)
{
    struct mem_sample rows[3] = {{.t = 0}, {.t = NAN}, {.t = 2}};
    struct report_input in = {.target = "gVisor", .rows = rows, .n_rows = 3};

    mem_set(&rows[0], MEM_usage, 1000);
    mem_set(&rows[2], MEM_usage, 3000);
    char *html = written(&in);
    assert_non_null(strstr(html, "<section id=\"time\">"));
    assert_null(strstr(html, "nan"));
    assert_null(strstr(html, "inf"));
    free(html);
}

T(what_no_mount_holds_is_drawn_as_shared_memory_where_segments_are_not_known)
{
    struct mem_sample rows[2] = {{.t = 0}, {.t = 2}};
    struct report_input in = {.target = "docker", .rows = rows, .n_rows = 2};

    for (int i = 0; i < 2; i++) {
        mem_set(&rows[i], MEM_usage, 40 * MIB);
        mem_set(&rows[i], MEM_shmem, 26 * MIB);
        mem_set(&rows[i], MEM_mnt_used, 23 * MIB);
    }
    char *html = written(&in);
    const char *shared = strstr(html, "Shared memory");
    assert_non_null(shared);
    const char *amount = strstr(shared, "3.00 MiB");
    assert_true(amount && amount - shared < 40);
    free(html);
}

T(the_time_to_the_stall_is_one_number_where_both_ends_read_alike)
{
    struct report_input in = sample_input();
    struct judge_report judge = *in.judge;

    judge.stall_lo = 240, judge.stall_hi = 241;
    in.judge = &judge;
    char *html = written(&in);
    assert_non_null(strstr(html, "about 4 min"));
    free(html);
}

T(parts_of_an_area_are_never_more_than_the_whole)
{
    struct report_input in = sample_input();
    struct ledger *l = &sample_ledger;
    int php = sample_entry(LEDGER_ANON, -1, 16 * MIB, "forked", "", 0);

    sample_entry(LEDGER_ANON, php, 30 * MIB, "native", "", INT64_MIN);
    sample_entry(LEDGER_ANON, php, 2 * MIB, "stacks", "", INT64_MIN);
    sample_entry(LEDGER_ANON, php, -16 * MIB, "shared after fork", "", INT64_MIN);
    in.ledger = l;
    char *html = written(&in);
    assert_non_null(strstr(html, "native: 15.0 MiB"));
    assert_non_null(strstr(html, "stacks: 1.00 MiB"));
    free(html);
}

T(what_is_steady_has_no_growth_among_its_facts)
{
    struct report_input in = sample_input();
    struct judge_report judge = *in.judge;
    char *html = written(&in);
    assert_non_null(strstr(html, "<dt>growth</dt>"));
    free(html);
    judge.verdict = VERDICT_STEADY;
    in.judge = &judge;
    html = written(&in);
    assert_null(strstr(html, "<dt>growth</dt>"));
    free(html);
}

T(a_write_that_fails_is_told)
{
    struct report_input in = sample_input();
    assert_int_equal(report_write(-1, &in), -EBADF);
}

CLAIMS(C(what_is_steady_has_no_growth_among_its_facts), C(parts_of_an_area_are_never_more_than_the_whole), C(what_no_mount_holds_is_drawn_as_shared_memory_where_segments_are_not_known),
       C(the_time_to_the_stall_is_one_number_where_both_ends_read_alike),
       C(a_report_has_every_panel_and_nothing_that_runs_or_loads), C(a_report_of_nothing_is_a_page_without_panels),
       C(samples_that_know_little_make_a_picture_all_the_same), C(a_write_that_fails_is_told))
