/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/blocking_call.h"

#include <stdio.h>
#include <string.h>

#include "aws/xml.h"
#include "base/text.h"
#include "connectors/aws/signer.h"

PmStatus pm_blocking_open(PmBlockingCall *blocking, const PmAwsConfig *config, PmError *err)
{
    *blocking = (PmBlockingCall){0};
    blocking->loop = pm_loop_new(err);
    if (blocking->loop != NULL) blocking->session = pm_aws_session_new(blocking->loop, config, err);
    return err->status;
}

void pm_blocking_with(PmBlockingCall *blocking, PmLoop *loop, PmAwsSession *session)
{
    *blocking = (PmBlockingCall){.loop = loop, .session = session};
}

void pm_blocking_close(PmBlockingCall *blocking)
{
    pm_aws_session_free(blocking->session);
    if (blocking->loop != NULL) pm_loop_free(blocking->loop);
}

/* Waits for a call that was started, or not. */
static PmStatus wait_for(PmBlockingCall *blocking, bool started)
{
    if (started) pm_loop_run(blocking->loop);
    return blocking->err.status;
}

static void begin(PmBlockingCall *blocking)
{
    blocking->err = (PmError){0};
    blocking->outcome = PM_S3_FAILED;
    blocking->code[0] = blocking->key[0] = '\0';
}

static void answered(PmBlockingCall *blocking, const PmError *err)
{
    if (err != NULL) blocking->err = *err;
    pm_loop_stop(blocking->loop);
}

/* --- credentials --- */

static void on_credentials(void *data, const PmSigningCredentials *found, const PmError *err)
{
    (void)found;
    answered(data, err);
}

PmStatus pm_blocking_credentials(PmBlockingCall *blocking)
{
    begin(blocking);
    PmCredentials *credentials = pm_aws_session_credentials(blocking->session);
    wait_for(blocking, pm_credentials_get(credentials, on_credentials, blocking) != NULL);
    if (blocking->err.status == PM_OK)
        pm_text_copy(blocking->key, sizeof blocking->key, pm_credentials_source(credentials));
    return blocking->err.status;
}

/* --- S3 --- */

static void on_s3(void *data, const PmS3Result *result)
{
    PmBlockingCall *blocking = data;
    blocking->outcome = result->outcome;
    pm_text_copy(blocking->code, sizeof blocking->code, result->code != NULL ? result->code : "");
    if (result->xml != NULL) pm_text_copy(blocking->key, sizeof blocking->key, pm_xml_get(result->xml, "Contents/Key"));
    answered(blocking, result->outcome == PM_S3_FAILED ? result->err : NULL);
}

PmStatus pm_blocking_list(PmBlockingCall *blocking, PmS3 *s3, const char *bucket, const char *prefix)
{
    begin(blocking);
    return wait_for(blocking, pm_s3_list(s3, bucket, prefix, NULL, on_s3, blocking, &blocking->err) != NULL);
}

PmStatus pm_blocking_head(PmBlockingCall *blocking, PmS3 *s3, const char *bucket, const char *key)
{
    begin(blocking);
    return wait_for(blocking, pm_s3_head(s3, bucket, key, NULL, on_s3, blocking, &blocking->err) != NULL);
}

PmStatus pm_blocking_put(PmBlockingCall *blocking, PmS3 *s3, const PmS3Put *put)
{
    begin(blocking);
    return wait_for(blocking, pm_s3_put(s3, put, on_s3, blocking, &blocking->err) != NULL);
}

PmStatus pm_blocking_remove(PmBlockingCall *blocking, PmS3 *s3, const char *bucket, const char *key)
{
    begin(blocking);
    return wait_for(blocking, pm_s3_delete(s3, bucket, key, on_s3, blocking, &blocking->err) != NULL);
}

/* --- what plugins call --- */

typedef struct Probe {
    PmBlockingCall *blocking;
    const PmAwsPluginCall *call;
} Probe;

static void on_probe(void *data, const PmAwsResponse *response)
{
    Probe *probe = data;
    PmError err = {0};
    char name[120];
    snprintf(name, sizeof name, "%s %s", probe->call->service, probe->call->operation);
    if (response->status != PM_OK && response->status != PM_BAD_INPUT) pm_aws_error(response, name, &err);
    answered(probe->blocking, err.status != PM_OK ? &err : NULL);
}

PmStatus pm_blocking_plugin_call(PmBlockingCall *blocking, const PmAwsPluginCall *call)
{
    PmAwsRequest request;
    PmNameValue headers[2];
    char origin[512];
    Probe probe = {blocking, call};
    begin(blocking);
    if (pm_signer_aws_request(blocking->session, call, call->probe, strlen(call->probe), headers, origin, sizeof origin,
                              &request, &blocking->err) != PM_OK)
        return blocking->err.status;
    request.response_max = 64 * 1024;
    request.first_byte_timeout_ms = 0;
    return wait_for(blocking, pm_aws_send(pm_aws_session_client(blocking->session), &request, on_probe, &probe,
                                          &blocking->err) != NULL);
}

