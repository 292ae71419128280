// SPDX-License-Identifier: Apache-2.0
// What a foreign server can answer and have in its files. First byte modulo 6: 0 to 2 an answer of php-fpm, of metrics, of
// Apache, taken at once and in pieces; 3 a text of net/snmp, a URL, sizes; 4 and 5 its configuration, in pieces ended by NUL.
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advice/requests_int.h"

static void check_answer(enum requests_source source, const char *text, size_t n)
{
    static struct answer a, b;
    struct requests_answer x = {.total = -1}, y = {.total = -1};
    uint32_t seed = fuzz_seed(text, n);

    answer_begin(&a, source);
    int r = answer_take(&a, text, n), s = 0;
    answer_begin(&b, source);
    for (size_t at = 0; at < n && s == 0;) {
        size_t piece = 1 + fuzz_next(&seed) % 50;
        piece = piece < n - at ? piece : n - at;
        s = answer_take(&b, text + at, piece);
        at += piece;
    }
    CHECK(r == s);
    CHECK(answer_has_ended(&a) == answer_has_ended(&b));
    if (r < 0)
        return;
    r = answer_end(&a, &x);
    s = answer_end(&b, &y);
    CHECK(r == s && x.total == y.total && x.source == y.source);
    CHECK(r < 0 ? x.total == -1 : x.total >= 0);
}

static void check_texts(const char *text, size_t n)
{
    int64_t v = -7;
    struct requests_target t;

    CHECK(!answer_from_snmp((struct str){text, n}, &v) || v >= 0);
    if (requests_parse(text, &t) == 0) {
        CHECK(t.source != REQUESTS_NONE);
        CHECK(strnlen(t.path, sizeof t.path) < sizeof t.path && !strpbrk(t.path, "\r\n "));
        CHECK(t.addr_n <= sizeof t.addr);
    }
    v = -7;
    CHECK(server_conf_php_size(text, &v) ? v >= 0 : v == -7);
    v = -7;
    CHECK(server_conf_go_size(text, &v) ? v >= 0 : v == -7);
}

static char dir[] = "/tmp/plimsoll-fuzz-XXXXXX";

static void remove_tree(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

static void make_tree(void)
{
    static const char *const folders[] = {
        "7", "7/root", "7/root/etc", "7/root/etc/apache2", "7/root/etc/php", "7/root/etc/php/conf.d"};
    char path[128];

    CHECK(mkdtemp(dir));
    atexit(remove_tree);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        CHECK(mkdir(path, 0700) == 0);
    }
}

static void put(const char *name, struct str text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    close(fd);
}

static void check_amount(const struct conf_amount *a)
{
    CHECK(!a->known || a->value >= 0);
    CHECK(strnlen(a->from, sizeof a->from) < sizeof a->from);
}

static void read_conf(const char *text, size_t n)
{
    static const char *const names[] = {
        "7/root/etc/fpm.conf", "7/root/etc/php/php.ini",     "7/root/etc/Caddyfile", "7/root/etc/apache2/apache2.conf",
        "7/environ",           "7/root/etc/php/conf.d/a.ini"};
    static const struct {
        enum proc_role role;
        const char *cmdline;
        size_t n;
    } kinds[] = {
        {ROLE_FPM_MASTER, "php-fpm: master process (/etc/fpm.conf)", 40},
        {ROLE_FRANKENPHP, "x\0-c\0/etc/Caddyfile", 20},
        {ROLE_APACHE, "apache2", 8},
        {ROLE_PLIMSOLL_MASTER, "plimsoll\0-c\0/etc/fpm.conf", 26},
    };
    static struct server_conf c;
    static bool made;

    if (!made)
        make_tree();
    made = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *end = memchr(text, '\0', n);
        size_t length = end ? (size_t)(end - text) : n;
        put(names[i], (struct str){text, length});
        length += end != NULL;
        text += length;
        n -= length;
    }
    int proc = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct proc_info p = {.pid = 7, .role = kinds[i].role, .memory_limit = -1, .comm = "php-fpm"};
        struct requests_target t;
        put("7/cmdline", (struct str){kinds[i].cmdline, kinds[i].n});
        server_conf_read(proc, &p, 1, &c);
        check_amount(&c.memory_limit);
        check_amount(&c.max_children);
        check_amount(&c.opcache_bytes);
        check_amount(&c.gomemlimit);
        check_amount(&c.num_threads);
        CHECK(c.n_pools >= 0 && c.n_pools <= CONF_POOLS);
        (void)requests_find(&c, -1, &t);
    }
    close(proc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const enum requests_source sources[] = {REQUESTS_FPM, REQUESTS_CADDY, REQUESTS_APACHE};

    if (n < 1)
        return 0;
    char *text = malloc(n);
    memcpy(text, data + 1, n - 1);
    text[n - 1] = '\0';
    unsigned kind = data[0] % 6;
    if (kind < 3)
        check_answer(sources[kind], text, n - 1);
    if (kind == 1) // FrankenPHP's threads stand in for its metrics
        check_answer(REQUESTS_THREADS, text, n - 1);
    if (kind == 3)
        check_texts(text, n - 1);
    if (kind > 3)
        read_conf(text, n - 1);
    free(text);
    return 0;
}
