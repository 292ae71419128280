// SPDX-License-Identifier: Apache-2.0
// Asks a server how many requests it has answered. Owns one socket at a time, or the descriptor of /proc/PID/net/snmp. Invariant:
// nothing waits but requests_ask(), which waits no longer than it was told.
#include "advice/requests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "advice/requests_int.h"
#include "base/clock.h"
#include "mem/kfile.h"

#define ASK_MAX 1024
#define READ_AT_ONCE (256u << 10) // of one step: a peer that never stops sending doesn't keep us here

struct requests {
    struct requests_target target;
    int fd;        // the socket; -1: no question is under way
    int snmp;      // -1
    int64_t asked; // questions answered: php-fpm and Apache count them too
    int64_t threads, before; // of FrankenPHP's threads: their counts now, those of threads that have been restarted
    char ask[ASK_MAX];
    size_t ask_n, sent, got;
    bool with_origin; // a question says where it comes from
    struct answer answer;
};

const char *requests_source_name(enum requests_source source)
{
    static const char *const names[] = {
        "none", "fpm status", "Caddy metrics", "Apache server-status", "Plimsoll metrics", "FrankenPHP threads", "TCP connections"};
    return (unsigned)source <= REQUESTS_TCP ? names[source] : names[0];
}

static bool take_port(struct str text, uint16_t *ret)
{
    uint64_t port;

    if (!str_to_u64(text, &port) || port == 0 || port > 65535)
        return false;
    *ret = htons((uint16_t)port);
    return true;
}

// "127.0.0.1:80", "[::1]:80", "localhost:80", ":80", "80" with `port` where none is given (0: it must be).
static int take_address(struct str text, uint16_t port, struct requests_target *t)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&t->addr;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&t->addr;
    char host[64];
    struct str name = text, digits = {NULL, 0};
    uint64_t only_port;

    if (str_to_u64(text, &only_port)) {
        name.n = 0;
        digits = text;
    } else if (text.n && text.p[0] == '[') {
        size_t end = str_find(text, ']');
        if (end == SIZE_MAX)
            return -EINVAL;
        name = (struct str){text.p + 1, end - 1};
        if (text.n > end + 1) {
            if (text.p[end + 1] != ':')
                return -EINVAL;
            digits = (struct str){text.p + end + 2, text.n - end - 2};
        }
    } else {
        size_t colon = str_find(text, ':');
        if (colon != SIZE_MAX) {
            name.n = colon;
            digits = (struct str){text.p + colon + 1, text.n - colon - 1};
        }
    }
    uint16_t net_port = htons(port);
    if ((digits.p && !take_port(digits, &net_port)) || !net_port || name.n >= sizeof host)
        return -EINVAL;
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    // Everything is this machine where an address to listen on stands for any.
    if (!host[0] || strcmp(host, "localhost") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
        strcpy(host, "127.0.0.1");
    else if (strcmp(host, "::") == 0)
        strcpy(host, "::1");
    memset(&t->addr, 0, sizeof t->addr);
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = net_port;
        t->addr_n = sizeof *in;
    } else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = net_port;
        t->addr_n = sizeof *in6;
    } else {
        return -EADDRNOTAVAIL;
    }
    snprintf(t->host, sizeof t->host, "%.*s", STR_ARG(text));
    return 0;
}

static int take_unix(struct str path, struct requests_target *t)
{
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&t->addr;

    if (!path.n || path.n >= sizeof un->sun_path)
        return -EINVAL;
    memset(&t->addr, 0, sizeof t->addr);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    if (path.p[0] == '@')
        un->sun_path[0] = '\0';
    t->addr_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + (path.p[0] != '@'));
    strcpy(t->host, "localhost");
    return 0;
}

static int take_path(struct str path, struct requests_target *t)
{
    if (!path.n || path.p[0] != '/' || path.n >= 120)
        return -EINVAL;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] <= ' ' || path.p[i] == 0x7f)
            return -EINVAL;
    }
    snprintf(t->path, sizeof t->path, "%.*s", STR_ARG(path));
    return 0;
}

static enum requests_source source_of(struct str path)
{
    return str_starts(path, STR("/server-status"))         ? REQUESTS_APACHE
           : str_starts(path, STR("/frankenphp/threads")) ? REQUESTS_THREADS
                                                          : REQUESTS_CADDY;
}

