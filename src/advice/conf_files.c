// SPDX-License-Identifier: Apache-2.0
// Files beneath a container's root, and their lines. Owns nothing that lasts. Invariant: nothing outside of the root is opened,
// and nothing but regular files: to open a fifo, a device or a file of the kernel's may wait or do something (start a watchdog).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "advice/server_conf_int.h"
#include "mem/proc_roles.h"

static int open_beneath(int root, const char *path, int flags)
{
    // With O_PATH nothing is opened that could wait, and openat2 refuses other flags beside it.
    flags |= flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);

    if (fd < 0 && errno == ENOSYS) { // gVisor: a link isn't followed, as it might lead out of the root
        while (*path == '/')
            path++;
        fd = openat(root, *path ? path : ".", flags | O_NOFOLLOW);
    }
    return (int)fd;
}

// False: there has been enough. Files can be made that take hours.
static bool may_work(const struct conf_view *v, size_t n)
{
    if (*v->work > 0)
        *v->work -= (int64_t)n;
    return *v->work > 0;
}

static bool is_of_the_kernel(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC || fs.f_type == DEBUGFS_MAGIC ||
                                     fs.f_type == TRACEFS_MAGIC);
}

// Looked at before it is opened.
static int open_regular(int root, const char *path, size_t *ret_size)
{
    struct stat st;
    char name[32];
    int fd = -1, place = open_beneath(root, path, O_PATH);

    if (place < 0)
        return -1;
    errno = EINVAL;
    if (fstat(place, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CONF_FILE_MAX && !is_of_the_kernel(place)) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", place);
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        *ret_size = (size_t)st.st_size;
    }
    int error = errno == ENOENT ? EINVAL : errno; // a /proc that lacks us doesn't say that the file isn't there
    close(place);
    errno = error;
    return fd;
}

