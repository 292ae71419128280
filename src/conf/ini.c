// SPDX-License-Identifier: Apache-2.0
// Reads the configuration file's lines. Runs in the master and the cli; owns nothing (results are the caller's arena's).
// Ours, because libini_config, tried first, can't say what users must be told: it folds the case of keys (env[Path] and
// env[PATH] are one), reports a repeated key without its name, either refuses or allows repeats for all keys alike (`header`
// may repeat, `root` may not), merges repeated sections, and stops at a NUL byte without a word.
// Invariant: any input gives items, never a crash, and every rejected line gives an INI_ERROR with its number.
#include "conf/ini.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

struct reader {
    struct arena *arena;
    char **environ;
    struct ini_item *items;
    size_t n, cap;
    unsigned line;
};

static struct ini_item *add_item(struct reader *r, enum ini_type type)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct ini_item *grown = arena_alloc(r->arena, cap * sizeof *grown);
        if (r->n)
            memcpy(grown, r->items, r->n * sizeof *grown);
        r->items = grown;
        r->cap = cap;
    }
    struct ini_item *it = &r->items[r->n++];
    *it = (struct ini_item){.type = type, .line = r->line, .key = "", .value = ""};
    return it;
}

static void add_error(struct reader *r, const char *reason)
{
    add_item(r, INI_ERROR)->value = reason;
}

