// SPDX-License-Identifier: Apache-2.0
// Claims about the master's channel ends: what a full socket does, and how an end is told.
#include "master/peer.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "../claim.h"
#include "base/fdio.h"

#define MANY 500

static unsigned n_told, n_gone;

static void on_peer(struct peer *p, struct msg *m)
{
    n_told += m != NULL;
    n_gone += m == NULL;
}

static void open_pair(struct peer *p, int *ret_far)
{
    int pair[2];

    loop_init();
    n_told = n_gone = 0;
    assert_int_equal(msg_pair(pair), 0);
    assert_int_equal(peer_open(p, pair[0], MSG_ROLE_EDGE, on_peer), 0);
    *ret_far = pair[1];
}

T(messages_that_a_full_socket_refuses_arrive_later_in_order_and_with_descriptors)
{
    struct peer p;
    struct msg m;
    int far, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    open_pair(&p, &far);
    for (uint32_t i = 0; i < MANY; i++) {
        struct msg_worker_add body = {.worker_id = i};
        int fds[4] = {null, null, null, null};
        assert_true(peer_send(&p, MSG_WORKER_ADD, &body, fds, 4));
    }
    assert_true(p.n_out > 0); // else this test says nothing
    close(null);
    for (uint32_t i = 0; i < MANY; i++) {
        loop_once(0);
        assert_int_equal(msg_recv(far, MSG_ROLE_MASTER, MSG_ROLE_EDGE, &m), 1);
        assert_int_equal(m.as_WORKER_ADD.worker_id, i);
        assert_int_equal(m.n_fds, 4);
        assert_true(fcntl(m.fds[3], F_GETFD) >= 0);
        msg_close_fds(&m);
    }
    assert_int_equal(p.n_out, 0);
    peer_close(&p);
    close(far);
    loop_done();
}

T(what_a_peer_said_before_it_closed_is_told_before_its_end)
{
    struct peer p;
    struct msg_empty none = {0};
    int far;

    open_pair(&p, &far);
    assert_true(peer_send(&p, MSG_DRAIN, &(struct msg_drain){0}, NULL, 0)); // never read: the close is a reset then
    assert_int_equal(msg_send(far, MSG_EDGE_READY, &none, NULL, 0, NULL, 0), 0);
    close(far);
    loop_once(0);
    assert_int_equal(n_told, 1);
    assert_int_equal(n_gone, 0);
    loop_once(0);
    assert_int_equal(n_gone, 1);
    assert_int_equal(p.fd, -1);
    assert_false(peer_send(&p, MSG_DRAIN, &(struct msg_drain){0}, NULL, 0));
    loop_done();
}

T(message_that_is_not_the_peers_to_send_ends_the_channel)
{
    struct peer p;
    struct msg_empty none = {0};
    int far;

    open_pair(&p, &far);
    assert_int_equal(msg_send(far, MSG_MOLD_FAILED, &none, NULL, 0, NULL, 0), 0);
    loop_once(0);
    assert_int_equal(n_told, 0);
    assert_int_equal(n_gone, 1);
    close(far);
    loop_done();
}

CLAIMS(C(messages_that_a_full_socket_refuses_arrive_later_in_order_and_with_descriptors),
       C(what_a_peer_said_before_it_closed_is_told_before_its_end), C(message_that_is_not_the_peers_to_send_ends_the_channel))
