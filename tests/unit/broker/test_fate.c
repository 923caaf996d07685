/* SPDX-License-Identifier: Apache-2.0 */
#include "reading.h"

#include "broker/fate.h"

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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pm_fate_of(pipeline, cases[i].status, PM_FATE_QUARANTINE, cases[i].attempt, cases[i].redrives),
                         cases[i].want);
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
        cmocka_unit_test(each_status_has_its_fate),
        cmocka_unit_test(the_worst_object_decides),
        cmocka_unit_test(the_pause_doubles_up_to_an_hour),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
