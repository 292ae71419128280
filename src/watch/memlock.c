// SPDX-License-Identifier: Apache-2.0
// Locks memory. Runs in watch, once; owns nothing. Tables that are only reserved (the walk's) stay untouched: they are locked
// page by page as they fill (MCL_ONFAULT). The program itself is read in whole, for the code of an alarm has never run before.
#include "watch/memlock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/human.h"
#include "mem/kfile.h"
#include "mem/lines.h"

#define STACK_READY 65536 // what the deepest call may need

static void touch_stack(void)
{
    volatile char page[STACK_READY];

    for (size_t i = 0; i < sizeof page; i += 4096)
        page[i] = 0;
}

static ssize_t read_own(const char *name, char *text, size_t size)
{
    int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ssize_t n = kfile_read(self, name, text, size);

    if (self >= 0)
        close(self);
    return n;
}

// Bytes that the kernel counts as locked now.
static size_t locked_now(void)
{
    static const struct kfile_key keys[] = {{{"VmLck", 5}, 0}};
    char text[4096];
    int64_t v[1] = {0};

    ssize_t n = read_own("status", text, sizeof text);
    return n > 0 && kfile_keys((struct str){text, (size_t)n}, keys, 1, v) ? (size_t)v[0] : 0;
}

static size_t resident_now(void)
{
    char text[128];
    struct str word, rest = {text, 0};
    int64_t pages;

    ssize_t n = read_own("statm", text, sizeof text);
    rest.n = n > 0 ? (size_t)n : 0;
    if (!kfile_word(&rest, &word) || !kfile_word(&rest, &word) || !kfile_number(word, false, &pages))
        return 0;
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

// Locks the mappings of /proc/self/maps: those of files (the program) or the others. Returns 0 or the first errno.
static int lock_mappings(bool files)
{
    char buf[4096], *line;
    struct lines lines;
    uint64_t from, to;
    char perms[8];
    int path_at, error = 0;

    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    lines_init(&lines, fd, buf, sizeof buf);
    while (lines_next(&lines, &line) > 0) {
        path_at = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &from, &to, perms, &path_at) < 3 || perms[0] != 'r')
            continue;
        const char *path = path_at ? line + path_at : "";
        if ((path[0] == '/') != files || strncmp(path, "[v", 2) == 0)
            continue;
        void *at = (void *)(uintptr_t)from;
        int r = files ? mlock(at, to - from) : (int)mlock2(at, to - from, MLOCK_ONFAULT);
        if (r < 0 && !error)
            error = errno;
    }
    close(fd);
    return error;
}

void memlock_all(struct memlock *ret)
{
    char a[HUMAN_N], b[HUMAN_N], c[HUMAN_N] = "unlimited";
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    touch_stack();
    // With privilege the limit doesn't matter; without it, the kernel compares it with all that is mapped.
    bool whole = mlockall(MCL_CURRENT | MCL_ONFAULT) == 0;
    int error = lock_mappings(true);
    if (!whole) {
        int more = lock_mappings(false);
        error = error ? error : more;
    }
    ret->locked_bytes = locked_now();
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur != RLIM_INFINITY)
        human_bytes(limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur, c);
    if (!error)
        snprintf(ret->text, sizeof ret->text, "memory is locked (%s resident): watch goes on in a stall",
                 human_bytes((int64_t)resident_now(), b));
    else
        snprintf(ret->text, sizeof ret->text,
                 "%s of memory could be locked: %s (RLIMIT_MEMLOCK is %s). In a stall watch may stall too; raise the limit "
                 "(--ulimit memlock=16777216) or add the capability IPC_LOCK",
                 ret->locked_bytes ? human_bytes((int64_t)ret->locked_bytes, a) : "nothing", strerror(error), c);
}
