// SPDX-License-Identifier: Apache-2.0
// What the files of the master share. The process's whole state hangs off `master`.
//
//   service    a configuration being served: its listeners, logs, one edge, its pools. One is current; during a reload
//              another starts, and those replaced drain.
//   pool       a user's PHP: the mold that forks (or the one starting), and the workers.
//   A process struct lives from its fork until it is reaped; a worker's from SPAWN until it is reaped, or until its channel
//   ends before its pid was known.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/conf.h"
#include "ipc/board.h"
#include "ipc/link.h"
#include "ipc/worker_end.h"
#include "master/catcher.h"
#include "master/listeners.h"
#include "master/logs.h"
#include "master/peer.h"

#define EXIT_FAILED 1
#define EXIT_CONF 3
#define EXIT_BIND 4
#define EXIT_PHP 5
#define EXIT_CUT 7

struct service;
struct pool;

struct edge_proc {
    pid_t pid; // 0 = none
    uint32_t serial;
    bool ready, draining;
    unsigned quick_deaths; // in a row
    uint64_t started_ms;
    struct peer peer;
    struct timer respawn;
    struct board_proc *row;
};

struct mold {
    struct mold *next;
    struct pool *pool;
    uint32_t generation;
    pid_t pid;
    bool ready, closing;
    bool hangs; // its workers don't come up: a successor starts
    uint64_t started_ms;
    uint64_t post_max_size;
    char *failure; // what MOLD_FAILED said
    struct peer peer;
    struct timer limit; // to MOLD_READY; when closing, to SIGKILL
    struct catcher *catcher;
    struct board_proc *row;
};

struct worker {
    struct worker *next;
    struct pool *pool;
    uint32_t id, generation;
    pid_t pid; // 0 until HELLO
    bool retiring, killing;
    bool attached;             // reads the link whose other end is here, or that the edge has
    uint32_t edge_serial;      // of the edge that has it; 0 = none yet
    enum worker_end asked_end; // why we kill it; WORKER_ENDS = we don't
    int link[LINK_FDS];        // the edge's end, -1 once the edge has it; WORKER_ADD carries it and
    int chan_fd;               // the shared memory
    int smaps_fd, statm_fd;    // its own, opened by itself; -1 = not given
    uint64_t post_max_size;
    struct peer peer;
    struct timer timer; // to HELLO, to ATTACHED, to SIGKILL
    struct board_proc *row;
};

#define POOL_DEATHS 5

struct pool {
    struct service *svc;
    const struct conf_pool *conf;
    uint32_t index;
    struct mold *mold;     // forks workers; NULL for now
    struct mold *starting; // its successor
    struct mold *molds;    // all that are not reaped
    struct worker *workers;
    unsigned n_live;                 // workers that said HELLO and are not known to be dead
    bool up;                         // as the edge was told
    uint64_t deaths_ms[POOL_DEATHS]; // the last deaths outside a request
    unsigned n_deaths;
    unsigned backoff_ms; // 0 = none
    unsigned mold_failures;
    struct timer spawn_timer, calm_timer, mold_timer, retire_timer;
    struct msg_mold_ready facts; // of the last mold that became ready
};

enum service_state { SERVICE_STARTING, SERVICE_READY, SERVICE_DRAINING, SERVICE_CLOSING };

struct service {
    struct service *next;
    struct conf *conf;
    uint32_t generation;
    enum service_state state;
    bool first; // started with the master, not by a reload
    struct listener **listeners;
    size_t n_listeners;
    struct listener *admin;
    struct logs logs;
    struct edge_proc edge;
    struct pool *pools;
    struct timer limit; // to ready; when draining with a deadline, to closing; when closing, to SIGKILL
    struct timer gone;
};

struct master {
    const struct conf_args *args;
    char **argv;
    pid_t pid;
    struct service *services; // all; the newest first
    struct service *current;  // NULL until the first is ready
    uint32_t last_generation, last_worker_id, last_edge_serial;
    int exit_code;
    bool stopping, handing_over; // handing_over: a new master took our sockets
    unsigned interrupts;
    struct timer stop_timer;
    struct board_proc *row;
};

