// SPDX-License-Identifier: Apache-2.0
// Puts judge, directories and processes together into one finding, and says it. A pure library but for the directories it looks
// into through the container's root. The sentence is plain text in one line; what comes from outside (paths, pool names) has
// its control characters replaced.
#include "advice/finding.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "mem/ledger.h"
#include "mem/prices.h"

#define AGES_LEAST_BYTES (512 * 1024) // what a directory holds before the ages of its files are worth a sentence

static const char *const causes[CAUSE_N] = {
    [CAUSE_NONE] = "",
    [CAUSE_TMPFS] = "files in memory (tmpfs)",
    [CAUSE_DELETED_FILES] = "deleted files that are still open",
    [CAUSE_SHARED_MEMORY] = "shared memory (OPcache, APCu, SysV segments, memfd)",
    [CAUSE_PHP_HEAP] = "the PHP heap (objects kept between requests)",
    [CAUSE_NATIVE] = "native memory (malloc: extensions and libraries)",
    [CAUSE_GO_HEAP] = "the Go heap",
    [CAUSE_PROCESS_ANON] = "the processes' own memory",
    [CAUSE_KERNEL] = "kernel memory (inodes, sockets, page tables)",
    [CAUSE_PAGE_CACHE] = "page cache",
    [CAUSE_UNKNOWN] = "memory that no owner explains",
};

const char *finding_cause_words(enum mem_cause cause)
{
    return (unsigned)cause < CAUSE_N ? causes[cause] : causes[CAUSE_UNKNOWN];
}

// The line of the judge that a cause speaks of.
static enum mem_line line_of(enum mem_cause cause)
{
    static const enum mem_line lines[CAUSE_N] = {
        [CAUSE_NONE] = LINE_TOTAL,
        [CAUSE_TMPFS] = LINE_TMPFS,
        [CAUSE_DELETED_FILES] = LINE_DELETED_FILES,
        [CAUSE_SHARED_MEMORY] = LINE_SHARED_MEMORY,
        [CAUSE_PHP_HEAP] = LINE_PHP_HEAP,
        [CAUSE_NATIVE] = LINE_NATIVE,
        [CAUSE_GO_HEAP] = LINE_GO_HEAP,
        [CAUSE_PROCESS_ANON] = LINE_ANON,
        [CAUSE_KERNEL] = LINE_KERNEL,
        [CAUSE_PAGE_CACHE] = LINE_PAGE_CACHE,
        [CAUSE_UNKNOWN] = LINE_TOTAL,
    };
    return (unsigned)cause < CAUSE_N ? lines[cause] : LINE_TOTAL;
}

static void copy_clean(char *dst, size_t size, const char *src)
{
    size_t n = 0;

    for (; src[n] && n + 1 < size; n++)
        dst[n] = (unsigned char)src[n] < 0x20 || src[n] == 0x7f ? '?' : src[n];
    dst[n] = '\0';
}

static int64_t growth_or(const struct eye_dir *d, int64_t otherwise)
{
    return d->growth_per_min == INT64_MIN ? otherwise : d->growth_per_min;
}

// The directory that grows most; where none is known to grow, the biggest.
static const struct eye_dir *worst_directory(const struct finding_input *in)
{
    const struct eye_dir *worst = NULL;

    for (size_t i = 0; i < in->n_dirs; i++) {
        const struct eye_dir *d = &in->dirs[i];
        if (!worst || growth_or(d, 0) > growth_or(worst, 0) ||
            (growth_or(d, 0) == growth_or(worst, 0) && d->bytes > worst->bytes))
            worst = d;
    }
    return worst;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0' || (n == 1 && dir[0] == '/'));
}

// Directories are disjoint, but one may be both among the biggest and among those that grow.
static bool is_first(const struct finding_input *in, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(in->dirs[k].path, in->dirs[i].path))
            return false;
    return true;
}

static bool recognise(const struct finding_input *in, const char *top, const char *path, struct signature_hit *ret)
{
    if (in->root_fd >= 0)
        return signature_find_directory(in->root_fd, top, path, ret);
    if (!in->earlier || in->earlier->id == SIG_NONE || !is_below(path, in->earlier->path))
        return false;
    *ret = *in->earlier;
    return true;
}

