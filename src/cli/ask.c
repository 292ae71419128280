// SPDX-License-Identifier: Apache-2.0
// What reload, stop and status share: finding the control socket, asking, printing the answer's lines.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
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
    bool ok, cut;
    json_t *lines; // NULL: they are printed as they come
    char *error;   // of the server
};

static void on_line(const char *line, void *arg)
{
    struct said *said = arg;

    said->ok = strcmp(line, "ok") == 0;
    if (said->ok)
        return;
    if (strncmp(line, "error: ", 7) == 0) {
        free(said->error);
        said->error = xstrdup(line + 7);
        said->cut = strstr(line, "requests were cut");
    } else if (said->lines) {
        json_array_append_new(said->lines, json_string(line));
    } else {
        printf("%s\n", line);
        fflush(stdout);
    }
}

int run_asked(const struct conf_args *args, const char *command)
{
    struct said said = {.lines = args->json ? json_array() : NULL};
    int fd = ask_server(args, command);

    if (fd < 0) {
        json_decref(said.lines);
        return -fd;
    }
    int rc = control_read_lines(fd, on_line, &said);
    close(fd);
    if (!said.ok && !said.error)
        said.error = xasprintf("the server ended without an answer%s%s", rc ? ": " : "", rc ? strerror(-rc) : "");
    if (said.error)
        fprintf(stderr, "plimsoll %s: %s\n", command, said.error);
    if (said.lines) {
        json_t *doc = json_pack("{s:s, s:s, s:b, s:s?, s:O}", "schema", "plimsoll.asked/1", "command", command, "ok", (int)said.ok,
                                "error", said.error, "progress", said.lines);
        json_dumpf(doc, stdout, 0);
        printf("\n");
        json_decref(doc);
    }
    json_decref(said.lines);
    free(said.error);
    return said.ok ? EXIT_DONE : said.cut ? EXIT_CUT : EXIT_RUNTIME;
}