/* --- SQS --- */

typedef struct Question {
    PmBlockingCall *blocking;
    PmQueueFacts *facts;
    PmBlockingCallMessage *each;
    void *data;
    size_t count;
} Question;

static void on_attributes(void *data, const PmSqsAttributes *from)
{
    Question *question = data;
    PmQueueFacts *to = question->facts;
    if (from->err == NULL) {
        *to = (PmQueueFacts){.visibility_timeout_s = from->visibility_timeout_s,
                             .server_ms = from->server_ms,
                             .max_receive_count = from->max_receive_count,
                             .messages = from->messages,
                             .in_flight = from->in_flight,
                             .delayed = from->delayed,
                             .retention_s = from->retention_s,
                             .fifo = from->fifo};
        pm_text_copy(to->dead_letter_arn, sizeof to->dead_letter_arn, from->dead_letter_arn);
        pm_text_copy(to->arn, sizeof to->arn, from->arn);
    }
    answered(question->blocking, from->err);
}

PmStatus pm_blocking_queue(PmBlockingCall *blocking, PmSqs *sqs, const char *queue_url, PmQueueFacts *facts)
{
    Question question = {.blocking = blocking, .facts = facts};
    begin(blocking);
    return wait_for(blocking, pm_sqs_attributes(sqs, queue_url, on_attributes, &question, &blocking->err) != NULL);
}

static void on_url(void *data, const char *queue_url, const PmError *err)
{
    PmBlockingCall *blocking = data;
    if (queue_url != NULL) pm_text_copy(blocking->key, sizeof blocking->key, queue_url);
    answered(blocking, err);
}

PmStatus pm_blocking_queue_url(PmBlockingCall *blocking, PmSqs *sqs, const char *arn)
{
    begin(blocking);
    return wait_for(blocking, pm_sqs_url_of(sqs, arn, on_url, blocking, &blocking->err) != NULL);
}

static void on_received(void *data, const PmSqsReceived *received)
{
    Question *question = data;
    question->count = received->err == NULL ? received->count : 0;
    for (size_t i = 0; i < question->count; i++) question->each(question->data, &received->messages[i]);
    answered(question->blocking, received->err);
}

PmStatus pm_blocking_receive(PmBlockingCall *blocking, PmSqs *sqs, int max, int wait_s, int visibility_s,
                             PmBlockingCallMessage *each, void *data, size_t *count)
{
    Question question = {.blocking = blocking, .each = each, .data = data};
    begin(blocking);
    wait_for(blocking, pm_sqs_receive(sqs, max, wait_s, visibility_s, on_received, &question, &blocking->err) != NULL);
    *count = question.count;
    return blocking->err.status;
}

static void on_sent(void *data, const PmError *err)
{
    answered(data, err);
}

PmStatus pm_blocking_send(PmBlockingCall *blocking, PmSqs *sqs, const PmSqsSend *message)
{
    begin(blocking);
    return wait_for(blocking, pm_sqs_send(sqs, message, on_sent, blocking, &blocking->err) != NULL);
}

static void on_ended(void *data, const PmSqsBatchResult *result)
{
    PmBlockingCall *blocking = data;
    PmError err = {0};
    for (size_t i = 0; result->err == NULL && i < result->count; i++) {
        if (result->fates[i] == PM_SQS_AGAIN) pm_error_set(&err, PM_TRANSIENT, "the queue could not do it now");
        if (result->fates[i] == PM_SQS_REFUSED) pm_error_set(&err, PM_BAD_CONFIG, "the queue refused it");
    }
    answered(blocking, result->err != NULL ? result->err : err.status != PM_OK ? &err : NULL);
}

PmStatus pm_blocking_end_messages(PmBlockingCall *blocking, PmSqs *sqs, const char *const *receipt_handles,
                                  size_t count, int visibility_s)
{
    PmSqsEntry entries[PM_SQS_BATCH_MAX];
    begin(blocking);
    for (size_t i = 0; i < count && i < PM_SQS_BATCH_MAX; i++)
        entries[i] = (PmSqsEntry){receipt_handles[i], visibility_s};
    PmSqsCall *call = visibility_s < 0
                          ? pm_sqs_delete(sqs, entries, count, on_ended, blocking, &blocking->err)
                          : pm_sqs_change_visibility(sqs, entries, count, on_ended, blocking, &blocking->err);
    return wait_for(blocking, call != NULL);
}
