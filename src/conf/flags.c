// SPDX-License-Identifier: Apache-2.0
// The command line by the option table. Runs in the cli before anything else.
// Invariant: values are only split off here, never judged; conf_load says what is wrong with one.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "conf/conf_int.h"

static bool takes_value(const struct conf_option *o)
{
    return o->kind != KIND_BOOL && (o->section != SEC_COMMAND || o->value[0]);
}

static bool is_allowed(const struct conf_option *o, enum conf_command command)
{
    if (strcmp(o->key, "json") == 0)
        return command != CONF_COMMAND_SERVE;
    if (command == CONF_COMMAND_CLIENT)
        return o->section == SEC_COMMAND || strcmp(o->key, "control") == 0;
    return true;
}

static void add_pair(struct conf_pairs *pairs, char *key, char *value)
{
    pairs->v = xrealloc(pairs->v, (pairs->n + 1) * sizeof *pairs->v);
    pairs->v[pairs->n++] = (struct conf_pair){key, value};
}

static int take_flag(struct conf_args *args, const struct conf_option *o, const char *value, char **ret_error)
{
    if (strcmp(o->key, "config") == 0 && o->section == SEC_COMMAND) {
        args->file = value;
    } else if (strcmp(o->key, "json") == 0 && o->section == SEC_COMMAND) {
        args->json = true;
    } else if (conf_kind_is_pairs(o->kind)) {
        const char *eq = strchr(value, '=');
        size_t n = eq ? (size_t)(eq - value) : strlen(value);
        if (!n || (!eq && strcmp(o->flag, "define") != 0)) {
            *ret_error = xasprintf("--%s: '%s' is not %s", o->flag, value, o->value);
            return -1;
        }
        add_pair(&args->flags, xasprintf("%s[%.*s]", o->key, (int)n, value), xstrdup(eq ? eq + 1 : "1"));
    } else {
        add_pair(&args->flags, xstrdup(o->key), xstrdup(value));
    }
    return 0;
}

static int refuse_unknown(const char *arg, size_t n, const struct conf_option *o, char **ret_error)
{
    if (o) {
        *ret_error = xasprintf("%.*s is not for this command", (int)n, arg);
        return -1;
    }
    char *name = xstrndup(arg, n);
    const char *near = n > 2 ? conf_nearest_flag(name + 2) : NULL;
    *ret_error = near ? xasprintf("unknown option %s; did you mean --%s?", name, near) : xasprintf("unknown option %s", name);
    free(name);
    return -1;
}

// One argument that begins with '-'; may take the next one. Returns 0 or -1.
static int read_flag(struct conf_args *args, enum conf_command command, int argc, char **argv, int *i, char **ret_error)
{
    const char *arg = argv[*i], *value = NULL;
    const struct conf_option *o;
    size_t n = 2; // of arg: the flag itself

    if (arg[1] == '-') {
        n = strcspn(arg, "=");
        o = conf_flag_find(arg + 2, n - 2, 0);
        value = arg[n] ? arg + n + 1 : NULL;
    } else {
        o = conf_flag_find(NULL, 0, arg[1]);
        if (arg[2])
            value = arg + 2 + (arg[2] == '=');
    }
    if (!o || !is_allowed(o, command))
        return refuse_unknown(arg, n, o, ret_error);
    if (!takes_value(o)) {
        if (value && o->section == SEC_COMMAND) {
            *ret_error = xasprintf("%.*s takes no value", (int)n, arg);
            return -1;
        }
        return take_flag(args, o, value ? value : "yes", ret_error);
    }
    if (!value) {
        if (*i + 1 >= argc) {
            *ret_error = xasprintf("%s needs a value: %s", arg, o->value);
            return -1;
        }
        value = argv[++*i];
    }
    return take_flag(args, o, value, ret_error);
}

int conf_args_parse(struct conf_args *args, enum conf_command command, int argc, char **argv, char **ret_error)
{
    bool only_names = false;

    if (!args->cwd)
        args->cwd = getcwd(NULL, 0);
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_names && strcmp(arg, "--") == 0) {
            only_names = true;
        } else if (!only_names && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            args->help = true;
        } else if (!only_names && arg[0] == '-' && arg[1]) {
            if (read_flag(args, command, argc, argv, &i, ret_error))
                return -1;
        } else if (args->dir || command == CONF_COMMAND_CLIENT) {
            *ret_error = xasprintf(args->dir ? "'%s': only one folder can be served" : "'%s' is not for this command", arg);
            return -1;
        } else {
            args->dir = arg;
        }
    }
    return 0;
}

void conf_args_done(struct conf_args *args)
{
    for (size_t i = 0; i < args->flags.n; i++) {
        free(args->flags.v[i].key);
        free(args->flags.v[i].value);
    }
    free(args->flags.v);
    free(args->cwd);
    *args = (struct conf_args){0};
}
