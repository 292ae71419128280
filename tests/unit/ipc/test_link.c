// SPDX-License-Identifier: Apache-2.0
#include "ipc/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../claim.h"
#include "base/fdio.h"

static int edge[LINK_FDS], worker[LINK_FDS];
static struct msg got;

static int set_up(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    return link_open(edge, worker);
}

static int tear_down(void **state)
{
    link_close(edge);
    link_close(worker);
    return 0;
}

// What link_open takes where a pipe can't have packets.
static int set_up_without_packets(void **state)
{
    int rc = set_up(state), up[2];

    close(edge[LINK_UP]);
    close(worker[LINK_UP]);
    rc = rc ? rc : msg_pair(up);
    edge[LINK_UP] = up[0];
    worker[LINK_UP] = up[1];
    return rc ? rc : fd_set_nonblock(up[0], true);
}

static void send_job(uint32_t job_id)
{
    struct msg_job job = {.job_id = job_id, .request_n = 5, .body_n = UINT64_MAX, .body = JOB_BODY_STREAM};
    assert_int_equal(link_send(edge[LINK_DOWN], MSG_JOB, &job, NULL, 0), 0);
}

T(messages_of_different_sizes_arrive_one_by_one_in_their_order)
{
    struct msg_space space = {.job_id = 1, .n = 77};
    struct msg_empty none = {0};

    send_job(1);
    assert_int_equal(link_send(edge[LINK_DOWN], MSG_SPACE, &space, NULL, 0), 0);
    assert_int_equal(link_send(edge[LINK_DOWN], MSG_LEAVE, &none, NULL, 0), 0);
    assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 1);
    assert_int_equal(got.type, MSG_JOB);
    assert_int_equal(got.as_JOB.job_id, 1);
    assert_true(got.as_JOB.body_n == UINT64_MAX);
    assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 1);
    assert_int_equal(got.type, MSG_SPACE);
    assert_int_equal(got.as_SPACE.n, 77);
    assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 1);
    assert_int_equal(got.type, MSG_LEAVE);
}

T(what_a_worker_says_at_once_is_heard_at_once)
{
    struct msg_resp resp = {.job_id = 3, .flags = RESP_END, .cpu_us = UINT64_MAX};
    struct msg_log log = {.job_id = 3, .level = 1};
    char text[MSG_LOG_BYTES];

    memset(text, 'x', sizeof text);
    assert_int_equal(link_send(worker[LINK_UP], MSG_LOG, &log, text, sizeof text), 0);
    assert_int_equal(link_send(worker[LINK_UP], MSG_LOG, &log, "short", 5), 0);
    assert_int_equal(link_send(worker[LINK_UP], MSG_RESP, &resp, NULL, 0), 0);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), 1);
    assert_int_equal(got.type, MSG_LOG);
    assert_int_equal(got.tail_n, sizeof text);
    assert_memory_equal(got.tail, text, sizeof text);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), 1);
    assert_string_equal(got.tail, "short");
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), 1);
    assert_true(got.as_RESP.cpu_us == UINT64_MAX);
    assert_int_equal(got.n_fds, 0);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), -EAGAIN);
}

T(the_death_of_either_side_is_end_of_file_after_its_last_message)
{
    struct msg_took took = {.job_id = 1};
    struct msg_empty none = {0};

    assert_int_equal(link_send(worker[LINK_UP], MSG_TOOK, &took, NULL, 0), 0);
    link_close(worker);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), 1);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), 0);
    assert_int_equal(link_send(edge[LINK_DOWN], MSG_LEAVE, &none, NULL, 0), -EPIPE);
    link_close(edge);

    assert_int_equal(link_open(edge, worker), 0);
    send_job(1);
    link_close(edge);
    assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 1);
    assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 0);
    assert_int_equal(link_send(worker[LINK_UP], MSG_TOOK, &took, NULL, 0), -EPIPE);
}

T(a_dead_workers_unread_job_is_known_and_one_that_it_read_is_not_taken_for_unread)
{
    assert_false(link_has_unread(edge[LINK_DOWN]));
    send_job(1);
    assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 1);
    assert_false(link_has_unread(edge[LINK_DOWN]));
    send_job(2);
    link_close(worker);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), 0);
    assert_true(link_has_unread(edge[LINK_DOWN]));
}

