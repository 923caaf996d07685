/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "connectors/aws/queue_message.h"

static PmPipeline *pipeline;

static int setup(void **state)
{
    (void)state;
    pipeline = read_pipeline("/", "version: 1\n"
                                  "trigger: { sqs: { queue_url: \"https://sqs.eu-west-1.amazonaws.com/1/q\" } }\n"
                                  "source: { s3: { buckets: [uploads, more], prefix: in/ } }\n"
                                  "outputs: { a: { to: { file: { path: \"out/{stem}.{ext}\" } } } }\n");
    return pipeline == NULL;
}

static int teardown(void **state)
{
    (void)state;
    pm_pipeline_free(pipeline);
    return 0;
}

/* One record; `more` goes into `object`. */
#define RECORD(name, bucket, key, more)                                                                            \
    "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"eventTime\":\"2026-01-02T03:04:05.000Z\","             \
    "\"eventName\":\"" name "\",\"s3\":{\"bucket\":{\"name\":\"" bucket "\"},\"object\":{\"key\":\"" key "\"" more \
    "}}}"
#define CREATED "ObjectCreated:Put"

static PmEvent read_letter(const char *body)
{
    PmEvent event = {0};
    PmQueueMessageRules rules = pm_queue_message_rules(pipeline, false);
    assert_true(pm_queue_message_read(&rules, body, strlen(body), &event));
    return event;
}

static void finish(PmEvent *event)
{
    for (size_t i = 0; i < event->count; i++) pm_object_finish(&event->objects[i]);
    free(event->objects);
}

static void an_upload_becomes_an_object(void **state)
{
    (void)state;
    PmEvent event = read_letter(
        "{\"Records\":[" RECORD(CREATED, "uploads", "in/a+b%2B.jpg",
                                ",\"size\":7,\"eTag\":\"e1\",\"versionId\":\"v1\",\"sequencer\":\"0A\"") "]}");
    assert_int_equal(event.count, 1);
    assert_int_equal(event.error.status, PM_OK);
    const PmObject *object = &event.objects[0];
    assert_string_equal(object->bucket, "uploads");
    assert_string_equal(object->key, "in/a b+.jpg");
    assert_string_equal(object->version_id, "v1");
    assert_string_equal(object->etag, "e1");
    assert_string_equal(object->sequencer, "0A");
    assert_int_equal(object->size, 7);
    assert_true(object->time_ms == INT64_C(1767323045000));
    finish(&event);
}

static void others_are_left_out(void **state)
{
    (void)state;
    PmEvent event = read_letter("{\"Records\":[" RECORD("ObjectRemoved:Delete", "uploads", "in/a", "") "," RECORD(
        "ObjectRestore:Completed", "uploads", "in/b", "") "]}");
    assert_int_equal(event.count, 0);
    assert_int_equal(event.error.status, PM_OK);
    finish(&event);
    event = read_letter("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"uploads\"}");
    assert_int_equal(event.count, 0);
    assert_int_equal(event.error.status, PM_OK);
    finish(&event);
}

static void only_the_newest_of_a_key_is_taken(void **state)
{
    (void)state;
    PmEvent event = read_letter(
        "{\"Records\":[" RECORD(CREATED, "uploads", "in/a", ",\"sequencer\":\"0B\",\"eTag\":\"new\"") "," RECORD(
            CREATED, "uploads", "in/a",
            ",\"sequencer\":\"0A\",\"eTag\":\"old\"") "," RECORD(CREATED, "more", "in/a", ",\"eTag\":\"other\"") "]}");
    assert_int_equal(event.count, 2);
    assert_string_equal(event.objects[0].etag, "new");
    assert_string_equal(event.objects[1].etag, "other");
    finish(&event);
    /* Without sequencers, the later record is the newer one. */
    event = read_letter("{\"Records\":[" RECORD(CREATED, "uploads", "in/a", ",\"eTag\":\"first\"") "," RECORD(
        CREATED, "uploads", "in/a", ",\"eTag\":\"second\"") "]}");
    assert_int_equal(event.count, 1);
    assert_string_equal(event.objects[0].etag, "second");
    finish(&event);
}

static void what_is_not_allowed_is_told_and_the_rest_is_done(void **state)
{
    (void)state;
    PmEvent event = read_letter(
        "{\"Records\":[" RECORD(CREATED, "secrets", "in/a", "") "," RECORD(CREATED, "uploads", "in/b", "") "]}");
    assert_int_equal(event.count, 1);
    assert_string_equal(event.objects[0].key, "in/b");
    assert_int_equal(event.error.status, PM_BAD_INPUT);
    assert_string_equal(event.error.message,
                        "the event is about bucket \"secrets\", which is not in source.s3.buckets");
    finish(&event);
    event = read_letter("{\"Records\":[" RECORD(CREATED, "uploads", "out/b", "") "]}");
    assert_int_equal(event.count, 0);
    assert_string_equal(event.error.message,
                        "the event is about key \"out/b\", which is not below source.s3.prefix \"in/\"");
    finish(&event);
}

static void what_is_no_event_is_an_error(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "hello", "[1]", "{\"a\":1}", "{\"Records\":7}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        PmEvent event = read_letter(bodies[i]);
        assert_int_equal(event.count, 0);
        assert_int_equal(event.error.status, PM_BAD_INPUT);
        assert_string_not_equal(event.error.message, "");
        finish(&event);
    }
}

