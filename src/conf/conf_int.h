// SPDX-License-Identifier: Apache-2.0
// What the files of src/conf share: the option table, the loader's state, assignments and their origins.
//
// Loading is: collect assignments (default, file, environment, flag; each with its origin) → set them in that order → find
// what nobody set (roots, users) → check. Errors are collected all the way.
#pragma once
#include "base/buf.h"
#include "conf/conf.h"

enum conf_section { SEC_COMMAND, SEC_GLOBAL, SEC_SITE, SEC_POOL, SEC_ROUTE, SEC_ANY };
enum conf_kind {
    KIND_NONE,
    KIND_BOOL,        // bool
    KIND_TRI,         // enum tristate
    KIND_UINT,        // unsigned
    KIND_SIZE,        // size_t
    KIND_SIZE64,      // int64_t, -1 = not set
    KIND_TIME,        // unsigned, ms
    KIND_TIME64,      // int64_t ms, -1 = not set
    KIND_SECONDS,     // int64_t s, -1 = not set
    KIND_RLIMIT,      // int64_t, -1 = not set
    KIND_ENUM,        // int, from 0 in the order of the row's words
    KIND_STATIC,      // nothing: only "static" is accepted
    KIND_WORKERS,     // unsigned; "auto" = 0 until it is resolved
    KIND_FD,          // int, -1 = off
    KIND_STRING,      // char *
    KIND_PATH,        // char *, absolute
    KIND_PATH_OFF,    // the same, NULL = off
    KIND_LOG,         // char *, absolute or "-", NULL = off
    KIND_SUBDIR,      // char *, as given
    KIND_FRONT,       // char *, "/index.php", NULL = off
    KIND_URLPATH_OFF, // char *, NULL = off
    KIND_LIST,        // struct conf_list, separated by white space or commas
    KIND_GLOBS,       // struct conf_list, separated by white space; each begins with / or *
    KIND_PATHS,       // struct conf_list, absolute
    KIND_HEADERS,     // struct conf_list, one a line
    KIND_CIDRS,       // struct conf_cidrs
    KIND_PAIRS,       // struct conf_pairs
    KIND_PAIRS_BOOL,  // struct conf_pairs, values "1" and "0"
    KIND_LISTENS,     // the listen array of struct conf_global
    KIND_ADMIN,       // struct conf_listen *, NULL = off
    KIND_REDIRECT,    // redirect and redirect_status of struct conf_route
};
enum conf_when { WHEN_START, WHEN_RELOAD };

struct conf_option {
    enum conf_section section;
    const char *key;
    enum conf_kind kind;
    size_t offset; // in the section's struct
    const char *def;
    uint64_t min, max;
    const char *words; // of an ENUM; else the text for a default that is found
    const char *flag;  // long, without --
    char letter;       // short, 0 = none
    enum conf_when when;
    const char *value; // how --help shows it
    const char *text, *more;
};

extern const struct conf_option conf_options[];
extern const size_t conf_n_options;

static inline bool conf_kind_repeats(enum conf_kind k)
{
    return k == KIND_LIST || k == KIND_GLOBS || k == KIND_PATHS || k == KIND_HEADERS || k == KIND_CIDRS || k == KIND_LISTENS;
}
static inline bool conf_kind_is_pairs(enum conf_kind k)
{
    return k == KIND_PAIRS || k == KIND_PAIRS_BOOL;
}

const char *conf_section_name(enum conf_section s); // "global", "site", ...
const struct conf_option *conf_option_find(enum conf_section s, struct str key);
const struct conf_option *conf_flag_find(const char *name, size_t n, char letter);
// PLIMSOLL_ and the key in capitals, '.' as '_'. False if the row has no variable (routes, pairs, the command's own).
bool conf_option_env(const struct conf_option *o, char *ret_name, size_t size);
// The advice for a key that belongs to another server's vocabulary, or NULL.
const char *conf_foreign_hint(enum conf_section s, const char *key);
// The nearest of n names by edit distance, or NULL if none is near.
const char *conf_nearest(const char *word, const char *const *names, size_t n);
const char *conf_nearest_key(enum conf_section s, const char *key);
const char *conf_nearest_flag(const char *flag);

enum conf_layer { LAYER_DEFAULT, LAYER_FILE, LAYER_ENV, LAYER_FLAG, LAYER_FOUND };

