// SPDX-License-Identifier: Apache-2.0
// Values back to text, as they could be written in the file again. Pure; runs in the master and the cli.
#include <arpa/inet.h>
#include <string.h>

#include "conf/conf_int.h"

static void format_size(uint64_t v, struct buf *out)
{
    static const struct {
        uint64_t by;
        char unit;
    } units[] = {{1ull << 30, 'G'}, {1u << 20, 'M'}, {1u << 10, 'K'}};

    for (size_t i = 0; v && i < sizeof units / sizeof *units; i++) {
        if (v % units[i].by == 0) {
            buf_printf(out, "%llu%c", (unsigned long long)(v / units[i].by), units[i].unit);
            return;
        }
    }
    buf_printf(out, "%llu", (unsigned long long)v);
}

static void format_time(uint64_t ms, struct buf *out)
{
    static const struct {
        uint64_t by;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

    if (ms == 0) {
        buf_printf(out, "0");
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        // 75s, not 1m15s; 60s rather than 1m, as people write it
        if (ms % units[i].by == 0 && (ms / units[i].by > 1 || i == 3)) {
            buf_printf(out, "%llu%s", (unsigned long long)(ms / units[i].by), units[i].unit);
            return;
        }
    }
    buf_printf(out, "%llums", (unsigned long long)ms);
}

static void format_enum(const struct conf_option *o, int at, struct buf *out)
{
    struct str rest = str_from(o->words), word;

    for (int i = 0; str_next(&rest, '|', &word); i++)
        if (i == at)
            buf_add_str(out, word);
}

static void format_cidr(const struct cidr *c, struct buf *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    bool v4 = c->bits >= 96 && memcmp(c->addr, mapped, 12) == 0;

    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? c->addr + 12 : c->addr, text, sizeof text);
    buf_printf(out, "%s/%u", text, v4 ? c->bits - 96u : c->bits);
}

static void format_signed(const struct conf_option *o, int64_t v, struct buf *out)
{
    if (o->kind == KIND_TIME64)
        format_time((uint64_t)v, out);
    else if (o->kind == KIND_SECONDS)
        format_time((uint64_t)v * 1000, out);
    else if (o->kind == KIND_RLIMIT && v == INT64_MAX)
        buf_printf(out, "unlimited");
    else if (o->kind == KIND_RLIMIT)
        buf_printf(out, "%lld", (long long)v);
    else
        format_size((uint64_t)v, out);
}

size_t conf__format_count(const struct conf *c, const struct conf_option *o, const void *object)
{
    const void *field = (const char *)object + o->offset;

    switch (o->kind) {
    case KIND_TRI:
        return *(const enum tristate *)field != UNSET;
    case KIND_SIZE64:
    case KIND_TIME64:
    case KIND_SECONDS:
    case KIND_RLIMIT:
        return *(const int64_t *)field >= 0;
    case KIND_STRING:
    case KIND_PATH:
    case KIND_SUBDIR:
    case KIND_REDIRECT:
        return *(char *const *)field != NULL;
    case KIND_LIST:
    case KIND_GLOBS:
    case KIND_PATHS:
    case KIND_HEADERS:
        return ((const struct conf_list *)field)->n;
    case KIND_CIDRS:
        return ((const struct conf_cidrs *)field)->n;
    case KIND_LISTENS:
        return c->global.n_listen;
    case KIND_NONE:
    case KIND_PAIRS:
    case KIND_PAIRS_BOOL:
        return 0;
    default:
        return 1;
    }
}

void conf__format(const struct conf *c, const struct conf_option *o, const void *object, size_t i, struct buf *out)
{
    const void *field = (const char *)object + o->offset;

    switch (o->kind) {
    case KIND_BOOL:
        buf_printf(out, *(const bool *)field ? "yes" : "no");
        return;
    case KIND_TRI:
        buf_printf(out, *(const enum tristate *)field == ON ? "on" : "off");
        return;
    case KIND_WORKERS:
        if (!*(const unsigned *)field) {
            buf_printf(out, "auto");
            return;
        }
        __attribute__((fallthrough));
    case KIND_UINT:
        buf_printf(out, "%u", *(const unsigned *)field);
        return;
    case KIND_SIZE:
        format_size(*(const size_t *)field, out);
        return;
    case KIND_TIME:
        format_time(*(const unsigned *)field, out);
        return;
    case KIND_SIZE64:
    case KIND_TIME64:
    case KIND_SECONDS:
    case KIND_RLIMIT:
        format_signed(o, *(const int64_t *)field, out);
        return;
    case KIND_ENUM:
        format_enum(o, *(const int *)field, out);
        return;
    case KIND_STATIC:
        buf_printf(out, "static");
        return;
    case KIND_FD:
        if (*(const int *)field < 0)
            buf_printf(out, "off");
        else
            buf_printf(out, "%d", *(const int *)field);
        return;
    case KIND_STRING:
    case KIND_PATH:
    case KIND_PATH_OFF:
    case KIND_LOG:
    case KIND_SUBDIR:
    case KIND_FRONT:
    case KIND_URLPATH_OFF:
        buf_printf(out, "%s", *(char *const *)field ? *(char *const *)field : "off");
        return;
    case KIND_LIST:
    case KIND_GLOBS:
    case KIND_PATHS:
    case KIND_HEADERS:
        buf_printf(out, "%s", ((const struct conf_list *)field)->v[i]);
        return;
    case KIND_CIDRS:
        format_cidr(&((const struct conf_cidrs *)field)->v[i], out);
        return;
    case KIND_LISTENS:
        buf_printf(out, "%s", c->global.listen[i].text);
        return;
    case KIND_ADMIN:
        buf_printf(out, "%s", c->global.admin ? c->global.admin->text : "off");
        return;
    case KIND_REDIRECT:
        buf_printf(out, "%u %s", ((const struct conf_route *)object)->redirect_status, *(char *const *)field);
        return;
    case KIND_PAIRS:
    case KIND_PAIRS_BOOL:
    case KIND_NONE:
        return;
    }
}
