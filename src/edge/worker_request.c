// SPDX-License-Identifier: Apache-2.0
// What a worker is told of a request: the variables and fields that become $_SERVER (ipc/job.h). Runs in the edge. Owns
// nothing. Invariant: what is written into the worker's memory is never read back.
#include <string.h>

#include "base/die.h"
#include "edge/req.h"
#include "edge/worker_int.h"
#include "ipc/job.h"

static struct str number_text(char buf[24], uint64_t v)
{
    char *p = buf + 24;
    size_t n = 0;

    do {
        *--p = (char)('0' + v % 10);
        n++;
    } while (v /= 10);
    return (struct str){p, n};
}

// As nginx has it: the site's first name, whatever the client calls it. Where that is no name, what the client says.
static struct str server_name(const struct req *r)
{
    const struct conf_list *names = &r->site->server_name;

    return names->n && names->v[0][0] != '*' && strcmp(names->v[0], "_") != 0 ? str_from(names->v[0]) : r->host;
}

// The client's fields. HTTP_HOST is the effective authority: an absolute-form target's, or what a trusted proxy says.
static size_t job_fields(const struct req *r, struct job_field fields[JOB_FIELDS_MAX])
{
    size_t n = 0;

    must(r->n_fields <= JOB_FIELDS_MAX);
    for (size_t i = 0; i < r->n_fields; i++) {
        if (r->n_redirects && (r->fields[i].id == FIELD_CONTENT_LENGTH || r->fields[i].id == FIELD_CONTENT_TYPE))
            continue; // of a body that the first script had
        bool is_host = r->fields[i].id == FIELD_HOST && r->authority.n;
        fields[n++] = (struct job_field){r->fields[i].name, is_host ? r->authority : r->fields[i].value};
    }
    return n;
}

size_t worker__encode(struct worker *w, const struct req *r, uint64_t body_n)
{
    struct job_field fields[JOB_FIELDS_MAX];
    char length[24], client_port[24], server_port[24];
    struct job j = {.fields = fields};
    struct str *v = j.var;

    j.n_fields = job_fields(r, fields);
    v[JOB_QUERY_STRING] = r->query;
    // Behind X-Accel-Redirect nothing is posted any more: the body is used up. nginx makes it a GET, too.
    v[JOB_REQUEST_METHOD] = r->n_redirects && !r->is_head ? STR("GET") : r->method;
    if (!r->n_redirects) {
        bool known = r->has_body && body_n != UINT64_MAX;
        v[JOB_CONTENT_TYPE] = req_field(r, FIELD_CONTENT_TYPE);
        v[JOB_CONTENT_LENGTH] = known ? number_text(length, body_n) : req_field(r, FIELD_CONTENT_LENGTH);
    }
    v[JOB_SCRIPT_NAME] = r->script_name;
    v[JOB_REQUEST_URI] = r->target;
    v[JOB_DOCUMENT_URI] = r->script_name;
    v[JOB_DOCUMENT_ROOT] = str_from(r->site->root);
    v[JOB_SERVER_PROTOCOL] = str_from(r->protocol);
    v[JOB_REQUEST_SCHEME] = r->scheme;
    v[JOB_HTTPS] = str_eq(r->scheme, STR("https")) ? STR("on") : (struct str){"", 0};
    v[JOB_GATEWAY_INTERFACE] = STR("CGI/1.1");
    // Applications look for nginx in it to know that URLs are rewritten without .htaccess: WordPress puts index.php into
    // every permalink otherwise.
    v[JOB_SERVER_SOFTWARE] = STR("plimsoll (like nginx)");
    v[JOB_REMOTE_ADDR] = r->client_addr;
    v[JOB_REMOTE_PORT] = r->client_port ? number_text(client_port, r->client_port) : (struct str){"", 0};
    v[JOB_REMOTE_USER] = r->remote_user;
    v[JOB_SERVER_ADDR] = str_from(r->peer->server_addr);
    v[JOB_SERVER_PORT] = r->server_port_text.n ? r->server_port_text : number_text(server_port, r->peer->server_port);
    v[JOB_SERVER_NAME] = server_name(r);
    v[JOB_REDIRECT_STATUS] = STR("200");
    v[JOB_SCRIPT_FILENAME] = r->script_filename;
    v[JOB_PATH_INFO] = r->path_info;
    v[JOB_REQUEST_ID] = str_from(r->id);
    return job_encode(&j, w->chan.request, CHAN_REQUEST_BYTES);
}
