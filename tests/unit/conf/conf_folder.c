// SPDX-License-Identifier: Apache-2.0
#include "conf_folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../claim.h"
#include "base/die.h"
#include "base/fdio.h"

char folder[256];

void folder_make(void)
{
    snprintf(folder, sizeof folder, "/tmp/plimsoll-conf-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return remove(path);
}

void folder_remove(void)
{
    assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

char *folder_path(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

void folder_write(const char *name, const char *text)
{
    char *path = folder_path(name);

    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        chmod(path, 0755);
        *slash = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    close(fd);
    free(path);
}

int load(const char *text, const char *const *flags, char **env, struct conf **ret_conf, struct conf_errors *errors)
{
    char *dir = folder_path("app"), *file = folder_path("test.ini");
    struct conf_pair pairs[16];
    struct conf_args args = {.dir = dir, .environ = env, .cwd = folder, .flags = {.v = pairs}};

    if (text) {
        folder_write("test.ini", text);
        args.file = file;
    }
    for (; flags && *flags; flags += 2) {
        assert_true(args.flags.n < sizeof pairs / sizeof *pairs);
        if (strcmp(flags[0], "DIR") == 0)
            args.dir = flags[1];
        else
            pairs[args.flags.n++] = (struct conf_pair){(char *)(uintptr_t)flags[0], (char *)(uintptr_t)flags[1]};
    }
    int rc = conf_load(&args, ret_conf, errors);
    free(dir);
    free(file);
    return rc;
}

static void print_errors(const struct conf_errors *e)
{
    for (size_t i = 0; i < e->lines.n; i++)
        print_message("%s\n", e->lines.v[i]);
}

struct conf *load_right(const char *text, const char *const *flags, char **env)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    int rc = load(text, flags, env, &c, &errors);

    print_errors(&errors);
    assert_int_equal(rc, 0);
    assert_int_equal(errors.lines.n, 0);
    conf_errors_done(&errors);
    return c;
}

void load_wrong(const char *text, const char *const *flags, char **env, const char *part)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    bool said = false;

    assert_int_equal(load(text, flags, env, &c, &errors), -1);
    assert_null(c);
    for (size_t i = 0; i < errors.lines.n; i++)
        said = said || strstr(errors.lines.v[i], part);
    if (!said) {
        print_message("wanted: %s\n", part);
        print_errors(&errors);
    }
    assert_true(said);
    conf_errors_done(&errors);
}
