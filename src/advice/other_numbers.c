// SPDX-License-Identifier: Apache-2.0
// The other numbers, each by its tool's own arithmetic. A pure function.
#include "advice/other_numbers.h"

static int64_t minus(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return -1;
    return a > b ? a - b : 0;
}

void other_numbers(const struct mem_sample *s, struct other_number ret[OTHER_NUMBERS])
{
    int64_t usage = mem_get(s, MEM_usage, -1), inactive = mem_get(s, MEM_inactive_file, -1);
    // Cloud Run counts processes and the files that were written; its own metric is not visible from inside.
    int64_t anon = mem_get(s, MEM_anon, mem_get(s, MEM_sum_rss_anon, -1)), shmem = mem_get(s, MEM_shmem, -1);
    int64_t cloud_run = anon >= 0 && shmem >= 0 ? anon + shmem + mem_get(s, MEM_kernel, 0) : -1;

    ret[0] = (struct other_number){"kubectl", "kubectl top, cAdvisor", minus(usage, inactive), "usage - inactive_file",
                                   "tmpfs, kernel memory and page cache in use are in it"};
    ret[1] = (struct other_number){"docker", "docker stats", minus(usage, inactive), "usage - inactive_file",
                                   "the same; before 20.10 it took all cache off, tmpfs too"};
    ret[2] = (struct other_number){"podman", "podman stats", usage, "usage", "page cache that the kernel would give up is in it"};
    ret[3] = (struct other_number){"cloud_run", "Cloud Run", cloud_run, "processes + files written + kernel",
                                   "an estimate; its graph is a minute's average"};
    ret[4] = (struct other_number){"sum_rss", "sum of RSS (top, ps)", mem_get(s, MEM_sum_rss, -1), "VmRSS of each process",
                                   "shared pages once a process; no tmpfs; falls in a stall"};
}
