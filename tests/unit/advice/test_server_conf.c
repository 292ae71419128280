// SPDX-License-Identifier: Apache-2.0
// Claims about reading what the running server is configured to, over made-up processes and their files.
#include "advice/server_conf.h"

#include <sys/inotify.h>

#include "../mem/fake_tree.h"
#include "fake_server.h"

static struct server_conf conf;
static struct proc_info process;
static int proc;

static int set_up(void **state)
{
    fake_make();
    fake_folder("proc/7/root");
    fake_folder("proc/7/cwd");
    process = (struct proc_info){.pid = 7, .role = ROLE_FPM_MASTER, .memory_limit = -1};
    strcpy(process.comm, "php-fpm");
    proc = open(fake_path("proc"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    return 0;
}

static int tear_down(void **state)
{
    close(proc);
    fake_remove();
    return 0;
}

static void look(void)
{
    memset(&conf, 0x55, sizeof conf);
    server_conf_read(proc, &process, 1, &conf);
}

static void is(const struct conf_amount *a, int64_t value, const char *from)
{
    assert_true(a->known);
    assert_int_equal(a->value, value);
    assert_string_equal(a->from, from);
}

#define MIB (INT64_C(1) << 20)

static void fpm_of_debian(void)
{
    strcpy(process.comm, "php-fpm8.2");
    WORDS("cmdline", "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)");
    file("/etc/php/8.2/fpm/php-fpm.conf", "; comment\n[global]\npid = /run/php.pid\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n");
    file("/etc/php/8.2/fpm/php.ini",
         "[PHP]\nmemory_limit = 256M ; why not\nopcache.memory_consumption=192\n[PATH=/srv/x]\nmemory_limit = 999M\n");
    file("/etc/php/8.2/fpm/conf.d/10-opcache.ini", "zend_extension=opcache.so\nopcache.jit_buffer_size=\"64M\"\n");
    file("/etc/php/8.2/fpm/pool.d/www.conf", "[www]\nlisten = /run/php/$pool.sock\npm = dynamic\npm.max_children = "
                                             "12\npm.max_requests=500\npm.status_path = /status\n");
}

T(a_relative_path_is_of_the_directory_the_server_works_in)
{
    rmdir(fake_path("proc/7/cwd"));
    fake_link("/srv/shop", "proc/7/cwd");
    WORDS("cmdline", "php-fpm: master process (conf/fpm.conf)");
    file("/srv/shop/conf/fpm.conf", "[www]\npm.max_children = 3\nphp_admin_value[memory_limit] = 32M\n");
    look();
    is(&conf.memory_limit, 32 * MIB, "/srv/shop/conf/fpm.conf:3");
    is(&conf.max_children, 3, "/srv/shop/conf/fpm.conf:2");

    process.role = ROLE_PLIMSOLL_MASTER;
    strcpy(process.comm, "plimsoll");
    WORDS("cmdline", "plimsoll\0serve\0-c\0plimsoll.conf");
    file("/srv/shop/plimsoll.conf", "[global]\nadmin = 127.0.0.1:9180\n[pool www]\npm.max_children = 5\n");
    look();
    is(&conf.max_children, 5, "/srv/shop/plimsoll.conf:4");
    assert_string_equal(conf.admin, "127.0.0.1:9180");

    unlink(fake_path("proc/7/cwd"));
    look();
    assert_false(conf.max_children.known);
    assert_false(conf.memory_limit.known);
}

T(php_fpm_of_debian_is_read_with_its_ini_and_pools)
{
    fpm_of_debian();
    look();
    assert_int_equal(conf.server, SERVER_FPM);
    assert_int_equal(conf.pid, 7);
    is(&conf.memory_limit, 256 * MIB, "/etc/php/8.2/fpm/php.ini:2");
    is(&conf.max_children, 12, "/etc/php/8.2/fpm/pool.d/www.conf:4");
    is(&conf.max_requests, 500, "/etc/php/8.2/fpm/pool.d/www.conf:5");
    is(&conf.opcache_bytes, 256 * MIB, "/etc/php/8.2/fpm/php.ini:3");
    assert_int_equal(conf.n_pools, 1);
    assert_string_equal(conf.pool[0].name, "www");
    assert_string_equal(conf.pool[0].listen, "/run/php/www.sock");
    assert_string_equal(conf.pool[0].status_path, "/status");
    assert_int_equal(conf.pool[0].pm, CONF_PM_DYNAMIC);
    assert_string_equal(conf.php_ini, "/etc/php/8.2/fpm/php.ini");
}

T(cli_s_ini_is_never_asked)
{
    fpm_of_debian();
    file("/etc/php/8.2/cli/php.ini", "memory_limit = -1\n");
    file("/etc/php/8.2/fpm/php.ini", "[PHP]\n");
    look();
    is(&conf.memory_limit, 128 * MIB, "PHP's default");
}

T(pools_own_limit_wins_and_the_largest_of_several_counts)
{
    fpm_of_debian();
    file("/etc/php/8.2/fpm/pool.d/www.conf", "[www]\npm.max_children = 12\nphp_admin_value[memory_limit] = 512M\n");
    look();
    is(&conf.memory_limit, 512 * MIB, "/etc/php/8.2/fpm/pool.d/www.conf:3");
    file("/etc/php/8.2/fpm/pool.d/z.conf", "[small]\npm.max_children = 3\nphp_value[memory_limit] = 64M\n");
    look();
    is(&conf.memory_limit, 512 * MIB, "/etc/php/8.2/fpm/pool.d/www.conf:3");
    assert_int_equal(conf.max_children.value, 15);
    // One without its own has php.ini's, here the larger.
    file("/etc/php/8.2/fpm/php.ini", "memory_limit = 1G\n");
    file("/etc/php/8.2/fpm/pool.d/plain.conf", "[plain]\npm.max_children = 1\n");
    look();
    is(&conf.memory_limit, 1024 * MIB, "/etc/php/8.2/fpm/php.ini:1");
}

T(official_image_keeps_php_ini_below_php)
{
    WORDS("cmdline", "php-fpm: master process (/usr/local/etc/php-fpm.conf)");
    file("/usr/local/etc/php-fpm.conf", "[global]\ninclude=etc/../php-fpm.d/*.conf\n");
    file("/usr/local/etc/php-fpm.conf", "include=php-fpm.d/*.conf\n");
    file("/usr/local/etc/php-fpm.d/www.conf", "[www]\nlisten = 9000\npm.max_children = 5\n");
    file("/usr/local/etc/php-fpm.d/zz-docker.conf", "[www]\nlisten = 9001\n");
    file("/usr/local/etc/php/conf.d/memory.ini", "memory_limit=-1\n");
    look();
    is(&conf.memory_limit, 0, "/usr/local/etc/php/conf.d/memory.ini:1");
    assert_string_equal(conf.pool[0].listen, "9001");
    assert_int_equal(conf.n_pools, 1);
}

T(running_processes_are_believed_over_files)
{
    struct proc_info procs[4];

    fpm_of_debian();
    for (int i = 0; i < 4; i++) {
        procs[i] = process;
        procs[i].pid = 7 + i;
        procs[i].role = i ? ROLE_FPM_WORKER : ROLE_FPM_MASTER;
        procs[i].memory_limit = (i == 0 ? 128 : i == 3 ? 4096 : 384) * MIB; // one script has raised its own
    }
    server_conf_read(proc, procs, 4, &conf);
    is(&conf.memory_limit, 384 * MIB, "the running processes");
    procs[0].memory_limit = 1024 * MIB; // the master runs no script, and a pool may say otherwise
    server_conf_read(proc, procs, 2, &conf);
    assert_int_equal(conf.memory_limit.value, 384 * MIB);
}

T(variables_of_the_environment_are_followed_where_they_can_be_read)
{
    fpm_of_debian();
    file("/etc/php/8.2/fpm/php.ini", "memory_limit = ${PHP_MEMORY_LIMIT}\n");
    look();
    assert_false(conf.memory_limit.known);
    WORDS("environ", "PATH=/bin\0PHP_MEMORY_LIMIT=300M");
    look();
    assert_int_equal(conf.memory_limit.value, 300 * MIB);
    WORDS("environ", "PATH=/bin");
    file("/etc/php/8.2/fpm/php.ini", "memory_limit = ${PHP_MEMORY_LIMIT:-200M}\n");
    look();
    assert_int_equal(conf.memory_limit.value, 200 * MIB);
}

T(files_that_cant_be_read_leave_the_limit_unknown)
{
    fpm_of_debian();
    assert_int_equal(unlink(fake_path("proc/7/root/etc/php/8.2/fpm/php.ini")), 0);
    assert_int_equal(mkfifo(fake_path("proc/7/root/etc/php/8.2/fpm/php.ini"), 0600), 0);
    look();
    assert_false(conf.memory_limit.known);
    assert_int_equal(conf.max_children.value, 12);
}

// Opening a device may do something: a watchdog starts, a tape winds back.
T(what_is_no_regular_file_isnt_even_opened)
{
    char ini[512], event[4096];
    int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    fpm_of_debian();
    strcpy(ini, fake_path("proc/7/root/etc/php/8.2/fpm/php.ini"));
    assert_true(inotify_add_watch(notify, ini, IN_OPEN) >= 0);
    look();
    assert_true(read(notify, event, sizeof event) > 0); // so opening would be seen
    assert_int_equal(unlink(ini), 0);
    assert_int_equal(mkfifo(ini, 0600), 0);
    while (read(notify, event, sizeof event) > 0) {
    }
    assert_true(inotify_add_watch(notify, ini, IN_OPEN) >= 0);
    look();
    assert_true(read(notify, event, sizeof event) < 0);
    close(notify);
}

T(files_that_would_keep_us_for_hours_are_given_up)
{
    static char many[8192] = "[global]\n";
    char name[64];

    fpm_of_debian();
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "/etc/many/%d", i);
        file(name, "");
    }
    for (int i = 0; i < 150; i++)
        strcat(many, "include=/etc/many/*.conf\n");
    strcat(many, "[www]\npm.max_children=4\ninclude=/etc/last.conf\n");
    file("/etc/last.conf", "pm.max_requests=7\n");
    file("/etc/php/8.2/fpm/php-fpm.conf", many);
    look();
    assert_int_equal(conf.max_children.value, 4);
    assert_false(conf.max_requests.known);
}

