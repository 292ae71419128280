// SPDX-License-Identifier: Apache-2.0
// The configuration file's sections and keys: makes the objects, gives them their defaults, sets what the file says.
// Runs in the master and the cli. Invariant: a section or key that is refused leaves an error line with file and line, and
// reading goes on behind it.
#include <string.h>

#include "base/die.h"
#include "conf/conf_int.h"
#include "conf/ini.h"

enum { SITES_MAX = 256, POOLS_MAX = 64, ROUTES_MAX = 1024 };

static const struct {
    const char *word;
    enum conf_section section;
    bool named;
    const char *unnamed; // what [site] and [pool] alone are called
    size_t most;
} section_words[] = {
    {"global", SEC_GLOBAL, false, NULL, 1},
    {"site", SEC_SITE, true, "default", SITES_MAX},
    {"pool", SEC_POOL, true, "www", POOLS_MAX},
    {"route", SEC_ROUTE, true, NULL, ROUTES_MAX},
};
enum { N_SECTION_WORDS = sizeof section_words / sizeof *section_words };

static int section_word(const char *word)
{
    for (int i = 0; i < N_SECTION_WORDS; i++)
        if (strcmp(section_words[i].word, word) == 0)
            return i;
    return -1;
}

static void make_objects(struct load *l, const struct conf_file *f)
{
    struct conf *c = l->conf;
    size_t n[N_SECTION_WORDS] = {0};

    for (size_t i = 0; i < f->n; i++) {
        int w = f->items[i].type == INI_SECTION ? section_word(f->items[i].key) : -1;
        if (w >= 0)
            n[w]++;
    }
    c->sites = arena_calloc(&c->arena, (n[1] + 1) * sizeof *c->sites);
    c->pools = arena_calloc(&c->arena, (n[2] + 1) * sizeof *c->pools);
    c->routes = arena_calloc(&c->arena, (n[3] + 1) * sizeof *c->routes);
}

static void set_defaults(struct load *l, enum conf_section s, unsigned index)
{
    void *object = conf__object(l->conf, s, index);

    for (size_t i = 0; i < conf_n_options; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->section != s)
            continue;
        void *field = (char *)object + o->offset;
        if (o->def) {
            struct conf_assign as = {
                .option = o, .index = index, .text = o->def, .layer = LAYER_DEFAULT, .where = "default", .base = l->cwd};
            must(conf__assign(l, &as));
        } else if (o->kind == KIND_SIZE64 || o->kind == KIND_TIME64 || o->kind == KIND_SECONDS || o->kind == KIND_RLIMIT) {
            *(int64_t *)field = -1;
        } else if (o->kind == KIND_TRI) {
            *(enum tristate *)field = UNSET;
        }
    }
}

// A new section's object with its defaults; returns its index.
static unsigned add_object(struct load *l, enum conf_section s, const char *name)
{
    struct conf *c = l->conf;
    unsigned index = 0;
    char *copy = arena_strndup(&c->arena, name, strlen(name));

    if (s == SEC_SITE)
        c->sites[index = (unsigned)c->n_sites++].name = copy;
    else if (s == SEC_POOL)
        c->pools[index = (unsigned)c->n_pools++].name = copy;
    else if (s == SEC_ROUTE)
        c->routes[index = (unsigned)c->n_routes++].name = copy;
    set_defaults(l, s, index);
    return index;
}

