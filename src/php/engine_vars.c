// SPDX-License-Identifier: Apache-2.0
// $_SERVER, getenv() and $_ENV: the process's environment, the request's fields as HTTP_*, and its variables
// (tbl/job_vars.def), in this order, so that a request's variable wins over an environment variable of the same name.
// Runs in a worker. Owns names made once in the mold, whose hash PHP need not compute again, and a picture of the
// environment with ready-made strings.
#include "php/php_int.h"

#include <stdlib.h>
#include <string.h>

#include <ext/filter/php_filter.h>
#include <zend_modules.h>

extern char **environ;

#define FIELD_NAME_MAX 256

static zend_string *var_keys[JOB_VARS];
static zend_string *self_key;
static HashTable known_fields; // "HTTP_ACCEPT" -> interned zend_string

static const char *const common_fields[] = {
    "HTTP_HOST", "HTTP_CONNECTION", "HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE",
    "HTTP_ACCEPT_CHARSET", "HTTP_COOKIE", "HTTP_REFERER", "HTTP_ORIGIN", "HTTP_CACHE_CONTROL", "HTTP_PRAGMA",
    "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_AUTHORIZATION", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE",
    "HTTP_UPGRADE_INSECURE_REQUESTS", "HTTP_SEC_FETCH_DEST", "HTTP_SEC_FETCH_MODE", "HTTP_SEC_FETCH_SITE",
    "HTTP_SEC_FETCH_USER", "HTTP_SEC_CH_UA", "HTTP_SEC_CH_UA_MOBILE", "HTTP_SEC_CH_UA_PLATFORM", "HTTP_DNT", "HTTP_TE",
    "HTTP_X_REQUESTED_WITH", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_X_REQUEST_ID", "HTTP_PRIORITY", "HTTP_RANGE",
    "HTTP_TRACEPARENT", "HTTP_VIA", "HTTP_EXPECT", "HTTP_X_CSRF_TOKEN",
};

// ---- the environment ----

struct env_var {
    const char *entry; // the string in environ; another pointer there: it was changed since
    zend_string *name, *value;
};

static struct env_var *env_vars;
static size_t n_env_vars;

static void init_env(void)
{
    size_t n = 0;
    while (environ && environ[n])
        n++;
    env_vars = calloc(n + 1, sizeof *env_vars);
    for (n_env_vars = 0; n_env_vars < n; n_env_vars++) {
        struct env_var *e = &env_vars[n_env_vars];
        const char *eq = strchr(environ[n_env_vars], '=');
        size_t name_n = eq ? (size_t)(eq - environ[n_env_vars]) : 0;

        e->entry = environ[n_env_vars];
        // What PHP would make of a name with such characters is left to it.
        if (!name_n || memchr(e->entry, ' ', name_n) || memchr(e->entry, '.', name_n) || memchr(e->entry, '[', name_n))
            continue;
        e->name = zend_string_init_interned(e->entry, name_n, 1);
        e->value = zend_string_init_interned(eq + 1, strlen(eq + 1), 1);
    }
}

static void add_env_slowly(const char *entry, zval *array)
{
    const char *eq = strchr(entry, '=');
    char name[FIELD_NAME_MAX];
    size_t n = eq ? (size_t)(eq - entry) : 0;

    if (!n || n >= sizeof name)
        return;
    memcpy(name, entry, n);
    name[n] = '\0';
    php_register_variable(name, eq + 1, array);
}

static void add_env(zval *array)
{
    zval v;

    for (size_t i = 0; environ && environ[i]; i++) {
        const struct env_var *e = i < n_env_vars && env_vars[i].entry == environ[i] ? &env_vars[i] : NULL;
        if (e && e->name) {
            ZVAL_INTERNED_STR(&v, e->value);
            zend_symtable_update(Z_ARRVAL_P(array), e->name, &v);
        } else
            add_env_slowly(environ[i], array);
    }
}

// ---- names ----

