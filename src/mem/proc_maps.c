// SPDX-License-Identifier: Apache-2.0
// The mappings of a process, classed. Owns nothing. Invariant: spans ascend and don't overlap, whatever the text says.
//
// Only addresses and names are at hand. A Go arena is told by its name where the kernel keeps names; else by lying far from
// everything that has a file (the runtime asks for addresses of its own, since 1.26 random ones) in whole units of 4 MiB. A
// thread's stack is told by the guard below it.
#include "mem/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mem/kfile.h"
#include "mem/lines.h"
#include "mem/segments.h"

#define GO_UNIT (UINT64_C(4) << 20)   // Go's heap grows by this
#define GO_APART (UINT64_C(16) << 30) // the kernel places other mappings close together
#define GUARD_MAX (UINT64_C(1) << 20)
#define PAGE UINT64_C(4096)
#define SPACE_END (UINT64_C(1) << 56) // of a process's own addresses; above lies the kernel's [vsyscall]

// PAGEMAP_SCAN of linux/fs.h, which older headers lack.
struct scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any_of, wanted;
};
struct scan_region {
    uint64_t start, end, categories;
};
#define SCAN_REQUEST _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (UINT64_C(1) << 3)

// Bits of a pagemap entry.
#define PM_PRESENT 63
#define PM_FILE 61 // a file's page, or shared anonymous memory
#define PM_EXCLUSIVE 56

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

static void add(struct proc_maps *m, uint64_t start, uint64_t end, enum span_class class)
{
    struct map_span *last = m->n > m->settled ? &m->span[m->n - 1] : NULL;

    // Neighbours of a kind are one: a library's parts, a heap that was mapped in pieces.
    if (last && last->end == start && last->class == class) {
        last->end = end;
        m->last_span = m->n - 1;
        return;
    }
    if (m->n == PROC_MAPS_SPANS) {
        m->dropped++;
        return;
    }
    m->last_span = m->n;
    m->span[m->n++] = (struct map_span){.start = start, .end = end, .class = class};
}

// Something with a file or a name of the kernel's lies at [start, end): tentative Go arenas close below it are none.
static void anchor(struct proc_maps *m, uint64_t start, uint64_t end)
{
    for (int32_t i = m->n; i-- > m->settled && start - m->span[i].end < GO_APART;) {
        if (m->span[i].class == SPAN_GO && !m->go_names)
            m->span[i].class = SPAN_ANON;
    }
    m->settled = m->n;
    m->anchor_end = end;
}

static enum span_class class_of_named(struct proc_maps *m, const char *name, const char *perms)
{
    if (starts(name, "[heap]"))
        return SPAN_HEAP;
    if (starts(name, "[stack"))
        return SPAN_STACK;
    if (starts(name, "[anon_shmem:"))
        return SPAN_SHARED;
    if (!starts(name, "[anon:"))
        return SPAN_OTHER; // [vdso], [vvar], [vsyscall]
    if (perms[0] == '-' && perms[1] == '-' && perms[2] == '-')
        return SPAN_GUARD;
    const char *what = name + 6;
    what += *what == ' ';
    if (starts(what, "Go: heap]")) {
        // Names are to be had: what addresses seemed to tell up to here doesn't count.
        for (int32_t i = 0; !m->go_names && i < m->n; i++) {
            if (m->span[i].class == SPAN_GO)
                m->span[i].class = SPAN_ANON;
        }
        m->go_names = true;
        return SPAN_GO;
    }
    if (starts(what, "Go: OS thread stack") || starts(what, "glibc: pthread stack") || starts(what, "Go: goroutine stack"))
        return SPAN_STACK;
    return perms[2] == 'x' ? SPAN_JIT : SPAN_ANON;
}

static enum span_class class_of_file(struct proc_maps *m, const char *path, const char *perms)
{
    const char *name = strrchr(path, '/');

