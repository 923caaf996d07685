/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/helper.h"
#include "base/spawn.h"

typedef struct Scene {
    PmLoop *loop;
    PmHelper *helper;
    char order[32];
    size_t count, cancelled;
    int gate[2]; /* a job that reads from it runs until somebody writes */
} Scene;

typedef struct Work {
    Scene *scene;
    char name;
    bool waits;
    atomic_bool begun, ran;
    sigset_t blocked;
    PmHelperJob *victim; /* cancelled by `done` */
    bool again;          /* `done` starts another */
} Work;

static int setup(void **state)
{
    Scene *s = calloc(1, sizeof *s);
    s->loop = pm_loop_new(NULL);
    s->helper = pm_helper_new(s->loop, NULL);
    assert_non_null(s->helper);
    assert_int_equal(pipe(s->gate), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    Scene *s = *state;
    pm_helper_free(s->helper);
    pm_loop_free(s->loop);
    close(s->gate[0]);
    close(s->gate[1]);
    free(s);
    return 0;
}

static void work(void *data)
{
    Work *w = data;
    char c;
    atomic_store(&w->begun, true);
    pthread_sigmask(SIG_SETMASK, NULL, &w->blocked);
    if (w->waits && read(w->scene->gate[0], &c, 1) != 1) return;
    atomic_store(&w->ran, true);
}

static void done(void *data, bool cancelled)
{
    Work *w = data;
    Scene *s = w->scene;
    if (cancelled)
        s->cancelled++;
    else
        s->order[s->count++] = w->name;
    pm_helper_cancel(w->victim);
    if (w->again) {
        w->again = false;
        assert_non_null(pm_helper_run(s->helper, work, done, w));
    }
}

static void open_gate(void *data)
{
    assert_int_equal(write(((Scene *)data)->gate[1], "x", 1), 1);
}

static PmHelperJob *run_one(Work *w)
{
    PmHelperJob *job = pm_helper_run(w->scene->helper, work, done, w);
    assert_non_null(job);
    return job;
}

static void wait_until_begun(Work *w)
{
    int64_t until = pm_clock_mono_ms() + 20000;
    while (!atomic_load(&w->begun)) assert_true(pm_clock_mono_ms() < until);
}

static void test_jobs_run_in_order_and_an_idle_helper_keeps_no_loop(void **state)
{
    Scene *s = *state;
    Work works[3] = {{.scene = s, .name = 'a'}, {.scene = s, .name = 'b', .again = true}, {.scene = s, .name = 'c'}};
    for (size_t i = 0; i < 3; i++) run_one(&works[i]);
    pm_loop_run(s->loop); /* ends by itself */
    assert_string_equal(s->order, "abcb");
    for (size_t i = 0; i < 3; i++) assert_true(works[i].ran);
}

static void test_the_loop_goes_on_while_a_job_blocks(void **state)
{
    Scene *s = *state;
    Work w = {.scene = s, .name = 'a', .waits = true};
    run_one(&w);
    assert_non_null(pm_loop_after(s->loop, 20, open_gate, s)); /* only the loop can end the job */
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "a");
}

static void test_the_thread_takes_no_signal(void **state)
{
    Scene *s = *state;
    Work w = {.scene = s, .name = 'a'};
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    run_one(&w);
    pm_loop_run(s->loop);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(sigismember(&w.blocked, SIGTERM) && sigismember(&w.blocked, SIGINT) && sigismember(&w.blocked, SIGIO));
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static void test_a_waiting_job_that_is_cancelled_never_runs(void **state)
{
    Scene *s = *state;
    Work first = {.scene = s, .name = 'a', .waits = true}, second = {.scene = s, .name = 'b'};
    run_one(&first);
    PmHelperJob *job = run_one(&second);
    pm_helper_cancel(job);
    assert_int_equal(s->cancelled, 1);
    open_gate(s);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "a");
    assert_false(second.ran);
}

static void test_a_running_job_that_is_cancelled_is_reported_when_it_ends(void **state)
{
    Scene *s = *state;
    Work w = {.scene = s, .name = 'a', .waits = true};
    PmHelperJob *job = run_one(&w);
    wait_until_begun(&w);
    pm_helper_cancel(job);
    assert_int_equal(s->cancelled, 0); /* its data is still in use */
    open_gate(s);
    pm_loop_run(s->loop);
    assert_int_equal(s->cancelled, 1);
    assert_int_equal(s->count, 0);
    assert_true(w.ran);
}

static void test_done_may_cancel_one_that_has_ended_too(void **state)
{
    Scene *s = *state;
    Work first = {.scene = s, .name = 'a'}, second = {.scene = s, .name = 'b'};
    run_one(&first);
    first.victim = run_one(&second);
    int64_t until = pm_clock_mono_ms() + 20000;
    while (!atomic_load(&second.ran)) assert_true(pm_clock_mono_ms() < until);
    pm_loop_run(s->loop);
    assert_string_equal(s->order, "a");
    assert_int_equal(s->cancelled, 1);
}

static void test_freeing_waits_for_the_running_job_and_drops_the_rest(void **state)
{
    Scene *s = *state;
    Work first = {.scene = s, .waits = true}, second = {.scene = s};
    run_one(&first);
    wait_until_begun(&first);
    run_one(&second);
    open_gate(s);
    pm_helper_free(s->helper);
    s->helper = NULL;
    assert_int_equal(s->cancelled, 2);
    assert_true(first.ran);
}

static void test_the_queue_has_a_bound(void **state)
{
    Scene *s = *state;
    static Work w;
    w = (Work){.scene = s, .waits = true};
    static Work rest;
    rest = (Work){.scene = s};
    run_one(&w);
    for (size_t i = 1; i < PM_HELPER_JOBS_MAX; i++) run_one(&rest);
    assert_null(pm_helper_run(s->helper, work, done, &rest));
    open_gate(s);
    pm_helper_free(s->helper);
    s->helper = NULL;
    assert_int_equal(s->cancelled, PM_HELPER_JOBS_MAX);
}

/* fork() beside a thread that holds locks: what the new process does before exec takes none. */
static void test_a_worker_starts_while_the_thread_works(void **state)
{
    Scene *s = *state;
    Work w = {.scene = s, .name = 'a', .waits = true};
    run_one(&w);
    wait_until_begun(&w);
    int sock = -1, status = 0;
    pid_t pid = 0;
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)"printf here >&3", NULL};
    assert_int_equal(pm_spawn_worker("/bin/sh", arguments, &sock, &pid), 0);
    char text[16] = "";
    assert_int_equal(read(sock, text, sizeof text - 1), 4);
    assert_string_equal(text, "here");
    close(sock);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    open_gate(s);
    pm_loop_run(s->loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_jobs_run_in_order_and_an_idle_helper_keeps_no_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_loop_goes_on_while_a_job_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_thread_takes_no_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_waiting_job_that_is_cancelled_never_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_running_job_that_is_cancelled_is_reported_when_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_done_may_cancel_one_that_has_ended_too, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freeing_waits_for_the_running_job_and_drops_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_queue_has_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_worker_starts_while_the_thread_works, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
