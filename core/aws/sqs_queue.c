/* SPDX-License-Identifier: Apache-2.0
 *
 * What a queue says of itself, and where its dead letters go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/sqs_internal.h"
#include "base/json.h"
#include "base/text.h"

enum { TIMEOUT_MS = 15000 };

static int64_t number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : json_integer_value(value);
}

static int64_t clock_of(const PmAwsResponse *response)
{
    const char *date = response->http != NULL ? pm_http_header(response->http, "date") : NULL;
    struct tm tm = {0};
    if (date == NULL || strptime(date, "%a, %d %b %Y %H:%M:%S", &tm) == NULL) return 0;
    return (int64_t)timegm(&tm) * 1000;
}

static void on_attributes(PmSqsCall *call, const PmError *err, const PmAwsResponse *response)
{
    json_t *answer = json_incref(call->answer), *policy = NULL;
    const json_t *attributes = json_object_get(answer, "Attributes");
    const char *arn = json_string_value(json_object_get(attributes, "QueueArn"));
    PmError none = {0};
    if (err == NULL && json_object_get(attributes, "VisibilityTimeout") == NULL) {
        pm_error_set(&none, PM_TRANSIENT, "sqs GetQueueAttributes: the answer names no visibility timeout");
        err = &none;
    }
    const char *fifo = json_string_value(json_object_get(attributes, "FifoQueue"));
    const char *redrive = json_string_value(json_object_get(attributes, "RedrivePolicy"));
    bool no_memory = false;
    if (redrive != NULL) policy = pm_json_read(redrive, strlen(redrive), 0, NULL, &no_memory);
    if (err == NULL && redrive != NULL && !json_is_object(policy)) { /* or there was no memory for it */
        pm_error_set(&none, PM_TRANSIENT, "sqs GetQueueAttributes: the redrive policy cannot be read");
        err = &none;
    }
    const char *dead = json_string_value(json_object_get(policy, "deadLetterTargetArn"));
    PmSqsAttributes result = {.err = err,
                              .visibility_timeout_s = (int)number_at(attributes, "VisibilityTimeout"),
                              .messages = number_at(attributes, "ApproximateNumberOfMessages"),
                              .in_flight = number_at(attributes, "ApproximateNumberOfMessagesNotVisible"),
                              .delayed = number_at(attributes, "ApproximateNumberOfMessagesDelayed"),
                              .retention_s = number_at(attributes, "MessageRetentionPeriod"),
                              .server_ms = response != NULL ? clock_of(response) : 0,
                              .fifo = fifo != NULL && strcmp(fifo, "true") == 0,
                              .max_receive_count = (int)number_at(policy, "maxReceiveCount"),
                              .dead_letter_arn = dead != NULL ? dead : "",
                              .arn = arn != NULL ? arn : ""};
    PmSqsAttributesDone *done = (PmSqsAttributesDone *)call->done;
    void *data = call->data;
    pm_sqs_cancel(call);
    done(data, &result);
    json_decref(policy);
    json_decref(answer);
}

PmSqsCall *pm_sqs_attributes(PmSqs *sqs, const char *queue_url, PmSqsAttributesDone *done, void *data, PmError *err)
{
    json_t *request =
        json_pack("{ss s[s]}", "QueueUrl", queue_url != NULL ? queue_url : sqs->queue_url, "AttributeNames", "All");
    PmSqsCall *call = pm_sqs_call_new(sqs, "GetQueueAttributes", request, on_attributes, data, err);
    if (call != NULL) call->done = (void (*)(void))done;
    return pm_sqs_call_start(call, TIMEOUT_MS, err);
}

static void on_url(PmSqsCall *call, const PmError *err, const PmAwsResponse *response)
{
    (void)response;
    json_t *answer = json_incref(call->answer);
    const char *url = json_string_value(json_object_get(answer, "QueueUrl"));
    PmError none = {0};
    if (err == NULL && url == NULL) {
        pm_error_set(&none, PM_TRANSIENT, "sqs GetQueueUrl: the answer names no queue");
        err = &none;
    }
    PmSqsUrlDone *done = (PmSqsUrlDone *)call->done;
    void *data = call->data;
    pm_sqs_cancel(call);
    done(data, err == NULL ? url : NULL, err);
    json_decref(answer);
}

PmSqsCall *pm_sqs_url_of(PmSqs *sqs, const char *arn, PmSqsUrlDone *done, void *data, PmError *err)
{
    char copy[512], *save = NULL, *fields[6] = {0};
    if (!pm_text_copy(copy, sizeof copy, arn)) copy[0] = '\0';
    size_t n = 0;
    for (char *field = strtok_r(copy, ":", &save); field != NULL && n < 6; field = strtok_r(NULL, ":", &save))
        fields[n++] = field;
    if (n != 6 || strcmp(fields[0], "arn") != 0 || strcmp(fields[2], "sqs") != 0) {
        pm_error_set(err, PM_BAD_CONFIG, "\"%.200s\" is not a queue ARN", arn);
        return NULL;
    }
    json_t *request = json_pack("{ss ss}", "QueueName", fields[5], "QueueOwnerAWSAccountId", fields[4]);
    PmSqsCall *call = pm_sqs_call_new(sqs, "GetQueueUrl", request, on_url, data, err);
    if (call != NULL) call->done = (void (*)(void))done;
    return pm_sqs_call_start(call, TIMEOUT_MS, err);
}