char *conf_read(const struct conf_view *v, const char *path, size_t *ret_n)
{
    size_t n = 0, size;

    if (!may_work(v, 4096)) {
        errno = E2BIG;
        return NULL;
    }
    int fd = open_regular(v->root, path, &size);
    if (fd < 0)
        return NULL;
    (void)may_work(v, size);
    char *text = malloc(size + 1);
    size = text ? size : 0;
    while (n < size) {
        ssize_t got = read(fd, text + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (text) {
        text[n] = '\0';
        *ret_n = n;
    }
    return text;
}

bool conf_exists(int root, const char *path)
{
    int fd = open_beneath(root, path, O_PATH);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void conf_each_file(const struct conf_view *v, const char *pattern, void (*fn)(void *arg, const char *path), void *arg)
{
    const char *slash = strrchr(pattern, '/'), *last = slash ? slash + 1 : pattern;
    char path[512], *names[CONF_NAMES_MAX];
    size_t n = 0;

    if (!strchr(last, '*')) {
        fn(arg, pattern);
        return;
    }
    snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - pattern) : 0, pattern);
    int fd = may_work(v, 4096) ? open_beneath(v->root, path[0] ? path : "/", O_RDONLY | O_DIRECTORY) : -1;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *e;
    unsigned looked = 0;
    for (; n < CONF_NAMES_MAX && looked < 4096 && (e = readdir(dir)); looked++) {
        if (e->d_name[0] != '.' && str_glob(str_from(last), str_from(e->d_name)) && (names[n] = strdup(e->d_name)))
            n++;
    }
    closedir(dir);
    (void)may_work(v, looked * 256);
    qsort(names, n, sizeof names[0], by_name);
    for (size_t i = 0; i < n; i++) {
        int length = snprintf(path, sizeof path, "%.*s/%s", slash ? (int)(slash - pattern) : 0, pattern, names[i]);
        if (length > 0 && (size_t)length < sizeof path)
            fn(arg, path);
        free(names[i]);
    }
}

static struct str trim(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

bool conf_line(struct str *rest, struct str *ret_line, unsigned *io_number)
{
    if (!rest->n)
        return false;
    size_t n = str_find(*rest, '\n');
    struct str line = {rest->p, n == SIZE_MAX ? rest->n : n};
    size_t used = line.n + (n != SIZE_MAX);

    rest->p += used;
    rest->n -= used;
    *ret_line = trim(line);
    ++*io_number;
    return true;
}

bool conf_is_section(struct str line, struct str *ret_name)
{
    size_t end = line.n && line.p[0] == '[' ? str_find(line, ']') : SIZE_MAX;

    if (end == SIZE_MAX)
        return false;
    *ret_name = trim((struct str){line.p + 1, end - 1});
    return true;
}

bool conf_split(struct str line, struct str *ret_key, struct str *ret_value)
{
    size_t at = str_find(line, '=');

    if (at == SIZE_MAX || at == 0 || line.p[0] == ';' || line.p[0] == '#')
        return false;
    struct str value = trim((struct str){line.p + at + 1, line.n - at - 1});
    char quote = value.n && (value.p[0] == '"' || value.p[0] == '\'') ? value.p[0] : ';';
    if (quote != ';')
        value.p++, value.n--;
    size_t end = str_find(value, quote);
    if (end != SIZE_MAX)
        value.n = end;
    *ret_key = trim((struct str){line.p, at});
    *ret_value = quote == ';' ? trim(value) : value;
    return true;
}

void conf_copy(char *to, size_t size, struct str text)
{
    proc_roles_clean(text.p, text.n, to, size);
}

void conf_set(struct conf_amount *a, int64_t value, const char *from, unsigned line)
{
    char text[sizeof a->from + 512];

    snprintf(text, sizeof text, line ? "%.500s:%u" : "%.500s", from, line);
    // The end of a long path says more than its beginning.
    size_t n = strlen(text);
    const char *shown = n < sizeof a->from ? text : text + n - (sizeof a->from - 1);
    a->known = true;
    a->value = value;
    conf_copy(a->from, sizeof a->from, str_from(shown));
}

bool conf_count(struct str text, int64_t *ret)
{
    uint64_t v;

    if (!str_to_u64(text, &v) || v > INT32_MAX)
        return false;
    *ret = (int64_t)v;
    return true;
}

static struct str next_word(const char *text, size_t n, size_t *io_at)
{
    size_t from = *io_at, length = strnlen(text + from, n - from);

    *io_at = from + length + 1;
    return (struct str){text + from, length};
}

struct str conf_env(const struct conf_view *v, const char *name)
{
    size_t length = strlen(name);
    bool may = v->environ && may_work(v, v->environ_n);

    for (size_t at = 0; may && at < v->environ_n;) {
        struct str word = next_word(v->environ, v->environ_n, &at);
        if (word.n > length && word.p[length] == '=' && memcmp(word.p, name, length) == 0)
            return (struct str){word.p + length + 1, word.n - length - 1};
    }
    return (struct str){NULL, 0};
}

struct str conf_expand(const struct conf_view *v, struct str value)
{
    char name[128];

    if (!v->environ || !str_starts(value, STR("${")) || !str_ends(value, STR("}")))
        return value;
    struct str inner = {value.p + 2, value.n - 3};
    size_t colon = str_find(inner, ':');
    size_t n = colon == SIZE_MAX ? inner.n : colon;
    if (n >= sizeof name)
        return value;
    memcpy(name, inner.p, n);
    name[n] = '\0';
    struct str found = conf_env(v, name);
    if (found.p)
        return found;
    return colon != SIZE_MAX && inner.n >= colon + 2 && inner.p[colon + 1] == '-'
               ? (struct str){inner.p + colon + 2, inner.n - colon - 2}
               : (struct str){"", 0};
}

struct str conf_arg(const struct conf_view *v, const char *brief, const char *full)
{
    struct str names[2] = {str_from(brief), str_from(full)}, none = {NULL, 0};

    for (size_t at = 0; v->args && at < v->args_n;) {
        struct str word = next_word(v->args, v->args_n, &at);
        for (int i = 0; i < 2; i++) {
            if (!names[i].n || !str_starts(word, names[i]))
                continue;
            struct str rest = {word.p + names[i].n, word.n - names[i].n};
            if (!rest.n)
                return at < v->args_n ? next_word(v->args, v->args_n, &at) : none;
            if (rest.p[0] == '=')
                return (struct str){rest.p + 1, rest.n - 1};
            if (i == 0)
                return rest;
        }
    }
    return none;
}

bool conf_told_path(const struct conf_view *v, struct str told, char *path, size_t size)
{
    char cwd[400];
    ssize_t n = 0;

    if (!told.n)
        return false;
    if (told.p[0] != '/') {
        n = readlinkat(v->dir, "cwd", cwd, sizeof cwd);
        if (n <= 0 || n == sizeof cwd || cwd[0] != '/')
            return false;
    }
    int length = snprintf(path, size, "%.*s%s%.*s", (int)n, cwd, n > 1 ? "/" : "", STR_ARG(told));
    return length > 0 && (size_t)length < size;
}
