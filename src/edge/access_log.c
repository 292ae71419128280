// SPDX-License-Identifier: Apache-2.0
// The access log. Runs in the edge; owns the descriptors it was given and a buffer for each file behind them.
// Invariant: a buffer holds whole lines (but for the rest of one that a short write began), and no write here waits for a
// reader: a pipe or terminal is written to only after poll said that there is room. The descriptor's flags are left alone,
// because its open file description is shared with whoever started the server. A line that can't be written is counted and
// forgotten; the request it tells of was answered all the same.
// SIGPIPE is ignored by the edge; EPIPE is a failure like others.
#include "edge/access_log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "edge/req.h"
#include "ipc/board.h"

#define FLUSH_AT (32u * 1024)       // one write(2) for a hundred lines or so
#define BUFFER_BYTES (192u * 1024)  // FLUSH_AT and the longest line; pages that are never touched cost nothing
#define FLUSH_MS 200                // a line is on disk at most this long after its request
#define CUT(field, max) ((field).n > (max) ? (struct str){(field).p, (max)} : (field))

enum sink_kind { SINK_FILE, SINK_SOCKET, SINK_PIPE };

struct log_sink {
    int fd;
    enum sink_kind kind;
    dev_t dev;
    ino_t ino;
    bool failing; // its last write failed: said once, not for each line
    bool torn;    // what was written ends inside a line
    size_t n, lines;
    char *buf;
};

static const struct conf *the_conf;
static struct log_sink *sinks;
static size_t n_sinks;
static int *site_sink; // index into sinks, -1 = off
static struct timer flush_timer;

// ---- Text ----

// 0 = as it is, 1 = escaped in both formats, 2 = in combined only, 3 = needs a look in JSON and is escaped in combined.
static const unsigned char classes[256] = {
    [0 ... 0x1f] = 1, ['"'] = 1, ['\\'] = 1, [0x7f] = 2, [0x80 ... 0xff] = 3,
};

static char *put(char *p, struct str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

#define PUT_LIT(p, lit) put((p), STR(lit))

static char *put_u64(char *p, uint64_t v)
{
    char digits[20];
    size_t i = sizeof digits;

    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    return put(p, (struct str){digits + i, sizeof digits - i});
}

static char *put_digits(char *p, unsigned v, unsigned n)
{
    for (unsigned i = n; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + n;
}

// Microseconds as milliseconds: 1.234
static char *put_ms(char *p, uint64_t us)
{
    p = put_u64(p, us / 1000);
    *p++ = '.';
    return put_digits(p, (unsigned)(us % 1000), 3);
}

// As nginx escapes: \xNN for controls, the quote, the backslash and everything that is not ASCII. "-" when there is nothing.
static char *put_combined(char *p, struct str s, bool no_space)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!s.n)
        return PUT_LIT(p, "-");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (!classes[c] && !(no_space && c == ' ')) {
            *p++ = (char)c;
            continue;
        }
        p = PUT_LIT(p, "\\x");
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }
    return p;
}

// Always valid JSON in valid UTF-8: a byte that is part of no character becomes the character of its number, \u00XX.
static char *put_json_text(char *p, struct str s)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = classes[c] == 3 ? utf8_length(s.p + i, s.n - i) : 0;
        if (!(classes[c] & 1)) {
            *p++ = (char)c;
            i++;
        } else if (n) {
            p = put(p, (struct str){s.p + i, n});
            i += n;
        } else if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = (char)c;
            i++;
        } else {
            p = PUT_LIT(p, "\\u00");
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
            i++;
        }
    }
    return p;
}

static char *put_json(char *p, struct str key_part, struct str value)
{
    p = put(p, key_part); // ,"key":"
    p = put_json_text(p, value);
    *p++ = '"';
    return p;
}

static char *put_json_if(char *p, struct str key_part, struct str value)
{
    return value.n ? put_json(p, key_part, value) : p;
}

// ---- Time, as text, made once a second ----

// Now, by the request's own clocks: no further system call for a line.
static int64_t wall_us(const struct req *r)
{
    return r->started_wall_us + (int64_t)(r->finished_us > r->started_us ? r->finished_us - r->started_us : 0);
}

