// SPDX-License-Identifier: Apache-2.0
// Who a child is and what it may. Runs in the master (limits) and in its children before their work begins.
#include "master/privileges.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/die.h"
#include "conf/conf.h"

static rlim_t first_soft_files;

void privileges_raise_limits(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    first_soft_files = r.rlim_cur;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

void privileges_restore_limits(void)
{
    struct rlimit r;

    if (!first_soft_files || getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    r.rlim_cur = first_soft_files;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

bool privileges_tie_to(pid_t master_pid)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == master_pid;
}

int privileges_become(const char *user, uid_t uid, gid_t gid)
{
    bool root = geteuid() == 0;

    if (gid != (gid_t)-1) {
        if (root && (user ? initgroups(user, gid) : setgroups(1, &gid)) < 0)
            return -errno;
        if (setresgid(gid, gid, gid) < 0)
            return -errno;
    }
    if (uid != (uid_t)-1 && setresuid(uid, uid, uid) < 0)
        return -errno;
    // A change of ids clears the tie to the parent; the caller makes it after this.
    return 0;
}

static int set_limit(__rlimit_resource_t what, int64_t value)
{
    rlim_t v = value == INT64_MAX ? RLIM_INFINITY : (rlim_t)value;
    struct rlimit r = {v, v};
    return setrlimit(what, &r) < 0 ? -errno : 0;
}

int privileges_limit(const struct conf_pool *pool)
{
    int rc = 0;

    if (pool->rlimit_files >= 0) {
        rc = set_limit(RLIMIT_NOFILE, pool->rlimit_files);
    } else {
        // Not the master's raised one: PHP's select() can't use descriptors past 1023, and old code closes "all" of them.
        privileges_restore_limits();
    }
    if (!rc && pool->rlimit_core >= 0)
        rc = set_limit(RLIMIT_CORE, pool->rlimit_core);
    return rc;
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

void privileges_close_others(const int *keep, size_t n)
{
    int *sorted = xcalloc(n, sizeof *sorted);
    unsigned from = STDERR_FILENO + 1;

    if (n)
        memcpy(sorted, keep, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_ints);
    for (size_t i = 0; i < n; i++) {
        if (sorted[i] < (int)from)
            continue;
        if ((unsigned)sorted[i] > from)
            (void)close_range(from, (unsigned)sorted[i] - 1, 0);
        from = (unsigned)sorted[i] + 1;
    }
    (void)close_range(from, ~0u, 0);
    free(sorted);
}

void privileges_set_title(char **argv, const char *title)
{
    // The arguments lie one behind the other; the environment behind them is still in use.
    char *end = argv[0] + strlen(argv[0]);
    for (int i = 1; argv[i] && argv[i] == end + 1; i++)
        end = argv[i] + strlen(argv[i]);
    size_t room = (size_t)(end - argv[0]), n = strlen(title);
    memset(argv[0], 0, room);
    memcpy(argv[0], title, n < room ? n : room);
    (void)prctl(PR_SET_NAME, title);
}
