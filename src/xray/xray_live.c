// SPDX-License-Identifier: Apache-2.0
// The live picture: bars, a sparkline, the verdict, the directories, redrawn in place. Each picture is built whole and written
// once, line by line over the old one, so that nothing flickers; it is never taller than the terminal. Owns the terminal's
// settings while it runs, and gives them back however it ends.
#include "xray/xray_live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdio.h"
#include "base/human.h"
#include "xray/xray_text.h"

static volatile sig_atomic_t ended, resized;

static void on_end(int signal)
{
    (void)signal;
    ended = 1;
}

static void on_resize(int signal)
{
    (void)signal;
    resized = 1;
}

// The hard line of the rows, or usage where it isn't known.
static void draw_time(struct buf *b, const struct screen *s, const struct xray_view *v)
{
    int64_t values[VIEW_ROWS];
    char text[HUMAN_N];
    size_t n = 0;

    for (size_t i = 0; i < v->n_rows; i++) {
        int64_t hard;
        if (mem_hard(&v->rows[i], &hard) || (hard = mem_get(&v->rows[i], MEM_usage, -1)) >= 0)
            values[n++] = hard;
    }
    draw(b, s, INK_BOLD, "\nTime    ");
    draw_sparkline(b, s, values, n, s->columns - 36);
    if (n > 1)
        draw(b, s, INK_DIM, "  %s", human_seconds(v->rows[v->n_rows - 1].t - v->rows[0].t, text));
    buf_add(b, "\n", 1);
}

static void draw_picture(struct buf *b, const struct screen *s, const struct xray_view *v, int rows)
{
    char text[HUMAN_N];

    draw(b, s, INK_DIM, "plimsoll-xray  ");
    draw_foreign(b, s, INK_DIM, v->target, s->columns - 15);
    draw(b, s, INK_PLAIN, "\n\n");
    xray_text_headline(b, s, v);
    draw_time(b, s, v);
    xray_text_ledger(b, s, v, rows >= 40 ? 3 : 0);
    xray_text_directories(b, s, v, rows >= 32 ? 4 : 2);
    if (v->n_fixes) {
        draw(b, s, INK_BOLD, "\nWhat to change  ");
        draw(b, s, INK_PLAIN, "%s", v->fixes[0]->title);
        if (v->fixes[0]->where[0]) {
            draw(b, s, INK_DIM, " (");
            draw_foreign(b, s, INK_DIM, v->fixes[0]->where, 60);
            draw(b, s, INK_DIM, ")");
        }
        buf_add(b, "\n", 1);
    }
    draw(b, s, INK_DIM, "\n%s seen; q ends", human_seconds(v->judged ? v->judge.span : 0, text));
}

// Cuts to `rows` lines of `columns` (0: not known) and clears behind each, then below the last. In the last column the cursor
// stays on what was written there: clearing would take it away.
static void put_picture(const struct buf *picture, int rows, int columns, bool from_scratch)
{
    struct buf out = BUF_INIT;
    int line = 0;

    buf_printf(&out, "%s", from_scratch ? "\033[2J\033[H" : "\033[H");
    for (size_t i = 0; i < picture->n && line < rows; line++) {
        const char *end = memchr(picture->p + i, '\n', picture->n - i);
        size_t n = end ? (size_t)(end - (picture->p + i)) : picture->n - i;
        if (line)
            buf_printf(&out, "\r\n");
        size_t shown = columns > 0 ? draw_cut(picture->p + i, n, columns) : n;
        buf_add(&out, picture->p + i, shown);
        buf_printf(&out, "\033[0m%s", columns > 0 && draw_width(picture->p + i, shown) >= columns ? "" : "\033[K");
        i += n + 1;
    }
    buf_printf(&out, "\033[J");
    (void)fd_write_all(STDOUT_FILENO, out.p, out.n);
    buf_done(&out);
}

// Waits until `until` (monotonic seconds) or a key; true if the key ends it. A terminal that is gone ends it too.
static bool wait_for_key(double until, bool has_keys)
{
    struct pollfd p = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN}; // poll leaves -1 out
    char key;

    while (!ended) {
        double left = until - clock_s();
        bool over = resized || left <= 0; // a key counts all the same: sizes may change without a pause
        int n = poll(&p, 1, over ? 0 : (int)(left * 1000) + 1);
        if (n <= 0 && over)
            return false;
        if (n > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))) {
            ssize_t k = read(STDIN_FILENO, &key, 1);
            if (k == 0 || (k < 0 && errno != EINTR && errno != EAGAIN))
                return true;
            if (k == 1 && (key == 'q' || key == 'Q' || key == 3))
                return true;
        }
    }
    return false;
}

static int run(struct xray_look *l, double for_s, enum xray_color color, bool has_keys)
{
    bool fresh = true;
    double begin = clock_s(), next = begin;

    while (!ended) {
        struct screen s;
        struct buf picture = BUF_INIT;
        screen_init(&s, STDOUT_FILENO, color);
        int rows = screen_rows(STDOUT_FILENO);
        rows = rows > 0 ? rows : 24;
        if (resized)
            fresh = true;
        else if (xray_look_again(l) == -ESRCH)
            return 0; // the container has ended
        resized = 0;
        (void)xray_look_walk(l, 50);
        draw_picture(&picture, &s, xray_look_view(l), rows);
        put_picture(&picture, rows, screen_width(STDOUT_FILENO), fresh);
        buf_done(&picture);
        fresh = false;
        if (for_s > 0 && clock_s() - begin >= for_s)
            break;
        while (next <= clock_s())
            next += 1;
        if (wait_for_key(next, has_keys))
            break;
    }
    return 0;
}

int xray_live(struct xray_look *l, double for_s, enum xray_color color)
{
    struct termios before, raw;
    struct sigaction end = {.sa_handler = on_end}, resize = {.sa_handler = on_resize}, old[5];
    bool has_keys = tcgetattr(STDIN_FILENO, &before) == 0;

    if (!isatty(STDOUT_FILENO)) {
        fprintf(stderr, "plimsoll-xray: --live draws on a terminal, and standard output is none\n");
        return 2;
    }
    ended = resized = 0;
    sigaction(SIGINT, &end, &old[0]);
    sigaction(SIGTERM, &end, &old[1]);
    sigaction(SIGHUP, &end, &old[2]);
    sigaction(SIGWINCH, &resize, &old[3]);
    sigaction(SIGQUIT, &end, &old[4]);
    if (has_keys) {
        raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    // Without the cursor, and lines that are too long cut off: wrapped, they would scroll the verdict away.
    static const char hide[] = "\033[?25l\033[?7l", show[] = "\033[0m\033[?7h\033[?25h\n";
    (void)fd_write_all(STDOUT_FILENO, hide, sizeof hide - 1);
    int rc = run(l, for_s, color, has_keys);
    (void)fd_write_all(STDOUT_FILENO, show, sizeof show - 1);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    sigaction(SIGINT, &old[0], NULL);
    sigaction(SIGTERM, &old[1], NULL);
    sigaction(SIGHUP, &old[2], NULL);
    sigaction(SIGWINCH, &old[3], NULL);
    sigaction(SIGQUIT, &old[4], NULL);
    return rc;
}
