/* SPDX-License-Identifier: Apache-2.0
 *
 * An event with two objects, two renditions each and a record, once for each allocation on the way, which fails. The
 * event is settled once; memory is nobody's fault but ours, so the message is kept or everything is stored.
 */
#include "session/standins.h"

enum { RUNS_MAX = 5000, OBJECTS = 2, FACTS = 12 };

static const char text[] = "version: 1\nname: p\n"
                           "quarantine: { file: { path: \"aside/{stem}-{sha256}\" } }\n"
                           "on_error: { backoff: 100ms, retries: 3 }\n"
                           "outputs:\n"
                           "  a: { to: { file: { path: \"{dir}/a-{stem}-{width}-{sha256}.{ext}\" } } }\n"
                           "  b: { to: { file: { path: \"b-{stem}-{output}-{etag}.{ext}\" } } }\n";

static PmObject objects[OBJECTS];

static const PmError rejected = {.status = PM_REJECTED, .message = "an inspector said no"};

static const PmError *rejects(Standins *s, int number)
{
    (void)s, (void)number;
    return &rejected;
}

/* Everything, with one allocation that fails; false: there was no n-th one. */
static bool run(size_t n, bool answers, bool rejecting, const Standins *expected, Standins *kept)
{
    static Standins s;
    standins_start(&s, text);
    PmEvent event = {.trigger = &s.trigger, .objects = objects, .count = OBJECTS, .attempt = 1, .id = "m"};
    PmDeliverySink sink = {.data = &s, .more = standins_more, .gave_up = standins_gave_up};
    s.trigger.answers = answers;
    s.run.notifier = &s.notifier;
    s.run.claims = pm_claims_new(&s.trigger);
    s.work_script = rejecting ? rejects : NULL;
    failing_nth(n);
    s.deliveries = pm_deliveries_new(&s.run, &s.trigger, &s.options, &s.summary, &sink);
    if (s.deliveries != NULL) {
        pm_deliveries_add(s.deliveries, &event);
        standins_run(&s);
        assert_true(pm_deliveries_are_done(s.deliveries));
        pm_deliveries_free(s.deliveries);
    }
    bool failed = failing_stop();
    if (s.deliveries != NULL) {
        if (s.settled != 1) fail_msg("settled %d times, allocation %zu, %p", s.settled, n, failing_caller());
        if (s.fate.kind != PM_FATE_ACK && s.fate.kind != PM_FATE_RETRY && s.fate.kind != PM_FATE_RELEASE)
            fail_msg("allocation %zu, %p: fate %d, \"%s\"", n, failing_caller(), (int)s.fate.kind, s.reason.message);
        if (s.fate.kind == PM_FATE_RETRY && s.reason.message[0] == '\0')
            fail_msg("allocation %zu, %p: nothing says why", n, failing_caller());
        if (s.works > 0 && s.facts != FACTS)
            fail_msg("allocation %zu, %p: a worker got %zu facts", n, failing_caller(), s.facts);
        for (size_t i = 0; expected != NULL && i < s.stored_count; i++) {
            bool known = false;
            for (size_t k = 0; k < expected->stored_count; k++)
                known = known || strcmp(s.stored[i], expected->stored[k]) == 0;
            if (!known) fail_msg("allocation %zu, %p: stored as %s", n, failing_caller(), s.stored[i]);
        }
        if (s.fate.kind == PM_FATE_ACK && expected != NULL) {
            json_t *record = json_loads(s.record, 0, NULL), *full = json_loads(expected->record, 0, NULL);
            assert_in_range(s.stored_count, expected->stored_count, expected->stored_count * 2);
            if (json_object_size(record) != json_object_size(full) ||
                json_array_size(json_object_get(record, "outputs")) !=
                    json_array_size(json_object_get(full, "outputs")))
                fail_msg("allocation %zu, %p: the record is %s", n, failing_caller(), s.record);
            json_decref(record);
            json_decref(full);
        }
    }
    standins_stop(&s);
    if (kept != NULL) *kept = s;
    return failed;
}

/* step: between the allocations that are tried, where each takes its time */
static void sweep(bool answers, bool rejecting, size_t step)
{
    Standins whole;
    size_t n = 1;
    run(0, answers, rejecting, NULL, &whole);
    assert_int_equal(whole.fate.kind, PM_FATE_ACK);
    assert_int_equal(whole.notices, OBJECTS);
    assert_int_equal(whole.stored_count, rejecting ? OBJECTS : 2 * OBJECTS);
    while (n < RUNS_MAX && run(n, answers, rejecting, &whole, NULL)) n += step;
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 100, RUNS_MAX - 1);
}

static void who_waits_for_an_answer_gets_one(void **state)
{
    (void)state;
    sweep(true, false, 1);
}

static void what_is_held_is_done_in_the_end(void **state)
{
    (void)state;
    sweep(false, false, 7);
}

static void what_is_rejected_lies_in_quarantine(void **state)
{
    (void)state;
    sweep(true, true, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_an_answer_gets_one),
        cmocka_unit_test(what_is_held_is_done_in_the_end),
        cmocka_unit_test(what_is_rejected_lies_in_quarantine),
    };
    for (int i = 0; i < OBJECTS; i++)
        objects[i] = (PmObject){.bucket = (char *)"in",
                                .key = i == 0 ? (char *)"x/first.jpg" : (char *)"y/second.jpg",
                                .etag = (char *)"e",
                                .sequencer = (char *)"01",
                                .size = 7,
                                .time_ms = 5};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
