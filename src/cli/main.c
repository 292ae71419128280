// SPDX-License-Identifier: Apache-2.0
// The command `plimsoll`: finds the subcommand, reads its flags by the option table, runs it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

const struct command *const commands[] = {&cmd_serve, &cmd_check, &cmd_reload, &cmd_stop, &cmd_status,
                                          &cmd_xray,  &cmd_watch, &cmd_tune,   &cmd_help};
const size_t n_commands = sizeof commands / sizeof *commands;
char **arg_argv;

const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

const char *nearest_command(const char *name)
{
    // The first letters are enough for these words: "stat" is status, "start" and "run" are what others call serve.
    static const struct {
        const char *word, *command;
    } others[] = {{"start", "serve"}, {"run", "serve"},      {"server", "serve"},
                  {"test", "check"},  {"restart", "reload"}, {"quit", "stop"}};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].word, name) == 0)
            return others[i].command;
    for (size_t i = 0; i < n_commands; i++)
        if (strncmp(commands[i]->name, name, 3) == 0)
            return commands[i]->name;
    return NULL;
}

void print_usage(FILE *out)
{
    fprintf(out, "Usage: plimsoll COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < n_commands; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->text);
    fprintf(out, "\nplimsoll help COMMAND shows its options; plimsoll --version the version.\n");
}

static int refuse(const char *reason)
{
    fprintf(stderr, "plimsoll: %s\nTry: plimsoll help\n", reason);
    return EXIT_USAGE;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    struct conf_args args = {.environ = environ};
    char *error = NULL;
    int rc;

    if (c->raw) {
        rc = c->run(&args, argc, argv);
    } else if (conf_args_parse(&args, c->flags, argc, argv, &error) != 0) {
        fprintf(stderr, "plimsoll %s: %s\nTry: plimsoll help %s\n", c->name, error, c->name);
        free(error);
        rc = EXIT_USAGE;
    } else if (args.help) {
        print_command_help(c, stdout);
        rc = EXIT_DONE;
    } else {
        rc = c->run(&args, argc, argv);
    }
    conf_args_done(&args);
    return rc;
}

int main(int argc, char **argv)
{
    static char help[] = "help";
    char reason[256];

    arg_argv = argv;
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "version") == 0) {
        printf("plimsoll %s\n", PLIMSOLL_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = help;
    const struct command *c = find_command(argv[1]);
    if (c)
        return run_command(c, argc - 2, argv + 2);
    const char *near = nearest_command(argv[1]);
    snprintf(reason, sizeof reason, near ? "unknown command '%.100s'; did you mean '%s'?" : "unknown command '%.100s'", argv[1],
             near);
    return refuse(reason);
}
