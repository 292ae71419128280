// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"
#include "conf_folder.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ENV(...) ((char *[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    folder_make();
    folder_write("app/public/index.php", "<?php\n");
    return 0;
}

static int teardown(void **state)
{
    folder_remove();
    return 0;
}

static const char *origin(const struct conf *c, enum conf_section s, unsigned i, const char *key)
{
    return conf__where(c, s, i, key);
}

T(without_anything_the_defaults_hold)
{
    struct conf *c = load_right(NULL, NULL, NULL);

    assert_int_equal(c->n_sites, 1);
    assert_string_equal(c->sites[0].name, "default");
    assert_int_equal(c->n_pools, 1);
    assert_string_equal(c->pools[0].name, "www");
    assert_int_equal(c->global.n_listen, 1);
    assert_int_equal(c->global.listen[0].port, 8080);
    assert_null(c->global.listen[0].host);
    assert_null(c->global.admin);
    assert_null(c->global.pid);
    assert_int_equal(c->global.ready_fd, -1);
    assert_int_equal(c->global.shutdown_timeout_ms, 8000);
    assert_int_equal(c->global.keepalive_timeout_ms, 75000);
    assert_int_equal(c->pools[0].read_timeout_ms, 60000);
    assert_int_equal(c->pools[0].request_terminate_timeout_ms, 0);
    assert_true(c->pools[0].workers >= 2);
    assert_true(c->pools[0].no_new_privs);
    assert_false(c->pools[0].clear_env);
    assert_int_equal(c->pools[0].rlimit_files, -1);
    assert_int_equal(c->sites[0].index.n, 2);
    assert_string_equal(c->sites[0].access_log, "-");
    assert_null(c->file);
    assert_string_equal(origin(c, SEC_GLOBAL, 0, "listen"), "default");
    conf_free(c);
}

T(flag_beats_environment_beats_file_beats_default)
{
    static const char file[] = "[global]\nsend_timeout = 1s\nheader_timeout = 1s\nbody_timeout = 1s\n[pool www]\nqueue = 1\n";
    struct conf *c =
        load_right(file, FLAGS("queue", "3"), ENV("PLIMSOLL_HEADER_TIMEOUT=2s", "PLIMSOLL_QUEUE=2", "PLIMSOLL_BODY_TIMEOUT="));

    assert_int_equal(c->global.keepalive_timeout_ms, 75000);
    assert_int_equal(c->global.send_timeout_ms, 1000);
    assert_non_null(strstr(origin(c, SEC_GLOBAL, 0, "send_timeout"), "/test.ini:2"));
    assert_int_equal(c->global.header_timeout_ms, 2000);
    assert_string_equal(origin(c, SEC_GLOBAL, 0, "header_timeout"), "environment PLIMSOLL_HEADER_TIMEOUT");
    assert_int_equal(c->global.body_timeout_ms, 1000); // an empty variable is no value
    assert_int_equal(c->pools[0].queue, 3);
    assert_string_equal(origin(c, SEC_POOL, 0, "queue"), "--queue");
    conf_free(c);
}

T(flags_and_environment_set_the_first_site_and_pool_only)
{
    struct conf *c = load_right("[site a]\ndir = app\n[site b]\nserver_name = b\ndir = app\n[pool p]\n[pool q]\nqueue = 5\n",
                                FLAGS("max_body_size", "9M", "queue", "7"), NULL);

    assert_int_equal(c->sites[0].max_body_size, 9 << 20);
    assert_int_equal(c->sites[1].max_body_size, 0);
    assert_int_equal(c->pools[0].queue, 7);
    assert_int_equal(c->pools[1].queue, 5);
    conf_free(c);
}

T(a_list_adds_up_within_a_rank_and_is_replaced_by_a_higher_one)
{
    static const char file[] =
        "[global]\nlisten = 127.0.0.1:1\nlisten = 127.0.0.1:2 127.0.0.1:3\ntrusted_proxies = 10.0.0.0/8, ::1\n"
        "[site a]\nindex = a.php\n";
    struct conf *c = load_right(file, NULL, NULL);
    assert_int_equal(c->global.n_listen, 3);
    assert_int_equal(c->global.listen[2].port, 3);
    assert_int_equal(c->global.trusted_proxies.n, 2);
    assert_int_equal(c->sites[0].index.n, 1);
    conf_free(c);

    c = load_right(file, FLAGS("listen", ":4", "listen", ":5"), ENV("PLIMSOLL_LISTEN=:9", "PLIMSOLL_TRUSTED_PROXIES=loopback"));
    assert_int_equal(c->global.n_listen, 2);
    assert_int_equal(c->global.listen[0].port, 4);
    assert_int_equal(c->global.listen[1].port, 5);
    assert_int_equal(c->global.trusted_proxies.n, 2);
    assert_int_equal(c->global.trusted_proxies.v[0].bits, 104);
    conf_free(c);
}

