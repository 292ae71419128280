// SPDX-License-Identifier: Apache-2.0
// A view as a look would make it.
#include "xray_fixture.h"

#include <stdio.h>
#include <string.h>

#define MIB (INT64_C(1) << 20)

static struct ledger ledger;
static struct mem_sample sample;
static struct mounts mounts;
static struct segments segments;
static struct proc_info procs[4];
static struct xray_view view;

static void add(enum ledger_category c, int parent, int64_t bytes, const char *name, const char *note)
{
    struct ledger_entry *e = &ledger.entry[ledger.n++];
    *e = (struct ledger_entry){.category = c, .parent = parent, .bytes = bytes, .growth_per_min = INT64_MIN};
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->note, sizeof e->note, "%s", note);
    if (parent < 0)
        ledger.sum[c] += bytes;
}

static void fill_ledger(void)
{
    memset(&ledger, 0, sizeof ledger);
    ledger.usage = 174 * MIB;
    ledger.limit = 256 * MIB;
    ledger.hard = 160 * MIB;
    ledger.reserve = 512 * 1024;
    ledger.complete = true;
    add(LEDGER_ANON, -1, 30 * MIB, "php-fpm pool www", "");
    add(LEDGER_ANON, 0, 20 * MIB, "PHP heap", "");
    add(LEDGER_ANON, -1, 27 * MIB, "caddy", "");
    add(LEDGER_FILES, -1, 93 * MIB, "/app/var", "tmpfs, 8000 inodes");
    add(LEDGER_FILES, 3, 90 * MIB, "/app/var/cache/prod/http_cache", "");
    ledger.entry[4].growth_per_min = 62 * MIB;
    add(LEDGER_SHARED, -1, 3 * MIB, "OPcache", "");
    ledger.entry[5].estimate = true;
    add(LEDGER_CACHE, -1, 10 * MIB, "program text and data in use", "mapped by processes: without it the container stalls");
    add(LEDGER_CACHE, -1, 4 * MIB, "reclaimable", "");
    add(LEDGER_KERNEL, -1, 7 * MIB, "kernel memory", "");
    add(LEDGER_KERNEL, 8, 6 * MIB, "inodes of files in memory", "");
    add(LEDGER_UNEXPLAINED, -1, -100 * 1024, "unexplained", "kernel charge reserve: up to 512 KiB are charged ahead");
    add(LEDGER_BESIDE, -1, 2 * MIB, "TCP buffers", "cgroup v1 counts them apart: not in usage");
    ledger.usage = 0;
    for (int c = 0; c < LEDGER_BESIDE; c++)
        ledger.usage += ledger.sum[c];
}

static void fill_procs(void)
{
    memset(procs, 0, sizeof procs);
    procs[0] = (struct proc_info){.pid = 1,
                                  .role = ROLE_FPM_MASTER,
                                  .comm = "php-fpm8.2",
                                  .rss = 25 * MIB,
                                  .rss_anon = 6 * MIB,
                                  .text = -1,
                                  .memory_limit = -1};
    procs[1] = (struct proc_info){
        .pid = 17,
        .ppid = 1,
        .uid = 33,
        .role = ROLE_FPM_WORKER,
        .comm = "php-fpm8.2",
        .pool = "www",
        .rss = 44 * MIB,
        .rss_anon = 30 * MIB,
        .pss_known = true,
        .pss = 33 * MIB,
        .private_dirty = 31 * MIB,
        .split_known = true,
        .visible = true,
        .text = 5 * MIB,
        .split = {.total = 30 * MIB, .php_heap = 20 * MIB, .php_heap_live = 12 * MIB, .native = 9 * MIB, .stacks = MIB},
        .memory_limit = 128 * MIB};
    procs[2] = (struct proc_info){
        .pid = 18, .role = ROLE_OTHER, .comm = "we\033[31m\xff", .rss = 2 * MIB, .rss_anon = MIB, .text = -1, .memory_limit = -1};
}

static void fill_rest(struct xray_view *v)
{
    memset(&sample, 0, sizeof sample);
    mem_set(&sample, MEM_usage, ledger.usage);
    mem_set(&sample, MEM_inactive_file, 4 * MIB);
    mem_set(&sample, MEM_oom_kill, 0);
    mem_set(&sample, MEM_peak, 180 * MIB);
    mem_set(&sample, MEM_anon, 57 * MIB);
    mem_set(&sample, MEM_shmem, 96 * MIB);
    mem_set(&sample, MEM_kernel, 7 * MIB);
    mem_set(&sample, MEM_sum_rss, 154 * MIB);
    memset(&mounts, 0, sizeof mounts);
    mounts.n = 1;
    mounts.m[0] =
        (struct mount){.kind = MOUNT_TMPFS, .sized = true, .used = 93 * MIB, .inodes = 8000, .fd = -1, .path = "/app/var"};
    memset(&segments, 0, sizeof segments);
    segments.n = 2;
    segments.complete = true;
    segments.s[0] = (struct segment){
        .kind = SEGMENT_SHARED_ANON, .owner = 1, .holders = 3, .bytes = 3 * MIB, .size = 128 * MIB, .estimate = true};
    segments.s[1] = (struct segment){
        .kind = SEGMENT_DELETED, .owner = 17, .holders = 2, .bytes = MIB, .size = MIB, .name = "/app/var/gone.log"};
    v->see = (struct eye_view){.sample = &sample, .procs = procs, .nprocs = 3, .mounts = &mounts, .segments = &segments};
    v->ledger = &ledger;
    v->kind = MEM_KIND_V1;
    snprintf(v->target, sizeof v->target, "this container, cgroup v1 /sys/fs/cgroup/memory/docker/abc");
    snprintf(v->cgroup, sizeof v->cgroup, "/sys/fs/cgroup/memory/docker/abc");
    v->made = 1790000000;
    v->limit = (struct mem_limit){.bytes = 256 * MIB, .from = MEM_LIMIT_GROUP, .ancestor_usage = -1};
    v->cpus = 2;
    v->host_ram = 8192 * MIB;
    v->walk = (struct scan_progress){.rounds = 1, .complete = true, .covered = 1, .entries = 8003, .dirs = 260};
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    v->facts = facts;
    other_numbers(&sample, v->others);
}

