// SPDX-License-Identifier: Apache-2.0
// The input is what another process sends: a datagram (tried for all pairs of processes), a request block, a response's
// header block.
#include "fuzz.h"

#include <errno.h>

#include "ipc/job.h"
#include "ipc/link.h"
#include "ipc/msg.h"

static void check_datagram(const char *data, size_t n)
{
    static struct msg m;
    int accepted = 0;

    for (int from = MSG_ROLE_MASTER; from <= MSG_ROLE_WORKER; from++)
        for (int to = MSG_ROLE_MASTER; to <= MSG_ROLE_WORKER; to++)
            for (unsigned n_fds = 0; n_fds <= 5; n_fds++) {
                memset(&m, 0xa5, sizeof m);
                int rc = msg_decode(data, n, n_fds, (enum msg_role)from, (enum msg_role)to, &m);
                CHECK(rc == 1 || rc == -EPROTO || rc == -EPROTONOSUPPORT);
                if (rc != 1)
                    continue;
                CHECK(m.type > MSG_NONE && m.type < MSG_TYPES && from != to);
                CHECK(m.tail_n <= MSG_TAIL_MAX && m.tail_n < n && m.tail[m.tail_n] == '\0');
                CHECK(memcmp(m.tail, data + n - m.tail_n, m.tail_n) == 0);
                accepted++;
            }
    CHECK(accepted <= 5); // one direction only, with some numbers of descriptors
}

// What follows the message in its frame does not matter, but the message is the same.
static void check_frame(const char *data, size_t n)
{
    static struct msg m, alone;
    int rc = link_decode_frame(data, n, &m);

    CHECK(rc == 1 || rc == -EPROTO || rc == -EPROTONOSUPPORT);
    CHECK(rc != 1 || (n == LINK_FRAME_BYTES && m.tail_n == 0));
    if (rc == 1)
        CHECK(msg_decode(data, msg_bytes(data, n), 0, MSG_ROLE_EDGE, MSG_ROLE_WORKER, &alone) == 1 && alone.type == m.type);
}

static void check_job(const char *data, size_t n)
{
    static struct job_field fields[JOB_FIELDS_MAX];
    struct job j;
    int rc = job_decode(data, n, &j, fields);

    if (rc) {
        CHECK(rc == -EBADMSG);
        return;
    }
    for (int i = 0; i < JOB_VARS; i++) {
        check_inside(j.var[i], data, n);
        CHECK(j.var[i].p[j.var[i].n] == '\0');
    }
    CHECK(j.n_fields <= JOB_FIELDS_MAX);
    for (size_t i = 0; i < j.n_fields; i++) {
        check_inside(j.fields[i].name, data, n);
        check_inside(j.fields[i].value, data, n);
        CHECK(j.fields[i].name.p[j.fields[i].name.n] == '\0' && j.fields[i].value.p[j.fields[i].value.n] == '\0');
    }
    char *again = malloc(n);
    CHECK(job_encode(&j, again, n) == n && memcmp(again, data, n) == 0);
    CHECK(job_encode(&j, again, n - 1) == 0);
    free(again);
}

static void check_head_block(const char *data, size_t n)
{
    size_t at = 0, before = 0, again_n = 0;
    struct str line;
    bool bad = false;
    char *again = malloc(n + 1);

    while (head_block_next(data, n, &at, &line, &bad)) {
        CHECK(!bad && at > before && at <= n);
        check_inside(line, data, n);
        CHECK(line.p[line.n] == '\0');
        again_n = head_block_add(again, n, again_n, line);
        CHECK(again_n == at);
        before = at;
    }
    CHECK(bad == (before < n));
    CHECK(memcmp(again, data, again_n) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    // Memory of its own: the input may be NULL, and a terminating NUL must not be found behind it.
    char *data = malloc(n ? n : 1);

    if (n)
        memcpy(data, bytes, n);
    check_datagram(data, n);
    check_frame(data, n);
    check_job(data, n);
    check_head_block(data, n);
    free(data);
    return 0;
}
