// SPDX-License-Identifier: Apache-2.0
// Claims about telling which server a process is.
#include "mem/proc_roles.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../claim.h"

#define TITLE(text) .cmdline = text, .cmdline_n = sizeof(text)

static enum proc_role role(struct role_clues c)
{
    c.comm = c.comm ? c.comm : "";
    c.exe = c.exe ? c.exe : "";
    c.cmdline = c.cmdline ? c.cmdline : "";
    return proc_roles_of(&c);
}
#define ROLE(...) role((struct role_clues){__VA_ARGS__})

T(servers_are_told_by_what_anybody_may_read)
{
    assert_int_equal(ROLE(TITLE("php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)")), ROLE_FPM_MASTER);
    assert_int_equal(ROLE(TITLE("php-fpm: pool www")), ROLE_FPM_WORKER);
    assert_int_equal(ROLE(TITLE("/usr/sbin/php-fpm8.2\0--nodaemonize")), ROLE_FPM_MASTER);
    assert_int_equal(ROLE(TITLE("/usr/local/bin/frankenphp\0run")), ROLE_FRANKENPHP);
    assert_int_equal(ROLE(TITLE("frankenphp")), ROLE_FRANKENPHP);
    assert_int_equal(ROLE(TITLE("frankenphp\0php-server\0--root\0public")), ROLE_FRANKENPHP);
    assert_int_equal(ROLE(TITLE("frankenphp\0php-cli\0artisan\0queue:work")), ROLE_PHP_CLI);
    assert_int_equal(ROLE(TITLE("server\0php-cli\0x"), .exe = "/app/server", .go = true, .php = true), ROLE_PHP_CLI);
    assert_int_equal(ROLE(TITLE("caddy\0run")), ROLE_CADDY);
    assert_int_equal(ROLE(TITLE("/usr/sbin/apache2\0-k\0start")), ROLE_APACHE);
    assert_int_equal(ROLE(TITLE("httpd\0-DFOREGROUND")), ROLE_APACHE);
    assert_int_equal(ROLE(TITLE("nginx: worker process")), ROLE_NGINX);
    assert_int_equal(ROLE(TITLE("./rr\0serve")), ROLE_ROADRUNNER);
    assert_int_equal(ROLE(TITLE("php\0worker.php")), ROLE_PHP_CLI);
    assert_int_equal(ROLE(TITLE("/usr/bin/php8.2\0x.php")), ROLE_PHP_CLI);
    assert_int_equal(ROLE(TITLE("plimsoll-xray\0watch")), ROLE_XRAY);
    assert_int_equal(ROLE(TITLE("sh\0-c\0php"), .comm = "sh"), ROLE_OTHER);
    assert_int_equal(ROLE(TITLE(""), .comm = "phpstan"), ROLE_OTHER);
}

T(processes_of_plimsoll_are_told_apart)
{
    assert_int_equal(ROLE(TITLE("plimsoll: worker default"), .comm = "plimsoll-worker"), ROLE_PLIMSOLL_WORKER);
    assert_int_equal(ROLE(TITLE("plimsoll: mold default")), ROLE_PLIMSOLL_MOLD);
    assert_int_equal(ROLE(TITLE("plimsoll: edge"), .exe = "/usr/bin/plimsoll"), ROLE_PLIMSOLL_EDGE);
    assert_int_equal(ROLE(TITLE("/usr/bin/plimsoll\0serve"), .comm = "plimsoll: maste", .exe = "/usr/bin/plimsoll"),
                     ROLE_PLIMSOLL_MASTER);
    assert_int_equal(ROLE(.comm = "plimsoll-worker", .exe = "/usr/lib/plimsoll-php"), ROLE_PLIMSOLL_WORKER);
}

T(title_that_doesnt_fit_the_executable_isnt_believed)
{
    assert_int_equal(ROLE(TITLE("php-fpm: pool www"), .exe = "/tmp/miner"), ROLE_OTHER);
    assert_int_equal(ROLE(TITLE("php-fpm: pool www"), .exe = "/usr/sbin/php-fpm8.2 (deleted)"), ROLE_FPM_WORKER);
    assert_int_equal(ROLE(TITLE("plimsoll: worker x"), .exe = "/usr/bin/perl"), ROLE_OTHER);
    assert_int_equal(ROLE(TITLE("frankenphp"), .exe = "/usr/bin/bash"), ROLE_OTHER);
}

T(what_is_inside_decides_over_a_renamed_executable)
{
    assert_int_equal(ROLE(TITLE("server"), .exe = "/app/server", .go = true, .frankenphp = true), ROLE_FRANKENPHP);
    assert_int_equal(ROLE(TITLE("x"), .exe = "/app/frankenphp", .go = true, .caddy = true), ROLE_FRANKENPHP);
    assert_int_equal(ROLE(TITLE("frankenphp"), .exe = "/app/caddy", .go = true, .caddy = true), ROLE_CADDY);
    assert_int_equal(ROLE(TITLE("server"), .exe = "/app/server", .go = true, .php = true), ROLE_FRANKENPHP);
    assert_int_equal(ROLE(TITLE("server"), .exe = "/app/server", .go = true, .caddy = true), ROLE_CADDY);
    assert_int_equal(ROLE(TITLE("server"), .exe = "/app/server", .go = true, .roadrunner = true), ROLE_ROADRUNNER);
    assert_int_equal(ROLE(TITLE("server"), .exe = "/app/server", .go = true), ROLE_GO);
    assert_int_equal(ROLE(TITLE("web"), .exe = "/opt/web", .php = true, .mod_php = true), ROLE_APACHE);
}

