// SPDX-License-Identifier: Apache-2.0
// What advice is given on: names, and what processes and paths tell. Owns nothing.
#include "advice/facts.h"

#include <string.h>

static const char *const servers[SERVER_N] = {"unknown", "frankenphp", "php-fpm", "apache", "roadrunner", "plimsoll"};
static const char *const apps[APP_N] = {"unknown", "symfony", "sulu", "laravel", "wordpress"};

const char *advice_server_name(enum advice_server server)
{
    return (unsigned)server < SERVER_N ? servers[server] : servers[0];
}

const char *advice_app_name(enum advice_app app)
{
    return (unsigned)app < APP_N ? apps[app] : apps[0];
}

// The server a role tells of, and how telling it is: beside a FrankenPHP an apache2 is somebody's proxy.
static enum advice_server server_of(enum proc_role role, int *ret_rank)
{
    switch (role) {
    case ROLE_PLIMSOLL_MASTER:
    case ROLE_PLIMSOLL_EDGE:
    case ROLE_PLIMSOLL_MOLD:
    case ROLE_PLIMSOLL_WORKER:
        *ret_rank = 5;
        return SERVER_PLIMSOLL;
    case ROLE_FRANKENPHP:
        *ret_rank = 4;
        return SERVER_FRANKENPHP;
    case ROLE_FPM_MASTER:
    case ROLE_FPM_WORKER:
        *ret_rank = 3;
        return SERVER_FPM;
    case ROLE_ROADRUNNER:
        *ret_rank = 2;
        return SERVER_ROADRUNNER;
    case ROLE_APACHE:
        *ret_rank = 1;
        return SERVER_APACHE;
    default:
        *ret_rank = 0;
        return SERVER_UNKNOWN;
    }
}

static bool is_worker(const struct proc_info *p, const struct advice_facts *f)
{
    switch (p->role) {
    case ROLE_FPM_WORKER:
    case ROLE_PLIMSOLL_WORKER:
        return true;
    case ROLE_APACHE:
        return f->server == SERVER_APACHE && p->uid != 0; // the parent stays root
    case ROLE_PHP_CLI:
        return f->server == SERVER_ROADRUNNER;
    default:
        return false;
    }
}

static void add(int64_t *sum, int64_t bytes)
{
    if (bytes >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + bytes;
}

void advice_facts_from_procs(struct advice_facts *f, const struct proc_info *procs, unsigned n)
{
    int best = 0, rank;
    int64_t sum = 0, workers = 0;

    for (unsigned i = 0; i < n; i++) {
        enum advice_server s = server_of(procs[i].role, &rank);
        if (rank > best) {
            best = rank;
            f->server = s;
        }
        if (procs[i].role == ROLE_FRANKENPHP || procs[i].role == ROLE_CADDY || procs[i].role == ROLE_ROADRUNNER ||
            procs[i].role == ROLE_GO)
            f->go_runtime = true;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct proc_info *p = &procs[i];
        if (p->split_known) {
            add(&f->php_heap, p->split.php_heap);
            add(&f->go_heap, p->split.go_heap);
            add(&f->native, p->split.native);
        }
        if (p->memory_limit >= 0 && f->memory_limit < 0)
            f->memory_limit = p->memory_limit;
        int64_t own = p->pss_known ? p->private_dirty : p->rss_anon;
        if (!is_worker(p, f) || own < 0)
            continue;
        workers++;
        sum += own;
        if (own > f->worker_peak)
            f->worker_peak = own;
    }
    if (workers)
        f->worker_bytes = sum / workers;
}

enum advice_app advice_app_of_path(const char *path)
{
    if (strstr(path, "/wp-content") || strstr(path, "/wordpress"))
        return APP_WORDPRESS;
    if (strstr(path, "/storage/framework") || strstr(path, "/storage/logs") || strstr(path, "/bootstrap/cache") || strstr(path, "/laravel"))
        return APP_LARAVEL;
    if (strstr(path, "/var/cache/website") || strstr(path, "/var/cache/common") || strstr(path, "/var/cache/admin") ||
        strstr(path, "/sulu"))
        return APP_SULU;
    if (strstr(path, "/var/cache/") || strstr(path, "/var/sessions/") || strstr(path, "/var/log/dev.log") ||
        strstr(path, "/symfony"))
        return APP_SYMFONY;
    return APP_UNKNOWN;
}
