// SPDX-License-Identifier: Apache-2.0
// A reload: the configuration is read again and started beside the running one, which is drained when the new one answers
// and stays if it does not. Runs in the master. Owns nothing; invariant: at most one reload at a time.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "master/master_int.h"
#include "master/notify.h"
#include "master/service_build.h"

// The replaced edge lets its clients finish, however long that takes: a reload costs no request. But only so many replaced ones
// may linger, each with its workers: past that the oldest gets the time of a shutdown, once.
#define LINGERING_MAX 2

static struct service *starting;

bool reload_is_running(void)
{
    return starting != NULL;
}

static const char *finish_failed(const char *text)
{
    count(COUNTER_RELOADS_FAILED);
    log_error("reload failed, the old configuration stays: %s", text);
    notify_send("READY=1\nSTATUS=Reload failed: %.200s", text);
    control_reload_result(text);
    return NULL;
}

const char *reload_begin(void)
{
    struct conf_errors errors = {0};
    struct conf *conf;
    char why[512];

    if (starting)
        return "a reload is running";
    if (master.stopping)
        return "the server is stopping";
    if (!master.current)
        return "the server is starting";
    if (upgrade_is_running())
        return "an upgrade is running";
    log_notice("reload: reading the configuration again");
    notify_send("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading", (unsigned long long)clock_us());
    if (conf_load(master.args, &conf, &errors) < 0) {
        for (size_t i = 0; i < errors.lines.n; i++) {
            log_error("%s", errors.lines.v[i]);
            control_say("%s", errors.lines.v[i]);
        }
        snprintf(why, sizeof why, "%s", errors.lines.n ? errors.lines.v[0] : "the configuration is refused");
        conf_errors_done(&errors);
        return finish_failed(why);
    }
    conf_errors_done(&errors);
    struct service *svc;
    if (service_build(conf, false, &svc, why, sizeof why) != 0)
        return finish_failed(why);
    control_say("starting generation %u", svc->generation);
    starting = svc;
    service_start(svc);
    return NULL;
}

void reload_failed(struct service *svc, const char *text)
{
    if (starting != svc)
        return;
    starting = NULL;
    finish_failed(text);
}

static void limit_lingering(void)
{
    unsigned n = 0;

    // The newest is first in the list.
    for (struct service *s = master.services; s; s = s->next)
        if (s->state == SERVICE_DRAINING && ++n > LINGERING_MAX && !timer_is_set(&s->limit))
            service_drain(s, s->conf->global.shutdown_timeout_ms, false);
}

void reload_done(struct service *svc)
{
    struct service *old = master.current;

    starting = NULL;
    master.current = svc;
    count(COUNTER_RELOADS);
    master_use_logs(svc);
    log_notice("reload done: generation %u serves, generation %u drains", svc->generation, old ? old->generation : 0);
    if (old)
        service_drain(old, NO_DEADLINE_MS, true);
    limit_lingering();
    notify_send("READY=1\nSTATUS=Serving, generation %u", svc->generation);
    control_reload_result(NULL);
}
