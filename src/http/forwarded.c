// SPDX-License-Identifier: Apache-2.0
// What trusted proxies say of the client. Pure; runs in the edge. Each proxy adds on the right, so everything is read from
// the right: what a client wrote itself stands further left and is reached only behind a trusted address, and text of its
// making (an open quote, say) can't hide what the proxies wrote. Invariant: addresses that are handed out are valid IPv4 or
// IPv6 text; slices point into the fields' values.
#include "http/forwarded.h"

#include <arpa/inet.h>

#include "http/http_int.h"
#include "http/uri.h"

struct walk {
    const struct field *fields;
    size_t n_fields;
    bool (*is_trusted)(void *arg, struct str addr);
    void *arg;
};

static bool is_address(struct str s, int family)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char binary[sizeof(struct in6_addr)];

    if (!s.n || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return strlen(text) == s.n && inet_pton(family, text, binary) == 1;
}

// "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", and without brackets (as X-Forwarded-For has it); false for "unknown",
// obfuscated names and everything else.
static bool parse_node(struct str node, struct str *ret_addr)
{
    struct str host, port;

    if (is_address(node, AF_INET6)) {
        *ret_addr = node;
        return true;
    }
    if (!uri_split_authority(node, &host, &port))
        return false;
    if (host.n > 2 && host.p[0] == '[')
        host = (struct str){host.p + 1, host.n - 2};
    else if (!is_address(host, AF_INET))
        return false;
    *ret_addr = host;
    return true;
}

// Takes the last element off a comma-separated list, trimmed; false when none is left. Commas in quotes don't count.
static bool take_last(struct str *rest, bool with_quotes, struct str *ret_item)
{
    bool quoted = false;
    size_t i = rest->n;

    if (!rest->p)
        return false;
    for (; i > 0; i--) {
        char c = rest->p[i - 1];
        if (with_quotes && c == '"') {
            size_t slashes = 0;
            while (slashes + 1 < i && rest->p[i - 2 - slashes] == '\\')
                slashes++;
            if (!(slashes % 2))
                quoted = !quoted;
        }
        if (c == ',' && !quoted)
            break;
    }
    *ret_item = str_trim((struct str){rest->p + i, rest->n - i});
    *rest = i ? (struct str){rest->p, i - 1} : (struct str){NULL, 0};
    return true;
}

// The element of that field (all its lines make one list) `back` places from the right, 1 = the last; with fewer elements
// the leftmost. Empty elements don't count. "" when there is none.
static struct str pick_from_right(const struct walk *w, enum field_id id, size_t back)
{
    struct str picked = {"", 0}, item;

    for (size_t i = w->n_fields; i-- > 0 && back;) {
        struct str rest = w->fields[i].value;
        if (w->fields[i].id != id)
            continue;
        while (back && take_last(&rest, false, &item))
            if (item.n) {
                picked = item;
                back--;
            }
    }
    return picked;
}

static void set_proto(struct str text, struct forwarded *f)
{
    f->proto = str_eq_nocase(text, STR("https"))  ? STR("https")
               : str_eq_nocase(text, STR("http")) ? STR("http")
                                                  : (struct str){"", 0};
}

static void set_host(struct str text, struct forwarded *f)
{
    struct str host, port;

    if (uri_split_authority(text, &host, &port) && host.n) {
        f->host = text;
        f->port = port;
    }
}

