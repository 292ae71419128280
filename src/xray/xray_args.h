// SPDX-License-Identifier: Apache-2.0
// The command line of plimsoll-xray xray.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum xray_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct xray_args {
    pid_t pid;          // 0: not given
    const char *cgroup; // NULL: not given
    bool self;
    double for_s; // 0: one look
    bool json, live, last, help;
    const char *report; // file to write; NULL: none
    const char *state;  // watch's --state folder
    const char *socket; // watch's socket; NULL: by the cgroup's inode
    const char *requests;
    const char *replay;
    enum xray_color color;
    const char *proc, *sys, *root; // other trees than the machine's, for tests
};

#define XRAY_FOR_MAX 86400.0

// 0, or -EINVAL with the reason in `error` ("--for: 3x is no time; ..."). Strings are borrowed from argv.
int xray_args_parse(int argc, char **argv, struct xray_args *ret, char *error, size_t error_n);
extern const char xray_usage[];
