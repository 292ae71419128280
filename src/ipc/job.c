// SPDX-License-Identifier: Apache-2.0
// The request block and the response's header block. Pure; runs in edge and worker. Every length that is read is checked
// against what is left: the other side may be broken.
#include "ipc/job.h"

#include <errno.h>
#include <string.h>

const char *const job_var_names[JOB_VARS] = {
#define JOB_VAR(name, always) #name,
#include "tbl/job_vars.def"
#undef JOB_VAR
};

const bool job_var_always[JOB_VARS] = {
#define JOB_VAR(name, always) always,
#include "tbl/job_vars.def"
#undef JOB_VAR
};

static bool put_u32(char *dst, size_t cap, size_t *at, uint32_t v)
{
    if (cap - *at < 4)
        return false;
    memcpy(dst + *at, &v, 4);
    *at += 4;
    return true;
}

static bool put_str(char *dst, size_t cap, size_t *at, struct str s)
{
    if (s.n > UINT32_MAX / 2 || cap - *at < 5 || cap - *at - 5 < s.n)
        return false;
    (void)put_u32(dst, cap, at, (uint32_t)s.n);
    if (s.n)
        memcpy(dst + *at, s.p, s.n);
    dst[*at + s.n] = '\0';
    *at += s.n + 1;
    return true;
}

static bool get_u32(const char *src, size_t n, size_t *at, uint32_t *ret)
{
    if (n - *at < 4)
        return false;
    memcpy(ret, src + *at, 4);
    *at += 4;
    return true;
}

static bool get_str(const char *src, size_t n, size_t *at, struct str *ret)
{
    uint32_t len;

    if (!get_u32(src, n, at, &len) || n - *at < (size_t)len + 1 || src[*at + len] != '\0')
        return false;
    *ret = (struct str){src + *at, len};
    *at += (size_t)len + 1;
    return true;
}

size_t job_encode(const struct job *j, char *dst, size_t cap)
{
    size_t at = 0;

    for (int i = 0; i < JOB_VARS; i++)
        if (!put_str(dst, cap, &at, j->var[i]))
            return 0;
    if (j->n_fields > JOB_FIELDS_MAX || !put_u32(dst, cap, &at, (uint32_t)j->n_fields))
        return 0;
    for (size_t i = 0; i < j->n_fields; i++)
        if (!put_str(dst, cap, &at, j->fields[i].name) || !put_str(dst, cap, &at, j->fields[i].value))
            return 0;
    return at;
}

int job_decode(const char *src, size_t n, struct job *ret_job, struct job_field fields[JOB_FIELDS_MAX])
{
    size_t at = 0;
    uint32_t count;

    for (int i = 0; i < JOB_VARS; i++)
        if (!get_str(src, n, &at, &ret_job->var[i]))
            return -EBADMSG;
    if (!get_u32(src, n, &at, &count) || count > JOB_FIELDS_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++)
        if (!get_str(src, n, &at, &fields[i].name) || !get_str(src, n, &at, &fields[i].value))
            return -EBADMSG;
    if (at != n)
        return -EBADMSG;
    ret_job->fields = fields;
    ret_job->n_fields = count;
    return 0;
}

size_t head_block_add(char *dst, size_t cap, size_t at, struct str line)
{
    return put_str(dst, cap, &at, line) ? at : 0;
}

bool head_block_next(const char *src, size_t n, size_t *at, struct str *ret_line, bool *ret_bad)
{
    if (*at >= n)
        return false;
    if (get_str(src, n, at, ret_line))
        return true;
    *ret_bad = true;
    return false;
}