// One forwarded-element: pairs with ';' between. False if it is malformed.
static bool parse_element(struct str s, struct str *ret_for, struct str *ret_proto, struct str *ret_host)
{
    *ret_for = *ret_proto = *ret_host = (struct str){"", 0};
    while ((s = str_trim(s)).n) {
        size_t eq = str_find(s, '='), n;
        if (s.p[0] == ';') {
            s = (struct str){s.p + 1, s.n - 1};
            continue;
        }
        struct str name = {s.p, eq}, value;
        if (eq == SIZE_MAX || !field_name_is_valid(name))
            return false;
        s = (struct str){s.p + eq + 1, s.n - eq - 1};
        if (s.n && s.p[0] == '"') {
            s = (struct str){s.p + 1, s.n - 1};
            n = str_find(s, '"');
            if (n == SIZE_MAX || memchr(s.p, '\\', n))
                return false; // nothing that we want needs an escape
            value = (struct str){s.p, n};
            n++;
        } else {
            for (n = 0; n < s.n && s.p[n] != ';' && s.p[n] != ' ' && s.p[n] != '\t' && s.p[n] != '"';)
                n++;
            value = (struct str){s.p, n}; // looser than a token: some write IPv6 and ports without quotes
            if (!n)
                return false;
        }
        s = str_trim((struct str){s.p + n, s.n - n});
        if (s.n && s.p[0] != ';')
            return false;
        if (str_eq_nocase(name, STR("for")))
            *ret_for = value;
        else if (str_eq_nocase(name, STR("proto")))
            *ret_proto = value;
        else if (str_eq_nocase(name, STR("host")))
            *ret_host = value;
    }
    return true;
}

// Proto and host are those of the element that names the client: the proxy that the client spoke to wrote it.
static void read_standard(const struct walk *w, struct forwarded *ret)
{
    struct str item, addr, node, proto, host;

    for (size_t i = w->n_fields; i-- > 0;) {
        struct str rest = w->fields[i].value;
        if (w->fields[i].id != FIELD_FORWARDED)
            continue;
        while (take_last(&rest, true, &item)) {
            if (!item.n)
                continue;
            if (!parse_element(item, &node, &proto, &host))
                return;
            ret->host = ret->port = (struct str){"", 0};
            set_proto(proto, ret);
            set_host(host, ret);
            if (!parse_node(node, &addr))
                return; // a hidden client: the nearest proxy that is known stands for it
            ret->client = addr;
            if (!w->is_trusted(w->arg, addr))
                return;
        }
    }
}

// Walks X-Forwarded-For. Returns how many proxies have spoken: the addresses looked at, the client's included.
static size_t read_chain(const struct walk *w, struct forwarded *ret)
{
    size_t hops = 0;
    struct str item, addr;

    for (size_t i = w->n_fields; i-- > 0;) {
        struct str rest = w->fields[i].value;
        if (w->fields[i].id != FIELD_X_FORWARDED_FOR)
            continue;
        while (take_last(&rest, false, &item)) {
            if (!item.n)
                continue;
            hops++;
            if (!parse_node(item, &addr))
                return hops;
            ret->client = addr;
            if (!w->is_trusted(w->arg, addr))
                return hops;
        }
    }
    return hops ? hops : 1;
}

// Proto, host and port may be lists too, one element for each proxy, or (more often) one value that the last or the first
// proxy has set. With h trusted hops the last h elements are theirs; the leftmost of these is nearest to the client.
static void read_customary(const struct walk *w, struct forwarded *ret)
{
    size_t hops = read_chain(w, ret);
    uint64_t number;

    set_proto(pick_from_right(w, FIELD_X_FORWARDED_PROTO, hops), ret);
    set_host(pick_from_right(w, FIELD_X_FORWARDED_HOST, hops), ret);
    struct str port = pick_from_right(w, FIELD_X_FORWARDED_PORT, hops);
    if (port.n <= 5 && str_to_u64(port, &number) && number > 0 && number <= UINT16_MAX)
        ret->port = port;
}

void forwarded_read(const struct field *fields, size_t n_fields, bool (*is_trusted)(void *arg, struct str addr), void *arg,
                    struct forwarded *ret)
{
    const struct walk w = {fields, n_fields, is_trusted, arg};

    *ret = (struct forwarded){{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    if (!field_find(fields, n_fields, FIELD_X_FORWARDED_FOR) && field_find(fields, n_fields, FIELD_FORWARDED))
        read_standard(&w, ret);
    else
        read_customary(&w, ret);
}