extern struct master master;

// master.c
void master_on_ready(struct service *svc);                               // it answers requests
void master_on_failure(struct service *svc, int code, const char *text); // it could not start
void master_on_gone(struct service *svc);                                // nothing of it is left
void master_stop(const char *why);
void master_stop_now(void);
void master_hand_over(pid_t new_pid);
void master_reopen_logs(void);
void master_use_logs(const struct service *svc); // for the master's own lines

// reload.c
// NULL if one was begun, else the reason why not.
const char *reload_begin(void);
bool reload_is_running(void);
void reload_done(struct service *svc);
void reload_failed(struct service *svc, const char *text);

// service.c
struct service *service_new(struct conf *conf, bool first);
void service_free(struct service *svc); // nothing was started, or all is gone
void service_start(struct service *svc);
void service_check(struct service *svc); // something became ready
void service_fail(struct service *svc, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define NO_DEADLINE_MS UINT32_MAX // 49 days
void service_drain(struct service *svc, unsigned deadline_ms, bool keep_idle);
void service_close(struct service *svc, unsigned leftover_ms); // its edge is gone or not wanted: all else ends
void service_kill(struct service *svc);
void service_maybe_gone(struct service *svc);

// worker_pool.c
void pool_init(struct pool *p, struct service *svc, uint32_t index);
void pool_start(struct pool *p);
void pool_close(struct pool *p);
void pool_done(struct pool *p);
void pool_fill(struct pool *p);
void pool_retire_old(struct pool *p);
void pool_tell_state(struct pool *p); // to the edge, if it changed or force
void pool_tell_edge_all(struct pool *p);
void pool_on_mold_ready(struct pool *p, struct mold *m);
void pool_on_mold_gone(struct pool *p, struct mold *m, const char *how);
void pool_on_bad_death(struct pool *p);
void pool_renew_mold(struct pool *p);

// mold_proc.c
struct mold *mold_start(struct pool *p); // NULL: could not be forked
void mold_close(struct mold *m);         // it exits by end of file, or is killed soon after
void mold_on_exit(struct mold *m, int status);

// worker_proc.c
int worker_spawn(struct pool *p);    // 0 or -errno
void worker_offer(struct worker *w); // to the edge, if both are there
void worker_on_exit(struct worker *w, int status);
void worker_on_edge_lost(struct worker *w);
void worker_kill(struct worker *w, enum worker_end why);
void worker_close(struct worker *w); // it exits by end of file

// edge_proc.c
int edge_start(struct service *svc); // 0 or -errno
void edge_on_exit(struct service *svc, int status);
void edge_send_logs(struct service *svc);

// signals.c
int signals_init(void);
void signals_reset_child(void); // in a fork: nothing blocked, nothing caught
void signals_reap(void);        // all that ended by now
// If pid ended lately and nobody knew it: its status.
bool signals_take_orphan(pid_t pid, int *ret_status);

// announce.c
int announce_pid_file(struct conf *conf); // 0 or -errno
void announce_ready(struct service *svc, bool with_ready_fd);
void announce_done(void); // removes the pid file if it is ours

// status and control
// take_over: whoever listens there is replaced (he knows). Returns 0, or -errno with a sentence in why; with 0, why may hold
// a remark.
int control_open(const struct conf *conf, bool take_over, char *why, size_t why_cap);
const char *control_path(void);                                               // NULL = off
void control_say(const char *fmt, ...) __attribute__((format(printf, 1, 2))); // to those who wait for a reload
void control_reload_result(const char *error);                                // NULL = ok
void control_close(const char *stop_result);                                  // those who wait for the stop get it

// upgrade.c
void upgrade_init(void);     // looks whether an older master started us
bool upgrade_is_child(void); // this process was started by USR2 and has not said it is ready
void upgrade_say_ready(void);
void upgrade_begin(void);
bool upgrade_is_running(void);
bool upgrade_on_exit(pid_t pid, int status); // true if it was the new master
void upgrade_cancel(void);
