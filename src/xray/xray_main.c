// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray: a static executable of its own, to be copied into any container. Picks the command.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "tune/tune.h"
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

int main(int argc, char **argv)
{
    const char *command = argc >= 2 ? argv[1] : "";

    raise_file_limit();
    if (!strcmp(command, "--version") || !strcmp(command, "-V")) {
        printf("plimsoll-xray %s\n", PLIMSOLL_VERSION);
        return fflush(stdout) ? 1 : 0;
    }
    if (!strcmp(command, "watch"))
        return watch_run(argc - 1, argv + 1);
    if (!strcmp(command, "tune"))
        return tune_run(argc - 1, argv + 1);
    if (!strcmp(command, "help")) {
        static char help[] = "--help";
        static char *asked[] = {help, NULL};
        return xray_run(1, asked);
    }
    bool named = !strcmp(command, "xray");
    return xray_run(argc - 1 - named, argv + 1 + named);
}
