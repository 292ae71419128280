// SPDX-License-Identifier: Apache-2.0
// The route step: which site, which rules, which file. Decides what answers a request (struct req's "Of the route step"
// part) without answering it.
#pragma once
#include <stdbool.h>

struct req;
struct conf;

// Opens every site's root (and routes' roots) once; the descriptors are the module's. Returns 0, or -errno with the path
// that could not be opened in *ret_path.
int route_init(const struct conf *conf, const char **ret_path);
void route_done(void);

// Fills in site, host, path, client_addr, scheme, routes, limits, plan and its parts. `internal`: an X-Accel-Redirect, which
// may reach routes marked internal and files that rules keep from clients, and keeps site and client as they are.
void route_decide(struct req *r, bool internal);

// Opens a file named by PHP in X-Sendfile, if it lies below the site's folder or one of sendfile_root and obeys the symlink
// and dotfile rules for resolved names. Sets the request's file parts (plan = PLAN_STATIC); false if it may not be sent.
bool route_open_sendfile(struct req *r, const char *path);
