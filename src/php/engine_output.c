// SPDX-License-Identifier: Apache-2.0
// What PHP writes and reads through the SAPI: body bytes, the header block, the request's body, log lines. Runs in a worker
// while a job runs (log lines also in the mold). Owns nothing: bytes go straight to the host.
#include "php/php_int.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"

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

// As php-fpm tells its server: 200 is 200; else a whole status line counts, which http_response_code() does not change before
// PHP 8.5 (a fatal error sets one with 500); else header("Status: 404 ..."), as behind any CGI server; else the code.
static unsigned effective_status(const sapi_headers_struct *headers)
{
    long status = headers->http_response_code;
    const char *line = headers->http_status_line;

    if (line) {
        const char *space = strchr(line, ' ');
        if (status != 200 && space && !strncasecmp(line, "HTTP/", 5))
            status = strtol(space, NULL, 10);
    } else {
        for (const zend_llist_element *e = headers->headers.head; e; e = e->next) {
            const sapi_header_struct *h = (const sapi_header_struct *)(const void *)e->data;
            if (starts_nocase(h, "Status:", 7)) {
                status = strtol(h->header + 7, NULL, 10);
                break;
            }
        }
    }
    return status < 200 || status > 999 ? 500 : (unsigned)status;
}

int engine__output_send_headers(sapi_headers_struct *headers)
{
    if (!engine__host || SG(request_info).no_headers)
        return SAPI_HEADER_SENT_SUCCESSFULLY;
    unsigned status = effective_status(headers);
    engine__host->head_begin();
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