T(links_lead_nowhere_outside_of_the_root)
{
    fpm_of_debian();
    char ini[512], outside[512];

    strcpy(ini, fake_path("proc/7/root/etc/php/8.2/fpm/php.ini"));
    strcpy(outside, fake_path("outside.ini"));
    fake_file("outside.ini", "memory_limit = 999M\n");
    file("/inside.ini", "memory_limit = 111M\n");
    assert_int_equal(unlink(ini), 0);
    assert_int_equal(symlink(outside, ini), 0);
    look();
    assert_int_equal(conf.memory_limit.value, 128 * MIB);
    assert_int_equal(unlink(ini), 0);
    assert_int_equal(symlink("/inside.ini", ini), 0);
    look();
    assert_int_equal(conf.memory_limit.value, 111 * MIB);
}

T(includes_that_run_in_a_circle_end)
{
    fpm_of_debian();
    file("/etc/php/8.2/fpm/php-fpm.conf", "include=/etc/php/8.2/fpm/*.conf\n[www]\npm.max_children = 4\n");
    look();
    assert_int_equal(conf.max_children.value, 4);
}

T(frankenphp_is_read_with_its_caddyfile)
{
    process.role = ROLE_FRANKENPHP;
    WORDS("cmdline", "frankenphp\0run\0--config\0/etc/frankenphp/Caddyfile");
    WORDS("environ", "GOMEMLIMIT=512MiB\0FRANKENPHP_CONFIG=num_threads 8");
    file("/usr/local/etc/php/php.ini", "memory_limit=256M\n");
    file("/etc/frankenphp/Caddyfile",
         "# comment\n{\n\tadmin 127.0.0.1:2020\n\tfrankenphp {\n\t\t{$FRANKENPHP_CONFIG}\n\t\tmax_threads auto\n"
         "\t\tphp_ini memory_limit 320M\n\t}\n}\n\n{$SERVER_NAME:localhost} {\n\tfrankenphp {\n\t\tnum_threads 99\n\t}\n"
         "\tphp_server\n}\n");
    look();
    assert_int_equal(conf.server, SERVER_FRANKENPHP);
    is(&conf.memory_limit, 320 * MIB, "/etc/frankenphp/Caddyfile:7");
    is(&conf.num_threads, 8, "/etc/frankenphp/Caddyfile:5");
    assert_true(conf.max_threads_auto);
    is(&conf.gomemlimit, 512 * MIB, "GOMEMLIMIT in its environment");
    assert_string_equal(conf.admin, "127.0.0.1:2020");

    struct advice_facts facts = ADVICE_FACTS_UNKNOWN;
    server_conf_facts(&conf, &facts);
    assert_int_equal(facts.server, SERVER_FRANKENPHP);
    assert_int_equal(facts.memory_limit, 320 * MIB);
    assert_int_equal(facts.num_threads, 8);
    assert_true(facts.max_threads_known && facts.max_threads_auto && facts.gomemlimit_known && facts.gomemlimit_set);
}

