// SPDX-License-Identifier: Apache-2.0
// The upgrade (SIGUSR2): runs the binary that now stands where ours was, with the same arguments and our listening sockets;
// once it says that it answers, this master hands over. Runs in the master, old and new. Owns the pipe between the two.
// Invariant: until the new one is ready nothing here has changed, so its failure costs nothing.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/die.h"
#include "base/fdio.h"
#include "base/log.h"
#include "master/master_int.h"
#include "master/notify.h"
#include "master/privileges.h"

#define LIMIT_MS 90000 // longer than the new one gives itself
static const char ready_word[] = "ready\n";

static int to_old = -1; // in the new master
static pid_t new_pid;   // in the old one; 0 = no upgrade
static int from_new = -1;
static struct watch watch;
static struct timer limit;
static char exe_path[PATH_MAX];

void upgrade_init(void)
{
    const char *fd = getenv(ENV_UPGRADE_FD);
    uint64_t n;

    if (fd && str_to_u64(str_from(fd), &n) && n > STDERR_FILENO && n < INT_MAX && fd_set_cloexec((int)n, true) == 0)
        to_old = (int)n;
    unsetenv(ENV_UPGRADE_FD);
    // Read now: after the file was replaced, the kernel says "... (deleted)".
    ssize_t len = readlink("/proc/self/exe", exe_path, sizeof exe_path - 1);
    exe_path[len > 0 ? len : 0] = '\0';
}

bool upgrade_is_child(void)
{
    return to_old >= 0;
}

void upgrade_say_ready(void)
{
    (void)fd_write_all(to_old, ready_word, sizeof ready_word - 1);
    fd_close(&to_old);
}

bool upgrade_is_running(void)
{
    return new_pid != 0;
}

static void forget(void)
{
    loop_del(&watch);
    fd_close(&from_new);
    timer_clear(&limit);
    new_pid = 0;
}

static void on_limit(struct timer *t)
{
    log_error("upgrade: the new master (pid %d) was not ready within %d s and is ended; this one goes on", new_pid,
              LIMIT_MS / 1000);
    upgrade_cancel();
}

void upgrade_cancel(void)
{
    if (!new_pid)
        return;
    kill(new_pid, SIGTERM);
    forget();
}

static void on_readable(struct watch *w, uint32_t events)
{
    char buf[64];

    ssize_t n = read(from_new, buf, sizeof buf);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == sizeof ready_word - 1 && memcmp(buf, ready_word, (size_t)n) == 0) {
        pid_t pid = new_pid;
        forget();
        master_hand_over(pid);
        return;
    }
    loop_del(&watch); // it failed: its exit status comes with SIGCHLD
}

bool upgrade_on_exit(pid_t pid, int status)
{
    if (!new_pid || pid != new_pid)
        return false;
    // Its word may still lie in the pipe: a new master that became ready and died is a server that is gone.
    if (WIFSIGNALED(status))
        log_error("upgrade: the new master was killed by signal %d (%s); this one goes on", WTERMSIG(status),
                  strsignal(WTERMSIG(status)));
    else
        log_error("upgrade: the new master exited with status %d; this one goes on", WEXITSTATUS(status));
    forget();
    return true;
}

static void add_listener(const struct listener *l, void *arg)
{
    buf_printf(arg, "%d=%c %s\n", l->fd, l->admin ? 'A' : 'L', l->text);
    (void)fd_set_cloexec(l->fd, false);
}

_Noreturn static void child_main(int channel)
{
    struct buf list = BUF_INIT;
    char number[16];

    signals_reset_child();
    privileges_restore_limits();
    listeners_each(add_listener, &list);
    buf_add(&list, "", 1);
    snprintf(number, sizeof number, "%d", channel);
    (void)fd_set_cloexec(channel, false);
    setenv(ENV_INHERIT_FDS, list.p, 1);
    setenv(ENV_UPGRADE_FD, number, 1);
    if (notify_socket())
        setenv("NOTIFY_SOCKET", notify_socket(), 1);
    // By the name we were called: it may be a symlink that points to another release by now.
    if (strchr(master.argv[0], '/'))
        execv(master.argv[0], master.argv);
    else
        execvp(master.argv[0], master.argv);
    execv(exe_path, master.argv);
    log_error("upgrade: can't run %s: %s", exe_path, strerror(errno));
    _exit(EXIT_FAILED);
}

static const char *refusal(void)
{
    if (getpid() == 1)
        return "as process 1 this master can't end without ending the container; start a new container instead";
    if (new_pid)
        return "an upgrade is running";
    if (reload_is_running())
        return "a reload is running";
    if (master.stopping)
        return "the server is stopping";
    return master.current ? NULL : "the server is starting";
}

void upgrade_begin(void)
{
    int fds[2];
    const char *refused = refusal();

    if (refused) {
        log_warning("upgrade is refused: %s", refused);
        return;
    }
    if (pipe2(fds, O_CLOEXEC) < 0) {
        log_error("upgrade: %s", strerror(errno));
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        child_main(fds[1]);
    close(fds[1]);
    if (pid < 0 || fd_set_nonblock(fds[0], true) < 0 || loop_add(&watch, fds[0], EPOLLIN, on_readable) < 0) {
        log_error("upgrade: can't start the new master");
        close(fds[0]);
        if (pid > 0)
            kill(pid, SIGKILL);
        return;
    }
    from_new = fds[0];
    new_pid = pid;
    timer_set(&limit, on_limit, LIMIT_MS);
    log_notice("upgrade: the new master is pid %d", pid);
}
