// SPDX-License-Identifier: Apache-2.0
// What a path's names alone say: hidden, a script, source that must never be sent. Pure; runs in the edge.
#include "edge/resolve.h"

#include <strings.h>

static struct str last_segment(struct str path)
{
    size_t at = path.n;
    while (at && path.p[at - 1] != '/')
        at--;
    return (struct str){path.p + at, path.n - at};
}

bool path_is_hidden(struct str path)
{
    static const struct str well_known = {"/.well-known", 12};

    if (str_starts(path, well_known) && (path.n == well_known.n || path.p[well_known.n] == '/')) {
        path.p += well_known.n;
        path.n -= well_known.n;
    }
    for (size_t i = 0; i + 1 < path.n; i++)
        if (path.p[i] == '/' && path.p[i + 1] == '.')
            return true;
    return false;
}

bool path_is_php(struct str path)
{
    return str_ends(path, STR(".php"));
}

// Extensions of files that only talk about a script: coverage reports, mirrored pages, screenshots.
static bool is_harmless(struct str extension)
{
    static const char *const list[] = {"html", "htm",  "xhtml", "css", "js",   "mjs",  "map", "json", "xml", "png",
                                       "jpg",  "jpeg", "gif",   "svg", "webp", "avif", "ico", "pdf",  "mp4", "webm"};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (str_eq_nocase(extension, str_from(list[i])))
            return true;
    return false;
}

static bool is_letter(char c)
{
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

// Whether the text behind a dot begins with an extension of PHP files. Anything may follow "php" (.php5, .phps, .phpold,
// .php~, .php-save); the others are words of their own.
static bool begins_source(struct str s)
{
    static const char *const words[] = {"phtml", "phtm", "pht", "phar", "inc"};

    if (s.n >= 3 && strncasecmp(s.p, "php", 3) == 0)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if (s.n >= n && strncasecmp(s.p, words[i], n) == 0 && (s.n == n || !is_letter(s.p[n])))
            return true;
    }
    return false;
}

bool path_is_source(struct str path)
{
    struct str name = last_segment(path);
    bool source = false;
    size_t last_dot = 0;

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '.')
            continue;
        last_dot = i;
        source |= begins_source((struct str){name.p + i + 1, name.n - i - 1});
    }
    return source && !is_harmless((struct str){name.p + last_dot + 1, name.n - last_dot - 1});
}