static bool name_is_plain(const char *name)
{
    return *name && strlen(name) < 32 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

struct open_section {
    enum conf_section section; // SEC_COMMAND: none, or one whose keys are skipped because it was refused
    unsigned index;
    const char *title;
};

static struct open_section open_section(struct load *l, const struct conf_file *f, size_t at)
{
    const struct ini_item *it = &f->items[at];
    struct open_section none = {.section = SEC_COMMAND};
    const char *file = l->conf->file;
    int w = section_word(it->key);

    if (w < 0) {
        const char *words[] = {"global", "site", "pool", "route"};
        const char *near = conf_nearest(it->key, words, 4);
        if (near)
            conf__error(l, "%s:%u: unknown section [%s]; did you mean [%s%s]?", file, it->line, it->key, near,
                        *it->value ? arena_printf(&l->conf->arena, " %s", it->value).p : "");
        else if (!*it->value)
            conf__error(l, "%s:%u: unknown section [%s]; write [pool %s] for a pool as in php-fpm, or [site %s]", file, it->line,
                        it->key, it->key, it->key);
        else
            conf__error(l, "%s:%u: unknown section [%s]; there are [global], [site NAME], [pool NAME] and [route NAME]", file,
                        it->line, it->key);
        return none;
    }
    const char *name = *it->value ? it->value : section_words[w].unnamed;
    if (!section_words[w].named && *it->value) {
        conf__error(l, "%s:%u: [%s] takes no name", file, it->line, it->key);
        return none;
    }
    if (section_words[w].named && (!name || !name_is_plain(name))) {
        conf__error(l, "%s:%u: [%s] needs a name of at most 31 letters, digits, '.', '_' and '-'", file, it->line, it->key);
        return none;
    }
    size_t same = 0;
    for (size_t i = 0; i < at; i++) {
        const struct ini_item *b = &f->items[i];
        if (b->type != INI_SECTION || strcmp(b->key, it->key) != 0)
            continue;
        const char *its_name = *b->value ? b->value : section_words[w].unnamed;
        same++;
        if (!name || (its_name && strcmp(its_name, name) == 0)) {
            conf__error(l, "%s:%u: [%s%s%s] is there already, in line %u", file, it->line, it->key, name ? " " : "",
                        name ? name : "", b->line);
            return none;
        }
    }
    if (same >= section_words[w].most) {
        conf__error(l, "%s:%u: more than %zu [%s] sections", file, it->line, section_words[w].most, it->key);
        return none;
    }
    struct open_section os = {.section = section_words[w].section};
    os.index = os.section == SEC_GLOBAL ? 0 : add_object(l, os.section, name);
    if (os.section == SEC_SITE)
        l->conf->sites[os.index].line = it->line;
    os.title = name ? arena_printf(&l->conf->arena, "%s %s", it->key, name).p : it->key;
    return os;
}

static void refuse_key(struct load *l, const struct open_section *os, unsigned line, const char *key)
{
    const char *file = l->conf->file;
    const char *hint = conf_foreign_hint(os->section, key), *near;

    if (hint) {
        conf__error(l, "%s:%u: '%s' is not an option here: %s", file, line, key, hint);
        return;
    }
    for (enum conf_section s = SEC_GLOBAL; s <= SEC_ROUTE; s++) {
        if (s != os->section && conf_option_find(s, str_from(key))) {
            conf__error(l, "%s:%u: '%s' belongs to [%s%s], not to [%s]", file, line, key, conf_section_name(s),
                        s == SEC_GLOBAL ? "" : " NAME", os->title);
            return;
        }
    }
    near = conf_nearest_key(os->section, key);
    if (near)
        conf__error(l, "%s:%u: unknown key '%s' in [%s]; did you mean '%s'?", file, line, key, os->title, near);
    else
        conf__error(l, "%s:%u: unknown key '%s' in [%s]", file, line, key, os->title);
}

static void assign_from_file(struct load *l, const struct conf_file *f, const struct open_section *os, const struct ini_item *it)
{
    struct conf *c = l->conf;
    struct str name;
    const char *pair_key;
    bool whole = conf__split_key(&c->arena, it->key, &name, &pair_key);
    const struct conf_option *o = conf_option_find(os->section, name);

    if (!o || (pair_key && !conf_kind_is_pairs(o->kind))) {
        refuse_key(l, os, it->line, it->key);
        return;
    }
    if (!whole || (!pair_key && conf_kind_is_pairs(o->kind))) {
        conf__error(l, "%s:%u: write %s[NAME] = value", c->file, it->line, o->key);
        return;
    }
    struct conf_origin *before = conf__origin_find(c, o, os->index, pair_key);
    if (before && before->layer == LAYER_FILE && !conf_kind_repeats(o->kind)) {
        conf__error(l, "%s:%u: '%s' was set before, at %s", c->file, it->line, it->key, before->where);
        return;
    }
    struct conf_assign as = {.option = o,
                             .index = os->index,
                             .pair_key = pair_key,
                             .text = it->value,
                             .quoted = it->quoted,
                             .layer = LAYER_FILE,
                             .base = f->dir};
    as.where = arena_printf(&c->arena, "%s:%u", c->file, it->line).p;
    conf__assign(l, &as);
}

static void apply_file(struct load *l, const struct conf_file *f)
{
    struct open_section os = {.section = SEC_COMMAND};
    bool any = false;

    for (size_t i = 0; i < f->n && l->errors->lines.n < CONF_ERRORS_MAX; i++) {
        const struct ini_item *it = &f->items[i];
        if (it->type == INI_ERROR) {
            conf__error(l, "%s:%u: %s", l->conf->file, it->line, it->value);
        } else if (it->type == INI_SECTION) {
            os = open_section(l, f, i);
            any = true;
        } else if (!any) {
            conf__error(l, "%s:%u: '%s' stands before the first section; write [global] above it", l->conf->file, it->line,
                        it->key);
            any = true; // once is enough
        } else if (os.section != SEC_COMMAND) {
            assign_from_file(l, f, &os, it);
        }
    }
}

void conf__apply_sections(struct load *l, const struct conf_file *file)
{
    make_objects(l, file);
    set_defaults(l, SEC_GLOBAL, 0);
    apply_file(l, file);
    if (!l->conf->n_sites)
        add_object(l, SEC_SITE, "default");
    if (!l->conf->n_pools)
        add_object(l, SEC_POOL, "www");
}
