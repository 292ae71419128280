// SPDX-License-Identifier: Apache-2.0
// Header fields: numbers for the names in tbl/fields.def, and the classes of bytes that all parsers here share. Pure; runs
// in edge and worker. Invariant: the hash table holds every row once, it is filled before main() and never changes.
#include "http/fields.h"

#include "base/die.h"
#include "http/http_int.h"

#define IS_ALPHA(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_UNRESERVED(c) (IS_ALPHA(c) || IS_DIGIT(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_SUB_DELIM(c)                                                                                                          \
    ((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' || (c) == '*' || (c) == '+' ||            \
     (c) == ',' || (c) == ';' || (c) == '=')
#define IS_TCHAR(c)                                                                                                              \
    (IS_ALPHA(c) || IS_DIGIT(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' || (c) == '\'' ||          \
     (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_VISIBLE(c) (((c) > 0x20 && (c) < 0x7f) || (c) >= 0x80)

#define C(c)                                                                                                                     \
    ((IS_TCHAR(c) ? CH_TOKEN : 0) | ((c) == '_' ? CH_UNDERSCORE : 0) |                                                           \
     (IS_VISIBLE(c) || (c) == ' ' || (c) == '\t' ? CH_TEXT : 0) | (IS_VISIBLE(c) && (c) != '#' ? CH_TARGET : 0) |                \
     (IS_UNRESERVED(c) ? CH_HOST : 0) |                                                                                          \
     (IS_UNRESERVED(c) || IS_SUB_DELIM(c) || (c) == ':' || (c) == '@' || (c) == '/' ? CH_PATH : 0) |                             \
     (IS_VISIBLE(c) && (c) != '"' ? CH_ETAG : 0) | (IS_DIGIT(c) ? CH_DIGIT : 0))
#define C4(c) C(c), C((c) + 1), C((c) + 2), C((c) + 3)
#define C16(c) C4(c), C4((c) + 4), C4((c) + 8), C4((c) + 12)
#define C64(c) C16(c), C16((c) + 16), C16((c) + 32), C16((c) + 48)

const uint8_t http__chars[256] = {C64(0), C64(64), C64(128), C64(192)};

static const struct str names[FIELD_IDS] = {
    [FIELD_OTHER] = {"", 0},
#define FIELD(id, name) [FIELD_##id] = {name, sizeof(name) - 1},
#include "tbl/fields.def"
#undef FIELD
};

// With these factors nearly every name of the table has a slot of its own.
#define SLOTS 256
_Static_assert(FIELD_IDS <= SLOTS / 4, "the table stays sparse");
static uint8_t slots[SLOTS]; // 0 = FIELD_OTHER = free

static inline unsigned hash_name(struct str name)
{
    unsigned first = (unsigned char)name.p[0] | 0x20, last = (unsigned char)name.p[name.n - 1] | 0x20;
    unsigned middle = (unsigned char)name.p[name.n / 2] | 0x20;
    return ((unsigned)name.n + first + last * 7 + middle * 13) % SLOTS;
}

__attribute__((constructor)) static void fill_slots(void)
{
    for (unsigned id = 1; id < FIELD_IDS; id++) {
        unsigned at = hash_name(names[id]);
        while (slots[at])
            at = (at + 1) % SLOTS;
        slots[at] = (uint8_t)id;
    }
}

enum field_id field_id_of(struct str name)
{
    if (!name.n)
        return FIELD_OTHER;
    for (unsigned at = hash_name(name); slots[at]; at = (at + 1) % SLOTS) {
        struct str known = names[slots[at]];
        if (known.n == name.n && str_eq_nocase(known, name))
            return (enum field_id)slots[at];
    }
    return FIELD_OTHER;
}

const char *field_name(enum field_id id)
{
    must((unsigned)id < FIELD_IDS);
    return names[id].p;
}

const struct field *field_find(const struct field *fields, size_t n, enum field_id id)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].id == id)
            return &fields[i];
    return NULL;
}

bool field_name_is_valid(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!(http__class(name.p[i]) & CH_TOKEN))
            return false;
    return name.n > 0;
}

bool field_value_is_valid(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (!(http__class(value.p[i]) & CH_TEXT))
            return false;
    return true;
}
