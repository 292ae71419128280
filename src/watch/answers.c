// SPDX-License-Identifier: Apache-2.0
// What watch answers: OpenMetrics over HTTP, and "history" and "report" to xray on the local socket. Runs in watch.
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mem/recording.h"
#include "watch/watch_client.h"
#include "watch/watch_int.h"

static bool is_head(const struct visit *v)
{
    return strstr(v->in, "\r\n\r\n") || strstr(v->in, "\n\n");
}

static bool is_line(const struct visit *v)
{
    return strchr(v->in, '\n');
}

static void add_http(struct fixed *f, const char *status, const char *type, const char *body, size_t n, bool head)
{
    fixed_add(f, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
              status, type, n);
    if (!head)
        fixed_add(f, "%s", body);
}

static void collect_health(struct watcher *w)
{
    const struct courier *all[] = {&w->webhook.courier, &w->exec.courier, &w->command.courier};

    w->health.delivered = w->health.undelivered = 0;
    for (size_t i = 0; i < 3; i++) {
        w->health.delivered += all[i]->delivered;
        w->health.undelivered += all[i]->failed;
    }
}

static void on_http(struct visit *v)
{
    struct watcher *w = container_of(v->service, struct watcher, metrics);
    static char body[SERVICE_OUT - 1024];
    struct fixed f, b;

    fixed_init(&f, v->out, sizeof v->out);
    bool get = strncmp(v->in, "GET ", 4) == 0, head = strncmp(v->in, "HEAD ", 5) == 0;
    const char *path = v->in + (head ? 5 : 4);
    size_t n = strcspn(path, " ?\r\n");
    if (!get && !head) {
        static const char text[] = "only GET and HEAD\n";
        add_http(&f, "405 Method Not Allowed", "text/plain", text, sizeof text - 1, false);
    } else if (n == 8 && strncmp(path, "/metrics", 8) == 0) {
        bool openmetrics = strstr(v->in, "application/openmetrics-text");
        fixed_init(&b, body, sizeof body);
        collect_health(w);
        if (w->lookout.eye && w->lookout.looks > 0)
            judge_report(w->lookout.judge, &w->report);
        openmetrics_write(&b, openmetrics, &w->lookout, w->lookout.eye && w->lookout.looks > 0 ? &w->report : NULL, &w->health);
        add_http(&f, "200 OK",
                 openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                             : "text/plain; version=0.0.4; charset=utf-8",
                 body, b.n, head);
    } else {
        static const char text[] = "metrics are at /metrics\n";
        add_http(&f, n == 1 ? "200 OK" : "404 Not Found", "text/plain", text, sizeof text - 1, head);
    }
    v->out_n = f.n;
}

// The history as a recording, as much of it as fits at a time. cursor: t of the last row sent.
static void add_history(struct watcher *w, struct visit *v)
{
    const struct history *h = &w->lookout.history;

    if (isnan(v->cursor)) {
        v->cursor = -INFINITY;
        recorder_columns(w->lookout.where.kind, w->lookout.see.sample, v->memo);
        for (size_t i = 0; i < h->n; i++) {
            v->memo[0] |= h->row[i].known[0];
            v->memo[1] |= h->row[i].known[1];
        }
        v->out_n =
            recording_header(w->lookout.where.kind == MEM_KIND_V2 ? RECORDING_V2 : RECORDING_V1, v->memo, v->out, sizeof v->out);
    }
    for (size_t i = history_after(h, v->cursor); i < h->n; i++) {
        if (sizeof v->out - v->out_n < RECORDING_TEXT_MAX) {
            v->more = true;
            return;
        }
        v->out_n += recording_row(&h->row[i], v->memo, v->out + v->out_n, sizeof v->out - v->out_n);
        v->cursor = h->row[i].t;
    }
}

static json_t *growth_json(const struct judge_growth *g)
{
    return json_pack("[f, f, f]", isfinite(g->lo) ? round(g->lo) : 0, isfinite(g->mid) ? round(g->mid) : 0,
                     isfinite(g->hi) ? round(g->hi) : 0);
}

