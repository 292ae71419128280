// SPDX-License-Identifier: Apache-2.0
// "E_ALL & ~E_DEPRECATED" as a number. php-fpm's and php's own configuration evaluate such expressions; PHP's setting itself
// takes only numbers and reads any word as 0, which would hide every error. Pure; runs in the master and the cli.
#include <stdint.h>
#include <string.h>

#include "conf/conf_int.h"

static const struct {
    const char *name;
    uint32_t value;
} levels[] = {
    {"E_ERROR", 1},
    {"E_WARNING", 2},
    {"E_PARSE", 4},
    {"E_NOTICE", 8},
    {"E_CORE_ERROR", 16},
    {"E_CORE_WARNING", 32},
    {"E_COMPILE_ERROR", 64},
    {"E_COMPILE_WARNING", 128},
    {"E_USER_ERROR", 256},
    {"E_USER_WARNING", 512},
    {"E_USER_NOTICE", 1024},
    {"E_STRICT", 2048},
    {"E_RECOVERABLE_ERROR", 4096},
    {"E_DEPRECATED", 8192},
    {"E_USER_DEPRECATED", 16384},
    {"E_ALL", 32767},
};

static void skip_space(const char **s)
{
    *s += strspn(*s, " \t");
}

static bool read_sum(const char **s, unsigned depth, uint32_t *ret_value);

static bool read_term(const char **s, unsigned depth, uint32_t *ret_value)
{
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    uint64_t n;

    skip_space(s);
    if (!depth)
        return false;
    if (**s == '~') {
        ++*s;
        if (!read_term(s, depth - 1, ret_value))
            return false;
        *ret_value = ~*ret_value;
        return true;
    }
    if (**s == '(') {
        ++*s;
        if (!read_sum(s, depth - 1, ret_value) || **s != ')')
            return false;
        ++*s;
        return true;
    }
    struct str name = {*s, strspn(*s, word)};
    *s += name.n;
    if (str_to_u64(name, &n) && n <= INT32_MAX) {
        *ret_value = (uint32_t)n;
        return true;
    }
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (str_eq(name, str_from(levels[i].name))) {
            *ret_value = levels[i].value;
            return true;
        }
    }
    return false;
}

// Left to right, all operators alike, as PHP's ini grammar has it.
static bool read_sum(const char **s, unsigned depth, uint32_t *ret_value)
{
    uint32_t more;

    if (!read_term(s, depth, ret_value))
        return false;
    for (;;) {
        skip_space(s);
        char op = **s;
        if (op != '|' && op != '&' && op != '^')
            return true;
        ++*s;
        if (!read_term(s, depth, &more))
            return false;
        *ret_value = op == '|' ? *ret_value | more : op == '&' ? *ret_value & more : *ret_value ^ more;
    }
}

bool conf__parse_error_level(const char *s, int32_t *ret_level)
{
    uint32_t v;

    if (strcmp(s, "-1") == 0) {
        *ret_level = -1;
        return true;
    }
    if (!read_sum(&s, 16, &v) || *s)
        return false;
    *ret_level = (int32_t)v;
    return true;
}
