// SPDX-License-Identifier: Apache-2.0
#include "xray/xray_json.h"

#include <jansson.h>
#include <string.h>

#include "../claim.h"
#include "xray_fixture.h"

static json_t *answer(const struct xray_view *v)
{
    struct buf b = BUF_INIT;
    json_error_t error;
    xray_json(&b, v);
    json_t *o = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, &error);
    buf_done(&b);
    if (!o)
        fail_msg("%s", error.text);
    return o;
}

static long long integer(json_t *o, const char *name)
{
    json_t *x = json_object_get(o, name);
    assert_true(json_is_integer(x));
    return json_integer_value(x);
}

static const char *string(json_t *o, const char *name)
{
    json_t *x = json_object_get(o, name);
    assert_true(json_is_string(x));
    return json_string_value(x);
}

T(the_verdict_stands_at_the_top)
{
    json_t *o = answer(fixture_incident());
    assert_string_equal(string(o, "schema"), "plimsoll.xray/1");
    assert_string_equal(string(o, "verdict"), "growing");
    assert_string_equal(string(o, "cause"), "tmpfs");
    assert_string_equal(string(o, "signature"), "symfony_http_cache");
    assert_string_equal(string(o, "place"), "/app/var/cache/prod/http_cache");
    assert_string_equal(string(o, "sight"), "full");
    assert_int_equal(integer(o, "limit_bytes"), 256 << 20);
    assert_int_equal(integer(o, "oom_kill"), 0);
    assert_int_equal(integer(o, "unexplained_bytes"), -100 * 1024);
    assert_true(json_array_size(json_object_get(o, "growth_bytes_per_min")) == 3);
    assert_true(json_real_value(json_array_get(json_object_get(o, "stall_in_s"), 1)) == 95);
    assert_true(json_array_size(json_object_get(o, "fixes")) >= 3);
    assert_non_null(strstr(json_string_value(json_array_get(json_object_get(o, "fixes"), 0)), "\n    http_cache.store:"));
    json_decref(o);
}

T(categories_add_up_to_the_usage_and_parts_to_their_category)
{
    json_t *o = answer(fixture_incident()), *lines = json_object_get(o, "lines"), *line;
    long long sum = 0;
    size_t i, k;
    json_array_foreach(lines, i, line)
    {
        long long parts = 0;
        bool has_parts = false;
        json_t *part;
        if (!json_is_null(json_object_get(line, "parent")))
            continue;
        if (json_is_true(json_object_get(line, "in_usage")))
            sum += integer(line, "bytes");
        json_array_foreach(lines, k, part) if (json_is_integer(json_object_get(part, "parent")) &&
                                               (size_t)integer(part, "parent") == i &&
                                               !json_is_true(json_object_get(part, "elsewhere")))
        {
            parts += integer(part, "bytes");
            has_parts = true;
        }
        if (has_parts)
            assert_int_equal(parts, integer(line, "bytes"));
    }
    assert_int_equal(sum, integer(o, "usage_bytes"));
    json_decref(o);
}

T(a_part_of_a_part_points_at_it)
{
    json_t *o = answer(fixture_incident()), *lines = json_object_get(o, "lines"), *line;
    size_t i;
    bool seen = false;
    json_array_foreach(lines, i, line)
    {
        json_t *owner = json_object_get(line, "owner");
        if (!json_is_string(owner) || strcmp(json_string_value(owner), "/app/var/cache/prod/http_cache") != 0)
            continue;
        seen = true;
        assert_string_equal(string(json_array_get(lines, (size_t)integer(line, "parent")), "owner"), "/app/var");
        assert_true(json_array_size(json_object_get(line, "growth_bytes_per_min")) == 3);
    }
    assert_true(seen);
    json_decref(o);
}

T(lines_carry_their_judgement)
{
    json_t *o = answer(fixture_incident()), *lines = json_object_get(o, "lines"), *line;
    size_t i;
    json_array_foreach(lines, i, line)
    {
        if (!json_is_null(json_object_get(line, "parent")))
            continue;
        const char *name = string(line, "line");
        if (!strcmp(name, "files_in_memory")) {
            assert_string_equal(string(line, "verdict"), "growing");
            assert_true(json_array_size(json_object_get(line, "growth_bytes_per_request")) == 3);
        } else if (!strcmp(name, "kernel")) {
            assert_true(json_is_null(json_object_get(line, "verdict")));
        }
    }
    json_decref(o);
}

T(hostile_names_leave_valid_json)
{
    json_t *o = answer(fixture_incident());
    const char *name = string(json_array_get(json_object_get(o, "processes"), 2), "name");
    assert_null(strchr(name, '\033'));
    assert_non_null(strstr(name, "\xEF\xBF\xBD"));
    json_decref(o);
}

T(what_is_not_known_is_null)
{
    static const char *const unknown[] = {"limit_bytes",          "oom_kill", "peak_bytes",        "requests", "stall_in_s",
                                          "growth_bytes_per_min", "cause",    "memory_limit_bytes"};
    json_t *o = answer(fixture_first_look());
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (!json_is_null(json_object_get(o, unknown[i])))
            fail_msg("%s is not null", unknown[i]);
    assert_string_equal(string(o, "sight"), "none");
    assert_string_equal(string(o, "verdict"), "undecided");
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(o, "processes"), 1), "pss_bytes")));
    json_decref(o);
}

CLAIMS(C(the_verdict_stands_at_the_top), C(categories_add_up_to_the_usage_and_parts_to_their_category),
       C(a_part_of_a_part_points_at_it), C(lines_carry_their_judgement), C(hostile_names_leave_valid_json),
       C(what_is_not_known_is_null))
