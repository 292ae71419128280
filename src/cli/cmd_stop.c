// SPDX-License-Identifier: Apache-2.0
// plimsoll stop: an orderly end; waits for it.
#include "cli/command.h"

static int run(struct conf_args *args, int argc, char **argv)
{
    return run_asked(args, "stop");
}

const struct command cmd_stop = {
    .name = "stop",
    .usage = "plimsoll stop [-c FILE] [--control PATH] [--json]",
    .text = "Finish the requests that run, then end the server.",
    .flags = CONF_COMMAND_CLIENT,
    .run = run,
};