T(pairs_are_merged_key_by_key)
{
    struct conf *c =
        load_right("[pool www]\nenv[A] = 1\nenv[B] = 2\nphp_flag[display_errors] = On\nphp_admin_value[memory_limit] = 1G\n",
                   FLAGS("env[B]", "3", "php_admin_value[error_reporting]", "E_ALL & ~E_NOTICE"), NULL);
    const struct conf_pool *p = &c->pools[0];

    assert_int_equal(p->env.n, 2);
    assert_string_equal(p->env.v[0].value, "1");
    assert_string_equal(p->env.v[1].value, "3");
    assert_string_equal(p->php_flag.v[0].value, "1");
    assert_int_equal(p->php_admin_value.n, 2);
    assert_string_equal(p->php_admin_value.v[1].value, "32759");
    conf_free(c);
}

T(env_takes_a_variable_as_php_fpm_does)
{
    struct conf *c = load_right("[pool www]\nenv[A] = $HOST_A\nenv[B] = \"$NOT_SET\"\nenv[C] = $5 off\nenv[D] = $A/b\n",
                                FLAGS("env[E]", "$HOST_A"), ENV("HOST_A=a b"));
    const struct conf_pairs *env = &c->pools[0].env;
    const char *const want[] = {"a b", "", "$5 off", "$A/b", "$HOST_A"};

    assert_int_equal(env->n, 5);
    for (size_t i = 0; i < env->n; i++)
        assert_string_equal(env->v[i].value, want[i]);
    conf_free(c);
}

T(port_counts_only_without_a_listen)
{
    struct conf *c = load_right(NULL, NULL, ENV("PORT=8123"));
    assert_int_equal(c->global.n_listen, 1);
    assert_int_equal(c->global.listen[0].port, 8123);
    assert_string_equal(origin(c, SEC_GLOBAL, 0, "listen"), "environment PORT");
    conf_free(c);
    c = load_right("[global]\nlisten = :9000\n", NULL, ENV("PORT=8123"));
    assert_int_equal(c->global.listen[0].port, 9000);
    conf_free(c);
    load_wrong(NULL, NULL, ENV("PORT=80x"), "environment PORT: '80x' is not a port");
    load_wrong(NULL, NULL, ENV("PORT=65536"), "environment PORT");
}

T(relative_paths_are_relative_to_the_file_or_the_current_folder)
{
    struct conf *c =
        load_right("[global]\nerror_log = log/e.log\n[site a]\ndir = app\nsendfile_root = x ./y/../z\naccess_log = off\n",
                   FLAGS("pid", "run/p.pid"), NULL);
    char *want = folder_path("log/e.log");
    assert_string_equal(c->global.error_log, want);
    free(want);
    want = folder_path("run/p.pid");
    assert_string_equal(c->global.pid, want);
    free(want);
    want = folder_path("z");
    assert_string_equal(c->sites[0].sendfile_root.v[1], want);
    free(want);
    assert_null(c->sites[0].access_log);
    conf_free(c);
}

T(routes_keep_the_files_order_and_the_builtin_ones_follow)
{
    struct conf *c =
        load_right("[route z]\npath = /z/* /y/*\npath = \"/with blank/*\"\nphp = off\n[route a]\npath = *.pdf\nexpires = 1h\n"
                   "header = \"X-A: 1; 2\"\nheader = X-B: 2\nredirect = 301 https://x.example/\nallow = loopback\n",
                   NULL, NULL);

    assert_true(c->n_routes > 2);
    assert_string_equal(c->routes[0].name, "z");
    assert_int_equal(c->routes[0].path.n, 3);
    assert_string_equal(c->routes[0].path.v[2], "/with blank/*");
    assert_int_equal(c->routes[0].php, OFF);
    assert_int_equal(c->routes[0].expires_s, -1);
    assert_int_equal(c->routes[0].request_buffering, UNSET);
    assert_string_equal(c->routes[1].name, "a");
    assert_int_equal(c->routes[1].php, UNSET);
    assert_int_equal(c->routes[1].expires_s, 3600);
    assert_int_equal(c->routes[1].header.n, 2);
    assert_string_equal(c->routes[1].header.v[0], "X-A: 1; 2");
    assert_int_equal(c->routes[1].redirect_status, 301);
    assert_int_equal(c->routes[1].allow.n, 2);
    assert_true(c->routes[2].builtin);
    assert_false(c->routes[1].builtin);
    conf_free(c);
}

