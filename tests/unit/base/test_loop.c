/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "failing.h"

typedef struct Scene {
    PmLoop *loop;
    PmWatch *watch, *other;
    PmTimer *timer;
    int pipes[2][2];
    char order[16];
    size_t count;
    unsigned events;
} Scene;

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->loop = pm_loop_new(NULL);
    assert_int_equal(pipe(s->pipes[0]), 0);
    assert_int_equal(pipe(s->pipes[1]), 0);
    *state = s;
    return s->loop == NULL;
}

static int teardown(void **state)
{
    Scene *s = *state;
    pm_loop_free(s->loop);
    for (size_t i = 0; i < 4; i++)
        if (s->pipes[i / 2][i % 2] >= 0) close(s->pipes[i / 2][i % 2]);
    free(s);
    return 0;
}

static void note(Scene *s, char what)
{
    assert_true(s->count < sizeof s->order - 1);
    s->order[s->count++] = what;
}

static void note_a(void *data)
{
    note(data, 'a');
}

static void note_b(void *data)
{
    note(data, 'b');
}

static void note_c(void *data)
{
    note(data, 'c');
}

/* --- timers --- */

static void timers_come_by_due_time_then_age(void **state)
{
    Scene *s = *state;
    pm_loop_after(s->loop, 20, note_c, s);
    pm_loop_after(s->loop, 0, note_a, s);
    pm_loop_after(s->loop, 0, note_b, s);
    int64_t before = pm_clock_mono_ms();
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "abc");
    assert_true(pm_clock_mono_ms() - before >= 20);
}

static void a_cancelled_timer_never_comes(void **state)
{
    Scene *s = *state;
    PmTimer *timer = pm_loop_after(s->loop, 0, note_a, s);
    pm_loop_after(s->loop, 0, note_b, s);
    pm_loop_cancel(timer);
    pm_loop_cancel(NULL);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "b");
}

static void cancel_other(void *data)
{
    Scene *s = data;
    note(s, 'x');
    pm_loop_cancel(s->timer);
}

static void a_timer_may_cancel_the_next_one_that_is_due_too(void **state)
{
    Scene *s = *state;
    pm_loop_after(s->loop, 0, cancel_other, s);
    s->timer = pm_loop_after(s->loop, 0, note_a, s);
    pm_loop_after(s->loop, 0, note_b, s);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "xb");
}

static void a_timer_may_cancel_itself(void **state)
{
    Scene *s = *state;
    s->timer = pm_loop_after(s->loop, 0, cancel_other, s);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "x");
}

static void again(void *data)
{
    Scene *s = data;
    note(s, 'r');
    if (s->count == 1) {
        assert_int_equal(write(s->pipes[0][1], "x", 1), 1);
        pm_loop_after(s->loop, 0, again, s);
    } else {
        pm_loop_stop(s->loop);
    }
}

static void note_readable(void *data, int fd, unsigned events)
{
    Scene *s = data;
    char byte;
    assert_true(events & PM_READABLE);
    assert_int_equal(read(fd, &byte, 1), 1);
    note(s, 'd');
}

static void zero_delay_lets_descriptors_have_a_turn(void **state)
{
    Scene *s = *state;
    s->watch = pm_loop_watch(s->loop, s->pipes[0][0], PM_READABLE, note_readable, s);
    pm_loop_after(s->loop, 0, again, s);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "rdr");
}

/* --- watches --- */

static void stop_on(void *data, int fd, unsigned events)
{
    Scene *s = data;
    (void)fd;
    s->events = events;
    pm_loop_stop(s->loop);
}

static void hangup_is_told(void **state)
{
    Scene *s = *state;
    s->watch = pm_loop_watch(s->loop, s->pipes[0][0], PM_READABLE, stop_on, s);
    close(s->pipes[0][1]);
    s->pipes[0][1] = -1;
    pm_loop_run(s->loop);
    assert_true(s->events & PM_HANGUP);
}

static void stop_loop(void *data)
{
    pm_loop_stop(((Scene *)data)->loop);
}

