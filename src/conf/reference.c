// SPDX-License-Identifier: Apache-2.0
// `--help` and docs/configuration.md from the option table. Pure; runs in the cli.
#include <stdlib.h>
#include <string.h>

#include "conf/conf_int.h"

static void print_flag(const struct conf_option *o, FILE *out)
{
    char left[64];

    snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? "," : " ",
             o->flag, o->value[0] ? " " : "", o->value);
    bool shown = o->def && o->def[0] && o->kind != KIND_BOOL && strcmp(o->def, "off") != 0;
    // A long value pushes the sentence to a line of its own.
    if (strlen(left) > 36)
        fprintf(out, "  %s\n  %-36s  ", left, "");
    else
        fprintf(out, "  %-36s  ", left);
    fprintf(out, "%s%s%s%s\n", o->text, shown ? " [" : "", shown ? o->def : "", shown ? "]" : "");
}

void conf_print_help(enum conf_command command, FILE *out)
{
    static const struct {
        enum conf_section section;
        const char *title;
    } groups[] = {
        {SEC_COMMAND, "Command"},
        {SEC_GLOBAL, "Server"},
        {SEC_SITE, "Site: the default one, or the first of the file"},
        {SEC_POOL, "PHP: the default pool, or the first of the file"},
    };

    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        fprintf(out, "%s%s\n", g ? "\n" : "", groups[g].title);
        for (size_t i = 0; i < conf_n_options; i++)
            if (conf_options[i].section == groups[g].section && conf_options[i].flag &&
                (command != CONF_COMMAND_SERVE || strcmp(conf_options[i].flag, "json") != 0))
                print_flag(&conf_options[i], out);
    }
    fprintf(out,
            "\nSizes: 8M, 64k. Times: 60s, 5m, 500ms; a bare number is seconds. Every option also has a key in the file and an\n"
            "environment variable: `plimsoll help --reference` prints them all.\n");
}

static const char *kind_text(const struct conf_option *o)
{
    static const char *const names[] = {
        [KIND_BOOL] = "yes or no",
        [KIND_TRI] = "on or off",
        [KIND_UINT] = "number",
        [KIND_SIZE] = "size",
        [KIND_SIZE64] = "size",
        [KIND_TIME] = "time",
        [KIND_TIME64] = "time",
        [KIND_SECONDS] = "time, whole seconds",
        [KIND_RLIMIT] = "number or unlimited",
        [KIND_STATIC] = "static",
        [KIND_WORKERS] = "number or auto",
        [KIND_FD] = "number or off",
        [KIND_STRING] = "text",
        [KIND_PATH] = "path",
        [KIND_PATH_OFF] = "path or off",
        [KIND_LOG] = "path, - or off",
        [KIND_SUBDIR] = "path",
        [KIND_FRONT] = "script or off",
        [KIND_URLPATH_OFF] = "URL path or off",
        [KIND_LIST] = "list",
        [KIND_GLOBS] = "list of patterns",
        [KIND_PATHS] = "list of paths",
        [KIND_HEADERS] = "Name: value, repeatable",
        [KIND_CIDRS] = "list of networks",
        [KIND_PAIRS] = "text",
        [KIND_PAIRS_BOOL] = "on or off",
        [KIND_LISTENS] = "list of addresses",
        [KIND_ADMIN] = "address or off",
        [KIND_REDIRECT] = "[status] URL",
    };

    return o->kind == KIND_ENUM ? o->words : names[o->kind];
}

static void print_enum_words(const char *words, FILE *out)
{
    struct str rest = str_from(words), word;

    for (bool first = true; str_next(&rest, '|', &word); first = false)
        fprintf(out, "%s%.*s", first ? "" : ", ", STR_ARG(word));
}

