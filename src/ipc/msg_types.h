// SPDX-License-Identifier: Apache-2.0
// The bodies of the messages in tbl/messages.def. Fixed sizes, no pointers, no padding that matters.
#pragma once
#include <stdint.h>

struct msg_empty {
    uint32_t unused;
};

struct msg_mold_ready {
    char php_version[16];
    char ini_path[128];       // php.ini that was read, "" = none
    char upload_tmp_dir[128]; // "" = the system's
    uint64_t memory_limit;    // bytes; UINT64_MAX = none
    uint64_t post_max_size;   // bytes; 0 = none
    uint64_t upload_max_filesize; // bytes
    uint8_t opcache_on, zts, thread_count_at_fork, unused[5];
};
_Static_assert(sizeof(struct msg_mold_ready) <= 512, "fits a message");

struct msg_spawn {
    uint32_t worker_id;    // unique for the life of the master
    uint32_t max_requests; // after so many, leave; already jittered; 0 = never
    uint32_t generation;
    uint32_t unused;
};

struct msg_spawn_failed {
    uint32_t worker_id;
    int32_t error; // errno
};

struct msg_worker_hello {
    uint32_t worker_id;
    int32_t pid;
};

struct msg_worker_add {
    uint32_t worker_id;
    uint32_t pool;
    uint32_t generation;
    int32_t pid;
    uint64_t post_max_size; // of its mold's PHP, 0 = none
};

struct msg_worker_gone {
    uint32_t worker_id;
    uint32_t end;    // enum worker_end (tbl/worker_ends.def)
    int32_t detail;  // exit status or signal
    uint32_t unused;
};

struct msg_attached {
    uint32_t worker_id;
    uint32_t unused;
};

struct msg_retire {
    uint32_t worker_id;
    uint32_t unused;
};

struct msg_pool_state {
    uint32_t pool;
    uint32_t up; // 0: no mold for now, requests get 503 at once
};

struct msg_logs {
    uint32_t n_access; // descriptors: error log, then n_access access logs in the order of conf.sites that have one
    uint32_t unused;
};

#define DRAIN_ADMIN (UINT64_C(1) << 63)
#define DRAIN_LISTENER(i) (UINT64_C(1) << ((i) < 62 ? (i) : 62))

struct msg_drain {
    uint32_t deadline_ms; // from now; then what still runs is cut
    uint32_t keep_idle;   // 1: idle connections may send one more request until then (reload); 0: they are closed at once
    uint64_t shared;      // bit n: another edge accepts on the n-th listening socket; DRAIN_ADMIN: on the admin's
};

struct msg_worker_kill {
    uint32_t worker_id;
    uint32_t end; // enum worker_end: why
};

enum job_body { JOB_BODY_NONE, JOB_BODY_INLINE, JOB_BODY_FD, JOB_BODY_STREAM };

struct msg_job {
    uint32_t job_id;    // counts up for each worker
    uint32_t request_n; // bytes of the request block in the channel
    uint64_t body_n;    // bytes of the body; UINT64_MAX: a stream of unknown length
    uint32_t body;      // enum job_body
    uint32_t unused;
};

struct msg_body_file {
    uint32_t job_id;
    uint32_t unused;
};

struct msg_body {
    uint32_t job_id;
    uint32_t n;    // bytes added to the body ring
    uint32_t last; // 1: that was all; 2: the client went away before the end
    uint32_t unused;
};

struct msg_space {
    uint32_t job_id;
    uint32_t n; // bytes free again in the response ring
};

enum resp_flags {
    RESP_HEAD = 1,        // head_n bytes of header block come first; status is set
    RESP_INFORM = 2,      // ... of a 1xx response; more follows
    RESP_END = 4,         // the response is complete
    RESP_DONE = 8,        // the job is over, the worker is free (always with or after RESP_END)
    RESP_WANT_SPACE = 16, // the ring is full: tell when there is space
    RESP_LEAVING = 32,    // with RESP_DONE: the worker exits in order
    RESP_CUT = 64,        // with RESP_END: the script ended in a way that leaves the body incomplete
};

struct msg_resp {
    uint32_t job_id;
    uint32_t flags;
    uint32_t status; // with RESP_HEAD
    uint32_t head_n; // bytes of the header block in the ring, before the body's
    uint32_t body_n; // bytes of body in the ring
    uint32_t exit_reason; // with RESP_DONE: 0 normal, 1 fatal error, 2 timeout, 3 memory_limit
    uint64_t peak_bytes;  // with RESP_DONE: ZendMM's peak
    uint64_t cpu_us;      // with RESP_DONE: user + system of this job
};

struct msg_took {
    uint32_t job_id;
    uint32_t n; // bytes free again in the body ring
};

#define MSG_LOG_BYTES 4080 // of text: what still fits a packet (ipc/link.h)

struct msg_log {
    uint32_t job_id; // 0 = outside a job
    uint32_t level;  // enum log_level
};
