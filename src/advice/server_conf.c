// SPDX-License-Identifier: Apache-2.0
// The configuration of the server that runs: finds its process, looks at the files through that process's root, asks the readers.
// Owns nothing. Invariant: numbers come from the running process itself where it could be asked, else from the files its server
// reads; another SAPI's files are never asked.
#include "advice/server_conf.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advice/server_conf_int.h"
#include "mem/sample.h"

#define ARGS_MAX 8192
#define ENVIRON_MAX (256u << 10)
#define CADDIES_MAX 4 // in front, asked in turn
#define TASKS_MAX 4096

// Whose configuration counts, in this order; the first kind of process that is there.
static const struct {
    enum proc_role role;
    enum advice_server server;
} order[] = {
    {ROLE_FRANKENPHP, SERVER_FRANKENPHP}, {ROLE_PLIMSOLL_MASTER, SERVER_PLIMSOLL}, {ROLE_PLIMSOLL_MOLD, SERVER_PLIMSOLL},
    {ROLE_FPM_MASTER, SERVER_FPM},        {ROLE_FPM_WORKER, SERVER_FPM},           {ROLE_APACHE, SERVER_APACHE},
    {ROLE_ROADRUNNER, SERVER_ROADRUNNER},
};

static const struct proc_info *find_server(const struct proc_info *procs, int32_t n, enum advice_server *ret_server)
{
    for (size_t o = 0; o < sizeof order / sizeof order[0]; o++) {
        const struct proc_info *first = NULL;
        for (int32_t i = 0; i < n; i++) {
            if (procs[i].role == order[o].role && (!first || procs[i].start_time < first->start_time))
                first = &procs[i];
        }
        if (first) {
            *ret_server = order[o].server;
            return first;
        }
    }
    return NULL;
}

static char *read_file_of(int dir, const char *name, size_t max, size_t *ret_n)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = fd < 0 ? NULL : malloc(max + 1);
    size_t n = 0;

    while (text && n < max) {
        ssize_t got = read(fd, text + n, max - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got < 0) { // a refusal may come as late as here
                free(text);
                text = NULL;
            }
            break;
        }
        n += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    if (text)
        text[n] = '\0';
    *ret_n = text ? n : 0;
    return text;
}

static int open_view(int proc, pid_t pid, int64_t *work, struct conf_view *v)
{
    char name[32];

    *v = (struct conf_view){.root = -1, .work = work};
    snprintf(name, sizeof name, "%d", pid);
    v->dir = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (v->dir < 0)
        return -errno;
    v->root = openat(v->dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    // Where its root may not be seen, it is ours: one sees processes of one's own container.
    if (v->root < 0)
        v->root = openat(proc, "self/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    v->args = read_file_of(v->dir, "cmdline", ARGS_MAX, &v->args_n);
    v->environ = read_file_of(v->dir, "environ", ENVIRON_MAX, &v->environ_n);
    return 0;
}

static void close_view(struct conf_view *v)
{
    free(v->args);
    free(v->environ);
    if (v->root >= 0)
        close(v->root);
    close(v->dir);
}

bool server_conf_go_size(const char *text, int64_t *ret)
{
    static const struct {
        const char *unit;
        int shift;
    } units[] = {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"", 0}};
    char *end;

    if (strcmp(text, "off") == 0) {
        *ret = 0;
        return true;
    }
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    for (size_t i = 0; !errno && i < sizeof units / sizeof units[0]; i++) {
        int64_t bytes;
        if (strcmp(end, units[i].unit) != 0)
            continue;
        if (__builtin_mul_overflow(v, 1LL << units[i].shift, &bytes))
            return false;
        *ret = bytes;
        return true;
    }
    return false;
}

static void read_go(const struct conf_view *v, struct server_conf *c)
{
    struct str value = conf_env(v, "GOMEMLIMIT");
    char text[64];
    int64_t bytes;

    c->gomemlimit_asked = v->environ != NULL;
    if (!value.p || value.n >= sizeof text)
        return;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    if (server_conf_go_size(text, &bytes))
        conf_set(&c->gomemlimit, bytes, "GOMEMLIMIT in its environment", 0);
}

// "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)" names the file; before that is set, an argument may.
static bool fpm_conf_path(const struct conf_view *v, char *path, size_t size)
{
    struct str title = {v->args ? v->args : "", v->args ? strnlen(v->args, v->args_n) : 0},
               named = conf_arg(v, "-y", "--fpm-config");
    size_t open = str_find(title, '('), end = str_find(title, ')');

    if (str_starts(title, STR("php-fpm: master")) && open != SIZE_MAX && end != SIZE_MAX && end > open)
        named = (struct str){title.p + open + 1, end - open - 1};
    return conf_told_path(v, named, path, size);
}

struct pattern_hit {
    char path[256];
};

static void keep_last(void *arg, const char *path)
{
    struct pattern_hit *hit = arg;
    if (strlen(path) < sizeof hit->path)
        strcpy(hit->path, path);
}

// The folder /etc/php/8.2/SAPI of Debian, if just one version has it; "" otherwise: it can't be told then which one runs.
static void debian_folder(const struct conf_view *v, const char *sapi, char *folder, size_t size)
{
    static const char *const versions[] = {"8.5", "8.4", "8.3", "8.2", "8.1", "8.0", "7.4"};
    char path[128];
    int found = 0;

    folder[0] = '\0';
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        snprintf(path, sizeof path, "/etc/php/%s/%s", versions[i], sapi);
        if (conf_exists(v->root, path) && found++ == 0)
            snprintf(folder, size, "/etc/php/%s/%s", versions[i], sapi);
    }
    if (found > 1)
        folder[0] = '\0';
}

