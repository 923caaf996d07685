/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "aws/operations.h"
#include "connectors/aws/iam_policy.h"

#define SQS    "trigger: { sqs: { queue_url: \"https://sqs.eu-west-1.amazonaws.com/123456789012/uploads\" } }\n"
#define SOURCE "source: { s3: { buckets: [in-a, in-b], prefix: new/ } }\n"

#define OUTPUT_OF_CALLS "outputs: { a: { to: { file: { path: \"{name}\" } } } }\n"

typedef struct Policy {
    PmPipeline *pipeline;
    json_t *policy;
    const char *wide;
} Policy;

static Policy policy_for(const char *text, PmIamTarget target, const char *dead_letter_arn)
{
    Policy made = {.pipeline = read_pipeline("/", text)};
    PmIamOptions options = {.target = target, .dead_letter_arn = dead_letter_arn};
    made.policy = pm_iam_policy(made.pipeline, &options, &made.wide);
    assert_string_equal(json_string_value(json_object_get(made.policy, "Version")), "2012-10-17");
    return made;
}

static void finish(Policy *made)
{
    json_decref(made->policy);
    pm_pipeline_free(made->pipeline);
}

/* The statement without Sid and Effect, as sorted JSON; "" for none. Static. */
static const char *statement(const Policy *made, const char *sid)
{
    static char text[2000];
    size_t i;
    const json_t *one;
    text[0] = '\0';
    json_array_foreach(json_object_get(made->policy, "Statement"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "Sid")), sid) != 0) continue;
        assert_string_equal(json_string_value(json_object_get(one, "Effect")), "Allow");
        assert_string_equal(text, ""); /* each Sid once */
        json_t *rest = json_deep_copy(one);
        json_object_del(rest, "Sid");
        json_object_del(rest, "Effect");
        size_t n = json_dumpb(rest, text, sizeof text - 1, JSON_COMPACT | JSON_SORT_KEYS);
        assert_true(n < sizeof text);
        text[n] = '\0';
        json_decref(rest);
    }
    return text;
}

static size_t statements(const Policy *made)
{
    return json_array_size(json_object_get(made->policy, "Statement"));
}

static void a_worker_of_a_queue(void **state)
{
    (void)state;
    Policy made = policy_for("version: 1\n" SQS SOURCE "outputs:\n"
                             "  a: { to: { s3: { bucket: out, key: \"small/{name}\" } } }\n"
                             "  b: { to: { s3: { bucket: out, key: \"large/{name}\" } } }\n",
                             PM_IAM_CONTAINER, "arn:aws:sqs:eu-west-1:123456789012:dead");
    assert_string_equal(statement(&made, "ReadSource"),
                        "{\"Action\":[\"s3:GetObject\",\"s3:GetObjectVersion\"],\"Resource\":["
                        "\"arn:aws:s3:::in-a/new/*\",\"arn:aws:s3:::in-b/new/*\"]}");
    assert_string_equal(
        statement(&made, "ListSource"),
        "{\"Action\":[\"s3:ListBucket\"],\"Condition\":{\"StringLikeIfExists\":{\"s3:prefix\":\"new/*\"}},"
        "\"Resource\":[\"arn:aws:s3:::in-a\",\"arn:aws:s3:::in-b\"]}");
    assert_string_equal(statement(&made, "WriteDestination"),
                        "{\"Action\":[\"s3:PutObject\",\"s3:GetObject\",\"s3:AbortMultipartUpload\"],\"Resource\":["
                        "\"arn:aws:s3:::out/small/*\",\"arn:aws:s3:::out/large/*\"]}");
    assert_string_equal(statement(&made, "ListDestination"),
                        "{\"Action\":[\"s3:ListBucket\"],\"Condition\":{\"StringLikeIfExists\":{\"s3:prefix\":["
                        "\"small/*\",\"large/*\"]}},\"Resource\":\"arn:aws:s3:::out\"}");
    assert_string_equal(
        statement(&made, "ReceiveQueue"),
        "{\"Action\":[\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\",\"sqs:GetQueueAttributes\","
        "\"sqs:ChangeMessageVisibility\"],\"Resource\":\"arn:aws:sqs:eu-west-1:123456789012:uploads\"}");
    assert_string_equal(statement(&made, "DeadLetters"),
                        "{\"Action\":[\"sqs:SendMessage\",\"sqs:GetQueueUrl\",\"sqs:GetQueueAttributes\"],"
                        "\"Resource\":\"arn:aws:sqs:eu-west-1:123456789012:dead\"}");
    assert_int_equal(statements(&made), 6);
    assert_null(made.wide);
    finish(&made);
}

