// SPDX-License-Identifier: Apache-2.0
// An HTML page in the making: markup that we write and text that comes from outside are two different calls.
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "mem/ledger.h"
#include "mem/verdict.h"

#define PAGE_MAX (16u << 20)

struct page {
    struct buf html;
};

// Markup of ours; what is formatted into it are numbers and our own words.
void page_html(struct page *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Text from anywhere: escaped, bytes that are no UTF-8 and control characters replaced. NULL is "".
void page_text(struct page *p, const char *text);
// "3.10 MiB"
void page_bytes(struct page *p, int64_t bytes);
void page_begin(struct page *p, const char *title);
void page_end(struct page *p);
// The CSS class of a category or a verdict, and their names in words.
const char *page_category_class(enum ledger_category category);
const char *page_category_words(enum ledger_category category);
const char *page_verdict_words(enum mem_verdict verdict);

extern const char report_style[]; // the page's CSS
