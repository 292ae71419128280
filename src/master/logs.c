// SPDX-License-Identifier: Apache-2.0
// Log files. Runs in the master. Owns the descriptors it opens; "-" is a duplicate, so that all may be closed alike.
#include "master/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"

// A standard stream may be a socket (journald), which can't be opened by its name in /dev.
static int open_one(const char *path, int dash_fd)
{
    int fd;

    if (strcmp(path, "-") == 0)
        fd = fcntl(dash_fd, F_DUPFD_CLOEXEC, 3);
    else if (strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0)
        fd = fcntl(path[8] == 'o' ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640); // a FIFO without reader: ENXIO
    if (fd < 0)
        return -errno;
    (void)fd_set_nonblock(fd, false);
    return fd;
}

static int explain(int err, const char *what, const char *path, char *why, size_t why_cap)
{
    snprintf(why, why_cap, "can't open the %s %s: %s", what, path, strerror(-err));
    return err;
}

int logs_open(struct logs *l, const struct conf *conf, char *why, size_t why_cap)
{
    struct logs made = {.n = conf->n_sites, .access_fds = xcalloc(conf->n_sites, sizeof(int))};

    for (size_t i = 0; i < made.n; i++)
        made.access_fds[i] = -1;
    made.error_fd = open_one(conf->global.error_log, STDERR_FILENO);
    int rc = made.error_fd < 0 ? explain(made.error_fd, "error log", conf->global.error_log, why, why_cap) : 0;
    for (size_t i = 0; i < made.n && !rc; i++) {
        const char *path = conf->sites[i].access_log;
        if (!path)
            continue;
        for (size_t k = 0; k < i && made.access_fds[i] < 0; k++)
            if (conf->sites[k].access_log && strcmp(conf->sites[k].access_log, path) == 0)
                made.access_fds[i] = made.access_fds[k];
        if (made.access_fds[i] < 0)
            made.access_fds[i] = open_one(path, STDOUT_FILENO);
        if (made.access_fds[i] < 0)
            rc = explain(made.access_fds[i], "access log", path, why, why_cap);
    }
    if (rc) {
        logs_close(&made);
        return rc;
    }
    *l = made;
    return 0;
}

void logs_close(struct logs *l)
{
    for (size_t i = 0; i < l->n; i++) {
        int fd = l->access_fds[i];
        for (size_t k = i; k < l->n && fd >= 0; k++)
            if (l->access_fds[k] == fd)
                l->access_fds[k] = -1;
        fd_close(&fd);
    }
    free(l->access_fds);
    fd_close(&l->error_fd);
    *l = LOGS_INIT;
}
