// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray: a static executable of its own, to be copied into any container. Picks the command.
#include <stdio.h>
#include <string.h>

#include "tune/tune.h"
#include "xray/replay.h"

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        printf("plimsoll-xray %s\n", PLIMSOLL_VERSION);
        return 0;
    }
    if (argc >= 2 && !strcmp(argv[1], "tune"))
        return tune_run(argc - 1, argv + 1);
    if (argc >= 3 && !strcmp(argv[1], "--replay")) {
        if (argc == 3 || (argc == 4 && !strcmp(argv[3], "--json")))
            return replay_run(argv[2], argc == 4);
    }
    fprintf(stderr, "usage: plimsoll-xray [xray|watch|tune] ...\n       plimsoll-xray --replay FILE [--json]\n");
    return 2;
}
