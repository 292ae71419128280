// SPDX-License-Identifier: Apache-2.0
// Reads the answers of php-fpm, Caddy, Apache and Plimsoll for the one number that counts requests. Owns nothing. Invariant:
// memory is bounded by struct answer whatever a peer sends; a line is looked at when it is whole.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice/requests_int.h"

enum { FCGI_BEGIN = 1, FCGI_END = 3, FCGI_PARAMS = 4, FCGI_STDIN = 5, FCGI_STDOUT = 6, FCGI_STDERR = 7 };

void answer_begin(struct answer *a, enum requests_source source)
{
    // The line and the series are not looked at before they are filled.
    *a = (struct answer){.source = source};
}

static uint64_t digest_of(struct str s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

// The value of a label in "name{a=\"b\",c=\"d\"} 5"; empty where it has none.
static struct str label(struct str line, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i + n + 3 < line.n; i++) {
        if ((line.p[i] != '{' && line.p[i] != ',') || memcmp(line.p + i + 1, name, n) != 0 || line.p[i + 1 + n] != '=' ||
            line.p[i + 2 + n] != '"')
            continue;
        struct str value = {line.p + i + n + 3, line.n - i - n - 3};
        size_t end = str_find(value, '"');
        return (struct str){value.p, end == SIZE_MAX ? 0 : end};
    }
    return (struct str){"", 0};
}

static bool number(struct str text, double *ret)
{
    char copy[64], *end;

    text = str_trim(text);
    if (!text.n || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    // A time may stand behind the value.
    copy[strcspn(copy, " \t")] = '\0';
    double v = strtod(copy, &end);
    if (*end || end == copy || !isfinite(v) || v < 0 || v > 9e15)
        return false;
    *ret = v;
    return true;
}

// A request passes several handlers of a server and is counted at each: the busiest of each server counts.
static void take_caddy(struct answer *a, struct str line, double value)
{
    uint64_t server = digest_of(label(line, "server")), handler = digest_of(label(line, "handler"));
    unsigned i = 0;

    while (i < a->n_series && (a->series[i].server != server || a->series[i].handler != handler))
        i++;
    if (i == ANSWER_SERIES)
        return;
    if (i == a->n_series)
        a->series[a->n_series++] = (struct answer_series){server, handler, 0};
    a->series[i].sum += value;
    a->found = true;
}

static void take_metric(struct answer *a, struct str line)
{
    static const struct str caddy = STR("caddy_http_requests_total"), ours = STR("plimsoll_http_requests_total");
    bool is_caddy = str_starts(line, caddy), is_ours = str_starts(line, ours);
    size_t name = is_caddy ? caddy.n : ours.n;
    double value;

    // FrankenPHP's own stand there as soon as metrics are on, Caddy's with the first request.
    a->found = a->found || str_starts(line, STR("frankenphp_total_threads "));
    if ((!is_caddy && !is_ours) || line.n <= name || (line.p[name] != ' ' && line.p[name] != '{'))
        return;
    struct str rest = {line.p + name, line.n - name};
    // A label's value may hold any byte but an unescaped quote; the value stands behind the last "}".
    for (size_t i = rest.n; rest.p[0] == '{' && i-- > 0;) {
        if (rest.p[i] == '}') {
            rest = (struct str){rest.p + i + 1, rest.n - i - 1};
            break;
        }
    }
    if (!number(rest, &value))
        return;
    a->source = is_caddy ? REQUESTS_CADDY : REQUESTS_PLIMSOLL;
    if (is_caddy) {
        take_caddy(a, line, value);
    } else {
        a->total += (int64_t)value;
        a->found = true;
    }
}

// Each thread's "RequestCount": 42, stands on a line of its own.
static void take_thread(struct answer *a, struct str line)
{
    static const struct str key = STR("\"RequestCount\":");
    double value;

    line = str_trim(line);
    if (!str_starts(line, key))
        return;
    line = (struct str){line.p + key.n, line.n - key.n};
    line.n -= line.n && line.p[line.n - 1] == ',';
    if (!number(line, &value) || a->total > INT64_MAX / 2)
        return;
    a->total += (int64_t)value;
    a->found = true;
}

static void take_body_line(struct answer *a, struct str line)
{
    static const struct str fpm = STR("accepted conn:"), apache = STR("Total Accesses:");
    struct str key = a->source == REQUESTS_FPM ? fpm : apache;
    double value;

    if (a->source == REQUESTS_THREADS) {
        take_thread(a, line);
    } else if (a->source == REQUESTS_CADDY || a->source == REQUESTS_PLIMSOLL) {
        take_metric(a, line);
    } else if (!a->found && str_starts(line, key) && number((struct str){line.p + key.n, line.n - key.n}, &value)) {
        a->total = (int64_t)value;
        a->found = true;
    }
}

static int take_head_line(struct answer *a, struct str line)
{
    static const struct str status = STR("Status:");

    if (!a->head_seen && a->source != REQUESTS_FPM) {
        // "HTTP/1.1 200 OK"
        if (line.n < 12 || !str_starts(line, STR("HTTP/1.")) || line.p[8] != ' ')
            return -EPROTO;
        a->status = atoi(line.p + 9);
    } else if (a->source == REQUESTS_FPM && str_starts(line, status)) {
        a->status = atoi(line.p + status.n);
    }
    a->head_seen = true;
    if (line.n == 0) {
        a->in_body = true;
        if (!a->status)
            a->status = 200; // CGI
    }
    return 0;
}

static int take_line(struct answer *a)
{
    size_t n = a->line_n;
    bool too_long = a->too_long;

    a->line_n = 0;
    a->too_long = false;
    if (too_long)
        return a->in_body ? 0 : -EPROTO;
    n -= n && a->line[n - 1] == '\r';
    a->line[n] = '\0';
    if (!a->in_body)
        return take_head_line(a, (struct str){a->line, n});
    take_body_line(a, (struct str){a->line, n});
    return 0;
}

static int take_text(struct answer *a, const char *data, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        if (data[i] == '\n')
            r = take_line(a);
        else if (a->line_n == ANSWER_LINE - 1)
            a->too_long = true;
        else
            a->line[a->line_n++] = data[i];
    }
    return r;
}