static void place_directory(const struct finding_input *in, const struct eye_dir *d, struct finding *ret)
{
    const struct mount *m = in->mounts && d->mount >= 0 && d->mount < in->mounts->n ? &in->mounts->m[d->mount] : NULL;
    struct signature_hit hit;
    char path[sizeof d->path];
    int64_t growth = 0;
    bool known = false;

    memcpy(path, d->path, sizeof path);
    path[sizeof path - 1] = '\0';
    size_t n = strlen(path);
    if (n > 4 && !strcmp(path + n - 4, "/...")) // longer than it is shown
        path[n - 4] = '\0';
    ret->place_kind = m ? mount_kind_name(m->kind) : "tmpfs";
    ret->bytes = d->bytes;
    copy_clean(ret->place, sizeof ret->place, d->path);
    ret->app = advice_app_of_path(path);
    if (recognise(in, m ? m->path : "/", path, &hit)) {
        ret->signature = hit.id;
        ret->app = hit.app;
        copy_clean(ret->place, sizeof ret->place, hit.path);
        snprintf(path, sizeof path, "%s", hit.path);
        ret->bytes = 0;
        for (size_t i = 0; i < in->n_dirs; i++)
            if (is_below(in->dirs[i].path, path) && is_first(in, i))
                ret->bytes += in->dirs[i].bytes;
    }
    for (size_t i = 0; i < in->n_dirs; i++)
        if (is_below(in->dirs[i].path, path) && is_first(in, i) && in->dirs[i].growth_per_min != INT64_MIN) {
            growth += in->dirs[i].growth_per_min;
            known = true;
        }
    if (known) {
        ret->growth_known = true;
        ret->growth_from_ages = d->growth_from_ages;
        ret->bytes_per_min = (struct judge_growth){(double)growth, (double)growth, (double)growth};
    }
}

static int64_t part_of(const struct proc_info *p, enum mem_cause cause)
{
    if (cause == CAUSE_PHP_HEAP || cause == CAUSE_GO_HEAP || cause == CAUSE_NATIVE) {
        if (!p->split_known)
            return -1;
        return cause == CAUSE_PHP_HEAP ? p->split.php_heap : cause == CAUSE_GO_HEAP ? p->split.go_heap : p->split.native;
    }
    return p->rss_anon;
}

// The process with most of what grows.
static void place_process(const struct finding_input *in, struct finding *ret)
{
    const struct proc_info *most = NULL;

    for (size_t i = 0; i < in->n_procs; i++)
        if (in->procs[i].role != ROLE_XRAY && (!most || part_of(&in->procs[i], ret->cause) > part_of(most, ret->cause)))
            most = &in->procs[i];
    if (!most || part_of(most, ret->cause) <= 0)
        return;
    char name[sizeof ret->place], comm[sizeof most->comm + 2] = "";
    if (most->role == ROLE_OTHER || most->role == ROLE_GO)
        snprintf(comm, sizeof comm, " %.15s", most->comm);
    // Workers that are all about as large grow together: none of them is the culprit.
    int64_t sum = 0, biggest = part_of(most, ret->cause);
    int n = 0;
    for (size_t i = 0; i < in->n_procs; i++) {
        const struct proc_info *p = &in->procs[i];
        if (p->role != most->role || strcmp(p->pool, most->pool) != 0 || part_of(p, ret->cause) < biggest / 2 ||
            (p->role == ROLE_OTHER && strcmp(p->comm, most->comm) != 0))
            continue;
        n++;
        sum += part_of(p, ret->cause);
    }
    size_t at = (size_t)snprintf(name, sizeof name, "%s%s%s%.31s ", proc_role_name(most->role), comm, most->pool[0] ? " " : "",
                                 most->pool);
    if (n > 1)
        snprintf(name + at, sizeof name - at, "(%d processes)", n);
    else
        snprintf(name + at, sizeof name - at, "(pid %ld)", (long)most->pid);
    copy_clean(ret->place, sizeof ret->place, name);
    ret->place_kind = "process";
    ret->bytes = sum;
    if (ret->cause == CAUSE_GO_HEAP && in->facts && in->facts->gomemlimit_known && !in->facts->gomemlimit_set)
        ret->signature = SIG_GO_NO_LIMIT;
}

