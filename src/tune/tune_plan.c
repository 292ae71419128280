// SPDX-License-Identifier: Apache-2.0
// From numbers to settings, server by server. The invariant: what is proposed fits the budget; where nothing fits, nothing is
// proposed but what to change.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "mem/prices.h"
#include "tune/tune_plan.h"

// More workers a CPU only wait for each other, even where most of their time is spent waiting for a database.
#define WORKERS_PER_CPU 8
#define THREADS_PER_CPU 2 // FrankenPHP's own default for num_threads
#define MIB (INT64_C(1) << 20)

// A worker may grow by this much before it is replaced, where it keeps something of every request.
#define KEPT_BYTES (16 * MIB)
#define KEPT_MOST (64 * MIB) // and by this, where a recording says how much
#define MAX_REQUESTS 1000 // 16 KiB kept a request: a usual small leak
#define MAX_REQUESTS_LEAST 50

struct at {
    const char *where, *glue;
};

__attribute__((format(printf, 5, 6))) static void set(struct tune_plan *p, struct at at, const char *name, const char *value,
                                                      const char *why, ...)
{
    va_list args;

    if (p->n_settings == TUNE_SETTINGS)
        return;
    struct tune_setting *s = &p->setting[p->n_settings++];
    *s = (struct tune_setting){.where = at.where, .glue = at.glue, .name = name};
    snprintf(s->value, sizeof s->value, "%s", value);
    va_start(args, why);
    vsnprintf(s->why, sizeof s->why, why, args);
    va_end(args);
}

__attribute__((format(printf, 3, 4))) static void tell(char (*texts)[TUNE_TEXT], int *n, const char *text, ...)
{
    va_list args;

    if (*n == TUNE_TEXTS)
        return;
    va_start(args, text);
    vsnprintf(texts[(*n)++], TUNE_TEXT, text, args);
    va_end(args);
}
#define NOTE(p, ...) tell((p)->note, &(p)->n_notes, __VA_ARGS__)
#define INSTEAD(p, ...) tell((p)->instead, &(p)->n_instead, __VA_ARGS__)

static const char *number(char text[32], double v)
{
    snprintf(text, 32, "%.10g", v);
    return text;
}

// Whole MiB, as php.ini, GOMEMLIMIT and Kubernetes read it; rounded down, so that it fits.
static const char *mebibytes(char text[32], int64_t bytes, const char *unit)
{
    snprintf(text, 32, "%lld%s", (long long)(bytes / MIB), unit);
    return text;
}

// Whole 16 MiB, or 1/64 of it where it is large: as three digits show it, it is still enough.
static const char *rounded_up(int64_t bytes, char text[HUMAN_N])
{
    int64_t step = 16 * MIB;

    while (bytes / step >= 64)
        step *= 2;
    return human_bytes((bytes + step - 1) / step * step, text);
}

static void budget_of(const struct tune_input *in, struct tune_plan *p)
{
    p->in = (struct budget_in){
        .limit = in->limit.known ? in->limit.value : MEM_UNLIMITED,
        .memory_limit = in->memory_limit.value,
        .cpus = in->cpus,
        .per_cpu = WORKERS_PER_CPU,
        .hot_file = in->hot_file.value,
        .shared = in->shared.value,
        .tmpfs = in->tmpfs.value,
        .inodes = in->inodes.value,
        .kernel = in->kernel.value,
        .go = p->server == SERVER_FRANKENPHP ? budget_go_share(in->go_live.value) : 0,
        .others = in->others.value,
        .base = in->base.value,
    };
    // Threads in one process can't be told apart, and what grows has no peak.
    if (in->peaks && !in->growing && p->server != SERVER_FRANKENPHP) {
        p->in.requests = in->requests;
        p->in.mean = in->mean;
        p->in.sd = in->sd;
        p->in.worst = in->worst;
    }
    budget_reckon(&p->in, &p->budget);
}