static struct str time_combined(time_t t)
{
    static char text[64];
    static size_t n;
    static time_t made = -1;

    if (t != made) {
        struct tm tm;
        static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        localtime_r(&t, &tm);
        long offset = labs(tm.tm_gmtoff) / 60;
        char *p = text;
        *p++ = '[';
        p = put_digits(p, (unsigned)tm.tm_mday, 2);
        *p++ = '/';
        p = put(p, (struct str){months[tm.tm_mon % 12], 3}); // not strftime's %b, which the locale may translate
        *p++ = '/';
        p = put_digits(p, (unsigned)tm.tm_year + 1900, 4);
        *p++ = ':';
        p = put_digits(p, (unsigned)tm.tm_hour, 2);
        *p++ = ':';
        p = put_digits(p, (unsigned)tm.tm_min, 2);
        *p++ = ':';
        p = put_digits(p, (unsigned)tm.tm_sec, 2);
        *p++ = ' ';
        *p++ = tm.tm_gmtoff < 0 ? '-' : '+';
        p = put_digits(p, (unsigned)(offset / 60 * 100 + offset % 60), 4);
        *p++ = ']';
        n = (size_t)(p - text);
        made = t;
    }
    return (struct str){text, n};
}

// RFC 3339 in UTC, without fraction and zone: 2026-11-24T06:08:55
static struct str time_json(time_t t)
{
    static char text[32];
    static size_t n;
    static time_t made = -1;

    if (t != made) {
        struct tm tm;
        gmtime_r(&t, &tm);
        n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        made = t;
    }
    return (struct str){text, n};
}

// ---- Lines ----

// What of a request goes into a line. Each field has an upper length, so a line has one; none of them cuts what a client
// that means well sends.
struct entry {
    struct str client, user, method, target, protocol, referer, user_agent, host, script, id, reason;
    unsigned status;
    uint64_t duration_us;
    size_t bytes; // of the texts together
};

static void entry_of(const struct req *r, struct entry *e)
{
    struct str client = r->client_addr.n ? r->client_addr : str_from(r->peer ? r->peer->client_addr : NULL);

    *e = (struct entry){
        .client = client.n ? CUT(client, 64) : STR("unix:"), // nginx's word for a client on a Unix socket
        .user = CUT(r->remote_user, 128),
        .method = CUT(r->method, 64),
        .target = CUT(r->target, 8192),
        .protocol = str_from(r->protocol),
        .referer = req_field(r, FIELD_REFERER),
        .user_agent = req_field(r, FIELD_USER_AGENT),
        .host = CUT(r->host, 256),
        .script = CUT(r->script_filename, 4096),
        .id = str_from(r->id),
        .reason = str_from(r->end_reason),
        .status = r->status ? r->status : 499, // nginx's number for a client that left before there was an answer
        .duration_us = r->finished_us > r->started_us ? r->finished_us - r->started_us : 0,
    };
    e->referer = CUT(e->referer, 4096);
    e->user_agent = CUT(e->user_agent, 2048);
    e->reason = CUT(e->reason, 512);
    if (!e->host.n)
        e->host = CUT(r->authority, 256);
    e->bytes = e->client.n + e->user.n + e->method.n + e->target.n + e->protocol.n + e->referer.n + e->user_agent.n +
               e->host.n + e->script.n + e->id.n + e->reason.n;
}

static char *put_line_combined(char *p, const struct req *r, const struct entry *e)
{
    p = put(p, e->client);
    p = PUT_LIT(p, " - ");
    p = put_combined(p, e->user, true);
    *p++ = ' ';
    p = put(p, time_combined((time_t)(wall_us(r) / 1000000)));
    p = PUT_LIT(p, " \"");
    p = put_combined(p, e->method, false);
    if (e->method.n) {
        *p++ = ' ';
        p = put_combined(p, e->target, false);
        *p++ = ' ';
        p = put(p, e->protocol);
    }
    p = PUT_LIT(p, "\" ");
    p = put_u64(p, e->status);
    *p++ = ' ';
    p = put_u64(p, r->bytes_out);
    p = PUT_LIT(p, " \"");
    p = put_combined(p, e->referer, false);
    p = PUT_LIT(p, "\" \"");
    p = put_combined(p, e->user_agent, false);
    return PUT_LIT(p, "\"\n");
}

