// SPDX-License-Identifier: Apache-2.0
// The settings block of a pool. Runs in master (encode) and mold (decode). Invariant: a block that decodes has exactly the
// strings its head announces, each with its NUL, and nothing behind them.
#include "ipc/pool_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/die.h"
#include "base/fdio.h"

#define SPEC_MAGIC 0x4c4f4f50u // "POOL"
#define SPEC_VERSION 1u
#define SPEC_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

enum { FLAG_CLEAR_ENV = 1, FLAG_CATCH_OUTPUT = 2, FLAG_DUMPABLE = 4 };

// Then four strings (pool, php_ini, user, home), then n_pairs times: a byte of kind, a name, a value.
struct spec_head {
    uint32_t magic, version, flags, n_pairs, body_n;
};

static void add_z(struct buf *b, const char *z)
{
    if (!z)
        z = "";
    buf_add(b, z, strlen(z) + 1);
}

static int write_memfd(const struct buf *b)
{
    int fd = memfd_create("plimsoll-pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int rc = fd_write_all(fd, b->p, b->n);
    if (!rc && (fcntl(fd, F_ADD_SEALS, SPEC_SEALS) < 0 || lseek(fd, 0, SEEK_SET) < 0))
        rc = -errno;
    if (rc) {
        close(fd);
        return rc;
    }
    return fd;
}

int pool_spec_encode(const struct pool_spec *spec)
{
    struct buf b = BUF_INIT;
    struct spec_head head = {.magic = SPEC_MAGIC, .version = SPEC_VERSION};

    head.flags = (spec->clear_env ? FLAG_CLEAR_ENV : 0u) | (spec->catch_workers_output ? FLAG_CATCH_OUTPUT : 0u) |
                 (spec->dumpable ? FLAG_DUMPABLE : 0u);
    head.n_pairs = (uint32_t)spec->n_pairs;
    buf_add(&b, &head, sizeof head);
    add_z(&b, spec->pool);
    add_z(&b, spec->php_ini);
    add_z(&b, spec->user);
    add_z(&b, spec->home);
    for (size_t i = 0; i < spec->n_pairs; i++) {
        char kind = (char)spec->pairs[i].kind;
        must(spec->pairs[i].kind < POOL_PAIR_KINDS);
        buf_add(&b, &kind, 1);
        add_z(&b, spec->pairs[i].name);
        add_z(&b, spec->pairs[i].value);
    }
    head.body_n = (uint32_t)(b.n - sizeof head);
    memcpy(b.p, &head, sizeof head);
    int fd = b.n > POOL_SPEC_MAX ? -E2BIG : write_memfd(&b);
    buf_done(&b);
    return fd;
}

static bool get_z(const char **at, const char *end, const char **ret)
{
    const char *nul = memchr(*at, '\0', (size_t)(end - *at));
    if (!nul)
        return false;
    *ret = *at;
    *at = nul + 1;
    return true;
}

// Strings stay where they are in the block; the pairs are built in front of it.
static int read_body(const char *at, const char *end, const struct spec_head *head, struct pool_pair *pairs,
                     struct pool_spec *s)
{
    if (!get_z(&at, end, &s->pool) || !get_z(&at, end, &s->php_ini) || !get_z(&at, end, &s->user) || !get_z(&at, end, &s->home))
        return -EBADMSG;
    for (uint32_t i = 0; i < head->n_pairs; i++) {
        if (at == end || (unsigned char)*at >= POOL_PAIR_KINDS)
            return -EBADMSG;
        pairs[i].kind = (enum pool_pair_kind)*at++;
        if (!get_z(&at, end, &pairs[i].name) || !get_z(&at, end, &pairs[i].value) || !*pairs[i].name)
            return -EBADMSG;
    }
    return at == end ? 0 : -EBADMSG;
}

int pool_spec_decode(int fd, struct pool_spec *ret_spec)
{
    struct spec_head head;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)sizeof head || st.st_size > POOL_SPEC_MAX)
        return -EBADMSG;
    size_t n = (size_t)st.st_size;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head || head.magic != SPEC_MAGIC)
        return -EBADMSG;
    if (head.version != SPEC_VERSION)
        return -EPROTONOSUPPORT;
    // Each pair takes three bytes at least, so this bounds the allocation by the size of the file.
    if (head.body_n != n - sizeof head || head.n_pairs > head.body_n / 3)
        return -EBADMSG;

    struct pool_pair *block = xmalloc(head.n_pairs * sizeof *block + head.body_n + 1);
    char *body = (char *)(block + head.n_pairs);
    struct pool_spec s = {.pairs = block, .n_pairs = head.n_pairs};
    int rc = pread(fd, body, head.body_n, sizeof head) != (ssize_t)head.body_n ? -EBADMSG
                                                                                : read_body(body, body + head.body_n, &head, block, &s);
    if (rc) {
        free(block);
        return rc;
    }
    s.clear_env = head.flags & FLAG_CLEAR_ENV;
    s.catch_workers_output = head.flags & FLAG_CATCH_OUTPUT;
    s.dumpable = head.flags & FLAG_DUMPABLE;
    *ret_spec = s;
    return 0;
}

void pool_spec_done(struct pool_spec *spec)
{
    free((void *)(uintptr_t)spec->pairs); // the one allocation begins with the pairs
    *spec = (struct pool_spec){0};
}
