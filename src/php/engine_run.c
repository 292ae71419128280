// SPDX-License-Identifier: Apache-2.0
// One request, from its variables to its last destructor. Runs in a worker. Invariant: whatever the script does short of
// ending the process, the engine is ready for the next job when engine_run returns.
#include "php/php_int.h"

#include <string.h>

#include <zend_signal.h>

// Several Cookie fields are one (RFC 6265 5.4 forbids them, HTTP/2 allows them). The joined copy is PHP's own memory and
// goes with the request.
static struct str join_cookies(const struct job *job)
{
    struct str first = {NULL, 0};
    size_t total = 0, count = 0;

    for (size_t i = 0; i < job->n_fields; i++)
        if (job->fields[i].name.n == 6 && str_eq_nocase(job->fields[i].name, STR("Cookie"))) {
            if (!count++)
                first = job->fields[i].value;
            total += job->fields[i].value.n + 2;
        }
    if (count < 2)
        return first;
    char *all = emalloc(total + 1), *at = all;
    for (size_t i = 0; i < job->n_fields; i++)
        if (str_eq_nocase(job->fields[i].name, STR("Cookie"))) {
            if (at > all)
                at = (char *)memcpy(at, "; ", 2) + 2;
            memcpy(at, job->fields[i].value.p, job->fields[i].value.n);
            at += job->fields[i].value.n;
        }
    *at = '\0';
    engine__now.cookies_owned = true;
    return (struct str){all, (size_t)(at - all)};
}

static char *borrow(struct str s)
{
    return (char *)(uintptr_t)s.p;
}

static void set_request_info(const struct job *job, uint64_t body_n)
{
    sapi_request_info *info = &SG(request_info);
    struct str type = job->var[JOB_CONTENT_TYPE], auth = engine__vars_field(STR("Authorization"));

    info->request_method = borrow(job->var[JOB_REQUEST_METHOD]);
    info->query_string = borrow(job->var[JOB_QUERY_STRING]);
    info->request_uri = borrow(job->var[JOB_SCRIPT_NAME]); // what PHP_SELF is made of
    info->path_translated = estrndup(job->var[JOB_SCRIPT_FILENAME].p, job->var[JOB_SCRIPT_FILENAME].n);
    info->content_type = type.n ? type.p : NULL;
    info->content_length = body_n > (uint64_t)ZEND_LONG_MAX ? 0 : (zend_long)body_n;
    SG(sapi_headers).http_response_code = 200; // PHP does not reset it
    php_handle_auth_data(auth.p);
    SG(server_context) = &engine__now;
}

static void run_script(void)
{
    zend_file_handle handle;
    char *path = SG(request_info).path_translated;

    if (!engine__script_open(&handle, path)) {
        engine__script_close(&handle);
        return;
    }
    engine__script_enter(path);
    SG(options) |= SAPI_OPTION_NO_CHDIR;
    php_execute_script(&handle);
    engine__script_close(&handle);
}

void engine_run(const struct job *job, uint64_t body_n, struct engine_result *ret_result)
{
    engine__now = (struct engine_now){.job = job};
    engine__now.cookies = join_cookies(job);
    volatile bool started = false; // set between setjmp and longjmp
    const zend_long input_time = PG(max_input_time);

    // It limits the reading of a body. Without one, PHP would set its timer for it, and anew a moment later for the script.
    // This is not the ini entry, which a script may ask for, but what PHP itself goes by.
    if (!body_n && input_time > 0)
        PG(max_input_time) = 0;

    zend_first_try
    {
        set_request_info(job, body_n);
        started = php_request_startup() == SUCCESS;
        if (started)
            run_script();
    }
    zend_end_try();
    if (!PG(max_input_time))
        PG(max_input_time) = input_time;
    if (!started && !engine__now.head_sent)
        SG(sapi_headers).http_response_code = 500;
    zend_try
    {
        php_request_shutdown(NULL);
    }
    zend_end_try();
    SG(server_context) = NULL;
#if defined(ZEND_SIGNALS) && !defined(ZTS)
    // PHP would install its seven handlers anew for each request; they are still there.
    SIGG(reset) = 0;
#endif
    ret_result->end = engine__now.end;
    ret_result->peak_bytes = engine__now.peak_bytes;
    engine__now = (struct engine_now){0};
}
