// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray: a static executable of its own, to be copied into any container. Picks the command.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "advice/fixes.h"
#include "tune/tune.h"
#include "watch/openmetrics.h"
#include "watch/watch.h"
#include "xray/replay.h"
#include "xray/xray_run.h"

#define FILES_WANTED 4096

// Descriptors are kept open for a thousand files of the kernel's; the soft limit is often just that.
static void raise_file_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < FILES_WANTED) {
        r.rlim_cur = r.rlim_max < FILES_WANTED ? r.rlim_max : FILES_WANTED;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static bool is_version(const char *arg)
{
    return !strcmp(arg, "--version") || !strcmp(arg, "-V");
}

static int run(int argc, char **argv) // argv[0]: the command's name
{
    if (!strcmp(argv[0], "watch"))
        return watch_run(argc, argv);
    if (!strcmp(argv[0], "tune"))
        return tune_run(argc, argv);
    return xray_run(argc - 1, argv + 1);
}

static bool is_command(const char *name)
{
    return !strcmp(name, "xray") || !strcmp(name, "watch") || !strcmp(name, "tune");
}

static int help(char *name)
{
    static char option[] = "--help";
    char *asked[] = {name, option, NULL};

    if (is_command(name))
        return run(2, asked);
    if (!strcmp(name, "--fields") || !strcmp(name, "--signatures")) { // pages of docs/
        (strcmp(name, "--fields") ? fix_print_reference : openmetrics_print_fields)();
        return fflush(stdout) ? 1 : 0;
    }
    fprintf(stderr, "plimsoll-xray help: there is no command '%.100s': xray, watch, tune\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    static char xray[] = "xray";
    const char *first = argc >= 2 ? argv[1] : "";

    raise_file_limit();
    if (is_version(first) || (argc == 3 && is_command(first) && is_version(argv[2]))) {
        printf("plimsoll-xray %s\n", PLIMSOLL_VERSION);
        return fflush(stdout) ? 1 : 0;
    }
    if (!strcmp(first, "help"))
        return help(argc >= 3 ? argv[2] : xray);
    if (is_command(first))
        return run(argc - 1, argv + 1);
    return xray_run(argc - 1, argv + 1);
}
