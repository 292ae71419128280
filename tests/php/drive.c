// SPDX-License-Identifier: Apache-2.0
// Plays master and edge for a real plimsoll-php: one JSON object a line in, one out. test_php.py drives it. The first line
// is the pool's settings; then {"do": "spawn" | "job" | "attach" | "leave" | "wait" | "bench" | "memory", "worker": N, ...}.
// Bytes are strings of code points 0..255. Nothing waits longer than DEADLINE_S.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/die.h"
#include "base/fdio.h"
#include "ipc/chan.h"
#include "ipc/job.h"
#include "ipc/link.h"
#include "ipc/msg.h"
#include "ipc/pool_spec.h"

#define DEADLINE_S 60
#define WORKERS_MAX 64

struct seat {
    int link[LINK_FDS], master_fd;
    struct chan chan;
    pid_t pid;
    uint32_t job_id;
};

static struct seat seats[WORKERS_MAX];
static int mold_fd;
static pid_t mold_pid;
static struct msg msg;

// ---- JSON ----

static void say(json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    printf("%s\n", text);
    fflush(stdout);
    free(text);
    json_decref(o);
}

_Noreturn static void complain(const char *what)
{
    say(json_pack("{s:s}", "error", what));
    exit(1);
}

static json_t *bytes_to_json(const char *p, size_t n)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        char two[2] = {(char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F))};
        if (c < 0x80)
            buf_add(&b, &p[i], 1);
        else
            buf_add(&b, two, 2);
    }
    json_t *s = json_stringn(b.n ? b.p : "", b.n);
    buf_done(&b);
    return s;
}

static void json_to_bytes(const json_t *s, struct buf *b)
{
    const unsigned char *p = (const unsigned char *)json_string_value(s);
    size_t n = json_string_length(s);
    for (size_t i = 0; i < n; i++) {
        char c = (char)p[i];
        if (p[i] >= 0xC0 && i + 1 < n) {
            c = (char)((p[i] & 0x03) << 6 | (p[i + 1] & 0x3F));
            i++;
        }
        buf_add(b, &c, 1);
    }
}

static const char *get_z(const json_t *o, const char *key, const char *otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? json_string_value(v) : otherwise;
}

static json_int_t get_n(const json_t *o, const char *key, json_int_t otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? json_integer_value(v) : json_is_boolean(v) ? json_is_true(v) : otherwise;
}

// ---- master ----

static enum pool_pair_kind kind_from(const char *name)
{
    static const char *const names[] = {"env", "value", "flag", "admin_value", "admin_flag"};
    for (int i = 0; i < POOL_PAIR_KINDS; i++)
        if (!strcmp(names[i], name))
            return (enum pool_pair_kind)i;
    complain("unknown kind of pair");
}

static int encode_spec(const json_t *o)
{
    static struct pool_pair pairs[256];
    const json_t *list = json_object_get(o, "pairs");
    struct pool_spec spec = {
        .pool = get_z(o, "pool", "test"),
        .php_ini = get_z(o, "php_ini", ""),
        .user = get_z(o, "user", ""),
        .home = get_z(o, "home", ""),
        .clear_env = get_n(o, "clear_env", 0),
        .catch_workers_output = get_n(o, "catch_output", 1),
        .dumpable = get_n(o, "dumpable", 0),
        .pairs = pairs,
    };
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);
        pairs[spec.n_pairs++] = (struct pool_pair){
            .kind = kind_from(json_string_value(json_array_get(p, 0))),
            .name = json_string_value(json_array_get(p, 1)),
            .value = json_string_value(json_array_get(p, 2)),
        };
    }
    return pool_spec_encode(&spec);
}

