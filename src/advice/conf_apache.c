// SPDX-License-Identifier: Apache-2.0
// Apache's configuration, as far as it bears on memory: MaxRequestWorkers, MaxConnectionsPerChild, php_value memory_limit, where
// it listens and tells its status. Owns nothing. Invariant: sections aren't judged, so the largest of several values counts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice/server_conf_int.h"

// Debian's, then Red Hat's and the official images'.
static const char *const patterns[] = {
    "/etc/apache2/apache2.conf",
    "/etc/apache2/ports.conf",
    "/etc/apache2/mods-enabled/mpm_*.conf",
    "/etc/apache2/mods-enabled/php*.conf",
    "/etc/apache2/mods-enabled/status.conf",
    "/etc/apache2/conf-enabled/*.conf",
    "/etc/apache2/sites-enabled/*.conf",
    "/etc/httpd/conf/httpd.conf",
    "/etc/httpd/conf.modules.d/*.conf",
    "/etc/httpd/conf.d/*.conf",
    "/usr/local/apache2/conf/httpd.conf",
};

struct apache {
    const struct conf_view *v;
    struct server_conf *c;
    struct conf_pool *pool;
    bool in_status;
};

// The next blank-separated word, quotes taken off.
static struct str word(struct str *rest)
{
    struct str w = {NULL, 0};

    *rest = str_trim(*rest);
    if (!rest->n)
        return w;
    char quote = rest->p[0] == '"' ? '"' : ' ';
    if (quote == '"')
        rest->p++, rest->n--;
    size_t n = 0;
    while (n < rest->n && rest->p[n] != quote && (quote == '"' || (rest->p[n] != '\t' && rest->p[n] != '>')))
        n++;
    w = (struct str){rest->p, n};
    n += n < rest->n;
    rest->p += n;
    rest->n -= n;
    return w;
}

static void take_largest(struct conf_amount *a, int64_t value, const char *path, unsigned line)
{
    if (!a->known || value > a->value)
        conf_set(a, value, path, line);
}

static void take_line(struct apache *a, struct str line, const char *path, unsigned number)
{
    struct str name = word(&line), value = word(&line);
    int64_t v;

    if (str_eq_nocase(name, STR("MaxRequestWorkers")) || str_eq_nocase(name, STR("MaxClients"))) {
        if (conf_count(value, &v))
            take_largest(&a->c->max_children, v, path, number);
    } else if (str_eq_nocase(name, STR("MaxConnectionsPerChild")) || str_eq_nocase(name, STR("MaxRequestsPerChild"))) {
        if (conf_count(value, &v))
            take_largest(&a->c->max_requests, v, path, number);
    } else if (str_eq_nocase(name, STR("php_value")) || str_eq_nocase(name, STR("php_admin_value"))) {
        struct php_values own = {0};
        php_values_take(&own, value, word(&line), path, number);
        if (own.memory_limit.known && (!a->c->memory_limit.known || own.memory_limit.value == 0 ||
                                       (a->c->memory_limit.value && own.memory_limit.value > a->c->memory_limit.value)))
            a->c->memory_limit = own.memory_limit;
    } else if (str_eq_nocase(name, STR("Listen")) && !a->pool->listen[0]) {
        conf_copy(a->pool->listen, sizeof a->pool->listen, value);
    } else if (str_eq_nocase(name, STR("<Location"))) {
        a->in_status = true;
        conf_copy(a->pool->status_listen, sizeof a->pool->status_listen, value);
    } else if (str_eq_nocase(name, STR("</Location"))) {
        a->in_status = false;
    } else if (a->in_status && str_eq_nocase(name, STR("SetHandler")) && str_eq_nocase(value, STR("server-status"))) {
        memcpy(a->pool->status_path, a->pool->status_listen, sizeof a->pool->status_path);
    }
}

static void read_file(void *arg, const char *path)
{
    struct apache *a = arg;
    size_t n;
    char *text = conf_read(a->v, path, &n);

    if (!text)
        return;
    struct str rest = {text, n}, line;
    unsigned number = 0;
    while (conf_line(&rest, &line, &number)) {
        if (line.n && line.p[0] != '#')
            take_line(a, line, path, number);
    }
    free(text);
}

void conf_read_apache(const struct conf_view *v, struct php_values *p, struct server_conf *c)
{
    struct apache a = {.v = v, .c = c, .pool = &c->pool[0]};

    *a.pool = (struct conf_pool){.name = "apache"};
    c->n_pools = 1;
    struct str named = conf_arg(v, "-f", NULL);
    char path[256];
    if (named.n && named.n < sizeof path && named.p[0] == '/') {
        snprintf(path, sizeof path, "%.*s", STR_ARG(named));
        read_file(&a, path);
    } else {
        for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
            conf_each_file(v, patterns[i], read_file, &a);
    }
    a.pool->status_listen[0] = '\0'; // was room for names
    a.pool->max_children = c->max_children;
    a.pool->max_requests = c->max_requests;
    // php_value stands for some hosts; the others have php.ini's.
    if (c->memory_limit.known && c->memory_limit.value) {
        php_values_finish(p, &(struct server_conf){0});
        if (!p->memory_limit.known || p->memory_limit.value == 0 || p->memory_limit.value > c->memory_limit.value)
            c->memory_limit = p->memory_limit;
    }
}
