// SPDX-License-Identifier: Apache-2.0
// A container looked at by xray: which it is, its eye and judge, and what they come to.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "xray/xray_args.h"
#include "xray/xray_view.h"

struct xray_look;

// Finds the target and opens all that is needed. 0; -errno with the reason in words in `error` (-ENOENT, -ESRCH, -EINVAL: nothing
// to look at: exit code 2; others: 1).
int xray_look_open(const struct xray_args *args, struct xray_look **ret, char *error, size_t error_n);
struct xray_look *xray_look_close(struct xray_look *l); // NULL

// The first look: everything but the walk. 0, or -ESRCH: the container is gone.
int xray_look_first(struct xray_look *l);
// Walks files in memory on for about budget_ms; true when all were seen.
bool xray_look_walk(struct xray_look *l, int budget_ms);
double xray_look_covered(const struct xray_look *l); // of the walk, 0 to 1; negative: not known
// A look of the one-a-second kind: the sample goes to the judge. 0, or -ESRCH.
int xray_look_again(struct xray_look *l);
// The look before the answer, when there were others: as full as the first, with what was walked brought up to date. 0, -ESRCH.
int xray_look_last_time(struct xray_look *l);
// The history of a running watch goes to the judge; later looks continue it. 0 or -errno (-ENOENT, -ECONNREFUSED: none runs).
int xray_look_ask_watch(struct xray_look *l, const char *socket);
// What is known by now. Valid until the next call.
const struct xray_view *xray_look_view(struct xray_look *l);
// What watch --state DIR left behind of the life before; prints it. The exit code.
int xray_look_last(const struct xray_look *l, const char *state_dir, bool json);
double xray_look_elapsed(const struct xray_look *l); // seconds since the first look
