// SPDX-License-Identifier: Apache-2.0
// The access log: one line a request, combined (Apache's) or JSON. Lines are collected and written in few calls.
#pragma once
#include <stddef.h>

struct conf;
struct req;

void access_log_init(const struct conf *conf, const int *site_fds); // one descriptor a site, -1 = off
void access_log_reopen(const int *site_fds);                        // old ones are closed after what is pending is written
void access_log_request(const struct req *r);
void access_log_done(void);  // flushes, closes, frees
void access_log_flush(void); // at the end, and by a timer at most 200 ms after a line was added
