// SPDX-License-Identifier: Apache-2.0
// Will mail() work? With no_new_privs a setuid or setgid program keeps the caller's rights, so a sendmail that relies on
// them (exim itself; Postfix's, which runs the setgid postdrop) fails at the first mail. Runs in the master and the cli.
// Owns nothing; only warns.
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fdio.h"
#include "conf/conf_int.h"

#define INI_MAX (1u << 20)

static const char *pair_value(const struct conf_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (strcmp(pairs->v[i].key, key) == 0)
            return pairs->v[i].value;
    return NULL;
}

// The last sendmail_path of a php.ini, into ret_value.
static bool path_of_ini(const char *file, char *ret_value, size_t size)
{
    char *text;
    bool any = false;

    if (fd_read_file(-1, file, INI_MAX, &text, NULL) != 0)
        return false;
    struct str rest = str_from(text), line;
    while (str_next(&rest, '\n', &line)) {
        if (!str_starts(line, STR("sendmail_path")))
            continue;
        size_t eq = str_find(line, '=');
        if (eq == SIZE_MAX)
            continue;
        struct str v = str_trim((struct str){line.p + eq + 1, line.n - eq - 1});
        if (v.n && v.p[0] == '"')
            v.p++, v.n--;
        any = v.n > 0;
        snprintf(ret_value, size, "%.*s", STR_ARG(v));
    }
    free(text);
    return any;
}

static bool path_of_php_ini(const struct conf_pool *p, char *ret_value, size_t size)
{
    char file[4096];
    bool any = false;
    glob_t g;

    if (p->php_ini) {
        snprintf(file, sizeof file, "%s/php.ini", p->php_ini);
        return path_of_ini(p->php_ini, ret_value, size) || path_of_ini(file, ret_value, size);
    }
    if (glob("/etc/php/*/fpm/php.ini", 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++)
            any = path_of_ini(g.gl_pathv[i], ret_value, size) || any;
        globfree(&g);
    }
    return any;
}

static bool gains_rights(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID));
}

void conf__warn_of_sendmail(struct load *l)
{
    char command[1024];

    for (size_t i = 0; i < l->conf->n_pools; i++) {
        const struct conf_pool *p = &l->conf->pools[i];
        const char *given = pair_value(&p->php_admin_value, "sendmail_path");
        if (!given)
            given = pair_value(&p->php_value, "sendmail_path");
        if (given)
            snprintf(command, sizeof command, "%s", given);
        else if (!path_of_php_ini(p, command, sizeof command))
            snprintf(command, sizeof command, "/usr/sbin/sendmail");
        command[strcspn(command, " \t\"")] = '\0';
        if (!p->no_new_privs || !command[0])
            continue;
        const char *culprit = gains_rights(command) ? command : NULL;
        if (!culprit && access(command, X_OK) == 0 && strcmp(command, "/usr/sbin/sendmail") == 0 &&
            gains_rights("/usr/sbin/postdrop"))
            culprit = "/usr/sbin/postdrop";
        if (culprit)
            conf__warn(l,
                       "pool %s: mail() runs %s, and %s is setuid or setgid, which no_new_privs makes useless: set no_new_privs "
                       "= no, or "
                       "a sendmail_path that speaks SMTP (msmtp)",
                       p->name, command, culprit);
    }
}
