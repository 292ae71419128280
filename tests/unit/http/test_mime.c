// SPDX-License-Identifier: Apache-2.0
#include "http/mime.h"

#include "../claim.h"

static const char *const rows[][2] = {
#define MIME(extension, type) {extension, type},
#include "tbl/mime.def"
#undef MIME
};
#define COUNT (sizeof rows / sizeof rows[0])
#define UNKNOWN "application/octet-stream"

static void type_is(const char *name, const char *type)
{
    assert_string_equal(mime_of(str_from(name)), type);
}

T(the_table_is_sorted_without_duplicates)
{
    for (size_t i = 1; i < COUNT; i++)
        assert_true(strcmp(rows[i - 1][0], rows[i][0]) < 0);
}

T(every_row_is_found)
{
    char name[64];

    for (size_t i = 0; i < COUNT; i++) {
        strcpy(name, "x.");
        strcat(name, rows[i][0]);
        type_is(name, rows[i][1]);
        for (const char *p = rows[i][0]; *p; p++)
            assert_true(*p == ascii_lower(*p) && *p != '.' && *p != '/');
    }
}

T(text_and_only_text_says_utf_8)
{
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(strncmp(rows[i][1], "text/", 5) == 0, str_ends(str_from(rows[i][1]), STR("; charset=utf-8")));
}

T(the_web_has_its_types)
{
    type_is("index.html", "text/html; charset=utf-8");
    type_is("/a.b/style.min.CSS", "text/css; charset=utf-8");
    type_is("app.js", "text/javascript; charset=utf-8");
    type_is("app.mjs", "text/javascript; charset=utf-8");
    type_is("data.json", "application/json");
    type_is("a.svg", "image/svg+xml");
    type_is("a.woff2", "font/woff2");
    type_is("a.wasm", "application/wasm");
    type_is("a.webmanifest", "application/manifest+json");
}

T(everything_else_is_octets)
{
    type_is("", UNKNOWN);
    type_is("css", UNKNOWN);
    type_is("a.", UNKNOWN);
    type_is("a.css/b", UNKNOWN);
    type_is("a.css.", UNKNOWN);
    type_is("a.cssx", UNKNOWN);
    type_is("a.0123456789abcdef0123456789", UNKNOWN);
    assert_string_equal(mime_of(STR("a.css\0")), UNKNOWN);
}

T(php_has_no_type)
{
    static const char *const names[] = {"a.php", "a.PHP", "a.php8", "a.phtml", "a.phar", "a.inc", "a.phps"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        type_is(names[i], UNKNOWN);
}

CLAIMS(C(the_table_is_sorted_without_duplicates), C(every_row_is_found), C(text_and_only_text_says_utf_8),
       C(the_web_has_its_types), C(everything_else_is_octets), C(php_has_no_type))
