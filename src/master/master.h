// SPDX-License-Identifier: Apache-2.0
// The master: starts, watches and replaces the other processes. One thread, one loop; it never parses HTTP and never maps
// libphp. What users see of it (signals, exit codes, control socket, upgrade) is docs/operations.md.
#pragma once

struct conf;
struct conf_args;

// Serves until told to stop. Takes conf; args must live as long as the call (a reload loads with them again); argv is the
// process's own (its memory becomes the edge's title, and an upgrade runs it again). Returns the exit code:
// 0 ordered end, 1 runtime failure, 3 configuration, 4 can't bind, 5 PHP didn't start, 7 requests were cut.
int master_main(struct conf *conf, const struct conf_args *args, char **argv);
