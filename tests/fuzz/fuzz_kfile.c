// SPDX-License-Identifier: Apache-2.0
// The input stands for files of the kernel. First byte even: the text parsers. Odd: the rest, in pieces ended by NUL, becomes
// self/cgroup, self/mountinfo and the files of a group, which is looked for and read.
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/kfile.h"
#include "mem/sensor.h"

static void parse(struct str text)
{
    static const struct kfile_key keys[] = {
        {{"anon", 4}, 0}, {{"file", 4}, 1}, {{"MemTotal", 8}, 2}, {{"total_rss", 9}, 3}, {{"total_rss_huge", 14}, 63}};
    int64_t values[64], v;
    struct str rest = text, line, word;

    memset(values, 0xff, sizeof values);
    uint64_t found = kfile_keys(text, keys, 5, values);
    for (int i = 0; i < 64; i++)
        CHECK(found >> i & 1 ? values[i] >= 0 : values[i] == -1);
    size_t lines = 0;
    while (kfile_line(&rest, &line)) {
        check_inside(line, text.p, text.n);
        CHECK(++lines <= text.n);
        while (kfile_word(&line, &word)) {
            check_inside(word, text.p, text.n);
            CHECK(word.n > 0);
        }
    }
    CHECK(!kfile_number(text, true, &v) || v >= 0);
    CHECK(!kfile_psi(text, "some", &v) || v >= 0);
    CHECK(kfile_cpu_list(text) <= 65536);
}

static char dir[] = "/tmp/plimsoll-fuzz-XXXXXX";

static void remove_tree(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

static void put(const char *name, struct str text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    close(fd);
}

static void look(struct str text)
{
    static const char *const files[] = {"proc/self/cgroup",  "proc/self/mountinfo", "sys/memory.stat",      "sys/memory.max",
                                        "sys/memory.events", "proc/meminfo",        "sys/a/memory.current", "sys/a/cgroup.procs",
                                        "sys/a/memory.stat", "sys/a/cpu.max",       "proc/self/status"};
    struct mem_roots roots;
    struct mem_where where;
    struct mem_sensor *sensor;
    struct mem_sample sample = {0};
    struct mem_cpus cpus;
    struct str piece;
    char proc[64], sys[64];
    static bool made;

    if (!made)
        CHECK(mkdtemp(dir));
    snprintf(proc, sizeof proc, "%s/proc", dir);
    snprintf(sys, sizeof sys, "%s/sys", dir);
    if (!made) {
        char command[200];
        snprintf(command, sizeof command, "mkdir -p %s/self/root %s/a/b", proc, sys);
        CHECK(system(command) == 0);
        atexit(remove_tree);
        made = true;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!str_next(&text, '\0', &piece))
            piece = STR("");
        put(files[i], piece);
    }
    CHECK(mem_roots_open(proc, sys, &roots) == 0);
    CHECK(mem_where_find(&roots, 0, &where) == 0);
    CHECK(where.levels <= MEM_LEVELS && strlen(where.path) < MEM_PATH);
    mem_cpus(&roots, 0, &cpus);
    CHECK(cpus.usable >= 0.01 && cpus.quota >= 0);
    CHECK(mem_sensor_open(&roots, &where, &sensor) == 0);
    CHECK(mem_sensor_read(sensor, 1, &sample) == 0);
    for (int f = 0; f < MEM_N; f++)
        CHECK(!mem_known(&sample, (enum mem_field)f) || sample.v[f] >= 0);
    mem_sensor_close(sensor);
    mem_where_close(&where);
    mem_roots_close(&roots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct str text = {(const char *)data + 1, n - 1};
    if (data[0] & 1)
        look(text);
    else
        parse(text);
    return 0;
}
