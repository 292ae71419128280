// SPDX-License-Identifier: Apache-2.0
// Who asks, and for which host: addresses and scheme behind trusted proxies, the user named in the request, the site.
// Runs in the edge.
// From a peer that is not trusted no X-Forwarded-* or Forwarded field changes anything. From a trusted one: REMOTE_ADDR
// follows the client it names, REQUEST_SCHEME and HTTPS the scheme, SERVER_PORT the port (or the scheme's own), and
// HTTP_HOST and the choice of the site X-Forwarded-Host, if the proxy sends it. The fields themselves reach PHP unchanged.
// Where both dialects are there, X-Forwarded-* holds: nearly all proxies write it, and pass a client's Forwarded through.
#include <stdio.h>

#include "base/addr.h"
#include "edge/route_parts.h"
#include "http/forwarded.h"
#include "http/uri.h"

static bool address_of(struct str text, uint8_t ret_addr[16])
{
    char zero_ended[ADDR_TEXT_BYTES];

    if (!text.n || text.n >= sizeof zero_ended)
        return false;
    memcpy(zero_ended, text.p, text.n);
    zero_ended[text.n] = '\0';
    return addr_parse(zero_ended, ret_addr);
}

static bool is_trusted(void *arg, struct str addr)
{
    uint8_t bytes[16];
    return address_of(addr, bytes) && conf_cidrs_contain(arg, bytes);
}

static void believe_proxy(struct req *r, bool *ret_scheme_told)
{
    struct forwarded told = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct str host, port;
    uint8_t addr[16];
    uint64_t number;

    forwarded_read(r->fields, r->n_fields, is_trusted, (void *)&route__tables.conf->global.trusted_proxies, &told);
    if (address_of(told.client, addr)) {
        r->client_addr = arena_str(&r->arena, told.client);
        r->client_port = 0; // the client's own port is not told
    }
    if (told.host.n && uri_split_authority(told.host, &host, &port) && host.n)
        r->authority = told.host;
    else
        port = (struct str){"", 0};
    if (str_eq_nocase(told.proto, STR("https")))
        r->scheme = STR("https");
    else if (str_eq_nocase(told.proto, STR("http")))
        r->scheme = STR("http");
    else
        told.proto.n = 0;
    *ret_scheme_told = told.proto.n > 0;
    if (str_to_u64(told.port, &number) && number > 0 && number < 65536)
        r->server_port_text = told.port;
    else if (*ret_scheme_told)
        r->server_port_text = port.n ? port : str_eq(r->scheme, STR("https")) ? STR("443") : STR("80");
}

static struct str port_text(struct req *r, uint16_t port)
{
    char digits[6], *p = digits + sizeof digits;

    if (!port)
        return (struct str){"", 0}; // a unix socket
    for (unsigned v = port; v; v /= 10)
        *--p = (char)('0' + v % 10);
    return arena_str(&r->arena, (struct str){p, (size_t)(digits + sizeof digits - p)});
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// The user of `Authorization: Basic`, for the log and REMOTE_USER, as nginx has it: said, not proven. "" when there is none
// or it is not fit to be printed.
static struct str basic_user(struct req *r)
{
    struct str value = req_field(r, FIELD_AUTHORIZATION);
    unsigned bits = 0, n_bits = 0;

    if (value.n < 7 || value.n > 2048 || !str_eq_nocase((struct str){value.p, 6}, STR("Basic ")))
        return (struct str){"", 0};
    struct str coded = str_trim((struct str){value.p + 6, value.n - 6});
    char *user = arena_alloc(&r->arena, coded.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < coded.n; i++) {
        int v = base64_value(coded.p[i]);
        if (v < 0)
            break;
        bits = (bits << 6 | (unsigned)v) & 0xffff;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        unsigned char c = (unsigned char)(bits >> n_bits);
        if (c == ':') {
            user[n] = '\0';
            return (struct str){user, n};
        }
        if (c < 0x20 || c == 0x7f)
            break;
        user[n++] = (char)c;
    }
    return (struct str){"", 0};
}

void route__client(struct req *r)
{
    bool scheme_told = false;

    r->client_addr = str_from(r->peer->client_addr);
    r->client_port = r->peer->client_port;
    r->scheme = r->https ? STR("https") : STR("http");
    r->server_port_text = port_text(r, r->peer->server_port);
    if (r->peer->trusted)
        believe_proxy(r, &scheme_told);
    r->remote_user = basic_user(r);
}

// How well a server_name fits: 0 not at all, else longer is better; an exact name beats every wildcard.
static size_t fit_of(const char *name, struct str host)
{
    struct str s = str_from(name);

    if (str_eq_nocase(s, host))
        return SIZE_MAX;
    if (s.n > 2 && s.p[0] == '*' && s.p[1] == '.' && host.n > s.n - 1 &&
        str_eq_nocase((struct str){host.p + host.n - (s.n - 1), s.n - 1}, (struct str){s.p + 1, s.n - 1}))
        return s.n;
    return 0;
}

static const struct conf_site *site_of(struct str host)
{
    const struct conf *c = route__tables.conf;
    const struct conf_site *best = NULL, *any = NULL;
    size_t best_fit = 0;

    if (c->n_sites == 1)
        return &c->sites[0];
    for (size_t i = 0; i < c->n_sites; i++) {
        const struct conf_list *names = &c->sites[i].server_name;
        if (!names->n && !any)
            any = &c->sites[i];
        for (size_t k = 0; k < names->n; k++) {
            size_t fit = host.n ? fit_of(names->v[k], host) : 0;
            if (fit > best_fit) {
                best_fit = fit;
                best = &c->sites[i];
            }
            if (!any && strcmp(names->v[k], "_") == 0)
                any = &c->sites[i];
        }
    }
    return best ? best : any ? any : &c->sites[0];
}

bool route__site(struct req *r)
{
    struct str host, port;

    if (!uri_split_authority(r->authority, &host, &port))
        return false;
    if (host.n && host.p[host.n - 1] == '.') // the DNS root's dot: the same host
        host.n--;
    char *lower = arena_strndup(&r->arena, host.p, host.n);
    for (size_t i = 0; i < host.n; i++)
        lower[i] = ascii_lower(lower[i]);
    r->host = (struct str){lower, host.n};
    r->site = site_of(r->host);
    return true;
}
