// SPDX-License-Identifier: Apache-2.0
#include "mem/kfile.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_tree.h"

static bool number(const char *text, bool max, int64_t *ret)
{
    return kfile_number(str_from(text), max, ret);
}

T(a_number_is_digits_and_white_space_around_them)
{
    int64_t v = -1;

    assert_true(number("0\n", false, &v));
    assert_int_equal(v, 0);
    assert_true(number(" 9223372036854775807\n", false, &v));
    assert_int_equal(v, INT64_MAX);
    v = 7;
    static const char *const garbage[] = {
        "", "\n", "-1", "1.5", "0x10", "12a", "1 2", "9223372036854775808", "99999999999999999999999", "max"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        assert_false(number(garbage[i], false, &v));
    assert_int_equal(v, 7);
}

T(max_is_a_number_only_where_it_may_be)
{
    int64_t v;

    assert_true(number("max\n", true, &v));
    assert_int_equal(v, INT64_MAX);
    assert_false(number("maximum", true, &v));
    assert_false(number("max", false, &v));
}

static const struct kfile_key keys[] = {{{"anon", 4}, 0}, {{"file", 4}, 1}, {{"anon_thp", 8}, 2}, {{"MemTotal", 8}, 3}};

static uint64_t parse(const char *text, int64_t *values)
{
    return kfile_keys(str_from(text), keys, 4, values);
}

T(keys_are_found_in_any_order_and_by_their_whole_name)
{
    int64_t v[4] = {-1, -1, -1, -1};

    assert_int_equal(parse("anon_thp 3\nanonymous 9\nfile 2\nanon 1\n", v), 7);
    assert_int_equal(v[0], 1);
    assert_int_equal(v[1], 2);
    assert_int_equal(v[2], 3);
}

T(kilobytes_are_bytes_afterwards)
{
    int64_t v[4] = {0};

    assert_int_equal(parse("MemTotal:       24684092 kB\n", v), 8);
    assert_int_equal(v[3], INT64_C(24684092) * 1024);
}

T(a_bad_line_costs_its_own_value_only)
{
    int64_t v[4] = {-1, -1, -1, -1};

    assert_int_equal(parse("anon x\n\n   \nfile 2 pages\nanon_thp 9223372036854775808\nMemTotal: 9223372036854775807 kB\n", v),
                     0);
    assert_int_equal(v[0], -1);
    assert_int_equal(parse("anon\nfile 5\nanon_thp -4\nMemTotal: 7 kB kB\n", v), 2);
    assert_int_equal(v[1], 5);
}

T(the_first_of_two_equal_keys_counts)
{
    int64_t v[4] = {-1, -1, -1, -1};

    assert_int_equal(parse("anon 1\nanon 2\n", v), 1);
    assert_int_equal(v[0], 1);
    assert_int_equal(parse("file x\nfile 2\n", v), 0); // nor may a later one stand in for a broken one
}

T(pressure_is_the_total_of_its_line)
{
    const char *text =
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=4340768\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=3347421\n";
    int64_t v = -1;

    assert_true(kfile_psi(str_from(text), "some", &v));
    assert_int_equal(v, 4340768);
    assert_true(kfile_psi(str_from(text), "full", &v));
    assert_int_equal(v, 3347421);
    assert_false(kfile_psi(STR("some avg10=0.00\n"), "some", &v));
    assert_false(kfile_psi(STR("some total=12x\n"), "some", &v));
    assert_false(kfile_psi(STR(""), "full", &v));
    assert_int_equal(v, 3347421);
}

T(a_list_of_cpus_is_counted)
{
    assert_int_equal(kfile_cpu_list(STR("0-3,5\n")), 5);
    assert_int_equal(kfile_cpu_list(STR("\t0")), 1);
    assert_int_equal(kfile_cpu_list(STR("")), 0);
    assert_int_equal(kfile_cpu_list(STR("3-1")), 0);
    assert_int_equal(kfile_cpu_list(STR("0-99999999")), 0);
    assert_int_equal(kfile_cpu_list(STR("0,,1")), 0);
    assert_int_equal(kfile_cpu_list(STR("a-b")), 0);
}

T(what_does_not_fit_ends_with_a_whole_line)
{
    char buf[16];

    fake_make();
    fake_file("f", "anon 1\nfile 23456789\n");
    int dir = open(fake_dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(kfile_read(dir, "f", buf, sizeof buf), 7);
    assert_string_equal(buf, "anon 1\n");
    fake_file("g", "0123456789012345678");
    assert_int_equal(kfile_read(dir, "g", buf, sizeof buf), 0);
    fake_file("h", "file 23456789\n1"); // the number may go on
    assert_int_equal(kfile_read(dir, "h", buf, sizeof buf), 14);
    fake_remove();
    close(dir);
}

T(what_can_not_be_read_is_an_error)
{
    char buf[16];

    fake_make();
    fake_folder("d");
    fake_file("f", "1\n");
    assert_int_equal(mkfifo(fake_path("fifo"), 0600), 0);
    chmod(fake_path("f"), 0);
    int dir = open(fake_dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(kfile_read(dir, "none", buf, sizeof buf), -ENOENT);
    assert_int_equal(kfile_read(dir, "d", buf, sizeof buf), -EISDIR);
    assert_int_equal(kfile_read(dir, "fifo", buf, sizeof buf), -ESPIPE); // and doesn't wait for a writer
    assert_int_equal(kfile_read(-1, "f", buf, sizeof buf), -EBADF);
    assert_int_equal(kfile_pread(-1, buf, sizeof buf), -EBADF);
    fake_be_nobody();
    assert_int_equal(kfile_read(dir, "f", buf, sizeof buf), -EACCES);
    fake_be_self();
    fake_remove();
    close(dir);
}

T(a_lack_of_descriptors_is_told_once)
{
    char buf[64];
    struct rlimit was, none;

    fake_make();
    fake_file("f", "1\n");
    int dir = open(fake_dir, O_RDONLY | O_DIRECTORY), next = dup(dir);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = (struct rlimit){(rlim_t)next, was.rlim_max};
    assert_int_equal(kfile_lacked(), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(kfile_read(dir, "f", buf, sizeof buf), -EMFILE);
    assert_int_equal(kfile_open(dir, "f", O_RDONLY | O_CLOEXEC), -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(kfile_read(dir, "none", buf, sizeof buf), -ENOENT); // that is no lack, and doesn't hide it
    assert_int_equal(kfile_lacked(), EMFILE);
    assert_int_equal(kfile_lacked(), 0);
    fake_remove();
    close(dir);
}

CLAIMS(C(a_number_is_digits_and_white_space_around_them), C(max_is_a_number_only_where_it_may_be),
       C(keys_are_found_in_any_order_and_by_their_whole_name), C(kilobytes_are_bytes_afterwards),
       C(a_bad_line_costs_its_own_value_only), C(the_first_of_two_equal_keys_counts), C(pressure_is_the_total_of_its_line),
       C(a_list_of_cpus_is_counted), C(what_does_not_fit_ends_with_a_whole_line), C(what_can_not_be_read_is_an_error),
       C(a_lack_of_descriptors_is_told_once))