static void explain_workers(const struct tune_plan *p, char *why, size_t n)
{
    const struct budget_in *in = &p->in;
    const struct budget *b = &p->budget;
    char left[HUMAN_N], base[HUMAN_N], other[HUMAN_N], sd[HUMAN_N], take[HUMAN_N];

    human_bytes(b->left, left);
    human_bytes(in->base + MEM_STACK_BYTES, base);
    human_bytes(b->workers_bytes, take);
    if (b->by == BUDGET_BY_CPU)
        snprintf(why, n, "%.4g CPUs x %d; memory would hold %u: these take %s of %s left", in->cpus, WORKERS_PER_CPU,
                 b->measured ? b->by_measured : b->by_limit, take, left);
    else if (b->by == BUDGET_BY_MEASURED)
        snprintf(why, n, "%u x (%s + %s) + 2.33 x sqrt(%u) x %s, and one of them at its worst: %s of %s left", b->workers, base,
                 human_bytes(in->mean, other), b->workers, human_bytes(in->sd, sd), take, left);
    else
        snprintf(why, n, "%s left / (%s a worker + memory_limit %s) = %u", left, base, human_bytes(in->memory_limit, other),
                 b->workers);
}

// pm.max_requests and its like: before what a worker keeps adds up to `most_kept`.
static unsigned max_requests(const struct tune_input *in, int64_t most_kept, char *why, size_t n)
{
    char each[HUMAN_N], all[HUMAN_N];

    if (!(in->bytes_per_request > 0)) {
        snprintf(why, n, "replaces a worker that keeps 16 KiB a request once it has grown by 16 MiB");
        return MAX_REQUESTS;
    }
    double most = fmin(100000, fmax(MAX_REQUESTS_LEAST, (double)most_kept / in->bytes_per_request));
    snprintf(why, n, "%s%s / %s that the recording keeps a request (at least %d)", human_bytes(most_kept, all),
             most_kept < KEPT_MOST ? ", half of memory_limit," : "",
             human_bytes((int64_t)fmin(1e15, in->bytes_per_request), each), MAX_REQUESTS_LEAST);
    return (unsigned)most;
}

static void plan_frankenphp(const struct tune_input *in, struct tune_plan *p, const char *why)
{
    static const struct at caddyfile = {"Caddyfile, global options: { frankenphp { ... } }", " "};
    static const struct at worker = {"Caddyfile, where a worker script runs: worker { ... }", " "};
    static const struct at environment = {"environment", "="};
    const struct budget *b = &p->budget;
    double usual = ceil(p->in.cpus * THREADS_PER_CPU);
    unsigned threads = usual < 1 ? 1 : usual < b->workers ? (unsigned)usual : b->workers;
    char v[32], keep[TUNE_TEXT];

    set(p, caddyfile, "num_threads", number(v, threads), "%.4g CPUs x %d, at most max_threads", p->in.cpus, THREADS_PER_CPU);
    set(p, caddyfile, "max_threads", number(v, b->workers), "%s", why);
    if (in->bytes_per_request > 0) {
        // What a worker script keeps on PHP's heap counts against memory_limit.
        int64_t half = p->in.memory_limit > 0 ? p->in.memory_limit / 2 : KEPT_MOST;
        unsigned most = max_requests(in, half < KEPT_MOST ? half : KEPT_MOST, keep, sizeof keep);
        set(p, caddyfile, "max_requests", number(v, most), "%s; experimental, FrankenPHP 1.12.3 and later", keep);
    }
    // More workers than that, and FrankenPHP doesn't start.
    if (threads > 1)
        set(p, worker, "num", number(v, threads - 1),
            "of all worker scripts together: less than num_threads; left out, each starts 2 a CPU, and FrankenPHP refuses to start");
    else
        NOTE(p, "num_threads 1 leaves none for a worker script: FrankenPHP wants more than the num of all of them together");
    set(p, environment, "GOMEMLIMIT", mebibytes(v, p->in.go, "MiB"),
        "Go's own share only: twice its live heap, at least 64 MiB. Caddy 2.10 and later would take 90 %% of the limit");
    NOTE(p, "max_threads auto divides the machine's memory, not the container's limit, by memory_limit: set the number");
}

