/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "connectors/record.h"

static json_t *record_of(const PmJobResult *result, const char *expected_outputs)
{
    json_t *record = pm_record_of(result);
    char *outputs = json_dumps(json_object_get(record, "outputs"), JSON_COMPACT);
    assert_string_equal(outputs, expected_outputs);
    free(outputs);
    return record;
}

static void outputs_are_told_in_full(void **state)
{
    (void)state;
    PmObject object = {.bucket = (char *)"uploads", .key = (char *)"a.jpg", .size = -1};
    const PmOutputResult outputs[] = {{.output = "thumb",
                                       .format = "webp",
                                       .width = 300,
                                       .height = 200,
                                       .pages = 1,
                                       .size = 1234,
                                       .stored = PM_STORED,
                                       .location = "s3://out/a\xff.webp"},
                                      {.output = "copy",
                                       .format = "jpeg",
                                       .width = 2,
                                       .height = 1,
                                       .pages = 1,
                                       .size = 9,
                                       .source = true,
                                       .stored = PM_STORE_STALE,
                                       .location = "/srv/a.jpg"},
                                      {.output = "late", .format = "png", .stored = PM_STORE_FAILED}};
    json_decref(record_of(&(PmJobResult){.object = &object, .outputs = outputs, .output_count = 3},
                          "[{\"output\":\"thumb\",\"format\":\"webp\",\"width\":300,\"height\":200,\"pages\":1,"
                          "\"size\":1234,\"location\":\"s3://out/a?.webp\",\"stored\":\"stored\"},"
                          "{\"output\":\"copy\",\"format\":\"jpeg\",\"width\":2,\"height\":1,\"pages\":1,\"size\":9,"
                          "\"source\":true,\"location\":\"/srv/a.jpg\",\"stored\":\"stale\"},"
                          "{\"output\":\"late\",\"format\":\"png\",\"width\":0,\"height\":0,\"pages\":0,\"size\":0,"
                          "\"stored\":\"failed\"}]"));
}

/* It has no shape: nobody decoded it. */
static void a_source_in_quarantine_has_no_format(void **state)
{
    (void)state;
    PmObject object = {.path = (char *)"/in/a.jpg", .key = (char *)"a.jpg", .size = 5};
    PmError error = {.status = PM_REJECTED, .message = "no"};
    const PmOutputResult outputs[] = {
        {.output = "quarantine", .size = 5, .source = true, .stored = PM_STORED, .location = "/aside/a.jpg"}};
    json_t *record =
        record_of(&(PmJobResult){.object = &object, .error = &error, .outputs = outputs, .output_count = 1},
                  "[{\"output\":\"quarantine\",\"size\":5,\"location\":\"/aside/a.jpg\",\"stored\":\"stored\"}]");
    assert_string_equal(json_string_value(json_object_get(record, "status")), "rejected");
    json_decref(record);
    json_decref(record_of(&(PmJobResult){.object = &object, .skipped = "gone"}, "[]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_told_in_full),
        cmocka_unit_test(a_source_in_quarantine_has_no_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
