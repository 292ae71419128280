// SPDX-License-Identifier: Apache-2.0
// What the edge's own files share: the process's state and the names of functions that only they call.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct conn;

struct edge {
    const struct conf *conf;
    int master_fd;
    uint32_t generation;
    bool draining;  // accept nothing new; answers say Connection: close
    bool keep_idle; // while draining: idle connections may send one more request
    unsigned n_conns, n_admin_conns, max_conns;
};
extern struct edge edge;

// Something ended (a connection, a job): while draining, the edge may be done now.
void edge__check_drained(void);

// listener.c
void listener_init(const int *fds, size_t n, int admin_fd);
// Those that wait in the kernel's queue are still served, but for the sockets in `shared` (as msg_drain has it): there
// another edge will. The admin's goes on where it is not shared, so that what happens during the last drain stays visible.
void listener_stop(uint64_t shared);
void listener_stop_admin(void);
// A descriptor became free: accept again if that was what it waited for.
void listener_resume(void);

// conn.c
void conn_accept(int fd, bool admin, const void *addr, unsigned addr_n);
// Closes the connection that has been idle longest; false if none is idle.
bool conn_close_oldest_idle(void);
// Drain: closes idle connections; one that never had a request gets a moment more, for it may be on its way.
void conn_close_idle(void);
// Breaks every connection (drain deadline). Returns how many had a request under way.
unsigned conn_cut_all(void);
