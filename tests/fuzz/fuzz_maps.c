// SPDX-License-Identifier: Apache-2.0
// The input stands for kernel files that hold other people's names: mountinfo, maps with smaps, sysvipc/shm, in this order, ended
// by NUL. First byte: the size of the buffer they are read through, so that lines are cut anywhere.
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/lines.h"
#include "mem/mounts.h"
#include "mem/segments.h"

static char dir[] = "/tmp/plimsoll-fuzz-XXXXXX";
static int at = -1;

static bool everywhere(dev_t dev, void *arg)
{
    return true;
}

static bool everybody(pid_t pid, void *arg)
{
    CHECK(pid >= 0);
    return true;
}

static void put(const char *name, const char *text, size_t n)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    close(fd);
}

// Lines come out whole or cut, never longer than the buffer, and nothing but newlines is lost where they fit.
static void check_lines(const char *name, size_t size)
{
    char buf[512], *line;
    struct lines lines;
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && size <= sizeof buf);
    lines_init(&lines, fd, buf, size);
    while (lines_next(&lines, &line) > 0)
        CHECK(line >= buf && line + strlen(line) < buf + size);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"mountinfo", "maps", "sysvipc/shm"};
    static struct segments g;
    static struct mounts m;
    if (at < 0) {
        CHECK(mkdtemp(dir) != NULL);
        at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        CHECK(at >= 0 && mkdirat(at, "sysvipc", 0700) == 0);
    }
    if (!n)
        return 0;
    size_t size = 16 + data[0] % 240;
    const char *text = (const char *)data + 1, *end = (const char *)data + n;
    for (int i = 0; i < 3; i++) {
        const char *nul = memchr(text, '\0', (size_t)(end - text));
        size_t length = (size_t)((nul ? nul : end) - text);
        put(names[i], text, length);
        if (i == 1)
            put("smaps", text, length);
        check_lines(names[i], size);
        text = nul ? nul + 1 : end;
    }
    char scratch[256];
    mounts_init(&m);
    CHECK(mounts_read(at, at, at, data[0] & 1, scratch, size, &m) == 0);
    CHECK(m.n >= 0 && m.n <= MOUNTS_MAX);
    for (int i = 0; i < m.n; i++)
        CHECK(memchr(m.m[i].path, '\0', MOUNT_PATH) != NULL && m.m[i].used >= -1);
    mounts_close(&m);
    segments_init(&g);
    for (int round = 0; round < 2; round++) {
        segments_begin(&g);
        CHECK(segments_read_maps(&g, at, 1, true, everywhere, NULL, scratch, size) == 0);
        CHECK(segments_read_sysv(&g, at, everybody, NULL, scratch, size) == 0);
        segments_end(&g);
    }
    CHECK(g.n >= 0 && g.n <= SEGMENTS_MAX);
    for (int i = 0; i < g.n; i++)
        CHECK(g.s[i].bytes >= -1 && g.s[i].seen == g.round && memchr(g.s[i].name, '\0', SEGMENT_NAME) != NULL);
    return 0;
}
