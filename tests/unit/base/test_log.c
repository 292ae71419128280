// SPDX-License-Identifier: Apache-2.0
// Claims about the log of a process that must not wait for its readers.
#include "base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../claim.h"

static char text[1 << 20];

static void take(int fd)
{
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
}

T(a_pipe_that_nobody_reads_holds_nobody_up)
{
    static char long_one[7000];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    memset(long_one, 'x', sizeof long_one - 1);
    log_init("test", ends[1]);
    log_dont_wait();
    alarm(60); // it would wait for ever
    for (int i = 0; i < 2000; i++)
        log_notice("line %d %s", i, i % 7 ? "" : long_one);
    alarm(0);
    take(ends[0]);
    assert_non_null(strstr(text, "test: line 0 "));
    assert_null(strstr(text, "line 1999"));
    log_notice("the next");
    take(ends[0]);
    assert_non_null(strstr(text, " lines before this one are lost"));
    assert_non_null(strstr(text, "test: the next\n"));
    log_notice("and one more");
    take(ends[0]);
    assert_null(strstr(text, "lost"));
    log_set_fd(STDERR_FILENO);
}

// A reader that begins late and is slow gets every line within the patience; one that never reads costs no more than that.
T(a_slow_reader_gets_all_lines_and_one_that_hangs_does_not_hold_anybody_up)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    pid_t reader = fork();
    if (reader == 0) {
        size_t n = 0;
        close(ends[1]);
        for (ssize_t got; (got = read(ends[0], text, 64)) > 0;)
            for (ssize_t i = 0; i < got; i++)
                n += text[i] == '\n';
        _exit(n == 500 ? 0 : 1);
    }
    assert_true(reader > 0);
    log_init("test", ends[1]);
    log_wait_at_most(60000);
    for (int i = 0; i < 500; i++)
        log_notice("line %d, and no other takes its place when the reader is slow", i);
    assert_int_equal(log_dropped(), 0);
    close(ends[1]);
    int status = -1;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_set_fd(ends[1]);
    log_wait_at_most(20);
    alarm(60); // it would wait for ever
    for (int i = 0; i < 5000; i++)
        log_notice("line %d, which nobody reads, nor the others", i);
    alarm(0);
    assert_true(log_dropped() > 0);
    log_set_fd(STDERR_FILENO);
}

T(lines_that_a_full_disk_refused_are_counted)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];

    assert_true(full >= 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    log_dont_wait();
    log_set_fd(full);
    log_notice("lost");
    log_notice("lost");
    log_set_fd(ends[1]);
    log_notice("kept");
    take(ends[0]);
    assert_non_null(strstr(text, "WARNING: 2 lines before this one are lost"));
    assert_non_null(strstr(text, "kept"));
    log_set_fd(STDERR_FILENO);
}

T(a_long_line_goes_to_a_file_whole)
{
    static char long_one[7000];
    char name[] = "/tmp/plimsoll-log-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    memset(long_one, 'x', sizeof long_one - 1);
    log_set_fd(fd);
    log_notice("%s", long_one);
    log_set_fd(STDERR_FILENO);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    take(fd);
    assert_non_null(strstr(text, long_one));
    close(fd);
    unlink(name);
}

CLAIMS(C(a_pipe_that_nobody_reads_holds_nobody_up), C(a_slow_reader_gets_all_lines_and_one_that_hangs_does_not_hold_anybody_up),
       C(a_long_line_goes_to_a_file_whole),
       C(lines_that_a_full_disk_refused_are_counted))
