// SPDX-License-Identifier: Apache-2.0
#include "xray/xray_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../claim.h"
#include "xray_fixture.h"

// Compares with golden/NAME; WRITE_GOLDEN=1 writes it instead.
static void is_golden(struct buf *b, const char *name)
{
    static char expected[65536];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", GOLDEN, name);
    bool writes = getenv("WRITE_GOLDEN") != NULL;
    FILE *f = fopen(path, writes ? "w" : "r");
    assert_non_null(f);
    if (writes)
        fwrite(b->p, 1, b->n, f);
    else
        expected[fread(expected, 1, sizeof expected - 1, f)] = '\0';
    fclose(f);
    buf_add(b, "", 1);
    if (!writes)
        assert_string_equal(b->p, expected);
    buf_done(b);
}

// Lines to paste may be long; everything else fits.
static void fits(const struct buf *b, int columns)
{
    for (size_t i = 0; i < b->n;) {
        const char *end = memchr(b->p + i, '\n', b->n - i);
        size_t n = end ? (size_t)(end - (b->p + i)) : b->n - i;
        bool paste = n > 7 && !strncmp(b->p + i, "       ", 7);
        if (!paste && draw_width(b->p + i, n) > columns)
            fail_msg("%d columns: %.*s", draw_width(b->p + i, n), (int)n, b->p + i);
        i += n + 1;
    }
}

T(the_incident_is_told_on_one_page_of_100_columns)
{
    struct screen s = {.columns = 100, .utf8 = true};
    struct buf b = BUF_INIT;
    xray_text(&b, &s, fixture_incident());
    fits(&b, 100);
    is_golden(&b, "incident-100-utf8.txt");
}

T(eighty_columns_of_ascii_suffice)
{
    struct screen s = {.columns = 80};
    struct buf b = BUF_INIT;
    xray_text(&b, &s, fixture_incident());
    fits(&b, 80);
    for (size_t i = 0; i < b.n; i++)
        assert_true((unsigned char)b.p[i] < 0x80 && (b.p[i] >= 0x20 || b.p[i] == '\n'));
    is_golden(&b, "incident-80-ascii.txt");
}

T(color_changes_nothing_but_the_color)
{
    struct screen plain = {.columns = 100, .utf8 = true}, color = {.columns = 100, .utf8 = true, .color = true};
    struct buf a = BUF_INIT, b = BUF_INIT, stripped = BUF_INIT;
    xray_text(&a, &plain, fixture_incident());
    xray_text(&b, &color, fixture_incident());
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] == '\033')
            while (b.p[i] != 'm')
                i++;
        else
            buf_add(&stripped, b.p + i, 1);
    }
    assert_true(b.n > a.n);
    assert_int_equal(stripped.n, a.n);
    assert_memory_equal(stripped.p, a.p, a.n);
    buf_done(&a);
    buf_done(&b);
    buf_done(&stripped);
}

T(what_is_not_known_is_not_shown_as_zero)
{
    struct screen s = {.columns = 100};
    struct buf b = BUF_INIT;
    xray_text(&b, &s, fixture_first_look());
    fits(&b, 100);
    is_golden(&b, "first-look-100-ascii.txt");
}

static const char *cure_for(struct xray_view *v, enum proc_role role, uid_t ours)
{
    for (int i = 0; i < 2; i++)
        ((struct proc_info *)&v->see.procs[i])->role = role;
    v->uid = ours;
    v->n_notes = 0;
    view_notes(v);
    return v->notes[0];
}

T(the_cure_for_closed_processes_is_in_the_words_of_their_server)
{
    struct xray_view *v = fixture_first_look();
    const char *as_its_user = "run it as their user (docker exec -u 33)";
    const struct {
        enum proc_role role;
        const char *opening;
    } servers[] = {{ROLE_FPM_WORKER, "; or process.dumpable = yes in php-fpm's pool, and run"},
                   {ROLE_PLIMSOLL_WORKER, "; or process.dumpable = yes in plimsoll.conf's [pool], and run"},
                   {ROLE_APACHE, "; or CoreDumpDirectory /tmp in Apache's configuration, and run"},
                   {ROLE_FRANKENPHP, "; or run"},
                   {ROLE_ROADRUNNER, "; or run"},
                   {ROLE_PHP_CLI, "; or run"},
                   {ROLE_GO, "; or run"}};
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        const char *note = cure_for(v, servers[i].role, 0);
        assert_non_null(strstr(note, "--cap-add SYS_PTRACE"));
        assert_non_null(strstr(note, servers[i].opening));
        assert_non_null(strstr(note, as_its_user));
        assert_string_equal(strstr(note, "kubectl"), "kubectl debug --target CONTAINER --profile=sysadmin."); // not cut
    }
    // Who is their user already need not become it; what then still is closed has no cure without privileges.
    assert_null(strstr(cure_for(v, ROLE_FPM_WORKER, 33), "run it as their user"));
    assert_non_null(strstr(cure_for(v, ROLE_FPM_WORKER, 33), "; or process.dumpable = yes in php-fpm's pool; Kubernetes"));
    assert_null(strstr(cure_for(v, ROLE_FRANKENPHP, 33), "; or"));
}

CLAIMS(C(the_incident_is_told_on_one_page_of_100_columns), C(eighty_columns_of_ascii_suffice),
       C(color_changes_nothing_but_the_color), C(what_is_not_known_is_not_shown_as_zero),
       C(the_cure_for_closed_processes_is_in_the_words_of_their_server))