// The fullest file system in memory.
static void place_mount(const struct finding_input *in, struct finding *ret)
{
    const struct mount *most = NULL;

    for (int i = 0; in->mounts && i < in->mounts->n; i++)
        if (in->mounts->m[i].kind != MOUNT_HUGETLB && in->mounts->m[i].used > (most ? most->used : 0))
            most = &in->mounts->m[i];
    if (!most)
        return;
    copy_clean(ret->place, sizeof ret->place, most->path);
    ret->place_kind = mount_kind_name(most->kind);
    ret->app = advice_app_of_path(most->path);
    ret->bytes = most->used;
}

// Kernel memory that inodes of files in memory explain is somebody's directory.
static void place_inodes(const struct finding_input *in, struct finding *ret)
{
    const struct eye_dir *most = NULL;
    int64_t inodes = 0, bytes = ret->bytes;

    for (int i = 0; in->mounts && i < in->mounts->n; i++)
        if (in->mounts->m[i].kind == MOUNT_TMPFS && in->mounts->m[i].inodes > 0)
            inodes += in->mounts->m[i].inodes;
    for (size_t i = 0; i < in->n_dirs; i++)
        if (!most || in->dirs[i].files > most->files)
            most = &in->dirs[i];
    if (!most || bytes <= 0 || inodes * MEM_INODE_BYTES < bytes / 2)
        return;
    struct judge_growth kernel = ret->bytes_per_min;
    place_directory(in, most, ret);
    ret->bytes_per_min = kernel; // what grows is not the directory's bytes
    ret->growth_known = true;
    ret->growth_from_ages = false;
    ret->bytes = bytes;
}

// The holder of most bytes of deleted files, where descriptors can be seen.
static void place_deleted(const struct finding_input *in, struct finding *ret)
{
    pid_t pid = 0;
    int64_t most = 0;

    ret->signature = SIG_DELETED_FILES;
    for (int i = 0; in->segments && i < in->segments->n; i++) {
        const struct segment *s = &in->segments->s[i];
        int64_t sum = 0;
        if (s->kind != SEGMENT_DELETED || s->owner == 0 || s->owner == pid)
            continue;
        for (int k = 0; k < in->segments->n; k++)
            if (in->segments->s[k].kind == SEGMENT_DELETED && in->segments->s[k].owner == s->owner &&
                in->segments->s[k].bytes > 0)
                sum += in->segments->s[k].bytes;
        if (sum > most) {
            most = sum;
            pid = s->owner;
        }
    }
    if (!pid)
        return;
    const struct proc_info *p = NULL;
    for (size_t i = 0; i < in->n_procs; i++)
        if (in->procs[i].pid == pid)
            p = &in->procs[i];
    char name[sizeof ret->place];
    snprintf(name, sizeof name, "Deleted files held open by %s (pid %ld)",
             p && p->role != ROLE_OTHER ? proc_role_name(p->role)
             : p                        ? p->comm
                                        : "a process",
             (long)pid);
    copy_clean(ret->place, sizeof ret->place, name);
    ret->place_kind = "tmpfs";
    ret->bytes = most;
}

static void take_judge(const struct judge_report *j, struct finding *ret)
{
    enum mem_line line = line_of(j->cause);
    bool own = j->line[line].known;

    ret->verdict = j->verdict;
    ret->cause = j->cause;
    ret->span = j->span;
    ret->stall_known = j->stall_known;
    ret->stall_lo = j->stall_lo;
    ret->stall_hi = j->stall_hi;
    ret->seconds_needed = j->line[LINE_TOTAL].seconds_needed;
    ret->growth_known = j->rows > 1 && j->verdict != VERDICT_UNDECIDED;
    ret->bytes_per_min = own ? j->line[line].bytes_per_min : j->bytes_per_min;
    if (own)
        ret->bytes = j->line[line].bytes;
    if (own && j->line[line].per_request_known && j->line[line].bytes_per_min.mid > 0)
        ret->per_request = fmax(0, j->line[line].bytes_per_request.mid);
    // Descriptors are looked at every few seconds, and of very many only some: meanwhile their files count as files in memory.
    const struct judge_growth *tmpfs = &j->line[LINE_TMPFS].bytes_per_min;
    if (j->cause == CAUSE_DELETED_FILES && own && j->line[LINE_TMPFS].known && tmpfs->mid > 0) {
        ret->bytes_per_min.lo += tmpfs->lo;
        ret->bytes_per_min.mid += tmpfs->mid;
        ret->bytes_per_min.hi += tmpfs->hi;
    }
    if (own && ret->growth_known && j->bytes_per_min.mid > 0)
        ret->share = fmin(1, fmax(0, ret->bytes_per_min.mid / j->bytes_per_min.mid));
}

