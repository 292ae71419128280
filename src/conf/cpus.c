// SPDX-License-Identifier: Apache-2.0
// How many CPUs this process may really use: its affinity, cut by the CPU quota of its cgroup and of every one above
// (v2: cpu.max, v1: cpu.cfs_quota_us). Runs in the master and the cli. Invariant: never less than 1.
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fdio.h"
#include "conf/conf_int.h"

static bool read_first(const char *root, const char *path, const char *file, char *ret_text, size_t size)
{
    char name[PATH_MAX], *text;

    if ((size_t)snprintf(name, sizeof name, "%s%s/%s", root, path, file) >= sizeof name)
        return false;
    if (fd_read_file(-1, name, 4096, &text, NULL) != 0)
        return false;
    snprintf(ret_text, size, "%s", text);
    free(text);
    return true;
}

// CPUs that one group's quota comes to, rounded up; 0 = no quota.
static unsigned quota_of(const char *root, const char *path, bool v2)
{
    char text[64];
    long long quota = -1, period = 0;

    if (v2) {
        if (!read_first(root, path, "cpu.max", text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
            return 0; // "max 100000" too
    } else {
        if (!read_first(root, path, "cpu.cfs_quota_us", text, sizeof text))
            return 0;
        quota = atoll(text);
        if (!read_first(root, path, "cpu.cfs_period_us", text, sizeof text))
            return 0;
        period = atoll(text);
    }
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = quota / period + (quota % period != 0);
    return cpus > 100000 ? 100000 : (unsigned)cpus;
}

static void tighten(unsigned *most, unsigned cpus)
{
    if (cpus && (!*most || cpus < *most))
        *most = cpus;
}

// The group at path and all above it. A container often sees its own group as the mount's root while /proc names the
// host's path, so the root is always among them.
static unsigned quota_up(const char *root, const char *path, bool v2)
{
    char at[PATH_MAX];
    unsigned most = 0;

    snprintf(at, sizeof at, "%s", path);
    for (;;) {
        tighten(&most, quota_of(root, at, v2));
        char *slash = strrchr(at, '/');
        if (!slash)
            return most;
        *slash = '\0';
    }
}

// True if v1's controller list names cpu ("cpu", "cpu,cpuacct").
static bool names_cpu(struct str controllers)
{
    struct str one;

    while (str_next(&controllers, ',', &one))
        if (str_eq(one, STR("cpu")))
            return true;
    return false;
}

unsigned conf__cpus_quota(const char *proc_self_cgroup, const char *sys_fs_cgroup)
{
    static const char *const v1_mounts[] = {"cpu", "cpu,cpuacct", "cpuacct,cpu"};
    char *text, root[PATH_MAX], path[PATH_MAX];
    unsigned most = 0;

    if (fd_read_file(-1, proc_self_cgroup, 65536, &text, NULL) != 0)
        return 0;
    struct str rest = str_from(text), line;
    while (str_next(&rest, '\n', &line)) { // ID:controllers:path
        struct str controllers, id;
        if (!str_next(&line, ':', &id) || !str_next(&line, ':', &controllers) || !line.p)
            continue;
        snprintf(path, sizeof path, "%.*s", STR_ARG(line));
        if (!controllers.n)
            tighten(&most, quota_up(sys_fs_cgroup, path, true));
        if (!names_cpu(controllers))
            continue;
        for (size_t i = 0; i < sizeof v1_mounts / sizeof *v1_mounts; i++) {
            snprintf(root, sizeof root, "%s/%s", sys_fs_cgroup, v1_mounts[i]);
            tighten(&most, quota_up(root, path, false));
        }
    }
    free(text);
    return most;
}

unsigned conf__cpus(void)
{
    cpu_set_t set;
    unsigned n = 0, quota = conf__cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup");

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (unsigned)CPU_COUNT(&set);
    if (!n)
        n = 1;
    return quota && quota < n ? quota : n;
}