static char *put_line_json(char *p, const struct req *r, const struct entry *e)
{
    int64_t us = wall_us(r);

    p = PUT_LIT(p, "{\"time\":\"");
    p = put(p, time_json((time_t)(us / 1000000)));
    *p++ = '.';
    p = put_digits(p, (unsigned)(us / 1000 % 1000), 3);
    p = PUT_LIT(p, "Z\"");
    p = put_json(p, STR(",\"id\":\""), e->id);
    p = put_json(p, STR(",\"client\":\""), e->client);
    p = put_json_if(p, STR(",\"user\":\""), e->user);
    p = put_json(p, STR(",\"method\":\""), e->method);
    p = put_json(p, STR(",\"host\":\""), e->host);
    p = put_json(p, STR(",\"target\":\""), e->target);
    p = put_json(p, STR(",\"protocol\":\""), e->protocol);
    p = PUT_LIT(p, ",\"status\":");
    p = put_u64(p, e->status);
    p = PUT_LIT(p, ",\"bytes\":");
    p = put_u64(p, r->bytes_out);
    p = PUT_LIT(p, ",\"duration_ms\":");
    p = put_ms(p, e->duration_us);
    p = put_json_if(p, STR(",\"referer\":\""), e->referer);
    p = put_json_if(p, STR(",\"user_agent\":\""), e->user_agent);
    p = put_json_if(p, STR(",\"script\":\""), e->script);
    if (r->worker_pid) {
        p = PUT_LIT(p, ",\"worker\":");
        p = put_u64(p, (uint64_t)r->worker_pid);
    }
    if (r->queue_us) {
        p = PUT_LIT(p, ",\"queue_ms\":");
        p = put_ms(p, r->queue_us);
    }
    p = put_json_if(p, STR(",\"end\":\""), e->reason);
    return PUT_LIT(p, "}\n");
}

// ---- Writing ----

static void drop_pending(struct log_sink *s, int error)
{
    count_add(COUNTER_ACCESS_LOG_DROPPED, s->lines);
    if (!s->failing)
        log_warning("access log: %s; lines are dropped until it can be written again", strerror(error));
    s->failing = true;
    s->n = s->lines = 0;
}