static struct str trim(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static const char *find_env(const struct reader *r, struct str name)
{
    for (char **e = r->environ; e && *e; e++)
        if (strncmp(*e, name.p, name.n) == 0 && (*e)[name.n] == '=')
            return *e + name.n + 1;
    return NULL;
}

// At "${": appends the variable's value and returns how many bytes were taken, or 0 after an error item.
static size_t expand_env(struct reader *r, struct str s, struct buf *out)
{
    size_t end = str_find(s, '}');
    struct str name = end == SIZE_MAX ? (struct str){0} : (struct str){s.p + 2, end - 2};

    if (!name.n || memchr(name.p, '=', name.n)) {
        add_error(r, "'${' needs a name and '}' (write \"\\${\" for the characters themselves)");
        return 0;
    }
    const char *value = find_env(r, name);
    if (!value) {
        add_error(r, arena_printf(r->arena, "environment variable %.*s is not set", STR_ARG(name)).p);
        return 0;
    }
    buf_add(out, value, strlen(value));
    return end + 1;
}

static bool is_env(struct str s, size_t i)
{
    return s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{';
}

static bool read_quoted(struct reader *r, struct str s, struct buf *out)
{
    size_t i = 1;

    while (i < s.n && s.p[i] != '"') {
        if (is_env(s, i)) {
            size_t took = expand_env(r, (struct str){s.p + i, s.n - i}, out);
            if (!took)
                return false;
            i += took;
            continue;
        }
        char c = s.p[i++];
        if (c == '\\') {
            const char *known = "\"\\nt$", *as = "\"\\\n\t$";
            const char *at = i < s.n && s.p[i] ? strchr(known, s.p[i]) : NULL;
            if (!at) {
                add_error(r, "in quotes '\\' must be followed by one of \" \\ n t $");
                return false;
            }
            c = as[at - known];
            i++;
        }
        buf_add(out, &c, 1);
    }
    if (i >= s.n) {
        add_error(r, "a closing '\"' is missing");
        return false;
    }
    struct str rest = trim((struct str){s.p + i + 1, s.n - i - 1});
    if (rest.n && rest.p[0] != ';') {
        add_error(r, "text after the closing '\"'");
        return false;
    }
    return true;
}

// 'as it is'
static bool read_raw(struct reader *r, struct str s, struct buf *out)
{
    size_t end = str_find((struct str){s.p + 1, s.n - 1}, '\'');

    if (end == SIZE_MAX) {
        add_error(r, "a closing \"'\" is missing");
        return false;
    }
    struct str rest = trim((struct str){s.p + end + 2, s.n - end - 2});
    if (rest.n && rest.p[0] != ';') {
        add_error(r, "text after the closing \"'\" (put the whole value in double quotes)");
        return false;
    }
    buf_add(out, s.p + 1, end);
    return true;
}

static bool read_bare(struct reader *r, struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == ';' && (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
            break;
        size_t took = 1;
        if (is_env(s, i)) {
            took = expand_env(r, (struct str){s.p + i, s.n - i}, out);
            if (!took)
                return false;
        } else {
            buf_add(out, s.p + i, 1);
        }
        i += took;
    }
    while (out->n && (out->p[out->n - 1] == ' ' || out->p[out->n - 1] == '\t'))
        out->n--;
    return true;
}

static void read_section(struct reader *r, struct str s)
{
    size_t end = str_find(s, ']');
    if (end == SIZE_MAX) {
        add_error(r, "a section's ']' is missing");
        return;
    }
    struct str rest = trim((struct str){s.p + end + 1, s.n - end - 1});
    if (rest.n && rest.p[0] != ';' && rest.p[0] != '#') {
        add_error(r, "text after the section's ']'");
        return;
    }
    struct str inside = trim((struct str){s.p + 1, end - 1});
    size_t word = 0;
    while (word < inside.n && inside.p[word] != ' ' && inside.p[word] != '\t')
        word++;
    if (!word) {
        add_error(r, "a section without a name");
        return;
    }
    struct str name = trim((struct str){inside.p + word, inside.n - word});
    struct ini_item *it = add_item(r, INI_SECTION);
    it->key = arena_strndup(r->arena, inside.p, word);
    it->value = arena_strndup(r->arena, name.p, name.n);
}

static void read_key(struct reader *r, struct str s)
{
    size_t eq = str_find(s, '=');
    if (eq == SIZE_MAX) {
        bool nginx = s.n && (s.p[s.n - 1] == '{' || s.p[s.n - 1] == '}');
        add_error(r, nginx ? "this looks like nginx's syntax; write [site NAME] or [route NAME] and key = value"
                           : "neither '[section]' nor 'key = value'");
        return;
    }
    struct str key = trim((struct str){s.p, eq});
    if (!key.n) {
        add_error(r, "a key is missing before '='");
        return;
    }
    struct str value = trim((struct str){s.p + eq + 1, s.n - eq - 1});
    struct buf out = BUF_INIT;
    char first = value.n ? value.p[0] : '\0';
    bool quoted = first == '"' || first == '\'';
    if (first == '"' ? read_quoted(r, value, &out) : quoted ? read_raw(r, value, &out) : read_bare(r, value, &out)) {
        struct ini_item *it = add_item(r, INI_KEY);
        it->quoted = quoted;
        it->key = arena_strndup(r->arena, key.p, key.n);
        it->value = out.n ? arena_strndup(r->arena, out.p, out.n) : "";
    }
    buf_done(&out);
}

static void read_line(struct reader *r, struct str s)
{
    if (s.n > INI_LINE_MAX) {
        add_error(r, "a line longer than 64 KiB");
        return;
    }
    if (s.n && memchr(s.p, '\0', s.n)) {
        add_error(r, "a NUL byte: this is not a text file");
        return;
    }
    s = trim(s);
    if (!s.n || s.p[0] == ';' || s.p[0] == '#')
        return;
    if (s.p[0] == '[')
        read_section(r, s);
    else
        read_key(r, s);
}

void ini_parse(struct arena *a, struct str text, char **environ, struct ini_item **ret_items, size_t *ret_n)
{
    struct reader r = {.arena = a, .environ = environ};

    if (str_starts(text, STR("\xef\xbb\xbf"))) // a byte order mark, as some editors write it
        text.p += 3, text.n -= 3;
    if (text.n > INI_FILE_MAX) {
        r.line = 1;
        add_error(&r, "the file is larger than 1 MiB");
        text.n = 0;
    }
    while (text.n) {
        size_t end = str_find(text, '\n');
        struct str line = {text.p, end == SIZE_MAX ? text.n : end};
        r.line++;
        read_line(&r, line);
        size_t took = end == SIZE_MAX ? text.n : end + 1;
        text.p += took;
        text.n -= took;
    }
    *ret_items = r.items;
    *ret_n = r.n;
}
