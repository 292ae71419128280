// SPDX-License-Identifier: Apache-2.0
// For tests of the route step and of static answers: a document root on disk with everything that may lie in one, and a
// request whose answer is recorded instead of sent.
#pragma once
#include <stdbool.h>

#include "edge/req.h"

extern char tree_dir[64]; // holds site/ (the application), site/public/ (the document root), outside/, store/
extern bool tree_is_root; // links and files of two owners could be made

void tree_make(void);
void tree_remove(void);
char *tree_path(const char *below); // malloc'ed
// While on, the process can have no more descriptors (EMFILE).
void tree_no_descriptors(bool on);
void tree_write(const char *below, const char *text);

// What the request was answered with.
struct recorded {
    unsigned status; // 0 = no answer yet
    struct field fields[40];
    unsigned n_fields;
    int64_t body_n; // promised
    char body[65536];
    size_t got;
    bool ended, cut;
    unsigned write_max; // bytes req_write takes at most, 0 = all
};
extern struct recorded recorded;
const char *recorded_field(const char *name); // "" if it was not sent

struct req *tree_req(const char *method, const char *host, const char *path_query);
void tree_req_field(struct req *r, const char *name, const char *value);
void tree_req_free(struct req *r);
extern struct req_peer tree_peer;
