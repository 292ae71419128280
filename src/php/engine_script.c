// SPDX-License-Identifier: Apache-2.0
// The script of a request as a file. Runs in a worker. Owns the memory of which scripts were found good a moment ago.
//
// OPcache finds a script by its name and needs no open file, but then a missing one would be a PHP error instead of a 404.
// So a script is opened, as php-fpm does each time, only if that was not done within the last RECHECK_S seconds: what
// OPcache's revalidate_freq allows as well.
#include "php/php_int.h"

#include <errno.h>
#include <string.h>

#include <zend_stream.h>

#define RECHECK_S 2
#define SEEN_SLOTS 64

struct seen {
    zend_ulong hash;
    time_t at;
    char path[232]; // longer ones are opened each time
};

static struct seen seen[SEEN_SLOTS];

static void answer(int status, const char *text)
{
    SG(sapi_headers).http_response_code = status;
    PHPWRITE(text, strlen(text));
}

bool engine__script_open(zend_file_handle *handle, const char *path)
{
    size_t n = strlen(path);
    zend_ulong hash = zend_hash_func(path, n);
    struct seen *s = &seen[hash % SEEN_SLOTS];
    time_t now = (time_t)sapi_get_request_time();

    zend_stream_init_filename(handle, path);
    handle->primary_script = 1;
    if (engine__opcache_on && s->hash == hash && now - s->at < RECHECK_S && now >= s->at && !strcmp(s->path, path))
        return true;
    errno = 0;
    if (php_fopen_primary_script(handle) == FAILURE) {
        int err = errno;
        s->at = 0;
        engine__host->log(LOG_LEVEL_ERROR, err == EACCES ? STR("Unable to open primary script (Permission denied)")
                                                         : STR("Primary script unknown"));
        if (err == EACCES)
            answer(403, "Access denied.\n");
        else
            answer(404, "File not found.\n");
        return false;
    }
    if (n < sizeof s->path) {
        s->hash = hash;
        s->at = now;
        memcpy(s->path, path, n + 1);
    }
    return true;
}

void engine__script_close(zend_file_handle *handle)
{
    zend_destroy_file_handle(handle);
}
