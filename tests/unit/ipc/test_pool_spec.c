// SPDX-License-Identifier: Apache-2.0
#include "ipc/pool_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../claim.h"

static const struct pool_pair pairs[] = {
    {POOL_ENV, "APP_ENV", "prod"},
    {POOL_ADMIN_VALUE, "memory_limit", ""},
};
static const struct pool_spec sample = {.pool = "www", .php_ini = "/etc/x", .user = "joe", .clear_env = true, .dumpable = true,
                                        .pairs = pairs, .n_pairs = 2};

// A copy that may be spoiled.
static size_t copy_block(char *dst, size_t cap)
{
    int fd = pool_spec_encode(&sample);
    ssize_t n = read(fd, dst, cap);
    assert_true(fd >= 0 && n > 0 && (size_t)n < cap);
    close(fd);
    return (size_t)n;
}

static int decode(const char *data, size_t n, struct pool_spec *s)
{
    int fd = memfd_create("spoiled", MFD_CLOEXEC);
    assert_int_equal(write(fd, data, n), n);
    int rc = pool_spec_decode(fd, s);
    close(fd);
    return rc;
}

T(settings_come_out_as_they_went_in)
{
    struct pool_spec s;
    int fd = pool_spec_encode(&sample);

    assert_int_equal(pool_spec_decode(fd, &s), 0);
    assert_string_equal(s.pool, "www");
    assert_string_equal(s.php_ini, "/etc/x");
    assert_string_equal(s.user, "joe");
    assert_string_equal(s.home, "");
    assert_true(s.clear_env && s.dumpable && !s.catch_workers_output);
    assert_int_equal(s.n_pairs, 2);
    assert_int_equal(s.pairs[0].kind, POOL_ENV);
    assert_string_equal(s.pairs[0].name, "APP_ENV");
    assert_string_equal(s.pairs[1].value, "");
    pool_spec_done(&s);
    close(fd);
}

T(the_block_is_sealed)
{
    int fd = pool_spec_encode(&sample);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
}

T(every_shorter_block_is_refused)
{
    char block[4096];
    size_t n = copy_block(block, sizeof block);
    struct pool_spec s;

    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(decode(block, cut, &s), -EBADMSG);
}

T(a_longer_block_is_refused)
{
    char block[4096];
    size_t n = copy_block(block, sizeof block - 1);
    struct pool_spec s;

    block[n] = '\0';
    assert_int_equal(decode(block, n + 1, &s), -EBADMSG);
}

T(another_version_is_told_apart)
{
    char block[4096];
    size_t n = copy_block(block, sizeof block);
    struct pool_spec s;

    block[4]++;
    assert_int_equal(decode(block, n, &s), -EPROTONOSUPPORT);
    block[0]++;
    assert_int_equal(decode(block, n, &s), -EBADMSG);
}

T(a_count_of_pairs_that_does_not_hold_is_refused)
{
    char block[4096];
    size_t n = copy_block(block, sizeof block);
    struct pool_spec s;
    const uint32_t counts[] = {0, 1, 3, 0x7fffffff, 0xffffffff};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        memcpy(block + 12, &counts[i], 4);
        assert_int_equal(decode(block, n, &s), -EBADMSG);
    }
}

CLAIMS(C(settings_come_out_as_they_went_in), C(the_block_is_sealed), C(every_shorter_block_is_refused),
       C(a_longer_block_is_refused), C(another_version_is_told_apart), C(a_count_of_pairs_that_does_not_hold_is_refused))
