// SPDX-License-Identifier: Apache-2.0
// Which server a process is. Owns nothing. Invariant: what a process says of itself (title, name) only ever names it; where its
// executable can be seen, a title that doesn't fit it isn't believed.
#include "mem/proc_roles.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/utf8.h"

#define ELF_ITEMS 128        // program and section headers looked at
#define NOTE_MAX 4096        // bytes of a note segment looked at
#define BUILD_INFO_MAX 32768 // bytes of Go's build info looked at: the main module and its dependencies

const char *proc_role_name(enum proc_role role)
{
    static const char *const names[] = {
#define X(id, name) [ROLE_##id] = name,
        PROC_ROLES(X)
#undef X
    };
    return (unsigned)role < ROLE_N ? names[role] : names[ROLE_OTHER];
}

const char *sight_name(enum sight sight)
{
    static const char *const names[] = {"full", "docker", "none"};
    return (unsigned)sight <= SIGHT_NONE ? names[sight] : names[SIGHT_NONE];
}

void proc_roles_clean(const char *text, size_t n, char *ret, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t out = 0;

    for (size_t i = 0; i < n;) {
        size_t length = utf8_length(p + i, n - i);
        // C1 controls are as bad on a terminal as C0's.
        bool shown = length && p[i] >= ' ' && p[i] != 0x7f && !(length == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);
        if (!shown)
            length = length ? length : 1;
        if (out + (shown ? length : 1) >= size)
            break;
        if (shown)
            memcpy(ret + out, p + i, length);
        else
            ret[out] = '?';
        out += shown ? length : 1;
        i += length;
    }
    if (size)
        ret[out] = '\0';
}

static struct str base_name(struct str path)
{
    for (size_t i = path.n; i-- > 0;) {
        if (path.p[i] == '/')
            return (struct str){path.p + i + 1, path.n - i - 1};
    }
    return path;
}

static bool is_php_cli(struct str name)
{
    if (str_starts(name, STR("php-cli")) || str_starts(name, STR("php-cgi")) || str_eq(name, STR("php")) ||
        str_eq(name, STR("php.default")))
        return true;
    return str_starts(name, STR("php")) && name.n > 3 && name.p[3] >= '5' && name.p[3] <= '9';
}

// By the first argument or title alone: `line` holds all arguments, NULs between.
static enum proc_role by_title(struct str line)
{
    static const struct {
        struct str title;
        enum proc_role role;
    } titles[] = {
        {STR("php-fpm: master process"), ROLE_FPM_MASTER},
        {STR("php-fpm: pool "), ROLE_FPM_WORKER},
        {STR("nginx: "), ROLE_NGINX},
        {STR("plimsoll: master"), ROLE_PLIMSOLL_MASTER},
        {STR("plimsoll: edge"), ROLE_PLIMSOLL_EDGE},
        {STR("plimsoll: mold"), ROLE_PLIMSOLL_MOLD},
        {STR("plimsoll: worker"), ROLE_PLIMSOLL_WORKER},
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (str_starts(line, titles[i].title))
            return titles[i].role;
    }
    return ROLE_OTHER;
}

static enum proc_role by_name(struct str name)
{
    if (str_starts(name, STR("frankenphp")))
        return ROLE_FRANKENPHP;
    if (str_eq(name, STR("caddy")))
        return ROLE_CADDY;
    if (str_starts(name, STR("php-fpm")))
        return ROLE_FPM_MASTER;
    if (str_eq(name, STR("apache2")) || str_eq(name, STR("httpd")) || str_eq(name, STR("apache2-foregroun")))
        return ROLE_APACHE;
    if (str_eq(name, STR("nginx")))
        return ROLE_NGINX;
    if (str_eq(name, STR("rr")) || str_eq(name, STR("roadrunner")))
        return ROLE_ROADRUNNER;
    if (str_eq(name, STR("plimsoll-xray")))
        return ROLE_XRAY;
    if (str_eq(name, STR("plimsoll: maste")) || str_eq(name, STR("plimsoll")))
        return ROLE_PLIMSOLL_MASTER;
    if (str_eq(name, STR("plimsoll: edge")))
        return ROLE_PLIMSOLL_EDGE;
    if (str_eq(name, STR("plimsoll-mold")) || str_eq(name, STR("plimsoll-php")))
        return ROLE_PLIMSOLL_MOLD;
    if (str_eq(name, STR("plimsoll-worker")))
        return ROLE_PLIMSOLL_WORKER;
    return is_php_cli(name) ? ROLE_PHP_CLI : ROLE_OTHER;
}