int requests_parse(const char *url, struct requests_target *ret)
{
    struct requests_target t = {.root = -1};
    struct str text = str_from(url);
    bool http = str_starts(text, STR("http://")), fcgi = str_starts(text, STR("fcgi://"));
    int r;

    if (str_eq(text, STR("tcp"))) {
        t.source = REQUESTS_TCP;
        *ret = t;
        return 0;
    }
    if (http || fcgi) {
        text = (struct str){text.p + 7, text.n - 7};
        size_t slash = str_find(text, '/');
        struct str path =
            slash == SIZE_MAX ? (http ? STR("/metrics") : STR("/status")) : (struct str){text.p + slash, text.n - slash};
        text.n = slash == SIZE_MAX ? text.n : slash;
        if (!text.n)
            return -EINVAL;
        t.source = http ? source_of(path) : REQUESTS_FPM;
        if ((r = take_path(path, &t)) < 0 || (r = take_address(text, http ? 80 : 9000, &t)) < 0)
            return r;
    } else if (str_starts(text, STR("unix:"))) {
        text = (struct str){text.p + 5, text.n - 5};
        size_t bar = str_find(text, '|');
        struct str path = bar == SIZE_MAX ? STR("/status") : (struct str){text.p + bar + 1, text.n - bar - 1};
        text.n = bar == SIZE_MAX ? text.n : bar;
        http = str_starts(path, STR("http:"));
        if (http)
            path = (struct str){path.p + 5, path.n - 5};
        t.source = http ? source_of(path) : REQUESTS_FPM;
        if ((r = take_path(path, &t)) < 0 || (r = take_unix(text, &t)) < 0)
            return r;
    } else {
        return -EINVAL;
    }
    *ret = t;
    return 0;
}

// An address as configured ("/run/x.sock", "unix:/x", "127.0.0.1:9000", "9000", "unix//x" of Caddy).
static bool take_configured(const char *text, uint16_t port, struct requests_target *t)
{
    struct str s = str_from(text);

    if (str_starts(s, STR("unix:")))
        s = (struct str){s.p + 5, s.n - 5};
    else if (str_starts(s, STR("unix/")))
        s = (struct str){s.p + 5, s.n - 5};
    if (s.n && (s.p[0] == '/' || s.p[0] == '@'))
        return take_unix(s, t) == 0;
    return s.n && take_address(s, port, t) == 0;
}

bool requests_find(const struct server_conf *conf, int root, struct requests_target *ret)
{
    struct requests_target t = {.root = root};

    for (int32_t i = 0; conf->server == SERVER_FPM && i < conf->n_pools; i++) {
        const struct conf_pool *p = &conf->pool[i];
        t.source = REQUESTS_FPM;
        // With several pools one stands for all: the busiest can't be told.
        if (conf->n_pools == 1 && take_path(str_from(p->status_path), &t) == 0 &&
            take_configured(p->status_listen[0] ? p->status_listen : p->listen, 9000, &t)) {
            *ret = t;
            return true;
        }
    }
    if (conf->server == SERVER_APACHE && conf->n_pools && conf->pool[0].status_path[0]) {
        char path[CONF_ADDRESS + 8];
        snprintf(path, sizeof path, "%s?auto", conf->pool[0].status_path);
        t.source = REQUESTS_APACHE;
        if (take_path(str_from(path), &t) == 0 &&
            take_configured(conf->pool[0].listen[0] ? conf->pool[0].listen : "80", 80, &t)) {
            *ret = t;
            return true;
        }
    }
    t.frankenphp = conf->server == SERVER_FRANKENPHP;
    if (conf->admin[0] && !conf->admin_off && (!conf->metrics_off || t.frankenphp)) {
        struct str path = conf->metrics_off ? STR("/frankenphp/threads") : STR("/metrics");
        t.source = conf->server == SERVER_PLIMSOLL ? REQUESTS_PLIMSOLL : source_of(path);
        if (take_path(path, &t) == 0 && take_configured(conf->admin, conf->server == SERVER_PLIMSOLL ? 0 : 2019, &t)) {
            *ret = t;
            return true;
        }
    }
    return false;
}

