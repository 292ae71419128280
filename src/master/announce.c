// SPDX-License-Identifier: Apache-2.0
// What the master tells the outside when it serves: the pid file, one JSON line for programs, a few lines for people.
// Runs in the master. Owns the pid file as long as our pid stands in it.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "master/master_int.h"

static char *pid_path;

// By rename, so that nobody reads half of it, and an upgrade's new master takes it over.
int announce_pid_file(struct conf *conf)
{
    if (!conf->global.pid)
        return 0;
    char *temporary = xasprintf("%s.%d", conf->global.pid, getpid());
    int rc = 0, fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        rc = -errno;
    } else {
        if (dprintf(fd, "%d\n", getpid()) < 0 || rename(temporary, conf->global.pid) < 0) {
            rc = -errno;
            unlink(temporary);
        }
        close(fd);
    }
    free(temporary);
    if (!rc) {
        free(pid_path);
        pid_path = xstrdup(conf->global.pid);
    }
    return rc;
}

void announce_done(void)
{
    char *text;

    if (!pid_path || fd_read_file(AT_FDCWD, pid_path, 64, &text, NULL) < 0)
        return;
    if (atoi(text) == getpid())
        unlink(pid_path);
    free(text);
}

static void write_ready_line(const struct service *svc)
{
    json_t *listen = json_array(), *line;

    for (size_t i = 0; i < svc->n_listeners; i++)
        json_array_append_new(listen, json_string(svc->listeners[i]->shown));
    line = json_pack("{s:i, s:o, s:s?, s:s?}", "pid", (int)getpid(), "listen", listen, "admin",
                     svc->admin ? svc->admin->shown : NULL, "control", control_path());
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text) {
        char *with_end = xasprintf("%s\n", text);
        if (fd_write_all(svc->conf->global.ready_fd, with_end, strlen(with_end)) < 0)
            log_warning("can't write to --ready-fd %d: %s", svc->conf->global.ready_fd, strerror(errno));
        free(with_end);
    }
    free(text);
    json_decref(line);
    close(svc->conf->global.ready_fd);
    svc->conf->global.ready_fd = -1;
}

// "[::]:8080" and "0.0.0.0:8080" mean any address; what one types is localhost.
static void add_url(struct buf *b, const char *shown)
{
    const char *port = strrchr(shown, ':');

    if (strncmp(shown, "unix:", 5) == 0 || !port)
        buf_printf(b, "%s", shown);
    else if (strncmp(shown, "[::]:", 5) == 0 || strncmp(shown, "0.0.0.0:", 8) == 0)
        buf_printf(b, "http://localhost%s/", strcmp(port, ":80") == 0 ? "" : port);
    else
        buf_printf(b, "http://%s/", shown);
}

static void write_pool(struct buf *b, const struct pool *p, bool several)
{
    const struct msg_mold_ready *f = &p->facts;

    buf_printf(b, "  ");
    if (several)
        buf_printf(b, "pool %s: ", p->conf->name);
    buf_printf(b, "PHP %s%s, %s%s, OPcache %s, %u worker%s", f->php_version, f->zts ? " (ZTS)" : "",
               *f->ini_path ? "settings from " : "no php.ini", f->ini_path, f->opcache_on ? "on" : "OFF", p->conf->workers,
               p->conf->workers == 1 ? "" : "s");
    if (p->conf->user && geteuid() == 0)
        buf_printf(b, " as %s", p->conf->user);
    buf_printf(b, "\n");
}

void announce_ready(struct service *svc, bool with_ready_fd)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "plimsoll is ready: ");
    for (size_t i = 0; i < svc->n_listeners; i++) {
        buf_printf(&b, "%s", i ? ", " : "");
        add_url(&b, svc->listeners[i]->shown);
    }
    buf_printf(&b, "\n");
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        write_pool(&b, &svc->pools[i], svc->conf->n_pools > 1);
    if (svc->admin)
        buf_printf(&b, "  admin listener on %s\n", svc->admin->shown);
    if (control_path())
        buf_printf(&b, "  control socket %s\n", control_path());
    (void)fd_write_all(STDERR_FILENO, b.p, b.n);
    buf_done(&b);
    conf_print_findings(svc->conf, stderr);
    for (size_t i = 0; i < svc->conf->n_pools; i++)
        if (!svc->pools[i].facts.opcache_on)
            log_warning("pool %s: OPcache is off or missing: every request compiles its PHP files again (opcache.enable, or the "
                        "package php-opcache)",
                        svc->conf->pools[i].name);
    if (svc->conf->global.spool_in_memory)
        log_warning("the spool folder %s is in memory (tmpfs): large bodies and answers take memory of the container; choose "
                    "another with --spool-dir",
                    svc->conf->global.spool_dir);
    if (with_ready_fd && svc->conf->global.ready_fd >= 0)
        write_ready_line(svc);
}