// limit - threads x memory_limit, shown beside ours with where it turns negative.
static void note_classic(struct tune_plan *p)
{
    double threads = fmax(1, ceil(2 * p->in.cpus)), zero;
    char value[HUMAN_N], ml[HUMAN_N];

    if (p->in.limit == MEM_UNLIMITED || p->in.memory_limit <= 0)
        return;
    int64_t v = budget_classic_gomemlimit(p->in.limit, (unsigned)fmin(threads, 1e6), p->in.memory_limit);
    zero = floor((double)p->in.limit / (double)p->in.memory_limit);
    NOTE(p,
         "the classic formula, GOMEMLIMIT = limit - 2 x CPUs x memory_limit, gives %s%s (%.0f threads x %s); it is %s from %.0f "
         "threads "
         "(%.4g CPUs) on, and leaves out OPcache, files in memory, program text and the kernel",
         human_bytes(v, value), v <= 0 ? ", which is no limit at all" : "", threads, human_bytes(p->in.memory_limit, ml),
         "zero or negative", fmax(1, ceil((double)p->in.limit / (double)p->in.memory_limit)), fmax(0.5, zero / 2));
}

static void plan_fpm(const struct tune_input *in, struct tune_plan *p, const char *why)
{
    static const struct at pool = {"php-fpm's pool, www.conf", " = "};
    char v[32], keep[TUNE_TEXT];

    set(p, pool, "pm", "static", "the memory is reserved in any case; nothing is forked when load comes");
    set(p, pool, "pm.max_children", number(v, p->budget.workers), "%s", why);
    unsigned most = max_requests(in, KEPT_MOST, keep, sizeof keep);
    set(p, pool, "pm.max_requests", number(v, most), "%s", keep);
    NOTE(p, "several pools share the number: their pm.max_children add up to %u at most", p->budget.workers);
}

static void plan_apache(const struct tune_input *in, struct tune_plan *p, const char *why)
{
    static const struct at prefork = {"Apache, mpm_prefork.conf", " "};
    unsigned n = p->budget.workers, spare = n > 4 ? n / 4 : 1;
    char v[32], keep[TUNE_TEXT];

    set(p, prefork, "MaxRequestWorkers", number(v, n), "%s", why);
    set(p, prefork, "ServerLimit", number(v, n), "the same: MaxRequestWorkers can't be higher");
    set(p, prefork, "StartServers", number(v, spare), "a quarter of them");
    set(p, prefork, "MinSpareServers", number(v, spare), "a quarter of them");
    set(p, prefork, "MaxSpareServers", number(v, n), "all: an idle one costs no more than it already took");
    unsigned most = max_requests(in, KEPT_MOST, keep, sizeof keep);
    set(p, prefork, "MaxConnectionsPerChild", number(v, most), "%s", keep);
    NOTE(p, "mod_php holds a worker for a whole connection: KeepAliveTimeout 2 frees it from idle clients");
}

static void plan_plimsoll(const struct tune_input *in, struct tune_plan *p, const char *why)
{
    static const struct at pool = {"plimsoll.conf, [pool NAME]", " = "};
    char v[32], keep[TUNE_TEXT];
    unsigned n = p->budget.workers;

    set(p, pool, "pm.max_children", number(v, n), "%s", why);
    if (in->bytes_per_request > 0) {
        unsigned most = max_requests(in, KEPT_MOST, keep, sizeof keep);
        set(p, pool, "pm.max_requests", number(v, most), "%s", keep);
    }
    NOTE(p, "left at auto it is 2 x CPUs; several pools share the number");
}