// One write that can't wait for a reader: how much, or -errno (-EAGAIN: no room now).
static ssize_t write_some(const struct log_sink *s)
{
    ssize_t n;

    if (s->kind == SINK_SOCKET) {
        n = send(s->fd, s->buf, s->n, MSG_DONTWAIT | MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    size_t offer = s->n;
    if (s->kind == SINK_PIPE) {
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};
        if (poll(&p, 1, 0) <= 0)
            return -EAGAIN;
        // A writable pipe has room for PIPE_BUF bytes; more might wait. Whole lines, so that other writers don't split them.
        if (offer > PIPE_BUF) {
            const char *end = memrchr(s->buf, '\n', PIPE_BUF);
            offer = end ? (size_t)(end + 1 - s->buf) : PIPE_BUF;
        }
    }
    n = write(s->fd, s->buf, offer);
    return n < 0 ? -errno : n;
}

static void flush_sink(struct log_sink *s)
{
    while (s->n) {
        ssize_t n = write_some(s);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            return; // kept; the timer tries again
        if (n <= 0) {
            drop_pending(s, n ? (int)-n : EIO);
            return;
        }
        s->failing = false;
        s->torn = s->buf[n - 1] != '\n';
        for (const char *p = s->buf; (p = memchr(p, '\n', (size_t)(s->buf + n - p))); p++)
            s->lines--;
        s->n -= (size_t)n;
        memmove(s->buf, s->buf + n, s->n);
    }
}

static void on_flush_timer(struct timer *t)
{
    access_log_flush();
}

static void add_line(struct log_sink *s, const struct req *r)
{
    struct entry e;

    entry_of(r, &e);
    size_t room = e.bytes * 6 + 512; // each byte may become \u00XX
    if (s->n + room > BUFFER_BYTES)
        flush_sink(s);
    if (s->n + room > BUFFER_BYTES) { // nobody reads the pipe
        count(COUNTER_ACCESS_LOG_DROPPED);
        return;
    }
    char *p = s->buf + s->n;
    if (s->torn && !s->n) { // the rest of a line was dropped: don't continue it
        *p++ = '\n';
        s->lines++;
        s->torn = false;
    }
    p = the_conf->global.log_format == LOG_FORMAT_JSON ? put_line_json(p, r, &e) : put_line_combined(p, r, &e);
    s->n = (size_t)(p - s->buf);
    must(s->n <= BUFFER_BYTES);
    s->lines++;
    if (s->n >= FLUSH_AT)
        flush_sink(s);
    if (s->n && !timer_is_set(&flush_timer))
        timer_set(&flush_timer, on_flush_timer, FLUSH_MS);
}

// ---- Descriptors ----

static int sink_for(int fd)
{
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        memset(&st, 0, sizeof st);
    for (size_t i = 0; i < n_sinks; i++)
        if (sinks[i].fd == fd || (st.st_ino && sinks[i].dev == st.st_dev && sinks[i].ino == st.st_ino)) {
            if (sinks[i].fd != fd && fd > STDERR_FILENO)
                close(fd); // the same file twice: one buffer keeps its lines in order
            return (int)i;
        }
    struct log_sink *s = &sinks[n_sinks];
    *s = (struct log_sink){.fd = fd, .dev = st.st_dev, .ino = st.st_ino, .buf = xmalloc(BUFFER_BYTES)};
    s->kind = S_ISREG(st.st_mode) ? SINK_FILE : S_ISSOCK(st.st_mode) ? SINK_SOCKET : SINK_PIPE;
    return (int)n_sinks++;
}

void access_log_init(const struct conf *conf, const int *site_fds)
{
    the_conf = conf;
    n_sinks = 0;
    sinks = xcalloc(conf->n_sites, sizeof *sinks);
    site_sink = xcalloc(conf->n_sites, sizeof *site_sink);
    for (size_t i = 0; i < conf->n_sites; i++)
        site_sink[i] = sink_for(site_fds[i]);
}

// What can't be written by now never will be. A descriptor whose number is in use again is not closed.
static void free_sinks(struct log_sink *old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++) {
        bool kept = old[i].fd <= STDERR_FILENO;
        for (size_t k = 0; k < n_sinks; k++)
            kept = kept || sinks[k].fd == old[i].fd;
        if (!kept)
            close(old[i].fd);
        count_add(COUNTER_ACCESS_LOG_DROPPED, old[i].lines);
        free(old[i].buf);
    }
    free(old);
}

void access_log_reopen(const int *site_fds)
{
    struct log_sink *old = sinks;
    size_t n_old = n_sinks;

    access_log_flush();
    free(site_sink);
    access_log_init(the_conf, site_fds);
    free_sinks(old, n_old);
}

void access_log_done(void)
{
    struct log_sink *old = sinks;
    size_t n_old = n_sinks;

    access_log_flush();
    timer_clear(&flush_timer);
    free(site_sink);
    site_sink = NULL;
    sinks = NULL;
    n_sinks = 0;
    free_sinks(old, n_old);
}

void access_log_request(const struct req *r)
{
    if (r->admin || !site_sink) // a scrape every few seconds is not traffic
        return;
    size_t site = r->site ? (size_t)(r->site - the_conf->sites) : 0; // refused before its site was known: the default site
    must(site < the_conf->n_sites);
    if (site_sink[site] >= 0)
        add_line(&sinks[site_sink[site]], r);
}

void access_log_flush(void)
{
    bool pending = false;

    timer_clear(&flush_timer);
    for (size_t i = 0; i < n_sinks; i++) {
        flush_sink(&sinks[i]);
        pending = pending || sinks[i].n;
    }
    if (pending)
        timer_set(&flush_timer, on_flush_timer, FLUSH_MS);
}