// "Accept-Language" -> "HTTP_ACCEPT_LANGUAGE". Returns its length, 0 = too long.
static size_t field_key(struct str name, char dst[FIELD_NAME_MAX])
{
    if (name.n + 5 >= FIELD_NAME_MAX)
        return 0;
    memcpy(dst, "HTTP_", 5);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        dst[5 + i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
    }
    dst[5 + name.n] = '\0';
    return 5 + name.n;
}

void engine__vars_init(void)
{
    for (int i = 0; i < JOB_VARS; i++)
        var_keys[i] = zend_string_init_interned(job_var_names[i], strlen(job_var_names[i]), 1);
    self_key = zend_string_init_interned("PHP_SELF", 8, 1);
    zend_hash_init(&known_fields, 64, NULL, NULL, 1);
    for (size_t i = 0; i < sizeof common_fields / sizeof *common_fields; i++) {
        size_t n = strlen(common_fields[i]);
        zend_hash_str_update_ptr(&known_fields, common_fields[i], n, zend_string_init_interned(common_fields[i], n, 1));
    }
    init_env();
}

// ---- adding to an array ----

// Where ext/filter has no default filter of its own, it only wants to know the values; else it has to see each one.
// Its storage is reached through the module's entry, because libphp does not export it.
static zend_filter_globals *filter_storage(void)
{
    static bool looked;
    static zend_module_entry *module;

    if (!looked) {
        module = zend_hash_str_find_ptr(&module_registry, "filter", sizeof("filter") - 1);
        looked = true;
    }
    if (!module || module->globals_size != sizeof(zend_filter_globals))
        return NULL;
#ifdef ZTS
    return TSRMG_BULK(*module->globals_id_ptr, zend_filter_globals *);
#else
    return module->globals_ptr;
#endif
}

#define FILTER_UNSAFE_RAW_ID 0x0204

struct adder {
    zval *array;
    int filter_arg; // PARSE_SERVER or PARSE_ENV
    bool filtered;  // each value goes through the input filter
};

static void add_filtered(const struct adder *a, zend_string *key, struct str value)
{
    char *copy = estrndup(value.p, value.n);
    size_t n = value.n;

    if (sapi_module.input_filter(a->filter_arg, ZSTR_VAL(key), &copy, value.n, &n))
        php_register_variable_safe(ZSTR_VAL(key), copy, n, a->array);
    efree(copy);
}

static void add(const struct adder *a, zend_string *key, struct str value)
{
    zval v;

    if (a->filtered) {
        add_filtered(a, key, value);
        return;
    }
    if (value.n == 0)
        ZVAL_EMPTY_STRING(&v);
    else
        ZVAL_STRINGL(&v, value.p, value.n);
    zend_hash_update(Z_ARRVAL_P(a->array), key, &v);
}

// A field that came several times is one value for PHP.
static void add_joined(const struct adder *a, zend_string *key, const zval *had, struct str value)
{
    const char *sep = zend_string_equals_literal(key, "HTTP_COOKIE") ? "; " : ", ";
    zend_string *s = zend_string_alloc(Z_STRLEN_P(had) + 2 + value.n, 0);

    memcpy(ZSTR_VAL(s), Z_STRVAL_P(had), Z_STRLEN_P(had));
    memcpy(ZSTR_VAL(s) + Z_STRLEN_P(had), sep, 2);
    memcpy(ZSTR_VAL(s) + Z_STRLEN_P(had) + 2, value.p, value.n);
    ZSTR_VAL(s)[ZSTR_LEN(s)] = '\0';
    add(a, key, (struct str){ZSTR_VAL(s), ZSTR_LEN(s)});
    zend_string_release(s);
}

