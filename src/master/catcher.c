// SPDX-License-Identifier: Apache-2.0
// What PHP says on its standard error. Runs in the master. Owns the read end of a pool's pipe.
// Invariant: whatever a script writes there, the master reads at most one buffer a turn and logs at most RATE lines a second.
#include "master/catcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"

#define LINE_MAX_BYTES 4096
#define RATE 100 // lines a second
#define LAST_BYTES 2048

struct catcher {
    struct watch watch;
    int fd;
    bool quiet, released, at_end;
    char role[64];
    char line[LINE_MAX_BYTES];
    size_t n;
    uint64_t second;
    unsigned in_second, dropped;
    char last[LAST_BYTES + 1];
    size_t last_n;
};

static void say_dropped(struct catcher *c)
{
    if (c->dropped)
        log_as(LOG_LEVEL_WARNING, c->role, "%u more lines were dropped", c->dropped);
    c->dropped = 0;
}

static void keep_last(struct catcher *c, const char *p, size_t n)
{
    if (n >= LAST_BYTES) {
        p += n - LAST_BYTES;
        n = LAST_BYTES;
    }
    if (c->last_n + n > LAST_BYTES) {
        size_t drop = c->last_n + n - LAST_BYTES;
        memmove(c->last, c->last + drop, c->last_n - drop);
        c->last_n -= drop;
    }
    memcpy(c->last + c->last_n, p, n);
    c->last_n += n;
    c->last[c->last_n] = '\0';
}

static struct str after(struct str s, const char *head)
{
    struct str h = str_from(head);
    return str_starts(s, h) ? (struct str){s.p + h.n, s.n - h.n} : s;
}

// The mold's own lines and those of PHP's start are log lines already (base/log.h): their time and role would stand there
// twice. Their level holds.
static struct str without_head(const struct catcher *c, struct str line, enum log_level *level)
{
    static const char *const levels[] = {"ERROR: ", "WARNING: ", "NOTICE: ", "DEBUG: "};
    const char *pool = c->role + sizeof "pool " - 1;
    const size_t stamp_n = sizeof "[24-Nov-2026 06:08:55] " - 1;
    char role[80];

    if (line.n < stamp_n || line.p[0] != '[' || line.p[stamp_n - 2] != ']' || line.p[stamp_n - 1] != ' ')
        return line;
    struct str rest = {line.p + stamp_n, line.n - stamp_n};
    size_t i = 0;
    while (i < sizeof levels / sizeof *levels && !str_starts(rest, str_from(levels[i])))
        i++;
    if (i == sizeof levels / sizeof *levels)
        return line;
    *level = (enum log_level)i;
    rest = after(rest, levels[i]);
    snprintf(role, sizeof role, "mold %s: ", pool);
    rest = after(rest, role);
    snprintf(role, sizeof role, "worker %s: ", pool);
    return after(after(rest, role), "php: ");
}

static void on_line(struct catcher *c)
{
    uint64_t second = clock_ms() / 1000;
    enum log_level level = LOG_LEVEL_WARNING;
    struct str text = without_head(c, (struct str){c->line, c->n}, &level);

    if (text.n) {
        keep_last(c, "; ", c->last_n ? 2 : 0);
        keep_last(c, text.p, text.n);
    }
    if (!c->n || c->quiet)
        goto out;
    if (second != c->second) {
        say_dropped(c);
        c->second = second;
        c->in_second = 0;
    }
    if (c->in_second++ < RATE)
        log_as(level, c->role, "said: %.*s", STR_ARG(text));
    else
        c->dropped++;
out:
    c->n = 0;
}

// False at the end of file, or when there is nothing now.
static bool read_some(struct catcher *c)
{
    char buf[8192];

    ssize_t n = read(c->fd, buf, sizeof buf);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        on_line(c);
        say_dropped(c);
        loop_del(&c->watch);
        fd_close(&c->fd);
        c->at_end = true;
        return false;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] == '\n') {
            on_line(c);
            continue;
        }
        if (c->n == sizeof c->line)
            on_line(c); // a longer one is broken up
        c->line[c->n++] = buf[i];
    }
    return true;
}

static void on_readable(struct watch *w, uint32_t events)
{
    struct catcher *c = container_of(w, struct catcher, watch);

    (void)read_some(c);
    if (c->at_end && c->released)
        free(c);
}

struct catcher *catcher_new(const char *pool, int *ret_write_fd)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return NULL;
    struct catcher *c = xcalloc(1, sizeof *c);
    c->fd = fds[0];
    snprintf(c->role, sizeof c->role, "pool %s", pool);
    int rc = fd_set_nonblock(c->fd, true);
    if (!rc)
        rc = loop_add(&c->watch, c->fd, EPOLLIN, on_readable);
    if (rc) {
        close(fds[0]);
        close(fds[1]);
        free(c);
        errno = -rc;
        return NULL;
    }
    *ret_write_fd = fds[1];
    return c;
}

void catcher_set_quiet(struct catcher *c, bool quiet)
{
    c->quiet = quiet;
}

const char *catcher_last_words(struct catcher *c)
{
    for (int i = 0; i < 8 && !c->at_end && read_some(c); i++)
        ;
    on_line(c); // one without its end
    return c->last;
}

void catcher_release(struct catcher *c)
{
    if (!c)
        return;
    c->released = true;
    if (c->at_end)
        free(c);
}