static void add_report(struct watcher *w, struct visit *v)
{
    struct lookout *l = &w->lookout;

    judge_report(l->judge, &w->report);
    lookout_dirs(l);
    json_t *doc = judgement_json(&l->said, &w->report), *growth = json_object(), *dirs = json_array();
    for (int i = 0; i < LINE_N; i++)
        if (w->report.line[i].known)
            json_object_set_new(growth, mem_line_name((enum mem_line)i), growth_json(&w->report.line[i].bytes_per_min));
    for (int i = 0; i < l->n_dirs; i++) {
        const struct eye_dir *d = &l->dirs[i];
        json_t *rate = d->growth_per_min == INT64_MIN ? json_null() : json_integer(d->growth_per_min);
        json_t *path = json_string(d->path); // NULL where it is no UTF-8
        json_array_append_new(dirs, json_pack("{s:o, s:I, s:I, s:o}", "path", path ? path : json_null(), "bytes",
                                              (json_int_t)d->bytes, "files", (json_int_t)d->files, "growth_bytes_per_min", rate));
    }
    json_object_set_new(doc, "line_growth", growth);
    json_object_set_new(doc, "directories", dirs);
    json_object_set_new(doc, "began", json_real(l->began));
    json_object_set_new(doc, "target", json_string(l->target));
    size_t n = doc ? json_dumpb(doc, v->out, sizeof v->out - 1, JSON_COMPACT) : 0;
    json_decref(doc);
    if (n == 0 || n >= sizeof v->out - 1)
        n = (size_t)snprintf(v->out, sizeof v->out, "error: the report is too large");
    v->out[n] = '\n';
    v->out_n = n + 1;
}

static void on_local(struct visit *v)
{
    struct watcher *w = container_of(v->service, struct watcher, local);
    bool history = strncmp(v->in, "history\n", 8) == 0, report = strncmp(v->in, "report\n", 7) == 0;

    if (!history && !report)
        v->out_n = (size_t)snprintf(v->out, sizeof v->out, "error: the requests are history and report\n");
    else if (!w->lookout.eye || w->lookout.looks == 0)
        v->out_n = (size_t)snprintf(v->out, sizeof v->out, "error: nothing has been looked at yet\n");
    else if (history)
        add_history(w, v);
    else
        add_report(w, v);
}

int watch__serve_metrics(struct watcher *w)
{
    struct sockaddr_storage addr;
    socklen_t n;
    char error[300];

    if (visits_address(w->args.listen, &addr, &n, error, sizeof error) < 0) {
        fprintf(stderr, "plimsoll-xray: watch: --listen: %s\n", error);
        return 2;
    }
    w->metrics.is_whole = is_head;
    w->metrics.answer = on_http;
    int r = visits_listen(&w->metrics, (struct sockaddr *)&addr, n, 0666);
    if (r == 0)
        return 0;
    fprintf(stderr, "plimsoll-xray: watch: --listen %s: %s\n", w->args.listen, strerror(-r));
    return 1;
}

void watch__serve_local(struct watcher *w)
{
    struct sockaddr_un addr;
    socklen_t n;

    w->local.is_whole = is_line;
    w->local.answer = on_local;
    w->local.same_user = true;
    int r = watch_socket_address(w->args.socket, w->lookout.where.ino, &addr, &n);
    if (r == 0)
        r = visits_listen(&w->local, (struct sockaddr *)&addr, n, 0600);
    if (r < 0 && w->local_said)
        return;
    w->local_said = r < 0;
    if (r == -EADDRINUSE) {
        int other = watch_check(w->args.socket, w->lookout.where.ino);
        if (other == 0)
            log_warning("another watch looks at this already: xray will ask that one");
        else if (other == -EACCES)
            log_warning("another user's process has taken the socket's name: xray won't believe it, and can't ask this watch; "
                        "give both another --socket");
        else
            log_warning("--socket: the name is taken (%s): xray can't ask this watch", strerror(-other));
    } else if (r < 0)
        log_warning("--socket: %s: xray can't ask this watch", strerror(-r));
}
