// SPDX-License-Identifier: Apache-2.0
// What the running server is configured to: php-fpm's pools, Apache's and FrankenPHP's php.ini, Caddyfile and environment,
// Plimsoll's. Read from the files that the process was started with, as the container sees them; never from the php CLI.
//
// Each number carries where it comes from. What can't be found is "not known": a guess is never made of another SAPI's file.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "advice/facts.h"
#include "mem/procs.h"

#define CONF_FROM 96
#define CONF_POOLS 16
#define CONF_ADDRESS 108

struct conf_amount {
    bool known;
    int64_t value;        // bytes or a count
    char from[CONF_FROM]; // "/etc/php/8.2/fpm/pool.d/www.conf:12", "PHP's default", "the running process"
};

enum conf_pm { CONF_PM_UNKNOWN, CONF_PM_STATIC, CONF_PM_DYNAMIC, CONF_PM_ONDEMAND };

// A php-fpm pool (or Plimsoll's).
struct conf_pool {
    char name[32];
    enum conf_pm pm;
    struct conf_amount max_children, max_requests, memory_limit;
    char listen[CONF_ADDRESS];      // as configured; "" not known
    char status_path[CONF_ADDRESS]; // "" none
    char status_listen[CONF_ADDRESS];
};

struct server_conf {
    enum advice_server server;
    pid_t pid;                                   // the process whose configuration it is; 0: none found
    struct conf_amount memory_limit;             // value 0: none (-1 in php.ini). The largest of the pools
    struct conf_amount max_children;             // of all pools; Apache: MaxRequestWorkers
    struct conf_amount max_requests;             // the largest; 0: never recycled
    struct conf_amount opcache_bytes;            // opcache.memory_consumption (interned strings lie in it) + jit_buffer_size
    struct conf_amount apcu_bytes;               // apc.shm_size; also where APCu isn't loaded
    struct conf_amount gomemlimit;               // 0: off; known and set by nobody: not known, but gomemlimit_asked
    bool gomemlimit_asked;                       // the environment could be read
    struct conf_amount num_threads, max_threads; // FrankenPHP, as configured
    struct conf_amount threads;                  // FrankenPHP's for PHP that run now
    bool max_threads_auto;
    bool file_caps;           // FrankenPHP's: its file has capabilities, which closes it even to its own user
    bool admin_off;           // Caddy's admin endpoint is off
    bool metrics_off;         // Caddy's metrics are, as far as its file says; false: on, or not known
    char admin[CONF_ADDRESS]; // Caddy's or Plimsoll's, "" not known
    char php_ini[CONF_FROM];  // the file read, "" none
    int32_t n_pools, pools_dropped;
    struct conf_pool pool[CONF_POOLS];
};

// proc: descriptor of /proc. procs: those of the container; the server is told from their roles. Never fails: what can't be read
// or is garbage stays "not known".
void server_conf_read(int proc, const struct proc_info *procs, int32_t n, struct server_conf *ret);
// Copies what is known into the facts that advice is given on.
void server_conf_facts(const struct server_conf *c, struct advice_facts *io);

// "128M", "1G", "-1", "134217728" as PHP reads it: bytes; 0 for none (-1). False: not a size.
bool server_conf_php_size(const char *text, int64_t *ret);
// GOMEMLIMIT's syntax: "512MiB", "off" (0), bytes.
bool server_conf_go_size(const char *text, int64_t *ret);
