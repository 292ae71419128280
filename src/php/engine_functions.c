// SPDX-License-Identifier: Apache-2.0
// The functions this SAPI brings: those php-fpm has, under their names, and headers_send() for early hints. Runs in a
// worker. Owns nothing.
#include "php/php_int.h"

#include <string.h>

#include <ext/standard/head.h>

// ---- fastcgi_finish_request(): the answer is complete, the script goes on ----

static ZEND_FUNCTION(plimsoll_finish_request)
{
    ZEND_PARSE_PARAMETERS_NONE();
    if (!engine__host || engine__host->finished())
        RETURN_FALSE;
    php_output_end_all();
    php_header();
    engine__host->finish();
    RETURN_TRUE;
}

// ---- request fields ----

static ZEND_FUNCTION(getallheaders)
{
    const struct job *job = engine__now.job;

    ZEND_PARSE_PARAMETERS_NONE();
    array_init(return_value);
    for (size_t i = 0; job && i < job->n_fields; i++) {
        const struct job_field *f = &job->fields[i];
        char name[256];
        bool start = true;

        if (f->name.n >= sizeof name)
            continue;
        // As php-fpm gives them, which knows them as HTTP_ variables only: Accept-Language, Te, X-Request-Id.
        for (size_t k = 0; k < f->name.n; k++) {
            char c = ascii_lower(f->name.p[k]);
            name[k] = start && c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
            start = c == '-';
        }
        const zval *had = zend_hash_str_find(Z_ARRVAL_P(return_value), name, f->name.n);
        if (!had) {
            add_assoc_stringl_ex(return_value, name, f->name.n, f->value.p, f->value.n);
            continue;
        }
        zend_string *s = zend_string_concat3(Z_STRVAL_P(had), Z_STRLEN_P(had), str_eq_nocase(f->name, STR("Cookie")) ? "; " : ", ",
                                             2, f->value.p, f->value.n);
        add_assoc_str_ex(return_value, name, f->name.n, s);
    }
}

// ---- response fields ----

static ZEND_FUNCTION(apache_response_headers)
{
    ZEND_PARSE_PARAMETERS_NONE();
    array_init(return_value);
    for (const zend_llist_element *e = SG(sapi_headers).headers.head; e; e = e->next) {
        const sapi_header_struct *h = (const sapi_header_struct *)(const void *)e->data;
        const char *colon = memchr(h->header, ':', h->header_len);
        if (!colon)
            continue;
        const char *value = colon + 1, *end = h->header + h->header_len;
        while (value < end && *value == ' ')
            value++;
        zval v;
        ZVAL_STRINGL(&v, value, (size_t)(end - value));
        zend_symtable_str_update(Z_ARRVAL_P(return_value), h->header, (size_t)(colon - h->header), &v);
    }
}

static void send_informational(unsigned status)
{
    engine__host->head_begin();
    for (const zend_llist_element *e = SG(sapi_headers).headers.head; e; e = e->next) {
        const sapi_header_struct *h = (const sapi_header_struct *)(const void *)e->data;
        if (h->header_len && strncasecmp(h->header, "X-Powered-By:", 13) && strncasecmp(h->header, "Content-Type:", 13) &&
            strncasecmp(h->header, "Set-Cookie:", 11))
            engine__host->head_add((struct str){h->header, h->header_len});
    }
    engine__host->head_end(status, true);
}

// headers_send(103) sends what header() has so far as an informational response and goes on; any other status ends the
// header now.
static ZEND_FUNCTION(headers_send)
{
    zend_long status = 200;

    ZEND_PARSE_PARAMETERS_START(0, 1)
    Z_PARAM_OPTIONAL
    Z_PARAM_LONG(status)
    ZEND_PARSE_PARAMETERS_END();
    if (status < 100 || status > 599) {
        zend_argument_value_error(1, "must be between 100 and 599");
        RETURN_THROWS();
    }
    if (!engine__host || SG(headers_sent) || engine__host->finished())
        RETURN_LONG(SG(sapi_headers).http_response_code);
    if (status >= 100 && status < 200) {
        if (status != 101)
            send_informational((unsigned)status);
        RETURN_LONG(status);
    }
    SG(sapi_headers).http_response_code = (int)status;
    if (sapi_send_headers() == SUCCESS && !engine__host->flush())
        php_handle_aborted_connection();
    RETURN_LONG(status);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_finish, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_array, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_headers_send, 0, 0, IS_LONG, 0)
ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, status, IS_LONG, 0, "200")
ZEND_END_ARG_INFO()

const zend_function_entry engine__functions[] = {
    ZEND_FE(plimsoll_finish_request, arginfo_finish)
    ZEND_NAMED_FE(fastcgi_finish_request, zif_plimsoll_finish_request, arginfo_finish)
    ZEND_FE(getallheaders, arginfo_array)
    ZEND_NAMED_FE(apache_request_headers, zif_getallheaders, arginfo_array)
    ZEND_FE(apache_response_headers, arginfo_array)
    ZEND_FE(headers_send, arginfo_headers_send)
    ZEND_FE_END
};
