/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "pipelines.h"

#include "connectors/aws/invocation.h"

static PmPipeline *pipeline;

static int setup(void **state)
{
    (void)state;
    pipeline = read_pipeline("/", "version: 1\n"
                                  "source: { s3: { buckets: [uploads], prefix: in/ } }\n"
                                  "outputs: { a: { to: { file: { path: \"out/{stem}.{ext}\" } } } }\n");
    return pipeline == NULL;
}

static int teardown(void **state)
{
    (void)state;
    pm_pipeline_free(pipeline);
    return 0;
}

#define S3_RECORD(bucket, key)                                                                               \
    "{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"" bucket \
    "\"},\"object\":{\"key\":\"" key "\"}}}"
#define QUOTED_RECORD(bucket, key)                                                                       \
    "{\\\"Records\\\":[{\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"ObjectCreated:Put\\\"," \
    "\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"" bucket "\\\"},\\\"object\\\":{\\\"key\\\":\\\"" key "\\\"}}}]}"
#define SQS_RECORD(id, body, arn)                                                                           \
    "{\"messageId\":\"" id "\",\"body\":\"" body "\",\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"" arn \
    "\",\"attributes\":{\"ApproximateReceiveCount\":\"3\",\"MessageGroupId\":\"g1\"}}"
#define QUEUE "arn:aws:sqs:eu-west-1:1:q"

static PmInvocation read_body(const char *body)
{
    PmInvocation invocation;
    PmError err = {0};
    PmQueueMessageRules rules = pm_queue_message_rules(pipeline, true);
    if (pm_invocation_read(&rules, body, strlen(body), &invocation, &err) != PM_OK) fail_msg("%s", err.message);
    return invocation;
}

static void settle(PmTask *task, PmStatus status, const char *message)
{
    task->state = status == PM_OK ? PM_TASK_DONE : PM_TASK_FAILED;
    task->passes = status == PM_TRANSIENT;
    if (status != PM_OK) pm_error_set(&task->error, status, "%s", message);
}

/* The answer as text, sorted; the caller frees it. */
static char *answer_of(const PmInvocation *invocation, bool report)
{
    const char *type = NULL;
    PmError err = {0};
    json_t *answer = pm_invocation_answer(invocation, report, &type, &err);
    if (answer == NULL) {
        char *text = NULL;
        assert_true(asprintf(&text, "%s: %s", type, err.message) > 0);
        return text;
    }
    char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(answer);
    return text;
}

static void expect_answer(const PmInvocation *invocation, bool report, const char *expected)
{
    char *text = answer_of(invocation, report);
    assert_string_equal(text, expected);
    free(text);
}

static void a_batch_names_its_failures(void **state)
{
    (void)state;
    PmInvocation batch =
        read_body("{\"Records\":[" SQS_RECORD("m1", QUOTED_RECORD("uploads", "in/a+b.jpg"), QUEUE) "," SQS_RECORD(
            "m2", "no event", QUEUE) "," SQS_RECORD("m3", QUOTED_RECORD("uploads", "in/c.jpg"), QUEUE) "]}");
    assert_int_equal(batch.kind, PM_INVOKED_SQS);
    assert_string_equal(pm_invocation_name(batch.kind), "sqs");
    assert_false(batch.fifo);
    assert_int_equal(batch.count, 3);
    assert_string_equal(batch.tasks[0].event.objects[0].key, "in/a b.jpg");
    assert_int_equal(batch.tasks[0].event.attempt, 3);
    assert_string_equal(batch.tasks[0].source, QUEUE);
    assert_null(batch.tasks[0].group_id);
    assert_int_equal(batch.tasks[1].event.count, 0);
    assert_int_equal(batch.tasks[1].event.error.status, PM_BAD_INPUT);
    assert_string_equal(batch.tasks[1].body, "no event");
    settle(&batch.tasks[0], PM_OK, NULL);
    settle(&batch.tasks[1], PM_BAD_INPUT, "no event");
    settle(&batch.tasks[2], PM_TRANSIENT, "S3 is busy");
    expect_answer(&batch, true, "{\"batchItemFailures\":[{\"itemIdentifier\":\"m2\"},{\"itemIdentifier\":\"m3\"}]}");
    expect_answer(&batch, false, "Pixmill.BatchFailed: 2 of 3 messages failed; m2: no event");
    settle(&batch.tasks[1], PM_OK, NULL);
    settle(&batch.tasks[2], PM_OK, NULL);
    expect_answer(&batch, false, "{\"batchItemFailures\":[]}");
    pm_invocation_finish(&batch);
    assert_null(batch.tasks);
}

