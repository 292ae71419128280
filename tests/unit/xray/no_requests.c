// SPDX-License-Identifier: Apache-2.0
// Stands in for advice/requests.c until it is there: nothing is counted.
#include <errno.h>
#include <stddef.h>

#include "advice/requests.h"

const char *requests_source_name(enum requests_source source)
{
    return "fpm status";
}
int requests_parse(const char *url, struct requests_target *ret)
{
    return -EINVAL;
}
bool requests_find(const struct server_conf *conf, int root, struct requests_target *ret)
{
    return false;
}
int requests_open(const struct requests_target *target, int proc_pid, struct requests **ret)
{
    return -EINVAL;
}
struct requests *requests_close(struct requests *r)
{
    return NULL;
}
int requests_start(struct requests *r)
{
    return -EINVAL;
}
int requests_step(struct requests *r, struct requests_answer *ret)
{
    return -EINVAL;
}
int requests_fd(const struct requests *r)
{
    return -1;
}
short requests_events(const struct requests *r)
{
    return 0;
}
int requests_ask(struct requests *r, int deadline_ms, struct requests_answer *ret)
{
    return -EINVAL;
}