static void plan_php(const struct tune_input *in, struct tune_plan *p)
{
    static const struct at php_ini = {"php.ini", " = "};
    char v[32];

    if (in->memory_limit.value >= MIB)
        set(p, php_ini, "memory_limit", mebibytes(v, in->memory_limit.value, "M"),
            "what the numbers here were reckoned with (%s)", in->memory_limit.from);
    if (in->apcu_size > in->apcu_counted) {
        // What isn't counted must not come: with it there would be room for as many.
        struct budget_in with = p->in;
        struct budget full;
        char size[HUMAN_N], touched[HUMAN_N];
        with.shared += in->apcu_size - in->apcu_counted;
        budget_reckon(&with, &full);
        human_bytes(in->apcu_size, size);
        set(p, php_ini, "apc.shm_size", mebibytes(v, in->apcu_counted, "M"),
            "what it is counted with: %s of its %s are touched, so nobody seems to use it", human_bytes(in->apcu_touched, touched),
            size);
        if (full.workers < p->budget.workers)
            NOTE(p, "left at %s, APCu may grow to that as soon as something is stored in it: then %u fit instead of %u", size,
                 full.workers, p->budget.workers);
    }
    if (in->shared.assumed || in->shared.measured)
        set(p, php_ini, "opcache.memory_consumption", mebibytes(v, in->shared.value, ""), "%s", in->shared.from);
}

// CPUs that Cloud Run sells with so much memory; 0: none.
static int cloud_run_cpus(double cpus, int64_t limit)
{
    static const struct {
        int cpus;
        int64_t least, most;
    } sold[] = {{1, 128, 4096}, {2, 128, 8192}, {4, 2048, 16384}, {8, 4096, 32768}};

    for (size_t i = 0; i < sizeof sold / sizeof *sold; i++)
        if (cpus <= sold[i].cpus && limit >= sold[i].least * MIB && limit <= sold[i].most * MIB)
            return sold[i].cpus;
    return 0;
}

static void plan_cloud_run(struct tune_plan *p)
{
    static const struct at run = {"Cloud Run: gcloud run services update SERVICE", "="};
    int cpus = cloud_run_cpus(p->in.cpus, p->in.limit);
    char v[32];

    if (cpus == 0) {
        NOTE(p, "Cloud Run sells no instance of this size (1 CPU: 128 MiB to 4 GiB, 2: to 8, 4: 2 to 16, 8: 4 to 32 GiB)");
        return;
    }
    set(p, run, "--memory", mebibytes(v, p->in.limit, "Mi"), "the limit; files written count as memory there");
    set(p, run, "--cpu", number(v, cpus), "%s", cpus > p->in.cpus ? "the least it sells with that memory" : "the CPUs");
    set(p, run, "--concurrency", number(v, p->budget.workers),
        "as many requests as workers; the default of 80 would make the rest wait");
}

static void plan_kubernetes(const struct tune_input *in, struct tune_plan *p)
{
    static const struct at resources = {"Kubernetes: the container's resources", ": "};
    static const struct at volume = {"Kubernetes: emptyDir with medium: Memory", ": "};
    char v[32], cpu[40];

    snprintf(cpu, sizeof cpu, "%.0fm", fmax(1, p->in.cpus * 1000));
    set(p, resources, "requests.memory", mebibytes(v, p->in.limit, "Mi"),
        "the same as the limit: what is only hoped for may be another pod's when it is needed");
    set(p, resources, "limits.memory", mebibytes(v, p->in.limit, "Mi"), "the limit");
    set(p, resources, "requests.cpu", cpu, "the CPUs; no limits.cpu: throttled workers hold their memory for longer");
    if (p->in.tmpfs >= MIB && !in->tmpfs.assumed)
        set(p, volume, "sizeLimit", mebibytes(v, p->in.tmpfs, "Mi"),
            "files in memory, as reckoned above: ENOSPC instead of a stall");
}