// Can an executable of this name be in this role?
static bool fits(enum proc_role role, struct str exe)
{
    switch (role) {
    case ROLE_FPM_MASTER:
    case ROLE_FPM_WORKER:
        return str_starts(exe, STR("php"));
    case ROLE_NGINX:
        return str_starts(exe, STR("nginx")) || str_starts(exe, STR("openresty")) || str_starts(exe, STR("angie"));
    case ROLE_PLIMSOLL_MASTER:
    case ROLE_PLIMSOLL_EDGE:
    case ROLE_PLIMSOLL_MOLD:
    case ROLE_PLIMSOLL_WORKER:
        return str_starts(exe, STR("plimsoll"));
    default:
        return true;
    }
}

// `frankenphp php-cli SCRIPT` is no server but a script, a queue's worker perhaps, beside it.
static enum proc_role server_or_script(struct str line)
{
    size_t first = strnlen(line.p, line.n) + 1;

    if (first >= line.n)
        return ROLE_FRANKENPHP;
    struct str command = {line.p + first, strnlen(line.p + first, line.n - first)};
    return str_eq(command, STR("php-cli")) ? ROLE_PHP_CLI : ROLE_FRANKENPHP;
}

static enum proc_role kind_of(const struct role_clues *c)
{
    struct str line = {c->cmdline, c->cmdline_n}, exe = base_name(str_from(c->exe)), deleted = STR(" (deleted)");

    if (str_ends(exe, deleted))
        exe.n -= deleted.n; // replaced by an upgrade while it runs
    enum proc_role role = by_title(line);
    if (role != ROLE_OTHER && (!exe.n || fits(role, exe)))
        return role;
    // With PHP linked in there is no libphp to see; its name tells it from a Caddy.
    if (c->frankenphp || (c->go && c->php) || (c->caddy && by_name(exe) == ROLE_FRANKENPHP))
        return ROLE_FRANKENPHP;
    if (c->caddy)
        return ROLE_CADDY;
    if (c->roadrunner)
        return ROLE_ROADRUNNER;
    if (exe.n) {
        role = by_name(exe);
        // plimsoll and plimsoll-php are several processes each: their names tell which.
        if (role == ROLE_PLIMSOLL_MASTER || role == ROLE_PLIMSOLL_MOLD) {
            enum proc_role named = by_name(str_from(c->comm));
            role = fits(named, STR("plimsoll")) && named >= ROLE_PLIMSOLL_MASTER ? named : role;
        }
    } else {
        role = by_name(base_name((struct str){line.p, strnlen(line.p, line.n)}));
        role = role == ROLE_OTHER ? by_name(str_from(c->comm)) : role;
    }
    if (role == ROLE_OTHER && c->mod_php)
        return ROLE_APACHE;
    return role == ROLE_OTHER && c->go ? ROLE_GO : role;
}

enum proc_role proc_roles_of(const struct role_clues *c)
{
    enum proc_role role = kind_of(c);

    return role == ROLE_FRANKENPHP ? server_or_script((struct str){c->cmdline, c->cmdline_n}) : role;
}

void proc_roles_pool(const struct role_clues *c, char ret_pool[32])
{
    static const struct str titles[] = {STR("php-fpm: pool "), STR("plimsoll: mold "), STR("plimsoll: worker ")};
    struct str line = {c->cmdline, strnlen(c->cmdline, c->cmdline_n)};

    ret_pool[0] = '\0';
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (!str_starts(line, titles[i]))
            continue;
        struct str pool = str_trim((struct str){line.p + titles[i].n, line.n - titles[i].n});
        proc_roles_clean(pool.p, pool.n, ret_pool, 32);
        return;
    }
}

