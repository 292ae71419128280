// SPDX-License-Identifier: Apache-2.0
// Range requests. Pure; runs in the edge. Invariant: ranges that are handed out lie inside the representation, are not empty
// and neither overlap nor touch, so that their sum never exceeds its size.
#include "http/range.h"

#include <stdbool.h>

#include "http/http_int.h"

// Decimal digits; what is too large becomes UINT64_MAX, which lies behind the end of everything. False if it is no number.
static bool parse_position(struct str s, uint64_t *ret)
{
    uint64_t v = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (!(http__class(s.p[i]) & CH_DIGIT))
            return false;
        unsigned digit = (unsigned)(s.p[i] - '0');
        v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
    }
    *ret = v;
    return s.n > 0;
}

// One range-spec. 1 with *ret_range, 0 = can't be satisfied, -1 = malformed.
static int parse_spec(struct str spec, uint64_t size, struct range *ret_range)
{
    size_t dash = str_find(spec, '-');
    uint64_t first, last = UINT64_MAX;

    if (dash == SIZE_MAX)
        return -1;
    struct str before = {spec.p, dash}, after = {spec.p + dash + 1, spec.n - dash - 1};
    if (!before.n) { // the last bytes
        if (!parse_position(after, &last))
            return -1;
        if (!last)
            return 0;
        uint64_t n = last < size ? last : size;
        *ret_range = (struct range){size - n, n};
        return 1;
    }
    if (!parse_position(before, &first) || (after.n && (!parse_position(after, &last) || last < first)))
        return -1;
    if (first >= size)
        return 0;
    if (last > size - 1)
        last = size - 1;
    *ret_range = (struct range){first, last - first + 1};
    return 1;
}

// Makes one of two ranges if they overlap or touch.
static bool merge_ranges(struct range *a, const struct range *b)
{
    uint64_t a_end = a->first + a->n, b_end = b->first + b->n;

    if (a->first > b_end || b->first > a_end)
        return false;
    uint64_t first = a->first < b->first ? a->first : b->first;
    uint64_t end = a_end > b_end ? a_end : b_end;
    *a = (struct range){first, end - first};
    return true;
}

// Adds a range; it melts into the earliest that it meets, and so do later ones that this one now meets.
static int add_range(struct range *ranges, int n, struct range r)
{
    ranges[n++] = r;
    for (int i = 0; i < n; i++) {
        for (int k = i + 1; k < n; k++) {
            if (!merge_ranges(&ranges[i], &ranges[k]))
                continue;
            for (int m = k; m + 1 < n; m++)
                ranges[m] = ranges[m + 1];
            n--;
            k = i; // the grown one may meet those that it did not
        }
    }
    return n;
}

int range_parse(struct str value, uint64_t size, struct range ret_ranges[RANGES_MAX])
{
    const struct str unit = STR("bytes=");
    struct range found[RANGES_MAX], r;
    struct str spec;
    int n = 0;
    unsigned n_specs = 0;

    value = str_trim(value);
    if (value.n < unit.n || !str_eq_nocase((struct str){value.p, unit.n}, unit))
        return 0;
    value.p += unit.n;
    value.n -= unit.n;
    while (str_next(&value, ',', &spec)) {
        if (!spec.n)
            continue; // RFC 9110 §5.6.1: empty elements do not count
        if (++n_specs > RANGES_MAX)
            return 0;
        int rc = parse_spec(spec, size, &r);
        if (rc < 0)
            return 0;
        if (rc > 0 && r.n)
            n = add_range(found, n, r);
        else if (rc > 0)
            return 0; // the last bytes of nothing: satisfiable, but a Content-Range can't say so
    }
    if (!n_specs)
        return 0;
    if (!n)
        return -1;
    memcpy(ret_ranges, found, (size_t)n * sizeof found[0]);
    return n;
}
