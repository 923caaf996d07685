/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs and deliveries against stand-ins: what becomes of an event when this or that of what it needs fails, without
 * processes, files or network.
 */
#include "session/standins.h"

static const char text[] = "version: 1\nname: p\n"
                           "quarantine: { file: { path: \"aside/{stem}\" } }\n"
                           "on_error: { backoff: 100ms, retries: 3 }\n"
                           "outputs:\n"
                           "  a: { to: { file: { path: \"a-{stem}.{ext}\" } } }\n"
                           "  b: { to: { file: { path: \"b-{stem}-{width}.{ext}\" } } }\n";

static PmObject objects[2];

static const PmError transient = {.status = PM_TRANSIENT, .message = "away"},
                     hopeless = {.status = PM_BAD_INPUT, .message = "hopeless"},
                     rejected = {.status = PM_REJECTED, .message = "an inspector said no"},
                     too_large = {.status = PM_LIMIT, .message = "larger than that"};

static const PmError *always_transient(Standins *s, int number)
{
    (void)s, (void)number;
    return &transient;
}

static const PmError *first_transient(Standins *s, int number)
{
    (void)s;
    return number == 0 ? &transient : NULL;
}

static const PmError *first_hopeless(Standins *s, int number)
{
    (void)s;
    return number == 0 ? &hopeless : NULL;
}

static const PmError *first_too_large(Standins *s, int number)
{
    (void)s;
    return number == 0 ? &too_large : NULL;
}

static const PmError *always_rejected(Standins *s, int number)
{
    (void)s, (void)number;
    return &rejected;
}

static void on_result(void *data, const PmJobResult *result)
{
    Standins *s = data;
    s->results++;
    s->result_fate = result->fate;
}

static Standins scene;
static PmEvent event;

/* An event of so many objects, handed over. */
static Standins *begin(size_t count, bool answers)
{
    Standins *s = &scene;
    standins_start(s, text);
    s->trigger.answers = answers;
    s->options.data = s;
    s->options.result = on_result;
    event = (PmEvent){.trigger = &s->trigger, .objects = objects, .count = count, .attempt = 1, .id = "m"};
    return s;
}

static void hand_over(Standins *s)
{
    PmDeliverySink sink = {.data = s, .more = standins_more, .gave_up = standins_gave_up};
    s->deliveries = pm_deliveries_new(&s->run, &s->trigger, &s->options, &s->summary, &sink);
    assert_non_null(s->deliveries);
    pm_deliveries_add(s->deliveries, &event);
}

static void finish(Standins *s)
{
    pm_deliveries_free(s->deliveries);
    standins_stop(s);
}

static void run(Standins *s)
{
    hand_over(s);
    standins_run(s);
    assert_int_equal(s->settled, 1);
}

static void everything_is_stored_and_acknowledged(void **state)
{
    (void)state;
    Standins *s = begin(2, false);
    s->run.notifier = &s->notifier;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_ACK);
    assert_int_equal(s->fetches, 2);
    assert_int_equal(s->works, 2);
    assert_int_equal(s->looks, 4); /* before each put */
    assert_int_equal(s->stored_count, 4);
    assert_string_equal(s->stored[0], "a-first.webp");
    assert_string_equal(s->stored[1], "b-first-4.webp");
    assert_string_equal(s->stored[3], "b-second-4.webp");
    assert_int_equal(s->notices, 2);
    assert_non_null(strstr(s->record, "\"status\":\"ok\""));
    assert_int_equal(s->results, 2);
    assert_int_equal(s->summary.done, 2);
    assert_int_equal(s->summary.outputs, 4);
    assert_int_equal(s->summary.bytes_in, 14);
    assert_int_equal(s->summary.bytes_out, 16);
    finish(s);
}

