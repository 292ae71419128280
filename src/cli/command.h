// SPDX-License-Identifier: Apache-2.0
// A subcommand: its entry stands beside its code, main.c walks the list. Exit codes are the same for all:
// 0 done, 1 runtime failure, 2 usage, 3 configuration, 4 can't bind, 5 PHP didn't start, 6 no server, 7 requests were cut.
#pragma once
#include "conf/conf.h"

enum {
    EXIT_DONE = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,
    EXIT_CONF = 3,
    EXIT_NO_SERVER = 6,
    EXIT_CUT = 7,
};

struct command {
    const char *name, *usage, *text;
    bool raw;                // gets argc/argv as they are (help)
    enum conf_command flags; // else: which flags it takes
    int (*run)(struct conf_args *args, int argc, char **argv);
};

extern const struct command cmd_serve, cmd_check, cmd_reload, cmd_stop, cmd_status, cmd_xray, cmd_watch, cmd_tune, cmd_help;
extern const struct command *const commands[];
extern const size_t n_commands;

extern char **arg_argv; // of the process itself

void print_errors(const struct conf_errors *e);
void print_usage(FILE *out);
void print_command_help(const struct command *c, FILE *out);
const struct command *find_command(const char *name);
const char *nearest_command(const char *name);
// Connects to the control socket the arguments lead to and asks. A descriptor, or -(exit code) after saying why.
int ask_server(const struct conf_args *args, const char *command);
// reload and stop: prints the server's lines as they come, or with --json all as one object; the exit code.
int run_asked(const struct conf_args *args, const char *command);
