// SPDX-License-Identifier: Apache-2.0
// The command line of plimsoll-xray tune.
#include <string.h>
#include <strings.h>

#include "base/args.h"
#include "base/human.h"
#include "mem/budget.h"
#include "mem/sample.h"
#include "tune/tune.h"
#include "tune/tune_input.h"

const char tune_usage[] =
    "usage: plimsoll-xray tune [OPTION]...\n"
    "From limit, CPUs, memory_limit and what was measured, the settings to paste, each with its arithmetic.\n"
    "  --server frankenphp|php-fpm|apache|plimsoll   whose settings; else the running one's, else all\n"
    "  --recording FILE     measured: a recording of plimsoll-xray watch\n"
    "  --limit SIZE         the container's memory: 512M, 2GiB; max: none\n"
    "  --cpus N             the container's CPUs: 2, 0.5\n"
    "  --memory-limit SIZE  PHP's memory_limit; -1: none\n"
    "  --opcache SIZE       opcache.memory_consumption, the JIT's buffer and APCu's together\n"
    "  --tmpfs SIZE         the most that files in memory may take\n"
    "  --pid N              the container of that process; else the one tune runs in\n"
    "  --json               plimsoll.tune/1\n"
    "Without --recording and --limit the running container is looked at.\n";

static bool is_none(const char *text)
{
    return !strcmp(text, "-1") || !strcasecmp(text, "max") || !strcasecmp(text, "none") || !strcasecmp(text, "unlimited");
}

static bool take_server(void *field, const char *name)
{
    static const enum advice_server those[] = {SERVER_FRANKENPHP, SERVER_FPM, SERVER_APACHE, SERVER_PLIMSOLL};

    if (!strcmp(name, "fpm"))
        name = "php-fpm";
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (!strcmp(name, advice_server_name(those[i]))) {
            *(enum advice_server *)field = those[i];
            return true;
        }
    return false;
}

static bool take_limit(void *field, const char *value)
{
    int64_t *limit = field;

    if (is_none(value)) {
        *limit = MEM_UNLIMITED;
        return true;
    }
    return human_parse_bytes(value, limit) && *limit > 0;
}

static bool take_memory_limit(void *field, const char *value)
{
    int64_t *limit = field;

    if (is_none(value)) {
        *limit = 0;
        return true;
    }
    return human_parse_bytes(value, limit) && *limit > 0;
}

#define AT(field) .at = offsetof(struct tune_args, field)
static const struct arg_row rows[] = {
    {"server", ARG_OWN, AT(server), .take = take_server, .wanted = "none of frankenphp, php-fpm, apache, plimsoll"},
    {"recording", ARG_TEXT, AT(recording)},
    {"limit", ARG_OWN, AT(limit), .take = take_limit, .wanted = "no size (512M, 2GiB, max)"},
    {"cpus", ARG_NUMBER, AT(cpus), .least = 0.001, .most = 4096},
    {"memory-limit", ARG_OWN, AT(memory_limit), .take = take_memory_limit, .wanted = "no size (128M, 1G, -1)"},
    {"opcache", ARG_BYTES, AT(opcache), .most = BUDGET_BYTES_MAX},
    {"tmpfs", ARG_BYTES, AT(tmpfs), .most = BUDGET_BYTES_MAX},
    {"pid", ARG_PID, AT(pid)},
    {"json", ARG_SWITCH, AT(json)},
    {"help", ARG_SWITCH, AT(help)},
    {"replay", ARG_TEXT, AT(recording), .hidden = true}, // what xray calls it
    {"proc", ARG_TEXT, AT(proc), .hidden = true},
    {"sys", ARG_TEXT, AT(sys), .hidden = true},
    {"root", ARG_TEXT, AT(root), .hidden = true},
};
static const struct arg_table table = {rows, sizeof rows / sizeof *rows, "a process is --pid N"};

int tune_args_parse(int argc, char **argv, struct tune_args *ret, char *error, size_t error_n)
{
    struct tune_args a = {.limit = -1, .memory_limit = -1, .opcache = -1, .tmpfs = -1};
    int r = args_parse(argc - 1, argv + 1, &table, &a, error, error_n);

    if (r == 0)
        *ret = a;
    return r;
}