static void print_option(const struct conf_option *o, FILE *out)
{
    char env[64];
    uint64_t unit = o->kind == KIND_TIME || o->kind == KIND_TIME64 ? 1 : 0;

    fprintf(out, "### %s%s\n\n%s", o->key, conf_kind_is_pairs(o->kind) ? "[NAME]" : "", o->text);
    if (o->more[0])
        fprintf(out, " %s", o->more);
    fprintf(out, "\n\n- value: ");
    if (o->kind == KIND_ENUM)
        print_enum_words(o->words, out);
    else
        fprintf(out, "%s", kind_text(o));
    if (o->max && !unit && o->kind != KIND_FD)
        fprintf(out, ", %llu to %llu", (unsigned long long)o->min, (unsigned long long)o->max);
    if (o->def)
        fprintf(out, "\n- default: %s%s%s\n", o->def[0] ? "`" : "none", o->def, o->def[0] ? "`" : "");
    else
        fprintf(out, "\n- default: %s\n", o->words[0] ? o->words : "none");
    if (o->flag && o->letter)
        fprintf(out, "- flag: `-%c`, `--%s%s%s`\n", o->letter, o->flag, o->value[0] ? " " : "", o->value);
    else if (o->flag)
        fprintf(out, "- flag: `--%s%s%s`\n", o->flag, o->value[0] ? " " : "", o->value);
    if (conf_option_env(o, env, sizeof env))
        fprintf(out, "- environment: `%s`\n", env);
    if (o->when == WHEN_START)
        fprintf(out, "- a change needs a restart\n");
    fprintf(out, "\n");
}

static const char intro[] =
    "<!-- Generated from src/tbl/options.def by `plimsoll help --reference`; don't edit. -->\n"
    "# Configuration\n\n"
    "`plimsoll serve` needs no configuration. What it finds by itself, and what you can change, is below; `plimsoll check` "
    "prints\n"
    "the effective value of every option and where it came from.\n\n"
    "An option is set, in order of rank, by a **flag**, an **environment variable** (`PLIMSOLL_` and the key in capitals, `.` "
    "as\n"
    "`_`; an empty one counts as not set), the **file**, or its **default**. Flags and environment set `[global]`, the first\n"
    "`[site]` and the first `[pool]`. A list that is set by a higher rank replaces the lower one's.\n\n"
    "## The file\n\n"
    "`-c FILE` or `PLIMSOLL_CONFIG` names it. INI, in php-fpm's vocabulary:\n\n"
    "```ini\n"
    "[global]\n"
    "listen = :8080\n"
    "error_log = -\n\n"
    "[site shop]\n"
    "server_name = shop.example.org *.shop.example.org\n"
    "dir = /srv/shop            ; root and front controller are found\n"
    "pool = www\n\n"
    "[pool www]\n"
    "user = shop\n"
    "pm.max_children = 8\n"
    "env[APP_ENV] = prod\n"
    "php_admin_value[memory_limit] = 256M\n\n"
    "[route uploads]\n"
    "path = /uploads/*\n"
    "php = off\n"
    "header = \"X-Content-Type-Options: nosniff\"\n"
    "```\n\n"
    "- A comment is a line that begins with `;` or `#`, or what follows a value after white space and `;`.\n"
    "- A value in single quotes is taken as it is. In double quotes `\\\"`, `\\\\`, `\\n`, `\\t` and `\\$` are escapes.\n"
    "- `${NAME}` is replaced by that environment variable; one that isn't set is an error. `env[NAME] = $OTHER` works as on php-fpm:\n"
    "  the other variable's value, or nothing.\n"
    "- Sizes are bytes, or a number with `K`, `M` or `G`. Times are seconds, or a number with `ms`, `s`, `m`, `h`, `d`, `w` or "
    "`y`.\n"
    "- Relative paths are relative to the file's folder; on the command line, to the current one.\n"
    "- A key may stand once in its section, lists may stand several times. Unknown keys are refused, with the nearest known "
    "one.\n"
    "- All routes that match a path hold together: of each setting the first route that sets it counts, in the file's order. "
    "What\n"
    "  a built-in rule denies stays denied.\n";

void conf_print_reference(FILE *out)
{
    static const struct {
        enum conf_section section;
        const char *title, *text;
    } sections[] = {
        {SEC_GLOBAL, "[global]", "The server as a whole."},
        {SEC_SITE, "[site NAME]", "A host name and its application. Without any, there is one site, `default`."},
        {SEC_POOL, "[pool NAME]",
         "A set of PHP workers with one user and one configuration. Without any, there is one pool, `www`."},
        {SEC_ROUTE, "[route NAME]", "Rules for some paths of a site. They can't be set by flags or environment."},
    };

    fprintf(out, "%s", intro);
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        fprintf(out, "\n## %s\n\n%s\n\n", sections[s].title, sections[s].text);
        for (size_t i = 0; i < conf_n_options; i++)
            if (conf_options[i].section == sections[s].section)
                print_option(&conf_options[i], out);
    }
}
