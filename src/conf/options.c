// SPDX-License-Identifier: Apache-2.0
// The option table (tbl/options.def) as data, and looking things up in it. Pure; runs in the master and the cli.
#include "conf/conf_int.h"

#include <stdlib.h>
#include <string.h>

// Each section's options live in a struct; rows of COMMAND live nowhere.
struct conf_command_none {
    char NONE;
};
#define STRUCT_COMMAND struct conf_command_none
#define STRUCT_GLOBAL struct conf_global
#define STRUCT_SITE struct conf_site
#define STRUCT_POOL struct conf_pool
#define STRUCT_ROUTE struct conf_route

const struct conf_option conf_options[] = {
#define OPTION(sec, key_, kind_, field, def_, min_, max_, words_, flag_, letter_, when_, value_, text_, more_)                   \
    {SEC_##sec, key_,  KIND_##kind_, offsetof(STRUCT_##sec, field), def_, min_, max_, words_, flag_, letter_, WHEN_##when_,      \
     value_,    text_, more_},
#include "tbl/options.def"
#undef OPTION
};
const size_t conf_n_options = sizeof conf_options / sizeof *conf_options;

static const struct {
    enum conf_section section;
    const char *glob, *hint;
} foreign[] = {
#define FOREIGN(sec, glob, hint) {SEC_##sec, glob, hint},
#include "tbl/foreign_options.def"
#undef FOREIGN
};

const char *conf_section_name(enum conf_section s)
{
    static const char *const names[] = {"command", "global", "site", "pool", "route"};
    return names[s];
}

const struct conf_option *conf_option_find(enum conf_section s, struct str key)
{
    for (size_t i = 0; i < conf_n_options; i++)
        if (conf_options[i].section == s && str_eq(str_from(conf_options[i].key), key))
            return &conf_options[i];
    return NULL;
}

const struct conf_option *conf_flag_find(const char *name, size_t n, char letter)
{
    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        if (!o->flag)
            continue;
        if (name ? str_eq(str_from(o->flag), (struct str){name, n}) : letter && o->letter == letter)
            return o;
    }
    return NULL;
}

bool conf_option_env(const struct conf_option *o, char *ret_name, size_t size)
{
    if (o->section == SEC_COMMAND || o->section == SEC_ROUTE || conf_kind_is_pairs(o->kind))
        return false;
    size_t n = (size_t)snprintf(ret_name, size, "PLIMSOLL_%s", o->key);
    if (n >= size)
        return false;
    for (char *p = ret_name; *p; p++) {
        if (*p == '.')
            *p = '_';
        else if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    }
    return true;
}

const char *conf_foreign_hint(enum conf_section s, const char *key)
{
    // "server {" and "location / {" of nginx have no '=' or one far behind: the first word says enough.
    struct str word = {key, strcspn(key, " \t")};

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if ((foreign[i].section == s || foreign[i].section == SEC_ANY) && str_glob(str_from(foreign[i].glob), word))
            return foreign[i].hint;
    return NULL;
}

// Edit distance with neighbours swapped counted once; gives up beyond `most`.
static unsigned edit_distance(const char *a, const char *b, unsigned most)
{
    enum { LONGEST = 48 };
    size_t na = strlen(a), nb = strlen(b);
    unsigned d[LONGEST + 1][LONGEST + 1];

    if (na > LONGEST || nb > LONGEST || (na > nb ? na - nb : nb - na) > most)
        return most + 1;
    for (size_t i = 0; i <= na; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = d[i - 1][j - 1] + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[na][nb];
}

// Near enough: a third of the word wrong, at least one and at most four characters.
static unsigned tolerance(const char *word)
{
    size_t t = strlen(word) / 3;
    return t < 1 ? 1 : t > 4 ? 4 : (unsigned)t;
}

const char *conf_nearest(const char *word, const char *const *names, size_t n)
{
    unsigned best = tolerance(word) + 1;
    const char *found = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned d = edit_distance(word, names[i], best);
        if (d < best) {
            best = d;
            found = names[i];
        }
    }
    return found;
}

const char *conf_nearest_key(enum conf_section s, const char *key)
{
    unsigned best = tolerance(key) + 1;
    const char *found = NULL;

    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->section != s)
            continue;
        unsigned d = edit_distance(key, o->key, best);
        if (d < best) {
            best = d;
            found = o->key;
        }
        // Words that differ by what stands before the last dot: max_children for pm.max_children.
        const char *dot = strrchr(o->key, '.');
        if (dot && strcmp(dot + 1, key) == 0)
            return o->key;
    }
    for (size_t i = 0; i < conf_n_options && !found; i++) // "workers" in the file: the flag's word
        if (conf_options[i].section == s && conf_options[i].flag && strcmp(conf_options[i].flag, key) == 0)
            found = conf_options[i].key;
    return found;
}

const char *conf_nearest_flag(const char *flag)
{
    unsigned best = tolerance(flag) + 1;
    const char *found = NULL;

    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        if (!o->flag)
            continue;
        if (strcmp(o->key, flag) == 0)
            return o->flag;
        unsigned d = edit_distance(flag, o->flag, best);
        if (d < best) {
            best = d;
            found = o->flag;
        }
    }
    return found;
}