static void what_the_file_does_not_name_is_told(void **state)
{
    (void)state;
    static const char text[] =
        "version: 1\n" SQS SOURCE "outputs: { a: { to: { s3: { bucket: out, key: \"{name}\" } } } }\n";
    Policy made = policy_for(text, PM_IAM_CONTAINER, NULL);
    assert_non_null(made.wide);
    assert_non_null(strstr(statement(&made, "DeadLetters"), "\"arn:aws:sqs:eu-west-1:123456789012:*\""));
    /* the key has no fixed start: the whole bucket */
    assert_string_equal(statement(&made, "ListDestination"),
                        "{\"Action\":[\"s3:ListBucket\"],\"Resource\":\"arn:aws:s3:::out\"}");
    finish(&made);
}

static void a_function(void **state)
{
    (void)state;
    Policy made = policy_for("version: 1\nname: shop\naws: { region: cn-north-1 }\n" SOURCE
                             "outputs: { a: { to: { s3: { bucket: out, key: \"o/{name}\" } } } }\n",
                             PM_IAM_LAMBDA, NULL);
    assert_string_equal(statement(&made, "WriteLogs"),
                        "{\"Action\":[\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":"
                        "\"arn:aws-cn:logs:*:*:log-group:/aws/lambda/shop:*\"}");
    assert_non_null(strstr(statement(&made, "WriteDestination"), "\"arn:aws-cn:s3:::out/o/*\""));
    assert_string_equal(statement(&made, "DeadLetters"), "");
    assert_string_equal(statement(&made, "ReceiveQueue"), "");
    assert_null(made.wide);
    finish(&made);
}

static void what_more_is_used_asks_for_more(void **state)
{
    (void)state;
    Policy made = policy_for(
        "version: 1\n" SQS SOURCE
        "notify: { sqs: { queue_url: \"https://sqs.eu-west-1.amazonaws.com/123456789012/done\" } }\n"
        "quarantine: { s3: { bucket: aside, key: \"q/{name}\" } }\n"
        "outputs:\n"
        "  a: { to: { s3: { bucket: out, key: \"o/{name}\", tags: { kind: small }, acl: private, sse: aws:kms,\n"
        "       kms_key_id: 1234abcd-12ab-34cd-56ef-1234567890ab } } }\n"
        "  b: { to: { s3: { bucket: out, key: \"o/{stem}_b\", copy_tags: true, sse: aws:kms, kms_key_id: alias/photos "
        "} } }\n"
        "  c: { to: { s3: { bucket: out, key: \"o/{stem}_c\", sse: aws:kms,\n"
        "       kms_key_id: \"arn:aws:kms:eu-west-1:123456789012:key/k\" } } }\n",
        PM_IAM_BOTH, "arn:aws:sqs:eu-west-1:123456789012:dead");
    assert_non_null(strstr(statement(&made, "ReadSource"),
                           "[\"s3:GetObject\",\"s3:GetObjectVersion\",\"s3:GetObjectTagging\","
                           "\"s3:GetObjectVersionTagging\"]"));
    assert_string_equal(statement(&made, "WriteDestination"),
                        "{\"Action\":[\"s3:PutObject\",\"s3:GetObject\",\"s3:AbortMultipartUpload\",\"s3:"
                        "PutObjectTagging\",\"s3:PutObjectAcl\"],"
                        "\"Resource\":[\"arn:aws:s3:::out/o/*\",\"arn:aws:s3:::aside/q/*\"]}");
    assert_string_equal(statement(&made, "UseKeys"),
                        "{\"Action\":[\"kms:GenerateDataKey\",\"kms:Decrypt\"],\"Resource\":["
                        "\"arn:aws:kms:*:*:key/1234abcd-12ab-34cd-56ef-1234567890ab\","
                        "\"arn:aws:kms:eu-west-1:123456789012:key/k\"]}");
    assert_string_equal(
        statement(&made, "UseKeysByAlias"),
        "{\"Action\":[\"kms:GenerateDataKey\",\"kms:Decrypt\"],\"Condition\":{\"ForAnyValue:StringEquals\":"
        "{\"kms:ResourceAliases\":[\"alias/photos\"]}},\"Resource\":\"arn:aws:kms:*:*:key/*\"}");
    assert_string_equal(statement(&made, "Notify"),
                        "{\"Action\":[\"sqs:SendMessage\"],\"Resource\":\"arn:aws:sqs:eu-west-1:123456789012:done\"}");
    finish(&made);
}

