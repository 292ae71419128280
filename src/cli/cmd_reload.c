// SPDX-License-Identifier: Apache-2.0
// plimsoll reload: new processes from the configuration read anew; waits until they answer or have failed.
#include "cli/command.h"

static int run(struct conf_args *args, int argc, char **argv)
{
    return run_asked(args, "reload");
}

const struct command cmd_reload = {
    .name = "reload",
    .usage = "plimsoll reload [-c FILE] [--control PATH] [--json]",
    .text = "Read the configuration anew and replace all processes, losing no request.",
    .flags = CONF_COMMAND_CLIENT,
    .run = run,
};
