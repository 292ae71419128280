// SPDX-License-Identifier: Apache-2.0
// The identity of a container's life. Runs in watch and xray; owns nothing.
#include "watch/life.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem/kfile.h"
#include "mem/lines.h"

#define BOOT_GRAIN_S 16

int64_t life_start_of(int proc, pid_t pid)
{
    char name[32], text[1024];
    struct str rest, word;
    int64_t start;

    snprintf(name, sizeof name, "%d/stat", (int)pid);
    ssize_t n = kfile_read(proc, name, text, sizeof text);
    char *comm_end = n > 0 ? strrchr(text, ')') : NULL; // the name may hold blanks and brackets
    if (!comm_end)
        return -1;
    rest = str_from(comm_end + 1);
    for (int field = 3; field <= 22; field++)
        if (!kfile_word(&rest, &word))
            return -1;
    return kfile_number(word, false, &start) ? start : -1;
}

// The machine since its boot: its boot id; where there is none, when it was booted. gVisor tells neither, but its monotonic clock
// begins with the sandbox: to some seconds, for clocks are set.
static void boot_of(int proc, bool gvisor, char *ret, size_t size)
{
    char text[4096], *line;
    struct str first, rest;
    struct lines lines;

    snprintf(ret, size, "?");
    ssize_t n = kfile_read(proc, "sys/kernel/random/boot_id", text, sizeof text);
    rest = (struct str){text, n > 0 ? (size_t)n : 0};
    if (kfile_line(&rest, &first)) {
        snprintf(ret, size, "%.*s", STR_ARG(first));
        return;
    }
    if (gvisor) {
        struct timespec wall, since;
        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_MONOTONIC, &since);
        snprintf(ret, size, "near %lld", (long long)(wall.tv_sec - since.tv_sec) / BOOT_GRAIN_S * BOOT_GRAIN_S);
    }
    int fd = openat(proc, "stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    lines_init(&lines, fd, text, sizeof text);
    while (lines_next(&lines, &line) > 0)
        if (strncmp(line, "btime ", 6) == 0)
            snprintf(ret, size, "at %s", line + 6);
    close(fd);
}

void life_id(const struct mem_roots *roots, const struct mem_where *where, pid_t pid, char ret[LIFE_ID])
{
    char boot[64];

    boot_of(roots->proc, where->kind == MEM_KIND_GVISOR, boot, sizeof boot);
    snprintf(ret, LIFE_ID, "boot %s cgroup %" PRIu64 " start %" PRId64, boot, where->ino,
             pid < 0 ? -1 : life_start_of(roots->proc, pid ? pid : 1));
}

bool life_is_same(const char *a, const char *b)
{
    static const char none[] = " start -1";
    const char *start = strstr(a, none);

    if (!start)
        start = strstr(b, none);
    if (!start)
        return strcmp(a, b) == 0;
    size_t n = strstr(a, none) ? (size_t)(start - a) : (size_t)(start - b);
    return strncmp(a, b, n + 7) == 0; // with " start ", so that cgroup 12 isn't 123
}

pid_t life_find_process(int proc, const char *name)
{
    pid_t found = 0;
    int64_t oldest = INT64_MAX, pid;
    char file[280], comm[64];
    struct str rest, line;

    int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (!kfile_number(str_from(e->d_name), false, &pid) || pid <= 0 || pid > INT32_MAX || pid == getpid())
            continue;
        snprintf(file, sizeof file, "%s/comm", e->d_name);
        ssize_t n = kfile_read(proc, file, comm, sizeof comm);
        rest = (struct str){comm, n > 0 ? (size_t)n : 0};
        if (!kfile_line(&rest, &line) || line.n > 15 || strncmp(name, line.p, line.n) != 0 || (line.n < 15 && name[line.n]))
            continue;
        int64_t start = life_start_of(proc, (pid_t)pid);
        if (start >= 0 && start < oldest) {
            oldest = start;
            found = (pid_t)pid;
        }
    }
    closedir(d);
    return found;
}
