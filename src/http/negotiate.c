// SPDX-License-Identifier: Apache-2.0
// Accept-Encoding. Pure; runs in the edge.
#include "http/negotiate.h"

#include <stdbool.h>

#include "base/die.h"
#include "http/http_int.h"

static const struct {
    const char *name, *extension;
} codings[CODINGS] = {
    [CODING_IDENTITY] = {"identity", ""},
    [CODING_BR] = {"br", ".br"},
    [CODING_ZSTD] = {"zstd", ".zst"},
    [CODING_GZIP] = {"gzip", ".gz"},
};

#define UNSET (-1)

const char *coding_name(enum coding c)
{
    must((unsigned)c < CODINGS);
    return codings[c].name;
}

const char *coding_extension(enum coding c)
{
    must((unsigned)c < CODINGS);
    return codings[c].extension;
}

// "0.5" in thousandths, -1 if it is no weight (RFC 9110 §12.4.2).
static int parse_weight(struct str s)
{
    int v, scale = 100;

    if (!s.n || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    v = (s.p[0] - '0') * 1000;
    for (size_t i = 2; i < s.n; i++, scale /= 10) {
        if (!(http__class(s.p[i]) & CH_DIGIT))
            return -1;
        v += (s.p[i] - '0') * scale;
    }
    return v <= 1000 ? v : -1;
}

// "gzip;q=0.5"; false if it is malformed.
static bool parse_item(struct str item, struct str *ret_name, int *ret_weight)
{
    struct str rest = item, part;

    if (!str_next(&rest, ';', ret_name) || !ret_name->n)
        return false;
    *ret_weight = 1000;
    if (!str_next(&rest, ';', &part))
        return true;
    if (part.n < 2 || ascii_lower(part.p[0]) != 'q' || part.p[1] != '=' || rest.p)
        return false;
    *ret_weight = parse_weight((struct str){part.p + 2, part.n - 2});
    return *ret_weight >= 0;
}

static void set_weight(int *weight, int value)
{
    if (*weight == UNSET) // the first mention counts
        *weight = value;
}

int negotiate_codings(struct str value, enum coding ret_codings[CODINGS])
{
    int weight[CODINGS] = {UNSET, UNSET, UNSET, UNSET}, any = UNSET, w, n = 0;
    struct str item, name;

    while (value.n && str_next(&value, ',', &item)) {
        if (!parse_item(item, &name, &w))
            continue; // a coding that we don't understand is one that we don't use
        if (str_eq(name, STR("*")))
            set_weight(&any, w);
        else if (str_eq_nocase(name, STR("x-gzip")))
            set_weight(&weight[CODING_GZIP], w);
        for (int c = 0; c < CODINGS; c++)
            if (str_eq_nocase(name, str_from(codings[c].name)))
                set_weight(&weight[c], w);
    }
    for (int c = CODING_BR; c < CODINGS; c++) {
        if (weight[c] == UNSET)
            weight[c] = any;
        if (weight[c] <= 0 || weight[c] < weight[CODING_IDENTITY])
            continue;
        int at = n++;
        for (; at > 0 && weight[ret_codings[at - 1]] < weight[c]; at--)
            ret_codings[at] = ret_codings[at - 1];
        ret_codings[at] = (enum coding)c;
    }
    return n;
}
