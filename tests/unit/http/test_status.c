// SPDX-License-Identifier: Apache-2.0
#include "http/status.h"

#include <string.h>

#include "../claim.h"

T(codes_have_their_reasons)
{
    assert_string_equal(status_reason(200), "OK");
    assert_string_equal(status_reason(103), "Early Hints");
    assert_string_equal(status_reason(404), "Not Found");
    assert_string_equal(status_reason(431), "Request Header Fields Too Large");
    assert_string_equal(status_reason(505), "HTTP Version Not Supported");
}

T(unknown_codes_have_none)
{
    static const unsigned codes[] = {0, 99, 199, 299, 306, 418, 499, 599, 600, 999, 65536 + 200, 4294967295u};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        assert_string_equal(status_reason(codes[i]), "");
}

T(rows_are_sorted_and_printable)
{
    static const struct {
        unsigned code;
        const char *reason;
    } rows[] = {
#define STATUS(code, reason) {code, reason},
#include "tbl/status.def"
#undef STATUS
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_in_range(rows[i].code, i ? rows[i - 1].code + 1 : 100, 599);
        assert_true(strlen(rows[i].reason) > 1);
        assert_string_equal(status_reason(rows[i].code), rows[i].reason);
        for (const char *p = rows[i].reason; *p; p++)
            assert_in_range(*p, ' ', '~');
    }
}

CLAIMS(C(codes_have_their_reasons), C(unknown_codes_have_none), C(rows_are_sorted_and_printable))