T(pool_comes_from_the_title_and_is_fit_to_be_shown)
{
    char pool[32];
    struct role_clues c = {TITLE("php-fpm: pool www   ")};

    proc_roles_pool(&c, pool);
    assert_string_equal(pool, "www");
    c = (struct role_clues){TITLE("php-fpm: pool a\x1b[31m\xff b")};
    proc_roles_pool(&c, pool);
    assert_string_equal(pool, "a?[31m? b");
    c = (struct role_clues){TITLE("php-fpm: pool 0123456789012345678901234567890123456789")};
    proc_roles_pool(&c, pool);
    assert_string_equal(pool, "0123456789012345678901234567890");
    c = (struct role_clues){TITLE("nginx: worker process")};
    proc_roles_pool(&c, pool);
    assert_string_equal(pool, "");
}

static const char *clean(const char *text, size_t n, size_t size)
{
    static char out[64];

    proc_roles_clean(text, n, out, size);
    return out;
}

T(text_is_cleaned_without_cutting_a_character)
{
    assert_string_equal(clean("plain", 5, 64), "plain");
    assert_string_equal(clean("\xc3\xa9t\xc3\xa9", 5, 64), "\xc3\xa9t\xc3\xa9");
    assert_string_equal(clean("a\xc3\xa9", 3, 3), "a");
    assert_string_equal(clean("a\nb\x7f", 4, 64), "a?b?");
    assert_string_equal(clean("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", 9, 64), "?????????");
    assert_string_equal(clean("\xc2\x9b", 2, 64), "?"); // CSI in one character
    assert_string_equal(clean("\xe2\x82", 2, 64), "??");
    assert_string_equal(clean("", 0, 1), "");
}

T(programs_of_go_are_told_by_what_their_linker_left)
{
    struct role_clues c = {0};
    int fd = open("/usr/bin/caddy", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    proc_roles_look_at_exe(fd, &c);
    close(fd);
    assert_true(c.go);
    assert_true(c.caddy);
    assert_false(c.frankenphp);
    c = (struct role_clues){0};
    fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    proc_roles_look_at_exe(fd, &c);
    close(fd);
    assert_false(c.go);
}

T(truncated_and_broken_programs_tell_nothing_and_harm_nothing)
{
    unsigned char head[4096];
    int caddy = open("/usr/bin/caddy", O_RDONLY | O_CLOEXEC), fd = memfd_create("x", MFD_CLOEXEC);

    assert_int_equal(read(caddy, head, sizeof head), sizeof head);
    for (size_t n = 0; n < sizeof head; n += 37) {
        struct role_clues c = {0};
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, head, n, 0), n);
        proc_roles_look_at_exe(fd, &c);
        assert_false(c.caddy);
    }
    for (size_t i = 0; i < 1024; i++) {
        struct role_clues c = {0};
        unsigned char byte = 0xff;
        assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
        proc_roles_look_at_exe(fd, &c);
        assert_false(c.caddy);
    }
    close(caddy);
    close(fd);
}

T(mappings_tell_php_and_its_apache_module)
{
    struct role_clues c = {0};

    proc_roles_look_at_mapping("/usr/lib/x86_64-linux-gnu/libc.so.6", &c);
    assert_false(c.php);
    proc_roles_look_at_mapping("/usr/lib/libphp8.2.so", &c);
    assert_true(c.php);
    assert_false(c.mod_php);
    proc_roles_look_at_mapping("/usr/lib/apache2/modules/libphp8.2.so", &c);
    assert_true(c.mod_php);
}

T(every_role_and_sight_has_a_name)
{
    for (int i = 0; i < ROLE_N; i++)
        assert_true(proc_role_name((enum proc_role)i)[0]);
    assert_string_equal(proc_role_name(ROLE_FPM_WORKER), "php-fpm pool");
    assert_string_equal(proc_role_name((enum proc_role)99), "process");
    assert_string_equal(sight_name(SIGHT_DOCKER), "docker");
}

CLAIMS(C(servers_are_told_by_what_anybody_may_read), C(processes_of_plimsoll_are_told_apart),
       C(title_that_doesnt_fit_the_executable_isnt_believed), C(what_is_inside_decides_over_a_renamed_executable),
       C(pool_comes_from_the_title_and_is_fit_to_be_shown), C(text_is_cleaned_without_cutting_a_character),
       C(programs_of_go_are_told_by_what_their_linker_left), C(truncated_and_broken_programs_tell_nothing_and_harm_nothing),
       C(mappings_tell_php_and_its_apache_module), C(every_role_and_sight_has_a_name))
