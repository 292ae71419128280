// SPDX-License-Identifier: Apache-2.0
// .user.ini files, [PATH=] and [HOST=] sections: settings that hold for a folder or a host. Runs in a worker at the start
// of each request. Owns the cache of what was read, one entry a folder: the merged settings from the document root down to
// it, kept for user_ini.cache_ttl seconds, as php-fpm does.
#include "php/php_int.h"

#include <string.h>

struct folder {
    time_t expires;
    HashTable settings;
};

static HashTable folders; // folder with slash -> struct folder

static void free_folder(zval *zv)
{
    struct folder *f = Z_PTR_P(zv);
    zend_hash_destroy(&f->settings);
    pefree(f, 1);
}

void engine__userini_init(void)
{
    zend_hash_init(&folders, 8, NULL, free_folder, 1);
}

// dir ends in a slash. Where it is inside the root, each folder on the way is read, the deepest last.
static void read_settings(struct folder *f, char *dir, size_t n, struct str root)
{
    zend_hash_clean(&f->settings);
    if (n >= root.n && !memcmp(dir, root.p, root.n) && dir[root.n] == '/') {
        for (char *slash = dir + root.n; (slash = strchr(slash, '/')); slash++) {
            *slash = '\0';
            (void)php_parse_user_ini_file(slash == dir ? "/" : dir, PG(user_ini_filename), &f->settings);
            *slash = '/';
        }
    } else
        (void)php_parse_user_ini_file(dir, PG(user_ini_filename), &f->settings);
}

static void activate_user_ini(char *dir, size_t n)
{
    time_t now = (time_t)sapi_get_request_time();
    struct folder *f = zend_hash_str_find_ptr(&folders, dir, n);
    struct str root = engine__now.job->var[JOB_DOCUMENT_ROOT];

    if (!f) {
        f = pecalloc(1, sizeof *f, 1);
        zend_hash_init(&f->settings, 0, NULL, config_zval_dtor, 1);
        zend_hash_str_update_ptr(&folders, dir, n, f);
    }
    if (now > f->expires) {
        if (root.n && root.p[root.n - 1] == '/')
            root.n--;
        read_settings(f, dir, n, root);
        f->expires = now + (time_t)PG(user_ini_cache_ttl);
    }
    if (zend_hash_num_elements(&f->settings))
        php_ini_activate_config(&f->settings, PHP_INI_PERDIR, PHP_INI_STAGE_HTACCESS);
}

static void activate_host(void)
{
    struct str host = engine__now.job->var[JOB_SERVER_NAME];
    char lower[256];

    if (!host.n || host.n >= sizeof lower)
        return;
    for (size_t i = 0; i <= host.n; i++)
        lower[i] = ascii_lower(host.p[i]);
    php_ini_activate_per_host_config(lower, host.n);
}

int engine__userini_activate(void)
{
    const char *script = SG(request_info).path_translated;
    bool user_ini = PG(user_ini_filename) && *PG(user_ini_filename);
    char dir[PATH_MAX];

    if (!engine__host || !script)
        return SUCCESS;
    if (php_ini_has_per_host_config())
        activate_host();
    if (!user_ini && !php_ini_has_per_dir_config())
        return SUCCESS;
    const char *slash = strrchr(script, '/');
    size_t n = slash ? (size_t)(slash - script) + 1 : 0;
    if (!n || n >= sizeof dir)
        return SUCCESS;
    memcpy(dir, script, n);
    dir[n] = '\0';
    if (php_ini_has_per_dir_config())
        php_ini_activate_per_dir_config(dir, n);
    if (user_ini)
        activate_user_ini(dir, n);
    return SUCCESS;
}
