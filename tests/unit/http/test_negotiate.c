// SPDX-License-Identifier: Apache-2.0
#include "http/negotiate.h"

#include "../claim.h"

static void takes(const char *value, const char *expected)
{
    enum coding codings[CODINGS];
    char text[64] = "";
    int n = negotiate_codings(str_from(value), codings);

    for (int i = 0; i < n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, coding_name(codings[i]));
    }
    assert_string_equal(text, expected);
}

T(ties_go_to_br_then_zstd_then_gzip)
{
    takes("gzip", "gzip");
    takes("gzip, deflate, br, zstd", "br zstd gzip");
    takes("gzip, zstd", "zstd gzip");
    takes("GZIP,Br", "br gzip");
    takes("*", "br zstd gzip");
}

T(weights_come_first)
{
    takes("br;q=0.5, gzip;q=0.9", "gzip br");
    takes("br;q=0.001, zstd;q=0.01, gzip;q=0.1", "gzip zstd br");
    takes("br; q=0.5 ,gzip ; Q=1.000", "gzip br");
    takes("*;q=0.5, gzip", "gzip br zstd");
}

T(zero_is_a_refusal)
{
    takes("gzip;q=0", "");
    takes("br;q=0, gzip", "gzip");
    takes("br;q=0.000, *", "zstd gzip");
    takes("gzip;q=1.0, *;q=0", "gzip");
    takes("*;q=0", "");
}

T(nothing_asked_is_nothing_given)
{
    takes("", "");
    takes("identity", "");
    takes("deflate", "");
    takes(",, ,", "");
    enum coding codings[CODINGS];
    assert_int_equal(negotiate_codings((struct str){NULL, 0}, codings), 0);
}

T(who_likes_identity_better_gets_it)
{
    takes("identity, gzip;q=0.5", "");
    takes("identity;q=0.5, gzip;q=0.5, br;q=0.4", "gzip");
    takes("identity;q=0, gzip", "gzip");
}

T(the_old_name_of_gzip_is_known)
{
    takes("x-gzip", "gzip");
    takes("x-gzip;q=0, gzip", "");
}

T(malformed_elements_are_not_used)
{
    takes("gzip;q=", "");
    takes("gzip;q=2", "");
    takes("gzip;q=1.001", "");
    takes("gzip;q=0.1234", "");
    takes("gzip;q=-1", "");
    takes("gzip;q=.5", "");
    takes("gzip;q=05", "");
    takes("gzip;q=a", "");
    takes("gzip;x=1", "");
    takes("gzip;q=1;q=0", "");
    takes("gz ip", "");
    takes("gzip;q=x, br", "br");
}

T(a_weight_may_end_in_its_point)
{
    takes("gzip;q=1.", "gzip");
    takes("gzip;q=0.", "");
}

T(codings_have_extensions)
{
    assert_string_equal(coding_extension(CODING_BR), ".br");
    assert_string_equal(coding_extension(CODING_ZSTD), ".zst");
    assert_string_equal(coding_extension(CODING_GZIP), ".gz");
    assert_string_equal(coding_extension(CODING_IDENTITY), "");
}

CLAIMS(C(ties_go_to_br_then_zstd_then_gzip), C(weights_come_first), C(zero_is_a_refusal), C(nothing_asked_is_nothing_given),
       C(who_likes_identity_better_gets_it), C(the_old_name_of_gzip_is_known), C(malformed_elements_are_not_used),
       C(a_weight_may_end_in_its_point), C(codings_have_extensions))
