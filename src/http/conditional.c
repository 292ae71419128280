// SPDX-License-Identifier: Apache-2.0
// Conditional requests. Pure; runs in the edge. Invariant: a condition that can't be read never makes a write happen (If-Match
// fails) and never keeps content back (If-None-Match, dates: as if absent).
#include "http/conditional.h"

#include "http/http_date.h"
#include "http/http_int.h"

static bool is_weak(struct str tag)
{
    return tag.n > 2 && tag.p[0] == 'W' && tag.p[1] == '/';
}

static struct str opaque_tag(struct str tag)
{
    return is_weak(tag) ? (struct str){tag.p + 2, tag.n - 2} : tag;
}

static bool tags_match(struct str a, struct str b, bool strong)
{
    if (!a.n || !b.n || (strong && (is_weak(a) || is_weak(b))))
        return false;
    return str_eq(opaque_tag(a), opaque_tag(b));
}

// Takes an entity tag off the front of *s; false if there is none. Commas may stand inside its quotes.
static bool take_tag(struct str *s, struct str *ret_tag)
{
    size_t i = is_weak(*s) ? 2 : 0;

    if (i >= s->n || s->p[i] != '"')
        return false;
    for (i++; i < s->n && (http__class(s->p[i]) & CH_ETAG);)
        i++;
    if (i == s->n || s->p[i] != '"')
        return false;
    *ret_tag = (struct str){s->p, i + 1};
    s->p += i + 1;
    s->n -= i + 1;
    return true;
}

// Does a list of entity tags hold this one? What stands behind a malformed element is not read.
static bool list_matches(struct str list, struct str etag, bool strong)
{
    struct str tag;

    while ((list = str_trim(list)).n) {
        if (list.p[0] == ',') {
            list.p++;
            list.n--;
            continue;
        }
        if (!take_tag(&list, &tag))
            return false;
        list = str_trim(list);
        if (list.n && list.p[0] != ',')
            return false;
        if (tags_match(tag, etag, strong))
            return true;
    }
    return false;
}

// All lines of that field; "*" stands for any representation, and there is one.
static bool field_matches(const struct field *fields, size_t n, enum field_id id, struct str etag, bool strong)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].id == id && (str_eq(fields[i].value, STR("*")) || list_matches(fields[i].value, etag, strong)))
            return true;
    return false;
}

// The only field of that number; several make it invalid.
static const struct field *only_field(const struct field *fields, size_t n, enum field_id id)
{
    const struct field *f = field_find(fields, n, id);
    return f && !field_find(f + 1, (size_t)(fields + n - f - 1), id) ? f : NULL;
}

static bool read_date(const struct field *fields, size_t n, enum field_id id, time_t *ret)
{
    const struct field *f = only_field(fields, n, id);
    return f && http_date_parse(f->value, ret);
}

// RFC 9110 §13.1.5: a strong tag, or the exact Last-Modified. (Whether the file changed twice within that second can't be
// told from a date; a client that cares sends the tag.)
static bool if_range_holds(const struct field *fields, size_t n, struct str etag, time_t mtime)
{
    time_t date;

    if (!field_find(fields, n, FIELD_IF_RANGE))
        return true;
    const struct field *f = only_field(fields, n, FIELD_IF_RANGE);
    if (!f)
        return false;
    struct str rest = f->value, tag;
    if (take_tag(&rest, &tag))
        return !rest.n && tags_match(tag, etag, true);
    return http_date_parse(f->value, &date) && date == mtime;
}

enum cond_result cond_evaluate(const struct field *fields, size_t n_fields, bool get_or_head, struct str etag, time_t mtime,
                               bool *ret_use_range)
{
    time_t date;

    *ret_use_range = if_range_holds(fields, n_fields, etag, mtime);
    if (field_find(fields, n_fields, FIELD_IF_MATCH)) {
        if (!field_matches(fields, n_fields, FIELD_IF_MATCH, etag, true))
            return COND_FAILED;
    } else if (read_date(fields, n_fields, FIELD_IF_UNMODIFIED_SINCE, &date) && mtime > date) {
        return COND_FAILED;
    }
    if (field_find(fields, n_fields, FIELD_IF_NONE_MATCH)) {
        if (field_matches(fields, n_fields, FIELD_IF_NONE_MATCH, etag, false))
            return get_or_head ? COND_NOT_MODIFIED : COND_FAILED;
    } else if (get_or_head && read_date(fields, n_fields, FIELD_IF_MODIFIED_SINCE, &date) && mtime <= date) {
        return COND_NOT_MODIFIED;
    }
    return COND_PASS;
}
