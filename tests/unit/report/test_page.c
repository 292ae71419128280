// SPDX-License-Identifier: Apache-2.0
#include "report/page.h"

#include "../claim.h"

static void assert_text(const char *text, const char *html)
{
    struct page p = {BUF_INIT};

    page_text(&p, text);
    buf_add(&p.html, "", 1);
    assert_string_equal(p.html.p, html);
    buf_done(&p.html);
}

T(text_from_outside_is_escaped)
{
    assert_text("</style><script>alert(1)</script>", "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
    assert_text("\" onload=\"x", "&quot; onload=&quot;x");
    assert_text("a & b", "a &amp; b");
    assert_text(NULL, "");
}

T(bytes_that_are_no_text_are_replaced)
{
    assert_text("a\x01z", "a\xef\xbf\xbdz");
    assert_text("a\x1b[31m", "a\xef\xbf\xbd[31m");
    assert_text("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                 // overlong
    assert_text("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); // a surrogate
    assert_text("caf\xc3\xa9 \xf0\x9f\x9a\xa2", "caf\xc3\xa9 \xf0\x9f\x9a\xa2");
    assert_text("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"); // cut short
}

T(every_category_and_verdict_has_words_and_a_class)
{
    for (int c = 0; c < LEDGER_CATEGORY_N; c++) {
        assert_non_null(page_category_words((enum ledger_category)c));
        assert_non_null(page_category_class((enum ledger_category)c));
        assert_non_null(strstr(report_style, page_category_class((enum ledger_category)c)));
    }
    for (int v = 0; v < VERDICT_N; v++)
        assert_non_null(page_verdict_words((enum mem_verdict)v));
}

CLAIMS(C(text_from_outside_is_escaped), C(bytes_that_are_no_text_are_replaced),
       C(every_category_and_verdict_has_words_and_a_class))
