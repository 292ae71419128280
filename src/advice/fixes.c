// SPDX-License-Identifier: Apache-2.0
// The rows of tbl/fixes.def: which fit, and their placeholders. A pure library.
#include "advice/fixes.h"

#include <stdio.h>
#include <string.h>

#include "mem/sample.h"

#define LEAST_MEMORY_LIMIT (INT64_C(32) << 20) // applications of today start with less than this hardly ever

enum { SERVER_OTHER = SERVER_N }; // a row for servers that have none of their own

static const struct row {
    enum signature_id id;
    enum advice_app app;
    int server;
    struct fix fix;
} rows[] = {
#define FIX(id, app, server, ...) {SIG_##id, APP_##app, SERVER_##server, {__VA_ARGS__}},
#define FIX_CAUSE(...)
#include "tbl/fixes.def"
#undef FIX
#undef FIX_CAUSE
};

static const struct cause_row {
    enum mem_cause cause;
    int server;
    struct fix fix;
} cause_rows[] = {
#define FIX(...)
#define FIX_CAUSE(cause, server, ...) {CAUSE_##cause, SERVER_##server, {__VA_ARGS__}},
#include "tbl/fixes.def"
#undef FIX
#undef FIX_CAUSE
};
#define N_ROWS (sizeof rows / sizeof *rows)
#define N_CAUSE_ROWS (sizeof cause_rows / sizeof *cause_rows)

// SERVER_OTHER fits those for which `has_own` is false.
static bool fits_server(int of_row, enum advice_server server, bool has_own)
{
    return of_row == SERVER_UNKNOWN || of_row == (int)server || (of_row == SERVER_OTHER && !has_own);
}

// A row for an application fits that one; Sulu is a Symfony application, but only where it has no row of its own.
static bool fits_app(enum advice_app of_row, enum advice_app app, bool has_own)
{
    return of_row == APP_UNKNOWN || of_row == app || (of_row == APP_SYMFONY && app == APP_SULU && !has_own);
}

unsigned fix_list(enum signature_id id, enum advice_app app, enum advice_server server, const struct fix *ret[FIX_MAX])
{
    bool own_server = false, own_app = false;
    unsigned n = 0;

    for (size_t i = 0; i < N_ROWS; i++) {
        own_server |= rows[i].id == id && server != SERVER_UNKNOWN && rows[i].server == (int)server;
        own_app |= rows[i].id == id && app != APP_UNKNOWN && rows[i].app == app;
    }
    // Rows for one server or application stand before the general ones with the same title, which then say nothing new.
    for (size_t i = 0; i < N_ROWS && n < FIX_MAX; i++) {
        const struct row *r = &rows[i];
        if (r->id != id || !fits_server(r->server, server, own_server) || !fits_app(r->app, app, own_app))
            continue;
        bool said = false;
        for (unsigned k = 0; k < n; k++)
            said |= !strcmp(ret[k]->title, r->fix.title);
        if (!said)
            ret[n++] = &r->fix;
    }
    return n;
}

unsigned fix_list_cause(enum mem_cause cause, enum advice_server server, const struct fix *ret[FIX_MAX])
{
    unsigned n = 0;

    if (cause == CAUSE_PROCESS_ANON) // not split: PHP's is the likely one
        cause = CAUSE_PHP_HEAP;
    for (size_t i = 0; i < N_CAUSE_ROWS && n < FIX_MAX; i++)
        if (cause_rows[i].cause == cause && fits_server(cause_rows[i].server, server, false))
            ret[n++] = &cause_rows[i].fix;
    return n;
}

struct text {
    char *p;
    size_t n;
};

static void put(struct text *t, const char *s, size_t n)
{
    size_t room = FIX_TEXT - 1 - t->n;

    n = n < room ? n : room;
    memcpy(t->p + t->n, s, n);
    t->n += n;
    t->p[t->n] = '\0';
}

static void put_mib(struct text *t, int64_t bytes, const char *unit)
{
    char number[32];
    int n = snprintf(number, sizeof number, "%lld%s", (long long)(bytes >> 20), unit);

    put(t, number, (size_t)n);
}

static bool is_limited(const struct advice_facts *f)
{
    return f && f->limit > 0 && f->limit != MEM_UNLIMITED;
}

// Nine tenths of the limit less a quarter for all else; FrankenPHP's text, OPcache and Go need 128 MiB at least.
static int64_t left_for_workers(const struct advice_facts *f)
{
    int64_t rest = f->limit / 4, least = f->server == SERVER_FRANKENPHP ? INT64_C(128) << 20 : 0;

    return f->limit / 10 * 9 - (rest > least ? rest : least);
}

// How many workers fit, by what a worker may take. 0: can't be told, or not even one: then tune says what to change instead.
static int64_t workers_that_fit(const struct advice_facts *f)
{
    if (!is_limited(f))
        return 0;
    int64_t each = f->memory_limit > 0 ? f->memory_limit : f->worker_peak, left = left_for_workers(f);
    return each > 0 && left > 0 ? left / each : 0;
}

