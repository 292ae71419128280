// SPDX-License-Identifier: Apache-2.0
// The input is a recording. Whatever it is: rows rise in t, known values are in range, reading it again in another way gives the
// same, and what is written of a row reads back as that row.
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "mem/recording.h"

static void check_row(const struct mem_sample *s)
{
    static const uint64_t all[2] = {MEM_N >= 64 ? UINT64_MAX : (UINT64_C(1) << (MEM_N % 64)) - 1,
                                    MEM_N > 64 ? (UINT64_C(1) << (MEM_N % 64)) - 1 : 0};
    char text[2 * RECORDING_TEXT_MAX];
    struct recording *r;
    struct recording_error error;
    struct mem_sample again;

    for (int f = 0; f < MEM_N; f++)
        if (mem_known(s, (enum mem_field)f))
            CHECK(s->v[f] >= 0 && (s->v[f] <= INT64_C(1) << 60 || (f == MEM_limit && s->v[f] == MEM_UNLIMITED)));
    size_t n = recording_header(RECORDING_V2, all, text, sizeof text);
    CHECK(n > 0);
    size_t row = recording_row(s, all, text + n, sizeof text - n);
    CHECK(row > 0);
    CHECK(recording_open_text(text, n + row, &r, &error) == 0);
    int rc = recording_next(r, &again, &error);
    CHECK(rc == 1 || (rc == 0 && mem_get(s, MEM_nprocs, 1) == 0));
    if (rc == 1) {
        CHECK(again.known[0] == s->known[0] && again.known[1] == s->known[1]);
        for (int f = 0; f < MEM_N; f++)
            CHECK(!mem_known(s, (enum mem_field)f) || again.v[f] == s->v[f]);
    }
    recording_close(r);
}

static int next(struct recording *r, struct mem_sample *s)
{
    struct recording_error error;
    int rc = recording_next(r, s, &error);

    CHECK(rc >= 0 || strlen(error.text) > 0);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct recording *text, *file;
    struct recording_procs *procs;
    struct recording_error error = {0};
    struct mem_sample a, b;
    double last = -1e300;
    int fd = memfd_create("recording", MFD_CLOEXEC);

    CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
    int rc = recording_open_text((const char *)data, n, &text, &error), other = recording_open(fd, &file, &error);
    CHECK(rc == other);
    CHECK(rc == 0 || strlen(error.text) > 0);
    if (rc == 0) {
        unsigned checked = 0;
        do {
            rc = next(text, &a);
            other = next(file, &b);
            CHECK(rc == other);
            if (rc != 1)
                break;
            CHECK(a.t == b.t && a.known[0] == b.known[0] && a.known[1] == b.known[1]);
            CHECK(a.t > last);
            last = a.t;
            if (checked++ < 20)
                check_row(&a);
        } while (true);
        recording_close(text);
        recording_close(file);
    }

    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    if (recording_procs_open(fd, &procs, &error) == 0) { // the same bytes as rows of processes
        for (int i = 0; i < 5; i++) {
            struct mem_sample s = {.t = i};
            CHECK(recording_procs_fill(procs, &s, &error) == 0);
            CHECK(mem_get(&s, MEM_sum_rss, 0) >= 0);
        }
        struct recording_proc p;
        if (recording_procs_grower(procs, &p))
            CHECK(p.rss_anon_last > p.rss_anon_first);
        recording_procs_close(procs);
    }
    close(fd);
    return 0;
}
