/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { EVENTS_MAX = 64, SIGNALS_MAX = 8, SPARE_TIMERS = 64 };

struct PmWatch {
    PmLoop *loop;
    PmWatch *previous, *next;
    int fd;
    bool dead, internal; /* dead: removed while its batch of events is being handled */
    PmFdCallback *call;
    void *data;
};

struct PmTimer {
    PmLoop *loop;
    PmTimer *next; /* sorted by due, then by age */
    int64_t due_ms;
    PmTimerCallback *call;
    void *data;
};

typedef struct Signal {
    int signo;
    PmTimerCallback *call;
    void *data;
} Signal;

struct PmLoop {
    int epoll, signal_fd;
    sigset_t signals;
    Signal handlers[SIGNALS_MAX];
    size_t handler_count;
    PmWatch *watches, *unwatched;
    size_t watch_count; /* those that keep the loop running */
    PmTimer *timers;
    PmTimer *spare; /* for when memory is short: what ends a job or a pause must not fail */
    size_t spare_count;
    bool stopped, dispatching;
};

static void free_timer(PmLoop *loop, PmTimer *timer)
{
    if (loop->spare_count >= SPARE_TIMERS) {
        free(timer);
        return;
    }
    timer->next = loop->spare;
    loop->spare = timer;
    loop->spare_count++;
}

static PmTimer *new_timer(PmLoop *loop)
{
    PmTimer *timer = calloc(1, sizeof *timer);
    if (timer != NULL || loop->spare == NULL) return timer;
    timer = loop->spare;
    loop->spare = timer->next;
    loop->spare_count--;
    return timer;
}

PmLoop *pm_loop_new(PmError *err)
{
    PmLoop *loop = calloc(1, sizeof *loop);
    if (loop == NULL || (loop->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
        pm_error_set(err, PM_TRANSIENT, "cannot make an event loop: %s", strerror(errno));
        free(loop);
        return NULL;
    }
    loop->signal_fd = -1;
    sigemptyset(&loop->signals);
    while (loop->spare_count < SPARE_TIMERS) {
        PmTimer *timer = calloc(1, sizeof *timer);
        if (timer == NULL) {
            pm_error_set(err, PM_TRANSIENT, "cannot make an event loop: out of memory");
            pm_loop_free(loop);
            return NULL;
        }
        free_timer(loop, timer);
    }
    return loop;
}

static void free_unwatched(PmLoop *loop)
{
    while (loop->unwatched != NULL) {
        PmWatch *watch = loop->unwatched;
        loop->unwatched = watch->next;
        free(watch);
    }
}

void pm_loop_free(PmLoop *loop)
{
    if (loop == NULL) return;
    loop->dispatching = false;
    for (PmWatch *watch = loop->watches, *next; watch != NULL; watch = next) {
        next = watch->next;
        pm_loop_unwatch(watch);
    }
    free_unwatched(loop);
    for (PmTimer *timer = loop->timers, *next; timer != NULL; timer = next) {
        next = timer->next;
        pm_loop_cancel(timer);
    }
    for (PmTimer *timer = loop->spare, *next; timer != NULL; timer = next) {
        next = timer->next;
        free(timer);
    }
    if (loop->signal_fd >= 0) {
        close(loop->signal_fd);
        sigprocmask(SIG_UNBLOCK, &loop->signals, NULL);
    }
    close(loop->epoll);
    free(loop);
}

static uint32_t epoll_mask(unsigned events)
{
    return ((events & PM_READABLE) != 0 ? EPOLLIN | EPOLLRDHUP : 0u) | ((events & PM_WRITABLE) != 0 ? EPOLLOUT : 0u);
}

PmWatch *pm_loop_watch(PmLoop *loop, int fd, unsigned events, PmFdCallback *call, void *data)
{
    PmWatch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) return NULL;
    *watch = (PmWatch){.loop = loop, .next = loop->watches, .fd = fd, .call = call, .data = data};
    struct epoll_event event = {.events = epoll_mask(events), .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(watch);
        return NULL;
    }
    if (loop->watches != NULL) loop->watches->previous = watch;
    loop->watches = watch;
    loop->watch_count++;
    return watch;
}

