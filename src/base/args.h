// SPDX-License-Identifier: Apache-2.0
// A command line that takes options by name only, read by a table: --name VALUE, --name=VALUE, --name, and -h for --help.
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum arg_kind {
    ARG_SWITCH,  // bool: no value
    ARG_TEXT,    // const char *: borrowed from argv, not empty
    ARG_PID,     // pid_t
    ARG_SECONDS, // double: human_parse_seconds()
    ARG_BYTES,   // int64_t: human_parse_bytes()
    ARG_NUMBER,  // double
    ARG_OWN      // by the row's take()
};

struct arg_row {
    const char *name; // without the dashes
    enum arg_kind kind;
    size_t at;          // the offset of its field
    double least, most; // of SECONDS, BYTES and NUMBER, both allowed
    bool (*take)(void *field, const char *value);
    const char *wanted; // OWN: completes "--color: 'red' is ..."
    bool hidden;        // for tests: never proposed
};

struct arg_table {
    const struct arg_row *rows;
    size_t n;
    const char *bare; // completes "'17' is no option; ..."
};

// Fills the fields of *io that argv[0..argc) names. 0, or -EINVAL with the reason in `error`; *io may then be half filled.
int args_parse(int argc, char **argv, const struct arg_table *table, void *io, char *error, size_t error_n);
// The error of a command line that can't be: prints it and returns -EINVAL.
int args_refuse(char *error, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