// What a single look can tell: where file ages say that something grows. A log's first lines are no finding.
static void guess_from_ages(const struct finding_input *in, struct finding *ret)
{
    const struct eye_dir *d = worst_directory(in);

    if (d && growth_or(d, 0) > 0 && d->bytes >= AGES_LEAST_BYTES) {
        ret->cause = CAUSE_TMPFS;
        place_directory(in, d, ret);
    }
}

void finding_make(const struct finding_input *in, struct finding *ret)
{
    *ret = (struct finding){.verdict = VERDICT_UNDECIDED, .place_kind = "", .share = -1, .bytes = -1, .oom_kills = -1};
    if (in->facts)
        ret->app = in->facts->app;
    if (in->sample)
        ret->oom_kills = mem_get(in->sample, MEM_oom_kill, -1);
    ret->requests_estimated = in->requests_estimated;
    if (!in->judge) {
        guess_from_ages(in, ret);
        return;
    }
    take_judge(in->judge, ret);
    if (ret->verdict == VERDICT_UNDECIDED)
        guess_from_ages(in, ret);
    if (ret->verdict != VERDICT_GROWING && ret->verdict != VERDICT_SATURATED)
        return;
    struct judge_growth line = ret->bytes_per_min;
    const struct eye_dir *d = worst_directory(in);
    switch (ret->cause) {
    case CAUSE_TMPFS:
        if (!d)
            place_mount(in, ret); // not walked yet
        if (!d)
            break;
        place_directory(in, d, ret);
        // One place may be a part of what grows: its share follows. File ages are a guess; the judge's line isn't.
        if (ret->growth_from_ages || ret->verdict == VERDICT_SATURATED || ret->bytes_per_min.mid >= line.mid * 0.8)
            ret->bytes_per_min = line;
        else { // the rest grows elsewhere
            ret->per_request *= line.mid > 0 ? fmax(0, ret->bytes_per_min.mid) / line.mid : 0;
            if (in->judge->bytes_per_min.mid > 0)
                ret->share = fmin(1, fmax(0, ret->bytes_per_min.mid / in->judge->bytes_per_min.mid));
        }
        ret->growth_from_ages = false;
        break;
    case CAUSE_DELETED_FILES:
        place_deleted(in, ret);
        break;
    case CAUSE_KERNEL:
        place_inodes(in, ret);
        break;
    case CAUSE_PHP_HEAP:
    case CAUSE_NATIVE:
    case CAUSE_GO_HEAP:
    case CAUSE_PROCESS_ANON:
        place_process(in, ret);
        break;
    default:
        break;
    }
}

struct sentence {
    char *text;
    size_t n;
};

static void __attribute__((format(printf, 2, 3))) say(struct sentence *s, const char *fmt, ...)
{
    va_list ap;

    if (s->n >= FINDING_TEXT - 1)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(s->text + s->n, FINDING_TEXT - s->n, fmt, ap);
    va_end(ap);
    s->n += n > 0 ? (size_t)n : 0;
    if (s->n > FINDING_TEXT - 1)
        s->n = FINDING_TEXT - 1;
}

static void say_place(struct sentence *s, const struct finding *f)
{
    if (f->place[0] && !strcmp(f->place_kind, "process"))
        say(s, "%s", f->place);
    else if (f->place[0])
        say(s, "%s (%s)", f->place, f->place_kind);
    else if (f->cause == CAUSE_NONE)
        say(s, "Memory");
    else
        say(s, "%c%s", finding_cause_words(f->cause)[0] & ~0x20, finding_cause_words(f->cause) + 1);
}

static bool is_plural(const struct finding *f)
{
    return f->cause == CAUSE_DELETED_FILES || (!f->place[0] && f->cause == CAUSE_TMPFS);
}

