// SPDX-License-Identifier: Apache-2.0
// A pool's settings as its mold gets them: the master writes them into a sealed memfd, which the mold finds as its
// descriptor POOL_SPEC_FD, beside the channel to the master at POOL_MOLD_FD. What takes rights (user, group, rlimits,
// no_new_privs) is done by the master between fork and exec and is not in here. The inherited environment is the process's
// own: env pairs are added to it, or stand alone with clear_env.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define POOL_MOLD_FD 3
#define POOL_SPEC_FD 4
#define POOL_SPEC_MAX (1u << 20)

enum pool_pair_kind {
    POOL_ENV,         // env[NAME]
    POOL_VALUE,       // php_value[NAME]: scripts and .user.ini may change it
    POOL_FLAG,        // php_flag[NAME]
    POOL_ADMIN_VALUE, // php_admin_value[NAME]: they can't
    POOL_ADMIN_FLAG,  // php_admin_flag[NAME]
    POOL_PAIR_KINDS
};

struct pool_pair {
    enum pool_pair_kind kind;
    const char *name, *value;
};

struct pool_spec {
    const char *pool;    // its name
    const char *php_ini; // file or folder, "" = found
    const char *user;    // for USER and HOME, as php-fpm started by root sets them; "" = leave them
    const char *home;
    bool clear_env;
    bool catch_workers_output; // descriptors 1 and 2 are the master's pipe; else PHP's own output goes nowhere
    bool dumpable;
    const struct pool_pair *pairs; // in the order they apply
    size_t n_pairs;
};

// Master: returns a sealed, close-on-exec memfd (at offset 0), or -errno. NULL strings count as "".
int pool_spec_encode(const struct pool_spec *spec);

// Mold: reads and checks what pool_spec_encode wrote. Strings and pairs live in one allocation, which pool_spec_done frees.
// Returns 0, or -EBADMSG, -EPROTONOSUPPORT (another version), or another -errno.
int pool_spec_decode(int fd, struct pool_spec *ret_spec);
void pool_spec_done(struct pool_spec *spec);
