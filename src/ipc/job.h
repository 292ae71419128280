// SPDX-License-Identifier: Apache-2.0
// The request block: a request as a worker gets it, encoded once into shared memory by the edge, decoded and checked by
// the worker. It knows no connection and no HTTP syntax: variables (tbl/job_vars.def) and fields, as they go to $_SERVER.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum job_var {
#define JOB_VAR(name, always) JOB_##name,
#include "tbl/job_vars.def"
#undef JOB_VAR
    JOB_VARS
};

extern const char *const job_var_names[JOB_VARS];
extern const bool job_var_always[JOB_VARS];

struct job_field {
    struct str name;  // as received, a token without '_'
    struct str value;
};

#define JOB_FIELDS_MAX 512

struct job {
    struct str var[JOB_VARS];
    const struct job_field *fields;
    size_t n_fields;
};

// Writes the block to dst. Returns its length, or 0 if it does not fit into cap.
size_t job_encode(const struct job *j, char *dst, size_t cap);

// Reads a block of n bytes: strings point into src (each has a NUL behind it), fields into the given array.
// Returns 0 or -EBADMSG.
int job_decode(const char *src, size_t n, struct job *ret_job, struct job_field fields[JOB_FIELDS_MAX]);

// A response's header block: a run of lines "Name: value", each behind its length. The worker adds, the edge reads a copy.
size_t head_block_add(char *dst, size_t cap, size_t at, struct str line); // new length, 0 = does not fit
// The next line at *at; false at the end; *ret_bad is set when the block is malformed.
bool head_block_next(const char *src, size_t n, size_t *at, struct str *ret_line, bool *ret_bad);