    name = name ? name + 1 : path;
    if (starts(name, "libphp") || starts(name, "mod_php")) {
        m->php = true;
        if (strstr(path, "/apache2/modules/") || strstr(path, "/httpd/modules/") || starts(name, "mod_php"))
            m->mod_php = true;
    }
    if (starts(name, "frankenphp"))
        m->frankenphp = true;
    if (perms[3] == 's' && (starts(path, "/dev/zero") || starts(path, "/memfd:") || starts(path, "/SYSV") ||
                            starts(path, "/dev/shm/") || starts(path, "/anon_hugepage") || ends(path, " (deleted)")))
        return SPAN_SHARED;
    return perms[2] == 'x' ? SPAN_TEXT : SPAN_FILE;
}

// Private anonymous memory without a name.
static void add_anonymous(struct proc_maps *m, uint64_t start, uint64_t end, const char *perms)
{
    if (perms[0] == '-' && perms[1] == '-' && perms[2] == '-') {
        if (end - start <= GUARD_MAX)
            m->guard_end = end;
        return;
    }
    if (perms[2] == 'x') {
        add(m, start, end, SPAN_JIT);
        return;
    }
    if (m->guard_end == start && perms[1] == 'w') {
        uint64_t top = end - start > PROC_MAPS_STACK ? start + PROC_MAPS_STACK : end;
        add(m, start, top, SPAN_STACK);
        if (top < end)
            add(m, top, end, SPAN_ANON);
        return;
    }
    // A stack may be aligned like that; what Go has in reserve is larger than a guard.
    if (m->go && !m->go_names && start % GO_UNIT == 0 && end % GO_UNIT == 0 && start - m->anchor_end >= GO_APART) {
        add(m, start, end, SPAN_GO);
        return;
    }
    add(m, start, end, SPAN_ANON);
}

void proc_maps_begin(struct proc_maps *m, bool go)
{
    // The spans are left as they are: they need not be touched to be forgotten.
    memset(m, 0, offsetof(struct proc_maps, span));
    m->go = go;
    m->last_span = -1;
}

void proc_maps_line(struct proc_maps *m, char *line)
{
    struct map_line l;

    if (segments_parse_map(line, &l) < 0 || l.start >= l.end || l.end > SPACE_END || (l.start | l.end) % PAGE ||
        l.start < m->last_end)
        return;
    uint64_t start = l.start, end = l.end;
    const char *perms = l.perms, *path = l.path;
    m->last_end = end;
    m->last_span = -1;
    if (!*path && perms[3] == 'p') {
        add_anonymous(m, start, end, perms);
        return;
    }
    enum span_class class = *path == '[' ? class_of_named(m, path, perms) : *path ? class_of_file(m, path, perms) : SPAN_SHARED;
    if (class == SPAN_HEAP || class == SPAN_TEXT || class == SPAN_FILE || class == SPAN_OTHER || starts(path, "[stack"))
        anchor(m, start, end);
    if (class == SPAN_GUARD && end - start <= GUARD_MAX)
        m->guard_end = end;
    if (class != SPAN_GUARD && class != SPAN_SHARED && class != SPAN_OTHER)
        add(m, start, end, class);
}

void proc_maps_resident_line(struct proc_maps *m, const char *line)
{
    struct map_span *s = m->last_span >= 0 ? &m->span[m->last_span] : NULL;
    static const char rss[] = "Rss:", anonymous[] = "Anonymous:";
    const char *number = s && s->class == SPAN_TEXT && starts(line, rss)         ? line + sizeof rss - 1
                         : s && s->class != SPAN_TEXT && starts(line, anonymous) ? line + sizeof anonymous - 1
                                                                                 : NULL;
    if (!number)
        return;
    int64_t kib = 0;
    number += strspn(number, " \t");
    if (*number < '0' || *number > '9')
        return;
    for (; *number >= '0' && *number <= '9' && kib < INT32_MAX; number++)
        kib = kib * 10 + (*number - '0');
    // No more than the span holds, whatever it says.
    int64_t room = (int64_t)(s->end - s->start) - s->resident;
    s->resident += kib > room / 1024 ? room : kib * 1024;
}

