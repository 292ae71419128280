// SPDX-License-Identifier: Apache-2.0
// The effective configuration: what flags, environment, file and defaults add up to, checked and ready for use.
// Read by master (which makes it), edge (which inherits it by fork) and the cli. Immutable once loaded; a reload makes a
// new one. Every option is one row of tbl/options.def; field names here are the rows' names.
// Sizes are bytes, times are milliseconds, 0 means "no limit" only where the row says so.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"

struct cidr {
    uint8_t addr[16]; // IPv4 as ::ffff:a.b.c.d
    uint8_t bits;     // 0..128
};

struct conf_list {
    char **v;
    size_t n;
};

struct conf_cidrs {
    struct cidr *v;
    size_t n;
};

struct conf_pair { // env[K] = V, php_value[K] = V, ...
    char *key, *value;
};

struct conf_pairs {
    struct conf_pair *v;
    size_t n;
};

enum log_format { LOG_FORMAT_COMBINED, LOG_FORMAT_JSON };
enum follow_symlinks { SYMLINKS_ON, SYMLINKS_OFF, SYMLINKS_OWNER };
enum tristate { UNSET = -1, OFF = 0, ON = 1 };

struct conf_pool {
    char *name;
    char *user, *group; // as given, or found from the folder's owner; NULL when not started as root
    uid_t uid;          // resolved; (uid_t)-1 = keep the caller's
    gid_t gid;
    unsigned workers;            // pm.max_children; already resolved, >= 1
    unsigned max_requests;       // pm.max_requests; 0 = never recycle
    unsigned queue;              // requests that may wait for a worker
    unsigned queue_timeout_ms;   // how long one may wait
    unsigned read_timeout_ms;    // silence of a worker before 504; 0 = none
    unsigned request_terminate_timeout_ms; // whole request; 0 = none
    bool clear_env;
    bool no_new_privs;
    bool catch_workers_output;
    bool dumpable; // process.dumpable
    int64_t rlimit_files, rlimit_core; // -1 = leave; RLIM_INFINITY as INT64_MAX
    char *php_ini;                     // file or folder, NULL = found (see README)
    struct conf_pairs env, php_value, php_flag, php_admin_value, php_admin_flag;
};

struct conf_route {
    char *name;
    char *site; // NULL = every site
    struct conf_list path; // globs; a path matches if one of them does
    enum tristate php;
    bool deny;
    bool internal; // reachable through X-Accel-Redirect only
    struct conf_cidrs allow;
    unsigned redirect_status; // 0 = no redirect
    char *redirect;
    struct conf_list header; // "Name: value"
    int64_t expires_s;       // -1 = not set
    char *root;              // folder that stands for the path's fixed part (nginx's alias); NULL = the site's root
    int64_t max_body_size;   // -1 = the site's
    int64_t read_timeout_ms, request_terminate_timeout_ms; // -1 = the pool's
    enum tristate request_buffering;
    bool builtin;    // from tbl/apps.def, not from the file
    bool files_only; // deny holds only where a file would be sent as it is, not where a script answers
};

struct conf_site {
    char *name;
    unsigned line;                // of its section in the file; 0: it has none
    struct conf_list server_name; // exact, *.example.org, or _ for any; empty = any
    char *dir;                    // the application's folder, absolute
    char *root;                   // document root, absolute, resolved
    unsigned pool;                // index into conf.pools
    char *pool_name;              // as given, NULL = the first
    char *app;                    // recognised application ("symfony", "wordpress", ...), "none"
    char *front_controller;       // "/index.php" (URL path below root), NULL = off
    struct conf_list index;       // file names tried in a folder
    enum follow_symlinks follow_symlinks;
    int64_t max_body_size; // 0 = post_max_size of the pool's PHP
    bool request_buffering;
    bool precompressed;
    char *access_log; // FILE, "-" = stdout, NULL = off
    bool builtin_denies;
    struct conf_list sendfile_root; // where X-Sendfile may read besides dir
};

struct conf_listen {
    char *text;    // as given
    bool is_unix;
    char *path;    // unix
    char *host;    // NULL = any address
    uint16_t port; // 0 = any
};