static void the_worst_fate_of_its_objects_is_the_events(void **state)
{
    (void)state;
    Standins *s = begin(2, false);
    s->work_script = first_hopeless;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_DEAD);
    assert_string_equal(s->reason.message, "hopeless");
    assert_ptr_equal(s->fate.object, &objects[0]);
    assert_int_equal(s->summary.done, 1);
    assert_int_equal(s->summary.failed, 1);
    finish(s);
}

static void what_fails_for_the_moment_is_tried_again(void **state)
{
    (void)state;
    Script **const where[] = {&scene.fetch_script, &scene.work_script, &scene.store_script, &scene.notify_script};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        Standins *s = begin(1, true); /* somebody waits: nothing is held */
        s->run.notifier = &s->notifier;
        *where[i] = first_transient;
        run(s);
        assert_int_equal(s->fate.kind, PM_FATE_RETRY);
        assert_in_range(s->fate.delay_ms, 50, 100);
        assert_non_null(strstr(s->reason.message, "away"));
        finish(s);
    }
}

static void what_an_outage_keeps_is_held_and_done_later(void **state)
{
    (void)state;
    Script **const where[] = {&scene.fetch_script, &scene.store_script, &scene.notify_script};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        Standins *s = begin(1, false);
        s->run.notifier = &s->notifier;
        *where[i] = first_transient;
        run(s);
        assert_int_equal(s->fate.kind, PM_FATE_ACK);
        assert_int_equal(s->fetches, 2);
        finish(s);
    }
}

/* --once does not wait for ever; what is left is given back. */
static void one_run_gives_up_when_an_outage_does_not_end(void **state)
{
    (void)state;
    Standins *s = begin(1, false);
    s->options.once = true;
    s->fetch_script = always_transient;
    hand_over(s);
    while (s->gave_up == 0) {
        pm_loop_after(s->loop, 50, (PmTimerCallback *)pm_loop_stop, s->loop);
        standins_run(s);
    }
    assert_int_equal(s->settled, 0);
    pm_deliveries_stop(s->deliveries);
    standins_run(s);
    assert_int_equal(s->settled, 1);
    assert_int_equal(s->fate.kind, PM_FATE_RELEASE);
    finish(s);
}

static void a_source_that_is_gone_is_nothing_to_do(void **state)
{
    (void)state;
    Standins *s = begin(1, false);
    s->fetch_outcome = PM_FETCH_GONE;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_ACK);
    assert_int_equal(s->works, 0);
    assert_int_equal(s->summary.skipped, 1);
    finish(s);
}

static void a_source_larger_than_its_event_says_is_fetched_again(void **state)
{
    (void)state;
    Standins *s = begin(1, false);
    s->fetch_script = first_too_large;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_ACK);
    assert_int_equal(s->fetches, 2);
    assert_int_equal(s->results, 1);
    finish(s);
}

static void what_is_rejected_is_done_with_once_quarantine_holds_it(void **state)
{
    (void)state;
    Standins *s = begin(1, true);
    s->work_script = always_rejected;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_ACK);
    assert_int_equal(s->stored_count, 1);
    assert_string_equal(s->stored[0], "aside/first");
    assert_int_equal(s->summary.rejected, 1);
    finish(s);
    s = begin(1, true);
    s->work_script = always_rejected;
    s->store_script = first_transient;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_RETRY);
    finish(s);
}

static void objects_wait_for_a_worker(void **state)
{
    (void)state;
    Standins *s = begin(2, false);
    s->workers = 0;
    hand_over(s);
    pm_loop_after(s->loop, 50, (PmTimerCallback *)pm_loop_stop, s->loop);
    standins_run(s);
    assert_int_equal(s->fetches, 2);
    assert_int_equal(s->works, 0);
    assert_int_equal(pm_deliveries_count(s->deliveries).fetched, 2);
    s->workers = 1;
    pm_deliveries_work(s->deliveries);
    assert_int_equal(s->works, 1);
    standins_run(s);
    assert_int_equal(s->works, 2);
    assert_int_equal(s->fate.kind, PM_FATE_ACK);
    finish(s);
}

