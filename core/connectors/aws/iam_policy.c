/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/iam_policy.h"

#include <stdio.h>
#include <string.h>

#include "aws/operations.h"
#include "base/text.h"
#include "connectors/aws/settings.h"
#include "connectors/signers.h"

enum { ARN_MAX = 2400 };

/* --- names --- */

static const char *partition_of(const char *region)
{
    if (strncmp(region, "cn-", 3) == 0) return "aws-cn";
    if (strncmp(region, "us-gov-", 7) == 0) return "aws-us-gov";
    return "aws";
}

/* Of the region that the file names. */
static const char *own_partition(const PmPipeline *pipeline)
{
    return partition_of(pm_aws_config(pipeline)->region != NULL ? pm_aws_config(pipeline)->region : "");
}

/* "https://sqs.eu-west-1.amazonaws.com/123456789012/uploads" -> region, account, name. Queues of other services have
 * the region of the file, or any. */
static void queue_arn(const PmPipeline *pipeline, const char *url, const char *name, char *out, size_t size)
{
    char region[64] = "*", account[64] = "*", own[100] = "*";
    const char *host = strstr(url, "://"), *last = strrchr(url, '/');
    host = host != NULL ? host + 3 : url;
    if (sscanf(host, "sqs.%63[a-z0-9-].amazonaws.com", region) != 1 && pm_aws_config(pipeline)->region != NULL)
        pm_text_copy(region, sizeof region, pm_aws_config(pipeline)->region);
    const char *path = strchr(host, '/');
    if (path != NULL && path < last) {
        int n = (int)(last - path - 1);
        snprintf(account, sizeof account, "%.*s", n < 63 ? n : 63, path + 1);
    }
    if (last != NULL) pm_text_copy(own, sizeof own, last + 1);
    snprintf(out, size, "arn:%s:sqs:%s:%s:%s", partition_of(region), region, account, name != NULL ? name : own);
}

static void bucket_arn(const PmPipeline *pipeline, const char *bucket, const char *prefix, char *out, size_t size)
{
    const char *partition = own_partition(pipeline);
    if (prefix == NULL)
        snprintf(out, size, "arn:%s:s3:::%.255s", partition, bucket);
    else
        snprintf(out, size, "arn:%s:s3:::%.255s/%.1024s*", partition, bucket, prefix);
}

/* --- statements --- */

static void add_once(json_t *list, const char *text)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) if (strcmp(json_string_value(item), text) == 0) return;
    json_array_append_new(list, json_string(text));
}

/* Adds what these calls need (names of one service, NULL-terminated), so that no policy can forget one. `versions`:
 * they are also made of versions that are named. */
static void add_actions(json_t *actions, const char *service, const char *const *calls, bool versions)
{
    for (; *calls != NULL; calls++) {
        const PmAwsOperation *operation = pm_aws_operation(service, *calls);
        if (operation == NULL) continue; /* a test sees to it that there is one */
        add_once(actions, operation->action);
        if (versions && operation->versioned != NULL) add_once(actions, operation->versioned);
    }
}

static json_t *actions_for(const char *service, const char *const *calls, bool versions)
{
    json_t *actions = json_array();
    add_actions(actions, service, calls, versions);
    return actions;
}

/* Takes actions, resources and condition (or NULL). One resource stands alone, as people write it. */
static void add(json_t *statements, const char *sid, json_t *actions, json_t *resources, json_t *condition)
{
    bool one = json_array_size(resources) == 1;
    json_t *statement = json_pack("{ssss so sO}", "Sid", sid, "Effect", "Allow", "Action", actions, "Resource",
                                  one ? json_array_get(resources, 0) : resources);
    if (json_array_size(resources) > 0) {
        if (condition != NULL) json_object_set(statement, "Condition", condition);
        json_array_append(statements, statement);
    }
    json_decref(statement);
    json_decref(resources);
    json_decref(condition);
}

/* Without the right to list, S3 answers 403 for an object that is gone, and nobody could tell. A GET has no prefix:
 * hence IfExists. */
static json_t *below(json_t *prefixes)
{
    bool any = json_array_size(prefixes) == 0;
    size_t i;
    const json_t *prefix;
    json_array_foreach(prefixes, i, prefix) any = any || strcmp(json_string_value(prefix), "*") == 0;
    json_t *condition = NULL;
    if (!any)
        condition = json_pack("{s{sO}}", "StringLikeIfExists", "s3:prefix",
                              json_array_size(prefixes) == 1 ? json_array_get(prefixes, 0) : prefixes);
    json_decref(prefixes);
    return condition;
}

static json_t *list_bucket(void)
{
    return actions_for("s3", (const char *const[]){"ListObjectsV2", NULL}, false);
}

