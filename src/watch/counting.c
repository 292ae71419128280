// SPDX-License-Identifier: Apache-2.0
// Counts requests. Runs in watch; owns the question under way. Invariant: the count never falls, also when the server restarts.
#include "watch/counting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

int counting_open(struct counting *c, const char *url, const struct server_conf *conf, int proc, pid_t pid, int root)
{
    struct requests_target target;
    char name[32] = "self";
    int r = 0;

    *c = (struct counting){.proc_pid = -1};
    if (url)
        r = requests_parse(url, &target);
    else if (!requests_find(conf, root, &target))
        r = requests_parse("tcp", &target);
    if (r < 0)
        return r;
    if (pid > 0)
        snprintf(name, sizeof name, "%d", (int)pid);
    c->proc_pid = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    r = requests_open(&target, c->proc_pid, &c->requests);
    if (r < 0) {
        counting_close(c);
        return r;
    }
    c->source = requests_counted_by(c->requests);
    return 0;
}

static void put_down(struct counting *c)
{
    loop_del(&c->watch);
    c->busy = false;
}

void counting_close(struct counting *c)
{
    put_down(c);
    c->requests = requests_close(c->requests);
    if (c->proc_pid >= 0)
        close(c->proc_pid);
    c->proc_pid = -1;
}

static void on_ready(struct watch *w, uint32_t events);

static void go_on(struct counting *c)
{
    struct requests_answer answer;

    loop_del(&c->watch); // the next step may wait for another descriptor
    int r = requests_step(c->requests, &answer);
    if (r == -EINPROGRESS) {
        int fd = requests_fd(c->requests);
        short events = requests_events(c->requests);
        if (fd < 0 || loop_add(&c->watch, fd, events & POLLOUT ? EPOLLOUT : EPOLLIN, on_ready) < 0)
            c->busy = false;
        return;
    }
    c->busy = false;
    if (r == -EAGAIN) {
        c->asked_ms = 0;
        if (c->source != requests_counted_by(c->requests))
            log_notice("requests are counted by %s", requests_source_name(requests_counted_by(c->requests)));
        c->source = requests_counted_by(c->requests);
        return;
    }
    if (r < 0) {
        if (!c->failed_said)
            log_notice("requests can't be counted by %s: %s", requests_source_name(c->source), strerror(-r));
        c->failed_said = true;
        return;
    }
    c->failed_said = false;
    if (answer.total < c->total) // it counts from 0 again
        c->before += c->total;
    c->total = answer.total;
    c->answered_ms = clock_ms();
}

static void on_ready(struct watch *w, uint32_t events)
{
    go_on(container_of(w, struct counting, watch));
}

bool counting_ask(struct counting *c, int64_t *ret_total)
{
    uint64_t now = clock_ms();

    if (!c->requests)
        return false;
    if (c->asked_ms == 0 || c->source == REQUESTS_TCP || now - c->asked_ms >= COUNTING_EVERY_MS) {
        put_down(c); // an answer that takes longer than that is given up
        c->asked_ms = now;
        if (requests_start(c->requests) == 0) {
            c->busy = true;
            go_on(c);
        }
    }
    if (c->answered_ms == 0 || now - c->answered_ms > COUNTING_FRESH_MS)
        return false;
    *ret_total = c->before + c->total;
    return true;
}
