// SPDX-License-Identifier: Apache-2.0
// Text for people's screens: colour, width and character set as the terminal has them; text from outside made harmless.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mem/verdict.h"
#include "xray/xray_args.h"

struct screen {
    int columns; // 80 to 100
    int narrow;  // of a terminal that has fewer: sentences keep to them, tables don't; 0: it has enough
    bool color, utf8;
};

// What descriptor fd is: colour only on a terminal (NO_COLOR respected) unless `color` says otherwise; UTF-8 only where the
// locale's variables say so; columns from the terminal, else COLUMNS, else 100.
void screen_init(struct screen *s, int fd, enum xray_color color);
int screen_rows(int fd); // of the terminal; 0: none
int screen_width(int fd);

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_RED, INK_YELLOW, INK_GREEN, INK_BLUE };

// Text of ours (UTF-8; characters beyond ASCII become their nearest where the screen has none) in an ink. Width: draw_width.
void draw(struct buf *b, const struct screen *s, enum ink ink, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
// Text from outside: control characters and what is no UTF-8 become '?'; cut in the middle to `columns` with "...".
void draw_foreign(struct buf *b, const struct screen *s, enum ink ink, const char *text, int columns);
// Spaces so that what follows stands at column `at`, counted from the last newline; at least one.
void draw_to(struct buf *b, const struct screen *s, int at);
// Words of `text` (foreign) in lines of s->columns (s->narrow), those after the first indented.
void draw_wrapped(struct buf *b, const struct screen *s, enum ink ink, const char *text, int indent);
// A bar of `columns` cells, `part` of `whole` of it full.
void draw_bar(struct buf *b, const struct screen *s, enum ink ink, int64_t part, int64_t whole, int columns);
// The values as heights, the last `columns` of them; between their least and largest.
void draw_sparkline(struct buf *b, const struct screen *s, const int64_t *values, size_t n, int columns);
int draw_width(const char *text, size_t n); // columns of UTF-8 without escape sequences
size_t draw_cut(const char *text, size_t n, int columns); // bytes of its first `columns` columns

enum ink ink_of_verdict(enum mem_verdict verdict);
const char *words_of_verdict(enum mem_verdict verdict); // "warming up"
// Copies text as valid UTF-8 without control characters (each becomes U+FFFD), for JSON. Returns dst.
char *clean_utf8(char *dst, size_t size, const char *text);
