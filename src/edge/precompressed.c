// SPDX-License-Identifier: Apache-2.0
// Choosing a precompressed sibling. Runs in the edge; owns a small table of hints, which siblings a file had a moment ago,
// so that files without any (nearly all) don't cost three look-ups each time.
// Invariant: a hint only says where to look. What is sent was resolved anew, by the same rules as the file itself.
#include "edge/precompressed.h"

#include <unistd.h>

#include "base/loop.h"
#include "edge/req.h"
#include "edge/resolve.h"

#define HINTS 1024        // a power of two
#define HINT_LIFE_MS 1000 // a new sibling is found this late at most

static struct hint {
    uint64_t key, until_ms;
    unsigned char exists; // 1 << coding
} hints[HINTS];

static bool is_compressible(const char *type)
{
    static const char *const begins[] = {"text/",
                                         "application/json",
                                         "application/javascript",
                                         "application/xml",
                                         "application/wasm",
                                         "application/manifest+json",
                                         "application/ld+json",
                                         "application/rss+xml",
                                         "application/atom+xml",
                                         "application/xhtml+xml",
                                         "application/vnd.ms-fontobject",
                                         "image/svg+xml",
                                         "image/bmp",
                                         "image/x-icon",
                                         "image/vnd.microsoft.icon",
                                         "font/ttf",
                                         "font/otf"};

    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(type, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static struct str sibling_name(struct req *r, enum coding coding)
{
    return arena_printf(&r->arena, "%.*s%s", STR_ARG(r->file_path), coding_extension(coding));
}

static bool open_sibling(struct req *r, enum coding coding, enum resolve_want want, struct resolved *ret)
{
    struct str name = sibling_name(r, coding);

    if (resolve(r->file_root, name.p, want, ret))
        return false;
    if (S_ISREG(ret->st.st_mode) && !path_is_source(str_from(ret->linked ? ret->real : name.p)))
        return true;
    close(ret->fd);
    return false;
}

static uint64_t hash(const struct root *root, struct str path)
{
    uint64_t h = 0xcbf29ce484222325u ^ (uint64_t)root->fd; // FNV-1a

    for (size_t i = 0; i < path.n; i++)
        h = (h ^ (unsigned char)path.p[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static unsigned existing(struct req *r)
{
    uint64_t key = hash(r->file_root, r->file_path), now = clock_ms();
    struct hint *h = &hints[key & (HINTS - 1)];

    if (h->key == key && now < h->until_ms)
        return h->exists;
    unsigned exists = 0;
    for (enum coding c = CODING_IDENTITY + 1; c < CODINGS; c++) {
        struct resolved res;
        if (open_sibling(r, c, RESOLVE_LOOK, &res)) {
            exists |= 1u << c;
            close(res.fd);
        }
    }
    *h = (struct hint){key, now + HINT_LIFE_MS, (unsigned char)exists};
    return exists;
}

void precompressed_choose(struct req *r, const char *type, struct representation *rep)
{
    enum coding liked[CODINGS];

    if (!r->site->precompressed || !r->file_root || !is_compressible(type))
        return;
    unsigned exists = existing(r);
    rep->varies = exists != 0;
    int n = exists ? negotiate_codings(req_field(r, FIELD_ACCEPT_ENCODING), liked) : 0;
    for (int i = 0; i < n; i++) {
        struct resolved res;
        if (!(exists & 1u << liked[i]) || !open_sibling(r, liked[i], RESOLVE_OPEN, &res))
            continue;
        // Made from an earlier state of the file: whole seconds, as tools that copy times keep no more.
        if (res.st.st_mtim.tv_sec < rep->mtime_s) {
            close(res.fd);
            continue;
        }
        close(rep->fd);
        *rep = (struct representation){.fd = res.fd,
                                       .size = res.st.st_size,
                                       .mtime_s = res.st.st_mtim.tv_sec,
                                       .mtime_ns = res.st.st_mtim.tv_nsec,
                                       .coding = liked[i],
                                       .varies = true};
        return;
    }
}
