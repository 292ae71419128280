// SPDX-License-Identifier: Apache-2.0
// How many requests the server has answered: php-fpm's status page (FastCGI), Caddy's or Plimsoll's metrics, Apache's
// server-status, the counts of FrankenPHP's threads where Caddy's metrics are off, else the TCP connections that were accepted
// (/proc/PID/net/snmp), marked as an estimate.
//
// A question is asked without waiting: requests_start(), then requests_step() whenever the descriptor is ready or the caller's
// second begins, until it isn't -EINPROGRESS. No name is looked up: addresses are literals or "localhost". A peer that sends
// garbage, nothing or no end costs at most the caller's deadline and REQUESTS_READ_MAX bytes.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "advice/server_conf.h"

#define REQUESTS_READ_MAX (4 << 20) // metrics of a busy Caddy: some hundred KiB
#define REQUESTS_TEXT 256

enum requests_source {
    REQUESTS_NONE,
    REQUESTS_FPM,
    REQUESTS_CADDY,
    REQUESTS_APACHE,
    REQUESTS_PLIMSOLL,
    REQUESTS_THREADS, // FrankenPHP 1.12.2 and later
    REQUESTS_TCP
};
const char *requests_source_name(enum requests_source source); // "fpm status", ..., "TCP connections"

struct requests_target {
    enum requests_source source;
    struct sockaddr_storage addr;
    socklen_t addr_n;
    int root;                 // the container's / that a Unix socket's path begins at, borrowed; -1: ours
    char host[REQUESTS_TEXT]; // for the Host field
    char path[REQUESTS_TEXT]; // "/status", "/metrics"
    bool frankenphp;          // where there is no count, its threads are asked, then TCP
};

// "http://127.0.0.1:2019/metrics" (Caddy's or Plimsoll's), "http://[::1]:80/server-status?auto" (Apache's),
// "http://127.0.0.1:2019/frankenphp/threads", "fcgi://127.0.0.1:9000/status", "unix:/run/php/fpm.sock" with "|/status" behind it
// (php-fpm), "unix:/run/x.sock|http:/metrics",
// "tcp" (/proc/net/snmp). The source is told from it. 0, -EINVAL; -EADDRNOTAVAIL: a name that would have to be looked up.
int requests_parse(const char *url, struct requests_target *ret);
// The best target that the configuration tells; false: only TCP is left. root: the container's /, for Unix sockets.
bool requests_find(const struct server_conf *conf, int root, struct requests_target *ret);

struct requests_answer {
    enum requests_source source;
    bool estimate;
    int64_t total; // since the server's start; our own questions are taken off
};

struct requests;
// proc_pid: descriptor of /proc/PID of a process of the container, used here only; -1: none. A port of a network namespace that
// isn't ours becomes "tcp". 0 or -ENOMEM.
int requests_open(const struct requests_target *target, int proc_pid, struct requests **ret);
struct requests *requests_close(struct requests *r); // NULL
// By what it counts: TCP connections where the target is in another network; may change with a question of a FrankenPHP.
enum requests_source requests_counted_by(const struct requests *r);
// Begins a question (one that is still under way is given up). 0 or -errno.
int requests_start(struct requests *r);
int requests_fd(const struct requests *r);       // for poll; -1: nothing to wait for
short requests_events(const struct requests *r); // POLLIN or POLLOUT
// -EINPROGRESS: not yet. 0: *ret is filled. -EAGAIN: not so, but there is another way: start again. Else -errno: -EPROTO garbage, -EMSGSIZE too much, -ECONNREFUSED, -ENOENT (no such
// page).
int requests_step(struct requests *r, struct requests_answer *ret);
// All of it at once, waiting up to deadline_ms. -ETIMEDOUT.
int requests_ask(struct requests *r, int deadline_ms, struct requests_answer *ret);
