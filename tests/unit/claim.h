// SPDX-License-Identifier: Apache-2.0
// cmocka with its prerequisites, and short names: T(claim) defines a test whose name says what holds.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// cmocka 2 has new names for some of its macros; those of cmocka 1 do there too.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define T(claim) static void claim(void **state)
#define CLAIMS(...)                                                                                                              \
    int main(void)                                                                                                               \
    {                                                                                                                            \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                                         \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                                        \
    }
#define C(claim) cmocka_unit_test(claim)
