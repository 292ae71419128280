// SPDX-License-Identifier: Apache-2.0
// A client of HTTP/1.1 that posts a notice and reads the status of the answer. Runs in watch; owns one socket at a time.
#include "watch/webhook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define TRIES 6

static void close_socket(struct webhook *w)
{
    timer_clear(&w->limit);
    loop_del(&w->watch);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

static void end(struct webhook *w, bool ok, bool again, const char *why)
{
    close_socket(w);
    courier_done(&w->courier, ok, again, why);
}

static void on_too_long(struct timer *t)
{
    end(container_of(t, struct webhook, limit), false, true, "no answer in time");
}

// The status of "HTTP/1.x NNN"; 0: that isn't one.
static int status_of(const char *in)
{
    if (strncmp(in, "HTTP/1.", 7) != 0 || (in[7] != '0' && in[7] != '1') || in[8] != ' ' || in[9] < '1' || in[9] > '5' ||
        in[10] < '0' || in[10] > '9' || in[11] < '0' || in[11] > '9')
        return 0;
    return atoi(in + 9);
}

static void read_answer(struct webhook *w)
{
    char why[64];

    ssize_t n = recv(w->fd, w->in + w->in_n, 12 - w->in_n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(w, false, true, n < 0 ? strerror(errno) : "the connection was closed without an answer");
        return;
    }
    w->in_n += (size_t)n;
    if (w->in_n < 12)
        return;
    w->in[12] = '\0';
    int status = status_of(w->in);
    if (!status) {
        end(w, false, true, "the answer is no HTTP");
        return;
    }
    snprintf(why, sizeof why, "the answer was %d", status);
    end(w, status >= 200 && status < 300, status >= 500 || status == 408 || status == 429, why);
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct webhook *w = container_of(watch, struct webhook, watch);

    if (w->out_done < w->out_n) {
        ssize_t n = send(w->fd, w->out + w->out_done, w->out_n - w->out_done, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            end(w, false, true, strerror(errno));
            return;
        }
        w->out_done += (size_t)n;
        if (w->out_done == w->out_n)
            loop_mod(&w->watch, EPOLLIN);
        return;
    }
    read_answer(w);
}

static int on_start(struct courier *c, const struct notice *n)
{
    struct webhook *w = c->to;

    int head = snprintf(w->out, sizeof w->out,
                        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                        "User-Agent: plimsoll-xray/" PLIMSOLL_VERSION "\r\nConnection: close\r\n\r\n",
                        w->path, w->host, n->json_n);
    if (head < 0 || (size_t)head + n->json_n > sizeof w->out)
        return -EMSGSIZE;
    memcpy(w->out + head, n->json, n->json_n);
    w->out_n = (size_t)head + n->json_n;
    w->out_done = w->in_n = 0;
    w->fd = socket(w->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return -errno;
    int bad = connect(w->fd, (struct sockaddr *)&w->addr, w->addr_n) < 0 && errno != EINPROGRESS ? -errno : 0;
    if (!bad)
        bad = loop_add(&w->watch, w->fd, EPOLLOUT, on_ready);
    if (bad) {
        close_socket(w);
        return bad;
    }
    timer_set(&w->limit, on_too_long, WEBHOOK_TIME_S * 1000);
    return 0;
}

// HOST[:PORT] as an address. False: that would have to be looked up, or is garbage.
static bool parse_address(struct webhook *w, struct str host)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct str name = host, port = STR("80");
    uint64_t number;
    char text[128];

    if (host.n && host.p[0] == '[') {
        size_t close_at = str_find(host, ']');
        if (close_at == SIZE_MAX)
            return false;
        name = (struct str){host.p + 1, close_at - 1};
        if (close_at + 1 < host.n) {
            if (host.p[close_at + 1] != ':')
                return false;
            port = (struct str){host.p + close_at + 2, host.n - close_at - 2};
        }
    } else if (str_find(host, ':') != SIZE_MAX) {
        size_t colon = str_find(host, ':');
        name.n = colon;
        port = (struct str){host.p + colon + 1, host.n - colon - 1};
    }
    if (str_eq_nocase(name, STR("localhost")))
        name = STR("127.0.0.1");
    if (name.n >= sizeof text || !str_to_u64(port, &number) || number < 1 || number > 65535)
        return false;
    snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        v4.sin_port = htons((uint16_t)number);
        memcpy(&w->addr, &v4, sizeof v4);
        w->addr_n = sizeof v4;
    } else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        v6.sin6_port = htons((uint16_t)number);
        memcpy(&w->addr, &v6, sizeof v6);
        w->addr_n = sizeof v6;
    } else {
        return false;
    }
    return true;
}

int webhook_init(struct webhook *w, const char *url, double retry_s, char *error, size_t error_n)
{
    struct str rest = str_from(url);

    w->fd = -1;
    w->courier = (struct courier){.name = "--webhook", .start = on_start, .to = w, .tries_max = TRIES, .retry_s = retry_s};
    if (!str_starts(rest, STR("http://"))) {
        snprintf(error, error_n, "--webhook: %.200s doesn't begin with http://", url);
        return -EINVAL;
    }
    rest.p += 7;
    rest.n -= 7;
    size_t slash = strcspn(rest.p, "/?#");
    struct str host = {rest.p, slash};
    for (size_t i = 0; i < rest.n; i++)
        if ((unsigned char)rest.p[i] <= 0x20 || rest.p[i] == 0x7f || rest.p[i] == '@') {
            snprintf(error, error_n, "--webhook: %.200s has a blank, a control character or a user name in it", url);
            return -EINVAL;
        }
    if (host.n >= sizeof w->host || rest.n - slash + 1 >= sizeof w->path) {
        snprintf(error, error_n, "--webhook: the address is too long");
        return -EINVAL;
    }
    if (!parse_address(w, host)) {
        snprintf(error, error_n,
                 "--webhook: %.*s is no IP address with a port and not localhost; names can't be looked up here: use "
                 "--webhook-command 'curl -sf -m 10 --data-binary @- %.200s'",
                 STR_ARG(host), url);
        return -EINVAL;
    }
    snprintf(w->host, sizeof w->host, "%.*s", STR_ARG(host));
    snprintf(w->path, sizeof w->path, "%s%.*s", rest.p[slash] == '/' ? "" : "/", (int)strcspn(rest.p + slash, "#"),
             rest.p + slash);
    return 0;
}

void webhook_done(struct webhook *w)
{
    timer_clear(&w->courier.timer);
    close_socket(w);
}