static void what_no_worker_has_begun_goes_back_when_we_stop(void **state)
{
    (void)state;
    Standins *s = begin(2, false);
    hand_over(s);
    pm_deliveries_stop(s->deliveries);
    assert_int_equal(pm_deliveries_room(s->deliveries), 0);
    pm_deliveries_release(s->deliveries);
    standins_run(s);
    assert_int_equal(s->settled, 1);
    assert_int_equal(s->fate.kind, PM_FATE_RELEASE);
    assert_int_equal(s->cancelled, 2);
    finish(s);
}

/* Its queue would set it aside, and nobody would know why. */
static void the_last_delivery_is_not_given_back_without_a_word(void **state)
{
    (void)state;
    Standins *s = begin(1, false);
    event.last = true;
    hand_over(s);
    pm_deliveries_release(s->deliveries);
    standins_run(s);
    assert_int_equal(s->fate.kind, PM_FATE_DEAD);
    assert_non_null(strstr(s->reason.message, "it was the message's last delivery"));
    finish(s);
}

static void freed_in_the_middle_nothing_is_settled(void **state)
{
    (void)state;
    for (int turns = 0; turns < 4; turns++) { /* fetching, working, storing */
        Standins *s = begin(2, false);
        hand_over(s);
        for (int i = 0; i < turns; i++) {
            pm_loop_after(s->loop, 0, (PmTimerCallback *)pm_loop_stop, s->loop);
            pm_loop_run(s->loop);
        }
        assert_int_equal(s->settled, 0);
        finish(s);
    }
}

static void an_event_without_objects_is_settled_at_once(void **state)
{
    (void)state;
    Standins *s = begin(0, false);
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_ACK);
    finish(s);
    s = begin(0, false);
    event.error = hopeless;
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_DEAD);
    assert_string_equal(s->reason.message, "hopeless");
    assert_int_equal(s->summary.failed, 1);
    finish(s);
}

/* Two objects of one run whose renditions would lie at the same place: the second does not replace the first. */
static void no_rendition_replaces_that_of_another_image(void **state)
{
    (void)state;
    PmObject twins[] = {objects[0], objects[0]};
    twins[0].path = (char *)"/in/first.jpg";
    twins[1].path = (char *)"/in/first.png";
    Standins *s = begin(2, false);
    event.objects = twins;
    s->run.claims = pm_claims_new(NULL);
    run(s);
    assert_int_equal(s->fate.kind, PM_FATE_DEAD);
    assert_non_null(strstr(s->reason.message, "another image does not replace it"));
    assert_int_equal(s->stored_count, 2);
    finish(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_stored_and_acknowledged),
        cmocka_unit_test(the_worst_fate_of_its_objects_is_the_events),
        cmocka_unit_test(what_fails_for_the_moment_is_tried_again),
        cmocka_unit_test(what_an_outage_keeps_is_held_and_done_later),
        cmocka_unit_test(one_run_gives_up_when_an_outage_does_not_end),
        cmocka_unit_test(a_source_that_is_gone_is_nothing_to_do),
        cmocka_unit_test(a_source_larger_than_its_event_says_is_fetched_again),
        cmocka_unit_test(what_is_rejected_is_done_with_once_quarantine_holds_it),
        cmocka_unit_test(objects_wait_for_a_worker),
        cmocka_unit_test(what_no_worker_has_begun_goes_back_when_we_stop),
        cmocka_unit_test(the_last_delivery_is_not_given_back_without_a_word),
        cmocka_unit_test(freed_in_the_middle_nothing_is_settled),
        cmocka_unit_test(an_event_without_objects_is_settled_at_once),
        cmocka_unit_test(no_rendition_replaces_that_of_another_image),
    };
    objects[0] =
        (PmObject){.bucket = (char *)"in", .key = (char *)"x/first.jpg", .etag = (char *)"e", .size = 7, .time_ms = 5};
    objects[1] = objects[0];
    objects[1].key = (char *)"y/second.jpg";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
