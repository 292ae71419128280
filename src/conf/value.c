// SPDX-License-Identifier: Apache-2.0
// Text to values: numbers, sizes, times, addresses, networks. Pure; runs in the master and the cli (cidr_* also in the edge).
// Invariant: a function that returns a reason has not touched its result.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_int.h"

const char *conf__parse_bool(const char *s, bool *ret_value)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_eq_nocase(str_from(s), str_from(words[i]))) {
            *ret_value = i & 1;
            return NULL;
        }
    }
    return "is neither yes nor no";
}

const char *conf__parse_uint(const char *s, uint64_t *ret_value)
{
    return str_to_u64(str_from(s), ret_value) ? NULL : "is not a whole number";
}

static bool scale(uint64_t n, uint64_t by, uint64_t *ret_value)
{
    return !__builtin_mul_overflow(n, by, ret_value);
}

// Splits "64k" into 64 and "k".
static bool split_unit(const char *s, uint64_t *ret_n, const char **ret_unit)
{
    size_t digits = strspn(s, "0123456789");
    if (!digits || !str_to_u64((struct str){s, digits}, ret_n))
        return false;
    *ret_unit = s + digits;
    return true;
}

const char *conf__parse_size(const char *s, uint64_t *ret_value)
{
    static const char reason[] = "is not a size (bytes, or a number with K, M or G)";
    static const struct {
        char unit;
        uint64_t by;
    } units[] = {{'k', 1u << 10}, {'m', 1u << 20}, {'g', 1u << 30}, {'t', 1ull << 40}};
    uint64_t n, v;
    const char *unit;

    if (!split_unit(s, &n, &unit))
        return reason;
    if (!*unit) {
        *ret_value = n;
        return NULL;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (ascii_lower(unit[0]) == units[i].unit && !unit[1]) {
            if (!scale(n, units[i].by, &v))
                return "is too large";
            *ret_value = v;
            return NULL;
        }
    }
    return reason;
}

const char *conf__parse_time(const char *s, uint64_t *ret_ms)
{
    static const char reason[] = "is not a time (seconds, or a number with ms, s, m, h, d, w or y)";
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"", 1000},       {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {"y", 31536000000}};
    uint64_t n, v;
    const char *unit;

    if (!split_unit(s, &n, &unit))
        return reason;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            if (!scale(n, units[i].ms, &v) || v > INT64_MAX / 2)
                return "is too large";
            *ret_ms = v;
            return NULL;
        }
    }
    return reason;
}

static const char *parse_host(struct arena *a, struct str host, char **ret_host)
{
    unsigned char addr[16];

    if (!host.n || str_eq(host, STR("*"))) {
        *ret_host = NULL;
        return NULL;
    }
    bool bracketed = host.p[0] == '[';
    if (bracketed) {
        if (host.n < 3 || host.p[host.n - 1] != ']')
            return "has a broken [address]";
        host = (struct str){host.p + 1, host.n - 2};
    }
    char *text = arena_strndup(a, host.p, host.n);
    if (bracketed ? inet_pton(AF_INET6, text, addr) != 1 : inet_pton(AF_INET, text, addr) != 1 && strcmp(text, "localhost") != 0)
        return strchr(text, ':') ? "needs brackets round an IPv6 address: [::1]:8080" : "is not ADDR:PORT with a numeric address";
    // localhost is the one name allowed; resolvers are not asked for it.
    *ret_host = strcmp(text, "localhost") == 0 ? arena_strndup(a, "127.0.0.1", 9) : text;
    return NULL;
}

