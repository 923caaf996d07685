/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/events.h"
#include "base/buffer.h"

static PmStatus parse(const char *body, PmEvents *events, PmError *err)
{
    pm_error_clear(err);
    return pm_events_parse(body, strlen(body), PM_KEY_ENCODING_AUTO, events, err);
}

#define S3_RECORD(source, key)                                                                                     \
    "{\"eventVersion\":\"2.1\",\"eventSource\":\"" source "\",\"awsRegion\":\"eu-west-1\","                        \
    "\"eventTime\":\"2026-11-23T06:17:22.042Z\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":" \
    "\"uploads\"},\"object\":{\"key\":\"" key "\",\"size\":1024,\"eTag\":\"abc\",\"versionId\":\"v1\","            \
    "\"sequencer\":\"0055AED6DCD90281E5\"}}}"

static void a_record_tells_all_it_knows(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(parse("{\"Records\":[" S3_RECORD("aws:s3", "in/%C3%A9+a%2Bb.jpg") "]}", &events, &err), PM_OK);
    assert_int_equal(events.count, 1);
    const PmObjectEvent *e = &events.items[0];
    assert_string_equal(e->bucket, "uploads");
    assert_string_equal(e->key, "in/\xc3\xa9 a+b.jpg");
    assert_string_equal(e->version_id, "v1");
    assert_string_equal(e->etag, "abc");
    assert_string_equal(e->sequencer, "0055AED6DCD90281E5");
    assert_string_equal(e->region, "eu-west-1");
    assert_string_equal(e->name, "ObjectCreated:Put");
    assert_int_equal(e->size, 1024);
    assert_int_equal(e->time_ms / 1000, 1795414642);
    assert_true(e->created);
    pm_events_finish(&events);
}

static void radosgw_keys_are_taken_as_they_are(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(parse("{\"Records\":[" S3_RECORD("ceph:s3", "a+b%41.jpg") "]}", &events, &err), PM_OK);
    assert_string_equal(events.items[0].key, "a+b%41.jpg");
    pm_events_finish(&events);
}

static void a_configured_encoding_wins(void **state)
{
    (void)state;
    const char *body = "{\"Records\":[" S3_RECORD("aws:s3", "a+b") "]}";
    PmEvents events;
    PmError err = {0};
    assert_int_equal(pm_events_parse(body, strlen(body), PM_KEY_ENCODING_RAW, &events, &err), PM_OK);
    assert_string_equal(events.items[0].key, "a+b");
    pm_events_finish(&events);
}

static void minio_names_lose_their_prefix(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(
        parse("{\"EventName\":\"s3:ObjectCreated:Put\",\"Key\":\"b/in%2Fx.jpg\",\"Records\":[{\"eventVersion\":"
              "\"2.0\",\"eventSource\":\"minio:s3\",\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":"
              "{\"name\":\"b\"},\"object\":{\"key\":\"in%2Fx.jpg\",\"eTag\":\"\\\"q\\\"\"}}}]}",
              &events, &err),
        PM_OK);
    assert_string_equal(events.items[0].key, "in/x.jpg");
    assert_string_equal(events.items[0].name, "ObjectCreated:Put");
    assert_string_equal(events.items[0].etag, "q");
    assert_null(events.items[0].version_id);
    assert_int_equal(events.items[0].size, -1);
    pm_events_finish(&events);
}

static void sns_is_unwrapped_once(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(
        parse("{\"Type\":\"Notification\",\"Message\":\"{\\\"Records\\\":[{\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":"
              "\\\"b\\\"},\\\"object\\\":{\\\"key\\\":\\\"k\\\"}}}]}\"}",
              &events, &err),
        PM_OK);
    assert_string_equal(events.items[0].key, "k");
    assert_false(events.items[0].created);
    pm_events_finish(&events);
    assert_int_equal(parse("{\"Type\":\"Notification\",\"Message\":\"{\\\"Type\\\":\\\"Notification\\\","
                           "\\\"Message\\\":\\\"{}\\\"}\"}",
                           &events, &err),
                     PM_BAD_INPUT);
    assert_string_equal(err.where, "in the SNS notification");
}

