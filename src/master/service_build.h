// SPDX-License-Identifier: Apache-2.0
// Opens what a configuration names, before anything of it is started.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct conf;
struct service;

// Takes conf in any case. Returns 0, or the exit code that the failure means, with a sentence in why.
int service_build(struct conf *conf, bool first, struct service **ret_svc, char *why, size_t why_cap);