struct conf_origin {
    const struct conf_option *option;
    unsigned index;       // which site, pool or route
    const char *pair_key; // NULL unless the option is pairs
    enum conf_layer layer;
    const char *where; // "FILE:LINE", "environment PLIMSOLL_X", "flag --x", "default", "found: ..."
};

struct ini_item;

struct load {
    struct conf *conf;
    struct conf_errors *errors;
    const struct conf_args *args;
    const char *cwd;
    bool as_root;
    size_t cap_origins;
};

// One value on its way into the configuration.
struct conf_assign {
    const struct conf_option *option;
    unsigned index;
    const char *pair_key, *text;
    bool quoted; // a list's single element
    enum conf_layer layer;
    const char *where; // for errors and origins
    const char *base;  // folder that relative paths are relative to
};

// The file, read into items; relative paths in it are relative to dir.
struct conf_file {
    struct ini_item *items;
    size_t n;
    const char *dir;
};

#define CONF_ERRORS_MAX 100

// sections.c: makes the objects and sets their defaults and what the file says.
void conf__apply_sections(struct load *l, const struct conf_file *f);

// load.c
// Splits "env[NAME]"; false if the brackets are broken.
bool conf__split_key(struct arena *a, const char *key, struct str *ret_name, const char **ret_pair_key);
const char *conf__env(const struct conf_args *args, const char *name); // NULL also if it is empty
void conf__error(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf__warn(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf__finding(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf__list_add(struct arena *a, struct conf_list *list, const char *s);
void *conf__object(struct conf *c, enum conf_section s, unsigned index); // the struct a section's options live in
struct conf_origin *conf__origin_find(const struct conf *c, const struct conf_option *o, unsigned index, const char *pair_key);
void conf__origin_set(struct load *l, const struct conf_option *o, unsigned index, const char *pair_key, enum conf_layer layer,
                      const char *where);
bool conf__is_set(const struct conf *c, enum conf_section s, unsigned index, const char *key); // by file, environment or flag
const char *conf__where(const struct conf *c, enum conf_section s, unsigned index, const char *key);
// How an error line about a value begins: "FILE:LINE: key", "--flag", "environment PLIMSOLL_X", or the key alone.
const char *conf__at(struct conf *c, enum conf_section s, unsigned index, const char *key);
char *conf__path_join(struct arena *a, const char *base, const char *path);

// For the fuzzer: what the text says and nothing else; nothing is found, or checked against this machine.
int conf__load_text(struct str text, struct conf **ret_conf, struct conf_errors *errors);

// assign.c: sets one value; false after an error was added.
bool conf__assign(struct load *l, const struct conf_assign *as);
// format.c: a value as text that can be read again. How many texts there are (0 = not set, several for a list), and each.
size_t conf__format_count(const struct conf *c, const struct conf_option *o, const void *object);
void conf__format(const struct conf *c, const struct conf_option *o, const void *object, size_t i, struct buf *out);

// value.c: text to values; each returns NULL, or the reason why it can't be read.
const char *conf__parse_bool(const char *s, bool *ret_value);
const char *conf__parse_uint(const char *s, uint64_t *ret_value);
const char *conf__parse_size(const char *s, uint64_t *ret_value);
const char *conf__parse_time(const char *s, uint64_t *ret_ms);
const char *conf__parse_listen(struct arena *a, const char *s, struct conf_listen *ret_listen);
const char *conf__parse_cidrs(struct arena *a, const char *s, struct conf_cidrs *list);

// error_level.c
bool conf__parse_error_level(const char *s, int32_t *ret_level);

// discover.c, users.c, sendmail.c, cpus.c
void conf__discover_site(struct load *l, struct conf_site *site, unsigned index);
void conf__add_builtin_routes(struct load *l);
void conf__resolve_users(struct load *l);
void conf__check_access(struct load *l);
void conf__warn_of_sendmail(struct load *l);
unsigned conf__cpus(void);
unsigned conf__cpus_quota(const char *proc_self_cgroup, const char *sys_fs_cgroup); // 0 = no quota
// Walks to path as that user; 0, or -errno and the folder that blocks in ret_blocker (malloc'ed).
int conf__reach(const char *path, bool write_wanted, const char *user, uid_t uid, gid_t gid, char **ret_blocker);
