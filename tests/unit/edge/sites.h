// SPDX-License-Identifier: Apache-2.0
// For tests of the route step: a configuration of several sites over the tree, and what is decided, in words.
#pragma once
#include "tree.h"

enum { PLAIN, FRONT /* has a front controller */, LINKS_OFF, LINKS_OWNER, WILD, LONGER, ANY, N_SITES };
extern struct conf conf;
extern struct conf_site sites[N_SITES];
extern struct conf_route routes[16];
extern char *send_root[1];

// Adds a rule for a glob; what it says is set after that, and holds once start was called.
struct conf_route *rule(char **glob);
void start(void);
void restart(void);
int set_up(void **state);
int tear_down(void **state);

// "404", "301 /dir/", "php /a.php + /info", "file /a.css", "ready 200".
const char *outcome(const struct req *r);
const char *ask(const char *method, const char *host, const char *path);
const char *get(const char *host, const char *path);
// X-Accel-Redirect of an application at that host.
const char *get_internal(const char *host, const char *path);

#define FC "php /index.php"

#define S(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
#define WITH_TREE(...)                                                                                                           \
    static int make_tree(void **state)                                                                                           \
    {                                                                                                                            \
        tree_make();                                                                                                             \
        return 0;                                                                                                                \
    }                                                                                                                            \
    static int remove_tree(void **state)                                                                                         \
    {                                                                                                                            \
        tree_remove();                                                                                                           \
        return 0;                                                                                                                \
    }                                                                                                                            \
    int main(void)                                                                                                               \
    {                                                                                                                            \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                                         \
        return cmocka_run_group_tests(tests, make_tree, remove_tree);                                                            \
    }
