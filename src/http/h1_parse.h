// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1 request (RFC 9112), from bytes to slices of the same bytes. Strict: what two servers might read
// differently is refused, not repaired (request smuggling). Pure, no allocation.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/fields.h"

#define H1_FIELDS_MAX 512

struct h1_limits {
    size_t line_max;    // request line, CRLF not counted -> 414
    size_t header_max;  // all of the head -> 431
    unsigned count_max; // fields, <= H1_FIELDS_MAX -> 431
};

enum h1_target { H1_TARGET_ORIGIN, H1_TARGET_ABSOLUTE, H1_TARGET_ASTERISK, H1_TARGET_AUTHORITY };

struct h1_request {
    struct str method, target;
    enum h1_target form;
    struct str scheme;                  // of an absolute-form target, else empty
    struct str path_query;              // origin-form part of the target; "/" if an absolute one has none, "?..." if it has only a query
    unsigned minor;                     // HTTP/1.minor, 0 or 1
    struct field fields[H1_FIELDS_MAX]; // without the dropped ones; obsolete folding is refused (400)
    size_t n_fields;
    unsigned n_dropped; // names with '_' (as nginx's underscores_in_headers off), counted and left out
    struct str host;    // effective authority (RFC 9112 §3.2: an absolute target's wins over Host), "" for HTTP/1.0 without
    bool has_content_length, chunked, has_body;
    uint64_t content_length;
    bool keep_alive; // persistence as RFC 9112 §9.3 has it, after Connection
    bool expect_continue;
    bool upgrade; // asked for; we ignore it
};

// Leading empty lines (CRLF, at most 8) are skipped (RFC 9112 §2.2) and count as part of the head. Returns the bytes of the head,
// 0 when more is needed, or -status (400, 414, 417, 431, 501, 505) with *ret_why a sentence for the log; the connection must then
// be closed after the answer. `from` is how many of the n bytes an earlier call already saw without finding the end (0 at first),
// so that slow clients don't make it quadratic. The verdict does not depend on the pieces; a bad request line is answered before
// the rest came. On failure, method and target are what could be read of them (for the log), else empty. expect_continue is only
// set when there is a body to wait for; HTTP/1.0's Expect and Upgrade are ignored.
long h1_parse_request(const char *data, size_t n, size_t from, const struct h1_limits *limits, struct h1_request *ret_req,
                      const char **ret_why);
