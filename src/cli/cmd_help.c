// SPDX-License-Identifier: Apache-2.0
// plimsoll help [COMMAND], and help --reference, --metrics, --messages: the pages of docs/ that come from tables.
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "edge/metrics.h"
#include "ipc/msg.h"

void print_command_help(const struct command *c, FILE *out)
{
    fprintf(out, "%s\n\n%s\n", c->usage, c->text);
    if (c->raw)
        return;
    fprintf(out, "\n");
    if (c->flags == CONF_COMMAND_CLIENT)
        fprintf(out, "  -c, --config FILE   The server's configuration file, to find its control socket.\n"
                     "      --control PATH  Its control socket.\n"
                     "      --json          Print the answer as JSON.\n");
    else
        conf_print_help(c->flags, out);
}

static int run(struct conf_args *args, int argc, char **argv)
{
    if (argc == 0) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--reference") == 0) {
        conf_print_reference(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--metrics") == 0) {
        metrics_print_reference();
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--messages") == 0) {
        msg_print_reference();
        return EXIT_DONE;
    }
    const struct command *c = find_command(argv[0]);
    if (!c) {
        const char *near = nearest_command(argv[0]);
        fprintf(stderr, "plimsoll help: there is no command '%s'%s%s%s\n", argv[0], near ? "; did you mean '" : "",
                near ? near : "", near ? "'?" : "");
        return EXIT_USAGE;
    }
    if (c->raw && c != &cmd_help) { // plimsoll-xray's commands know their own options
        static char option[] = "--help";
        char *ask[] = {option, NULL};
        return c->run(args, 1, ask);
    }
    print_command_help(c, stdout);
    return EXIT_DONE;
}

const struct command cmd_help = {
    .name = "help",
    .usage = "plimsoll help [COMMAND] | --reference",
    .text = "Show a command's options, or the whole configuration reference.",
    .raw = true,
    .run = run,
};
