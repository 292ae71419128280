// SPDX-License-Identifier: Apache-2.0
// The kernel's OOM kills as the master can see them. Runs in the master. Owns the path of the counter and its last value.
// Invariant: every counted kill explains at most one dead process, and only for a short while.
#include "master/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fdio.h"
#include "base/loop.h"

// A kill that explained none of our processes within this time hit somebody else.
#define CREDIT_MS 2000

static char counter_path[512];
static unsigned long long last_kills;
static unsigned long long credit;
static uint64_t credit_ms;

bool oom_parse(const char *text, unsigned long long *ret_kills)
{
    static const char key[] = "oom_kill ";

    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, sizeof key - 1) != 0)
            continue;
        char *end;
        unsigned long long v = strtoull(p + sizeof key - 1, &end, 10);
        if (end == p + sizeof key - 1)
            return false;
        *ret_kills = v;
        return true;
    }
    return false;
}

// Lines are "ID:CONTROLLERS:PATH"; v2 is "0::PATH". With both mounted (hybrid), memory is v1's if v1 names it.
bool oom_cgroup_path(const char *text, bool *ret_v2, char *ret_path, size_t cap)
{
    bool found = false;

    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        const char *controllers = memchr(line, ':', n);
        const char *path = controllers ? memchr(controllers + 1, ':', n - (size_t)(controllers + 1 - line)) : NULL;
        if (path) {
            struct str list = {controllers + 1, (size_t)(path - controllers - 1)}, one;
            bool v2 = !list.n, v1 = false;
            while (str_next(&list, ',', &one))
                v1 |= str_eq(one, STR("memory"));
            size_t path_n = n - (size_t)(path + 1 - line);
            if ((v1 || (v2 && !found)) && path_n < cap) {
                memcpy(ret_path, path + 1, path_n);
                ret_path[path_n] = '\0';
                *ret_v2 = v2;
                found = true;
                if (v1)
                    return true;
            }
        }
        line += n + (line[n] == '\n');
    }
    return found;
}

static bool read_kills(const char *path, unsigned long long *ret_kills)
{
    char *text;

    if (fd_read_file(AT_FDCWD, path, 65536, &text, NULL) < 0)
        return false;
    bool ok = oom_parse(text, ret_kills);
    free(text);
    return ok;
}

void oom_init(void)
{
    char *text, path[256];
    bool v2;

    credit = 0;
    if (fd_read_file(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL) == 0) {
        bool found = oom_cgroup_path(text, &v2, path, sizeof path);
        free(text);
        const char *root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", *file = v2 ? "memory.events" : "memory.oom_control";
        // In a container the path may be the host's while the mount shows our group as its root.
        for (int i = 0; found && i < 2; i++) {
            snprintf(counter_path, sizeof counter_path, "%s%s/%s", root, i ? "" : path, file);
            if (read_kills(counter_path, &last_kills))
                return;
        }
    }
    snprintf(counter_path, sizeof counter_path, "/proc/vmstat");
    if (!read_kills(counter_path, &last_kills))
        counter_path[0] = '\0';
}

bool oom_take_kill(void)
{
    unsigned long long kills;
    uint64_t now = clock_ms();

    if (!counter_path[0] || !read_kills(counter_path, &kills))
        return false;
    if (credit && now - credit_ms > CREDIT_MS)
        credit = 0;
    if (kills > last_kills) {
        credit += kills - last_kills;
        credit_ms = now;
    }
    last_kills = kills;
    if (!credit)
        return false;
    credit--;
    return true;
}
