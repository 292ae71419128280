// SPDX-License-Identifier: Apache-2.0
// PHP as the rest of the server sees it: started once in the mold, forked, and then asked to run one job after the other.
// Only this folder knows <php.h>. What a job reads and writes goes through the host, which the worker lends: the engine
// knows no channel and no message.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "ipc/job.h"

struct msg_mold_ready;
struct pool_spec;

// Where a job's body is: memory and files are all there.
enum engine_body { ENGINE_BODY_MEMORY, ENGINE_BODY_FILE, ENGINE_BODY_STREAM };

// What a worker does for the engine while a job runs.
struct engine_host {
    // A header block: begin, its lines "Name: value", end. Nothing is sent by it yet unless inform is true (a 1xx response).
    void (*head_begin)(void);
    void (*head_add)(struct str line);
    void (*head_end)(unsigned status, bool inform);
    // Body bytes. Returns how many were taken; fewer than n: nobody wants them any more.
    size_t (*write)(const char *data, size_t n);
    bool (*flush)(void);  // sends what is written; false: nobody wants it
    void (*finish)(void); // the response is complete; what is written later is dropped
    bool (*finished)(void);
    size_t (*read)(char *dst, size_t n); // the request's body; fewer than n: that was all
    // Where it is. A file of which nothing was read yet is handed over: it begins at offset 0, whatever its position, and the
    // descriptor is the caller's to close; one that was begun counts as a stream.
    enum engine_body (*body)(int *ret_fd);
    void (*log)(enum log_level level, struct str text);
};

enum engine_end { ENGINE_END_NORMAL, ENGINE_END_FATAL, ENGINE_END_TIMEOUT, ENGINE_END_MEMORY };

struct engine_result {
    enum engine_end end;
    uint64_t peak_bytes; // of the memory that PHP had from the system
};

// Mold: starts PHP with the pool's settings. The environment is PHP's from here on. Returns 0, or -1 and a reason.
int engine_start(const struct pool_spec *spec, char *ret_why, size_t why_cap);
// What the master and the edge want to know of it.
void engine_describe(struct msg_mold_ready *ret_ready);

// Worker: makes the forked PHP its own (random numbers, timers, signals). host is kept.
void engine_child_init(const struct engine_host *host);
// Runs one request to its very end. body_n is UINT64_MAX where the length is unknown.
void engine_run(const struct job *job, uint64_t body_n, struct engine_result *ret_result);
