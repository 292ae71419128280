// SPDX-License-Identifier: Apache-2.0
// Reads command lines by a table. Runs in plimsoll-xray's commands; owns nothing.
#include "base/args.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/human.h"

int args_refuse(char *error, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(error, n, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

static bool parse_pid(const char *text, pid_t *ret)
{
    size_t n = strspn(text, "0123456789");
    long v = n > 0 && n < 12 && !text[n] ? strtol(text, NULL, 10) : 0;

    if (v < 1 || v > INT_MAX)
        return false;
    *ret = (pid_t)v;
    return true;
}

static bool parse_number(const char *text, double *ret)
{
    char *end;

    if (!*text || text[strspn(text, "0123456789.")])
        return false;
    *ret = strtod(text, &end);
    return !*end && isfinite(*ret);
}

static int set_value(const struct arg_row *row, void *field, const char *value, char *error, size_t error_n)
{
    double number = 0;
    int64_t bytes = 0;
    const char *wanted = NULL;

    if (!*value)
        return args_refuse(error, error_n, "--%s wants a value", row->name);
    switch (row->kind) {
    case ARG_SWITCH:
        break; // has no value
    case ARG_TEXT:
        *(const char **)field = value;
        break;
    case ARG_PID:
        wanted = parse_pid(value, field) ? NULL : "no process id";
        break;
    case ARG_SECONDS:
        wanted = human_parse_seconds(value, &number) ? NULL : "no time (500ms, 60s, 5m, 1h)";
        break;
    case ARG_BYTES:
        wanted = human_parse_bytes(value, &bytes) ? NULL : "no size (64M, 1.5GiB)";
        number = (double)bytes;
        break;
    case ARG_NUMBER:
        wanted = parse_number(value, &number) ? NULL : "no number (2, 0.5)";
        break;
    case ARG_OWN:
        wanted = row->take(field, value) ? NULL : row->wanted;
        break;
    }
    if (wanted)
        return args_refuse(error, error_n, "--%s: '%.60s' is %s", row->name, value, wanted);
    bool ranged = row->kind == ARG_SECONDS || row->kind == ARG_BYTES || row->kind == ARG_NUMBER;
    if (ranged && (number < row->least || number > row->most))
        return args_refuse(error, error_n, "--%s: '%.60s' is out of range (%.12g to %.12g)", row->name, value, row->least,
                           row->most);
    if (row->kind == ARG_BYTES)
        *(int64_t *)field = bytes;
    else if (ranged)
        *(double *)field = number;
    return 0;
}

static const struct arg_row *find_row(const struct arg_table *t, const char *name, size_t n)
{
    for (size_t i = 0; i < t->n; i++)
        if (strlen(t->rows[i].name) == n && !memcmp(t->rows[i].name, name, n))
            return &t->rows[i];
    return NULL;
}

// The first that begins with the same two letters.
static const char *nearest(const struct arg_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (!t->rows[i].hidden && name[0] && name[1] && !strncmp(t->rows[i].name, name, 2))
            return t->rows[i].name;
    return NULL;
}

int args_parse(int argc, char **argv, const struct arg_table *table, void *io, char *error, size_t error_n)
{
    for (int i = 0; i < argc; i++) {
        const char *arg = strcmp(argv[i], "-h") ? argv[i] : "--help";
        if (strncmp(arg, "--", 2) != 0)
            return args_refuse(error, error_n, "'%.60s' is no option; %s", arg, table->bare);
        size_t n = strcspn(arg + 2, "=");
        const struct arg_row *row = find_row(table, arg + 2, n);
        if (!row) {
            const char *near = nearest(table, arg + 2);
            return args_refuse(error, error_n, "there is no such option: %.60s%s%s%s", arg, near ? "; did you mean --" : "",
                               near ? near : "", near ? "?" : "");
        }
        bool has_value = arg[2 + n] == '=';
        void *field = (char *)io + row->at;
        if (row->kind == ARG_SWITCH) {
            if (has_value)
                return args_refuse(error, error_n, "--%s takes no value", row->name);
            *(bool *)field = true;
            continue;
        }
        if (!has_value && i + 1 >= argc)
            return args_refuse(error, error_n, "--%s wants a value", row->name);
        int r = set_value(row, field, has_value ? arg + 3 + n : argv[++i], error, error_n);
        if (r < 0)
            return r;
    }
    return 0;
}
