// SPDX-License-Identifier: Apache-2.0
// What the readers of servers' configurations share: files beneath a container's root, lines, a process's arguments and
// environment. Everything read is foreign: files are regular ones of bounded size, followed within the root only.
#pragma once
#include "advice/server_conf.h"
#include "base/str.h"

#define CONF_FILE_MAX (1u << 20)
#define CONF_NAMES_MAX 256   // files of a folder or pattern
#define CONF_WORK (16 << 20) // bytes and names looked at for one answer: files may include each other, and themselves

// A process and the files it sees.
struct conf_view {
    int root;      // "/" of the process
    int dir;       // /proc/PID
    bool php_args; // its arguments are PHP's: -c, -d
    bool php_cwd;  // its PHP takes a php.ini of the directory it works in, before that of a folder
    char *args;    // cmdline, NUL-separated
    size_t args_n;
    char *environ; // NUL-separated; NULL where it can't be read
    size_t environ_n;
    int64_t *work; // left of CONF_WORK, over all views of one answer
};

// A regular file's text, NUL-terminated, to be freed; NULL with errno set (E2BIG: all of CONF_WORK is used up).
char *conf_read(const struct conf_view *v, const char *path, size_t *ret_n);
bool conf_exists(int root, const char *path);
// Calls fn with each file that a pattern ("/etc/php/8.2/fpm/pool.d/*.conf"; * in the last component only) stands for, by name.
void conf_each_file(const struct conf_view *v, const char *pattern, void (*fn)(void *arg, const char *path), void *arg);

// The next line, trimmed, and its number.
bool conf_line(struct str *rest, struct str *ret_line, unsigned *io_number);
// "[section]" or "key = value", quotes and a comment behind ';' taken off. False: neither.
bool conf_is_section(struct str line, struct str *ret_name);
bool conf_split(struct str line, struct str *ret_key, struct str *ret_value);

// Sets *a; from is "PATH:LINE", or where line is 0, from alone.
void conf_set(struct conf_amount *a, int64_t value, const char *from, unsigned line);
void conf_copy(char *to, size_t size, struct str text); // cleaned for showing
bool conf_count(struct str text, int64_t *ret);         // digits

// A variable of the process; {NULL, 0} where it has none.
struct str conf_env(const struct conf_view *v, const char *name);
// "${NAME}" or "${NAME:-default}" as a whole: what it stands for. Anything else, and where the environment can't be read: the
// value itself.
struct str conf_expand(const struct conf_view *v, struct str value);
// The value of an argument: "-c X", "-cX", "--config X", "--config=X"; either name may be NULL.
struct str conf_arg(const struct conf_view *v, const char *brief, const char *full);
// A file that the process was told by name: a relative one lies below the directory it works in. False: it can't be told which.
bool conf_told_path(const struct conf_view *v, struct str told, char *path, size_t size);

// What php.ini and its friends say.
struct php_values {
    struct conf_amount memory_limit, opcache, interned, jit, apcu;
    bool opcache_off, apcu_off;
    bool unreadable; // a file that may say something can't be read: defaults aren't known
};
// Of one line of a php.ini or a pool's php_value.
void php_values_take(struct php_values *p, struct str key, struct str value, const char *from, unsigned line);
// Reads the php.ini in the first of the folders (NULL-terminated) that has one, and its conf.d; then -d of the arguments. A php.ini
// where the process works stands for the folder's, but not for its conf.d.
void php_values_read(const struct conf_view *v, const char *const *folders, struct php_values *p, struct server_conf *c);
// Fills in PHP's defaults where no file says otherwise, and copies to c.
void php_values_finish(struct php_values *p, struct server_conf *c);

void conf_read_fpm(const struct conf_view *v, const char *path, bool plimsoll, struct php_values *p, struct server_conf *c);
void conf_read_caddyfile(const struct conf_view *v, struct php_values *p, struct server_conf *c);
void conf_read_apache(const struct conf_view *v, struct php_values *p, struct server_conf *c);
