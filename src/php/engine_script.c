// SPDX-License-Identifier: Apache-2.0
// The script of a request as a file. Runs in a worker. Owns the memory of which scripts were found good a moment ago.
//
// OPcache finds a script by its name and needs no open file, but then a missing one would be a PHP error instead of a 404.
// So a script is opened, as php-fpm does each time, only if that was not done within the last RECHECK_S seconds: what
// OPcache's revalidate_freq allows as well.
#include "php/php_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <zend_stream.h>

#define RECHECK_S 2
#define SEEN_SLOTS 64

struct seen {
    zend_ulong hash;
    time_t at;
    char path[232]; // longer ones are opened each time
};

static struct seen seen[SEEN_SLOTS];

// The folder entered last: to enter it again takes no walk along its path.
static struct {
    int fd;
    time_t at;
    char path[PATH_MAX];
} folder = {.fd = -1};

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

// The script's folder is the current one, as on php-fpm. It is not left afterwards: the next job's script enters its own.
void engine__script_enter(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    time_t now = (time_t)sapi_get_request_time();

    if (!n || n >= sizeof folder.path)
        return;
    if (folder.fd < 0 || now - folder.at >= RECHECK_S || now < folder.at || strncmp(folder.path, path, n) || folder.path[n]) {
        if (folder.fd >= 0)
            close(folder.fd);
        memcpy(folder.path, path, n);
        folder.path[n] = '\0';
        folder.fd = open(folder.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        folder.at = now;
    }
    if (folder.fd >= 0)
        (void)!fchdir(folder.fd); // one that can't be entered may still have a readable script: it runs where we are
}

void engine__script_close(zend_file_handle *handle)
{
    zend_destroy_file_handle(handle);
}