// Does the process see other interfaces than we? Not told where it can't be seen.
static bool is_elsewhere(int proc_pid)
{
    struct stat its, ours;

    return proc_pid >= 0 && fstatat(proc_pid, "ns/net", &its, 0) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
           (its.st_ino != ours.st_ino || its.st_dev != ours.st_dev);
}

int requests_open(const struct requests_target *target, int proc_pid, struct requests **ret)
{
    struct requests *r = calloc(1, sizeof *r);

    if (!r)
        return -ENOMEM;
    r->target = *target;
    r->fd = r->snmp = -1;
    // A port of another network can't be reached, its counters can be read.
    if (r->target.source != REQUESTS_TCP && r->target.addr.ss_family != AF_UNIX && is_elsewhere(proc_pid))
        r->target.source = REQUESTS_TCP;
    if ((r->target.source == REQUESTS_TCP || r->target.frankenphp) && proc_pid >= 0)
        r->snmp = openat(proc_pid, "net/snmp", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *ret = r;
    return 0;
}

enum requests_source requests_counted_by(const struct requests *r)
{
    return r->target.source;
}

static void hang_up(struct requests *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

struct requests *requests_close(struct requests *r)
{
    if (!r)
        return NULL;
    hang_up(r);
    if (r->snmp >= 0)
        close(r->snmp);
    free(r);
    return NULL;
}

// A Unix socket beneath the container's root: found there, whatever links lead to it, and named by a descriptor.
static int enter_root(const struct requests_target *t, struct sockaddr_un *addr, socklen_t *ret_n)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&t->addr;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, t->root, un->sun_path, &how, sizeof how);

    if (fd < 0)
        return -errno;
    memset(addr, 0, sizeof *addr);
    addr->sun_family = AF_UNIX;
    int n = snprintf(addr->sun_path, sizeof addr->sun_path, "/proc/self/fd/%ld", fd);
    *ret_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
    return (int)fd;
}

static int dial(struct requests *r)
{
    const struct requests_target *t = &r->target;
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&t->addr;
    struct sockaddr_un there;
    const struct sockaddr *addr = (const struct sockaddr *)&t->addr;
    socklen_t addr_n = t->addr_n;
    int file = -1;

    r->fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->fd < 0)
        return -errno;
    if (t->addr.ss_family == AF_UNIX && t->root >= 0 && un->sun_path[0] == '/') {
        file = enter_root(t, &there, &addr_n);
        if (file >= 0)
            addr = (const struct sockaddr *)&there;
        else if (file != -ENOSYS) // gVisor: the path as it is
            return file;
        else
            addr_n = t->addr_n;
    }
    int rc = connect(r->fd, addr, addr_n) == 0 || errno == EINPROGRESS ? 0 : -errno;
    if (file >= 0)
        close(file);
    return rc;
}

int requests_start(struct requests *r)
{
    int n;

    hang_up(r);
    if (r->target.source == REQUESTS_TCP)
        return r->snmp < 0 ? -ENODATA : 0;
    r->sent = r->got = 0;
    answer_begin(&r->answer, r->target.source);
    if (r->target.source == REQUESTS_FPM) {
        n = (int)answer_ask_fpm(r->target.path, r->ask, sizeof r->ask);
    } else {
        bool o = r->with_origin;
        n = snprintf(r->ask, sizeof r->ask,
                     "GET %s HTTP/1.0\r\nHost: %s\r\n%s%s%sConnection: close\r\nAccept: text/plain\r\n\r\n", r->target.path,
                     r->target.host, o ? "Origin: http://" : "", o ? r->target.host : "", o ? "\r\n" : "");
    }
    if (n <= 0 || (size_t)n >= sizeof r->ask)
        return -EINVAL;
    r->ask_n = (size_t)n;
    int rc = dial(r);
    if (rc < 0)
        hang_up(r);
    return rc;
}

int requests_fd(const struct requests *r)
{
    return r->fd;
}

short requests_events(const struct requests *r)
{
    return r->sent < r->ask_n ? POLLOUT : POLLIN;
}