struct conf_global {
    struct conf_listen *listen;
    size_t n_listen;
    char *pid;     // NULL = none
    char *control; // socket path; NULL = off
    struct conf_listen *admin; // NULL = off
    bool admin_allow_remote;
    int ready_fd; // -1 = none
    char *error_log; // FILE or "-"
    int log_level;   // enum log_level
    enum log_format log_format;
    char *edge_user, *edge_group;
    uid_t edge_uid; // (uid_t)-1 = keep
    gid_t edge_gid;
    bool allow_root;
    unsigned shutdown_timeout_ms;
    struct conf_cidrs trusted_proxies;
    char *spool_dir;
    char *plimsoll_php; // path of the binary
    char *ping_path, *ping_response; // NULL = off
    unsigned max_connections;
    size_t request_line_max, header_max;
    unsigned header_count_max;
    unsigned header_timeout_ms, body_timeout_ms, keepalive_timeout_ms, send_timeout_ms;
    size_t body_min_rate; // bytes a second, 0 = none
    unsigned keepalive_requests;
    size_t body_memory;     // a request body up to here stays in memory
    size_t response_buffer; // a response the client is slow to take: memory up to here,
    int64_t response_spool; // then a file up to here
    bool spool_in_memory;   // found: spool_dir is tmpfs
    bool control_by_default; // found: nobody named the control socket's path
};

struct conf {
    struct conf_global global;
    struct conf_site *sites;
    size_t n_sites; // >= 1; sites[0] is the default site
    struct conf_pool *pools;
    size_t n_pools; // >= 1
    struct conf_route *routes; // the file's in order, then the built-in ones
    size_t n_routes;
    char *file; // the file read, NULL = none
    struct conf_origin *origins; // where each value came from, for `plimsoll check`
    size_t n_origins;
    struct conf_list findings; // sentences: what looking at the folder and the machine found
    struct conf_list warnings; // sentences: what works, but should be known
    struct arena arena;        // holds all of it
};

// What the command line adds. Rows of tbl/options.def that have a flag arrive as (key, value) in order.
struct conf_args {
    const char *dir;  // DIR or NULL = "."
    const char *file; // -c or NULL
    struct conf_pairs flags;
    char **environ; // the environment to look in; NULL = none
    char *cwd;      // what relative paths given here are relative to; NULL = the current folder at load
    bool json, help; // of the command itself
};

// Errors are collected, not just the first: each is one line "FILE:LINE: reason" or "--flag: reason".
struct conf_errors {
    struct conf_list lines;
};

// Which flags a command takes: all; all and --json; -c, --control and --json.
enum conf_command { CONF_COMMAND_SERVE, CONF_COMMAND_CHECK, CONF_COMMAND_CLIENT };

// Reads argv[0..argc) (without program and command name) by the option table: --x=v, --x v, -xv, -x v, -- and one DIR.
// Returns 0; or -1 and a sentence in *ret_error (malloc'ed). conf_args_done frees what it made; cwd is remembered, so that
// a reload understands relative paths as the start did.
int conf_args_parse(struct conf_args *args, enum conf_command command, int argc, char **argv, char **ret_error);
void conf_args_done(struct conf_args *args);

// Loads and checks everything; the file system is looked at (roots, users, spool folder) but nothing is opened for keeps.
// Returns 0 and the configuration, or -1 with at least one error line.
int conf_load(const struct conf_args *args, struct conf **ret_conf, struct conf_errors *errors);
struct conf *conf_free(struct conf *c);
void conf_errors_done(struct conf_errors *e);

// What was found by looking at the folder, one sentence a line, indented (for the start message). and the warnings.
void conf_print_findings(const struct conf *c, FILE *out);
// `plimsoll check`: every option with its effective value and origin, aligned; or as JSON.
void conf_print_effective(const struct conf *c, bool json, FILE *out);
// `plimsoll check --json` where the configuration was refused: {"schema":"plimsoll.check/1","errors":[...]}.
void conf_print_errors(const struct conf_errors *e, FILE *out);
// `plimsoll help`, `--help` and docs/configuration.md come from the same table.
void conf_print_help(enum conf_command command, FILE *out);
void conf_print_reference(FILE *out);

// The control socket of a server started by this user without a setting. The string is malloc'ed.
char *conf_default_control_path(uid_t uid, char **env);
// Only the control socket's path, for reload, stop and status, which must work where the rest of the configuration doesn't
// hold any more: flag, else environment, else file, else the default. NULL = off, or an error was added. malloc'ed.
char *conf_control_path(const struct conf_args *args, struct conf_errors *errors);

bool cidr_parse(struct str text, struct cidr *ret_cidr);
bool cidr_contains(const struct cidr *c, const uint8_t addr[16]);
bool conf_cidrs_contain(const struct conf_cidrs *list, const uint8_t addr[16]);