void pm_loop_watch_events(PmWatch *watch, unsigned events)
{
    struct epoll_event event = {.events = epoll_mask(events), .data.ptr = watch};
    epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void pm_loop_unwatch(PmWatch *watch)
{
    if (watch == NULL || watch->dead) return;
    PmLoop *loop = watch->loop;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->previous != NULL)
        watch->previous->next = watch->next;
    else
        loop->watches = watch->next;
    if (watch->next != NULL) watch->next->previous = watch->previous;
    if (!watch->internal) loop->watch_count--;
    /* Events already fetched may still point here. */
    watch->dead = true;
    watch->previous = NULL;
    watch->next = loop->unwatched;
    loop->unwatched = watch;
    if (!loop->dispatching) free_unwatched(loop);
}

PmTimer *pm_loop_after(PmLoop *loop, int64_t delay_ms, PmTimerCallback *call, void *data)
{
    PmTimer *timer = new_timer(loop);
    if (timer == NULL) return NULL;
    *timer = (PmTimer){
        .loop = loop, .due_ms = pm_clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0), .call = call, .data = data};
    PmTimer **at = &loop->timers;
    while (*at != NULL && (*at)->due_ms <= timer->due_ms) at = &(*at)->next;
    timer->next = *at;
    *at = timer;
    return timer;
}

static bool take_out(PmTimer *timer)
{
    for (PmTimer **at = &timer->loop->timers; *at != NULL; at = &(*at)->next)
        if (*at == timer) {
            *at = timer->next;
            return true;
        }
    return false;
}

void pm_loop_cancel(PmTimer *timer)
{
    if (timer != NULL && take_out(timer)) free_timer(timer->loop, timer);
}

static void on_signal(void *data, int fd, unsigned events)
{
    (void)events;
    PmLoop *loop = data;
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
        for (size_t i = 0; i < loop->handler_count; i++)
            if (loop->handlers[i].signo == (int)info.ssi_signo) loop->handlers[i].call(loop->handlers[i].data);
}

bool pm_loop_signal(PmLoop *loop, int signo, PmTimerCallback *call, void *data)
{
    if (loop->handler_count == SIGNALS_MAX) return false;
    sigaddset(&loop->signals, signo);
    if (sigprocmask(SIG_BLOCK, &loop->signals, NULL) != 0) return false;
    int fd = signalfd(loop->signal_fd, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return false;
    if (loop->signal_fd < 0) {
        loop->signal_fd = fd;
        PmWatch *watch = pm_loop_watch(loop, fd, PM_READABLE, on_signal, loop);
        if (watch == NULL) return false;
        watch->internal = true; /* waiting for a signal alone keeps no loop running */
        loop->watch_count--;
    }
    loop->handlers[loop->handler_count++] = (Signal){signo, call, data};
    return true;
}

static void run_timers(PmLoop *loop)
{
    /* Only those due by now: a timer of 0 ms set in a callback waits for the next turn. */
    int64_t now = pm_clock_mono_ms();
    size_t count = 0;
    for (PmTimer *t = loop->timers; t != NULL && t->due_ms <= now; t = t->next) count++;
    while (count-- > 0 && !loop->stopped && loop->timers != NULL && loop->timers->due_ms <= now) {
        PmTimer *timer = loop->timers;
        loop->timers = timer->next;
        timer->call(timer->data);
        free_timer(loop, timer); /* only now: it may have cancelled itself */
    }
}

void pm_loop_run(PmLoop *loop)
{
    loop->stopped = false;
    while (!loop->stopped && (loop->watch_count > 0 || loop->timers != NULL)) {
        int64_t wait = loop->timers != NULL ? loop->timers->due_ms - pm_clock_mono_ms() : -1;
        if (loop->timers != NULL && wait < 0) wait = 0;
        if (wait > 3600000) wait = 3600000;
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(loop->epoll, events, EVENTS_MAX, (int)wait);
        loop->dispatching = true;
        for (int i = 0; i < n && !loop->stopped; i++) {
            PmWatch *watch = events[i].data.ptr;
            if (watch->dead) continue;
            unsigned what = ((events[i].events & (EPOLLIN | EPOLLRDHUP)) != 0 ? PM_READABLE : 0u) |
                            ((events[i].events & EPOLLOUT) != 0 ? PM_WRITABLE : 0u) |
                            ((events[i].events & (EPOLLHUP | EPOLLERR)) != 0 ? PM_HANGUP : 0u);
            watch->call(watch->data, watch->fd, what);
        }
        loop->dispatching = false;
        free_unwatched(loop);
        run_timers(loop);
    }
}

void pm_loop_stop(PmLoop *loop)
{
    loop->stopped = true;
}