static void events_can_be_changed(void **state)
{
    Scene *s = *state;
    s->watch = pm_loop_watch(s->loop, s->pipes[0][1], 0, stop_on, s);
    pm_loop_after(s->loop, 10, note_a, s);
    s->timer = pm_loop_after(s->loop, 15, stop_loop, s);
    pm_loop_run(s->loop);
    assert_int_equal(s->events, 0);
    pm_loop_watch_events(s->watch, PM_WRITABLE);
    pm_loop_run(s->loop);
    assert_int_equal(s->events, PM_WRITABLE);
}

static void remove_both(void *data, int fd, unsigned events)
{
    Scene *s = data;
    (void)fd;
    (void)events;
    note(s, 'w');
    pm_loop_unwatch(s->watch);
    pm_loop_unwatch(s->other);
}

/* Both descriptors are ready in the same batch: whichever comes first removes the other, whose event is dropped. */
static void a_removed_watch_is_not_called_even_when_its_event_is_fetched_already(void **state)
{
    Scene *s = *state;
    s->watch = pm_loop_watch(s->loop, s->pipes[0][0], PM_READABLE, remove_both, s);
    s->other = pm_loop_watch(s->loop, s->pipes[1][0], PM_READABLE, remove_both, s);
    assert_int_equal(write(s->pipes[0][1], "x", 1), 1);
    assert_int_equal(write(s->pipes[1][1], "x", 1), 1);
    pm_loop_run(s->loop); /* ends: nothing is left to wait for */
    assert_string_equal(s->order, "w");
}

static void a_bad_descriptor_is_refused(void **state)
{
    Scene *s = *state;
    assert_null(pm_loop_watch(s->loop, -1, PM_READABLE, stop_on, s));
    pm_loop_run(s->loop);
}

/* --- signals --- */

static void raise_it(void *data)
{
    (void)data;
    raise(SIGUSR1);
}

static void stop_and_note(void *data)
{
    Scene *s = data;
    note(s, 's');
    pm_loop_stop(s->loop);
}

static void signals_come_from_the_loop(void **state)
{
    Scene *s = *state;
    assert_true(pm_loop_signal(s->loop, SIGUSR1, stop_and_note, s));
    assert_true(pm_loop_signal(s->loop, SIGUSR2, note_b, s));
    pm_loop_after(s->loop, 0, raise_it, s);
    pm_loop_after(s->loop, 2000, note_a, s);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "s");
}

static void waiting_for_a_signal_alone_keeps_no_loop_running(void **state)
{
    Scene *s = *state;
    assert_true(pm_loop_signal(s->loop, SIGUSR1, note_a, s));
    pm_loop_run(s->loop);
    assert_int_equal(s->count, 0);
}

static void ring(void *data)
{
    ++*(int *)data;
}

/* What ends a job or a pause is a timer: it must come also when there is no memory for it. */
static void timers_come_also_without_memory(void **state)
{
    (void)state;
    PmError err = {0};
    int rung = 0;
    PmLoop *loop = pm_loop_new(&err);
    for (int i = 0; i < 200; i++) {
        failing_nth(1);
        PmTimer *timer = pm_loop_after(loop, 0, ring, &rung);
        assert_true(failing_stop());
        assert_non_null(timer);
        if (i % 2 == 0)
            pm_loop_cancel(timer);
        else
            pm_loop_run(loop);
    }
    assert_int_equal(rung, 100);
    pm_loop_free(loop);
    for (size_t n = 1;; n++) {
        failing_nth(n);
        loop = pm_loop_new(&err);
        if (!failing_stop()) break;
        assert_null(loop);
        assert_int_equal(err.status, PM_TRANSIENT);
        err = (PmError){0};
    }
    assert_non_null(loop);
    pm_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_also_without_memory),
        cmocka_unit_test_setup_teardown(timers_come_by_due_time_then_age, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_timer_never_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_may_cancel_the_next_one_that_is_due_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_may_cancel_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(zero_delay_lets_descriptors_have_a_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(hangup_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(events_can_be_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_watch_is_not_called_even_when_its_event_is_fetched_already, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_bad_descriptor_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_come_from_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_for_a_signal_alone_keeps_no_loop_running, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
