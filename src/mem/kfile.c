// SPDX-License-Identifier: Apache-2.0
// Files of /proc and cgroups, read and parsed. Part of the memory library; owns nothing.
// Invariant: no input, however long or strange, makes it read outside the text or give out a number that wasn't there.
#include "mem/kfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// A seq_file gives at least most of a page before a read of it ends early; a shorter read with a line end was the whole file.
#define WHOLE_READ 3500

static _Thread_local int lacked;

int kfile_open(int dir, const char *name, int flags)
{
    int fd = openat(dir, name, flags);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        lacked = errno;
    return fd;
}

int kfile_lacked(void)
{
    int was = lacked;

    lacked = 0;
    return was;
}

ssize_t kfile_pread(int fd, char *buf, size_t cap)
{
    size_t n = 0;

    if (fd < 0)
        return -EBADF;
    while (n + 1 < cap) {
        ssize_t got = pread(fd, buf + n, cap - 1 - n, (off_t)n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
        if (got < WHOLE_READ && buf[n - 1] == '\n')
            break;
    }
    // The kernel ends every line: what isn't ended was cut off, maybe in the middle of a number.
    while (n > 0 && buf[n - 1] != '\n')
        n--;
    buf[n] = '\0';
    return (ssize_t)n;
}

ssize_t kfile_read(int dir, const char *name, char *buf, size_t cap)
{
    if (dir < 0)
        return -EBADF;
    // O_NONBLOCK: a fifo in the place of a file must not hold us.
    int fd = kfile_open(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t n = kfile_pread(fd, buf, cap);
    close(fd);
    return n;
}

int kfile_stat(int dir, const char *name, struct stat *ret)
{
    struct statx x;
    unsigned wanted = STATX_TYPE | STATX_NLINK | STATX_INO | STATX_SIZE | STATX_BLOCKS;

    if (statx(dir, name, AT_STATX_DONT_SYNC, wanted, &x) == 0) {
        *ret = (struct stat){.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
                             .st_ino = x.stx_ino,
                             .st_mode = x.stx_mode,
                             .st_nlink = x.stx_nlink,
                             .st_blocks = (blkcnt_t)x.stx_blocks,
                             .st_size = (off_t)x.stx_size};
        return 0;
    }
    if (errno != ENOSYS && errno != EINVAL && errno != EPERM) // gVisor, old seccomp filters
        return -errno;
    return fstatat(dir, name, ret, 0) < 0 ? -errno : 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool kfile_number(struct str text, bool max, int64_t *ret)
{
    while (text.n && is_space(text.p[0]))
        text.p++, text.n--;
    while (text.n && is_space(text.p[text.n - 1]))
        text.n--;
    if (max && str_eq(text, STR("max"))) {
        *ret = INT64_MAX;
        return true;
    }
    int64_t value = 0;
    if (!text.n)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text.p[i] - '0', &value))
            return false;
    }
    *ret = value;
    return true;
}

bool kfile_read_number(int fd, bool max, int64_t *ret)
{
    char buf[64];
    ssize_t n = kfile_pread(fd, buf, sizeof buf);

    return n > 0 && kfile_number((struct str){buf, (size_t)n}, max, ret);
}

bool kfile_line(struct str *rest, struct str *ret_line)
{
    if (!rest->n)
        return false;
    const char *end = memchr(rest->p, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    *ret_line = (struct str){rest->p, n};
    n += end != NULL;
    rest->p += n;
    rest->n -= n;
    return true;
}

bool kfile_word(struct str *rest, struct str *ret_word)
{
    while (rest->n && is_space(rest->p[0]))
        rest->p++, rest->n--;
    size_t n = 0;
    while (n < rest->n && !is_space(rest->p[n]))
        n++;
    if (!n)
        return false;
    *ret_word = (struct str){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return true;
}

// "123" or "123 kB" behind a key; anything else is no value.
static bool value_of(struct str rest, int64_t *ret)
{
    struct str number, unit, more;

    if (!kfile_word(&rest, &number) || !kfile_number(number, false, ret))
        return false;
    if (!kfile_word(&rest, &unit))
        return true;
    return str_eq(unit, STR("kB")) && !kfile_word(&rest, &more) && !__builtin_mul_overflow(*ret, 1024, ret);
}

uint64_t kfile_keys(struct str text, const struct kfile_key *keys, size_t n_keys, int64_t *values)
{
    uint64_t found = 0, seen = 0;
    struct str line, key;
    size_t hint = 0; // files list their keys in one order: the next is mostly the one behind the last

    while (kfile_line(&text, &line)) {
        if (!kfile_word(&line, &key))
            continue;
        if (key.p[key.n - 1] == ':')
            key.n--;
        for (size_t i = 0; i < n_keys; i++) {
            size_t at = hint + i < n_keys ? hint + i : hint + i - n_keys;
            const struct kfile_key *k = &keys[at];
            if (k->key.n != key.n || memcmp(k->key.p, key.p, key.n) != 0)
                continue;
            hint = at + 1 < n_keys ? at + 1 : 0;
            uint64_t bit = UINT64_C(1) << (k->slot & 63);
            int64_t value;
            if (!(seen & bit) && value_of(line, &value)) {
                values[k->slot] = value;
                found |= bit;
            }
            seen |= bit;
            break;
        }
    }
    return found;
}

bool kfile_psi(struct str text, const char *line_name, int64_t *ret_us)
{
    struct str line, word, name = str_from(line_name);

    while (kfile_line(&text, &line)) {
        if (!kfile_word(&line, &word) || !str_eq(word, name))
            continue;
        while (kfile_word(&line, &word))
            if (str_starts(word, STR("total=")))
                return kfile_number((struct str){word.p + 6, word.n - 6}, false, ret_us);
        return false;
    }
    return false;
}

unsigned kfile_cpu_list(struct str text)
{
    struct str item;
    unsigned total = 0;

    text = str_trim(text);
    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (!text.n)
        return 0;
    while (str_next(&text, ',', &item)) {
        size_t dash = str_find(item, '-');
        int64_t first, last;
        if (dash == SIZE_MAX) {
            if (!kfile_number(item, false, &first))
                return 0;
            last = first;
        } else if (!kfile_number((struct str){item.p, dash}, false, &first) ||
                   !kfile_number((struct str){item.p + dash + 1, item.n - dash - 1}, false, &last)) {
            return 0;
        }
        if (last < first || last > 65535)
            return 0;
        total += (unsigned)(last - first + 1);
        if (total > 65536)
            return 0;
    }
    return total;
}
