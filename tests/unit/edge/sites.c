// SPDX-License-Identifier: Apache-2.0
// The sites of sites.h.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"

#include "base/addr.h"
#include "base/die.h"
#include "edge/resolve.h"
#include "edge/route.h"
#include "sites.h"

static char *index_names[] = {"index.php", "index.html"};
static char *names[N_SITES][2] = {
    {"plain.test"}, {"front.test", "www.front.test"}, {"off.test"}, {"owner.test"}, {"*.wild.test"}, {"*.deep.wild.test"}, {"_"}};
char *send_root[1];
static struct conf_pool pools[2];
struct conf_site sites[N_SITES];
struct conf_route routes[16];
struct conf conf;

struct conf_route *rule(char **glob)
{
    route_done(); // its tables are as long as the list was
    struct conf_route *x = &routes[conf.n_routes++];
    *x = (struct conf_route){.name = "r",
                             .path = {glob, 1},
                             .php = UNSET,
                             .expires_s = -1,
                             .max_body_size = -1,
                             .read_timeout_ms = -1,
                             .request_terminate_timeout_ms = -1,
                             .request_buffering = UNSET};
    return x;
}

static void conf_make(void)
{
    static const char *const site_names[] = {"plain", "front", "off", "owner", "wild", "longer", "any"};

    send_root[0] = tree_path("store");
    for (int i = 0; i < N_SITES; i++) {
        sites[i] = (struct conf_site){.name = (char *)site_names[i],
                                      .server_name = {names[i], names[i][1] ? 2 : 1},
                                      .dir = tree_path("site"),
                                      .root = tree_path("site/public"),
                                      .index = {index_names, 2},
                                      .max_body_size = 1000,
                                      .request_buffering = true,
                                      .sendfile_root = {send_root, 1}};
        sites[i].follow_symlinks = i == LINKS_OFF ? SYMLINKS_OFF : i == LINKS_OWNER ? SYMLINKS_OWNER : SYMLINKS_ON;
    }
    sites[FRONT].front_controller = "/index.php";
    sites[FRONT].pool = 1;
    pools[0] = (struct conf_pool){.read_timeout_ms = 60000};
    pools[1] = (struct conf_pool){.read_timeout_ms = 5000, .request_terminate_timeout_ms = 9000};
    conf = (struct conf){.sites = sites, .n_sites = N_SITES, .pools = pools, .n_pools = 2, .routes = routes};
    conf.global.ping_path = "/ping";
    conf.global.ping_response = "pong";
}

void start(void)
{
    const char *path = NULL;
    int rc = route_init(&conf, &path);
    if (rc)
        fail_msg("route_init: %s: %s", path, strerror(-rc));
}

int set_up(void **state)
{
    conf_make();
    start();
    return 0;
}

int tear_down(void **state)
{
    route_done();
    for (int i = 0; i < N_SITES; i++) {
        free(sites[i].dir);
        free(sites[i].root);
    }
    free(send_root[0]);
    resolve_set_walk_only(false);
    return 0;
}

// Rules take effect when the module starts.
void restart(void)
{
    route_done();
    start();
}

const char *outcome(const struct req *r)
{
    static char text[9000];
    char file[5000];

    switch (r->plan) {
    case PLAN_STATUS:
        snprintf(text, sizeof text, r->location.n || r->allow.n ? "%u %s%s" : "%u", r->plan_status, r->location.p, r->allow.p);
        break;
    case PLAN_PHP:
        snprintf(file, sizeof file, "%s%s", sites[0].root, r->script_name.p);
        if (r->n_routes && r->route[0]->root)
            break;
        assert_string_equal(r->script_filename.p, file);
        assert_int_equal(r->script_filename.n, strlen(file));
        assert_int_equal(access(file, F_OK), 0);
        snprintf(text, sizeof text, r->path_info.n ? "php %.*s + %.*s" : "php %.*s", STR_ARG(r->script_name),
                 STR_ARG(r->path_info));
        break;
    case PLAN_STATIC:
        assert_true(fcntl(r->file_fd, F_GETFL) >= 0 && !(fcntl(r->file_fd, F_GETFL) & O_PATH));
        snprintf(text, sizeof text, "file %.*s", STR_ARG(r->file_path));
        break;
    case PLAN_READY:
        snprintf(text, sizeof text, "ready %u", recorded.status);
        break;
    case PLAN_NONE:
        return "none";
    }
    return text;
}

const char *ask(const char *method, const char *host, const char *path)
{
    struct req *r = tree_req(method, host, path);
    route_decide(r, false);
    const char *text = outcome(r);
    if (r->plan != PLAN_STATIC)
        assert_int_equal(r->file_fd, -1);
    tree_req_free(r);
    return text;
}

const char *get(const char *host, const char *path)
{
    return ask("GET", host, path);
}

const char *get_internal(const char *host, const char *path)
{
    struct req *r = tree_req("GET", host, "/hello.php");
    route_decide(r, false);
    struct str to = str_from(path);
    r->path_raw = to;
    route_decide(r, true);
    const char *text = outcome(r);
    tree_req_free(r);
    return text;
}