static int read_lines(int proc_pid, const char *name, bool go, char *scratch, size_t size, struct proc_maps *ret)
{
    struct lines l;
    char *line;
    int r, fd = kfile_open(proc_pid, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    proc_maps_begin(ret, go);
    lines_init(&l, fd, scratch, size);
    while ((r = lines_next(&l, &line)) > 0) {
        // A mapping's line begins with a lower-case digit, a figure's with a capital.
        if (*line >= 'A' && *line <= 'Z')
            proc_maps_resident_line(ret, line);
        else
            proc_maps_line(ret, line);
    }
    close(fd);
    return r;
}

int proc_maps_read(int proc_pid, bool go, char *scratch, size_t size, struct proc_maps *ret)
{
    return read_lines(proc_pid, "maps", go, scratch, size, ret);
}

int proc_maps_read_smaps(int proc_pid, bool go, char *scratch, size_t size, struct proc_maps *ret)
{
    return read_lines(proc_pid, "smaps", go, scratch, size, ret);
}

const struct map_span *proc_maps_find(const struct proc_maps *m, uint64_t address)
{
    int32_t low = 0, high = m->n;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (m->span[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n && m->span[low].start <= address ? &m->span[low] : NULL;
}

bool proc_maps_covers(const struct proc_maps *m, uint64_t start, uint64_t end)
{
    const struct map_span *s = proc_maps_find(m, start), *last = m->span + m->n;

    if (!s || start >= end)
        return false;
    while (s->end < end) {
        if (s + 1 == last || s[1].start != s->end)
            return false;
        s++;
    }
    return true;
}

int proc_maps_count(int pagemap, uint64_t start, uint64_t end, uint64_t *io_room, struct map_pages *io)
{
    uint64_t entries[4096];
    uint64_t anon = 0, exclusive = 0, file = 0;

    if (end - start > *io_room)
        end = start + *io_room;
    *io_room -= end - start;
    for (uint64_t page = start / PAGE, last = end / PAGE; page < last;) {
        uint64_t want = last - page < sizeof entries / 8 ? last - page : sizeof entries / 8;
        ssize_t n = pread(pagemap, entries, want * 8, (off_t)(page * 8));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n < 8)
            break;
        for (size_t i = 0; i < (size_t)n / 8; i++) {
            uint64_t present = entries[i] >> PM_PRESENT & 1, is_file = entries[i] >> PM_FILE & present;
            file += is_file;
            anon += present - is_file;
            exclusive += (present - is_file) & entries[i] >> PM_EXCLUSIVE;
        }
        page += (uint64_t)n / 8;
    }
    io->anon += (int64_t)(anon * PAGE);
    io->anon_exclusive += (int64_t)(exclusive * PAGE);
    io->file += (int64_t)(file * PAGE);
    return 0;
}

int proc_maps_count_own(int pagemap, uint64_t start, uint64_t end, uint64_t *io_room, struct map_pages *io)
{
    struct scan_region regions[256];
    uint64_t pages = 0, at = start, to = end - start > *io_room ? start + *io_room : end;

    while (at < to) {
        struct scan_arg arg = {
            .size = sizeof arg,
            .start = at,
            .end = to,
            .vec = (uintptr_t)regions,
            .vec_len = sizeof regions / sizeof regions[0],
            .mask = SCAN_PRESENT,
            .wanted = SCAN_PRESENT,
        };
        int n = ioctl(pagemap, SCAN_REQUEST, &arg);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || arg.walk_end <= at) { // an older kernel, gVisor
            struct map_pages counted = {0};
            int r = proc_maps_count(pagemap, start, end, io_room, &counted);
            io->anon += counted.anon;
            io->anon_exclusive += counted.anon;
            io->file += counted.file;
            return r;
        }
        for (int i = 0; i < n; i++)
            pages += (regions[i].end - regions[i].start) / PAGE;
        at = arg.walk_end;
    }
    *io_room -= to - start;
    io->anon += (int64_t)(pages * PAGE);
    io->anon_exclusive += (int64_t)(pages * PAGE);
    return 0;
}
