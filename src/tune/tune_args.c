// SPDX-License-Identifier: Apache-2.0
// The command line of plimsoll-xray tune.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem/sample.h"
#include "tune/tune.h"
#include "tune/tune_input.h"

#define SIZE_LARGEST 0x1p56 // budget.h counts no more
#define CPUS_MAX 4096.0

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

bool tune_size(const char *text, int64_t *ret)
{
    static const char units[] = "kmgtpe";
    char *end;

    if (!(*text >= '0' && *text <= '9') || strspn(text, "0123456789.") == 0)
        return false;
    size_t digits = strspn(text, "0123456789.");
    char number[40];
    if (digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    double v = strtod(number, &end);
    if (*end || !isfinite(v))
        return false;
    text += digits;
    while (*text == ' ')
        text++;
    const char *unit = *text ? strchr(units, *text | 0x20) : NULL;
    if (unit) {
        v *= pow(1024, (double)(unit - units + 1));
        text++;
        if (*text == 'i')
            text++;
    }
    if (*text == 'B' || *text == 'b')
        text++;
    if (*text)
        return false;
    *ret = v >= SIZE_LARGEST ? (int64_t)SIZE_LARGEST : (int64_t)v;
    return true;
}

static bool is_none(const char *text)
{
    return !strcmp(text, "-1") || !strcasecmp(text, "max") || !strcasecmp(text, "none") || !strcasecmp(text, "unlimited");
}

static bool find_server(const char *name, enum advice_server *ret)
{
    static const enum advice_server those[] = {SERVER_FRANKENPHP, SERVER_FPM, SERVER_APACHE, SERVER_PLIMSOLL};

    if (!strcmp(name, "fpm"))
        name = "php-fpm";
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (!strcmp(name, advice_server_name(those[i]))) {
            *ret = those[i];
            return true;
        }
    return false;
}

static const char *set(struct tune_args *a, const char *name, const char *value)
{
    char *end;

    if (!strcmp(name, "--server"))
        return find_server(value, &a->server) ? NULL : "is none of frankenphp, php-fpm, apache, plimsoll";
    if (!strcmp(name, "--recording") || !strcmp(name, "--replay")) {
        a->recording = value;
        return NULL;
    }
    if (!strcmp(name, "--limit")) {
        if (is_none(value))
            a->limit = MEM_UNLIMITED;
        else if (!tune_size(value, &a->limit) || a->limit == 0)
            return "is no size (512M, 2GiB, max)";
        return NULL;
    }
    if (!strcmp(name, "--memory-limit")) {
        if (is_none(value))
            a->memory_limit = 0;
        else if (!tune_size(value, &a->memory_limit) || a->memory_limit == 0)
            return "is no size (128M, 1G, -1)";
        return NULL;
    }
    if (!strcmp(name, "--opcache"))
        return tune_size(value, &a->opcache) ? NULL : "is no size (128M)";
    if (!strcmp(name, "--tmpfs"))
        return tune_size(value, &a->tmpfs) ? NULL : "is no size (64M)";
    if (!strcmp(name, "--cpus")) {
        a->cpus = strtod(value, &end);
        return end != value && !*end && a->cpus > 0 && a->cpus <= CPUS_MAX ? NULL : "is no number of CPUs (2, 0.5)";
    }
    if (!strcmp(name, "--pid")) {
        long pid = strtol(value, &end, 10);
        a->pid = (pid_t)pid;
        return end != value && !*end && pid > 0 && pid <= INT32_MAX ? NULL : "is no process";
    }
    if (!strcmp(name, "--proc"))
        a->proc = value;
    else if (!strcmp(name, "--sys"))
        a->sys = value;
    else if (!strcmp(name, "--root"))
        a->root = value;
    else
        return "";
    return NULL;
}

int tune_args_parse(int argc, char **argv, struct tune_args *ret, char *error, size_t error_n)
{
    *ret = (struct tune_args){.limit = -1, .memory_limit = -1, .opcache = -1, .tmpfs = -1};
    for (int i = 1; i < argc; i++) {
        char name[32];
        const char *value = strchr(argv[i], '=');
        size_t n = value ? (size_t)(value - argv[i]) : strlen(argv[i]);
        if (!strcmp(argv[i], "--json")) {
            ret->json = true;
            continue;
        }
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            ret->help = true;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", n > 31 ? 31 : (int)n, argv[i]);
        value = value ? value + 1 : argv[i + 1];
        const char *why = strncmp(name, "--", 2) != 0 ? "" : set(ret, name, value ? value : "");
        if (why && !*why) {
            snprintf(error, error_n, "%s: there is no such option", name);
            return -EINVAL;
        }
        if (!value) {
            snprintf(error, error_n, "%s: a value is missing", name);
            return -EINVAL;
        }
        if (why) {
            snprintf(error, error_n, "%s: %.60s %s", name, value, why);
            return -EINVAL;
        }
        if (n == strlen(argv[i]))
            i++;
    }
    return 0;
}
