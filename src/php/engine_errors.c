// SPDX-License-Identifier: Apache-2.0
// Watches PHP's errors to tell how a script ended. Runs in a worker. Owns the link to the error handler that was there
// before. Errors are rare, so a look at their text costs nothing that counts.
#include "php/php_int.h"

#include <string.h>

#define FATAL_ERRORS (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR)

static void (*next_error_cb)(int type, zend_string *file, const uint32_t line, zend_string *message);

static void on_error(int type, zend_string *file, const uint32_t line, zend_string *message)
{
    if (type & FATAL_ERRORS) {
        const char *text = ZSTR_VAL(message);
        if (!strncmp(text, "Maximum execution time of", 25))
            engine__now.end = ENGINE_END_TIMEOUT;
        else if (!strncmp(text, "Allowed memory size of", 22))
            engine__now.end = ENGINE_END_MEMORY;
        else if (engine__now.end == ENGINE_END_NORMAL)
            engine__now.end = ENGINE_END_FATAL;
    }
    next_error_cb(type, file, line, message);
}

void engine__errors_init(void)
{
    next_error_cb = zend_error_cb;
    zend_error_cb = on_error;
}
