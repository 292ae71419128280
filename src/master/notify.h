// SPDX-License-Identifier: Apache-2.0
// Tells systemd how we are (sd_notify(3)), without its library: one datagram to $NOTIFY_SOCKET.
#pragma once

// Takes $NOTIFY_SOCKET out of the environment; without it notify_send does nothing.
void notify_init(void);
// What the variable held, for a new master; NULL = nothing.
const char *notify_socket(void);
// "READY=1", "STATUS=..." and the like, separated by newlines. Never blocks; a lost message is lost.
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