static void a_reason_is_one_word(void **state)
{
    (void)state;
    PmError limit = {.status = PM_LIMIT}, rejected = {.status = PM_REJECTED};
    assert_string_equal(pm_dead_letter_reason(&(PmFate){.reason = &limit}), "limit");
    assert_string_equal(pm_dead_letter_reason(&(PmFate){.reason = &rejected}), "rejected");
    assert_string_equal(pm_dead_letter_reason(&(PmFate){.reason = &limit, .tag = "plugin_crash:x:SIGSEGV"}),
                        "plugin_crash:x:SIGSEGV");
    assert_string_equal(pm_dead_letter_reason(&(PmFate){0}), "unknown");
}

static const char *attribute(const PmDeadLetterMessage *dead, const char *name)
{
    for (size_t i = 0; i < dead->send.attribute_count; i++)
        if (strcmp(dead->send.attributes[i].name, name) == 0) return dead->send.attributes[i].value;
    return NULL;
}

/* A picture's own text, with what no attribute of SQS may hold. */
static void a_reason_is_cleaned_and_shortened(void **state)
{
    (void)state;
    PmEvent event = {.attempt = 2, .id = "m1"};
    PmError why = {0};
    PmDeadLetterMessage dead;
    char long_text[900];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    pm_error_set(&why, PM_BAD_INPUT,
                 "a\x01"
                 "b\xEF\xBF\xBE"
                 "c\xEF\xBF\xBF"
                 "d\xFF %s",
                 long_text);
    PmFate fate = {.kind = PM_FATE_DEAD, .reason = &why};
    pm_dead_letter_make(&dead, "https://sqs/1/dead", pipeline, &event, &fate, PM_DEAD_LETTER_WHOLE, "{}", "s3://b/k",
                        "https://sqs/1/q", NULL);
    const char *message = attribute(&dead, "pixmill.message");
    assert_non_null(message);
    assert_null(strchr(message, 1));
    assert_null(strstr(message, "\xEF\xBF\xBE"));
    assert_null(strstr(message, "\xEF\xBF\xBF"));
    assert_true(strlen(message) > 700);
    assert_int_equal(dead.send.attribute_count, 10);
    pm_dead_letter_make(&dead, "https://sqs/1/dead", pipeline, &event, &fate, PM_DEAD_LETTER_REASON, "{}", "s3://b/k",
                        "https://sqs/1/q", NULL);
    assert_true(strlen(attribute(&dead, "pixmill.message")) < 200);
    assert_string_equal(attribute(&dead, "pixmill.source"), "s3://b/k");
    assert_string_equal(attribute(&dead, "pixmill.reason"), "bad_input");
    assert_string_equal(attribute(&dead, "pixmill.attempts"), "2");
    assert_null(attribute(&dead, "pixmill.queue"));
}

/* What stands for a body that cannot be sent asks for the same work. */
static void a_claim_names_the_same_objects(void **state)
{
    (void)state;
    PmEvent event = read_letter("{\"Records\":[" RECORD(
        CREATED, "uploads", "in/a+b%2B.jpg",
        ",\"size\":7,\"eTag\":\"e1\",\"versionId\":\"v1\",\"sequencer\":\"0A\"") "," RECORD(CREATED, "more",
                                                                                            "in/%C3%A4.jpg", "") "]}");
    char *claim = pm_dead_letter_claim(pipeline, &event, "the body \x02 that was");
    assert_non_null(claim);
    assert_non_null(strstr(claim, "\"body_size\":19"));
    assert_non_null(strstr(claim, "\"body_sha256\":"));
    PmEvent again = read_letter(claim);
    assert_int_equal(again.error.status, PM_OK);
    assert_int_equal(again.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(again.objects[i].bucket, event.objects[i].bucket);
        assert_string_equal(again.objects[i].key, event.objects[i].key);
        assert_int_equal(again.objects[i].size, event.objects[i].size);
        assert_true(again.objects[i].time_ms == event.objects[i].time_ms);
    }
    assert_string_equal(again.objects[0].etag, "e1");
    assert_string_equal(again.objects[0].version_id, "v1");
    assert_string_equal(again.objects[0].sequencer, "0A");
    free(claim);
    finish(&event);
    finish(&again);
    event = (PmEvent){.id = "m2"};
    claim = pm_dead_letter_claim(pipeline, &event, "no event at all");
    assert_non_null(strstr(claim, "no event at all"));
    assert_non_null(strstr(claim, "m2"));
    free(claim);
}

static void a_long_body_goes_with_the_reason_alone(void **state)
{
    (void)state;
    char *body = malloc(PM_SQS_BODY_MAX + 1);
    memset(body, 'x', PM_SQS_BODY_MAX);
    body[PM_SQS_BODY_MAX] = '\0';
    assert_false(pm_dead_letter_fits(body));
    body[PM_SQS_BODY_MAX - 8192] = '\0';
    assert_true(pm_dead_letter_fits(body));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_becomes_an_object),
        cmocka_unit_test(others_are_left_out),
        cmocka_unit_test(only_the_newest_of_a_key_is_taken),
        cmocka_unit_test(what_is_not_allowed_is_told_and_the_rest_is_done),
        cmocka_unit_test(what_is_no_event_is_an_error),
        cmocka_unit_test(a_reason_is_one_word),
        cmocka_unit_test(a_reason_is_cleaned_and_shortened),
        cmocka_unit_test(a_claim_names_the_same_objects),
        cmocka_unit_test(a_long_body_goes_with_the_reason_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