T(unknown_environment_variables_are_warned_of_but_kubernetes_own_are_not)
{
    struct conf *c =
        load_right(NULL, NULL, ENV("PLIMSOLL_WORKERS=3", "PLIMSOLL_PORT=tcp://10.0.0.1:80", "PLIMSOLL_SERVICE_HOST=x", "P=1"));

    assert_int_equal(c->warnings.n, 1);
    assert_non_null(strstr(c->warnings.v[0], "PLIMSOLL_WORKERS"));
    assert_non_null(strstr(c->warnings.v[0], "did you mean PLIMSOLL_PM_MAX_CHILDREN?"));
    conf_free(c);
}

T(every_mistake_is_told_with_its_line_and_the_nearest_right_name)
{
    const struct {
        const char *text, *error;
    } rows[] = {
        {"[global]\nlissten = :1\n", "/test.ini:2: unknown key 'lissten' in [global]; did you mean 'listen'?"},
        {"[global]\ncolour = red\n", "/test.ini:2: unknown key 'colour' in [global]"},
        {"[gobal]\n", "/test.ini:1: unknown section [gobal]; did you mean [global]?"},
        {"[www]\n", "/test.ini:1: unknown section [www]; write [pool www]"},
        {"[frontend main]\n", "there are [global], [site NAME], [pool NAME] and [route NAME]"},
        {"[global x]\n", "[global] takes no name"},
        {"[route]\n", "[route] needs a name"},
        {"[site a/b]\n", "[site] needs a name of at most 31 letters"},
        {"\nqueue = 1\n", "/test.ini:2: 'queue' stands before the first section"},
        {"[global]\nqueue = 1\n", "/test.ini:2: 'queue' belongs to [pool NAME], not to [global]"},
        {"[pool www]\nlog_format = json\n", "'log_format' belongs to [global], not to [pool www]"},
        {"[global]\nsend_timeout = 1\n\nsend_timeout = 2\n", "/test.ini:4: 'send_timeout' was set before, at "},
        {"[pool www]\nenv[A] = 1\nenv[A] = 2\n", "/test.ini:3: 'env[A]' was set before"},
        {"[pool www]\n[pool www]\n", "/test.ini:2: [pool www] is there already, in line 1"},
        {"[global]\n[global]\n", "/test.ini:2: [global] is there already, in line 1"},
        {"[pool]\n[pool www]\n", "[pool www] is there already"},
        {"[pool www]\nenv = 1\n", "write env[NAME] = value"},
        {"[pool www]\nenv[A = 1\n", "write env[NAME] = value"},
        {"[pool www]\nenv[1] = 1\n", "has a name that no environment variable can have"},
        {"[pool www]\nphp_value[a b] = 1\n", "write php_value[NAME] = value"},
        {"[pool www]\nphp_flag[x] = 2\n", "php_flag[x]: '2' is neither yes nor no"},
        {"[pool www]\nphp_value[error_reporting] = E_AL\n", "is neither a number nor an expression"},
        {"[pool www]\nqueue[x] = 1\n", "unknown key 'queue[x]'"},
        {"[pool www]\npm = dynamic\n", "/test.ini:2: pm: 'dynamic' is not possible: plimsoll keeps a fixed number"},
        {"[pool www]\npm.start_servers = 2\n", "'pm.start_servers' is not an option here: plimsoll keeps a fixed number"},
        {"[pool www]\npm.max_children = 0\n", "pm.max_children: '0' is not between 1 and 1024"},
        {"[pool www]\npm.max_children = many\n", "'many' is not a whole number"},
        {"[pool www]\nlisten = /run/php.sock\n", "set listen in [global]"},
        {"[pool www]\nrlimit_files = x\n", "'x' is neither a number nor unlimited"},
        {"[global]\nlog_level = loud\n", "log_level: 'loud' is none of error|warning|notice|debug"},
        {"[global]\nlisten = nowhere:80\n", "listen: 'nowhere:80' is not ADDR:PORT with a numeric address"},
        {"[global]\nlisten = :1\nlisten = :1\n", "/test.ini:3: listen: ':1' is given twice"},
        {"[global]\nready_fd = 1\n", "is not the number of an open descriptor"},
        {"[global]\nping.path = ping\n", "ping.path: 'ping' doesn't begin with /"},
        {"[site a]\nfront_controller = index.html\n", "doesn't end in .php"},
        {"[site a]\nfront_controller = ../x.php\n", "is not a plain path"},
        {"[site a]\nroot =\n", "root: '' is empty"},
        {"[route a]\npath = x\n", "has a pattern that begins with neither / nor *"},
        {"[route a]\npath = /x\nheader = nothing\n", "header: 'nothing' is not 'Name: value'"},
        {"[route a]\npath = /x\nheader = \"A: b\\nC: d\"\n", "holds a control character"},
        {"[route a]\npath = /x\nheader = content-length: 5\n", "is a field that only the server can set"},
        {"[route a]\npath = /x\nredirect = 200 /\n", "has a status other than"},
        {"[route a]\npath = /x\nredirect = javascript:x\n", "is not [STATUS] /path"},
        {"[route a]\npath = /x\nexpires = 1500ms\n", "is not a whole number of seconds"},
        {"[global]\nlocation = /x\n", "write a section [route NAME]"},
        {"[global]\nerror_log = ${NO_SUCH}\n", "/test.ini:2: environment variable NO_SUCH is not set"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        load_wrong(rows[i].text, NULL, NULL, rows[i].error);
}

T(mistakes_of_flags_and_environment_name_them)
{
    load_wrong(NULL, FLAGS("pm.max_children", "x"), NULL, "--workers: 'x' is not a whole number");
    load_wrong(NULL, FLAGS("php_admin_value[error_reporting]", "x"), NULL,
               "--define: php_admin_value[error_reporting]: 'x' is neither");
    load_wrong(NULL, NULL, ENV("PLIMSOLL_QUEUE=-1"), "environment PLIMSOLL_QUEUE: '-1' is not a whole number");
    load_wrong(NULL, FLAGS("nothing", "x"), NULL, "--nothing: not an option");
}

T(all_mistakes_are_collected)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;

    assert_int_equal(load("[global]\na = 1\nb = 2\n[pool www]\nc = 3\n", FLAGS("queue", "x"), NULL, &c, &errors), -1);
    assert_int_equal(errors.lines.n, 4);
    conf_errors_done(&errors);
}

T(a_flood_of_mistakes_is_cut)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    struct buf text = BUF_INIT;

    buf_printf(&text, "[global]\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "wrong%d = 1\n", i);
    buf_add(&text, "", 1);
    assert_int_equal(load(text.p, NULL, NULL, &c, &errors), -1);
    assert_int_equal(errors.lines.n, 100);
    assert_string_equal(errors.lines.v[99], "... and more");
    conf_errors_done(&errors);
    buf_done(&text);
}

T(a_missing_file_is_an_error_with_its_reason)
{
    char *path = folder_path("missing.ini");
    struct conf_args args = {.dir = "app", .file = "missing.ini", .cwd = folder};
    struct conf_errors errors = {0};
    struct conf *c = NULL;

    assert_int_equal(conf_load(&args, &c, &errors), -1);
    assert_int_equal(errors.lines.n, 1);
    assert_non_null(strstr(errors.lines.v[0], path));
    assert_non_null(strstr(errors.lines.v[0], "No such file"));
    conf_errors_done(&errors);
    free(path);
}

T(the_environment_can_name_the_file)
{
    char *path = folder_path("test.ini");
    char name[300];
    snprintf(name, sizeof name, "PLIMSOLL_CONFIG=%s", path);
    folder_write("test.ini", "[pool www]\nqueue = 17\n");
    struct conf *c = load_right(NULL, NULL, ENV(name));
    assert_int_equal(c->pools[0].queue, 17);
    conf_free(c);
    free(path);
}

T(the_control_path_is_found_even_where_the_rest_is_wrong)
{
    struct conf_errors errors = {0};
    struct conf_args args = {.cwd = folder, .file = "test.ini"};
    folder_write("test.ini", "[global]\nnonsense = 1\ncontrol = run/c.sock\n");

    char *path = conf_control_path(&args, &errors), *want = folder_path("run/c.sock");
    assert_string_equal(path, want);
    free(path);
    free(want);
    struct conf_pair flag = {.key = (char[]){"control"}, .value = (char[]){"/x.sock"}};
    args.flags = (struct conf_pairs){&flag, 1};
    path = conf_control_path(&args, &errors);
    assert_string_equal(path, "/x.sock");
    free(path);
    args = (struct conf_args){.cwd = folder};
    path = conf_control_path(&args, &errors);
    want = conf_default_control_path(geteuid(), NULL);
    assert_string_equal(path, want);
    free(path);
    free(want);
    assert_int_equal(errors.lines.n, 0);
    args.file = "missing.ini";
    assert_null(conf_control_path(&args, &errors));
    assert_int_equal(errors.lines.n, 1);
    conf_errors_done(&errors);
}

T(the_default_control_path_is_the_users_own)
{
    char *env[] = {(char[]){"XDG_RUNTIME_DIR=/tmp"}, NULL}, *gone[] = {(char[]){"XDG_RUNTIME_DIR=/no/such/folder"}, NULL};
    char *path = conf_default_control_path(0, env);
    assert_string_equal(path, "/run/plimsoll/control.sock");
    free(path);
    path = conf_default_control_path(1000, env);
    assert_string_equal(path, "/tmp/plimsoll.sock");
    free(path);
    path = conf_default_control_path(1000, gone);
    assert_string_equal(path, "/tmp/plimsoll-1000/control.sock");
    free(path);
}

T(check_prints_each_value_with_its_origin_as_text_and_json)
{
    struct conf *c = load_right("[pool www]\nenv[A] = 1\n[route r]\npath = /x\ndeny = yes\n", FLAGS("queue", "3"), NULL);
    char *text = NULL;
    size_t n;

    FILE *out = open_memstream(&text, &n);
    conf_print_effective(c, false, out);
    fclose(out);
    assert_non_null(strstr(text, "queue                        = 3                                ; --queue"));
    assert_non_null(strstr(text, "env[A]"));
    assert_non_null(strstr(text, "[route r]"));
    free(text);
    out = open_memstream(&text, &n);
    conf_print_effective(c, true, out);
    fclose(out);
    assert_non_null(strstr(text, "\"origin\": \"--queue\""));
    free(text);
    conf_free(c);
}

static char *effective(const struct conf *c)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    conf_print_effective(c, false, out);
    fclose(out);
    for (char *p = text, *end; (p = strstr(p, " ; "));) { // without the origins
        end = strchr(p, '\n');
        memmove(p, end, strlen(end) + 1);
    }
    return text;
}

