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

static void format_list(const struct conf_list *list, const char *separator, struct buf *out)
{
    for (size_t i = 0; i < list->n; i++)
        buf_printf(out, "%s%s", i ? separator : "", list->v[i]);
}

static void format_cidrs(const struct conf_cidrs *list, struct buf *out)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct cidr *c = &list->v[i];
        const uint8_t *a = c->addr;
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        buf_printf(out, "%s", i ? " " : "");
        if (c->bits >= 96 && memcmp(a, mapped, 12) == 0) {
            buf_printf(out, "%u.%u.%u.%u/%u", a[12], a[13], a[14], a[15], c->bits - 96u);
            continue;
        }
        char text[INET6_ADDRSTRLEN];
        inet_ntop(AF_INET6, a, text, sizeof text);
        buf_printf(out, "%s/%u", text, c->bits);
    }
}

static void format_signed(const struct conf_option *o, int64_t v, struct buf *out)
{
    if (v < 0)
        return; // not set
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

static void format_text(const struct conf_option *o, const char *s, struct buf *out)
{
    bool off = o->kind == KIND_PATH_OFF || o->kind == KIND_LOG || o->kind == KIND_FRONT || o->kind == KIND_URLPATH_OFF;
    buf_printf(out, "%s", s ? s : off ? "off" : "");
}

static void format_redirect(const struct conf_route *r, struct buf *out)
{
    if (r->redirect)
        buf_printf(out, "%u %s", r->redirect_status, r->redirect);
}

static void format_listens(const struct conf_global *g, struct buf *out)
{
    for (size_t i = 0; i < g->n_listen; i++)
        buf_printf(out, "%s%s", i ? " " : "", g->listen[i].text);
}

void conf__format(const struct conf *c, const struct conf_option *o, const void *object, struct buf *out)
{
    const void *field = (const char *)object + o->offset;

    switch (o->kind) {
    case KIND_BOOL:
        buf_printf(out, *(const bool *)field ? "yes" : "no");
        return;
    case KIND_TRI:
        buf_printf(out, "%s", *(const enum tristate *)field == UNSET ? "" : *(const enum tristate *)field == ON ? "on" : "off");
        return;
    case KIND_UINT:
    case KIND_WORKERS:
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
        format_text(o, *(char *const *)field, out);
        return;
    case KIND_LIST:
    case KIND_GLOBS:
    case KIND_PATHS:
        format_list(field, " ", out);
        return;
    case KIND_HEADERS:
        format_list(field, ", ", out);
        return;
    case KIND_CIDRS:
        format_cidrs(field, out);
        return;
    case KIND_LISTENS:
        format_listens(&c->global, out);
        return;
    case KIND_ADMIN:
        buf_printf(out, "%s", c->global.admin ? c->global.admin->text : "off");
        return;
    case KIND_REDIRECT:
        format_redirect(object, out);
        return;
    case KIND_PAIRS:
    case KIND_PAIRS_BOOL:
    case KIND_NONE:
        return;
    }
}