static void a_fifo_queue_is_told_by_its_name(void **state)
{
    (void)state;
    PmInvocation batch =
        read_body("{\"Records\":[" SQS_RECORD("m1", QUOTED_RECORD("uploads", "in/a.jpg"), QUEUE ".fifo") "]}");
    assert_true(batch.fifo);
    assert_string_equal(batch.tasks[0].group_id, "g1");
    pm_invocation_finish(&batch);
}

static void uploads_come_from_s3_sns_and_eventbridge(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"Records\":[" S3_RECORD("uploads", "in/a.jpg") "]}",
        "{\"Records\":[{\"EventSource\":\"aws:sns\",\"Sns\":{\"MessageId\":\"s1\",\"Message\":\"" QUOTED_RECORD(
            "uploads", "in/a.jpg") "\"}}]}",
        ("{\"detail-type\":\"Object Created\",\"source\":\"aws.s3\",\"detail\":{\"bucket\":{\"name\":\"uploads\"},"
         "\"object\":{\"key\":\"in/a.jpg\"},\"reason\":\"PutObject\"}}")};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        PmInvocation event = read_body(bodies[i]);
        assert_int_equal(event.kind, PM_INVOKED_EVENT);
        assert_int_equal(event.count, 1);
        assert_int_equal(event.tasks[0].event.count, 1);
        assert_string_equal(event.tasks[0].event.objects[0].key, "in/a.jpg");
        settle(&event.tasks[0], PM_LIMIT, "too large");
        expect_answer(&event, true, "Pixmill.Limit: too large");
        event.tasks[0].late = true;
        expect_answer(&event, true, "Pixmill.Deadline: too large");
        settle(&event.tasks[0], PM_OK, NULL);
        event.tasks[0].results = json_pack("[{ss}]", "status", "ok");
        expect_answer(&event, true, "{\"results\":[{\"status\":\"ok\"}]}");
        pm_invocation_finish(&event);
    }
}

static void batch_operations_repeat_what_they_were_asked(void **state)
{
    (void)state;
    PmInvocation batch =
        read_body("{\"invocationSchemaVersion\":\"1.0\",\"invocationId\":\"i1\",\"tasks\":["
                  "{\"taskId\":\"t1\",\"s3Key\":\"in/a+b%2B.jpg\",\"s3BucketArn\":\"arn:aws:s3:::uploads\"},"
                  "{\"taskId\":\"t2\",\"s3Key\":\"in/b.jpg\",\"s3VersionId\":\"v\",\"s3Bucket\":\"uploads\"},"
                  "{\"taskId\":\"t3\",\"s3Key\":\"in/c.jpg\",\"s3BucketArn\":\"arn:aws:s3:::other\"},"
                  "{\"taskId\":\"t4\",\"s3Key\":\"in/%ff.jpg\",\"s3BucketArn\":\"arn:aws:s3:::uploads\"},"
                  "{\"taskId\":\"t5\",\"s3Key\":\"in/e.jpg\",\"s3BucketArn\":\"arn:aws:s3:::uploads\"}]}");
    assert_int_equal(batch.kind, PM_INVOKED_BATCH_OPERATIONS);
    assert_string_equal(batch.tasks[0].event.objects[0].key, "in/a b+.jpg");
    assert_string_equal(batch.tasks[1].event.objects[0].version_id, "v");
    assert_int_equal(batch.tasks[2].event.count, 0);
    assert_non_null(strstr(batch.tasks[2].event.error.message, "other"));
    assert_int_equal(batch.tasks[3].event.error.status, PM_BAD_INPUT);
    settle(&batch.tasks[0], PM_OK, NULL);
    batch.tasks[0].results = json_pack("[{s[{ss}{ss}]}]", "outputs", "location", "s3://o/1", "location", "s3://o/2");
    settle(&batch.tasks[1], PM_TRANSIENT, "again");
    settle(&batch.tasks[2], PM_BAD_INPUT, "forbidden");
    settle(&batch.tasks[3], PM_BAD_INPUT, "no key");
    settle(&batch.tasks[4], PM_OK, NULL);
    batch.tasks[4].results = json_pack("[{ss}]", "skipped", "gone");
    expect_answer(&batch, true,
                  "{\"invocationId\":\"i1\",\"invocationSchemaVersion\":\"1.0\",\"results\":["
                  "{\"resultCode\":\"Succeeded\",\"resultString\":\"s3://o/1 s3://o/2\",\"taskId\":\"t1\"},"
                  "{\"resultCode\":\"TemporaryFailure\",\"resultString\":\"again\",\"taskId\":\"t2\"},"
                  "{\"resultCode\":\"PermanentFailure\",\"resultString\":\"forbidden\",\"taskId\":\"t3\"},"
                  "{\"resultCode\":\"PermanentFailure\",\"resultString\":\"no key\",\"taskId\":\"t4\"},"
                  "{\"resultCode\":\"PermanentFailure\",\"resultString\":\"gone\",\"taskId\":\"t5\"}],"
                  "\"treatMissingKeysAs\":\"PermanentFailure\"}");
    pm_invocation_finish(&batch);
}