static void judge(struct judge_report *j)
{
    *j = (struct judge_report){.rows = 120,
                               .t = 120,
                               .span = 119,
                               .limit = 256 * MIB,
                               .verdict = VERDICT_GROWING,
                               .cause = CAUSE_TMPFS,
                               .bytes_per_min = {60.0 * MIB, 64.0 * MIB, 66.0 * MIB},
                               .stall_known = true,
                               .stall_lo = 70,
                               .stall_hi = 95,
                               .hot_file = -1};
    j->line[LINE_TMPFS] = (struct judge_line){.known = true,
                                              .verdict = VERDICT_GROWING,
                                              .bytes = 93 * MIB,
                                              .bytes_per_min = {60.0 * MIB, 62.0 * MIB, 63.0 * MIB},
                                              .per_request_known = true,
                                              .bytes_per_request = {11000, 12000, 13000}};
    j->line[LINE_ANON] = (struct judge_line){.known = true, .verdict = VERDICT_STEADY, .bytes = 57 * MIB};
    j->line[LINE_PAGE_CACHE] =
        (struct judge_line){.known = true, .verdict = VERDICT_UNDECIDED, .bytes = 14 * MIB, .seconds_needed = 30};
}

struct xray_view *fixture_incident(void)
{
    struct xray_view *v = &view;
    memset(v, 0, sizeof *v);
    fill_ledger();
    fill_procs();
    fill_rest(v);
    v->judged = true;
    judge(&v->judge);
    v->facts.server = SERVER_FPM;
    v->facts.limit = 256 * MIB;
    v->facts.memory_limit = 128 * MIB;
    v->facts.max_children = 5;
    v->requests_known = true;
    v->requests = (struct requests_answer){.source = REQUESTS_FPM, .total = 12345};
    v->n_fast = v->n_big = 1;
    v->fast[0] =
        (struct eye_dir){.bytes = 90 * MIB, .files = 7900, .growth_per_min = 62 * MIB, .path = "/app/var/cache/prod/http_cache"};
    v->big[0] = v->fast[0];
    v->finding = (struct finding){.verdict = VERDICT_GROWING,
                                  .cause = CAUSE_TMPFS,
                                  .signature = SIG_SYMFONY_HTTP_CACHE,
                                  .app = APP_SYMFONY,
                                  .place = "/app/var/cache/prod/http_cache",
                                  .place_kind = "tmpfs",
                                  .growth_known = true,
                                  .bytes_per_min = {60.0 * MIB, 62.0 * MIB, 63.0 * MIB},
                                  .share = 0.97,
                                  .stall_known = true,
                                  .stall_lo = 70,
                                  .stall_hi = 95,
                                  .span = 119,
                                  .bytes = 90 * MIB};
    finding_text(&v->finding, v->headline);
    v->n_fixes = finding_fixes(&v->finding, &v->facts, v->fixes);
    v->n_conditions = signature_find_conditions(&v->facts, v->conditions, VIEW_CONDITIONS);
    view_notes(v);
    return v;
}

struct xray_view *fixture_first_look(void)
{
    struct xray_view *v = fixture_incident();
    v->judged = v->requests_known = false;
    v->n_fixes = v->n_conditions = v->n_notes = 0;
    v->see.sight = SIGHT_NONE;
    v->see.segments = NULL;
    v->see.mounts = NULL;
    v->n_fast = v->n_big = 0;
    memset(&sample, 0, sizeof sample);
    mem_set(&sample, MEM_usage, ledger.usage);
    other_numbers(&sample, v->others);
    for (int i = 0; i < 3; i++)
        procs[i].pss_known = procs[i].split_known = procs[i].visible = false;
    ledger.limit = MEM_UNLIMITED;
    ledger.hard = -1;
    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    v->facts = facts;
    v->finding = (struct finding){
        .verdict = VERDICT_UNDECIDED, .place_kind = "", .share = -1, .bytes = -1, .oom_kills = -1, .seconds_needed = 20};
    finding_text(&v->finding, v->headline);
    v->walk = (struct scan_progress){.covered = 0.4, .entries = 4000};
    view_notes(v);
    return v;
}