static void set_deadline(int fd)
{
    struct timeval t = {.tv_sec = DEADLINE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

static void start_mold(const json_t *o)
{
    int pair[2], spec_fd = encode_spec(o);
    struct timespec t0, t1;

    must(spec_fd >= 0 && msg_pair(pair) == 0);
    clock_gettime(CLOCK_MONOTONIC, &t0);
    mold_pid = fork();
    if (mold_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int a = fcntl(pair[1], F_DUPFD, 10), b = fcntl(spec_fd, F_DUPFD, 10);
        dup2(a, POOL_MOLD_FD);
        dup2(b, POOL_SPEC_FD);
        dup2(2, 1); // ours is for answers
        close(a);
        close(b);
        if (get_n(o, "uid", 0)) {
            uid_t uid = (uid_t)get_n(o, "uid", 0);
            must(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
        }
        execl(get_z(o, "php", ""), "plimsoll-php", "mold", get_z(o, "pool", "test"), (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    close(spec_fd);
    mold_fd = pair[0];
    set_deadline(mold_fd);
    int rc = msg_recv(mold_fd, MSG_ROLE_MOLD, MSG_ROLE_MASTER, &msg);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    if (rc == 1 && msg.type == MSG_MOLD_FAILED) {
        say(json_pack("{s:s}", "failed", msg.tail));
        exit(0);
    }
    if (rc != 1)
        complain("the mold said nothing");
    const struct msg_mold_ready *r = &msg.as_MOLD_READY;
    say(json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:b,s:b,s:i,s:f,s:i}", "version", r->php_version, "ini", r->ini_path, "upload_tmp_dir",
                  r->upload_tmp_dir, "memory_limit", (json_int_t)r->memory_limit, "post_max_size", (json_int_t)r->post_max_size,
                  "upload_max_filesize", (json_int_t)r->upload_max_filesize, "opcache", r->opcache_on, "zts", r->zts, "threads",
                  r->thread_count_at_fork, "start_ms",
                  (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6, "pid", (int)mold_pid));
}

static struct seat *seat_of(const json_t *o)
{
    json_int_t i = get_n(o, "worker", 1);
    if (i < 0 || i >= WORKERS_MAX)
        complain("no such worker");
    return &seats[i];
}

static void do_spawn(const json_t *o)
{
    struct seat *s = seat_of(o);
    int its[LINK_FDS], master[2], chan_fd = chan_create();
    struct msg_spawn m = {.worker_id = (uint32_t)(s - seats), .max_requests = (uint32_t)get_n(o, "max_requests", 0)};

    must(chan_fd >= 0 && link_open(s->link, its) == 0 && msg_pair(master) == 0 && chan_map(chan_fd, &s->chan) == 0);
    int fds[LINK_FDS + 2] = {its[LINK_DOWN], its[LINK_UP], its[LINK_FILES], master[1], chan_fd};
    must(msg_send(mold_fd, MSG_SPAWN, &m, NULL, 0, fds, LINK_FDS + 2) == 0);
    link_close(its);
    close(master[1]);
    close(chan_fd);
    s->master_fd = master[0];
    set_deadline(s->master_fd);
    if (msg_recv(s->master_fd, MSG_ROLE_WORKER, MSG_ROLE_MASTER, &msg) != 1 || msg.type != MSG_WORKER_HELLO)
        complain("no hello");
    s->pid = msg.as_WORKER_HELLO.pid;
    s->job_id = 0;
    say(json_pack("{s:i,s:i}", "pid", (int)s->pid, "fds", (int)msg.n_fds));
    msg_close_fds(&msg);
}

static void do_attach(const json_t *o)
{
    struct seat *s = seat_of(o);
    int ours[LINK_FDS], its[LINK_FDS];

    must(link_open(ours, its) == 0);
    must(msg_send(s->master_fd, MSG_ATTACH, &(struct msg_empty){0}, NULL, 0, its, LINK_FDS) == 0);
    link_close(its);
    link_close(s->link);
    memcpy(s->link, ours, sizeof ours);
    if (msg_recv(s->master_fd, MSG_ROLE_WORKER, MSG_ROLE_MASTER, &msg) != 1 || msg.type != MSG_ATTACHED)
        complain("not attached");
    say(json_pack("{s:b}", "attached", 1));
}

static void do_wait(const json_t *o)
{
    struct seat *s = seat_of(o);
    int status;

    alarm(DEADLINE_S);
    if (waitpid(s->pid, &status, 0) != s->pid)
        complain("not my child");
    alarm(0);
    if (WIFSIGNALED(status))
        say(json_pack("{s:i}", "signal", WTERMSIG(status)));
    else
        say(json_pack("{s:i}", "exit", WEXITSTATUS(status)));
}

// ---- edge ----

struct run {
    struct seat *seat;
    const json_t *o;
    struct buf body, stream;
    size_t stream_at, stream_room;
    bool stream_ended;
    uint64_t pos, told;
    json_t *informs, *head, *log;
    unsigned status, n_resp, end_at;
    bool ended, done, dropped;
    struct msg_resp last;
};

static size_t encode_request(const json_t *o, struct seat *s, struct buf *body)
{
    static struct job_field fields[JOB_FIELDS_MAX];
    static struct buf text[2 * JOB_FIELDS_MAX];
    struct job job = {.fields = fields};
    const json_t *list = json_object_get(o, "fields"), *vars = json_object_get(o, "vars");
    char length[32];

    for (int i = 0; i < JOB_VARS; i++)
        job.var[i] = str_from(get_z(vars, job_var_names[i], ""));
    if (!json_object_get(vars, "CONTENT_LENGTH") && body->n) {
        snprintf(length, sizeof length, "%zu", body->n);
        job.var[JOB_CONTENT_LENGTH] = str_from(length);
    }
    for (size_t i = 0; i < json_array_size(list) && i < JOB_FIELDS_MAX; i++) {
        for (size_t k = 0; k < 2; k++) {
            text[2 * i + k].n = 0;
            json_to_bytes(json_array_get(json_array_get(list, i), k), &text[2 * i + k]);
        }
        fields[job.n_fields++] = (struct job_field){buf_str(&text[2 * i]), buf_str(&text[2 * i + 1])};
    }
    return job_encode(&job, s->chan.request, CHAN_REQUEST_BYTES);
}

static int spool(const struct buf *body)
{
    int fd = fd_unlinked_file("/tmp");
    must(fd >= 0 && fd_write_all(fd, body->p, body->n) == 0);
    return fd;
}

// Gives the worker what fits of a streamed body.
static void pump_stream(struct run *r)
{
    if (r->stream_ended)
        return;
    size_t n = r->stream.n - r->stream_at;
    if (n > r->stream_room)
        n = r->stream_room;
    if (n)
        ring_write(r->seat->chan.body, CHAN_BODY_BYTES, r->stream_at, r->stream.p + r->stream_at, n);
    r->stream_at += n;
    r->stream_room -= n;
    r->stream_ended = r->stream_at == r->stream.n;
    struct msg_body m = {.job_id = r->seat->job_id, .n = (uint32_t)n};
    if (r->stream_ended)
        m.last = (uint32_t)get_n(r->o, "stream_end", 1);
    if (n || r->stream_ended)
        (void)link_send(r->seat->link[LINK_DOWN], MSG_BODY, &m, NULL, 0);
}

static void send_job(struct run *r)
{
    struct seat *s = r->seat;
    const char *kind = get_z(r->o, "body_kind", "none");
    int fd = -1;

    json_to_bytes(json_object_get(r->o, "body"), &r->stream);
    struct msg_job m = {.job_id = ++s->job_id, .body_n = r->stream.n};
    m.request_n = (uint32_t)encode_request(r->o, s, &r->stream);
    must(m.request_n);
    if (!strcmp(kind, "inline")) {
        m.body = JOB_BODY_INLINE;
        must(r->stream.n <= CHAN_BODY_BYTES);
        memcpy(s->chan.body, r->stream.p, r->stream.n);
    } else if (!strcmp(kind, "fd")) {
        m.body = JOB_BODY_FD;
        fd = spool(&r->stream);
    } else if (!strcmp(kind, "stream")) {
        m.body = JOB_BODY_STREAM;
        if (get_n(r->o, "unknown_length", 0))
            m.body_n = UINT64_MAX;
    }
    if (get_n(r->o, "gone_at", -1) == 0)
        atomic_store(&s->chan.flags->gone_job, s->job_id);
    if (fd >= 0)
        must(msg_send(s->link[LINK_FILES], MSG_BODY_FILE, &(struct msg_body_file){.job_id = s->job_id}, NULL, 0, &fd, 1) == 0);
    must(link_send(s->link[LINK_DOWN], MSG_JOB, &m, NULL, 0) == 0);
    fd_close(&fd);
    r->stream_room = CHAN_BODY_BYTES;
    if (m.body == JOB_BODY_STREAM)
        pump_stream(r);
    else
        r->stream_ended = true;
}

static void take_head(struct run *r, const struct msg_resp *m)
{
    char *copy = xmalloc(m->head_n + 1);
    json_t *list = json_array();
    struct str line;
    size_t at = 0;
    bool bad = false;

    ring_read(r->seat->chan.resp, CHAN_RESP_BYTES, r->pos, copy, m->head_n);
    while (head_block_next(copy, m->head_n, &at, &line, &bad))
        json_array_append_new(list, bytes_to_json(line.p, line.n));
    if (bad)
        complain("malformed header block");
    free(copy);
    if (m->flags & RESP_INFORM)
        json_array_append_new(r->informs, json_pack("{s:i,s:o}", "status", (int)m->status, "head", list));
    else {
        if (r->head)
            complain("two header blocks");
        r->head = list;
        r->status = m->status;
    }
}

static void on_resp(struct run *r, const struct msg_resp *m)
{
    if (m->job_id != r->seat->job_id)
        complain("a response of another job");
    r->n_resp++;
    if (m->flags & RESP_HEAD)
        take_head(r, m);
    else if (m->head_n)
        complain("a header without RESP_HEAD");
    r->pos += m->head_n;
    ring_read(r->seat->chan.resp, CHAN_RESP_BYTES, r->pos, buf_reserve(&r->body, m->body_n + 1), m->body_n);
    r->body.n += m->body_n;
    r->pos += m->body_n;
    if (r->pos - r->told > CHAN_RESP_BYTES)
        complain("the ring was overrun");
    json_int_t gone_at = get_n(r->o, "gone_at", -1);
    if (gone_at >= 0 && r->body.n >= (size_t)gone_at)
        atomic_store(&r->seat->chan.flags->gone_job, r->seat->job_id);
    if (m->flags & RESP_WANT_SPACE) {
        struct msg_space space = {.job_id = m->job_id, .n = (uint32_t)(r->pos - r->told)};
        r->told = r->pos;
        (void)link_send(r->seat->link[LINK_DOWN], MSG_SPACE, &space, NULL, 0);
    }
    if (m->flags & RESP_END && !r->ended) {
        r->ended = true;
        r->end_at = r->n_resp;
    }
    r->done = m->flags & RESP_DONE;
    r->last = *m;
    if (!r->done && get_n(r->o, "drop_edge", 0)) {
        link_close(r->seat->link);
        r->dropped = true;
    }
}

static int recv_from_worker(struct seat *s)
{
    struct pollfd p = {s->link[LINK_UP], POLLIN, 0};

    return poll(&p, 1, DEADLINE_S * 1000) == 1 ? link_recv_up(s->link[LINK_UP], &msg) : -ETIMEDOUT;
}

static void do_job(const json_t *o)
{
    struct run r = {.seat = seat_of(o), .o = o, .informs = json_array(), .log = json_array()};
    const char *lost = NULL;

    send_job(&r);
    while (!r.done && !r.dropped) {
        int rc = recv_from_worker(r.seat);
        if (rc != 1) {
            lost = rc == 0 ? "closed" : strerror(-rc);
            break;
        }
        if (msg.type == MSG_LOG)
            json_array_append_new(r.log, json_pack("[i,o]", (int)msg.as_LOG.level, bytes_to_json(msg.tail, msg.tail_n)));
        else if (msg.type == MSG_RESP)
            on_resp(&r, &msg.as_RESP);
        else if (msg.type == MSG_TOOK) {
            r.stream_room += msg.as_TOOK.n;
            pump_stream(&r);
        }
    }
    json_t *head = r.head ? r.head : json_null();
    say(json_pack("{s:i,s:o,s:o,s:o,s:o,s:i,s:b,s:b,s:b,s:i,s:I,s:I,s:s?}", "status", (int)r.status, "head", head, "body",
                  bytes_to_json(r.body.p, r.body.n), "informs", r.informs, "log", r.log, "messages", (int)r.n_resp, "ended_early",
                  r.ended && r.end_at < r.n_resp, "done", r.done, "leaving", (int)(r.last.flags & RESP_LEAVING), "reason",
                  (int)r.last.exit_reason, "peak", (json_int_t)r.last.peak_bytes, "cpu_us", (json_int_t)r.last.cpu_us, "lost",
                  lost));
    buf_done(&r.body);
    buf_done(&r.stream);
}

static uint64_t cpu_ns(pid_t pid)
{
    clockid_t id;
    struct timespec t;
    must(clock_getcpuclockid(pid, &id) == 0 && clock_gettime(id, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void do_bench(const json_t *o)
{
    struct seat *s = seat_of(o);
    struct buf none = BUF_INIT;
    json_int_t n = get_n(o, "n", 1000);
    uint32_t request_n = (uint32_t)encode_request(o, s, &none), status = 0;
    uint64_t before = cpu_ns(s->pid);

    for (json_int_t i = 0; i < n; i++) {
        struct msg_job m = {.job_id = ++s->job_id, .request_n = request_n};
        must(link_send(s->link[LINK_DOWN], MSG_JOB, &m, NULL, 0) == 0);
        do
            if (recv_from_worker(s) != 1)
                complain("the worker is gone");
        while (msg.type != MSG_RESP || !(msg.as_RESP.flags & RESP_DONE));
        status = msg.as_RESP.status;
    }
    double us = n ? (double)(cpu_ns(s->pid) - before) / 1e3 / (double)n : 0;
    say(json_pack("{s:f,s:i}", "cpu_us", us, "status", (int)status));
}

static void do_memory(const json_t *o)
{
    struct seat *s = seat_of(o);
    char path[64], *text = NULL;
    size_t n;
    long kb = -1;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)s->pid);
    if (fd_read_file(AT_FDCWD, path, 1 << 16, &text, &n) == 0) {
        const char *line = strstr(text, "Private_Dirty:");
        kb = line ? strtol(line + 14, NULL, 10) : -1;
    }
    free(text);
    say(json_pack("{s:i}", "private_dirty_kb", (int)kb));
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    bool started = false;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    while (getline(&line, &cap, stdin) > 0) {
        json_error_t e;
        json_t *o = json_loads(line, JSON_ALLOW_NUL, &e);
        if (!o)
            complain(e.text);
        const char *verb = get_z(o, "do", "");
        struct seat *s = seat_of(o);
        if (!started)
            start_mold(o);
        else if (!strcmp(verb, "spawn"))
            do_spawn(o);
        else if (!strcmp(verb, "job"))
            do_job(o);
        else if (!strcmp(verb, "attach"))
            do_attach(o);
        else if (!strcmp(verb, "wait"))
            do_wait(o);
        else if (!strcmp(verb, "bench"))
            do_bench(o);
        else if (!strcmp(verb, "memory"))
            do_memory(o);
        else if (!strcmp(verb, "leave")) {
            must(link_send(s->link[LINK_DOWN], MSG_LEAVE, &(struct msg_empty){0}, NULL, 0) == 0);
            say(json_object());
        } else if (!strcmp(verb, "close")) {
            link_close(s->link);
            if (get_n(o, "master_too", 0))
                fd_close(&s->master_fd);
            say(json_object());
        } else
            complain("unknown verb");
        started = true;
        json_decref(o);
    }
    return 0;
}
