// SPDX-License-Identifier: Apache-2.0
// Request targets. Pure; runs in the edge. Invariant: a normalised path begins with '/', holds no "//", no segment "." or
// "..", no NUL and no other control byte, and is not longer than what came in.
#include "http/uri.h"

#include <arpa/inet.h>
#include <stdint.h>

#include "http/http_int.h"

void uri_split(struct str path_query, struct str *ret_path, struct str *ret_query, bool *ret_has_query)
{
    size_t at = str_find(path_query, '?');

    *ret_has_query = at != SIZE_MAX;
    if (at == SIZE_MAX) {
        *ret_path = path_query;
        *ret_query = (struct str){"", 0};
        return;
    }
    *ret_query = (struct str){path_query.p + at + 1, path_query.n - at - 1};
    *ret_path = (struct str){path_query.p, at};
}

// Takes the next byte, decoded, off path at *at; -1 when it may not stand there.
static int next_byte(struct str path, size_t *at)
{
    unsigned char c = (unsigned char)path.p[(*at)++];

    if (c == '%') {
        if (path.n - *at < 2)
            return -1;
        int high = http__hex(path.p[*at]), low = http__hex(path.p[*at + 1]);
        if (high < 0 || low < 0)
            return -1;
        c = (unsigned char)(high << 4 | low);
        *at += 2;
    }
    return c < 0x20 || c == 0x7f ? -1 : c;
}

// Looks at the segment dst[seg..n), which has just ended, and takes dots away. Returns the new length (where the next
// segment begins, if it was one of dots), or -1 above the root.
static long resolve_dots(const char *dst, size_t seg, size_t n)
{
    if (n - seg == 1 && dst[seg] == '.')
        return (long)seg;
    if (n - seg != 2 || dst[seg] != '.' || dst[seg + 1] != '.')
        return (long)n;
    if (seg == 1)
        return -1;
    for (seg--; dst[seg - 1] != '/';)
        seg--;
    return (long)seg;
}

long uri_normalize(struct str path, char *dst)
{
    size_t n = 1, seg = 1; // dst[0..n) is done but for the segment from seg on
    long rc;

    if (!path.n || path.p[0] != '/')
        return -1;
    dst[0] = '/';
    for (size_t at = 1; at < path.n;) {
        int c = next_byte(path, &at);
        if (c < 0)
            return -1;
        if (c != '/') {
            dst[n++] = (char)c;
            continue;
        }
        if ((rc = resolve_dots(dst, seg, n)) < 0)
            return -1;
        n = (size_t)rc;
        if (dst[n - 1] != '/')
            dst[n++] = '/';
        seg = n;
    }
    if ((rc = resolve_dots(dst, seg, n)) < 0)
        return -1;
    dst[rc] = '\0';
    return rc;
}

size_t uri_encode_path(struct str path, char *dst)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (http__chars[c] & CH_PATH) {
            dst[n++] = (char)c;
            continue;
        }
        dst[n++] = '%';
        dst[n++] = digits[c >> 4];
        dst[n++] = digits[c & 15];
    }
    dst[n] = '\0';
    return n;
}

// The length of a host at the front of text, SIZE_MAX if it is malformed.
static size_t measure_host(struct str text)
{
    size_t i = 0;

    if (text.n && text.p[0] == '[') {
        char address[INET6_ADDRSTRLEN];
        struct in6_addr binary;
        size_t close = str_find(text, ']');
        if (close == SIZE_MAX || close - 1 >= sizeof address)
            return SIZE_MAX;
        memcpy(address, text.p + 1, close - 1);
        address[close - 1] = '\0';
        if (strlen(address) != close - 1 || inet_pton(AF_INET6, address, &binary) != 1)
            return SIZE_MAX;
        return close + 1;
    }
    while (i < text.n) {
        if (http__class(text.p[i]) & CH_HOST)
            i++;
        else if (text.p[i] == '%' && text.n - i > 2 && http__hex(text.p[i + 1]) >= 0 && http__hex(text.p[i + 2]) >= 0)
            i += 3;
        else
            break;
    }
    return i;
}

bool uri_split_authority(struct str text, struct str *ret_host, struct str *ret_port)
{
    size_t host_n = measure_host(text);

    if (host_n == SIZE_MAX || (host_n < text.n && text.p[host_n] != ':') || (!host_n && text.n))
        return false;
    struct str port = {"", 0};
    if (host_n < text.n)
        port = (struct str){text.p + host_n + 1, text.n - host_n - 1};
    uint64_t number = 0;
    if (port.n > 5 || (port.n && (!str_to_u64(port, &number) || number > UINT16_MAX)))
        return false;
    *ret_host = (struct str){text.p, host_n};
    *ret_port = port;
    return true;
}
