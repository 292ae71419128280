// SPDX-License-Identifier: Apache-2.0
#include "base/loop.h"

#include <unistd.h>

#include "../claim.h"

static int order[64], n_order;

struct numbered {
    struct timer timer;
    struct task task;
    struct watch watch;
    int number;
};

static void on_time(struct timer *t)
{
    order[n_order++] = container_of(t, struct numbered, timer)->number;
}

static void on_task(struct task *t)
{
    order[n_order++] = container_of(t, struct numbered, task)->number;
}

static int set_up(void **state)
{
    loop_init();
    n_order = 0;
    return 0;
}

static int tear_down(void **state)
{
    loop_done();
    return 0;
}

T(timers_fire_in_order_of_their_time_whatever_the_order_they_were_set_in)
{
    struct numbered t[20] = {0};

    for (int i = 0; i < 20; i++) {
        t[i].number = (i * 7) % 20;
        timer_set(&t[i].timer, on_time, (uint64_t)t[i].number + 1);
    }
    while (n_order < 20)
        loop_once(-1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(order[i], i);
}

T(a_timer_moved_later_fires_once_and_a_cleared_one_never)
{
    struct numbered moved = {.number = 1}, cleared = {.number = 2}, last = {.number = 3}, sooner = {.number = 4};

    timer_set(&moved.timer, on_time, 1);
    timer_set(&moved.timer, on_time, 20);
    timer_set(&cleared.timer, on_time, 5);
    timer_set(&last.timer, on_time, 30);
    timer_set(&sooner.timer, on_time, 10000);
    timer_set(&sooner.timer, on_time, 2);
    timer_clear(&cleared.timer);
    assert_false(timer_is_set(&cleared.timer));
    while (n_order < 3)
        loop_once(-1);
    assert_int_equal(order[0], 4);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 3);
}

T(a_task_runs_once_before_the_next_wait_and_can_be_taken_back)
{
    struct numbered a = {.number = 1}, b = {.number = 2}, c = {.number = 3};

    loop_defer(&a.task, on_task);
    loop_defer(&b.task, on_task);
    loop_defer(&a.task, on_task);
    loop_defer(&c.task, on_task);
    loop_undefer(&b.task);
    loop_once(-1); // does not block: tasks wait
    assert_int_equal(n_order, 2);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 3);
}

static struct numbered first, second;

static void on_readable(struct watch *w, uint32_t events)
{
    struct numbered *self = container_of(w, struct numbered, watch);
    order[n_order++] = self->number;
    loop_del(&first.watch);
    loop_del(&second.watch);
}

T(a_watch_removed_by_another_of_the_same_round_is_not_called)
{
    int p[2], q[2];

    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(q), 0);
    first = (struct numbered){.number = 1};
    second = (struct numbered){.number = 2};
    assert_int_equal(loop_add(&first.watch, p[0], EPOLLIN, on_readable), 0);
    assert_int_equal(loop_add(&second.watch, q[0], EPOLLIN, on_readable), 0);
    assert_int_equal(write(p[1], "x", 1), 1);
    assert_int_equal(write(q[1], "x", 1), 1);
    loop_once(-1);
    loop_once(0);
    assert_int_equal(n_order, 1);
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_in_order_of_their_time_whatever_the_order_they_were_set_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_moved_later_fires_once_and_a_cleared_one_never, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_task_runs_once_before_the_next_wait_and_can_be_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_removed_by_another_of_the_same_round_is_not_called, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
