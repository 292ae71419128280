// SPDX-License-Identifier: Apache-2.0
// What reload, stop and status share: finding the control socket, asking, printing the answer's lines.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "ipc/control_client.h"

int ask_server(const struct conf_args *args, const char *command)
{
    struct conf_errors errors = {0};
    char *path = conf_control_path(args, &errors);

    if (errors.lines.n) {
        print_errors(&errors);
        conf_errors_done(&errors);
        free(path);
        return -EXIT_CONF;
    }
    if (!path) {
        fprintf(stderr, "plimsoll %s: this configuration has control = off\n", command);
        return -EXIT_NO_SERVER;
    }
    int fd = control_ask(path, command);
    if (fd < 0)
        fprintf(stderr, "plimsoll %s: no server answers on %s: %s\n", command, path, strerror(-fd));
    free(path);
    return fd < 0 ? -EXIT_NO_SERVER : fd;
}

struct said {
    bool ok, failed;
};

static void on_line(const char *line, void *arg)
{
    struct said *said = arg;

    said->ok = strcmp(line, "ok") == 0;
    if (said->ok)
        return;
    if (strncmp(line, "error: ", 7) == 0) {
        said->failed = true;
        fprintf(stderr, "plimsoll: %s\n", line + 7);
    } else {
        printf("%s\n", line);
        fflush(stdout);
    }
}

int run_asked(const struct conf_args *args, const char *command)
{
    struct said said = {0};
    int fd = ask_server(args, command);

    if (fd < 0)
        return -fd;
    int rc = control_read_lines(fd, on_line, &said);
    close(fd);
    if (said.ok)
        return EXIT_DONE;
    if (!said.failed)
        fprintf(stderr, "plimsoll %s: the server ended without an answer%s%s\n", command, rc ? ": " : "",
                rc ? strerror(-rc) : "");
    return EXIT_RUNTIME;
}