static int take_frames(struct answer *a, const char *data, size_t n)
{
    for (size_t i = 0; i < n && !a->ended;) {
        if (a->content) {
            size_t take = a->content < n - i ? a->content : n - i;
            int r = a->of_output ? take_text(a, data + i, take) : 0;
            if (r < 0)
                return r;
            a->content -= (unsigned)take;
            i += take;
        } else if (a->padding) {
            size_t take = a->padding < n - i ? a->padding : n - i;
            a->padding -= (unsigned)take;
            i += take;
        } else {
            a->frame[a->frame_n++] = (unsigned char)data[i++];
            if (a->frame_n < sizeof a->frame)
                continue;
            a->frame_n = 0;
            if (a->frame[0] != 1 || (a->frame[1] != FCGI_STDOUT && a->frame[1] != FCGI_STDERR && a->frame[1] != FCGI_END))
                return -EPROTO;
            a->content = (unsigned)a->frame[4] << 8 | a->frame[5];
            a->padding = a->frame[6];
            a->of_output = a->frame[1] == FCGI_STDOUT;
            a->ended = a->frame[1] == FCGI_END;
        }
    }
    return 0;
}

int answer_take(struct answer *a, const char *data, size_t n)
{
    return a->source == REQUESTS_FPM ? take_frames(a, data, n) : take_text(a, data, n);
}

bool answer_has_ended(const struct answer *a)
{
    return a->ended;
}