T(block_of_php_ini_in_a_caddyfile_is_read)
{
    process.role = ROLE_FRANKENPHP;
    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    WORDS("environ", "A=b");
    file(
        "/c",
        "{\n frankenphp {\n  max_threads 12\n  php_ini {\n   memory_limit \"1G\"\n   opcache.enable 0\n  }\n }\n admin off\n}\n");
    look();
    is(&conf.memory_limit, 1024 * MIB, "/c:5");
    is(&conf.max_threads, 12, "/c:3");
    assert_int_equal(conf.opcache_bytes.value, 0);
    assert_true(conf.admin_off);
    assert_false(conf.gomemlimit.known);
    assert_true(conf.gomemlimit_asked);
}

T(caddyfile_with_variables_that_cant_be_seen_leaves_the_limit_unknown)
{
    process.role = ROLE_FRANKENPHP;
    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    file("/c", "{\n frankenphp {\n {$CONF}\n }\n}\n");
    look();
    assert_false(conf.memory_limit.known);
    assert_false(conf.gomemlimit_asked);
    WORDS("cmdline", "frankenphp\0run\0-c\0/c.json");
    file("/c.json", "{}");
    look();
    assert_false(conf.memory_limit.known);
}

T(apache_is_read_with_the_version_of_its_module)
{
    process.role = ROLE_APACHE;
    WORDS("cmdline", "/usr/sbin/apache2\0-k\0start");
    file("/etc/apache2/mods-enabled/php8.2.load", "LoadModule php_module /usr/lib/apache2/modules/libphp8.2.so\n");
    file("/etc/apache2/mods-enabled/mpm_prefork.conf",
         "<IfModule mpm_prefork_module>\n\tMaxRequestWorkers 150\n\tMaxConnectionsPerChild   0\n</IfModule>\n");
    file("/etc/apache2/mods-enabled/status.conf",
         "<Location /server-status>\n\tSetHandler server-status\n\tRequire local\n</Location>\n");
    file("/etc/apache2/ports.conf", "Listen 8080\n");
    file("/etc/php/8.2/apache2/php.ini", "memory_limit = 96M\n");
    look();
    assert_int_equal(conf.server, SERVER_APACHE);
    is(&conf.memory_limit, 96 * MIB, "/etc/php/8.2/apache2/php.ini:1");
    is(&conf.max_children, 150, "/etc/apache2/mods-enabled/mpm_prefork.conf:2");
    is(&conf.max_requests, 0, "/etc/apache2/mods-enabled/mpm_prefork.conf:3");
    assert_string_equal(conf.pool[0].status_path, "/server-status");
    assert_string_equal(conf.pool[0].listen, "8080");
    file("/etc/apache2/sites-enabled/a.conf", "<VirtualHost *:80>\n php_admin_value memory_limit \"400M\"\n</VirtualHost>\n");
    look();
    is(&conf.memory_limit, 400 * MIB, "/etc/apache2/sites-enabled/a.conf:2");
    process.memory_limit = 96 * MIB; // between two requests: php.ini's
    look();
    is(&conf.memory_limit, 400 * MIB, "/etc/apache2/sites-enabled/a.conf:2");
    process.memory_limit = -1;
    // A file named by the one who started it stands for all.
    WORDS("cmdline", "/usr/sbin/apache2\0-f\0/srv/my.conf\0-DFOREGROUND");
    file("/srv/my.conf", "MaxRequestWorkers 4\n");
    look();
    is(&conf.max_children, 4, "/srv/my.conf:1");
    assert_string_equal(conf.pool[0].status_path, "");
    is(&conf.memory_limit, 96 * MIB, "/etc/php/8.2/apache2/php.ini:1");
}

