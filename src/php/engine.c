// SPDX-License-Identifier: Apache-2.0
// Starts PHP in the mold and makes it a worker's after the fork. Owns the SAPI module and the extension "plimsoll" that
// holds our functions. Invariant: PHP is started once and never shut down; processes that have it end with _exit.
#include "php/php_int.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <zend_extensions.h>
#include <zend_signal.h>
#include <ext/standard/basic_functions.h>
#include <ext/standard/info.h>
#if PHP_VERSION_ID >= 80200
#include <ext/random/php_random.h>
#else
#include <ext/standard/php_lcg.h>
#endif

#include "ipc/msg_types.h"
#include "ipc/pool_spec.h"

#define SAPI_NAME "plimsoll"
// Up to 8.4 OPcache serves only a list of SAPI names. It asks at a moment after PHP_SAPI was made, so the name can be
// another one for that long.
#define OPCACHE_NAME "fpm-fcgi"

const struct engine_host *engine__host;
struct engine_now engine__now;
bool engine__opcache_on;

static zend_op_array *(*compile_before_opcache)(zend_file_handle *, int);
static zend_result (*next_post_startup)(void);

// ---- the extension ----

// OPcache hooks the compiler in its own post-startup callback, which runs ours first.
static zend_result on_post_startup(void)
{
    compile_before_opcache = zend_compile_file;
    return next_post_startup ? next_post_startup() : SUCCESS;
}

static PHP_MINIT_FUNCTION(plimsoll)
{
#if PHP_VERSION_ID < 80500
    sapi_module.name = (char *)(uintptr_t)OPCACHE_NAME;
#endif
    compile_before_opcache = zend_compile_file;
    next_post_startup = zend_post_startup_cb;
    zend_post_startup_cb = on_post_startup;
    engine__ini_read();
    engine__vars_init();
    return SUCCESS;
}

// The last place where a request's memory figures are whole. From here on nobody reads the body any more: PHP would drain
// what is left of it, which the edge does not need.
static PHP_RSHUTDOWN_FUNCTION(plimsoll)
{
    engine__now.peak_bytes = zend_memory_peak_usage(true);
    SG(post_read) = 1;
    return SUCCESS;
}

static PHP_MINFO_FUNCTION(plimsoll)
{
    php_info_print_table_start();
    php_info_print_table_row(2, "Plimsoll", PLIMSOLL_VERSION);
    php_info_print_table_end();
}

static zend_module_entry plimsoll_module = {
    STANDARD_MODULE_HEADER,
    "plimsoll",
    engine__functions,
    PHP_MINIT(plimsoll),
    NULL,
    NULL,
    PHP_RSHUTDOWN(plimsoll),
    PHP_MINFO(plimsoll),
    PLIMSOLL_VERSION,
    STANDARD_MODULE_PROPERTIES,
};

// ---- the SAPI module ----

static char *read_cookies(void)
{
    return (char *)(uintptr_t)engine__now.cookies.p;
}

// The last moment of a request's memory.
static int deactivate(void)
{
    if (engine__now.cookies_owned)
        efree((void *)(uintptr_t)engine__now.cookies.p);
    if (SG(request_info).path_translated)
        efree(SG(request_info).path_translated);
    engine__now.cookies_owned = false;
    engine__now.cookies = (struct str){NULL, 0};
    SG(request_info).path_translated = NULL;
    return SUCCESS;
}

static int startup(sapi_module_struct *sapi)
{
#if PHP_VERSION_ID >= 80200
    return php_module_startup(sapi, &plimsoll_module);
#else
    return php_module_startup(sapi, &plimsoll_module, 1);
#endif
}

static sapi_module_struct plimsoll_sapi = {
    .name = (char *)(uintptr_t)SAPI_NAME,
    .pretty_name = (char *)(uintptr_t) "Plimsoll",
    .startup = startup,
    .shutdown = php_module_shutdown_wrapper,
#if PHP_VERSION_ID >= 80500
    .pre_request_init = engine__userini_activate, // early enough for post_max_size to hold
#else
    .activate = engine__userini_activate,
#endif
    .deactivate = deactivate,
    .ub_write = engine__output_write,
    .flush = engine__output_flush,
    .getenv = engine__vars_getenv,
    .sapi_error = php_error,
    .send_headers = engine__output_send_headers,
    .read_post = engine__output_read_post,
    .read_cookies = read_cookies,
    .register_server_variables = engine__vars_register,
    .log_message = engine__output_log,
    .php_ini_ignore_cwd = 1,
};

// ---- start ----

