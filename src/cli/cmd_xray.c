// SPDX-License-Identifier: Apache-2.0
// plimsoll xray | watch | tune: become plimsoll-xray, the static executable that stands beside this one.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

// Beside this program, as in the build folder and when installed; else on the PATH.
static int become(const char *name, int argc, char **argv)
{
    static const char tool[] = "plimsoll-xray";
    char path[PATH_MAX + sizeof tool];
    char **args = calloc((size_t)argc + 3, sizeof *args);

    if (!args) {
        fprintf(stderr, "plimsoll %s: out of memory\n", name);
        return EXIT_RUNTIME;
    }
    args[0] = (char *)tool;
    args[1] = (char *)name;
    for (int i = 0; i < argc; i++)
        args[i + 2] = argv[i];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash) {
        memcpy(slash + 1, tool, sizeof tool);
        execv(path, args);
    }
    if (!slash || errno == ENOENT)
        execvp(tool, args);
    fprintf(stderr, "plimsoll %s: can't run %s: %s. It is installed beside plimsoll; PATH is searched too.\n", name,
            slash ? path : tool, strerror(errno));
    free(args);
    return EXIT_RUNTIME;
}

static int run_xray(struct conf_args *args, int argc, char **argv)
{
    return become("xray", argc, argv);
}

static int run_watch(struct conf_args *args, int argc, char **argv)
{
    return become("watch", argc, argv);
}

static int run_tune(struct conf_args *args, int argc, char **argv)
{
    return become("tune", argc, argv);
}

const struct command cmd_xray = {
    .name = "xray",
    .usage = "plimsoll xray [--pid N | --cgroup PATH | --self] [--for 60s] [--json] ...",
    .text = "Show where a container's memory is, whether it grows, why, and what to change.",
    .raw = true,
    .run = run_xray,
};
const struct command cmd_watch = {
    .name = "watch",
    .usage = "plimsoll watch [--record FILE] [--state DIR] [--exec CMD] ...",
    .text = "Watch a container's memory; tell when it grows or stalls, and why.",
    .raw = true,
    .run = run_watch,
};
const struct command cmd_tune = {
    .name = "tune",
    .usage = "plimsoll tune [--server frankenphp|php-fpm|apache|plimsoll] [--recording FILE] ...",
    .text = "Work out workers, limits and GOMEMLIMIT from what was measured.",
    .raw = true,
    .run = run_tune,
};
