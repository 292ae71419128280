// SPDX-License-Identifier: Apache-2.0
// Draws into a buffer: columns, bars, sparklines, in the character set at hand. Owns nothing. Invariant: no byte from outside
// reaches a terminal as a control character.
#include "xray/xray_draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define PAGE_COLUMNS 100
#define PAGE_COLUMNS_MIN 80
#define NARROW_MIN 20

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void screen_init(struct screen *s, int fd, enum xray_color color)
{
    struct winsize w;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");
    bool tty = isatty(fd);

    s->columns = PAGE_COLUMNS;
    if (tty && ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        s->columns = w.ws_col;
    else if (columns && atoi(columns) > 0)
        s->columns = atoi(columns);
    s->narrow = s->columns >= PAGE_COLUMNS_MIN ? 0 : s->columns < NARROW_MIN ? NARROW_MIN : s->columns;
    s->columns = s->columns > PAGE_COLUMNS ? PAGE_COLUMNS : s->columns < PAGE_COLUMNS_MIN ? PAGE_COLUMNS_MIN : s->columns;
    s->utf8 = locale_is_utf8();
    s->color = color == COLOR_ALWAYS ||
               (color == COLOR_AUTO && tty && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0);
}

int screen_rows(int fd)
{
    struct winsize w;

    return ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_row : 0;
}

int screen_width(int fd)
{
    struct winsize w;

    return ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

// A control character, C1 (U+0080 to U+009F) included: some terminals obey those too. So are the marks that turn the direction
// of writing (U+202A to U+202E, U+2066 to U+2069): a name could pose as another.
static bool is_control(const unsigned char *p, size_t length)
{
    if (length == 1)
        return p[0] < 0x20 || p[0] == 0x7F;
    if (length == 2)
        return p[0] == 0xC2 && p[1] < 0xA0;
    return length == 3 && p[0] == 0xE2 &&
           ((p[1] == 0x80 && p[2] >= 0xAA && p[2] <= 0xAE) || (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9));
}

// One character, or an escape sequence, which takes no column.
static size_t step(const char *text, size_t n, int *io_columns)
{
    if (text[0] == '\033') {
        const char *end = memchr(text, 'm', n);
        return end ? (size_t)(end - text) + 1 : n;
    }
    size_t length = utf8_length(text, n);
    ++*io_columns;
    return length ? length : 1;
}

int draw_width(const char *text, size_t n)
{
    int columns = 0;

    for (size_t i = 0; i < n;)
        i += step(text + i, n - i, &columns);
    return columns;
}

size_t draw_cut(const char *text, size_t n, int columns)
{
    int at = 0;

    for (size_t i = 0; i < n;) {
        size_t length = step(text + i, n - i, &at);
        if (at > columns)
            return i;
        i += length;
    }
    return n;
}

static const char *const inks[] = {"", "\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[32m", "\033[34m"};

static void add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

// The few characters of ours beyond ASCII.
static const char *ascii_of(const char *p)
{
    static const struct {
        const char *utf8, *ascii;
    } nearest[] = {{"≈", "~"}, {"…", "..."}, {"×", "x"}, {"Σ", "sum of"}, {"–", "-"}, {"→", "->"}, {"·", "-"}, {"≤", "<="}};

    for (size_t i = 0; i < sizeof nearest / sizeof *nearest; i++)
        if (!strncmp(p, nearest[i].utf8, strlen(nearest[i].utf8)))
            return nearest[i].ascii;
    return "?";
}

void draw(struct buf *b, const struct screen *s, enum ink ink, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->color && ink)
        add_text(b, inks[ink]);
    if (s->utf8) {
        add_text(b, text);
    } else {
        size_t n = strlen(text);
        for (size_t i = 0; i < n;) {
            size_t length = utf8_length(text + i, n - i);
            if (length > 1)
                add_text(b, ascii_of(text + i));
            else
                buf_add(b, text + i, 1);
            i += length ? length : 1;
        }
    }
    if (s->color && ink)
        add_text(b, "\033[0m");
}

// Makes text harmless into out; the length.
static size_t make_harmless(const struct screen *s, const char *text, size_t n, char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < n && at + 4 < size;) {
        size_t length = utf8_length(text + i, n - i);
        if (length == 0 || is_control((const unsigned char *)text + i, length)) {
            out[at++] = '?';
            i += length ? length : 1;
        } else if (length > 1 && !s->utf8) {
            const char *ascii = ascii_of(text + i);
            size_t k = strlen(ascii);
            if (at + k >= size)
                break;
            memcpy(out + at, ascii, k);
            at += k;
            i += length;
        } else {
            memcpy(out + at, text + i, length);
            at += length;
            i += length;
        }
    }
    out[at] = '\0';
    return at;
}

// Bytes of the first `columns` columns.
static size_t bytes_of_columns(const char *text, size_t n, int columns)
{
    size_t i = 0;

    while (i < n && columns > 0) {
        size_t length = utf8_length(text + i, n - i);
        i += length ? length : 1;
        columns--;
    }
    return i < n ? i : n;
}