// Debian's libphps of all versions bear one name for the loader, which takes the newest: after an upgrade it may be another than
// this program was built for, and nothing in it would be where we look. php_version_id() came between 8.2 and 8.4.
static bool is_built_for(char *ret_why, size_t why_cap)
{
    unsigned (*version_id)(void) = (unsigned (*)(void))dlsym(RTLD_DEFAULT, "php_version_id");
    unsigned found = version_id ? version_id() / 100 : 0;
    char name[32] = "an older one";

    if (version_id ? found == PHP_VERSION_ID / 100 : PHP_VERSION_ID < 80400)
        return true;
    if (found)
        snprintf(name, sizeof name, "PHP %u.%u", found / 100, found % 100);
    snprintf(ret_why, why_cap,
             "plimsoll-php was built for PHP %d.%d, but the libphp.so that the system has for it is %s: build it anew, or name a folder "
             "with the right libphp.so in LD_LIBRARY_PATH",
             PHP_MAJOR_VERSION, PHP_MINOR_VERSION, name);
    return false;
}

int engine_start(const struct pool_spec *spec, char *ret_why, size_t why_cap)
{
    if (!is_built_for(ret_why, why_cap))
        return -1;
    // Huge pages make forks of a large mold cheap, but a worker's first write then copies 2 MB; PHP's default stays.
    signal(SIGPIPE, SIG_IGN);
#ifdef ZTS
#if PHP_VERSION_ID >= 80300
    php_tsrm_startup_ex(1);
#else
    php_tsrm_startup();
#endif
#endif
    zend_signal_startup();
    if (engine__ini_prepare(spec, &plimsoll_sapi, ret_why, why_cap) < 0)
        return -1;
    sapi_startup(&plimsoll_sapi); // forgets ini_entries
    plimsoll_sapi.ini_entries = (char *)(uintptr_t)engine__ini_entries();
    sapi_module.ini_entries = plimsoll_sapi.ini_entries;
    if (startup(&plimsoll_sapi) == FAILURE) {
        snprintf(ret_why, why_cap, "php_module_startup failed");
        return -1;
    }
    sapi_module.name = (char *)(uintptr_t)SAPI_NAME;
    engine__opcache_on = zend_get_extension("Zend OPcache") && zend_compile_file != compile_before_opcache;
    engine__ini_lock(spec);
    engine__vars_hook();
    engine__body_init();
    engine__errors_init();
    return 0;
}

static void copy_z(char *dst, size_t cap, const char *src)
{
    snprintf(dst, cap, "%s", src ? src : "");
}

void engine_describe(struct msg_mold_ready *ret_ready)
{
    memset(ret_ready, 0, sizeof *ret_ready);
    copy_z(ret_ready->php_version, sizeof ret_ready->php_version, PHP_VERSION);
    const zval *ini_path = cfg_get_entry("cfg_file_path", sizeof("cfg_file_path") - 1);
    copy_z(ret_ready->ini_path, sizeof ret_ready->ini_path, ini_path ? Z_STRVAL_P(ini_path) : NULL);
    copy_z(ret_ready->upload_tmp_dir, sizeof ret_ready->upload_tmp_dir, PG(upload_tmp_dir));
    ret_ready->memory_limit = PG(memory_limit) < 0 ? UINT64_MAX : (uint64_t)PG(memory_limit);
    ret_ready->post_max_size = SG(post_max_size) < 0 ? 0 : (uint64_t)SG(post_max_size);
    ret_ready->upload_max_filesize = (uint64_t)PG(upload_max_filesize);
    ret_ready->opcache_on = engine__opcache_on;
#ifdef ZTS
    ret_ready->zts = 1;
#endif
}

// ---- after the fork ----

// What was drawn in the mold (a preload script may have) must not repeat in every worker.
static void forget_random(void)
{
#if PHP_VERSION_ID >= 80400
    RANDOM_G(mt19937_seeded) = false;
    RANDOM_G(combined_lcg_seeded) = false;
    RANDOM_G(fallback_seed_state).initialized = false;
#elif PHP_VERSION_ID >= 80200
    RANDOM_G(mt19937_seeded) = false;
    RANDOM_G(combined_lcg_seeded) = false;
#else
    BG(mt_rand_is_seeded) = 0;
    LCG(seeded) = 0;
#endif
}

void engine_child_init(const struct engine_host *host)
{
    engine__host = host;
#if PHP_VERSION_ID >= 80500
    php_child_init(); // memory manager's key and timers
#elif defined(ZEND_MAX_EXECUTION_TIMERS)
    zend_max_execution_timer_init();
#endif
#if defined(ZEND_SIGNALS) && !defined(ZTS)
    zend_signal_startup(); // takes the child's dispositions for the default ones
#endif
    forget_random();
    engine__userini_init();
}
