// SPDX-License-Identifier: Apache-2.0
// An HTML page in the making. Invariant: nothing from outside reaches the page but through page_text.
#include "report/page.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/human.h"
#include "base/utf8.h"

void page_html(struct page *p, const char *fmt, ...)
{
    char text[2048];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0)
        buf_add(&p->html, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void page_text(struct page *p, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)(text ? text : ""); *s;) {
        size_t n = utf8_length(s, 4);
        if (n == 0 || (n == 1 && ((*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f))) {
            buf_add(&p->html, "\xef\xbf\xbd", 3); // U+FFFD
            s++;
            continue;
        }
        const char *entity = *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '&' ? "&amp;" : *s == '"' ? "&quot;" : NULL;
        if (entity)
            buf_add_str(&p->html, str_from(entity));
        else
            buf_add(&p->html, s, n);
        s += n;
    }
}

void page_bytes(struct page *p, int64_t bytes)
{
    char text[HUMAN_N];

    buf_add_str(&p->html, str_from(human_bytes(bytes, text)));
}

void page_begin(struct page *p, const char *title)
{
    // The policy forbids what the page does not need: any request, any script.
    page_html(p, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
                 "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    page_text(p, title);
    page_html(p, "</title><style>");
    buf_add_str(&p->html, str_from(report_style));
    page_html(p, "</style></head><body>\n");
}

void page_end(struct page *p)
{
    page_html(p, "</body></html>\n");
}

const char *page_category_class(enum ledger_category category)
{
    static const char *const classes[LEDGER_CATEGORY_N] = {
        [LEDGER_ANON] = "c-anon",    [LEDGER_FILES] = "c-files",   [LEDGER_SHARED] = "c-shared",
        [LEDGER_CACHE] = "c-cache",  [LEDGER_KERNEL] = "c-kernel", [LEDGER_UNEXPLAINED] = "c-unknown",
        [LEDGER_BESIDE] = "c-beside"};
    return (unsigned)category < LEDGER_CATEGORY_N ? classes[category] : "c-unknown";
}

const char *page_category_words(enum ledger_category category)
{
    static const char *const words[LEDGER_CATEGORY_N] = {
        [LEDGER_ANON] = "Process memory",  [LEDGER_FILES] = "Files in memory", [LEDGER_SHARED] = "Shared memory",
        [LEDGER_CACHE] = "Page cache",     [LEDGER_KERNEL] = "Kernel",         [LEDGER_UNEXPLAINED] = "Unexplained",
        [LEDGER_BESIDE] = "Beside the sum"};
    return (unsigned)category < LEDGER_CATEGORY_N ? words[category] : "Unexplained";
}

const char *page_verdict_words(enum mem_verdict verdict)
{
    static const char *const words[VERDICT_N] = {
        [VERDICT_UNDECIDED] = "undecided", [VERDICT_STEADY] = "steady",   [VERDICT_WARMING_UP] = "warming up",
        [VERDICT_CYCLIC] = "cyclic",       [VERDICT_STEPPED] = "stepped", [VERDICT_GROWING] = "growing",
        [VERDICT_SATURATED] = "saturated"};
    return (unsigned)verdict < VERDICT_N ? words[verdict] : "undecided";
}
