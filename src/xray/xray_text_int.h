// SPDX-License-Identifier: Apache-2.0
// What the parts of the screen share: its columns. Private to the files xray_text*.c.
#pragma once
#include "xray/xray_text.h"

bool text__is_wide(const struct screen *s);
int text__bytes_column(const struct screen *s); // where amounts end
int text__bar_columns(const struct screen *s);  // the bar behind them; growth ends 14 columns after it
void text__end_line(struct buf *b);
void text__right(struct buf *b, const struct screen *s, enum ink ink, const char *text, int end);
void text__title(struct buf *b, const struct screen *s, const char *text);
// "+3.10 MiB", "~+3.10 MiB" from ages, "0", "-" where it isn't known.
void text__growth(struct buf *b, const struct screen *s, bool known, double per_min, bool from_ages, int end);
