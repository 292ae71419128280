// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share. Differences between PHP versions are settled here or behind an #if in the file that
// needs it, and nowhere else in the tree.
#pragma once
#include <stdbool.h>

#include <php.h>
#include <php_globals.h>
#include <php_ini.h>
#include <php_main.h>
#include <php_variables.h>
#include <SAPI.h>

#include "php/engine.h"

#if PHP_VERSION_ID < 80100
#error "PHP 8.1 or later is needed"
#endif

// The job that runs; valid between engine_run's begin and end.
struct engine_now {
    const struct job *job;
    struct str cookies; // several Cookie fields are one for PHP
    bool cookies_owned; // joined: PHP's memory
    enum engine_end end;
    uint64_t peak_bytes;
    bool head_sent;
};

extern const struct engine_host *engine__host; // NULL in the mold
extern struct engine_now engine__now;

// engine_ini.c
int engine__ini_prepare(const struct pool_spec *spec, sapi_module_struct *sapi, char *ret_why, size_t why_cap);
const char *engine__ini_entries(void);
void engine__ini_read(void); // PHP has read its files: takes back what told it where they are
void engine__ini_lock(const struct pool_spec *spec); // php_admin_* against ini_set
// engine_userini.c
void engine__userini_init(void);
int engine__userini_activate(void);
// engine_vars.c
void engine__vars_init(void); // in MINIT: makes interned names
void engine__vars_hook(void); // after startup: environment import
void engine__vars_register(zval *array);
char *engine__vars_getenv(const char *name, size_t n);
struct str engine__vars_field(struct str name); // first request field of that name
// engine_output.c
size_t engine__output_write(const char *data, size_t n);
void engine__output_flush(void *context);
int engine__output_send_headers(sapi_headers_struct *h);
size_t engine__output_read_post(char *dst, size_t n);
void engine__output_log(const char *message, int syslog_type);
// engine_body.c
void engine__body_init(void); // after startup: how the bodies of POSTs are read
// engine_script.c
bool engine__script_open(zend_file_handle *handle, const char *path); // false: a 403 or 404 was answered
void engine__script_enter(const char *path); // its folder becomes the current one
void engine__script_close(zend_file_handle *handle);
extern bool engine__opcache_on;
// engine_functions.c
extern const zend_function_entry engine__functions[];
// engine_errors.c
void engine__errors_init(void); // counts how scripts end
