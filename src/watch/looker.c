// SPDX-License-Identifier: Apache-2.0
// The thread and its one place for a job. Runs in watch; owns the thread. Invariant: job is set by the owner and cleared by the
// thread, each under the lock.
#include "watch/looker.h"

#include <time.h>

#define STACK (512 * 1024)

static void *work(void *arg)
{
    struct looker *l = arg;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->job)
            pthread_cond_wait(&l->begun, &l->lock);
        pthread_mutex_unlock(&l->lock);
        l->job(l->arg);
        pthread_mutex_lock(&l->lock);
        l->job = NULL;
        pthread_cond_signal(&l->done);
    }
    return NULL;
}

int looker_start(struct looker *l)
{
    pthread_attr_t stack;
    pthread_condattr_t clock;

    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->begun, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l->done, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&stack);
    pthread_attr_setstacksize(&stack, STACK);
    int error = pthread_create(&l->thread, &stack, work, l);
    pthread_attr_destroy(&stack);
    l->there = error == 0;
    return -error;
}

bool looker_run(struct looker *l, void (*job)(void *arg), void *arg, int ms)
{
    struct timespec end;

    if (!l->there) {
        job(arg);
        return true;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&l->lock);
    l->arg = arg;
    l->job = job;
    pthread_cond_signal(&l->begun);
    while (l->job && pthread_cond_timedwait(&l->done, &l->lock, &end) == 0)
        ;
    bool done = !l->job;
    pthread_mutex_unlock(&l->lock);
    return done;
}

bool looker_is_idle(struct looker *l)
{
    if (!l->there)
        return true;
    pthread_mutex_lock(&l->lock);
    bool idle = !l->job;
    pthread_mutex_unlock(&l->lock);
    return idle;
}