const char *conf__parse_listen(struct arena *a, const char *s, struct conf_listen *ret_listen)
{
    struct conf_listen l = {.text = arena_strndup(a, s, strlen(s))};

    if (str_starts(str_from(s), STR("unix:")) || s[0] == '/') {
        const char *path = s[0] == '/' ? s : s + 5;
        if (path[0] != '/')
            return "needs an absolute path behind unix:";
        if (strlen(path) > 107)
            return "is longer than a Unix socket's path may be (107 bytes)";
        l.is_unix = true;
        l.path = arena_strndup(a, path, strlen(path));
        *ret_listen = l;
        return NULL;
    }
    const char *colon = strrchr(s, ':');
    if (colon && colon[1] && strchr(colon, ']'))
        return "lacks a port: [::1]:8080";
    uint64_t port;
    if (!str_to_u64(str_from(colon ? colon + 1 : s), &port))
        return "is not ADDR:PORT, :PORT or unix:PATH";
    if (port > 65535)
        return "has a port above 65535";
    const char *reason = parse_host(a, (struct str){s, colon ? (size_t)(colon - s) : 0}, &l.host);
    if (reason)
        return reason;
    l.port = (uint16_t)port;
    *ret_listen = l;
    return NULL;
}

bool cidr_parse(struct str text, struct cidr *ret_cidr)
{
    char addr[INET6_ADDRSTRLEN];
    struct cidr c = {.addr = {[10] = 0xff, [11] = 0xff}};
    size_t slash = str_find(text, '/');
    size_t n = slash == SIZE_MAX ? text.n : slash;

    if (!n || n >= sizeof addr)
        return false;
    memcpy(addr, text.p, n);
    addr[n] = '\0';
    bool v4 = inet_pton(AF_INET, addr, c.addr + 12) == 1;
    if (!v4 && inet_pton(AF_INET6, addr, c.addr) != 1)
        return false;
    uint64_t bits = v4 ? 32 : 128;
    if (slash != SIZE_MAX) {
        uint64_t given;
        if (!str_to_u64((struct str){text.p + slash + 1, text.n - slash - 1}, &given) || given > bits)
            return false;
        bits = given;
    }
    c.bits = (uint8_t)(v4 ? bits + 96 : bits);
    *ret_cidr = c;
    return true;
}

bool cidr_contains(const struct cidr *c, const uint8_t addr[16])
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;

    if (memcmp(c->addr, addr, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return !rest || (c->addr[whole] & mask) == (addr[whole] & mask);
}

bool conf_cidrs_contain(const struct conf_cidrs *list, const uint8_t addr[16])
{
    for (size_t i = 0; i < list->n; i++)
        if (cidr_contains(&list->v[i], addr))
            return true;
    return false;
}

static void add_cidr(struct arena *a, struct conf_cidrs *list, struct cidr c)
{
    if ((list->n & (list->n - 1)) == 0) { // full at powers of two
        struct cidr *grown = arena_alloc(a, (list->n ? list->n * 2 : 1) * sizeof *grown);
        if (list->n)
            memcpy(grown, list->v, list->n * sizeof *grown);
        list->v = grown;
    }
    list->v[list->n++] = c;
}

const char *conf__parse_cidrs(struct arena *a, const char *s, struct conf_cidrs *list)
{
    static const struct {
        const char *word, *nets[8];
    } words[] = {
        {"loopback", {"127.0.0.0/8", "::1/128"}},
        {"unix", {"127.0.0.0/8", "::1/128"}},
        {"private", {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"}},
    };
    struct cidr c;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(s, words[i].word) != 0)
            continue;
        for (size_t j = 0; j < 8 && words[i].nets[j]; j++)
            if (cidr_parse(str_from(words[i].nets[j]), &c))
                add_cidr(a, list, c);
        return NULL;
    }
    if (!cidr_parse(str_from(s), &c))
        return "is not an address or network such as 10.0.0.0/8 or ::1";
    // Bits behind the prefix are a slip that would match more than meant.
    for (unsigned bit = c.bits; bit < 128; bit++)
        if (c.addr[bit / 8] & (0x80 >> bit % 8))
            return "has bits set behind its prefix";
    add_cidr(a, list, c);
    return NULL;
}
