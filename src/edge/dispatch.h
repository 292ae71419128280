// SPDX-License-Identifier: Apache-2.0
// Requests to workers: a bounded queue for each pool and the workers that are free.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct msg;
struct req;

void dispatch_init(const struct conf *conf, int master_fd);
// The request's body is complete (or it streams): gives it to a free worker, or queues it, or answers 503.
void dispatch_admit(struct req *r);
// The client is gone, or the answer is not wanted: leaves the queue, or tells the worker.
void dispatch_abandon(struct req *r);
// There is room again in the response's buffers.
void dispatch_on_drain(struct req *r);
// post_max_size of the pool's PHP, 0 = none or not known yet.
uint64_t dispatch_post_max_size(unsigned pool);
// Body bytes for a streaming request. Returns how many were taken.
size_t dispatch_body_add(struct req *r, const char *data, size_t n);
void dispatch_body_end(struct req *r, bool client_gone);
// The transport let go of the request: the worker's job may go on without it.
void dispatch_forget(struct req *r);

// Messages of the master. on_add takes the message's descriptors.
void dispatch_on_worker_add(struct msg *m);
void dispatch_on_worker_gone(const struct msg *m);
void dispatch_on_retire(uint32_t worker_id);
void dispatch_on_pool_state(const struct msg *m);
// Drain: no jobs but those of requests that are here already.
unsigned dispatch_n_running(void); // requests queued or in a worker, and jobs that go on after their answer
unsigned dispatch_n_unseen(void);  // of them, jobs that nobody waits for any more
