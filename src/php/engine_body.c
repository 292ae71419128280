// SPDX-License-Identifier: Apache-2.0
// The body of a POST that PHP reads before the script (all but multipart/form-data). Runs in a worker. Owns nothing: what is
// made here is php://input's and goes with the request.
//
// PHP would copy a body of 16 KiB or more to a temporary file, which costs more than all the rest of a request with a large
// one. What came in a file is left there instead, and what came in memory stays in memory.
#include "php/php_int.h"

#include <php_content_types.h>

static void read_into_memory(void)
{
    php_stream *body = php_stream_memory_create(TEMP_STREAM_DEFAULT);
    char *block = emalloc(SAPI_POST_BLOCK_SIZE);
    size_t n;

    do {
        n = sapi_read_post_block(block, SAPI_POST_BLOCK_SIZE);
        if (n && n <= SAPI_POST_BLOCK_SIZE)
            php_stream_write(body, block, n);
    } while (n == SAPI_POST_BLOCK_SIZE);
    efree(block);
    php_stream_rewind(body);
    SG(request_info).request_body = body;
}

// php://input asks for 8 KiB at a time and goes to where it is before each: a buffer would be filled in vain. The form's parser
// asks for 1 KiB.
static void leave_in_file(int fd, bool buffered)
{
    php_stream *body = php_stream_fopen_from_fd(fd, "rb", NULL);

    if (!buffered)
        body->flags |= PHP_STREAM_FLAG_NO_BUFFER;
    php_stream_rewind(body);
    SG(request_info).request_body = body;
    SG(read_post_bytes) = SG(request_info).content_length;
    SG(post_read) = 1;
}

// In the place of sapi_read_standard_form_data, which is left what is small or too large: it complains of that.
static void read_body(bool is_form)
{
    enum engine_body kind = ENGINE_BODY_STREAM;
    zend_long n = SG(request_info).content_length;
    int fd;

    if (engine__host && n >= SAPI_POST_BLOCK_SIZE && (SG(post_max_size) <= 0 || n <= SG(post_max_size)))
        kind = engine__host->body(&fd);
    if (kind == ENGINE_BODY_FILE)
        leave_in_file(fd, is_form);
    else if (kind == ENGINE_BODY_MEMORY)
        read_into_memory();
    else
        sapi_read_standard_form_data();
}

static void read_form(void)
{
    read_body(true);
}

static void read_unknown_type(void)
{
    if (!SG(request_info).post_entry && !strcmp(SG(request_info).request_method, "POST"))
        read_body(false);
}

void engine__body_init(void)
{
    sapi_post_entry *form = zend_hash_str_find_ptr(&SG(known_post_content_types), DEFAULT_POST_CONTENT_TYPE,
                                                   sizeof DEFAULT_POST_CONTENT_TYPE - 1);

    if (form && form->post_reader == sapi_read_standard_form_data)
        form->post_reader = read_form;
    if (sapi_module.default_post_reader == php_default_post_reader)
        sapi_module.default_post_reader = read_unknown_type;
}