T(a_hundred_messages_fit_even_into_a_pipe_of_one_page_and_then_the_edge_does_not_wait)
{
    struct msg_space space = {.job_id = 1};
    int n = 0, rc;

    assert_true(fcntl(edge[LINK_DOWN], F_SETPIPE_SZ, 4096) >= 0);
    while ((rc = link_send(edge[LINK_DOWN], MSG_SPACE, &space, NULL, 0)) == 0)
        n++;
    assert_int_equal(rc, -EAGAIN);
    assert_true(n >= 100);
    while (n-- > 0)
        assert_int_equal(link_recv_down(worker[LINK_DOWN], &got), 1);
    assert_false(link_has_unread(edge[LINK_DOWN]));
}

T(a_worker_that_breaks_the_packets_is_refused)
{
    uint16_t other[4] = {MSG_PROTO + 1, MSG_TOOK, 0, 0};
    char bytes[LINK_UP_BYTES] = {0};
    struct msg_took took = {.job_id = 1};

    assert_int_equal(write(worker[LINK_UP], other, 3), 3);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), -EPROTO);
    assert_int_equal(write(worker[LINK_UP], other, sizeof other), sizeof other);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), -EPROTONOSUPPORT);
    assert_int_equal(write(worker[LINK_UP], bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), -EPROTONOSUPPORT);
    // It turns the packets off: two messages are one then, and no message.
    assert_int_equal(fcntl(worker[LINK_UP], F_SETFL, O_WRONLY), 0);
    assert_int_equal(link_send(worker[LINK_UP], MSG_TOOK, &took, NULL, 0), 0);
    assert_int_equal(link_send(worker[LINK_UP], MSG_TOOK, &took, NULL, 0), 0);
    assert_int_equal(link_recv_up(edge[LINK_UP], &got), -EPROTO);
}

T(frames_are_taken_whole_and_in_their_direction_only)
{
    char data[LINK_FRAME_BYTES + 1] = {0};
    struct msg_job job = {.job_id = 1};
    struct msg_took took = {.job_id = 1};
    struct msg_log log = {.job_id = 1};

    assert_int_equal(msg_encode(data, MSG_JOB, &job, NULL, 0), LINK_FRAME_BYTES);
    assert_int_equal(link_decode_frame(data, LINK_FRAME_BYTES, &got), 1);
    assert_int_equal(link_decode_frame(data, LINK_FRAME_BYTES - 1, &got), -EPROTO);
    assert_int_equal(link_decode_frame(data, LINK_FRAME_BYTES + 1, &got), -EPROTO);
    (void)msg_encode(data, MSG_TOOK, &took, NULL, 0);
    assert_int_equal(link_decode_frame(data, LINK_FRAME_BYTES, &got), -EPROTO);
    (void)msg_encode(data, MSG_LOG, &log, "x", 1);
    assert_int_equal(link_decode_frame(data, LINK_FRAME_BYTES, &got), -EPROTO);
    memset(data, 0xff, sizeof data);
    assert_int_equal(link_decode_frame(data, LINK_FRAME_BYTES, &got), -EPROTONOSUPPORT);
}

T(descriptors_go_down_only)
{
    struct msg_body_file file = {.job_id = 4};
    int fd = dup(0);

    assert_int_equal(msg_send(edge[LINK_FILES], MSG_BODY_FILE, &file, NULL, 0, &fd, 1), 0);
    assert_int_equal(msg_recv(worker[LINK_FILES], MSG_ROLE_EDGE, MSG_ROLE_WORKER, &got), 1);
    assert_int_equal(got.as_BODY_FILE.job_id, 4);
    msg_close_fds(&got);
    assert_int_equal(msg_send(worker[LINK_FILES], MSG_BODY_FILE, &file, NULL, 0, &fd, 1), -EPIPE);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_of_different_sizes_arrive_one_by_one_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_worker_says_at_once_is_heard_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_worker_says_at_once_is_heard_at_once, set_up_without_packets, tear_down),
        cmocka_unit_test_setup_teardown(the_death_of_either_side_is_end_of_file_after_its_last_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_death_of_either_side_is_end_of_file_after_its_last_message, set_up_without_packets, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_workers_unread_job_is_known_and_one_that_it_read_is_not_taken_for_unread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hundred_messages_fit_even_into_a_pipe_of_one_page_and_then_the_edge_does_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_breaks_the_packets_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_are_taken_whole_and_in_their_direction_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_go_down_only, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
