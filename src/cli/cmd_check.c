// SPDX-License-Identifier: Apache-2.0
// plimsoll check [DIR]: what serve would do: what is found, what is wrong, every option's value and origin.
#include <stdio.h>

#include "cli/command.h"

void print_errors(const struct conf_errors *e)
{
    for (size_t i = 0; i < e->lines.n; i++)
        fprintf(stderr, "plimsoll: %s\n", e->lines.v[i]);
}

static int run(struct conf_args *args, int argc, char **argv)
{
    struct conf_errors errors = {0};
    struct conf *conf;

    if (conf_load(args, &conf, &errors) != 0) {
        if (args->json)
            conf_print_errors(&errors, stdout);
        print_errors(&errors);
        conf_errors_done(&errors);
        return EXIT_CONF;
    }
    if (!args->json) { // as comments, so that the whole is a configuration file
        for (size_t i = 0; i < conf->findings.n; i++)
            printf("; %s\n", conf->findings.v[i]);
    }
    for (size_t i = 0; i < conf->warnings.n; i++)
        fprintf(stderr, "plimsoll: warning: %s\n", conf->warnings.v[i]);
    conf_print_effective(conf, args->json, stdout);
    conf_free(conf);
    return EXIT_DONE;
}

const struct command cmd_check = {
    .name = "check",
    .usage = "plimsoll check [DIR] [OPTIONS] [--json]",
    .text = "Check the configuration; print what was found, and each option's value and origin.",
    .flags = CONF_COMMAND_CHECK,
    .run = run,
};
