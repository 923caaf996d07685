/* SPDX-License-Identifier: Apache-2.0 */
#include "base/helper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef enum State { WAITING, RUNNING, ENDED } State;

struct PmHelperJob {
    PmHelper *helper;
    PmHelperJob *previous, *next; /* in the list of its state; a running one is in none */
    State state;
    bool cancelled; /* while it runs; only the loop's thread looks */
    void (*work)(void *data);
    PmHelperDone *done;
    void *data;
};

typedef struct List {
    PmHelperJob *first, *last;
} List;

struct PmHelper {
    PmLoop *loop;
    PmWatch *watch; /* only while there are jobs: an idle helper keeps no loop running */
    int event;
    bool started;
    pthread_t thread;
    size_t open; /* jobs whose `done` has not come; the loop's thread alone counts */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under the lock: */
    List waiting, ended;
    bool stop;
};

static void append(List *list, PmHelperJob *job)
{
    job->next = NULL;
    job->previous = list->last;
    if (list->last != NULL)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static void take_out(List *list, PmHelperJob *job)
{
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        list->first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        list->last = job->previous;
    job->previous = job->next = NULL;
}

static PmHelperJob *take_first(List *list)
{
    PmHelperJob *job = list->first;
    if (job == NULL) return NULL;
    list->first = job->next;
    if (list->first != NULL)
        list->first->previous = NULL;
    else
        list->last = NULL;
    job->previous = job->next = NULL;
    return job;
}

static void *run(void *data)
{
    PmHelper *helper = data;
    pthread_mutex_lock(&helper->lock);
    for (;;) {
        while (!helper->stop && helper->waiting.first == NULL) pthread_cond_wait(&helper->wake, &helper->lock);
        if (helper->stop) break;
        PmHelperJob *job = take_first(&helper->waiting);
        job->state = RUNNING;
        pthread_mutex_unlock(&helper->lock);
        job->work(job->data);
        pthread_mutex_lock(&helper->lock);
        job->state = ENDED;
        append(&helper->ended, job);
        /* The counter is far from its end, so this neither blocks nor fails. */
        while (eventfd_write(helper->event, 1) != 0 && errno == EINTR) {
        }
    }
    pthread_mutex_unlock(&helper->lock);
    return NULL;
}

/* Ends a job that is in no list any more. */
static void finish(PmHelperJob *job, bool cancelled)
{
    PmHelper *helper = job->helper;
    PmHelperDone *done = job->done;
    void *data = job->data;
    if (--helper->open == 0) {
        pm_loop_unwatch(helper->watch);
        helper->watch = NULL;
    }
    free(job);
    done(data, cancelled);
}

static PmHelperJob *first_ended(PmHelper *helper)
{
    pthread_mutex_lock(&helper->lock);
    PmHelperJob *job = take_first(&helper->ended);
    pthread_mutex_unlock(&helper->lock);
    return job;
}

static void on_event(void *data, int fd, unsigned events)
{
    (void)events;
    PmHelper *helper = data;
    eventfd_t count;
    PmHelperJob *job;
    /* Emptied before we look: what ends from now on wakes us again. */
    if (eventfd_read(fd, &count) != 0) return;
    while ((job = first_ended(helper)) != NULL) finish(job, job->cancelled);
}

PmHelper *pm_helper_new(PmLoop *loop, PmError *err)
{
    PmHelper *helper = calloc(1, sizeof *helper);
    if (helper == NULL || (helper->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        pm_error_set(err, PM_TRANSIENT, "cannot make a helper thread: %s", strerror(errno));
        free(helper);
        return NULL;
    }
    helper->loop = loop;
    pthread_mutex_init(&helper->lock, NULL);
    pthread_cond_init(&helper->wake, NULL);
    return helper;
}

/* Signals are for the loop's thread, which takes them from a signalfd or by their default. */
static bool start(PmHelper *helper)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_BLOCK, &all, &before) != 0) return false;
    helper->started = pthread_create(&helper->thread, NULL, run, helper) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return helper->started;
}

PmHelperJob *pm_helper_run(PmHelper *helper, void (*work)(void *data), PmHelperDone *done, void *data)
{
    if (helper->open == PM_HELPER_JOBS_MAX || (!helper->started && !start(helper))) return NULL;
    PmHelperJob *job = calloc(1, sizeof *job);
    if (job == NULL) return NULL;
    if (helper->watch == NULL)
        helper->watch = pm_loop_watch(helper->loop, helper->event, PM_READABLE, on_event, helper);
    if (helper->watch == NULL) {
        free(job);
        return NULL;
    }
    *job = (PmHelperJob){.helper = helper, .state = WAITING, .work = work, .done = done, .data = data};
    helper->open++;
    pthread_mutex_lock(&helper->lock);
    append(&helper->waiting, job);
    pthread_cond_signal(&helper->wake);
    pthread_mutex_unlock(&helper->lock);
    return job;
}

void pm_helper_cancel(PmHelperJob *job)
{
    if (job == NULL) return;
    PmHelper *helper = job->helper;
    pthread_mutex_lock(&helper->lock);
    State state = job->state;
    if (state != RUNNING) take_out(state == WAITING ? &helper->waiting : &helper->ended, job);
    pthread_mutex_unlock(&helper->lock);
    job->cancelled = true;
    if (state != RUNNING) finish(job, true);
}

void pm_helper_free(PmHelper *helper)
{
    if (helper == NULL) return;
    if (helper->started) {
        pthread_mutex_lock(&helper->lock);
        helper->stop = true;
        pthread_cond_signal(&helper->wake);
        pthread_mutex_unlock(&helper->lock);
        pthread_join(helper->thread, NULL);
    }
    List *lists[] = {&helper->waiting, &helper->ended};
    for (size_t i = 0; i < 2; i++)
        for (PmHelperJob *job; (job = take_first(lists[i])) != NULL;) finish(job, true);
    pthread_cond_destroy(&helper->wake);
    pthread_mutex_destroy(&helper->lock);
    close(helper->event);
    free(helper);
}
