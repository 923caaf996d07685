/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "base/clock.h"
#include "session/breaker.h"

typedef struct World {
    PmLoop *loop;
    PmBreaker *breaker;
    size_t probes, changes, stop_at;
    int64_t tries, pauses[16], last_ms;
} World;

static void on_probe(void *data, int64_t tries)
{
    World *w = data;
    int64_t now = pm_clock_mono_ms();
    if (w->probes < 16) w->pauses[w->probes] = now - w->last_ms;
    w->last_ms = now;
    w->tries = tries;
    if (++w->probes >= w->stop_at) pm_loop_stop(w->loop);
}

static void on_changed(void *data)
{
    World *w = data;
    w->changes++;
}

static World *make(int64_t backoff_ms)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    w->loop = pm_loop_new(&err);
    w->stop_at = 1;
    w->last_ms = pm_clock_mono_ms();
    w->breaker = pm_breaker_new(w->loop, backoff_ms, &(PmBreakerSink){w, on_probe, on_changed});
    assert_non_null(w->breaker);
    return w;
}

static void unmake(World *w)
{
    pm_breaker_free(w->breaker);
    pm_loop_free(w->loop);
    free(w);
}

static PmError away(PmStatus status)
{
    PmError err = {0};
    pm_error_set(&err, status, "connection refused");
    return err;
}

static void a_failure_opens_it_and_a_success_closes_it(void **state)
{
    (void)state;
    World *w = make(1000);
    PmError err = away(PM_TRANSIENT);
    PmBreakerHold hold = {0};
    char failing[200];
    assert_false(pm_breaker_is_open(w->breaker));
    pm_breaker_failed(w->breaker, "s3://a", &err);
    assert_true(pm_breaker_is_open(w->breaker));
    assert_true(pm_breaker_holds(w->breaker, "s3://a", &hold));
    assert_false(pm_breaker_frees(w->breaker, &hold));
    assert_int_equal(pm_breaker_failing(w->breaker, failing, sizeof failing), 1);
    assert_string_equal(failing, "s3://a");
    pm_breaker_worked(w->breaker, "s3://a");
    assert_false(pm_breaker_is_open(w->breaker));
    assert_true(pm_breaker_frees(w->breaker, &hold));
    assert_int_equal(w->changes, 1);
    assert_int_equal(pm_breaker_failing(w->breaker, failing, sizeof failing), 0);
    unmake(w);
}

/* Two stores fail, one comes back: what was held for it goes, what was held for the other stays. */
static void each_dependency_is_judged_alone(void **state)
{
    (void)state;
    World *w = make(1000);
    PmError err = away(PM_BAD_CONFIG);
    PmBreakerHold a = {0}, b = {0};
    char failing[200];
    pm_breaker_failed(w->breaker, "s3://a", &err);
    pm_breaker_failed(w->breaker, "file:/out", &err);
    assert_true(pm_breaker_holds(w->breaker, "s3://a", &a) && pm_breaker_holds(w->breaker, "file:/out", &b));
    assert_int_equal(pm_breaker_failing(w->breaker, failing, sizeof failing), 2);
    assert_string_equal(failing, "s3://a, file:/out");
    pm_breaker_worked(w->breaker, "s3://a");
    assert_true(pm_breaker_frees(w->breaker, &a));
    assert_false(pm_breaker_frees(w->breaker, &b));
    assert_true(pm_breaker_is_open(w->breaker));
    unmake(w);
}

/* One prefix of a bucket is denied: others pass, so the object's second failure is its own. */
static void what_fails_while_others_work_is_not_held_twice(void **state)
{
    (void)state;
    World *w = make(1000);
    PmError err = away(PM_BAD_CONFIG);
    PmBreakerHold hold = {0}, other = {0};
    pm_breaker_failed(w->breaker, "s3://a", &err);
    assert_true(pm_breaker_holds(w->breaker, "s3://a", &hold));
    pm_breaker_failed(w->breaker, "s3://a", &err); /* tried again, and nothing has worked meanwhile */
    assert_true(pm_breaker_holds(w->breaker, "s3://a", &hold));
    pm_breaker_worked(w->breaker, "s3://a");
    pm_breaker_failed(w->breaker, "s3://a", &err);
    assert_true(pm_breaker_is_own(w->breaker, "s3://a", &hold));
    assert_false(pm_breaker_holds(w->breaker, "s3://a", &hold));
    assert_false(pm_breaker_is_own(w->breaker, "s3://a", &other)); /* its first time */
    assert_true(pm_breaker_holds(w->breaker, "s3://a", &other));
    unmake(w);
}