static void add_fields(const struct adder *a)
{
    const struct job *job = engine__now.job;
    char name[FIELD_NAME_MAX];

    for (size_t i = 0; i < job->n_fields; i++) {
        const struct job_field *f = &job->fields[i];
        size_t n = field_key(f->name, name);
        // Proxy would become HTTP_PROXY, which HTTP clients take for a setting (httpoxy).
        if (!n || (n == 10 && !memcmp(name, "HTTP_PROXY", 10)))
            continue;
        zend_string *key = zend_hash_str_find_ptr(&known_fields, name, n);
        if (!key)
            key = zend_string_init(name, n, 0);
        // Only what an earlier field of this request left there is joined, not an environment variable.
        bool repeated = false;
        for (size_t j = 0; j < i && !repeated; j++)
            repeated = job->fields[j].name.n == f->name.n && str_eq_nocase(job->fields[j].name, f->name);
        const zval *had = repeated ? zend_hash_find(Z_ARRVAL_P(a->array), key) : NULL;
        if (had && Z_TYPE_P(had) == IS_STRING)
            add_joined(a, key, had, f->value);
        else
            add(a, key, f->value);
        zend_string_release(key);
    }
}

static void add_request(const struct adder *a)
{
    const struct job *job = engine__now.job;

    add_fields(a);
    for (int i = 0; i < JOB_VARS; i++)
        if (job->var[i].n || job_var_always[i])
            add(a, var_keys[i], job->var[i]);
}

static void add_self(const struct adder *a)
{
    struct str script = engine__now.job->var[JOB_SCRIPT_NAME], info = engine__now.job->var[JOB_PATH_INFO];

    if (!info.n) {
        add(a, self_key, script);
        return;
    }
    zend_string *s = zend_string_concat2(script.p, script.n, info.p, info.n);
    add(a, self_key, (struct str){ZSTR_VAL(s), ZSTR_LEN(s)});
    zend_string_release(s);
}

void engine__vars_register(zval *array)
{
    zend_filter_globals *storage = filter_storage();
    struct adder a = {.array = array, .filter_arg = PARSE_SERVER};

    a.filtered = sapi_module.input_filter != php_default_input_filter &&
                 (!storage || storage->default_filter != FILTER_UNSAFE_RAW_ID);
    if (!engine__now.job)
        return;
    zend_hash_extend(Z_ARRVAL_P(array), 64, 0);
    add_env(array);
    add_request(&a);
    add_self(&a);
    if (!a.filtered && storage && Z_TYPE(storage->server_array) == IS_UNDEF)
        ZVAL_COPY(&storage->server_array, array); // for filter_input(INPUT_SERVER)
}

// ---- getenv() and $_ENV ----

struct str engine__vars_field(struct str name)
{
    const struct job *job = engine__now.job;

    for (size_t i = 0; job && i < job->n_fields; i++)
        if (str_eq_nocase(job->fields[i].name, name))
            return job->fields[i].value;
    return (struct str){NULL, 0};
}

char *engine__vars_getenv(const char *name, size_t n)
{
    const struct job *job = engine__now.job;
    char key[FIELD_NAME_MAX];

    if (!job)
        return NULL;
    if (n > 5 && !memcmp(name, "HTTP_", 5)) {
        for (size_t i = 0; i < job->n_fields; i++)
            if (field_key(job->fields[i].name, key) == n && !memcmp(key, name, n))
                return (char *)(uintptr_t)(n == 11 && !memcmp(name, "HTTP_COOKIE", 11) ? engine__now.cookies.p
                                                                                       : job->fields[i].value.p);
        return NULL;
    }
    for (int i = 0; i < JOB_VARS; i++)
        if (ZSTR_LEN(var_keys[i]) == n && !memcmp(ZSTR_VAL(var_keys[i]), name, n))
            return job->var[i].n || job_var_always[i] ? (char *)(uintptr_t)job->var[i].p : NULL;
    return NULL;
}

// $_ENV and getenv() without a name: as php-fpm has them, with the request's variables.
static void import_environment(zval *array)
{
    struct adder a = {.array = array, .filter_arg = PARSE_SERVER};

    if (Z_TYPE(PG(http_globals)[TRACK_VARS_ENV]) == IS_ARRAY && Z_ARR_P(array) == Z_ARR(PG(http_globals)[TRACK_VARS_ENV]))
        a.filter_arg = PARSE_ENV;
    add_env(array);
    if (engine__now.job)
        add_request(&a);
}

void engine__vars_hook(void)
{
    php_import_environment_variables = import_environment;
    php_load_environment_variables = import_environment;
}
