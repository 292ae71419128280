// SPDX-License-Identifier: Apache-2.0
// Figures like the founding incident's, for the report's tests: hostile names included.
#pragma once
#include <math.h>
#include <stdio.h>

#include "report/report.h"

#define SAMPLE_ROWS 900
#define MIB (INT64_C(1) << 20)

static struct ledger sample_ledger;
static struct judge_report sample_judge;
static struct mem_sample sample_rows[SAMPLE_ROWS];
static struct proc_info sample_procs[6];

static int sample_entry(enum ledger_category c, int parent, int64_t bytes, const char *name, const char *note, int64_t growth)
{
    struct ledger *l = &sample_ledger;
    struct ledger_entry *e = &l->entry[l->n];

    *e = (struct ledger_entry){.category = c, .parent = parent, .bytes = bytes, .growth_per_min = growth};
    e->verdict = growth == INT64_MIN ? VERDICT_UNDECIDED : growth > 0 ? VERDICT_GROWING : VERDICT_STEADY;
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->note, sizeof e->note, "%s", note);
    if (parent < 0)
        l->sum[c] += bytes;
    return l->n++;
}

static struct report_input sample_input(void)
{
    static const struct report_fix fixes[] = {
        {"Move the store to Redis", "src/CacheKernel.php",
         "protected function createStore(): StoreInterface\n{\n    return new Psr6Store(['cache' => new "
         "\\Symfony\\Component\\Cache\\Adapter\\RedisTagAwareAdapter($redis, 'http_cache')]);\n}",
         "Give Redis a maxmemory of its own, <b>and</b> look at it."},
        {"Until then, remove files older than an hour", "cron", "find /app/var/cache/prod/http_cache -mmin +60 -delete", ""},
        {"Find what is kept between requests", "", "", ""}};
    static const char *const notes[] = {
        "Owners of deleted files: not visible with Docker's default capabilities. --cap-add SYS_PTRACE shows them."};
    static const struct report_amount others[] = {
        {"kubectl top", 240 * MIB, "usage without inactive_file: counts files in memory, names none"},
        {"Sum of RSS", 154 * MIB, "counts shared pages once a process and no file in memory: it stays flat in this case"}};
    struct ledger *l = &sample_ledger;

    *l = (struct ledger){.usage = 246 * MIB, .limit = 256 * MIB, .hard = 236 * MIB, .reserve = MIB / 2, .sight = SIGHT_DOCKER};
    int mount = sample_entry(LEDGER_FILES, -1, 166 * MIB, "/app (tmpfs)", "", 3 * MIB);
    sample_entry(LEDGER_FILES, mount, 150 * MIB, "/app/var/cache/prod/http_cache", "Symfony HttpCache", 3 * MIB);
    sample_entry(LEDGER_FILES, mount, 9 * MIB, "/app/var/log", "", 100 << 10);
    sample_entry(LEDGER_FILES, mount, 4 * MIB, "/app/var/cache/prod/<script>alert(1)</script>", "hostile \x1b[31m", INT64_MIN);
    int shm = sample_entry(LEDGER_FILES, mount, 137 * MIB, "/dev/shm", "charged to another cgroup: whoever wrote it first", INT64_MIN);
    l->entry[shm].parent = -1;
    l->entry[shm].elsewhere = l->entry[shm].estimate = true;
    sample_entry(LEDGER_ANON, -1, 20 * MIB, "php-fpm pool www", "4 processes", 0);
    sample_entry(LEDGER_ANON, -1, 14 * MIB, "caddy", "", 0);
    sample_entry(LEDGER_SHARED, -1, 5 * MIB / 2, "OPcache", "", 0);
    sample_entry(LEDGER_KERNEL, -1, 15 * MIB, "15,395 files in memory", "about 1 KiB each", 1 << 18);
    sample_entry(LEDGER_KERNEL, -1, 3 * MIB, "page tables, stacks, the rest", "", INT64_MIN);
    sample_entry(LEDGER_CACHE, -1, 12 * MIB, "program text", "", 0);
    sample_entry(LEDGER_CACHE, -1, 13 * MIB, "reclaimable", "", INT64_MIN);
    l->sum[LEDGER_UNEXPLAINED] = l->usage;
    for (int c = 0; c < LEDGER_UNEXPLAINED; c++)
        l->sum[LEDGER_UNEXPLAINED] -= l->sum[c];
    for (int i = 0; i < SAMPLE_ROWS; i++) {
        struct mem_sample *s = &sample_rows[i];
        double share = (double)i / SAMPLE_ROWS;
        *s = (struct mem_sample){.t = i};
        mem_set(s, MEM_limit, 256 * MIB);
        mem_set(s, MEM_anon, (int64_t)((34 + sin(i / 20.0)) * (double)MIB));
        mem_set(s, MEM_shmem, (int64_t)((3 + 166 * share) * (double)MIB));
        mem_set(s, MEM_segments, 5 * MIB / 2);
        mem_set(s, MEM_kernel, (int64_t)((3 + 15 * share) * (double)MIB));
        mem_set(s, MEM_file, s->v[MEM_shmem] + (int64_t)((70 - 45 * share) * (double)MIB));
        mem_set(s, MEM_usage, s->v[MEM_anon] + s->v[MEM_kernel] + s->v[MEM_file]);
    }
    sample_judge = (struct judge_report){.verdict = VERDICT_GROWING,
                                         .cause = CAUSE_TMPFS,
                                         .bytes_per_min = {2.9e6, 3.2e6, 3.6e6},
                                         .limit = 256 * MIB,
                                         .stall_known = true,
                                         .stall_lo = 110,
                                         .stall_hi = 170,
                                         .hot_file = 16 * MIB};
    sample_judge.line[LINE_TMPFS] = (struct judge_line){
        .known = true, .verdict = VERDICT_GROWING, .bytes = 166 * MIB, .bytes_per_min = {2.9e6, 3.2e6, 3.6e6}};
    sample_judge.line[LINE_ANON] = (struct judge_line){.known = true, .verdict = VERDICT_STEADY};
    for (int i = 0; i < 6; i++)
        sample_procs[i] = (struct proc_info){.pid = 100 + i,
                                             .role = i ? ROLE_FPM_WORKER : ROLE_CADDY,
                                             .rss = 25 * MIB,
                                             .pss_known = i < 4,
                                             .pss = 8 * MIB,
                                             .private_dirty = 5 * MIB,
                                             .split_known = i == 1,
                                             .split = {.php_heap = 4 * MIB, .native = MIB},
                                             .pool = "www"};
    static const struct judge_event events[] = {{JUDGE_RAISED, 300, VERDICT_GROWING, CAUSE_TMPFS}};
    return (struct report_input){
        .target = "php-fpm in cgroup /docker/4f6c",
        .made = "2026-11-24 11:00 UTC",
        .headline =
            "/app/var/cache/prod/http_cache (tmpfs) grows 3.1 MiB/min, 97 % of all growth: Symfony HttpCache never deletes.",
        .ledger = l,
        .judge = &sample_judge,
        .events = events,
        .n_events = 1,
        .rows = sample_rows,
        .n_rows = SAMPLE_ROWS,
        .procs = sample_procs,
        .n_procs = 6,
        .fixes = fixes,
        .n_fixes = sizeof fixes / sizeof *fixes,
        .others = others,
        .n_others = 2,
        .notes = notes,
        .n_notes = 1};
}
