// SPDX-License-Identifier: Apache-2.0
// Listening sockets. They outlive configurations: a reload takes over those it still names, an upgrade passes all of them on.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf/conf.h"

struct listener {
    struct listener *next;
    char *text;  // as the configuration has it
    char *shown; // where it really listens: "127.0.0.1:41234", "unix:/run/x"
    bool admin;
    int fd;
    unsigned refs;
    char *path; // unix: unlinked with the last reference unless kept
    dev_t dev;
    ino_t ino;
};

// Takes what the process was started with: systemd's LISTEN_FDS and an older master's sockets.
void listeners_init(void);
bool listeners_from_systemd(void);

// Gives a reference to the socket for l: one that is open already, an inherited one, or a new one.
// taken[n]: those this configuration has already. Returns 0 or -errno with a sentence in why.
int listener_get(const struct conf_listen *l, bool admin, struct listener *const *taken, size_t n_taken,
                 struct listener **ret_listener, char *why, size_t why_cap);
// systemd's n-th socket for serving (not the one named "admin"); NULL past the last.
struct listener *listener_get_systemd(size_t n);
// The socket that systemd named "admin"; NULL if none.
struct listener *listener_get_systemd_admin(void);
struct listener *listener_unref(struct listener *l);
// Closes inherited sockets that nobody took.
void listeners_drop_unused(void);
// Refuses new connections from now on: the edge closes its own descriptors when it drains, the admin's as the last. Socket
// files stay.
void listeners_stop(void);
// After a hand-over: socket files stay.
void listeners_keep_files(void);
// At the end: all of them, whoever holds references.
void listeners_close_all(void);
// Calls fn for every open socket.
void listeners_each(void (*fn)(const struct listener *l, void *arg), void *arg);

// The variables that carry sockets and news from one master to the next.
#define ENV_INHERIT_FDS "_PLIMSOLL_LISTEN_FDS"
#define ENV_UPGRADE_FD "_PLIMSOLL_UPGRADE_FD"
