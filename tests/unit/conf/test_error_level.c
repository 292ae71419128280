// SPDX-License-Identifier: Apache-2.0
#include "../claim.h"
#include "conf/conf_int.h"

T(expressions_come_to_what_php_makes_of_them)
{
    const struct {
        const char *text;
        int level;
    } rows[] = {
        {"0", 0},
        {"-1", -1},
        {"30719", 30719},
        {"E_ALL", 32767},
        {"E_ALL & ~E_DEPRECATED & ~E_STRICT", 22527},
        {"E_ERROR | E_WARNING|E_PARSE", 7},
        {"E_ALL ^ E_NOTICE", 32759},
        {"E_ALL & ~(E_NOTICE | E_STRICT)", 30711},
        {" E_ERROR ", 1},
        {"~~E_ERROR", 1},
    };
    int32_t level;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(conf__parse_error_level(rows[i].text, &level));
        assert_int_equal(level, rows[i].level);
    }
}

T(other_text_is_refused)
{
    const char *bad[] = {"",
                         "E_ALLL",
                         "E_ALL &",
                         "& E_ALL",
                         "(E_ALL",
                         "E_ALL)",
                         "E_ALL E_NOTICE",
                         "all",
                         "~",
                         "99999999999",
                         "((((((((((((((((((((((((1))))))))))))))))))))))))"};
    int32_t level = 7;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(conf__parse_error_level(bad[i], &level));
    assert_int_equal(level, 7);
}

CLAIMS(C(expressions_come_to_what_php_makes_of_them), C(other_text_is_refused))
