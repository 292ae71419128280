// SPDX-License-Identifier: Apache-2.0
// Why a worker is no more: the rows of tbl/worker_ends.def as numbers and words.
#pragma once
#include <stdbool.h>

enum worker_end {
#define WORKER_END(name, label, failure, text) WORKER_END_##name,
#include "tbl/worker_ends.def"
#undef WORKER_END
    WORKER_ENDS
};

static inline const char *worker_end_text(enum worker_end e)
{
    static const char *const text[] = {
#define WORKER_END(name, label, failure, text) text,
#include "tbl/worker_ends.def"
#undef WORKER_END
    };
    return (unsigned)e < WORKER_ENDS ? text[e] : "ended for an unknown reason";
}

static inline const char *worker_end_label(enum worker_end e)
{
    static const char *const labels[] = {
#define WORKER_END(name, label, failure, text) label,
#include "tbl/worker_ends.def"
#undef WORKER_END
    };
    return (unsigned)e < WORKER_ENDS ? labels[e] : "unknown";
}

static inline bool worker_end_is_failure(enum worker_end e)
{
    static const bool failure[] = {
#define WORKER_END(name, label, failure, text) failure,
#include "tbl/worker_ends.def"
#undef WORKER_END
    };
    return (unsigned)e >= WORKER_ENDS || failure[e];
}
