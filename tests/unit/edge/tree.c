// SPDX-License-Identifier: Apache-2.0
// The tree and the recorder of tree.h. The functions of req.c are stood in for here.
#include "tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdio.h"
#include "http/uri.h"

char tree_dir[64];
bool tree_is_root;
struct recorded recorded;
struct req_peer tree_peer;

char *tree_path(const char *below)
{
    return xasprintf("%s/%s", tree_dir, below);
}

void tree_write(const char *below, const char *text)
{
    char *path = tree_path(below);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    must(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
    close(fd);
    free(path);
}

void tree_no_descriptors(bool on)
{
    static rlim_t before;
    struct rlimit limit;

    must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (on) {
        int lowest = dup(0); // all below it are in use
        must(lowest >= 0);
        close(lowest);
        before = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)lowest;
    } else {
        limit.rlim_cur = before;
    }
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void make_folder(const char *below)
{
    char *path = tree_path(below);
    must(mkdir(path, 0755) == 0);
    free(path);
}

static void make_link(const char *below, const char *target)
{
    char *path = tree_path(below);
    char *to = target[0] == '@' ? tree_path(target + 1) : xstrdup(target); // @ = absolute, below tree_dir
    must(symlink(to, path) == 0);
    free(to);
    free(path);
}

static void make_special(void)
{
    char *path = tree_path("site/public/fifo");
    must(mkfifo(path, 0644) == 0);
    free(path);
    path = tree_path("site/public/socket");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    must(strlen(path) < sizeof addr.sun_path);
    strcpy(addr.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(fd >= 0 && bind(fd, (void *)&addr, sizeof addr) == 0);
    close(fd);
    free(path);
}

static void own(const char *below, uid_t uid)
{
    char *path = tree_path(below);
    must(lchown(path, uid, (gid_t)-1) == 0);
    free(path);
}

static const char *const folders[] = {
    "site",
    "site/public",
    "site/public/dir",
    "site/public/pages",
    "site/public/nothing",
    "site/public/foo.php",
    "site/public/uploads",
    "site/public/.git",
    "site/public/.well-known",
    "site/public/.well-known/acme",
    "site/.git",
    "site/config",
    "outside",
    "outside/.ssh",
    "store",
    "site/public/private",
    "site/public/sp ace",
    "site/public/admin",
    "site/.var",
    "site/public/i..",
};

static const char *const files[] = {
    "site/public/index.php",
    "site/public/hello.php",
    "site/public/style.css",
    "site/public/app.js",
    "site/public/photo.jpg",
    "site/public/dir/index.php",
    "site/public/pages/index.html",
    "site/public/foo.php/in.css",
    "site/public/uploads/evil.php",
    "site/public/uploads/photo.jpg",
    "site/public/.git/config",
    "site/public/.env",
    "site/public/.well-known/acme/token",
    "site/public/.well-known/.secret",
    "site/.git/config",
    "site/config/db.php",
    "outside/out.txt",
    "outside/lib.php",
    "outside/.hidden.txt",
    "outside/.ssh/id_rsa",
    "store/file.bin",
    "store/upload.php",
    "site/public/private/x.txt",
    "site/public/UPPER.PHP",
    "site/public/page.phtml",
    "site/public/old.php5",
    "site/public/a.phps",
    "site/public/lib.inc",
    "site/public/index.php~",
    "site/public/index.php.bak",
    "site/public/x.php.orig",
    "site/public/x.php.swp",
    "site/public/dot.php.",
    "site/public/space.php ",
    "site/public/x.php.txt",
    "site/public/x.PhP.save",
    "site/public/index.php.html",
    "site/public/sp ace/a b.css",
    "site/public/admin/page.php",
    "site/public/\xc3\xa4.css",
    "site/public/x.phpunit.js",
    "site/public/php",
    "site/public/incl.css",
    "site/.var/doc.pdf",
    "site/public/index.html",
    "site/public/uploads/.user.ini",
    "site/public/x.php\xc5\xbf",
};

static const char *const links[][2] = {
    {"in.css", "style.css"},
    {"chain.css", "in.css"},
    {"abs.css", "@site/public/style.css"},
    {"out.txt", "@outside/out.txt"},
    {"relative.txt", "../../outside/out.txt"},
    {"data", "@outside"},
    {"evil.jpg", "hello.php"},
    {"evil2.jpg", "../config/db.php"},
    {"run.php", "@outside/out.txt"},
    {"lib.php", "@outside/lib.php"},
    {"env.txt", ".env"},
    {"git.txt", "../.git/config"},
    {"hidden.txt", "@outside/.hidden.txt"},
    {"key.txt", "@outside/.ssh/id_rsa"},
    {"loop", "loop"},
    {"loop1", "loop2"},
    {"loop2", "loop1"},
    {"broken", "nowhere"},
    {"up.php", "uploads/evil.php"},
    {"pic.jpg", "uploads/photo.jpg"},
    {"slash", "/"},
    {"folder", "pages/"},
    {"notfolder", "style.css/"},
    {"self.css", "./pages/../style.css"},
    {"here", "."},
    {"null.txt", "/dev/null"},
};

void tree_make(void)
{
    strcpy(tree_dir, "/tmp/plimsoll-tree-XXXXXX");
    must(mkdtemp(tree_dir) && chmod(tree_dir, 0755) == 0);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder(folders[i]);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        tree_write(files[i], files[i]);
    tree_write("site/public/empty.txt", "");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        char *name = xasprintf("site/public/%s", links[i][0]);
        make_link(name, links[i][1]);
        free(name);
    }
    make_special();
    tree_is_root = geteuid() == 0;
    if (!tree_is_root)
        return;
    own("outside/out.txt", 12345);
    own("outside/lib.php", 12345);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void tree_remove(void)
{
    must(nftw(tree_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

// ---- the request ----

struct req *tree_req(const char *method, const char *host, const char *path_query)
{
    struct req *r = xcalloc(1, sizeof *r);

    memset(&recorded, 0, sizeof recorded);
    if (!tree_peer.client_addr[0]) {
        strcpy(tree_peer.client_addr, "192.0.2.7");
        strcpy(tree_peer.server_addr, "192.0.2.1");
        tree_peer.client_port = 40000;
        tree_peer.server_port = 8080;
    }
    r->magic = REQ_MAGIC;
    r->method = str_from(method);
    r->is_get = strcmp(method, "GET") == 0;
    r->is_head = strcmp(method, "HEAD") == 0;
    r->authority = str_from(host);
    r->target = str_from(path_query);
    uri_split(r->target, &r->path_raw, &r->query, &r->has_query);
    r->peer = &tree_peer;
    r->fields = xcalloc(32, sizeof *r->fields);
    r->content_length = -1;
    r->file_fd = -1;
    return r;
}

void tree_req_field(struct req *r, const char *name, const char *value)
{
    struct field *f = (struct field *)&r->fields[r->n_fields++];
    must(r->n_fields <= 32);
    *f = (struct field){str_from(name), str_from(value), field_id_of(str_from(name))};
}

void tree_req_free(struct req *r)
{
    fd_close(&r->file_fd);
    arena_reset(&r->arena);
    free((void *)r->fields);
    free(r);
}

const char *recorded_field(const char *name)
{
    for (unsigned i = 0; i < recorded.n_fields; i++)
        if (str_eq_nocase(recorded.fields[i].name, str_from(name)))
            return recorded.fields[i].value.p; // all values have a NUL behind them here
    return "";
}

// ---- what req.c does in the edge ----

struct str req_field(const struct req *r, enum field_id id)
{
    const struct field *f = field_find(r->fields, r->n_fields, id);
    return f ? f->value : (struct str){"", 0};
}

void req_add_extra(struct req *r, struct str name, struct str value)
{
    if (r->n_extra < sizeof r->extra / sizeof *r->extra)
        r->extra[r->n_extra++] = (struct field){name, value, field_id_of(name)};
}

static void record_field(struct req *r, struct field f)
{
    must(recorded.n_fields < sizeof recorded.fields / sizeof *recorded.fields);
    f.value = arena_str(&r->arena, f.value);
    recorded.fields[recorded.n_fields++] = f;
}

void req_head(struct req *r, unsigned status, const struct field *fields, size_t n, int64_t body_n)
{
    must(!recorded.status && !r->head_sent);
    r->head_sent = true;
    recorded.status = status;
    recorded.body_n = body_n;
    for (size_t i = 0; i < n; i++)
        record_field(r, fields[i]);
    for (unsigned i = 0; i < r->n_extra; i++)
        if (!recorded_field(r->extra[i].name.p)[0])
            record_field(r, r->extra[i]);
}

static void record_body(const char *p, size_t n)
{
    must(recorded.got + n < sizeof recorded.body && !recorded.ended);
    if (n)
        memcpy(recorded.body + recorded.got, p, n);
    recorded.got += n;
    recorded.body[recorded.got] = '\0';
}

size_t req_write(struct req *r, struct str a, struct str b, bool last)
{
    if (recorded.write_max && a.n > recorded.write_max)
        a.n = recorded.write_max;
    record_body(a.p, a.n);
    record_body(b.p, b.n);
    recorded.ended = last;
    return a.n + b.n;
}

void req_file(struct req *r, int fd, int64_t offset, int64_t n, bool last)
{
    char part[65536];

    must(n >= 0 && n < (int64_t)sizeof part && pread(fd, part, (size_t)n, offset) == n);
    record_body(part, (size_t)n);
    recorded.ended = last;
    close(fd);
}

void req_cut(struct req *r, const char *why)
{
    recorded.cut = recorded.ended = true;
}

void req_answer(struct req *r, unsigned status, const struct field *fields, size_t n, struct str content_type, struct str body)
{
    struct field all[17];
    if (n)
        memcpy(all, fields, n * sizeof *all);
    all[n] = (struct field){STR("Content-Type"), content_type, FIELD_CONTENT_TYPE};
    req_head(r, status, all, n + 1, (int64_t)body.n);
    (void)req_write(r, body, (struct str){"", 0}, true);
}

void req_fail(struct req *r, unsigned status, const char *why)
{
    req_answer(r, status, NULL, 0, STR("text/html"), STR("failed"));
}
