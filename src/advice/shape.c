// SPDX-License-Identifier: Apache-2.0
// Directories recognised by what is inside. A pure function of the directory; owns nothing. Bounded: every opened directory and
// every name read is paid from the caller's budget, at most 512 names a directory are read and 6 children tried a level.
#include "advice/shape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 512
#define TRIES_MAX 6
#define DEPTH_MAX 8

static bool is_end(char c)
{
    return c == '\0' || c == '/' || c == ' ';
}

static bool in_class(char class, char c)
{
    bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';

    switch (class) {
    case 'h':
        return digit || (c >= 'a' && c <= 'f');
    case 'd':
        return digit;
    case 'w':
        return digit || upper || lower;
    case 's':
        return digit || upper || lower || c == ',' || c == '-';
    case 'B':
        return digit || upper || c == '+' || c == '-';
    case 'f':
        return digit || upper || lower || c == '+' || c == '-';
    case 'p':
        return digit || upper || lower || (c && strchr("+-_.", c));
    default:
        return false;
    }
}

bool shape_component_matches(const char *p, const char *name)
{
    while (!is_end(*p)) {
        if (*p == '*') {
            for (const char *rest = name;; rest++) {
                if (shape_component_matches(p + 1, rest))
                    return true;
                if (!*rest)
                    return false;
            }
        }
        if (*p != '%') {
            if (*p++ != *name++)
                return false;
            continue;
        }
        int n = 0;
        bool more = *++p == '+';
        if (more)
            p++;
        while (*p >= '0' && *p <= '9')
            n = n * 10 + (*p++ - '0');
        char class = *p++;
        for (n = n ? n : 1; n > 0; n--)
            if (!in_class(class, *name++))
                return false;
        while (more && in_class(class, *name))
            name++;
    }
    return *name == '\0';
}

static const char *next_component(const char *p)
{
    while (!is_end(*p))
        p++;
    return *p == '/' ? p + 1 : p;
}

static bool is_any_depth(const char *p)
{
    return p[0] == '*' && p[1] == '*' && p[2] == '/';
}

// A directory component has its slash; "" after a slash is the end of a directory pattern.
static bool is_directory(const char *p)
{
    while (!is_end(*p))
        p++;
    return *p == '/';
}

static bool pattern_has_inside(const char *p, const char *rel)
{
    char name[256];

    while (*rel) {
        size_t n = strcspn(rel, "/");
        if (is_any_depth(p) || *p == '\0' || *p == ' ')
            return true; // deeper than the pattern says
        if (n >= sizeof name || !is_directory(p))
            return false;
        memcpy(name, rel, n);
        name[n] = '\0';
        if (!shape_component_matches(p, name))
            return false;
        p = next_component(p);
        rel += n;
        rel += *rel == '/';
    }
    return true;
}

// Walks over the patterns of a shape: *io_p stands at one or is moved to the next; false at the end. *ret_alternative is set
// where a new alternative begins.
static bool next_pattern(const char **io_p, bool *ret_alternative)
{
    const char *p = *io_p;

    *ret_alternative = false;
    while (*p == ' ' || *p == '|') {
        *ret_alternative |= *p == '|';
        p++;
    }
    *io_p = p;
    return *p != '\0';
}

bool shape_has_inside(const char *shape, const char *rel)
{
    bool alternative;

    if (!*shape || !*rel)
        return true;
    for (const char *p = shape; next_pattern(&p, &alternative); p += strcspn(p, " "))
        if (pattern_has_inside(p, rel))
            return true;
    return false;
}

struct reading {
    DIR *dir;
    int fd; // of dir
    int left;
    struct shape_budget *budget;
};

// Opens `name` below dir_fd for reading ("." for itself).
static bool start_reading(struct reading *r, int dir_fd, const char *name, struct shape_budget *budget)
{
    if (budget->opens <= 0)
        return false;
    budget->opens--;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    r->dir = fdopendir(fd);
    if (!r->dir) {
        close(fd);
        return false;
    }
    r->fd = fd;
    r->left = NAMES_MAX;
    r->budget = budget;
    return true;
}

static const char *read_name(struct reading *r, bool *ret_directory)
{
    struct dirent *e;

    while (r->left > 0 && r->budget->names > 0 && (e = readdir(r->dir)) != NULL) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        r->left--;
        r->budget->names--;
        *ret_directory = e->d_type == DT_DIR;
        if (e->d_type == DT_UNKNOWN) {
            struct stat st;
            if (fstatat(r->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
                continue;
            *ret_directory = S_ISDIR(st.st_mode);
        }
        return e->d_name;
    }
    return NULL;
}

// Is there a path below dir_fd that matches the pattern p? "**/rest": rest here or in a directory below.
static bool is_there(int dir_fd, const char *p, int depth, struct shape_budget *io)
{
    struct reading r;
    const char *name, *next = next_component(p);
    bool any_depth = is_any_depth(p), wants_directory = is_directory(p), last = *next == '\0' || *next == ' ';
    bool directory, found = any_depth && is_there(dir_fd, next, depth + 1, io);
    int tries = TRIES_MAX;

    if (found || depth >= DEPTH_MAX || !start_reading(&r, dir_fd, ".", io))
        return found;
    while (!found && tries > 0 && (name = read_name(&r, &directory)) != NULL) {
        if (directory != wants_directory || (!any_depth && !shape_component_matches(p, name)))
            continue;
        if (last && !any_depth) {
            found = true;
            break;
        }
        tries--;
        int fd = openat(r.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            continue;
        found = is_there(fd, any_depth ? p : next, depth + 1, io);
        close(fd);
    }
    closedir(r.dir);
    return found;
}

// A pattern of one component: do the files in the directory itself mostly look so?
static bool files_are(int dir_fd, const char *p, struct shape_budget *io)
{
    struct reading r;
    const char *name;
    bool directory;
    int64_t bytes = 0, matched_bytes = 0, n = 0, matched = 0;

    if (!start_reading(&r, dir_fd, ".", io))
        return false;
    while ((name = read_name(&r, &directory)) != NULL) {
        struct stat st;
        if (directory || fstatat(r.fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        bool is = shape_component_matches(p, name);
        n++;
        matched += is;
        bytes += (int64_t)st.st_blocks * 512;
        matched_bytes += is ? (int64_t)st.st_blocks * 512 : 0;
    }
    closedir(r.dir);
    return matched > 0 && (matched_bytes * 3 >= bytes || matched * 2 >= n);
}

static bool pattern_matches(int dir_fd, const char *p, struct shape_budget *io)
{
    const char *end = p + strcspn(p, " ");

    if (!memchr(p, '/', (size_t)(end - p)))
        return files_are(dir_fd, p, io);
    return is_there(dir_fd, p, 0, io);
}

bool shape_matches(int dir_fd, const char *shape, struct shape_budget *io)
{
    bool all = true, alternative;

    if (!*shape)
        return true;
    for (const char *p = shape; next_pattern(&p, &alternative); p += strcspn(p, " ")) {
        if (alternative && all)
            return true;
        if (alternative)
            all = true;
        all = all && pattern_matches(dir_fd, p, io);
    }
    return all;
}
