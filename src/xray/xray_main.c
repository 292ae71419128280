// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray: a static executable of its own, to be copied into any container. Picks the command.
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        printf("plimsoll-xray %s\n", PLIMSOLL_VERSION);
        return 0;
    }
    fprintf(stderr, "usage: plimsoll-xray [xray|watch|tune] ...\n");
    return 2;
}
