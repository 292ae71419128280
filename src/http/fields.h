// SPDX-License-Identifier: Apache-2.0
// Header fields (RFC 9110 §5): the ones the server itself looks at have a number (tbl/fields.def), so that a look-up is
// one comparison.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum field_id {
    FIELD_OTHER,
#define FIELD(id, name) FIELD_##id,
#include "tbl/fields.def"
#undef FIELD
    FIELD_IDS
};

struct field {
    struct str name, value; // value without surrounding white space
    enum field_id id;
};

enum field_id field_id_of(struct str name); // any case
const char *field_name(enum field_id id);
// The first field of that number, or NULL.
const struct field *field_find(const struct field *fields, size_t n, enum field_id id);
bool field_name_is_valid(struct str name);   // token (RFC 9110 §5.6.2)
bool field_value_is_valid(struct str value); // no CR, LF, NUL or other control byte but HTAB (RFC 9110 §5.5)
