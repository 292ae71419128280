// SPDX-License-Identifier: Apache-2.0
// What the files of the route step share: its open folders, and the calls between
//   route.c (order of decisions) -> route_client.c (who asks) -> route_rules.c ([route] sections) -> route_file.c (which file)
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/req.h"
#include "edge/resolve.h"

struct send_roots { // where X-Sendfile may read; the first is the site's own folder
    struct root *v;
    size_t n;
};

struct route_tables {
    const struct conf *conf;
    struct root *site;       // document roots, one a site
    struct root *alias;      // one a [route], fd -1 where it has no root
    struct send_roots *send; // one a site
};
extern struct route_tables route__tables;

// What the matching rules add up to. Of each setting the first value set holds; a denial by any rule is a denial.
struct rules {
    bool internal;
    bool php_off; // for one of the paths that were matched
    bool front_off; // the same by a rule of the file: then the front controller does not stand in either
    bool file_denied; // by a rule that holds only where a file would be sent as it is
    enum tristate buffering;
    int64_t max_body_size, read_timeout_ms, terminate_timeout_ms, expires_s; // -1 = not set
    const struct conf_route *redirect;
    const struct conf_route *alias; // the rule whose root stands in for the path's fixed part
    size_t alias_n;                 // of the path; what follows, from its last '/', is looked up below alias->root
};

static inline void route__status(struct req *r, unsigned status, const char *why)
{
    r->plan = PLAN_STATUS;
    r->plan_status = status;
    if (status >= 400 && !r->end_reason)
        r->end_reason = why;
}

// client_addr, client_port, scheme, authority, server_port_text, remote_user.
void route__client(struct req *r);
// host from the authority, and the site that serves it; false if the authority is malformed.
bool route__site(struct req *r);

// Matches all rules with a path of the site and gathers what they set. `inside`: the path was not asked for but reached (an
// index file, the front controller), so rules marked internal let it through. Returns 0, or 403 or 404.
unsigned route__rules_match(struct req *r, struct rules *m, struct str path, bool inside);
// The limits that hold, once all matching is done.
void route__rules_limits(struct req *r, const struct rules *m);
void route__rules_redirect(struct req *r, const struct conf_route *rule);
void route__rules_expires(struct req *r, const struct rules *m);

// Decides from the files below the site's root (or the rule's): sets the plan.
void route__file(struct req *r, struct rules *m);
// Names a file of the plan: takes the descriptor over.
void route__plan_static(struct req *r, int fd, const struct stat *st, struct str name);