void draw_foreign(struct buf *b, const struct screen *s, enum ink ink, const char *text, int columns)
{
    char clean[1024];
    size_t n = make_harmless(s, text, strlen(text), clean, sizeof clean);
    int width = draw_width(clean, n);

    if (s->color && ink)
        add_text(b, inks[ink]);
    if (width <= columns || columns < 8) {
        buf_add(b, clean, bytes_of_columns(clean, n, columns));
    } else { // the end of a path says more than its middle
        int head = (columns - 3) / 3, tail = columns - 3 - head;
        buf_add(b, clean, bytes_of_columns(clean, n, head));
        add_text(b, "...");
        size_t from = bytes_of_columns(clean, n, width - tail);
        buf_add(b, clean + from, n - from);
    }
    if (s->color && ink)
        add_text(b, "\033[0m");
}

static int column_now(const struct buf *b)
{
    size_t from = b->n;

    while (from > 0 && b->p[from - 1] != '\n')
        from--;
    return b->n ? draw_width(b->p + from, b->n - from) : 0;
}

void draw_to(struct buf *b, const struct screen *s, int at)
{
    int now = column_now(b);

    (void)s;
    do {
        buf_add(b, " ", 1);
    } while (++now < at);
}

void draw_wrapped(struct buf *b, const struct screen *s, enum ink ink, const char *text, int indent)
{
    const char *on = s->color && ink ? inks[ink] : "", *off = s->color && ink ? "\033[0m" : "";
    char clean[2048];
    size_t n = make_harmless(s, text, strlen(text), clean, sizeof clean);
    int at = column_now(b), columns = s->narrow ? s->narrow : s->columns;
    bool fresh = true;

    add_text(b, on);
    for (size_t i = 0; i < n;) {
        size_t length = strcspn(clean + i, " ");
        int width = draw_width(clean + i, length);
        if (!fresh && at + 1 + width > columns) {
            add_text(b, off);
            buf_printf(b, "\n%*s", indent, "");
            add_text(b, on);
            at = indent;
            fresh = true;
        }
        if (!fresh)
            add_text(b, " ");
        at += width + !fresh;
        fresh = false;
        buf_add(b, clean + i, length);
        i += length;
        i += clean[i] == ' ';
    }
    add_text(b, off);
}

void draw_bar(struct buf *b, const struct screen *s, enum ink ink, int64_t part, int64_t whole, int columns)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    double share = whole > 0 && part > 0 ? (double)part / (double)whole : 0;
    int units = (int)((share > 1 ? 1 : share) * columns * 8 + 0.5), cells = 0;

    if (s->color && ink)
        add_text(b, inks[ink]);
    for (; cells < units / 8; cells++)
        add_text(b, s->utf8 ? "█" : "#");
    if (s->utf8 && units % 8) {
        add_text(b, eighths[units % 8]);
        cells++;
    } else if (!s->utf8 && units % 8 >= 4) {
        add_text(b, "#");
        cells++;
    }
    if (s->color && ink)
        add_text(b, "\033[0m");
    if (s->color)
        add_text(b, inks[INK_DIM]);
    for (; cells < columns; cells++)
        add_text(b, s->utf8 ? "·" : ".");
    if (s->color)
        add_text(b, "\033[0m");
}

void draw_sparkline(struct buf *b, const struct screen *s, const int64_t *values, size_t n, int columns)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char ascii[] = "_.-~=+*#";
    int64_t least = INT64_MAX, most = INT64_MIN;

    if (n > (size_t)columns) {
        values += n - (size_t)columns;
        n = (size_t)columns;
    }
    for (size_t i = 0; i < n; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    for (size_t i = 0; i < n; i++) {
        int level = most > least ? (int)((double)(values[i] - least) / (double)(most - least) * 7 + 0.5) : 0;
        if (s->utf8)
            add_text(b, blocks[level]);
        else
            buf_add(b, &ascii[level], 1);
    }
}

enum ink ink_of_verdict(enum mem_verdict verdict)
{
    switch (verdict) {
    case VERDICT_SATURATED:
    case VERDICT_GROWING:
        return INK_RED;
    case VERDICT_WARMING_UP:
    case VERDICT_STEPPED:
        return INK_YELLOW;
    case VERDICT_STEADY:
    case VERDICT_CYCLIC:
        return INK_GREEN;
    default:
        return INK_DIM;
    }
}

const char *words_of_verdict(enum mem_verdict verdict)
{
    return verdict == VERDICT_WARMING_UP ? "warming up" : mem_verdict_name(verdict);
}

char *clean_utf8(char *dst, size_t size, const char *text)
{
    size_t n = strlen(text), at = 0;

    for (size_t i = 0; i < n;) {
        size_t length = utf8_length(text + i, n - i);
        bool bad = length == 0 || is_control((const unsigned char *)text + i, length);
        size_t out = bad ? 3 : length;
        if (at + out + 1 > size)
            break;
        memcpy(dst + at, bad ? "\xEF\xBF\xBD" : text + i, out);
        at += out;
        i += length ? length : 1;
    }
    dst[at] = '\0';
    return dst;
}