static void objects_are_named_directly(void **state)
{
    (void)state;
    PmInvocation one = read_body("{\"bucket\":\"uploads\",\"key\":\"in/a.jpg\",\"version_id\":\"v\",\"etag\":\"e\"}");
    assert_int_equal(one.kind, PM_INVOKED_OBJECT);
    assert_string_equal(one.tasks[0].event.id, "s3://uploads/in/a.jpg");
    assert_string_equal(one.tasks[0].event.objects[0].version_id, "v");
    assert_string_equal(one.tasks[0].event.objects[0].etag, "e");
    one.tasks[0].results = json_pack("[{ss}]", "status", "rejected");
    settle(&one.tasks[0], PM_REJECTED, "an inspector said no");
    expect_answer(&one, true, "{\"status\":\"rejected\"}");
    settle(&one.tasks[0], PM_BUG, "a plugin crashed");
    expect_answer(&one, true, "{\"status\":\"rejected\"}"); /* the first error stays */
    pm_invocation_finish(&one);

    PmInvocation two =
        read_body("[{\"bucket\":\"uploads\",\"key\":\"in/a.jpg\"},{\"bucket\":\"uploads\",\"key\":\"out/b.jpg\"}]");
    assert_int_equal(two.kind, PM_INVOKED_OBJECTS);
    assert_int_equal(two.tasks[0].event.count, 1);
    assert_int_equal(two.tasks[1].event.count, 0);
    assert_int_equal(two.tasks[1].event.error.status, PM_BAD_INPUT);
    two.tasks[0].results = json_pack("[{ss}]", "status", "ok");
    settle(&two.tasks[0], PM_OK, NULL);
    settle(&two.tasks[1], PM_BAD_INPUT, "not below in/");
    char *text = answer_of(&two, true);
    assert_non_null(strstr(text, "{\"results\":[{\"status\":\"ok\"},{"));
    assert_non_null(strstr(text, "not below in/"));
    free(text);
    pm_invocation_finish(&two);
}

static void anything_else_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"", "the invocation is not JSON: '[' or '{' expected near end of file (line 1, column 0)"},
        {"{\"a\":", "the invocation is not JSON"},
        {"{}", "the invocation is none that pixmill knows: SQS, S3, SNS, EventBridge, S3 Batch Operations, "},
        {"[]", "the invocation is none that pixmill knows"},
        {"[{\"bucket\":\"b\"}]", "the invocation is none that pixmill knows"},
        {"{\"tasks\":[{\"taskId\":\"t\"}]}", "the invocation is none that pixmill knows"},
    };
    PmQueueMessageRules rules = pm_queue_message_rules(pipeline, true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmInvocation invocation;
        PmError err = {0};
        PmStatus status = pm_invocation_read(&rules, cases[i].body, strlen(cases[i].body), &invocation, &err);
        if (status != PM_BAD_INPUT || strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].body, err.message);
        assert_null(invocation.tasks);
    }
    /* one part too many */
    size_t size = 0;
    char *body = NULL;
    FILE *out = open_memstream(&body, &size);
    for (int i = 0; i < 10001; i++) fputs(i == 0 ? "[{}" : ",{}", out);
    fputs("]", out);
    fclose(out);
    PmInvocation invocation;
    PmError err = {0};
    assert_int_equal(pm_invocation_read(&rules, body, size, &invocation, &err), PM_BAD_INPUT);
    assert_string_equal(err.message, "the invocation has more than 10000 parts");
    free(body);
}

static void odd_values_are_no_crash(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"Records\":[{\"eventSource\":\"aws:sqs\"}]}",
        "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"body\":7,\"attributes\":[]},3,null]}",
        "{\"Records\":[{\"EventSource\":\"aws:sns\"}]}",
        "{\"Records\":{}}",
        "{\"detail-type\":3}",
        "{\"invocationSchemaVersion\":3,\"tasks\":[{},4]}",
        "{\"invocationSchemaVersion\":\"1.0\",\"tasks\":{}}",
        "{\"bucket\":null,\"key\":[]}",
        "[{\"bucket\":{},\"key\":\"\"}]"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        PmInvocation invocation = read_body(bodies[i]);
        for (size_t k = 0; k < invocation.count; k++) {
            assert_int_equal(invocation.tasks[k].event.count, 0);
            assert_int_not_equal(invocation.tasks[k].event.error.status, PM_OK);
            settle(&invocation.tasks[k], PM_BAD_INPUT, "odd");
        }
        free(answer_of(&invocation, true));
        pm_invocation_finish(&invocation);
    }
}

