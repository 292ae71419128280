// SPDX-License-Identifier: Apache-2.0
// The script of a request as a file. Runs in a worker. Owns the memory of which scripts were found good a moment ago.
//
// OPcache finds a script by its name and opens no file: one that is gone, or may no longer be read, would be a PHP error or
// would even run. So a script is opened here first, unless stat() says that it is the very file that was opened last time.
#include "php/php_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zend_stream.h>

#define RECHECK_S 1
#define SEEN_SLOTS 64

struct seen {
    zend_ulong hash;
    dev_t dev;
    ino_t ino; // 0 = nothing
    struct timespec changed;
    char path[232]; // longer ones are opened each time
};

static struct seen seen[SEEN_SLOTS];

// The folder entered last: to enter it again, or to look at a script in it, takes no walk along its path.
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

static bool is_seen(const struct seen *s, zend_ulong hash, const char *path, const struct stat *st)
{
    return s->hash == hash && s->ino == st->st_ino && s->dev == st->st_dev && s->changed.tv_sec == st->st_ctim.tv_sec &&
           s->changed.tv_nsec == st->st_ctim.tv_nsec && !strcmp(s->path, path);
}

static void remember(struct seen *s, zend_ulong hash, const char *path, const struct stat *st)
{
    size_t n = strlen(path);

    if (n >= sizeof s->path)
        return;
    s->hash = hash;
    s->dev = st->st_dev;
    s->ino = st->st_ino;
    s->changed = st->st_ctim;
    memcpy(s->path, path, n + 1);
}

// Returns 0 or an errno.
static int open_once(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

// The script's name in the folder that is held open; NULL if it is in another, or it is time to look where the path leads.
static const char *name_in_folder(const char *path)
{
    size_t n = strlen(folder.path);
    time_t now = (time_t)sapi_get_request_time();

    if (folder.fd < 0 || now - folder.at >= RECHECK_S || now < folder.at || strncmp(folder.path, path, n) || path[n] != '/' ||
        strchr(path + n + 1, '/'))
        return NULL;
    return path + n + 1;
}

bool engine__script_open(zend_file_handle *handle, const char *path)
{
    zend_ulong hash = zend_hash_func(path, strlen(path));
    struct seen *s = &seen[hash % SEEN_SLOTS];
    const char *name = name_in_folder(path);
    struct stat st;

    zend_stream_init_filename(handle, path);
    handle->primary_script = 1;
    if (name && engine__opcache_on && !fstatat(folder.fd, name, &st, 0) && is_seen(s, hash, path, &st))
        return true;
    int err = stat(path, &st) ? errno : 0;
    if (!err && engine__opcache_on && is_seen(s, hash, path, &st))
        return true;
    folder.at = 0; // another file may well lie in another folder of that name
    if (!err)
        err = open_once(path);
    if (!err) {
        errno = 0;
        if (php_fopen_primary_script(handle) == SUCCESS) {
            remember(s, hash, path, &st);
            return true;
        }
        err = errno ? errno : ENOENT;
    }
    s->ino = 0;
    engine__host->log(LOG_LEVEL_ERROR, err == EACCES ? STR("Unable to open primary script (Permission denied)")
                                                     : STR("Primary script unknown"));
    if (err == EACCES)
        answer(403, "Access denied.\n");
    else
        answer(404, "File not found.\n");
    return false;
}

// The script's folder is the current one, as on php-fpm. It is not left afterwards: the next job's script enters its own.
void engine__script_enter(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (!n || n >= sizeof folder.path)
        return;
    if (!name_in_folder(path)) {
        if (folder.fd >= 0)
            close(folder.fd);
        memcpy(folder.path, path, n);
        folder.path[n] = '\0';
        folder.fd = open(folder.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        folder.at = (time_t)sapi_get_request_time();
    }
    if (folder.fd >= 0)
        (void)!fchdir(folder.fd); // one that can't be entered may still have a readable script: it runs where we are
#ifdef ZTS
    (void)VCWD_CHDIR_FILE(path); // a threaded PHP keeps a current folder of its own, anew for each request
#endif
}

void engine__script_close(zend_file_handle *handle)
{
    zend_destroy_file_handle(handle);
}