void proc_roles_look_at_mapping(const char *path, struct role_clues *io)
{
    const char *slash = strrchr(path, '/');
    struct str name = str_from(slash ? slash + 1 : path);
    bool module = str_starts(name, STR("mod_php"));

    if (!module && !str_starts(name, STR("libphp")))
        return;
    io->php = true;
    if (module || strstr(path, "/apache2/") || strstr(path, "/httpd/"))
        io->mod_php = true;
}

static bool read_at(int fd, uint64_t at, void *buf, size_t n)
{
    ssize_t got;

    if (at > INT64_MAX)
        return false;
    do
        got = pread(fd, buf, n, (off_t)at);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n;
}

// Go's linker leaves a note of its own in every program, also in stripped ones and those linked by a C compiler.
static bool has_go_note(int fd, uint64_t at, uint64_t size)
{
    unsigned char raw[NOTE_MAX];
    size_t n = size < sizeof raw ? (size_t)size : sizeof raw, i = 0;

    if (!read_at(fd, at, raw, n))
        return false;
    while (n - i >= 16) {
        Elf64_Nhdr note;
        memcpy(&note, raw + i, sizeof note);
        size_t name = ((size_t)note.n_namesz + 3) & ~(size_t)3, desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (note.n_namesz == 4 && note.n_type == 4 && memcmp(raw + i + sizeof note, "Go\0", 4) == 0)
            return true;
        if (name > n || desc > n || sizeof note + name + desc > n - i)
            return false;
        i += sizeof note + name + desc;
    }
    return false;
}

// The names of the modules that a Go program is built from, as text behind its build info's header.
static void look_at_modules(const char *text, size_t n, struct role_clues *io)
{
    io->go = true;
    io->frankenphp = io->frankenphp || memmem(text, n, "/frankenphp", 11);
    io->caddy = io->caddy || memmem(text, n, "github.com/caddyserver/caddy", 28);
    io->roadrunner = io->roadrunner || memmem(text, n, "github.com/roadrunner-server/roadrunner", 39) ||
                     memmem(text, n, "github.com/spiral/roadrunner", 28);
}

// The section .go.buildinfo: 32 bytes of header (magic, flags: bit 1 says that texts follow), then version and modules.
static void look_at_build_info(int fd, const Elf64_Ehdr *e, struct role_clues *io)
{
    static const char magic[] = "\xff Go buildinf:";
    char raw[BUILD_INFO_MAX];

    if (e->e_shentsize != sizeof(Elf64_Shdr))
        return;
    for (unsigned i = 0; i < e->e_shnum && i < ELF_ITEMS; i++) {
        Elf64_Shdr s;
        if (!read_at(fd, e->e_shoff + i * sizeof s, &s, sizeof s))
            return;
        if (s.sh_type != SHT_PROGBITS || !(s.sh_flags & SHF_ALLOC) || s.sh_flags & SHF_EXECINSTR || s.sh_size < 32)
            continue;
        size_t n = s.sh_size < sizeof raw ? (size_t)s.sh_size : sizeof raw;
        if (!read_at(fd, s.sh_offset, raw, 32) || memcmp(raw, magic, sizeof magic - 1) != 0)
            continue;
        io->go = true;
        if (raw[15] & 2 && read_at(fd, s.sh_offset, raw, n))
            look_at_modules(raw + 32, n - 32, io);
        return;
    }
}

void proc_roles_look_at_exe(int exe_fd, struct role_clues *io)
{
    Elf64_Ehdr e;

    if (!read_at(exe_fd, 0, &e, sizeof e) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_CLASS] != ELFCLASS64 ||
        e.e_ident[EI_DATA] != ELFDATA2LSB || e.e_phentsize != sizeof(Elf64_Phdr))
        return;
    for (unsigned i = 0; i < e.e_phnum && i < ELF_ITEMS && !io->go; i++) {
        Elf64_Phdr p;
        if (!read_at(exe_fd, e.e_phoff + i * sizeof p, &p, sizeof p))
            return;
        if (p.p_type == PT_NOTE && has_go_note(exe_fd, p.p_offset, p.p_filesz))
            io->go = true;
    }
    look_at_build_info(exe_fd, &e, io);
}
