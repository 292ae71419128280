// SPDX-License-Identifier: Apache-2.0
// Runs a command for a notice. Runs in watch; owns at most one child a hook. Invariant: the child is a process group of its own,
// so that its end takes what it started along.
#include "watch/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define WORDS 64
#define OWN_ENV 16
#define ENV_MAX 512
#define GRACE_MS 2000

// A container without a shell still runs a plain command: only what a shell would read differently needs one.
static bool needs_shell(const char *command)
{
    return strpbrk(command, "|&;<>()$`\\\"'*?[]#~=%!{}\n") != NULL;
}

static void set_env(char env[OWN_ENV][1024], size_t *n, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void set_env(char env[OWN_ENV][1024], size_t *n, const char *name, const char *fmt, ...)
{
    va_list ap;

    if (*n == OWN_ENV)
        return;
    int at = snprintf(env[*n], 1024, "%s=", name);
    va_start(ap, fmt);
    vsnprintf(env[*n] + at, 1024 - (size_t)at, fmt, ap);
    va_end(ap);
    ++*n;
}

// The environment of the command: ours, and what the notice says.
static char **make_env(const struct notice *n)
{
    static char own[OWN_ENV][1024];
    static char *env[ENV_MAX + OWN_ENV + 1];
    size_t n_own = 0, at = 0;

    set_env(own, &n_own, "PLIMSOLL_EVENT", "%s", n->raised ? "raised" : "cleared");
    set_env(own, &n_own, "PLIMSOLL_VERDICT", "%s", mem_verdict_name(n->verdict));
    if (n->cause != CAUSE_NONE)
        set_env(own, &n_own, "PLIMSOLL_CAUSE", "%s", mem_cause_name(n->cause));
    set_env(own, &n_own, "PLIMSOLL_TEXT", "%s", n->text);
    if (*n->place)
        set_env(own, &n_own, "PLIMSOLL_PLACE", "%s", n->place);
    if (*n->change)
        set_env(own, &n_own, "PLIMSOLL_CHANGE", "%s", n->change);
    if (n->usage >= 0)
        set_env(own, &n_own, "PLIMSOLL_USAGE_BYTES", "%" PRId64, n->usage);
    if (n->limit >= 0 && n->limit != MEM_UNLIMITED)
        set_env(own, &n_own, "PLIMSOLL_LIMIT_BYTES", "%" PRId64, n->limit);
    if (n->growth_known)
        set_env(own, &n_own, "PLIMSOLL_GROWTH_BYTES_PER_MIN", "%.0f", n->bytes_per_min.mid);
    if (n->stall_known)
        set_env(own, &n_own, "PLIMSOLL_STALL_IN_S", "%.0f", n->stall_lo);
    for (size_t i = 0; i < n_own; i++)
        env[at++] = own[i];
    for (char **e = environ; e && *e && at < ENV_MAX + OWN_ENV; e++)
        if (strncmp(*e, "PLIMSOLL_", 9) != 0)
            env[at++] = *e;
    env[at] = NULL;
    return env;
}

// In the child. Only calls that are safe after fork.
_Noreturn static void run(const char *command, char **words, char **env, int in)
{
    sigset_t none;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, 0) < 0 || dup2(log_fd(), 1) < 0 || dup2(log_fd(), 2) < 0)
        _exit(126);
    if (words[0])
        execvpe(words[0], words, env);
    else
        execle("/bin/sh", "sh", "-c", command, (char *)NULL, env);
    static const char said[] = "plimsoll-xray watch: the command can't be run\n";
    (void)!write(2, said, sizeof said - 1);
    _exit(127);
}

static void on_too_long(struct timer *t)
{
    struct hook *h = container_of(t, struct hook, limit);

    if (!h->asked_to_end)
        log_warning("%s: the command runs longer than %d s; it is ended", h->courier.name, HOOK_TIME_S);
    kill(-h->pid, h->asked_to_end ? SIGKILL : SIGTERM);
    h->asked_to_end = true;
    timer_set(t, on_too_long, GRACE_MS);
}

static int on_start(struct courier *c, const struct notice *n)
{
    struct hook *h = c->to;
    static char copy[4096];
    char *words[WORDS] = {NULL}, *rest;
    int ends[2];

    if (!needs_shell(h->command) && strlen(h->command) < sizeof copy) {
        strcpy(copy, h->command);
        char *word = strtok_r(copy, " \t", &rest);
        for (size_t i = 0; word && i + 1 < WORDS; i++, word = strtok_r(NULL, " \t", &rest))
            words[i] = word;
    }
    char **env = make_env(n);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    // fork, not vfork: in a stall the program may take minutes to be read, and watch doesn't wait for it.
    pid_t pid = fork();
    if (pid == 0)
        run(h->command, words, env, ends[0]);
    int bad = errno;
    close(ends[0]);
    // Less than a pipe holds; but a user with many pipes gets small ones, and nobody waits for the command to read.
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    if (pid > 0 && write(ends[1], n->json, n->json_n) < 0) {
    }
    close(ends[1]);
    if (pid < 0)
        return -bad;
    h->pid = pid;
    h->asked_to_end = false;
    timer_set(&h->limit, on_too_long, HOOK_TIME_S * 1000);
    return 0;
}

void hook_init(struct hook *h, const char *name, const char *command, unsigned tries, double retry_s)
{
    h->command = command;
    h->courier = (struct courier){.name = name, .start = on_start, .to = h, .tries_max = tries, .retry_s = retry_s};
}

void hook_reap(struct hook *h)
{
    int status;
    char why[80];

    if (h->pid <= 0 || waitpid(h->pid, &status, WNOHANG) != h->pid)
        return;
    timer_clear(&h->limit);
    h->pid = 0;
    if (WIFEXITED(status))
        snprintf(why, sizeof why, "the command ended with code %d", WEXITSTATUS(status));
    else
        snprintf(why, sizeof why, "the command was ended by signal %d", WTERMSIG(status));
    courier_done(&h->courier, WIFEXITED(status) && WEXITSTATUS(status) == 0, true, why);
}

void hook_done(struct hook *h)
{
    int status;

    timer_clear(&h->courier.timer);
    timer_clear(&h->limit);
    if (h->pid > 0) {
        kill(-h->pid, SIGKILL);
        kill(h->pid, SIGKILL); // before it has made its group
        (void)waitpid(h->pid, &status, 0);
        h->pid = 0;
    }
}