static bool copies_tags(const PmPipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->output_count; i++)
        if (pipeline->outputs[i].to.kind == &pm_kind_s3 &&
            ((const PmS3Place *)pipeline->outputs[i].to.config)->copy_tags)
            return true;
    return false;
}

static void add_source(const PmPipeline *pipeline, json_t *statements)
{
    const PmS3Source *source = pm_s3_source(pipeline);
    if (source == NULL) return;
    const char *prefix = source->prefix != NULL ? source->prefix : "";
    json_t *objects = json_array(), *buckets = json_array(), *prefixes = json_array();
    char arn[ARN_MAX];
    for (size_t i = 0; i < source->buckets.count; i++) {
        bucket_arn(pipeline, source->buckets.items[i], prefix, arn, sizeof arn);
        add_once(objects, arn);
        bucket_arn(pipeline, source->buckets.items[i], NULL, arn, sizeof arn);
        add_once(buckets, arn);
    }
    snprintf(arn, sizeof arn, "%s*", prefix);
    add_once(prefixes, arn);
    json_t *actions = actions_for("s3", (const char *const[]){"GetObject", "HeadObject", NULL}, true);
    if (copies_tags(pipeline)) add_actions(actions, "s3", (const char *const[]){"GetObjectTagging", NULL}, true);
    add(statements, "ReadSource", actions, objects, NULL);
    add(statements, "ListSource", list_bucket(), buckets, below(prefixes));
}

typedef struct Destination {
    json_t *objects, *buckets, *prefixes, *keys, *aliases;
    bool tags, acl;
} Destination;

/* A key's ARN or its id. The rights of an alias are those of its key, which the file does not tell: a condition does.
 */
static void add_key(const PmPipeline *pipeline, const char *id, Destination *all)
{
    char arn[ARN_MAX];
    if (id == NULL || id[0] == '\0') return;
    const char *alias = strncmp(id, "arn:", 4) == 0 ? strstr(id, ":alias/") : NULL;
    if (alias != NULL || strncmp(id, "alias/", 6) == 0) {
        add_once(all->aliases, alias != NULL ? alias + 1 : id);
        return;
    }
    if (strncmp(id, "arn:", 4) == 0)
        pm_text_copy(arn, sizeof arn, id);
    else
        snprintf(arn, sizeof arn, "arn:%s:kms:*:*:key/%.2000s", own_partition(pipeline), id);
    add_once(all->keys, arn);
}

static void add_place(const PmPipeline *pipeline, const PmPlace *place, Destination *all)
{
    char arn[ARN_MAX];
    if (place->kind != &pm_kind_s3) return;
    const PmS3Place *s3 = place->config;
    bucket_arn(pipeline, s3->bucket, pm_template_prefix(place->key), arn, sizeof arn);
    add_once(all->objects, arn);
    bucket_arn(pipeline, s3->bucket, NULL, arn, sizeof arn);
    add_once(all->buckets, arn);
    snprintf(arn, sizeof arn, "%s*", pm_template_prefix(place->key));
    add_once(all->prefixes, arn);
    all->tags = all->tags || s3->tags.count > 0 || s3->copy_tags;
    all->acl = all->acl || (s3->acl != NULL && s3->acl[0] != '\0');
    add_key(pipeline, s3->kms_key_id, all);
}

/* What S3 does on the caller's behalf with a put and a GET. */
static json_t *use_keys(void)
{
    return json_pack("[ss]", "kms:GenerateDataKey", "kms:Decrypt");
}

static void add_destinations(const PmPipeline *pipeline, json_t *statements)
{
    Destination all = {json_array(), json_array(), json_array(), json_array(), json_array(), false, false};
    static const char *const calls[] = {"PutObject",
                                        "HeadObject",
                                        "CreateMultipartUpload",
                                        "UploadPart",
                                        "CompleteMultipartUpload",
                                        "AbortMultipartUpload",
                                        NULL};
    json_t *actions = actions_for("s3", calls, false);
    char any_key[40];
    for (size_t i = 0; i < pipeline->output_count; i++) add_place(pipeline, &pipeline->outputs[i].to, &all);
    add_place(pipeline, &pipeline->quarantine, &all);
    /* headers of the put, not calls of their own */
    if (all.tags) add_once(actions, "s3:PutObjectTagging");
    if (all.acl) add_once(actions, "s3:PutObjectAcl");
    add(statements, "WriteDestination", actions, all.objects, NULL);
    add(statements, "ListDestination", list_bucket(), all.buckets, below(all.prefixes));
    add(statements, "UseKeys", use_keys(), all.keys, NULL);
    snprintf(any_key, sizeof any_key, "arn:%s:kms:*:*:key/*", own_partition(pipeline));
    if (json_array_size(all.aliases) > 0)
        add(statements, "UseKeysByAlias", use_keys(), json_pack("[s]", any_key),
            json_pack("{s{sO}}", "ForAnyValue:StringEquals", "kms:ResourceAliases", all.aliases));
    json_decref(all.aliases);
}