static void say_instead(const struct tune_input *in, struct tune_plan *p)
{
    const struct budget *b = &p->budget;
    char one[HUMAN_N], two[HUMAN_N];

    if (p->in.limit == MEM_UNLIMITED) {
        if (b->limit_needed)
            INSTEAD(p, "set a memory limit for the container: %u workers (%.4g CPUs x %d) need %s", b->by_cpu ? b->by_cpu : 1,
                    p->in.cpus, WORKERS_PER_CPU, rounded_up(b->limit_needed, one));
        else
            INSTEAD(p, "set a memory limit for the container, and memory_limit in php.ini");
        INSTEAD(p, "or say with --limit what it will have");
        return;
    }
    if (b->over)
        INSTEAD(p, "what is needed beside the workers is %s more than the limit", human_bytes(b->over, one));
    if (in->memory_limit.value == 0 && !b->measured) {
        if (b->memory_limit_fits >= MIB)
            INSTEAD(p, "set memory_limit: without one a single request may take everything; one worker could have %s",
                    human_bytes(b->memory_limit_fits / MIB * MIB, one));
        else
            INSTEAD(p, "set memory_limit: without one a single request may take everything");
    } else if (b->memory_limit_fits >= MIB) {
        INSTEAD(p, "lower memory_limit to %s: then one worker fits (now %s: %s)",
                human_bytes(b->memory_limit_fits / MIB * MIB, one), human_bytes(in->memory_limit.value, two),
                in->memory_limit.from);
    }
    double more = fmax(1, fmin(4096, ceil(2 * p->in.cpus)));
    if (b->limit_needed && more > 1)
        INSTEAD(p, "raise the container's limit to %s for one worker, to %s for %.0f (2 a CPU)", rounded_up(b->limit_needed, one),
                rounded_up(budget_limit_for(&p->in, (unsigned)more), two), more);
    else if (b->limit_needed)
        INSTEAD(p, "raise the container's limit to %s for one worker", rounded_up(b->limit_needed, one));
    if (p->in.shared >= p->in.limit / 8)
        INSTEAD(p, "lower opcache.memory_consumption and apc.shm_size: they count with %s (%s)", human_bytes(p->in.shared, one),
                in->shared.from);
    if (p->in.tmpfs >= p->in.limit / 8)
        INSTEAD(p, "move files out of memory: they count with %s (%s)", human_bytes(p->in.tmpfs, one), in->tmpfs.from);
}

void tune_plan_make(const struct tune_input *in, enum advice_server server, struct tune_plan *ret)
{
    char why[TUNE_TEXT], one[HUMAN_N];

    memset(ret, 0, sizeof *ret);
    ret->server = server;
    budget_of(in, ret);
    if (in->growing)
        tell(ret->budget.workers ? ret->note : ret->instead, ret->budget.workers ? &ret->n_notes : &ret->n_instead,
             "the recording grows (%s): no number of workers cures that. See what xray says of it first; peaks measured in it "
             "don't count",
             mem_cause_name(in->growing_cause));
    else if (in->peaks && !ret->budget.measured && server != SERVER_FRANKENPHP)
        NOTE(ret, "%llu requests were recorded; from %d on their peaks count instead of memory_limit",
             (unsigned long long)in->requests, BUDGET_REQUESTS_LEAST);
    if (ret->budget.measured)
        NOTE(ret,
             "if every worker were at memory_limit at once, %u would fit: the number rests on %llu measured requests (%s a "
             "worker at most)",
             ret->budget.by_limit, (unsigned long long)in->requests, human_bytes(in->base.value + in->worst, one));
    if (server == SERVER_FRANKENPHP)
        note_classic(ret);
    if (ret->budget.workers == 0) {
        say_instead(in, ret);
        return;
    }
    explain_workers(ret, why, sizeof why);
    if (server == SERVER_FRANKENPHP)
        plan_frankenphp(in, ret, why);
    else if (server == SERVER_FPM)
        plan_fpm(in, ret, why);
    else if (server == SERVER_APACHE)
        plan_apache(in, ret, why);
    else
        plan_plimsoll(in, ret, why);
    plan_php(in, ret);
    if (in->limit_is_ram) {
        NOTE(ret, "nothing limits the container: what else runs on the machine takes from the same memory. Set a limit");
        return;
    }
    plan_cloud_run(ret);
    plan_kubernetes(in, ret);
}