static void eventbridge_keys_are_not_encoded(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(
        parse("{\"version\":\"0\",\"source\":\"aws.s3\",\"detail-type\":\"Object Created\",\"region\":\"us-east-1\","
              "\"time\":\"2026-11-23T00:00:00Z\",\"detail\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":"
              "\"a+b%20c.jpg\",\"size\":5,\"etag\":\"e\",\"version-id\":\"v\",\"sequencer\":\"00\"},\"reason\":"
              "\"CopyObject\"}}",
              &events, &err),
        PM_OK);
    assert_string_equal(events.items[0].key, "a+b%20c.jpg");
    assert_string_equal(events.items[0].name, "ObjectCreated:Copy");
    assert_string_equal(events.items[0].version_id, "v");
    assert_true(events.items[0].created);
    pm_events_finish(&events);
}

static void the_test_event_is_nothing_to_do(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(parse("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}", &events, &err),
                     PM_OK);
    assert_true(events.test);
    assert_int_equal(events.count, 0);
}

static void many_records_make_many_objects(void **state)
{
    (void)state;
    PmEvents events;
    PmError err;
    assert_int_equal(parse("{\"Records\":[" S3_RECORD("aws:s3", "1") "," S3_RECORD("aws:s3", "2") "]}", &events, &err),
                     PM_OK);
    assert_int_equal(events.count, 2);
    assert_string_equal(events.items[1].key, "2");
    pm_events_finish(&events);
}

static void forged_messages_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"hello", "the message is not JSON"},
        {"{}", "the message is no S3, SNS or EventBridge event"},
        {"[1]", "the message is no S3, SNS or EventBridge event"},
        {"{\"Records\":{}}", "Records is not a list"},
        {"{\"Records\":[{}]}", "an event record has no s3.object"},
        {"{\"Records\":[{\"eventVersion\":\"3.0\"}]}", "event version 3.0 is not 2.x"},
        {"{\"Records\":[" S3_RECORD("aws:s3", "a%00b") "]}", "the object key \"a%00b\" is not 1 to 1,024 bytes"},
        {"{\"Records\":[" S3_RECORD("aws:s3", "a%0Ab") "]}", "without control characters"},
        {"{\"Records\":[" S3_RECORD("aws:s3", "a%ffb") "]}", "percent-encoded UTF-8"},
        {"{\"Records\":[" S3_RECORD("aws:s3", "a%4") "]}", "the object key"},
        {"{\"Records\":[" S3_RECORD("aws:s3", "") "]}", "the object key"},
        {"{\"Records\":[{\"s3\":{\"object\":{\"key\":\"k\"}}}]}", "an event record names no bucket"},
        {"{\"source\":\"aws.ec2\",\"detail\":{}}", "comes from aws.ec2, not aws.s3"},
        {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "nests deeper than 16 levels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmEvents events;
        PmError err;
        assert_int_equal(parse(cases[i].body, &events, &err), PM_BAD_INPUT);
        if (strstr(err.message, cases[i].message) == NULL) print_error("case %zu: %s\n", i, err.message);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_int_equal(events.count, 0);
    }
}

static void ten_thousand_records_are_refused(void **state)
{
    (void)state;
    PmBuffer body;
    pm_buffer_init(&body, PM_EVENT_BODY_MAX);
    pm_buffer_adds(&body, "{\"Records\":[{}");
    for (int i = 1; i < 10000; i++) pm_buffer_adds(&body, ",{}");
    pm_buffer_adds(&body, "]}");
    PmEvents events;
    PmError err;
    assert_int_equal(parse(body.data, &events, &err), PM_BAD_INPUT);
    assert_string_equal(err.message, "the message has 10000 records; 100 are allowed");
    pm_buffer_finish(&body);
}

static void sequencers_order_as_s3_says(void **state)
{
    (void)state;
    assert_int_equal(pm_sequencer_compare("0055AED6", "0055aed6"), 0);
    assert_int_equal(pm_sequencer_compare("0055AED6", "0055AED600"), 0);
    assert_true(pm_sequencer_compare("0055AED6", "0055AED601") < 0);
    assert_true(pm_sequencer_compare("01", "00FFFFFFFF") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_tells_all_it_knows),
        cmocka_unit_test(radosgw_keys_are_taken_as_they_are),
        cmocka_unit_test(a_configured_encoding_wins),
        cmocka_unit_test(minio_names_lose_their_prefix),
        cmocka_unit_test(sns_is_unwrapped_once),
        cmocka_unit_test(eventbridge_keys_are_not_encoded),
        cmocka_unit_test(the_test_event_is_nothing_to_do),
        cmocka_unit_test(many_records_make_many_objects),
        cmocka_unit_test(forged_messages_are_refused_with_a_reason),
        cmocka_unit_test(ten_thousand_records_are_refused),
        cmocka_unit_test(sequencers_order_as_s3_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