/* It is delivered again, and fails again while others work: it is not held a second time. */
static void what_failed_on_its_own_is_known_again(void **state)
{
    (void)state;
    World *w = make(1000);
    PmError err = away(PM_TRANSIENT);
    assert_int_equal(pm_breaker_recall(w->breaker, "s3://in/a.jpg").dependency, 0);
    pm_breaker_failed(w->breaker, "s3://a", &err);
    pm_breaker_remember(w->breaker, "s3://in/a.jpg", "s3://a");
    PmBreakerHold hold = pm_breaker_recall(w->breaker, "s3://in/a.jpg");
    assert_false(pm_breaker_is_own(w->breaker, "s3://a", &hold)); /* nothing has worked since */
    pm_breaker_worked(w->breaker, "s3://a");
    assert_true(pm_breaker_is_own(w->breaker, "s3://a", &hold));
    assert_false(pm_breaker_is_own(w->breaker, "s3://b", &hold));
    assert_int_equal(pm_breaker_recall(w->breaker, "s3://in/b.jpg").dependency, 0);
    unmake(w);
}

/* An output that few images have fails: the others go on. */
static void an_object_that_passes_lets_receiving_go_on(void **state)
{
    (void)state;
    World *w = make(1000);
    PmError err = away(PM_TRANSIENT);
    PmBreakerHold hold = {0};
    pm_breaker_failed(w->breaker, "s3://a", &err);
    assert_true(pm_breaker_holds(w->breaker, "s3://a", &hold));
    pm_breaker_passed(w->breaker);
    assert_false(pm_breaker_is_open(w->breaker));
    assert_int_equal(w->changes, 1);
    assert_false(pm_breaker_frees(w->breaker, &hold)); /* it is tried again, one pause after the other */
    pm_loop_run(w->loop);
    assert_int_equal(w->probes, 1);
    unmake(w);
}

static void pauses_grow_until_something_works(void **state)
{
    (void)state;
    World *w = make(0); /* 100 ms at the least */
    PmError err = away(PM_TRANSIENT);
    w->stop_at = 3;
    pm_breaker_failed(w->breaker, "s3://a", &err);
    pm_loop_run(w->loop);
    assert_int_equal(w->tries, 3);
    assert_true(w->pauses[0] >= 50 && w->pauses[1] >= 100 && w->pauses[2] >= 200);
    pm_breaker_worked(w->breaker, "s3://a");
    pm_breaker_failed(w->breaker, "s3://a", &err);
    w->stop_at = 4;
    pm_loop_run(w->loop);
    assert_int_equal(w->tries, 1);
    pm_breaker_worked(w->breaker, "s3://a");
    w->stop_at = 100;
    pm_loop_run(w->loop); /* nothing is left to wait for */
    assert_int_equal(w->probes, 4);
    unmake(w);
}

static void names_without_end_are_not_held(void **state)
{
    (void)state;
    World *w = make(1000);
    PmError err = away(PM_TRANSIENT);
    PmBreakerHold hold = {0};
    char name[32], failing[40];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "s3://bucket-%d", i);
        pm_breaker_failed(w->breaker, name, &err);
    }
    assert_false(pm_breaker_holds(w->breaker, "s3://bucket-999", &hold));
    assert_int_equal(pm_breaker_failing(w->breaker, failing, sizeof failing), 64);
    assert_true(strlen(failing) < sizeof failing);
    unmake(w);
}

static void without_one_nothing_is_held(void **state)
{
    (void)state;
    PmError err = away(PM_TRANSIENT);
    PmBreakerHold hold = {0};
    pm_breaker_failed(NULL, "s3://a", &err);
    pm_breaker_worked(NULL, "s3://a");
    pm_breaker_passed(NULL);
    assert_false(pm_breaker_is_open(NULL) || pm_breaker_holds(NULL, "s3://a", &hold));
    pm_breaker_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_opens_it_and_a_success_closes_it),
        cmocka_unit_test(each_dependency_is_judged_alone),
        cmocka_unit_test(what_fails_while_others_work_is_not_held_twice),
        cmocka_unit_test(what_failed_on_its_own_is_known_again),
        cmocka_unit_test(an_object_that_passes_lets_receiving_go_on),
        cmocka_unit_test(pauses_grow_until_something_works),
        cmocka_unit_test(names_without_end_are_not_held),
        cmocka_unit_test(without_one_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