T(plimsolls_own_file_is_read)
{
    process.role = ROLE_PLIMSOLL_MASTER;
    WORDS("cmdline", "plimsoll\0serve\0--config\0/srv/p.conf");
    file("/etc/php/8.2/fpm/php.ini", "memory_limit = 96M\n");
    file("/srv/p.conf", "admin = 127.0.0.1:9999\npm.max_children = 6\n[pool shop]\npm.max_children = "
                        "3\nphp_admin_value[memory_limit] = 500M\n[site a]\nroot = /x\n");
    look();
    assert_int_equal(conf.server, SERVER_PLIMSOLL);
    assert_string_equal(conf.admin, "127.0.0.1:9999");
    assert_int_equal(conf.max_children.value, 9);
    is(&conf.memory_limit, 500 * MIB, "/srv/p.conf:5");
    assert_int_equal(conf.n_pools, 2);
}

T(no_server_is_told_as_such)
{
    process.role = ROLE_PHP_CLI;
    look();
    assert_int_equal(conf.server, SERVER_UNKNOWN);
    assert_int_equal(conf.pid, 0);
    assert_false(conf.memory_limit.known);
    server_conf_read(proc, NULL, 0, &conf);
    assert_false(conf.memory_limit.known);
    // A server that has gone while one looked.
    process.role = ROLE_FPM_MASTER;
    process.pid = 4711;
    look();
    assert_int_equal(conf.server, SERVER_FPM);
    assert_false(conf.memory_limit.known);
}

