// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray tune: gathers, reckons, prints.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tune/tune.h"
#include "tune/tune_plan.h"

#define SERVERS_MAX 4

static int plan_and_print(const struct tune_input *seen, bool json)
{
    static const enum advice_server all[SERVERS_MAX] = {SERVER_FRANKENPHP, SERVER_FPM, SERVER_APACHE, SERVER_PLIMSOLL};
    bool one = false;
    int n = 0;
    struct tune_input *inputs = calloc(SERVERS_MAX, sizeof *inputs);
    struct tune_plan *plans = calloc(SERVERS_MAX, sizeof *plans);

    for (int i = 0; i < SERVERS_MAX; i++)
        one |= seen->server == all[i];
    for (int i = 0; inputs && plans && i < SERVERS_MAX; i++) {
        if (one && seen->server != all[i])
            continue;
        inputs[n] = *seen;
        tune_assume(&inputs[n], all[i]);
        tune_plan_make(&inputs[n], all[i], &plans[n]);
        n++;
    }
    int rc = n == 0 ? -1 : json ? tune_print_json(inputs, plans, n) : tune_print_text(inputs, plans, n);
    free(inputs);
    free(plans);
    if (rc < 0)
        fprintf(stderr, "plimsoll-xray: the output can't be written: %s\n", n == 0 ? "no memory" : strerror(-rc));
    return rc < 0 ? 1 : 0;
}

int tune_run(int argc, char **argv)
{
    struct tune_args args;
    struct tune_input seen;
    char error[200];

    if (tune_args_parse(argc, argv, &args, error, sizeof error) < 0) {
        fprintf(stderr, "plimsoll-xray tune: %s\n%s", error, tune_usage);
        return 2;
    }
    if (args.help)
        return fputs(tune_usage, stdout) < 0 || fflush(stdout) != 0;
    int rc = tune_measure(&args, &seen);
    return rc ? rc : plan_and_print(&seen, args.json);
}
