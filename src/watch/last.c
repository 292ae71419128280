// SPDX-License-Identifier: Apache-2.0
// How the last life ended. Runs in xray, and in watch when it puts a life aside; owns what it reads. The files may come from a
// machine that died, or from anybody: what is missing or garbage is "not known".
#include "watch/last.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/human.h"
#include "mem/cgroup_find.h"
#include "mem/recording.h"
#include "mem/verdict.h"
#include "watch/last_int.h"
#include "watch/life.h"
#include "watch/state.h"

#define DOCUMENT_MAX (1 << 20)
#define AT_LIMIT 0.95 // of the limit, not to be given up: nothing is left for the program's own pages

int last__create(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return -errno;
    int fd = openat(dir, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? -errno : fd;
}

int last__open(int dir, const char *name)
{
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

json_t *last__load(int dir, const char *name)
{
    char *text;
    size_t n;

    if (fd_read_file(dir, name, DOCUMENT_MAX, &text, &n) != 0)
        return NULL;
    json_t *doc = json_loadb(text, n, 0, NULL);
    free(text);
    if (json_is_object(doc))
        return doc;
    json_decref(doc);
    return NULL;
}

static double number(const json_t *doc, const char *name)
{
    const json_t *v = json_object_get(doc, name);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

static const char *text_of(const json_t *doc, const char *name)
{
    const char *s = json_string_value(json_object_get(doc, name));

    return s ? s : "";
}

// The rows written after the document are newer than what it says.
static void use_tail(int dir, const char *name, json_t *doc)
{
    struct recording *recording;
    struct recording_error error;
    struct mem_sample row, last = {0};
    int64_t hard;
    bool any = false;

    int fd = last__open(dir, name);
    if (fd < 0)
        return;
    if (recording_open(fd, &recording, &error) == 0) {
        while (recording_next(recording, &row, &error) == 1) {
            last = row;
            any = true;
        }
        recording_close(recording);
    }
    close(fd);
    if (!any || !(last.t > number(doc, "updated")))
        return;
    json_object_set_new(doc, "updated", json_real(last.t));
    if (mem_known(&last, MEM_usage))
        json_object_set_new(doc, "usage_bytes", json_integer(last.v[MEM_usage]));
    if (mem_known(&last, MEM_limit) && last.v[MEM_limit] != MEM_UNLIMITED)
        json_object_set_new(doc, "limit_bytes", json_integer(last.v[MEM_limit]));
    if (mem_known(&last, MEM_oom_kill))
        json_object_set_new(doc, "oom_kill", json_integer(last.v[MEM_oom_kill]));
    if (mem_hard(&last, &hard))
        json_object_set_new(doc, "hard_bytes", json_integer(hard));
}

static bool alarm_stands(const json_t *doc, const char *verdict)
{
    size_t i;
    json_t *alarm;

    json_array_foreach(json_object_get(doc, "alarms"), i, alarm) if (strcmp(text_of(alarm, "verdict"), verdict) == 0) return true;
    return false;
}

// Adds "how", "how_text" and "oom_kills".
static void explain(json_t *doc)
{
    static const struct {
        const char *how, *text;
    } ways[] = {
        {"stalled",
         "in a stall: nothing that could be given up was left, requests hung, and the kernel need not have killed anything"},
        {"oom_killed", "after the kernel had killed processes for memory"},
        {"at_the_limit", "at its memory limit: killed by the kernel, or by whoever found that it didn't answer"},
        {"told", "in order: it was told to end"},
        {"gone", "its cgroup or its last process went away; memory was not at its limit"},
        {"killed", "without a word: watch was killed, or the machine ended; memory was not at its limit"},
        {"goes_on", "it goes on"},
    };
    double kills = number(doc, "oom_kill") - number(doc, "oom_kill_before");
    double hard = number(doc, "hard_bytes"), limit = number(doc, "limit_bytes");
    const char *ended = text_of(doc, "ended");
    size_t way;

    if (alarm_stands(doc, "saturated") || strcmp(text_of(doc, "verdict"), "saturated") == 0)
        way = 0;
    else if (kills > 0 && strcmp(ended, "told") != 0)
        way = 1;
    else if (hard >= AT_LIMIT * limit && strcmp(ended, "told") != 0)
        way = 2;
    else
        way = strcmp(ended, "told") == 0 ? 3 : strcmp(ended, "gone") == 0 ? 4 : 5;
    json_object_set_new(doc, "how", json_string(ways[way].how));
    json_object_set_new(doc, "how_text", json_string(ways[way].text));
    json_object_set_new(doc, "oom_kills", kills >= 0 ? json_integer((json_int_t)kills) : json_null());
}

static void copy(json_t *to, const json_t *from, const char *name)
{
    json_t *v = json_object_get(from, name);

    json_object_set(to, name, v ? v : json_null());
}

void last__add_life(int dir)
{
    static const char *const names[] = {"target", "began",       "updated",     "how",        "verdict",
                                        "cause",  "usage_bytes", "limit_bytes", "hard_bytes", "oom_kills"};
    json_t *doc = last__load(dir, "last.json"), *life;
    char *text = NULL, *old = NULL, *line;
    int fd;

    if (!doc)
        return;
    use_tail(dir, "tail.csv", doc);
    explain(doc);
    life = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        copy(life, doc, names[i]);
    text = json_dumps(life, JSON_COMPACT);
    json_decref(life);
    json_decref(doc);
    (void)fd_read_file(dir, "lives.jsonl", DOCUMENT_MAX, &old, NULL);
    line = old;
    size_t lines = 0;
    for (const char *p = old; p && (p = strchr(p, '\n')); p++)
        lines++;
    for (; lines >= STATE_LIVES; lines--)
        line = strchr(line, '\n') + 1;
    fd = text ? last__create(dir, "lives.jsonl.new") : -1;
    if (fd >= 0) {
        bool ok = (!line || fd_write_all(fd, line, strlen(line)) == 0) && fd_write_all(fd, text, strlen(text)) == 0 &&
                  fd_write_all(fd, "\n", 1) == 0;
        close(fd);
        if (ok)
            (void)renameat(dir, "lives.jsonl.new", dir, "lives.jsonl");
    }
    free(old);
    free(text);
}

static const char *moment(double t, char text[32])
{
    time_t s = isfinite(t) && fabs(t) < 1e11 ? (time_t)t : 0;
    struct tm tm;

    if (s <= 0 || !gmtime_r(&s, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
        snprintf(text, 32, "an unknown time");
    return text;
}

static const char *bytes(double v, char text[HUMAN_N])
{
    if (!isfinite(v) || fabs(v) > 9e18)
        return "?";
    return human_bytes((int64_t)v, text);
}

// Text from a file, for a terminal.
static void print_clean(const char *s)
{
    for (; *s; s++)
        putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void print_entries(const json_t *doc)
{
    size_t i;
    json_t *e;
    char a[HUMAN_N], b[HUMAN_N];

    const json_t *ledger = json_object_get(doc, "ledger");
    if (!json_object_size(ledger))
        return;
    printf("\nIts ledger at the last writing:\n");
    const char *name;
    json_t *sum;
    json_object_foreach((json_t *)ledger, name, sum) if (json_is_number(sum) && json_number_value(sum) != 0)
    {
        printf("  %12s  ", bytes(json_number_value(sum), a));
        print_clean(name);
        printf("\n");
    }
    json_array_foreach(json_object_get(doc, "directories"), i, e)
    {
        if (i == 5)
            break;
        printf("  %12s  ", bytes(number(e, "bytes"), a));
        print_clean(text_of(e, "path"));
        if (isfinite(number(e, "growth_bytes_per_min")))
            printf("  %s/min", bytes(number(e, "growth_bytes_per_min"), b));
        printf("\n");
    }
}

static void print_lives(int dir)
{
    char *text = NULL, when[32], a[HUMAN_N];
    json_t *life;

    if (fd_read_file(dir, "lives.jsonl", DOCUMENT_MAX, &text, NULL) != 0)
        return;
    printf("\nLives that ended before:\n");
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        life = json_loads(line, 0, NULL);
        if (json_is_object(life)) {
            printf("  %s  %-12s  ", moment(number(life, "updated"), when), text_of(life, "how"));
            printf("%s used, ", bytes(number(life, "usage_bytes"), a));
            print_clean(text_of(life, "verdict"));
            printf("\n");
        }
        json_decref(life);
    }
    free(text);
}

static void print_text(int dir, const json_t *doc)
{
    char a[HUMAN_N], b[HUMAN_N], c[HUMAN_N], from[32], to[32];
    double began = number(doc, "began"), updated = number(doc, "updated"), kills = number(doc, "oom_kills");

    printf("The last life of ");
    print_clean(text_of(doc, "target"));
    printf("\n  from     %s to %s", moment(began, from), moment(updated, to));
    if (updated >= began)
        printf(" (%s)", human_seconds(updated - began, a));
    printf("\n  ended    ");
    print_clean(text_of(doc, "how_text"));
    printf("\n  verdict  ");
    print_clean(*text_of(doc, "text") ? text_of(doc, "text") : text_of(doc, "verdict"));
    printf("\n  memory   %s of %s, %s of it not to be given up", bytes(number(doc, "usage_bytes"), a),
           bytes(number(doc, "limit_bytes"), b), bytes(number(doc, "hard_bytes"), c));
    if (isfinite(kills))
        printf("; processes killed by the OOM killer: %.0f\n", kills);
    else
        printf("; whether the OOM killer was at work is not known\n");
    print_entries(doc);
    print_lives(dir);
}

// A watch that is running holds the folder's lock.
static bool is_watched(int dir)
{
    if (flock(dir, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    flock(dir, LOCK_UN);
    return false;
}

// The document of the last life: that in last.json unless it is the present one.
static json_t *choose(int dir, const struct mem_roots *roots, const struct mem_where *where)
{
    char life[LIFE_ID] = "";
    json_t *doc = last__load(dir, "last.json");

    if (doc && where)
        life_id(roots, where, where->pid, life);
    bool goes_on = doc && !*text_of(doc, "ended") && is_watched(dir);
    if (goes_on || (doc && where && life_is_same(text_of(doc, "life"), life))) {
        json_decref(doc);
        doc = last__load(dir, "previous.json");
        if (doc)
            use_tail(dir, "previous.tail.csv", doc);
        return doc;
    }
    if (doc)
        use_tail(dir, "tail.csv", doc);
    return doc;
}

int last_run(const char *state_dir, const struct mem_roots *roots, const struct mem_where *where, bool json)
{
    int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        fprintf(stderr, "plimsoll-xray: %s: %s\n", state_dir, strerror(errno));
        return 2;
    }
    json_t *doc = choose(dir, roots, where);
    if (!doc) {
        fprintf(stderr, "plimsoll-xray: %s: there is no earlier life in it; `plimsoll-xray watch --state %s` writes it\n",
                state_dir, state_dir);
        close(dir);
        return 2;
    }
    explain(doc);
    if (json) {
        json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        printf("\n");
    } else {
        print_text(dir, doc);
    }
    json_decref(doc);
    close(dir);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
