// SPDX-License-Identifier: Apache-2.0
#include "ipc/msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../claim.h"

static int pair[2];
static struct msg got;

static int set_up(void **state)
{
    return msg_pair(pair);
}

static int tear_down(void **state)
{
    close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    return 0;
}

T(a_message_arrives_with_body_tail_and_descriptor)
{
    struct msg_log log = {.job_id = 7, .level = 1};
    struct msg_body_file file = {.job_id = 9};

    assert_int_equal(msg_send(pair[0], MSG_LOG, &log, "hello", 5, NULL, 0), 0);
    assert_int_equal(msg_recv(pair[1], MSG_ROLE_WORKER, MSG_ROLE_EDGE, &got), 1);
    assert_int_equal(got.type, MSG_LOG);
    assert_int_equal(got.as_LOG.job_id, 7);
    assert_string_equal(got.tail, "hello");

    int fd = dup(0);
    assert_int_equal(msg_send(pair[0], MSG_BODY_FILE, &file, NULL, 0, &fd, 1), 0);
    close(fd);
    assert_int_equal(msg_recv(pair[1], MSG_ROLE_EDGE, MSG_ROLE_WORKER, &got), 1);
    assert_int_equal(got.n_fds, 1);
    assert_true(got.fds[0] >= 0);
    msg_close_fds(&got);
}

T(a_message_of_the_wrong_direction_is_refused_and_its_descriptors_are_closed)
{
    struct msg_body_file file = {.job_id = 1};
    int fd = dup(0);

    assert_int_equal(msg_send(pair[0], MSG_BODY_FILE, &file, NULL, 0, &fd, 1), 0);
    close(fd);
    assert_int_equal(msg_recv(pair[1], MSG_ROLE_WORKER, MSG_ROLE_EDGE, &got), -EPROTO);
    assert_int_equal(got.n_fds, 0);
    int again = dup(0); // the lowest free number is the one that the refused descriptor had
    assert_int_equal(again, fd);
    close(again);
}

T(garbage_short_and_long_datagrams_and_other_versions_are_refused)
{
    char bytes[64];
    uint16_t other[4] = {MSG_PROTO + 1, MSG_TOOK, 0, 0};

    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(send(pair[0], bytes, 3, 0), 3);
    assert_int_equal(msg_recv(pair[1], MSG_ROLE_WORKER, MSG_ROLE_EDGE, &got), -EPROTO);
    assert_int_equal(send(pair[0], bytes, sizeof bytes, 0), sizeof bytes);
    assert_int_equal(msg_recv(pair[1], MSG_ROLE_WORKER, MSG_ROLE_EDGE, &got), -EPROTONOSUPPORT);
    assert_int_equal(send(pair[0], other, sizeof other, 0), sizeof other);
    assert_int_equal(msg_recv(pair[1], MSG_ROLE_WORKER, MSG_ROLE_EDGE, &got), -EPROTONOSUPPORT);
}

T(the_end_of_the_peer_is_the_end_of_file)
{
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(msg_recv(pair[0], MSG_ROLE_WORKER, MSG_ROLE_EDGE, &got), 0);
    struct msg_took took = {0};
    assert_int_equal(msg_send(pair[0], MSG_TOOK, &took, NULL, 0, NULL, 0), -EPIPE);
}

T(each_row_is_taken_in_its_own_direction_only)
{
    // Encoded by hand: head, a body of zeros of the row's size.
    static const struct {
        enum msg_type type;
        size_t n;
        enum msg_role from, to;
        unsigned fds;
    } rows[] = {
#define MSG(name, from, to, type, tail, min, max, text) {MSG_##name, sizeof(type), MSG_ROLE_##from, MSG_ROLE_##to, min},
#include "tbl/messages.def"
#undef MSG
    };
    char bytes[1024] = {0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint16_t head[4] = {MSG_PROTO, (uint16_t)rows[i].type, 0, 0};
        memcpy(bytes, head, sizeof head);
        for (int from = 0; from < 4; from++)
            for (int to = 0; to < 4; to++)
                assert_int_equal(msg_decode(bytes, 8 + rows[i].n, rows[i].fds, from, to, &got),
                                 from == (int)rows[i].from && to == (int)rows[i].to ? 1 : -EPROTO);
        assert_int_equal(msg_decode(bytes, 8 + rows[i].n - 1, rows[i].fds, rows[i].from, rows[i].to, &got), -EPROTO);
        assert_int_equal(msg_decode(bytes, 8 + rows[i].n + 1, rows[i].fds, rows[i].from, rows[i].to, &got), -EPROTO);
        assert_int_equal(msg_decode(bytes, 8 + rows[i].n, 17, rows[i].from, rows[i].to, &got), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives_with_body_tail_and_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_of_the_wrong_direction_is_refused_and_its_descriptors_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_short_and_long_datagrams_and_other_versions_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_peer_is_the_end_of_file, set_up, tear_down),
        cmocka_unit_test(each_row_is_taken_in_its_own_direction_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
