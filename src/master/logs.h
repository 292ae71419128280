// SPDX-License-Identifier: Apache-2.0
// The log files of a configuration: opened by the master, which may write where the edge may not.
#pragma once
#include <stddef.h>

#include "conf/conf.h"

struct logs {
    int error_fd;
    int *access_fds; // one a site, -1 = off; sites with the same file share a descriptor
    size_t n;
};

#define LOGS_INIT ((struct logs){.error_fd = -1})

// Returns 0, or -errno with a sentence in why.
int logs_open(struct logs *l, const struct conf *conf, char *why, size_t why_cap);
void logs_close(struct logs *l);