T(what_check_prints_is_a_configuration_that_comes_to_the_same)
{
    struct conf *c = load_right(
        "[global]\nlisten = :1\nlisten = unix:/x\nping.response = \" a; b ${x} \\\"q\\\" \"\ntrusted_proxies = private\n"
        "[site a]\nserver_name = a b\nindex = \"x y.php\"\nindex = z.php\naccess_log = off\n[pool p]\nenv[A] = \n"
        "php_value[x] = 'it; is'\nrlimit_core = unlimited\n[route r]\npath = \"/a b/*\"\npath = /c /d\n"
        "header = \"A: b; c\"\nexpires = 1d\nredirect = 301 /z\nallow = ::1\n",
        NULL, (char *[]){(char[]){"x=1"}, NULL});
    char *first = effective(c);
    conf_free(c);
    // The printed file's own name is in its first line and in the route's builtin comments only.
    c = load_right(first, NULL, NULL);
    char *second = effective(c);
    assert_string_equal(second, first);
    conf_free(c);
    free(first);
    free(second);
}

#define CT(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
CLAIMS(CT(without_anything_the_defaults_hold), CT(flag_beats_environment_beats_file_beats_default),
       CT(flags_and_environment_set_the_first_site_and_pool_only),
       CT(a_list_adds_up_within_a_rank_and_is_replaced_by_a_higher_one), CT(pairs_are_merged_key_by_key),
       CT(env_takes_a_variable_as_php_fpm_does),
       CT(port_counts_only_without_a_listen), CT(relative_paths_are_relative_to_the_file_or_the_current_folder),
       CT(routes_keep_the_files_order_and_the_builtin_ones_follow),
       CT(unknown_environment_variables_are_warned_of_but_kubernetes_own_are_not),
       CT(every_mistake_is_told_with_its_line_and_the_nearest_right_name), CT(mistakes_of_flags_and_environment_name_them),
       CT(all_mistakes_are_collected), CT(a_flood_of_mistakes_is_cut), CT(a_missing_file_is_an_error_with_its_reason),
       CT(the_environment_can_name_the_file), CT(the_control_path_is_found_even_where_the_rest_is_wrong),
       CT(the_default_control_path_is_the_users_own), CT(check_prints_each_value_with_its_origin_as_text_and_json),
       CT(what_check_prints_is_a_configuration_that_comes_to_the_same))
