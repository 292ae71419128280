// SPDX-License-Identifier: Apache-2.0
// A tool for developers: prints the ledger of a cgroup or a process as this library sees it, and what it cost.
//   print_ledger [--cgroup PATH | --pid N] [--walk-us N]
// Exit code 0 if it balances, 1 if not, 2 on bad usage.
#include "base/clock.h"
#include "base/human.h"
#include "mem/cgroup_find.h"
#include "mem/eye.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void print_entries(const struct ledger *l, int category, int parent, int indent)
{
    char bytes[HUMAN_N], growth[HUMAN_N];
    for (int i = 0; i < l->n; i++) {
        const struct ledger_entry *e = &l->entry[i];
        if ((int)e->category != category || e->parent != parent)
            continue;
        printf("%*s%s%-11s %s%s", indent, "", e->estimate ? "≈" : " ", human_bytes(e->bytes, bytes),
               e->elsewhere ? "(elsewhere) " : "", e->name);
        if (e->pid)
            printf(" [%d]", e->pid);
        if (e->growth_per_min != INT64_MIN && e->growth_per_min)
            printf("  +%s/min%s", human_bytes(e->growth_per_min, growth), e->growth_from_ages ? " (from file ages)" : "");
        printf("%s%s\n", e->note[0] ? "  -- " : "", e->note);
        print_entries(l, category, i, indent + 4);
    }
}

static void print(struct eye *eye, struct ledger *l)
{
    char bytes[HUMAN_N];
    eye_ledger(eye, l);
    printf("usage %" PRId64 " limit %" PRId64 " sight %s%s\n", l->usage, l->limit == MEM_UNLIMITED ? -1 : l->limit,
           sight_name(l->sight), l->complete ? "" : " (walk not complete)");
    for (int c = 0; c < LEDGER_CATEGORY_N; c++) {
        printf("%-18s %s\n", ledger_category_name((enum ledger_category)c), human_bytes(l->sum[c], bytes));
        print_entries(l, c, -1, 2);
    }
    int64_t bound = l->usage / 100 > l->reserve ? l->usage / 100 : l->reserve;
    printf("unexplained %" PRId64 " of %" PRId64 " allowed: %s\n", l->sum[LEDGER_UNEXPLAINED], bound,
           ledger_balances(l) ? "balances" : "DOES NOT BALANCE");
}

int main(int argc, char **argv)
{
    const char *group = NULL;
    pid_t pid = 0;
    int64_t walk = -1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cgroup") == 0)
            group = argv[i + 1];
        else if (strcmp(argv[i], "--pid") == 0)
            pid = (pid_t)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--walk-us") == 0)
            walk = strtoll(argv[i + 1], NULL, 10);
        else
            return 2;
    }
    struct mem_roots roots;
    struct mem_where where;
    struct eye *eye;
    int r = mem_roots_open(NULL, NULL, &roots);
    if (r == 0)
        r = group ? mem_where_path(&roots, group, &where) : mem_where_find(&roots, pid, &where);
    if (r < 0) {
        fprintf(stderr, "where: %s\n", strerror(-r));
        return 2;
    }
    int entered = mem_roots_enter(&roots, NULL, pid ? pid : where.pid);
    if (entered < 0) {
        fprintf(stderr, "root: %s: own root instead\n", strerror(-entered));
        (void)mem_roots_enter(&roots, "/", 0);
    }
    struct eye_options options = {.pid = pid, .now_us = clock_brought_us};
    r = eye_open(&roots, &where, &options, &eye);
    struct ledger *l = calloc(1, sizeof *l);
    if (r < 0 || !l) {
        fprintf(stderr, "open: %s\n", strerror(-r));
        return 2;
    }
    printf("%s %s\n", mem_kind_name(where.kind), where.path);
    int64_t t0 = (int64_t)clock_us();
    r = eye_look(eye, (double)time(NULL), EYE_FULL);
    int64_t t1 = (int64_t)clock_us();
    printf("full look: %d, %.1f ms\n", r, (double)(t1 - t0) / 1e3);
    while (!eye_walk(eye, (double)time(NULL), walk))
        ;
    printf("walk: %.1f ms\n", (double)((int64_t)clock_us() - t1) / 1e3);
    r = eye_look(eye, (double)time(NULL), EYE_FULL);
    print(eye, l);
    bool balances = ledger_balances(l);
    for (int i = 0; i < 3; i++) {
        t0 = (int64_t)clock_us();
        eye_look(eye, (double)time(NULL), EYE_FIXED);
        printf("fixed look: %.0f us\n", (double)((int64_t)clock_us() - t0));
    }
    free(l);
    eye_close(eye);
    mem_where_close(&where);
    mem_roots_close(&roots);
    return balances ? 0 : 1;
}