static bool allows(const Policy *made, const char *action)
{
    size_t i, k;
    const json_t *one, *allowed;
    json_array_foreach(json_object_get(made->policy, "Statement"), i, one) json_array_foreach(
        json_object_get(one, "Action"), k, allowed) if (strcmp(json_string_value(allowed), action) == 0) return true;
    return false;
}

/* No call can be made that is not in the table of operations, so this is every call that a run can make. */
static void every_call_that_a_run_can_make_is_allowed(void **state)
{
    (void)state;
    static const char *const not_of_a_run[] = {"DeleteObject", "CopyObject"}; /* of doctor's, and of nobody's yet */
    static const char *const from_sources[] = {"GetObject", "HeadObject", "GetObjectTagging"};
    Policy made = policy_for("version: 1\n" SQS SOURCE
                             "outputs: { a: { to: { s3: { bucket: out, key: \"o/{name}\", copy_tags: true } } } }\n",
                             PM_IAM_CONTAINER, NULL);
    const PmAwsOperation *operation;
    for (size_t i = 0; (operation = pm_aws_operation_at(i)) != NULL; i++) {
        bool of_a_run = true, versions = false;
        for (size_t k = 0; k < 2; k++) of_a_run = of_a_run && strcmp(operation->name, not_of_a_run[k]) != 0;
        for (size_t k = 0; k < 3; k++) versions = versions || strcmp(operation->name, from_sources[k]) == 0;
        if (of_a_run && !allows(&made, operation->action)) fail_msg("%s is not allowed", operation->action);
        if (versions && !allows(&made, operation->versioned)) fail_msg("%s is not allowed", operation->versioned);
    }
    assert_false(allows(&made, "s3:DeleteObject"));
    finish(&made);
}

static void folders_need_nothing(void **state)
{
    (void)state;
    Policy made = policy_for("version: 1\ntrigger: { directory: { path: in } }\n"
                             "outputs: { a: { to: { file: { path: \"out/{name}\" } } } }\n",
                             PM_IAM_CONTAINER, NULL);
    assert_int_equal(statements(&made), 0);
    assert_null(made.wide);
    finish(&made);
}

static void calls_of_plugins(void **state)
{
    (void)state;
    const char *wide;
    Policy made = {.pipeline = read_pipeline("/", "version: 1\n" SOURCE OUTPUT_OF_CALLS)};
    json_t *ready = json_loads("{\"endpoints\": [{\"url\": \"aws://rekognition/DetectText\"}, {\"url\": "
                               "\"aws://rekognition/DetectFaces\"}, {\"url\": \"aws://rekognition/DetectText\"}, "
                               "{\"url\": \"aws://s3/DeleteBucket\"}, {\"url\": \"other://x/y\"}]}",
                               0, NULL);
    PmIamOptions options = {.target = PM_IAM_CONTAINER, .ready = ready};
    made.policy = pm_iam_policy(made.pipeline, &options, &wide);
    assert_string_equal(statement(&made, "PluginCalls"),
                        "{\"Action\":[\"rekognition:DetectText\",\"rekognition:DetectFaces\"],\"Resource\":\"*\"}");
    json_decref(ready);
    finish(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_of_a_queue),
        cmocka_unit_test(what_the_file_does_not_name_is_told),
        cmocka_unit_test(a_function),
        cmocka_unit_test(what_more_is_used_asks_for_more),
        cmocka_unit_test(every_call_that_a_run_can_make_is_allowed),
        cmocka_unit_test(folders_need_nothing),
        cmocka_unit_test(calls_of_plugins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
