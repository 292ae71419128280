// SPDX-License-Identifier: Apache-2.0
// What looking costs: the memory library's own work on a real container, as CPU time or wall time. Driven by bench/xray.py.
//   mem-cost fixed CGROUP ROUNDS     CPU µs a round of fixed sensors, in a tight loop
//   mem-cost hz CGROUP SECONDS       the same, once a second for real (median)
//   mem-cost budget CGROUP SECONDS   CPU µs a second of what has a budget of its own: smaps_rollup and walking
//   mem-cost chunks PID              wall ms to find ZendMM's chunks and huge blocks (best of 5); then their sum in bytes
//   mem-cost walk CGROUP             wall ms to walk all files in memory; then how many there were
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "mem/chunks.h"
#include "mem/eye.h"
#include "mem/proc_maps.h"
#include "mem/sensor.h"

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int refuse(const char *what, int rc)
{
    fprintf(stderr, "mem-cost: %s: %s\n", what, strerror(-rc));
    return 1;
}

static int open_eye(const char *group, struct mem_roots *roots, struct mem_where *where, struct eye **ret_eye)
{
    int rc = mem_roots_open(NULL, NULL, roots);

    if (rc == 0)
        rc = mem_where_path(roots, group, where);
    if (rc == 0)
        rc = mem_roots_enter(roots, NULL, where->pid);
    struct eye_options options = {.pid = where->pid, .now_us = clock_brought_us, .epoch_s = time(NULL)};
    return rc == 0 ? eye_open(roots, where, &options, ret_eye) : rc;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int measure_fixed(struct eye *eye, int rounds)
{
    eye_look(eye, 0, EYE_FIXED); // opens what stays open
    int64_t began = cpu_us();
    for (int i = 1; i <= rounds; i++)
        eye_look(eye, i, EYE_FIXED);
    printf("%.1f\n", (double)(cpu_us() - began) / rounds);
    return 0;
}

static int measure_hz(struct eye *eye, int seconds, enum eye_depth depth)
{
    double *costs = calloc((size_t)seconds + 1, sizeof *costs);
    double sum = 0;

    if (!costs)
        return 1;
    for (int i = 0; i <= seconds; i++) {
        int64_t began = cpu_us();
        eye_look(eye, i, depth);
        costs[i] = (double)(cpu_us() - began);
        sum += i > 0 ? costs[i] : 0;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = 1}, NULL);
    }
    qsort(costs + 1, (size_t)seconds, sizeof *costs, by_value); // the first one opens files
    printf("%.1f\n", depth == EYE_FIXED ? costs[1 + seconds / 2] : sum / seconds);
    free(costs);
    return 0;
}

static int measure_chunks(const char *pid)
{
    static struct proc_maps maps;
    static char scratch[1 << 16];
    struct mem_roots roots;
    struct chunks_room *room = chunks_room_new();
    struct chunks chunks;
    double best = 1e9;
    int rc = mem_roots_open(NULL, NULL, &roots);

    if (rc < 0 || !room)
        return refuse("/proc", rc < 0 ? rc : -ENOMEM);
    int dir = openat(roots.proc, pid, O_RDONLY | O_DIRECTORY), mem = openat(dir, "mem", O_RDONLY);
    if (dir < 0 || mem < 0)
        return refuse(pid, -errno);
    for (int i = 0; i < 5; i++) {
        int64_t began = (int64_t)clock_us();
        rc = proc_maps_read(dir, false, scratch, sizeof scratch, &maps);
        if (rc == 0)
            rc = chunks_read(room, mem, -1, &maps, &chunks);
        double ms = (double)((int64_t)clock_us() - began) / 1000;
        best = ms < best ? ms : best;
    }
    if (rc < 0)
        return refuse(pid, rc);
    printf("%.2f %" PRId64 "\n", best, chunks.bytes);
    return 0;
}

static int measure_walk(struct eye *eye)
{
    struct scan_progress progress;

    eye_look(eye, 0, EYE_FULL);
    int64_t began = (int64_t)clock_us();
    while (!eye_walk(eye, 0, 50000))
        ;
    double ms = (double)((int64_t)clock_us() - began) / 1000;
    eye_progress(eye, &progress);
    printf("%.1f %" PRIu64 "\n", ms, progress.entries);
    return 0;
}

int main(int argc, char **argv)
{
    struct mem_roots roots;
    struct mem_where where;
    struct eye *eye;
    int n = argc == 4 ? atoi(argv[3]) : 0;

    if (argc == 3 && strcmp(argv[1], "chunks") == 0)
        return measure_chunks(argv[2]);
    if (argc < 3) {
        fprintf(stderr, "usage: mem-cost fixed|hz|budget CGROUP N | walk CGROUP | chunks PID\n");
        return 2;
    }
    int rc = open_eye(argv[2], &roots, &where, &eye);
    if (rc < 0)
        return refuse(argv[2], rc);
    if (strcmp(argv[1], "walk") == 0)
        return measure_walk(eye);
    if (strcmp(argv[1], "fixed") == 0 && n > 0)
        return measure_fixed(eye, n);
    if (strcmp(argv[1], "hz") == 0 && n > 0)
        return measure_hz(eye, n, EYE_FIXED);
    if (strcmp(argv[1], "budget") == 0 && n > 0)
        return measure_hz(eye, n, EYE_BUDGETED);
    return refuse(argv[1], -EINVAL);
}
