// SPDX-License-Identifier: Apache-2.0
// The answers of servers, read as they come: no answer is kept, however long it is.
#pragma once
#include "advice/requests.h"
#include "base/str.h"

#define ANSWER_LINE 4096 // longer lines are passed over
#define ANSWER_SERIES 64 // server and handler pairs of Caddy's metrics that are told apart

struct answer_series {
    uint64_t server, handler; // digests
    double sum;
};

// What has been read of an answer.
struct answer {
    enum requests_source source;
    // FastCGI's frames.
    unsigned char frame[8];
    unsigned frame_n;
    unsigned content, padding; // left of the frame at hand
    bool of_output, ended;
    // The head, then lines.
    bool in_body, head_seen;
    int status; // HTTP; 0: not told yet
    char line[ANSWER_LINE];
    size_t line_n;
    bool too_long;
    bool found;
    int64_t total;
    unsigned n_series;
    struct answer_series series[ANSWER_SERIES];
};

void answer_begin(struct answer *a, enum requests_source source);
// Takes n more bytes. 0, or -EPROTO: this can't be an answer.
int answer_take(struct answer *a, const char *data, size_t n);
// The peer has closed, or FastCGI's end has come. 0: *ret is the total; -ENOENT: no such page, -EACCES: refused, -ENODATA: an
// answer without the number, -EPROTO: cut off or garbage.
int answer_end(struct answer *a, struct requests_answer *ret);
bool answer_has_ended(const struct answer *a); // FastCGI: the peer may keep the connection

// The FastCGI request for a status page. Its length; 0: doesn't fit.
size_t answer_ask_fpm(const char *path, char *buf, size_t size);
// "PassiveOpens" of a text of /proc/net/snmp. False: it isn't there.
bool answer_from_snmp(struct str text, int64_t *ret);