/* jansson 2.14 aborts when there is no memory for the rest of a string with escapes (lex_scan_string): then JSON is
 * given what it asks for while the invocation is read. */
static bool json_is_spared;

static void *allocate(size_t size)
{
    if (json_is_spared) failing_pause();
    void *block = malloc(size);
    if (json_is_spared) failing_resume();
    return block;
}

/* The n-th allocation fails: the invocation is read whole or not at all, and its answer names all that failed, or is an
 * error that makes Lambda try again. False: there is no n-th one. */
static bool answer_once(const char *body, bool fails, const char *expected, size_t n)
{
    PmQueueMessageRules rules = pm_queue_message_rules(pipeline, true);
    PmInvocation invocation;
    PmError err = {0};
    const char *type = NULL;
    json_is_spared = strchr(body, '\\') != NULL;
    failing_nth(n);
    PmStatus status = pm_invocation_read(&rules, body, strlen(body), &invocation, &err);
    json_is_spared = false;
    json_t *answer = NULL;
    for (size_t i = 0; i < invocation.count; i++) {
        PmTask *task = &invocation.tasks[i];
        if (task->event.error.status != PM_OK) fail_msg("%p: \"%s\"", failing_caller(), task->event.error.message);
        if (fails)
            settle(task, PM_TRANSIENT, "the store is away");
        else
            settle(task, PM_OK, NULL);
    }
    if (status == PM_OK) answer = pm_invocation_answer(&invocation, true, &type, &err);
    bool failed = failing_stop();
    if (answer != NULL) {
        char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, expected);
        free(text);
        json_decref(answer);
    } else {
        assert_int_equal(err.status, PM_TRANSIENT);
        assert_string_equal(err.message, "out of memory");
        if (status == PM_OK) assert_string_equal(type, "Pixmill.Transient");
    }
    pm_invocation_finish(&invocation);
    return failed;
}

static void no_failure_is_left_out_where_memory_is_short(void **state)
{
    (void)state;
    enum { RUNS_MAX = 1000 };
    static const struct {
        const char *body;
        bool fails;
        const char *expected;
    } cases[] = {
        {"{\"Records\":[" SQS_RECORD("m1", QUOTED_RECORD("uploads", "in/a.jpg"), QUEUE ".fifo") "," SQS_RECORD(
             "m2", QUOTED_RECORD("uploads", "in/b.jpg"), QUEUE ".fifo") "]}",
         true, "{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"},{\"itemIdentifier\":\"m2\"}]}"},
        {"{\"invocationSchemaVersion\":\"1.0\",\"invocationId\":\"i\",\"tasks\":[{\"taskId\":\"t1\",\"s3Key\":"
         "\"in/a+b.jpg\",\"s3VersionId\":\"v\",\"s3BucketArn\":\"arn:aws:s3:::uploads\"},{\"taskId\":\"t2\",\"s3Key\":"
         "\"in/c.jpg\",\"s3BucketArn\":\"arn:aws:s3:::uploads\"}]}",
         true,
         "{\"invocationId\":\"i\",\"invocationSchemaVersion\":\"1.0\",\"results\":[{\"resultCode\":"
         "\"TemporaryFailure\","
         "\"resultString\":\"the store is away\",\"taskId\":\"t1\"},{\"resultCode\":\"TemporaryFailure\","
         "\"resultString\":\"the store is away\",\"taskId\":\"t2\"}],\"treatMissingKeysAs\":\"PermanentFailure\"}"},
        {"{\"Records\":[" S3_RECORD("uploads", "in/a.jpg") "]}", false, "{\"results\":[]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = 1;
        json_set_alloc_funcs(allocate, free);
        while (n < RUNS_MAX && answer_once(cases[i].body, cases[i].fails, cases[i].expected, n)) n++;
        print_message("    %zu allocations\n", n - 1);
        assert_in_range(n, 10, RUNS_MAX - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_names_its_failures),
        cmocka_unit_test(a_fifo_queue_is_told_by_its_name),
        cmocka_unit_test(uploads_come_from_s3_sns_and_eventbridge),
        cmocka_unit_test(batch_operations_repeat_what_they_were_asked),
        cmocka_unit_test(objects_are_named_directly),
        cmocka_unit_test(anything_else_is_told),
        cmocka_unit_test(odd_values_are_no_crash),
        cmocka_unit_test(no_failure_is_left_out_where_memory_is_short),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