int answer_end(struct answer *a, struct requests_answer *ret)
{
    if (a->source == REQUESTS_FPM && !a->ended)
        return -EPROTO;
    if (a->line_n && take_line(a) < 0)
        return -EPROTO;
    if (!a->in_body)
        return -EPROTO;
    if (a->status == 404)
        return -ENOENT;
    if (a->status == 401 || a->status == 403)
        return -EACCES;
    if (a->status != 200)
        return -EPROTO;
    // A page of PHP's instead of the status page has no such line: the path isn't the status path.
    if (!a->found)
        return -ENODATA;
    for (unsigned i = 0; i < a->n_series; i++) {
        bool busiest = true;
        for (unsigned k = 0; k < a->n_series; k++)
            busiest = busiest && (a->series[k].server != a->series[i].server || a->series[k].sum < a->series[i].sum ||
                                  (a->series[k].sum == a->series[i].sum && k >= i));
        a->total += busiest && a->series[i].sum < 9e15 ? (int64_t)a->series[i].sum : 0;
    }
    *ret = (struct requests_answer){.source = a->source, .total = a->total};
    return 0;
}

struct params {
    char *p;
    size_t n, size;
};

static void add(struct params *b, const char *name, const char *value)
{
    size_t name_n = strlen(name), value_n = strlen(value);

    if (name_n > 127 || value_n > 127 || b->size - b->n < 2 + name_n + value_n) {
        b->size = b->n = 0; // doesn't fit; nothing more does
        return;
    }
    b->p[b->n++] = (char)name_n;
    b->p[b->n++] = (char)value_n;
    memcpy(b->p + b->n, name, name_n);
    memcpy(b->p + b->n + name_n, value, value_n);
    b->n += name_n + value_n;
}

static size_t frame(char *to, int type, size_t content)
{
    const char head[8] = {1, (char)type, 0, 1, (char)(content >> 8), (char)(content & 0xff), 0, 0};

    memcpy(to, head, sizeof head);
    return sizeof head;
}

size_t answer_ask_fpm(const char *path, char *buf, size_t size)
{
    static const char begin[8] = {0, 1}; // a responder that closes the connection
    size_t n = 0;

    if (size < 64)
        return 0;
    n += frame(buf + n, FCGI_BEGIN, sizeof begin);
    memcpy(buf + n, begin, sizeof begin);
    n += sizeof begin;
    struct params b = {.p = buf + n + 8, .size = size - n - 8 - 16};
    add(&b, "SCRIPT_NAME", path);
    add(&b, "SCRIPT_FILENAME", path);
    add(&b, "REQUEST_METHOD", "GET");
    add(&b, "QUERY_STRING", "");
    add(&b, "REQUEST_URI", path);
    add(&b, "SERVER_PROTOCOL", "HTTP/1.0");
    if (!b.n)
        return 0;
    n += frame(buf + n, FCGI_PARAMS, b.n) + b.n;
    n += frame(buf + n, FCGI_PARAMS, 0);
    n += frame(buf + n, FCGI_STDIN, 0);
    return n;
}

bool answer_from_snmp(struct str text, int64_t *ret)
{
    static const struct str tcp = STR("Tcp:");
    struct str names = {NULL, 0}, line, name, value;

    while (text.n) {
        size_t end = str_find(text, '\n');
        line = (struct str){text.p, end == SIZE_MAX ? text.n : end};
        size_t used = line.n + (end != SIZE_MAX);
        text.p += used;
        text.n -= used;
        if (!str_starts(line, tcp))
            continue;
        if (!names.p) {
            names = line;
            continue;
        }
        while (str_next(&names, ' ', &name) && str_next(&line, ' ', &value)) {
            uint64_t v;
            if (!str_eq(name, STR("PassiveOpens")))
                continue;
            if (!str_to_u64(value, &v) || v > INT64_MAX)
                return false;
            *ret = (int64_t)v;
            return true;
        }
        return false;
    }
    return false;
}