static const char *why(const struct finding *f)
{
    const struct signature *sig = signature_get(f->signature);

    if (sig->cause[0])
        return sig->cause;
    if (f->cause == CAUSE_TMPFS)
        return "files in memory that nobody deletes";
    if (f->cause == CAUSE_KERNEL && f->place[0])
        return "each file in memory costs the kernel about 1 KiB, an empty one too";
    return f->place[0] ? finding_cause_words(f->cause) : "";
}

static void say_growth(struct sentence *s, const struct finding *f)
{
    char rate[HUMAN_N], from[HUMAN_N], to[HUMAN_N];
    bool plural = is_plural(f);

    say_place(s, f);
    if (f->growth_known && f->bytes_per_min.mid > 0)
        say(s, " %s %s%s/min", plural ? "grow" : "grows", f->growth_from_ages ? "about " : "",
            human_bytes((int64_t)f->bytes_per_min.mid, rate));
    else
        say(s, " %s", plural ? "grow" : "grows");
    if (f->growth_from_ages)
        say(s, " (from file ages)");
    else if (f->growth_known && f->per_request >= 1)
        say(s, ", %s%s a request", f->requests_estimated ? "about " : "", human_bytes((int64_t)f->per_request, rate));
    if (f->share >= 0)
        say(s, ", %.0f %% of all growth", f->share * 100);
    if (why(f)[0])
        say(s, ": %s", why(f));
    say(s, ".");
    if (!f->stall_known)
        return;
    human_seconds(f->stall_lo, from);
    human_seconds(f->stall_hi, to);
    if (!strcmp(from, to))
        say(s, " Stalls in about %s.", to);
    else
        say(s, " Stalls in %s to %s.", from, to);
}

static void say_saturated(struct sentence *s, const struct finding *f)
{
    char bytes[HUMAN_N];

    if (f->oom_kills > 0)
        say(s, "Saturated: at its limit the container only reads its own program text again and again (oom_kill %lld).",
            (long long)f->oom_kills);
    else
        say(s, "Saturated: the container stalls at its limit though nothing was killed%s.",
            f->oom_kills == 0 ? " (oom_kill 0)" : "");
    if (f->cause == CAUSE_NONE)
        return;
    say(s, " ");
    say_place(s, f);
    bool plural = is_plural(f);
    if (f->bytes >= 0)
        say(s, " %s %s", plural ? "hold" : "holds", human_bytes(f->bytes, bytes));
    else
        say(s, " %s it", plural ? "fill" : "fills");
    if (why(f)[0])
        say(s, ": %s", why(f));
    say(s, ".");
}

const char *finding_text(const struct finding *f, char text[FINDING_TEXT])
{
    struct sentence s = {text, 0};
    char span[HUMAN_N];

    text[0] = '\0';
    human_seconds(f->span, span);
    switch (f->verdict) {
    case VERDICT_GROWING:
        say_growth(&s, f);
        break;
    case VERDICT_SATURATED:
        say_saturated(&s, f);
        break;
    case VERDICT_STEADY:
        say(&s, "Steady: no growth that counts in %s.", span);
        break;
    case VERDICT_WARMING_UP:
        say(&s, "Warming up: it still rises, but less and less (%s seen).", span);
        break;
    case VERDICT_CYCLIC:
        say(&s, "Cyclic: it rises and comes back down (%s seen).", span);
        break;
    case VERDICT_STEPPED:
        say(&s, "Stepped: it rose at once and stays there (%s seen).", span);
        break;
    default:
        say(&s, "Undecided");
        if (f->seconds_needed > 0)
            say(&s, ": a verdict needs %s more", human_seconds(f->seconds_needed, span));
        say(&s, ".");
        if (f->cause != CAUSE_NONE && f->place[0]) {
            say(&s, " ");
            say_growth(&s, f);
        }
    }
    return text;
}

unsigned finding_fixes(const struct finding *f, const struct advice_facts *facts, const struct fix *ret[FIX_MAX])
{
    enum advice_server server = facts ? facts->server : SERVER_UNKNOWN;

    if (f->signature != SIG_NONE)
        return fix_list(f->signature, f->app, server, ret);
    return f->cause == CAUSE_NONE ? 0 : fix_list_cause(f->cause, server, ret);
}
