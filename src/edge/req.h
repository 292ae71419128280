// SPDX-License-Identifier: Apache-2.0
// A request, as the edge handles it. It knows no connection: a transport (HTTP/1 in conn.c; later HTTP/2 and 3, internal
// subrequests) makes one, feeds its body and takes its response through sink_ops. Its life is a step table in req.c:
//   ROUTE -> BODY (receive) -> ADMIT (queue) -> RUN (a worker, or the file, or a ready answer) -> DONE
// Everything in it is allocated from its arena and dies with it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/loop.h"
#include "base/str.h"
#include "conf/conf.h"
#include "edge/body.h"
#include "http/fields.h"

struct req;
struct root;
struct worker;

// What a transport does for a request. A response is: inform* head (write* | file*)* and a last write or end.
struct sink_ops {
    // A 1xx response; dropped by transports that can't (HTTP/1.0).
    void (*inform)(struct req *r, unsigned status, const struct field *fields, size_t n);
    // Status and fields of the final response; framing fields (Content-Length, Transfer-Encoding, Connection, Date, Server)
    // are the transport's. body_n is the exact length of what follows, -1 when it is not known. Nothing need be sent yet.
    void (*head)(struct req *r, unsigned status, const struct field *fields, size_t n, int64_t body_n);
    // Body bytes in one or two pieces (a ring's), sent or copied before it returns; `last` ends the response. Returns how
    // many were taken; fewer than offered only when the buffers are full: req_on_drain is called when there is room again.
    size_t (*write)(struct req *r, struct str a, struct str b, bool last);
    // Bytes of a file; takes the descriptor over.
    void (*file)(struct req *r, int fd, int64_t offset, int64_t n, bool last);
    // Breaks the response off: what was promised can't be kept (HTTP/1: the connection closes).
    void (*cut)(struct req *r);
    // More of the request's body may be given (after req_body_add took less than all).
    void (*resume_body)(struct req *r);
    // The client is told to send its body (Expect: 100-continue), once, before the body is waited for.
    void (*want_body)(struct req *r);
};

enum req_step { REQ_ROUTE, REQ_BODY, REQ_ADMIT, REQ_RUN, REQ_DONE };

// What the route step decided.
enum plan_kind { PLAN_NONE, PLAN_STATUS, PLAN_STATIC, PLAN_PHP, PLAN_READY /* answered already, e.g. admin, ping */ };

struct req_peer { // addresses as text, made once a connection
    char client_addr[46], server_addr[46];
    uint16_t client_port, server_port;
    bool is_unix, trusted; // trusted: an address of trusted_proxies, or a unix socket
};

struct req {
    uint32_t magic;
    struct arena arena;
    const struct sink_ops *sink;
    void *sink_arg; // the transport's
    enum req_step step;

    // From the transport.
    struct str method, target; // target as received (origin-form; REQUEST_URI)
    struct str path_raw, query;
    bool has_query;
    struct str authority; // Host or :authority or absolute-form, with its port
    bool https;
    const char *protocol; // "HTTP/1.1"
    const struct field *fields; // in the arena or the transport's buffer: valid as long as the request
    size_t n_fields;
    const struct req_peer *peer;
    bool is_head, is_get; // is_get: GET
    bool admin;           // came in on the admin listener
    int64_t content_length; // -1 = none known (no body, or chunked)
    bool has_body;
    bool expects_continue;

    // Of the route step.
    const struct conf_site *site;
    const struct conf_route *route[8]; // matching routes in order, at most 8 used
    unsigned n_routes;
    struct str host;             // without port, lower case
    struct str path;             // decoded, normalised
    struct str client_addr;      // after trusted proxies
    uint16_t client_port;
    struct str scheme;           // after trusted proxies
    struct str server_port_text; // after trusted proxies
    struct str remote_user;      // from Authorization: Basic, for log and REMOTE_USER
    enum plan_kind plan;
    unsigned plan_status;        // PLAN_STATUS
    struct str location;         // PLAN_STATUS with a redirect
    struct str allow;            // PLAN_STATUS 405: methods for Allow
    struct str script_filename, script_name, path_info; // PLAN_PHP
    struct str file_path;        // PLAN_STATIC: for the log and content type
    const struct root *file_root; // PLAN_STATIC: what file_path lies below, NULL if its siblings are not to be looked at
    int file_fd;                 // PLAN_STATIC: opened, -1 else
    int64_t file_size;
    int64_t file_mtime_s, file_mtime_ns;
    unsigned n_redirects;        // internal ones (X-Accel-Redirect), bounded
    unsigned n_informs;          // 1xx answers of its script, bounded
    int64_t max_body_size;       // effective; 0 = none
    bool buffering;              // request_buffering, effective
    unsigned read_timeout_ms, terminate_timeout_ms; // effective

    struct body body;

    // Of admit and run.
    unsigned pool;
    struct req *queue_next, *queue_prev;
    bool queued;
    struct timer queue_timer;
    struct worker *worker; // that runs it, NULL else
    pid_t worker_pid;      // that ran it, for the log; 0 = none
    uint64_t queue_us;     // it waited for a worker so long, for the log

    // Response.
    struct field extra[24]; // fields the route or server adds to whatever answers
    unsigned n_extra;
    bool head_sent, ended, cut, client_gone;
    unsigned status;
    uint64_t bytes_out; // body bytes handed to the transport
    struct str reason;      // while the head is made: a script's own words for the status, or empty
    const char *end_reason; // for the log when it ended abnormally, NULL else

    char id[40]; // X-Request-Id
    uint64_t started_us, finished_us;
    int64_t started_wall_us;
    bool logged;
};

#define REQ_MAGIC 0x72657131u

struct req *req_new(const struct sink_ops *sink, void *sink_arg);
// Runs the step table from the route step; the transport has filled its part. The answer may be complete on return.
void req_start(struct req *r);
// Body bytes from the transport, decoded. Returns how many were taken (fewer: wait for resume_body). A refused body makes
// the request answer by itself (413, 507...).
size_t req_body_add(struct req *r, const char *data, size_t n);
void req_body_end(struct req *r);
// The client went away, or sent garbage inside the body: no answer is wanted any more.
void req_on_client_gone(struct req *r);
void req_on_drain(struct req *r);
// The transport has sent everything (or given up) and lets go: logs, counts, frees when nobody else (a worker whose job goes
// on after the answer) needs it. r is not to be used after it.
void req_release(struct req *r);

// ---- For those who answer (static, dispatch, admin, ...) ----

// A response with a short body of our own; fields may be NULL. status >= 400 gets a small HTML page when body is empty.
void req_answer(struct req *r, unsigned status, const struct field *fields, size_t n, struct str content_type, struct str body);
// An error (or redirect) page by status, with the fields it needs; why goes to the log line ("reason"), may be NULL.
void req_fail(struct req *r, unsigned status, const char *why);
// Head and pieces with the request's extra fields added, statistics kept. Answers go through these, not through sink.
void req_head(struct req *r, unsigned status, const struct field *fields, size_t n, int64_t body_n);
size_t req_write(struct req *r, struct str a, struct str b, bool last);
void req_file(struct req *r, int fd, int64_t offset, int64_t n, bool last);
void req_inform(struct req *r, unsigned status, const struct field *fields, size_t n);
void req_cut(struct req *r, const char *why);
void req_add_extra(struct req *r, struct str name, struct str value);
// Serves another path of ours instead (X-Accel-Redirect): routes again with the internal flag.
void req_redirect_internal(struct req *r, struct str path_query);
// The field's value or an empty slice.
struct str req_field(const struct req *r, enum field_id id);
// Effective settings of the routes that matched.