static int read_snmp(struct requests *r, struct requests_answer *ret)
{
    char text[8192];
    ssize_t n = r->snmp < 0 ? -ENODATA : kfile_pread(r->snmp, text, sizeof text);

    if (n < 0)
        return (int)n;
    struct requests_answer a = {.source = REQUESTS_TCP, .estimate = true};
    if (!answer_from_snmp((struct str){text, (size_t)n}, &a.total))
        return -EPROTO;
    *ret = a;
    return 0;
}

// Caddy's admin answers, but not so: it may want to hear where a question comes from (enforce_origin). And FrankenPHP's may have no
// such count: metrics are off, or it is older than its threads' counts. Is there another way?
static bool fall_back(struct requests *r, int rc)
{
    bool metrics = r->target.source == REQUESTS_CADDY;

    if (r->asked > 0 || (!metrics && r->target.source != REQUESTS_THREADS))
        return false;
    if (rc == -EACCES && !r->with_origin) {
        r->with_origin = true;
        return true;
    }
    if (!r->target.frankenphp || (!metrics && r->snmp < 0) || (rc != -ENODATA && rc != -ENOENT && rc != -EACCES))
        return false;
    r->target.source = metrics ? REQUESTS_THREADS : REQUESTS_TCP;
    snprintf(r->target.path, sizeof r->target.path, "/frankenphp/threads");
    return true;
}

// A thread that is restarted or given up takes its count with it: what came in between isn't known, so the sum goes on from
// where it was.
static int64_t sum_of_threads(struct requests *r, int64_t now)
{
    if (now < r->threads)
        r->before += r->threads - now;
    r->threads = now;
    return r->before + now;
}

static int finish(struct requests *r, struct requests_answer *ret)
{
    struct requests_answer a;
    int rc = answer_end(&r->answer, &a);

    if (rc < 0)
        return fall_back(r, rc) ? -EAGAIN : rc;
    if (a.source == REQUESTS_THREADS)
        a.total = sum_of_threads(r, a.total);
    // php-fpm counts a question when it comes, Apache when it has been answered.
    int64_t counted = a.source == REQUESTS_FPM ? r->asked + 1 : a.source == REQUESTS_APACHE ? r->asked : 0;
    a.total = a.total > counted ? a.total - counted : 0;
    r->asked++;
    *ret = a;
    return 0;
}

static int step(struct requests *r, struct requests_answer *ret)
{
    char data[16384];

    while (r->sent < r->ask_n) {
        ssize_t n = send(r->fd, r->ask + r->sent, r->ask_n - r->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN ? -EINPROGRESS : -errno;
        r->sent += (size_t)n;
    }
    for (size_t now = 0; now < READ_AT_ONCE;) {
        ssize_t n = recv(r->fd, data, sizeof data, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -EINPROGRESS : -errno;
        if (n == 0)
            return finish(r, ret);
        now += (size_t)n;
        r->got += (size_t)n;
        if (r->got > REQUESTS_READ_MAX)
            return -EMSGSIZE;
        int rc = answer_take(&r->answer, data, (size_t)n);
        if (rc < 0)
            return rc;
        if (answer_has_ended(&r->answer))
            return finish(r, ret);
    }
    return -EINPROGRESS;
}

int requests_step(struct requests *r, struct requests_answer *ret)
{
    if (r->target.source == REQUESTS_TCP)
        return read_snmp(r, ret);
    if (r->fd < 0)
        return -ENOTCONN;
    int rc = step(r, ret);
    if (rc != -EINPROGRESS)
        hang_up(r);
    return rc;
}

int requests_ask(struct requests *r, int deadline_ms, struct requests_answer *ret)
{
    int64_t end = (int64_t)clock_ms() + deadline_ms;
    int rc = requests_start(r);

    while (rc == 0 && (rc = requests_step(r, ret)) != 0) {
        if (rc == -EAGAIN) {
            rc = requests_start(r);
            continue;
        }
        if (rc != -EINPROGRESS)
            return rc;
        int64_t left = end - (int64_t)clock_ms();
        struct pollfd p = {.fd = r->fd, .events = requests_events(r)};
        if (left <= 0) {
            hang_up(r);
            return -ETIMEDOUT;
        }
        if (poll(&p, 1, (int)left) < 0 && errno != EINTR) {
            rc = -errno;
            hang_up(r);
            return rc;
        }
        rc = 0;
    }
    return rc;
}
