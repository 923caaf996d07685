/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "session/fate.h"

static PmPipeline *pipeline;

static int setup(void **state)
{
    (void)state;
    pipeline = read_pipeline("/", "version: 1\n"
                                  "trigger: { directory: { path: in } }\n"
                                  "source: { file: {} }\n"
                                  "outputs: { a: { to: { file: { path: \"out/{stem}.{ext}\" } } } }\n"
                                  "on_error: { retries: 3, backoff: 10s }\n");
    return pipeline == NULL;
}

static int teardown(void **state)
{
    (void)state;
    pm_pipeline_free(pipeline);
    return 0;
}

static void each_status_has_its_fate(void **state)
{
    (void)state;
    static const struct {
        PmStatus status;
        int attempt;
        bool redrives;
        PmFateKind want;
    } cases[] = {
        {PM_OK, 1, false, PM_FATE_ACK},          {PM_REJECTED, 1, false, PM_FATE_QUARANTINE},
        {PM_BAD_INPUT, 1, false, PM_FATE_DEAD},  {PM_LIMIT, 1, true, PM_FATE_DEAD},
        {PM_BUG, 1, false, PM_FATE_RETRY},       {PM_BUG, 2, true, PM_FATE_DEAD},
        {PM_TRANSIENT, 3, false, PM_FATE_RETRY}, {PM_TRANSIENT, 4, false, PM_FATE_DEAD},
        {PM_TRANSIENT, 99, true, PM_FATE_RETRY}, {PM_BAD_CONFIG, 3, false, PM_FATE_RETRY},
        {PM_BAD_CONFIG, 4, false, PM_FATE_DEAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        PmEnding ending = {.status = cases[i].status,
                           .inspected = PM_FATE_QUARANTINE,
                           .attempt = cases[i].attempt,
                           .redrives = cases[i].redrives};
        assert_int_equal(pm_fate_of(pipeline, &ending), cases[i].want);
    }
}

/* The queue would set it aside by itself, and nobody would know why. */
static void on_its_last_delivery_nothing_is_retried(void **state)
{
    (void)state;
    static const PmStatus statuses[] = {PM_TRANSIENT, PM_BAD_CONFIG, PM_BUG};
    for (size_t i = 0; i < 3; i++) {
        PmEnding ending = {.status = statuses[i], .attempt = 1, .redrives = true};
        assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_RETRY);
        ending.last = true;
        assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_DEAD);
    }
}

/* A file waits where it lies, however often the store fails; `--once` leaves it there. */
static void a_failing_store_sets_no_file_aside(void **state)
{
    (void)state;
    PmEnding ending = {.status = PM_TRANSIENT, .attempt = 1000, .stays = true, .unavailable = true};
    assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_RETRY);
    ending.status = PM_BAD_CONFIG;
    assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_RETRY);
    ending.ends = true;
    assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_RELEASE);
    ending.attempt = 3;
    assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_RETRY);
    ending.status = PM_BAD_INPUT;
    assert_int_equal(pm_fate_of(pipeline, &ending), PM_FATE_DEAD);
}

/* One object that must come again keeps the whole event; one that cannot be done does not hide behind those that were.
 */
static void the_worst_object_decides(void **state)
{
    (void)state;
    static const PmFateKind order[] = {PM_FATE_ACK, PM_FATE_QUARANTINE, PM_FATE_DEAD, PM_FATE_RETRY, PM_FATE_RELEASE};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 5; k++) assert_int_equal(pm_fate_worse(order[i], order[k]), i > k);
}

static void the_pause_doubles_up_to_an_hour(void **state)
{
    (void)state;
    static const struct {
        int attempt;
        int64_t most;
    } cases[] = {{1, 10000}, {2, 20000}, {4, 80000}, {10, 3600000}, {1000, 3600000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int turn = 0; turn < 100; turn++) {
            int64_t ms = pm_fate_backoff_ms(pipeline, cases[i].attempt);
            assert_in_range(ms, cases[i].most / 2, cases[i].most);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_fate),           cmocka_unit_test(on_its_last_delivery_nothing_is_retried),
        cmocka_unit_test(a_failing_store_sets_no_file_aside), cmocka_unit_test(the_worst_object_decides),
        cmocka_unit_test(the_pause_doubles_up_to_an_hour),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