// Fixes are pasted into shells and files: a directory's name, which is anybody's, must not become a command there.
static bool is_harmless(const char *path)
{
    for (; *path; path++) {
        bool word = (*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z') || (*path >= '0' && *path <= '9');
        if (!word && !strchr("/._-+@:,", *path) && (unsigned char)*path < 0x80)
            return false;
    }
    return true;
}

static void put_placeholder(struct text *t, const char *name, size_t n, const struct advice_facts *f, const char *path)
{
    char number[32];

    if (n == 4 && !memcmp(name, "path", n)) {
        if (path && path[0] == '/' && is_harmless(path))
            put(t, path, strlen(path));
        else
            put(t, "DIRECTORY", 9);
    } else if (n == 10 && !memcmp(name, "tmpfs_size", n)) {
        if (is_limited(f))
            put_mib(t, f->limit / 4, "m");
        else
            put(t, "SIZE", 4);
    } else if (n == 10 && !memcmp(name, "gomemlimit", n)) {
        // A quarter of the container, but room for what is live: Go's share beside PHP. tune measures it.
        int64_t live = f && f->go_heap > 0 ? f->go_heap * 3 / 2 : 0, quarter = is_limited(f) ? f->limit / 4 : 0;
        if (!quarter || live > quarter * 2)
            put(t, "BYTES_FOR_GO", 12);
        else
            put_mib(t, live > quarter ? live : quarter, "MiB");
    } else if ((n == 12 && !memcmp(name, "max_children", n)) || (n == 7 && !memcmp(name, "threads", n))) {
        int64_t fit = workers_that_fit(f);
        if (fit < 1 && n == 12 && is_limited(f) && f->memory_limit > 0) // in a sentence
            put(t, "none", 4);
        else if (fit < 1)
            put(t, "NUMBER", 6);
        else
            put(t, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)fit));
    } else if (n == 12 && !memcmp(name, "memory_share", n)) {
        int64_t workers = f ? (f->server == SERVER_FRANKENPHP ? f->num_threads : f->max_children) : 0;
        int64_t each = is_limited(f) && workers > 0 ? left_for_workers(f) / workers : 0;
        if (each < LEAST_MEMORY_LIMIT)
            put(t, "FEWER_WORKERS_FIRST", 19);
        else
            put_mib(t, each, "M");
    } else if (n == 12 && !memcmp(name, "memory_limit", n)) {
        int64_t bytes = is_limited(f) && f->limit / 4 < (INT64_C(128) << 20) ? f->limit / 4 : INT64_C(128) << 20;
        put_mib(t, bytes, "M");
    } else if (n == 5 && !memcmp(name, "limit", n)) {
        if (is_limited(f))
            put_mib(t, f->limit, "m");
        else
            put(t, "LIMIT", 5);
    } else {
        put(t, name - 1, n + 2); // braces of the setting's own
    }
}

static void put_filled(struct text *t, const char *p, const struct advice_facts *facts, const char *path)
{
    while (*p) {
        size_t n = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
        if (*p == '{' && n && p[n + 1] == '}') {
            put_placeholder(t, p + 1, n, facts, path);
            p += n + 2;
        } else {
            put(t, p++, 1);
        }
    }
}

const char *fix_fill(const char *words, const struct advice_facts *facts, const char *path, char text[FIX_TEXT])
{
    struct text t = {text, 0};

    text[0] = '\0';
    put_filled(&t, words, facts, path);
    return text;
}

const char *fix_text(const struct fix *f, const struct advice_facts *facts, const char *path, char text[FIX_TEXT])
{
    struct text t = {text, 0};

    text[0] = '\0';
    put(&t, f->title, strlen(f->title));
    if (f->where[0]) {
        put(&t, " (", 2);
        put(&t, f->where, strlen(f->where));
        put(&t, ")", 1);
    }
    if (f->paste[0])
        put(&t, ":\n", 2);
    put_filled(&t, f->paste, facts, path);
    if (f->note[0])
        put(&t, "\n", 1);
    put_filled(&t, f->note, facts, path);
    return text;
}

static void print_fix(const struct fix *f, const char *app, const char *server)
{
    printf("* **%s**", f->title);
    if (*app || *server)
        printf(" (%s%s%s)", app, *app && *server ? ", " : "", server);
    if (f->where[0])
        printf(": %s", f->where);
    printf("\n");
    if (f->paste[0]) {
        printf("\n      ");
        for (const char *p = f->paste; *p; p++) {
            putchar(*p);
            if (*p == '\n' && p[1] != '\n')
                printf("      ");
        }
        printf("\n\n");
    }
    if (f->note[0])
        printf("%s  %s\n", f->paste[0] ? "" : "\n", f->note);
}

static const char *name_of_server(int server)
{
    return server == SERVER_UNKNOWN ? ""
           : server == SERVER_OTHER ? "other servers"
                                    : advice_server_name((enum advice_server)server);
}

void fix_print_reference(void)
{
    printf("# What is known to fill a container, and what to change\n\n"
           "<!-- Printed by `plimsoll-xray help --signatures` from src/tbl/signatures.def and fixes.def: change those, then\n"
           "`make docs`. -->\n\n"
           "What [xray](xray.md) and [watch](watch.md) recognise, and their proposals in the order of recommendation. Words in\n"
           "braces are filled in there: `{path}` is the directory found.\n");
    for (unsigned id = SIG_NONE + 1; id < SIG_N; id++) {
        const struct signature *s = signature_get((enum signature_id)id);
        printf("\n## %s\n\n`%s`: %s.\n\n", s->what, s->name, s->cause);
        for (size_t i = 0; i < N_ROWS; i++)
            if (rows[i].id == id)
                print_fix(&rows[i].fix, rows[i].app == APP_UNKNOWN ? "" : advice_app_name(rows[i].app),
                          name_of_server(rows[i].server));
    }
    printf("\n# Where nothing of these explains the growth\n");
    for (size_t i = 0; i < N_CAUSE_ROWS; i++) {
        if (i == 0 || cause_rows[i].cause != cause_rows[i - 1].cause)
            printf("\n## %s\n\n", mem_cause_name(cause_rows[i].cause));
        print_fix(&cause_rows[i].fix, "", name_of_server(cause_rows[i].server));
    }
}
