// SPDX-License-Identifier: Apache-2.0
// plimsoll status: what the server does right now, as a table or as the server's own JSON.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "ipc/control_client.h"

#define ANSWER_MAX (16u << 20)

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static long long number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void format_seconds(long long s, char *ret_text, size_t size)
{
    if (s < 120)
        snprintf(ret_text, size, "%llds", s);
    else if (s < 7200)
        snprintf(ret_text, size, "%lldm", s / 60);
    else if (s < 172800)
        snprintf(ret_text, size, "%lldh", s / 3600);
    else
        snprintf(ret_text, size, "%lldd", s / 86400);
}

static void format_bytes(long long n, char *ret_text, size_t size)
{
    if (n <= 0)
        snprintf(ret_text, size, "-");
    else if (n < 10 << 20)
        snprintf(ret_text, size, "%.1fM", (double)n / (1 << 20));
    else
        snprintf(ret_text, size, "%lldM", n >> 20);
}

// Text that came from a client: nothing in it may move the terminal's cursor.
static void print_safe(const char *s, size_t most)
{
    for (size_t i = 0; s[i] && i < most; i++)
        putchar((unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i]);
}

static void print_process(const json_t *p, bool colour)
{
    char up[24], peak[24];
    const json_t *request = json_object_get(p, "request");
    const char *state = text_of(p, "state");
    const char *paint = !colour ? "" : strcmp(state, "busy") == 0 ? "\033[33m" : strcmp(state, "idle") == 0 ? "\033[32m" : "";

    format_seconds((long long)json_number_value(json_object_get(p, "uptime_s")), up, sizeof up);
    format_bytes(number_of(p, "peak_bytes"), peak, sizeof peak);
    printf("%-7s %7lld  %-12.12s %4lld  %s%-9s%s %6s %10lld %8s", text_of(p, "role"), number_of(p, "pid"),
           *text_of(p, "pool") ? text_of(p, "pool") : "-", number_of(p, "generation"), paint, state, *paint ? "\033[0m" : "", up,
           number_of(p, "requests"), peak);
    if (request) {
        printf("  %.1fs ", json_number_value(json_object_get(request, "running_s")));
        print_safe(text_of(request, "method"), 16);
        putchar(' ');
        print_safe(text_of(request, "uri"), 80);
    }
    putchar('\n');
}

static void print_table(const json_t *doc, bool colour)
{
    char up[24];
    const json_t *one;
    size_t i;

    format_seconds((long long)json_number_value(json_object_get(doc, "uptime_s")), up, sizeof up);
    printf("plimsoll %s, pid %lld, up %s, generation %lld, %s\n", text_of(doc, "version"), number_of(doc, "pid"), up,
           number_of(doc, "generation"), json_is_true(json_object_get(doc, "ready")) ? "ready" : "NOT READY");
    printf("listens on");
    json_array_foreach(json_object_get(doc, "listen"), i, one)
    {
        printf("%s %s", i ? "," : "", json_string_value(one) ? json_string_value(one) : "?");
    }
    printf("\n\n%-7s %7s  %-12s %4s  %-9s %6s %10s %8s  %s\n", "ROLE", "PID", "POOL", "GEN", "STATE", "UP", "REQUESTS", "PEAK",
           "REQUEST");
    json_array_foreach(json_object_get(doc, "processes"), i, one)
    {
        print_process(one, colour);
    }
    const json_t *counters = json_object_get(doc, "counters");
    const char *key;
    json_t *value;
    printf("\n");
    json_object_foreach((json_t *)counters, key, value)
    {
        if (json_integer_value(value))
            printf("%-44s %12lld\n", key, (long long)json_integer_value(value));
    }
}

static int run(struct conf_args *args, int argc, char **argv)
{
    struct buf answer = BUF_INIT;
    json_error_t why;
    int fd = ask_server(args, "status"), code = EXIT_DONE;

    if (fd < 0)
        return -fd;
    int rc = control_read_all(fd, ANSWER_MAX, &answer);
    close(fd);
    json_t *doc = rc ? NULL : json_loadb(answer.p ? answer.p : "", answer.n, 0, &why);
    if (rc) {
        fprintf(stderr, "plimsoll status: %s\n", strerror(-rc));
        code = EXIT_RUNTIME;
    } else if (!doc || strcmp(text_of(doc, "schema"), "plimsoll.status/1") != 0) {
        fprintf(stderr, "plimsoll status: the server's answer can't be read: %.*s\n", answer.n > 200 ? 200 : (int)answer.n,
                answer.p ? answer.p : "");
        code = EXIT_RUNTIME;
    } else if (args->json) {
        fwrite(answer.p, 1, answer.n, stdout);
    } else {
        print_table(doc, isatty(1) && !getenv("NO_COLOR"));
    }
    json_decref(doc);
    buf_done(&answer);
    return code;
}

const struct command cmd_status = {
    .name = "status",
    .usage = "plimsoll status [-c FILE] [--control PATH] [--json]",
    .text = "Show processes, current requests and counters of the running server.",
    .flags = CONF_COMMAND_CLIENT,
    .run = run,
};
