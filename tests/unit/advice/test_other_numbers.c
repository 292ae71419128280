// SPDX-License-Identifier: Apache-2.0
#include "advice/other_numbers.h"

#include <string.h>

#include "../claim.h"

static int64_t number(const struct mem_sample *s, const char *name)
{
    struct other_number n[OTHER_NUMBERS];
    other_numbers(s, n);
    for (int i = 0; i < OTHER_NUMBERS; i++)
        if (!strcmp(n[i].name, name))
            return n[i].bytes;
    fail_msg("no %s", name);
    return 0;
}

T(each_tool_by_its_own_arithmetic)
{
    struct mem_sample s = {0};
    mem_set(&s, MEM_usage, 1000);
    mem_set(&s, MEM_inactive_file, 300);
    mem_set(&s, MEM_anon, 200);
    mem_set(&s, MEM_shmem, 150);
    mem_set(&s, MEM_kernel, 50);
    mem_set(&s, MEM_sum_rss, 900);
    assert_int_equal(number(&s, "kubectl"), 700);
    assert_int_equal(number(&s, "docker"), 700);
    assert_int_equal(number(&s, "podman"), 1000);
    assert_int_equal(number(&s, "cloud_run"), 400);
    assert_int_equal(number(&s, "sum_rss"), 900);
}

T(what_is_not_known_is_not_zero)
{
    struct mem_sample s = {0};
    assert_int_equal(number(&s, "kubectl"), -1);
    assert_int_equal(number(&s, "cloud_run"), -1);
    assert_int_equal(number(&s, "sum_rss"), -1);
}

T(inactive_file_beyond_usage_floors_at_zero)
{
    struct mem_sample s = {0};
    mem_set(&s, MEM_usage, 100);
    mem_set(&s, MEM_inactive_file, 300);
    assert_int_equal(number(&s, "kubectl"), 0);
}

CLAIMS(C(each_tool_by_its_own_arithmetic), C(what_is_not_known_is_not_zero), C(inactive_file_beyond_usage_floors_at_zero))