static void read_fpm(struct conf_view *v, const char *comm, struct server_conf *c)
{
    struct php_values p = {0};
    char path[256], beside[256], below[272], debian[64];

    if (!fpm_conf_path(v, path, sizeof path))
        return;
    snprintf(beside, sizeof beside, "%.*s", (int)(strrchr(path, '/') - path), path);
    snprintf(below, sizeof below, "%s/php", beside);
    // php.ini's folder is compiled in: Debian's goes by the version in the program's name, others lie beside the pools' file.
    snprintf(debian, sizeof debian, "/etc/php/%.8s/fpm", strncmp(comm, "php-fpm", 7) == 0 ? comm + 7 : "");
    v->php_args = true;
    php_values_read(v, (const char *const[]){debian, beside, below, "/usr/local/etc/php", "/etc", NULL}, &p, c);
    if (!c->php_ini[0] && !conf_exists(v->root, path))
        p.unreadable = true; // it isn't our root
    conf_read_fpm(v, path, false, &p, c);
    php_values_finish(&p, c);
}

// "php-1f": 31. -1: no such name.
static long php_thread(const char *name)
{
    char *end;

    if (!name || strncmp(name, "php-", 4) != 0 || !isxdigit((unsigned char)name[4]))
        return -1;
    long index = strtol(name + 4, &end, 16);
    return *end == '\n' && index < TASKS_MAX ? index : -1;
}

