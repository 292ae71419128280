// SPDX-License-Identifier: Apache-2.0
// Listeners and logs of a new service. Runs in the master. Owns nothing: what it opens belongs to the service.
#include "master/service_build.h"

#include "base/die.h"
#include "master/master_int.h"

static int take_listeners(struct service *svc, char *why, size_t why_cap)
{
    const struct conf_global *g = &svc->conf->global;
    struct listener *l;

    // Under socket activation the unit says where we listen; the option is not used.
    if (listeners_from_systemd()) {
        svc->listeners = xcalloc(64, sizeof(struct listener *));
        while (svc->n_listeners < 64 && (l = listener_get_systemd(svc->n_listeners)) != NULL)
            svc->listeners[svc->n_listeners++] = l;
    } else {
        svc->listeners = xcalloc(g->n_listen, sizeof(struct listener *));
        for (size_t i = 0; i < g->n_listen; i++) {
            if (listener_get(&g->listen[i], false, svc->listeners, svc->n_listeners, &l, why, why_cap) < 0)
                return EXIT_BIND;
            svc->listeners[svc->n_listeners++] = l;
        }
    }
    svc->admin = listener_get_systemd_admin(); // as `listen`: the unit says where
    if (!svc->admin && g->admin && listener_get(g->admin, true, NULL, 0, &svc->admin, why, why_cap) < 0)
        return EXIT_BIND;
    return 0;
}

int service_build(struct conf *conf, bool first, struct service **ret_svc, char *why, size_t why_cap)
{
    struct service *svc = service_new(conf, first);

    int code = take_listeners(svc, why, why_cap);
    if (!code && logs_open(&svc->logs, conf, why, why_cap) < 0)
        code = EXIT_FAILED;
    if (code) {
        service_free(svc);
        return code;
    }
    *ret_svc = svc;
    return 0;
}
