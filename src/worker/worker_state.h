// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share: the worker's state, and the job that runs.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "ipc/chan.h"
#include "ipc/link.h"
#include "ipc/msg.h"
#include "php/engine.h"

struct worker {
    struct chan chan;
    int link[LINK_FDS]; // to the edge; -1 once it is gone
    int master_fd;
    uint32_t id, max_requests, jobs;
    bool stray; // a fork of this process that a script made: it must not speak for us
};

extern struct worker worker;
extern struct msg worker__msg; // the last one received from the edge

// The response of the running job (job_out.c). Positions count bytes since the job began.
void job_out_start(uint32_t job_id);
void job_out_head_begin(void);
void job_out_head_add(struct str line);
void job_out_head_end(unsigned status, bool inform);
size_t job_out_write(const char *data, size_t n);
bool job_out_flush(void);
void job_out_finish(void);
bool job_out_finished(void);
void job_out_log(enum log_level level, struct str text);
void job_out_on_space(const struct msg_space *m);
// The last message of the job.
void job_out_done(bool leaving, uint32_t exit_reason, uint64_t peak_bytes, uint64_t cpu_us);

// Its body (job_in.c).
void job_in_start(const struct msg_job *job, int fd); // takes fd
size_t job_in_read(char *dst, size_t n);
enum engine_body job_in_body(int *ret_fd); // as engine_host has it
void job_in_on_body(const struct msg_body *m);
void job_in_end(void);

// Receives one message of the edge for the running job. false: the edge is gone.
bool worker__wait(void);
// Tells the edge. Returns 0, or -EPIPE when it is gone or not ours to talk to.
int worker__tell(enum msg_type type, const void *body, const void *tail, size_t tail_n);
_Noreturn void worker__protocol(const char *what);