T(garbage_is_put_up_with)
{
    static char junk[70000];
    unsigned seed = 1;

    fpm_of_debian();
    for (size_t i = 0; i < sizeof junk; i++) {
        seed = seed * 1103515245 + 12345;
        junk[i] = "=[]{}$\"'\n;\\ abc\xff${"[seed >> 16 & 15];
    }
    junk[sizeof junk - 1] = '\0';
    file("/etc/php/8.2/fpm/pool.d/junk.conf", junk);
    file("/etc/php/8.2/fpm/php.ini", junk);
    look();
    assert_int_equal(conf.server, SERVER_FPM);
    process.role = ROLE_FRANKENPHP;
    WORDS("cmdline", "frankenphp\0run\0-c\0/c");
    WORDS("environ", "A=b");
    file("/c", junk);
    look();
    assert_int_equal(conf.server, SERVER_FRANKENPHP);
    process.role = ROLE_APACHE;
    file("/etc/apache2/apache2.conf", junk);
    look();
    assert_int_equal(conf.server, SERVER_APACHE);
}

T(sizes_are_read_as_php_and_go_read_them)
{
    int64_t v = 7;

    assert_true(server_conf_php_size("128M", &v) && v == 128 * MIB);
    assert_true(server_conf_php_size("1g", &v) && v == 1024 * MIB);
    assert_true(server_conf_php_size("134217728", &v) && v == 134217728);
    assert_true(server_conf_php_size("64 K", &v) && v == 65536);
    assert_true(server_conf_php_size("-1", &v) && v == 0);
    assert_true(server_conf_php_size("0x100000", &v) && v == MIB);
    v = 7;
    static const char *const bad[] = {"", "M", "12X", "128MB", "-5", "99999999999999999999", "9999999999G", "1.5G"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(server_conf_php_size(bad[i], &v));
    assert_int_equal(v, 7);
    assert_true(server_conf_go_size("512MiB", &v) && v == 512 * MIB);
    assert_true(server_conf_go_size("1000", &v) && v == 1000);
    assert_true(server_conf_go_size("2GiB", &v) && v == 2048 * MIB);
    assert_true(server_conf_go_size("off", &v) && v == 0);
    assert_false(server_conf_go_size("512M", &v));
    assert_false(server_conf_go_size("", &v));
    assert_false(server_conf_go_size("-1", &v));
}

#define S(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

CLAIMS(S(a_relative_path_is_of_the_directory_the_server_works_in), S(php_fpm_of_debian_is_read_with_its_ini_and_pools),
       S(cli_s_ini_is_never_asked),
       S(pools_own_limit_wins_and_the_largest_of_several_counts), S(official_image_keeps_php_ini_below_php),
       S(running_processes_are_believed_over_files), S(variables_of_the_environment_are_followed_where_they_can_be_read),
       S(files_that_cant_be_read_leave_the_limit_unknown), S(links_lead_nowhere_outside_of_the_root),
       S(what_is_no_regular_file_isnt_even_opened), S(files_that_would_keep_us_for_hours_are_given_up),
       S(includes_that_run_in_a_circle_end), S(frankenphp_is_read_with_its_caddyfile), S(block_of_php_ini_in_a_caddyfile_is_read),
       S(caddyfile_with_variables_that_cant_be_seen_leaves_the_limit_unknown), S(apache_is_read_with_the_version_of_its_module),
       S(plimsolls_own_file_is_read), S(no_server_is_told_as_such), S(garbage_is_put_up_with),
       S(sizes_are_read_as_php_and_go_read_them))
