/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/overdue.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "workers/usage.h"

static void only_work_is_charged(void **state)
{
    (void)state;
    static const struct {
        PmOverdueFacts facts;
        PmOverdue at_once, judged;
    } rows[] = {
        /* wall, used, fetched, late, wants, held */
        {{15000, 8000, 0, 0, -1, false}, PM_OVERDUE_WORKED, PM_OVERDUE_WORKED},
        {{15000, 8000, 0, 9000, -1, true}, PM_OVERDUE_WORKED, PM_OVERDUE_WORKED},
        {{15000, 200, 0, 0, 240, false},
         PM_OVERDUE_NOT,
         PM_OVERDUE_STARVED}, /* 16 children on a quarter of a processor */
        {{15000, 200, 0, 0, 0, true}, PM_OVERDUE_STARVED, PM_OVERDUE_STARVED},      /* stopped */
        {{15000, 200, 0, 60000, 0, false}, PM_OVERDUE_STARVED, PM_OVERDUE_STARVED}, /* a frozen container, thawed */
        {{15000, 200, 14000, 0, 0, false}, PM_OVERDUE_FETCHED, PM_OVERDUE_FETCHED},
        {{15000, 200, 0, 0, 0, false}, PM_OVERDUE_NOT, PM_OVERDUE_SLEPT},
        {{15000, -1, 0, 0, -1, false}, PM_OVERDUE_NOT, PM_OVERDUE_SLEPT}, /* nothing can be known */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(pm_overdue_at_once(&rows[i].facts), rows[i].at_once);
        assert_int_equal(pm_overdue_judge(&rows[i].facts), rows[i].judged);
    }
}

static PmStatus status_of(PmOverdue overdue, int attempt, const char *expected)
{
    PmOverdueFacts facts = {.wall_ms = 15000, .used_ms = 200};
    PmError err = {0};
    pm_overdue_error(overdue, &facts, "clip", attempt, &err);
    if (strstr(err.message, expected) == NULL) fail_msg("%s", err.message);
    return err.status;
}

static void sleeping_is_forgiven_once(void **state)
{
    (void)state;
    assert_int_equal(status_of(PM_OVERDUE_STARVED, 9, "got 200ms of processor time"), PM_TRANSIENT);
    assert_int_equal(status_of(PM_OVERDUE_FETCHED, 9, "it waited for the network in plugin clip"), PM_TRANSIENT);
    assert_int_equal(status_of(PM_OVERDUE_SLEPT, 1, "waited in plugin clip and used 200ms"), PM_TRANSIENT);
    assert_int_equal(status_of(PM_OVERDUE_SLEPT, 2, "more than once: the worker process waited in plugin clip"),
                     PM_LIMIT);
    assert_int_equal(status_of(PM_OVERDUE_WORKED, 1, "of which it used 200ms"), PM_LIMIT);
}

static pid_t start(void (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) work();
    assert_true(pid > 0);
    return pid;
}

static void spin(void)
{
    for (;;) {
    }
}

static void sleep_for_ever(void)
{
    for (;;) pause();
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Waits for it, since the machine may be busy. */
static void processes_are_seen_from_outside(void **state)
{
    (void)state;
    pid_t busy = start(spin), asleep = start(sleep_for_ever);
    int64_t deadline = pm_clock_mono_ms() + 20000;
    while (pm_usage_cpu_ms(busy) < 100 && pm_clock_mono_ms() < deadline) usleep(10000);
    assert_true(pm_usage_cpu_ms(busy) >= 100);
    assert_in_range(pm_usage_cpu_ms(asleep), 0, 50);
    assert_true(pm_usage_starved_ms(busy) >= 0);
    assert_false(pm_usage_is_held(asleep));
    kill(asleep, SIGSTOP);
    while (!pm_usage_is_held(asleep) && pm_clock_mono_ms() < deadline) usleep(10000);
    assert_true(pm_usage_is_held(asleep));
    int memory = pm_usage_open_memory(busy);
    assert_true(memory >= 0);
    assert_true(pm_usage_mapped_bytes(memory) > 100 * 1024);
    end(busy);
    end(asleep);
    assert_int_equal(pm_usage_mapped_bytes(memory), -1);
    close(memory);
    assert_int_equal(pm_usage_cpu_ms(busy), -1);
    assert_int_equal(pm_usage_starved_ms(busy), -1);
    assert_int_equal(pm_usage_mapped_bytes(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_work_is_charged),
        cmocka_unit_test(sleeping_is_forgiven_once),
        cmocka_unit_test(processes_are_seen_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
