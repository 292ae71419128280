// SPDX-License-Identifier: Apache-2.0
// What PHP writes and reads through the SAPI: body bytes, the header block, the request's body, log lines. Runs in a worker
// while a job runs (log lines also in the mold). Owns nothing: bytes go straight to the host.
#include "php/php_int.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"

#define REASON_MAX 256 // with its code; a longer one is left out

size_t engine__output_write(const char *data, size_t n)
{
    if (!engine__host)
        return n; // a preload script's output goes nowhere, as php-fpm's
    size_t taken = engine__host->write(data, n);
    if (taken < n)
        php_handle_aborted_connection();
    return taken;
}

void engine__output_flush(void *context)
{
    if (!engine__host || !context)
        return;
    // As on FPM: a flush() before the first byte sends the header since 8.4; before, it left header() and the status of a later
    // error possible.
#if PHP_VERSION_ID >= 80400
    if (!engine__host->finished())
        sapi_send_headers();
#endif
    if (!engine__host->flush())
        php_handle_aborted_connection();
}

static bool starts_nocase(const sapi_header_struct *h, const char *prefix, size_t n)
{
    return h->header_len >= n && !strncasecmp(h->header, prefix, n);
}

static const sapi_header_struct *find_header(const sapi_headers_struct *headers, const char *prefix, size_t n)
{
    for (const zend_llist_element *e = headers->headers.head; e; e = e->next) {
        const sapi_header_struct *h = (const sapi_header_struct *)(const void *)e->data;
        if (starts_nocase(h, prefix, n))
            return h;
    }
    return NULL;
}

// As php-fpm tells its server: 200 is nothing; else a whole status line counts, which http_response_code() does not change before
// PHP 8.5 (a fatal error sets one with 500); else header("Status: 404 ..."), as behind any CGI server; else the code. Where
// nothing was told and there is a Location, the server makes it 302 (RFC 3875 6.2.3). *ret_text: "404 Nope", or NULL.
static unsigned effective_status(const sapi_headers_struct *headers, const char **ret_text)
{
    long status = headers->http_response_code;
    const char *line = headers->http_status_line, *space = line ? strchr(line, ' ') : NULL;
    const sapi_header_struct *h = line && status != 200 ? NULL : find_header(headers, "Status:", 7);
    const char *text = NULL;

    if (status != 200 && space && !strncasecmp(line, "HTTP/", 5))
        text = space + 1;
    else if (h)
        text = h->header + 7;
    if (text)
        status = strtol(text, NULL, 10);
    else if (status == 200 && find_header(headers, "Location:", 9))
        status = 302;
    *ret_text = text ? text + strspn(text, " ") : NULL;
    return status < 200 || status > 999 ? 500 : (unsigned)status;
}

// The script's own words for its status go as the line that CGI has for it.
static void add_reason(unsigned status, const char *text)
{
    char line[REASON_MAX];

    if (!text || (unsigned)strtol(text, NULL, 10) != status || !strchr(text, ' '))
        return;
    int n = snprintf(line, sizeof line, "Status: %s", text);
    if (n > 0 && (size_t)n < sizeof line)
        engine__host->head_add((struct str){line, (size_t)n});
}

int engine__output_send_headers(sapi_headers_struct *headers)
{
    if (!engine__host || SG(request_info).no_headers)
        return SAPI_HEADER_SENT_SUCCESSFULLY;
    const char *text;
    unsigned status = effective_status(headers, &text);
    engine__host->head_begin();
    add_reason(status, text);
    for (const zend_llist_element *e = headers->headers.head; e; e = e->next) {
        const sapi_header_struct *h = (const sapi_header_struct *)(const void *)e->data;
        if (!h->header_len || starts_nocase(h, "Status:", 7))
            continue;
        if (status == 304 && starts_nocase(h, "Content-Type:", 13))
            continue;
        engine__host->head_add((struct str){h->header, h->header_len});
    }
    engine__host->head_end(status, false);
    engine__now.head_sent = true;
    return SAPI_HEADER_SENT_SUCCESSFULLY;
}

size_t engine__output_read_post(char *dst, size_t n)
{
    return engine__host ? engine__host->read(dst, n) : 0;
}

void engine__output_log(const char *message, int syslog_type)
{
    enum log_level level = syslog_type <= LOG_ERR        ? LOG_LEVEL_ERROR
                           : syslog_type == LOG_WARNING ? LOG_LEVEL_WARNING
                           : syslog_type == LOG_DEBUG   ? LOG_LEVEL_DEBUG
                                                        : LOG_LEVEL_NOTICE;
    if (engine__host && engine__now.job)
        engine__host->log(level, str_from(message));
    else
        log_as(level, "php", "%s", message);
}
