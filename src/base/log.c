// SPDX-License-Identifier: Apache-2.0
// The error log. Runs in every process; owns nothing but the role's name. Never allocates, so it works when memory is out.
#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 8192
#define PATIENCE_SPAN_MS 10000

static char role_name[48];
static int out_fd = STDERR_FILENO;
static bool dont_wait, unfinished; // unfinished: the last line was written in part
static unsigned dropped;
static unsigned patience_ms;                   // how long lines may wait in all of a span
static uint64_t patience_since, patience_used; // the span's begin, and what went of it, in ms
static enum log_level max_level = LOG_LEVEL_NOTICE;

static const char *const level_names[] = {"ERROR", "WARNING", "NOTICE", "DEBUG"};

void log_init(const char *role, int fd)
{
    snprintf(role_name, sizeof role_name, "%s", role);
    out_fd = fd;
}

void log_set_fd(int fd)
{
    out_fd = fd;
}

int log_fd(void)
{
    return out_fd;
}

void log_dont_wait(void)
{
    log_wait_at_most(0);
}

void log_wait_at_most(unsigned ms)
{
    dont_wait = true;
    patience_ms = ms;
    patience_used = 0;
}

unsigned log_dropped(void)
{
    return dropped;
}

void log_set_level(enum log_level max)
{
    max_level = max;
}

// Copies text with control bytes made visible; returns how many bytes were written to dst.
static size_t copy_visible(char *dst, size_t room, const char *src, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    size_t w = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)src[i];
        if (c >= 0x20 || c == '\t') {
            if (w + 1 > room)
                break;
            dst[w++] = (char)c;
        } else {
            if (w + 4 > room)
                break;
            dst[w++] = '\\';
            dst[w++] = 'x';
            dst[w++] = hex[c >> 4];
            dst[w++] = hex[c & 15];
        }
    }
    return w;
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// Whether a write of up to PIPE_BUF bytes is done at once; only one whose reader hangs says no.
static bool has_room(void)
{
    struct pollfd p = {.fd = out_fd, .events = POLLOUT};

    if (!dont_wait || poll(&p, 1, 0) != 0)
        return true;
    uint64_t start = now_ms();
    if (start - patience_since > PATIENCE_SPAN_MS) {
        patience_since = start;
        patience_used = 0;
    }
    if (patience_used >= patience_ms)
        return false;
    bool room = poll(&p, 1, (int)(patience_ms - patience_used)) > 0;
    patience_used += now_ms() - start;
    return room;
}

static void put(const char *line, size_t n)
{
    struct stat st;
    size_t part = n;

    // A pipe with room for PIPE_BUF bytes may not have it for more.
    if (dont_wait && n > PIPE_BUF && fstat(out_fd, &st) == 0 && !S_ISREG(st.st_mode))
        part = PIPE_BUF;
    while (n > 0 && has_room()) {
        part = part < n ? part : n;
        // A full disk or a closed terminal must not end a server: a line that can't be written is lost.
        if (write(out_fd, line, part) < 0) {
            dropped += dont_wait;
            return;
        }
        line += part;
        n -= part;
        unfinished = n > 0;
    }
}

static void write_line(enum log_level level, const char *role, const char *fmt, va_list ap)
{
    char text[LINE_BYTES], line[LINE_BYTES];
    struct tm tm;
    time_t now = time(NULL);

    if (level > max_level)
        return;
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    localtime_r(&now, &tm);
    size_t w = strftime(line, sizeof line, "[%d-%b-%Y %H:%M:%S] ", &tm);
    w += (size_t)snprintf(line + w, sizeof line - w, "%s: ", level_names[level]);
    if (role && *role)
        w += (size_t)snprintf(line + w, sizeof line - w, "%.47s: ", role);
    w += copy_visible(line + w, sizeof line - w - 1, text, len);
    line[w++] = '\n';
    if (!has_room()) {
        dropped++;
        return;
    }
    if (unfinished)
        put("\n", 1);
    if (dropped) {
        char lost[80];
        int m = snprintf(lost, sizeof lost, "WARNING: %u lines before this one are lost: nobody took them\n", dropped);
        if (write(out_fd, lost, (size_t)m) > 0)
            dropped = 0;
    }
    put(line, w);
}

#define LOG_FN(name, level)                                                                                                      \
    void name(const char *fmt, ...)                                                                                              \
    {                                                                                                                            \
        va_list ap;                                                                                                              \
        va_start(ap, fmt);                                                                                                       \
        write_line(level, role_name, fmt, ap);                                                                                   \
        va_end(ap);                                                                                                              \
    }

LOG_FN(log_error, LOG_LEVEL_ERROR)
LOG_FN(log_warning, LOG_LEVEL_WARNING)
LOG_FN(log_notice, LOG_LEVEL_NOTICE)
LOG_FN(log_debug, LOG_LEVEL_DEBUG)

void log_as(enum log_level level, const char *role, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_line(level, role, fmt, ap);
    va_end(ap);
}
