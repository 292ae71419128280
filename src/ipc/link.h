// SPDX-License-Identifier: Apache-2.0
// The channel between the edge and one worker: the messages of every request through two pipes, which cost two thirds of
// what a socket pair does, and a socket for what a pipe can't carry. The kernel copies each message, as with ipc/msg.h.
//
//   down   edge to worker, frames of one size. They share the pipe's pages, so that a hundred fit even where the kernel
//          gives a user's pipes no more than a page each (pipe-user-pages-soft)
//   up     worker to edge, packets (O_DIRECT; a socket pair where pipes have none): what is written at once is read at once
//   files  edge to worker only: BODY_FILE with a descriptor, sent before the JOB that it belongs to
//
// Neither side holds an end of the other's, so the death of one is end of file for the other. What a worker has not read
// stays in the pipe for as long as the edge holds its end: link_has_unread. SIGPIPE must be ignored by who sends.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "ipc/msg.h"

enum link_fd { LINK_DOWN, LINK_UP, LINK_FILES, LINK_FDS };

#define LINK_FRAME_BYTES 32 // the longest message down
#define LINK_UP_BYTES 4096  // the longest up: PIPE_BUF, or it would not be written in one piece

// Both sides' ends, close-on-exec; the edge's are non-blocking. Returns 0 or -errno.
int link_open(int ret_edge[LINK_FDS], int ret_worker[LINK_FDS]);
void link_close(int fds[LINK_FDS]); // those that are not -1; then they are

// Sends over `down` or `up`, as the message's row says. Returns 0, -EAGAIN (full, only when non-blocking), -EPIPE (the reader
// is gone) or another -errno. A message that does not fit its row is a bug of ours and dies.
int link_send(int fd, enum msg_type type, const void *body, const void *tail, size_t tail_n);
// Receive one message; results as msg_recv.
int link_recv_down(int fd, struct msg *ret_msg);
int link_recv_up(int fd, struct msg *ret_msg);
// The edge, of its end of `down`: whether the worker has left anything unread.
bool link_has_unread(int fd);

// Checks and copies one frame of n bytes; separate from the pipe so that it can be fuzzed. Results as msg_decode.
int link_decode_frame(const void *data, size_t n, struct msg *ret_msg);
