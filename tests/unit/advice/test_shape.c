// SPDX-License-Identifier: Apache-2.0
#include "advice/shape.h"

#include "../claim.h"
#include "advice_tree.h"

T(component_literals_match_whole_names_only)
{
    assert_true(shape_component_matches("md", "md"));
    assert_false(shape_component_matches("md", "mda"));
    assert_false(shape_component_matches("md", "m"));
    assert_true(shape_component_matches("md/%2h", "md"));
}

T(component_classes_count_exactly)
{
    assert_true(shape_component_matches("%2h", "0f"));
    assert_false(shape_component_matches("%2h", "0F"));
    assert_false(shape_component_matches("%2h", "0f0"));
    assert_false(shape_component_matches("%2h", "0"));
    assert_true(shape_component_matches("sess_%+s", "sess_a1,-Z"));
    assert_false(shape_component_matches("sess_%+s", "sess_"));
    assert_false(shape_component_matches("sess_%+s", "sess_a.tmp"));
    assert_true(shape_component_matches("%B", "+"));
    assert_false(shape_component_matches("%B", "a"));
    assert_true(shape_component_matches("%32h.php", "00112233445566778899aabbccddeeff.php"));
}

T(component_star_backtracks)
{
    assert_true(shape_component_matches("*.log", "a.log.b.log"));
    assert_false(shape_component_matches("*.log", "a.log.gz"));
    assert_true(shape_component_matches("core.*.%+d", "core.php.12"));
    assert_false(shape_component_matches("core.*.%+d", "core.php.12x"));
}

T(an_unknown_class_or_a_pattern_cut_short_matches_nothing)
{
    assert_false(shape_component_matches("%q", "q"));
    assert_false(shape_component_matches("%", "x"));
    assert_false(shape_component_matches("%2", "22"));
}

static bool matches(struct tree *t, const char *shape)
{
    struct shape_budget budget = {200, 5000};
    return shape_matches(t->fd, shape, &budget);
}

T(all_patterns_of_an_alternative_must_be_there)
{
    struct tree t;
    tree_make(&t);
    tree_add(&t, "md/ab/cd/rest", 1);
    assert_false(matches(&t, "md/%2h/%2h/ en/%2h/%2h/"));
    assert_true(matches(&t, "en/%2h/ | md/%2h/%2h/"));
    tree_add(&t, "en/01/23/rest", 1);
    assert_true(matches(&t, "md/%2h/%2h/ en/%2h/%2h/"));
    assert_false(matches(&t, "md/%2h/%2h/ xx/ | zz/"));
    tree_remove(&t);
}

T(a_trailing_slash_asks_for_a_directory_and_none_for_a_file)
{
    struct tree t;
    tree_make(&t);
    tree_add(&t, "a/file", 1);
    tree_add(&t, "b/dir/", 0);
    assert_true(matches(&t, "a/file"));
    assert_false(matches(&t, "a/file/"));
    assert_true(matches(&t, "b/dir/"));
    assert_false(matches(&t, "b/dir"));
    tree_remove(&t);
}

T(two_stars_are_any_depth_also_none)
{
    struct tree t;
    tree_make(&t);
    tree_add(&t, "supercache/example.com/a/b/index.html", 1);
    assert_true(matches(&t, "supercache/**/*.html"));
    assert_true(matches(&t, "supercache/example.com/a/b/**/index.html"));
    assert_false(matches(&t, "supercache/**/*.php"));
    tree_remove(&t);
}

T(files_of_the_directory_itself_must_be_a_third_of_its_bytes_or_half_of_its_files)
{
    struct tree t;
    tree_make(&t);
    tree_add(&t, "sess_aa", 4096);
    assert_true(matches(&t, "sess_%+s"));
    tree_add(&t, "big.bin", 256 * 1024);
    tree_add(&t, "big2.bin", 256 * 1024);
    assert_false(matches(&t, "sess_%+s"));
    tree_add(&t, "sess_bb", 4096);
    assert_true(matches(&t, "sess_%+s")); // two of four
    tree_remove(&t);
}

T(a_spent_budget_ends_the_search)
{
    struct tree t;
    tree_make(&t);
    tree_add(&t, "md/ab/cd/rest", 1);
    struct shape_budget opens = {2, 1000}, names = {100, 1};
    assert_false(shape_matches(t.fd, "md/%2h/%2h/", &opens));
    assert_false(shape_matches(t.fd, "md/%2h/%2h/", &names));
    assert_true(matches(&t, "md/%2h/%2h/"));
    tree_remove(&t);
}

T(a_directory_inside_must_fit_the_pattern_on_its_way)
{
    assert_true(shape_has_inside("md/%2h/%2h/ en/%2h/%2h/", ""));
    assert_true(shape_has_inside("md/%2h/%2h/ en/%2h/%2h/", "en/ab"));
    assert_true(shape_has_inside("md/%2h/%2h/ en/%2h/%2h/", "en/ab/cd/deeper"));
    assert_false(shape_has_inside("md/%2h/%2h/ en/%2h/%2h/", "log"));
    assert_false(shape_has_inside("sess_%+s", "a"));
    assert_true(shape_has_inside("sess_%+s | %1s/sess_%+s", "a"));
    assert_true(shape_has_inside("supercache/**/*.html*", "supercache/x/y"));
    assert_true(shape_has_inside("", "anything"));
}

CLAIMS(C(component_literals_match_whole_names_only), C(component_classes_count_exactly), C(component_star_backtracks),
       C(an_unknown_class_or_a_pattern_cut_short_matches_nothing), C(all_patterns_of_an_alternative_must_be_there),
       C(a_trailing_slash_asks_for_a_directory_and_none_for_a_file), C(two_stars_are_any_depth_also_none),
       C(files_of_the_directory_itself_must_be_a_third_of_its_bytes_or_half_of_its_files), C(a_spent_budget_ends_the_search),
       C(a_directory_inside_must_fit_the_pattern_on_its_way))
