// SPDX-License-Identifier: Apache-2.0
// The edge as the master sees it: one process that speaks HTTP. The master forks it and calls edge_main in the child;
// everything the edge inherits is in struct edge_heritage.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct conf;

struct edge_heritage {
    const struct conf *conf;
    uint32_t generation;
    int master_fd;         // SOCK_SEQPACKET to the master
    const int *listen_fds; // listening sockets, non-blocking
    size_t n_listen;
    int admin_fd;          // listening socket of the admin listener, -1 = off
    int error_log_fd;
    const int *access_log_fds; // one for each site in order, -1 = off; two sites with the same file share a descriptor
    // privileges were dropped, no_new_privs set and PR_SET_DUMPABLE cleared by the master before it calls edge_main
};

// Runs until the master says DRAIN and everything is answered (returns 0), the drain deadline passed and requests were cut
// (returns 7), or the channel to the master breaks (returns 1). The caller passes the result to _exit.
int edge_main(const struct edge_heritage *heritage);
