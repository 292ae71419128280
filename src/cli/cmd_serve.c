// SPDX-License-Identifier: Apache-2.0
// plimsoll serve [DIR]: loads the configuration and becomes the master.
#include <stdio.h>

#include "cli/command.h"
#include "master/master.h"

static int run(struct conf_args *args, int argc, char **argv)
{
    struct conf_errors errors = {0};
    struct conf *conf;

    if (conf_load(args, &conf, &errors) != 0) {
        print_errors(&errors);
        conf_errors_done(&errors);
        return EXIT_CONF;
    }
    return master_main(conf, args, arg_argv);
}

const struct command cmd_serve = {
    .name = "serve",
    .usage = "plimsoll serve [DIR] [OPTIONS]",
    .text = "Serve the PHP application in DIR (or the current folder) over HTTP.",
    .flags = CONF_COMMAND_SERVE,
    .run = run,
};
