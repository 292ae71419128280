// SPDX-License-Identifier: Apache-2.0
#include "base/addr.h"

#include "../claim.h"

T(ipv4_goes_in_and_comes_out_dotted)
{
    uint8_t a[16];
    char text[ADDR_TEXT_BYTES];

    assert_true(addr_parse("192.0.2.7", a));
    assert_int_equal(a[10], 0xff);
    addr_text(a, text);
    assert_string_equal(text, "192.0.2.7");
}

T(a_mapped_ipv6_address_is_the_same_as_its_ipv4)
{
    uint8_t a[16], b[16];

    assert_true(addr_parse("::ffff:192.0.2.7", a));
    assert_true(addr_parse("192.0.2.7", b));
    assert_memory_equal(a, b, 16);
}

T(what_is_no_address_is_refused)
{
    uint8_t a[16];
    const char *bad[] = {"", "300.1.1.1", "1.2.3", "[::1]", "::1%lo", "localhost", "1.2.3.4:80"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(addr_parse(bad[i], a));
}

CLAIMS(C(ipv4_goes_in_and_comes_out_dotted), C(a_mapped_ipv6_address_is_the_same_as_its_ipv4), C(what_is_no_address_is_refused))