// FrankenPHP calls its threads php-0, php-1, ... (in hexadecimal). They are as many as num_threads says, or its default, and those
// started since; none is given back but to be started again. A thread of the Go runtime that one of them started bears its name.
static void count_threads(const struct conf_view *v, struct server_conf *c)
{
    bool seen[TASKS_MAX] = {false};
    int fd = openat(v->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;
    int64_t n = 0;

    if (!dir && fd >= 0)
        close(fd);
    for (int looks = 0; dir && looks < TASKS_MAX && (d = readdir(dir)); looks++) {
        char path[300];
        size_t length;
        snprintf(path, sizeof path, "%s/comm", d->d_name);
        char *name = d->d_name[0] == '.' ? NULL : read_file_of(fd, path, 32, &length);
        long index = php_thread(name);
        if (index >= 0 && !seen[index]) {
            seen[index] = true;
            n++;
        }
        free(name);
    }
    if (dir)
        closedir(dir);
    if (n > 0)
        conf_set(&c->threads, n, "the running process", 0);
}

static void read_frankenphp(struct conf_view *v, uid_t uid, struct server_conf *c)
{
    struct php_values p = {0};
    char debian[64] = "";
    struct stat st;

    // What can't be asked may name other files: php.ini where it works, PHP_INI_SCAN_DIR. And another PHP's folder proves nothing.
    if (!v->environ)
        p.unreadable = true;
    else
        debian_folder(v, "embed", debian, sizeof debian);
    c->file_caps = !v->environ && uid != 0 && fstatat(v->dir, "environ", &st, 0) == 0 && st.st_uid != uid;
    v->php_cwd = true;
    php_values_read(v,
                    (const char *const[]){"/usr/local/etc/php", "/etc/php-zts", "/etc/frankenphp", "/usr/local/lib", "/lib",
                                          debian[0] ? debian : NULL, NULL},
                    &p, c);
    conf_read_caddyfile(v, &p, c);
    php_values_finish(&p, c);
    count_threads(v, c);
}

static void read_apache(const struct conf_view *v, struct server_conf *c)
{
    struct php_values p = {0};
    struct pattern_hit module = {""};
    char debian[64] = "";

    // "php8.2.load" names the version.
    conf_each_file(v, "/etc/apache2/mods-enabled/php*.load", keep_last, &module);
    const char *name = strrchr(module.path, '/');
    if (name && strlen(name) < 24)
        snprintf(debian, sizeof debian, "/etc/php/%.*s/apache2", (int)(strlen(name) - sizeof "/php" + 1 - (sizeof ".load" - 1)),
                 name + sizeof "/php" - 1);
    php_values_read(v, (const char *const[]){debian[0] ? debian : "/usr/local/etc/php", "/usr/local/etc/php", "/etc", NULL}, &p,
                    c);
    conf_read_apache(v, &p, c);
    php_values_finish(&p, c);
}

static void read_plimsoll(const struct conf_view *v, struct server_conf *c)
{
    struct php_values p = {0};
    struct str named = conf_arg(v, "-c", "--config");
    char path[256] = "/etc/plimsoll/plimsoll.conf", debian[64];

    if (named.n && !conf_told_path(v, named, path, sizeof path))
        path[0] = '\0';
    debian_folder(v, "fpm", debian, sizeof debian);
    if (!debian[0])
        debian_folder(v, "embed", debian, sizeof debian);
    php_values_read(v, (const char *const[]){debian[0] ? debian : "/usr/local/etc/php", "/usr/local/etc/php", NULL}, &p, c);
    if (path[0])
        conf_read_fpm(v, path, true, &p, c);
    else
        p.unreadable = true;
    php_values_finish(&p, c);
}

// What most of the PHP processes have in force; a script may have changed its own for a request.
static void ask_processes(const struct proc_info *procs, int32_t n, struct server_conf *c)
{
    int32_t best = 0;
    int64_t limit = -1;

    for (int32_t i = 0; i < n; i++) {
        int32_t same = 0;
        if (procs[i].memory_limit < 0 || procs[i].role == ROLE_FPM_MASTER || procs[i].role == ROLE_PLIMSOLL_MOLD)
            continue;
        for (int32_t k = 0; k < n; k++)
            same += procs[k].memory_limit == procs[i].memory_limit && procs[k].role == procs[i].role;
        if (same > best || (same == best && limit && (procs[i].memory_limit == 0 || procs[i].memory_limit > limit))) {
            best = same;
            limit = procs[i].memory_limit;
        }
    }
    // Between two requests mod_php has php.ini's, whatever php_value says for a host.
    const struct conf_amount *said = &c->memory_limit;
    if (c->server == SERVER_APACHE && said->known && limit > 0 && (said->value == 0 || said->value > limit))
        return;
    if (limit >= 0)
        conf_set(&c->memory_limit, limit, "the running processes", 0);
}

void server_conf_read(int proc, const struct proc_info *procs, int32_t n, struct server_conf *ret)
{
    struct conf_view v;
    enum advice_server server = SERVER_UNKNOWN;
    int64_t work = CONF_WORK;
    const struct proc_info *p = find_server(procs, n, &server);

    *ret = (struct server_conf){.server = server, .pid = p ? p->pid : 0};
    if (p && open_view(proc, p->pid, &work, &v) == 0) {
        if (v.root >= 0 && server == SERVER_FPM)
            read_fpm(&v, p->comm, ret);
        else if (v.root >= 0 && server == SERVER_FRANKENPHP)
            read_frankenphp(&v, p->uid, ret);
        else if (v.root >= 0 && server == SERVER_APACHE)
            read_apache(&v, ret);
        else if (v.root >= 0 && server == SERVER_PLIMSOLL)
            read_plimsoll(&v, ret);
        if (p->go || server == SERVER_FRANKENPHP || server == SERVER_ROADRUNNER)
            read_go(&v, ret);
        close_view(&v);
    }
    // A Caddy in front counts the requests.
    int caddies = 0;
    for (int32_t i = 0; i < n && !ret->admin[0] && caddies < CADDIES_MAX; i++) {
        struct php_values ignored = {0};
        if (procs[i].role != ROLE_CADDY || open_view(proc, procs[i].pid, &work, &v) < 0)
            continue;
        caddies++;
        if (v.root >= 0)
            conf_read_caddyfile(&v, &ignored, ret);
        if (!ret->gomemlimit_asked)
            read_go(&v, ret);
        close_view(&v);
    }
    ask_processes(procs, n, ret);
}

void server_conf_facts(const struct server_conf *c, struct advice_facts *io)
{
    if (c->server != SERVER_UNKNOWN)
        io->server = c->server;
    if (c->memory_limit.known)
        io->memory_limit = c->memory_limit.value;
    if (c->max_children.known)
        io->max_children = (int32_t)c->max_children.value;
    // As many as there are or are to come; with `auto` only those there are.
    const struct conf_amount *threads[] = {&c->threads, &c->num_threads, &c->max_threads};
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        if (threads[i]->known && threads[i]->value > io->num_threads)
            io->num_threads = (int32_t)threads[i]->value;
    }
    if (c->max_threads_auto || c->max_threads.known) {
        io->max_threads_known = true;
        io->max_threads_auto = c->max_threads_auto;
    }
    if (c->gomemlimit_asked) {
        io->gomemlimit_known = true;
        io->gomemlimit_set = c->gomemlimit.known && c->gomemlimit.value > 0;
    }
}