/* --- queues --- */

static json_t *send_message(void)
{
    return actions_for("sqs", (const char *const[]){"SendMessage", NULL}, false);
}

static void add_queues(const PmPipeline *pipeline, const PmIamOptions *options, json_t *statements, const char **wide)
{
    const PmSqsTrigger *sqs = pm_sqs_trigger(pipeline);
    bool container = (options->target & PM_IAM_CONTAINER) != 0;
    const char *dead = pm_lambda_trigger(pipeline)->dead_letter_url;
    char arn[ARN_MAX];
    if (dead == NULL && sqs != NULL) dead = sqs->dead_letter_url;
    if (dead != NULL && dead[0] == '\0') dead = NULL;
    if (sqs != NULL) {
        queue_arn(pipeline, sqs->queue_url, NULL, arn, sizeof arn);
        static const char *const consumed[] = {"ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes", NULL};
        json_t *actions = actions_for("sqs", consumed, false);
        if (container) add_actions(actions, "sqs", (const char *const[]){"ChangeMessageVisibilityBatch", NULL}, false);
        add(statements, "ReceiveQueue", actions, json_pack("[s]", arn), NULL);
    }
    if (dead == NULL && (sqs == NULL || !container)) return;
    if (dead != NULL)
        queue_arn(pipeline, dead, NULL, arn, sizeof arn);
    else if (options->dead_letter_arn != NULL)
        pm_text_copy(arn, sizeof arn, options->dead_letter_arn);
    else
        queue_arn(pipeline, sqs->queue_url, "*", arn, sizeof arn);
    if (dead == NULL && options->dead_letter_arn == NULL)
        *wide = "DeadLetters covers every queue of the account, since the file does not name the dead-letter queue";
    json_t *actions = send_message();
    if (container) add_actions(actions, "sqs", (const char *const[]){"GetQueueUrl", "GetQueueAttributes", NULL}, false);
    add(statements, "DeadLetters", actions, json_pack("[s]", arn), NULL);
}

/* --- what each connector needs --- */

void pm_s3_iam(PmIamPolicy *policy)
{
    add_source(policy->pipeline, policy->statements);
    add_destinations(policy->pipeline, policy->statements);
}

void pm_sqs_iam(PmIamPolicy *policy)
{
    const PmPlace *notify = &policy->pipeline->notify;
    char arn[ARN_MAX];
    add_queues(policy->pipeline, policy->options, policy->statements, &policy->wide);
    if (notify->kind != &pm_kind_sqs) return;
    queue_arn(policy->pipeline, ((const PmSqsNotify *)notify->config)->queue_url, NULL, arn, sizeof arn);
    add(policy->statements, "Notify", send_message(), json_pack("[s]", arn), NULL);
}

void pm_lambda_iam(PmIamPolicy *policy)
{
    const PmIamOptions *options = policy->options;
    char arn[ARN_MAX];
    if ((options->target & PM_IAM_LAMBDA) == 0) return;
    snprintf(arn, sizeof arn, "arn:%s:logs:*:*:log-group:/aws/lambda/%.200s:*", own_partition(policy->pipeline),
             options->function != NULL ? options->function : policy->pipeline->name);
    add(policy->statements, "WriteLogs", json_pack("[ss]", "logs:CreateLogStream", "logs:PutLogEvents"),
        json_pack("[s]", arn), NULL);
}

/* Of the services that plugins call; these actions know no resources. */
static void add_plugin_calls(const json_t *ready, json_t *statements)
{
    const json_t *at;
    const char *url;
    json_t *actions = json_array();
    for (size_t i = 0; (url = pm_signed_endpoint(ready, i, &at)) != NULL; i++) {
        const PmSignerKind *kind = pm_signer_kind_of(url);
        const char *action = kind != NULL ? kind->action(url) : NULL;
        if (action != NULL) add_once(actions, action);
    }
    if (json_array_size(actions) > 0)
        add(statements, "PluginCalls", actions, json_pack("[s]", "*"), NULL);
    else
        json_decref(actions);
}

json_t *pm_iam_policy(const PmPipeline *pipeline, const PmIamOptions *options, const char **wide)
{
    PmIamPolicy policy = {.pipeline = pipeline, .options = options, .statements = json_array()};
    for (size_t i = 0; pm_connectors[i] != NULL; i++)
        if (pm_connectors[i]->iam != NULL) pm_connectors[i]->iam(&policy);
    add_plugin_calls(options->ready, policy.statements);
    *wide = policy.wide;
    return json_pack("{ssso}", "Version", "2012-10-17", "Statement", policy.statements);
}
