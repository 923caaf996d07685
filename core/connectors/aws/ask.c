/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/ask.h"

#include <signal.h>
#include <string.h>

#include "aws/xml.h"
#include "base/text.h"

PmStatus pm_ask_open(PmAsk *ask, const PmAwsConfig *config, PmError *err)
{
    *ask = (PmAsk){0};
    signal(SIGPIPE, SIG_IGN);
    ask->loop = pm_loop_new(err);
    if (ask->loop != NULL) ask->cloud = pm_cloud_new(ask->loop, config, err);
    return err->status;
}

void pm_ask_with(PmAsk *ask, PmLoop *loop, PmCloud *cloud)
{
    *ask = (PmAsk){.loop = loop, .cloud = cloud};
    signal(SIGPIPE, SIG_IGN);
}

void pm_ask_close(PmAsk *ask)
{
    pm_cloud_free(ask->cloud);
    if (ask->loop != NULL) pm_loop_free(ask->loop);
}

/* Waits for a call that was started, or not. */
static PmStatus wait_for(PmAsk *ask, bool started)
{
    if (started) pm_loop_run(ask->loop);
    return ask->err.status;
}

static void begin(PmAsk *ask)
{
    ask->err = (PmError){0};
    ask->outcome = PM_S3_FAILED;
    ask->code[0] = ask->key[0] = '\0';
}

static void answered(PmAsk *ask, const PmError *err)
{
    if (err != NULL) ask->err = *err;
    pm_loop_stop(ask->loop);
}

/* --- credentials --- */

static void on_credentials(void *data, const PmSigningCredentials *found, const PmError *err)
{
    (void)found;
    answered(data, err);
}

PmStatus pm_ask_credentials(PmAsk *ask)
{
    begin(ask);
    PmCredentials *credentials = pm_cloud_credentials(ask->cloud);
    wait_for(ask, pm_credentials_get(credentials, on_credentials, ask) != NULL);
    if (ask->err.status == PM_OK) pm_text_copy(ask->key, sizeof ask->key, pm_credentials_source(credentials));
    return ask->err.status;
}

/* --- S3 --- */

static void on_s3(void *data, const PmS3Result *result)
{
    PmAsk *ask = data;
    ask->outcome = result->outcome;
    pm_text_copy(ask->code, sizeof ask->code, result->code != NULL ? result->code : "");
    if (result->xml != NULL) pm_text_copy(ask->key, sizeof ask->key, pm_xml_get(result->xml, "Contents/Key"));
    answered(ask, result->outcome == PM_S3_FAILED ? result->err : NULL);
}

PmStatus pm_ask_list(PmAsk *ask, PmS3 *s3, const char *bucket, const char *prefix)
{
    begin(ask);
    return wait_for(ask, pm_s3_list(s3, bucket, prefix, NULL, on_s3, ask, &ask->err) != NULL);
}

PmStatus pm_ask_head(PmAsk *ask, PmS3 *s3, const char *bucket, const char *key)
{
    begin(ask);
    return wait_for(ask, pm_s3_head(s3, bucket, key, NULL, on_s3, ask, &ask->err) != NULL);
}

PmStatus pm_ask_put(PmAsk *ask, PmS3 *s3, const PmS3Put *put)
{
    begin(ask);
    return wait_for(ask, pm_s3_put(s3, put, on_s3, ask, &ask->err) != NULL);
}

PmStatus pm_ask_remove(PmAsk *ask, PmS3 *s3, const char *bucket, const char *key)
{
    begin(ask);
    return wait_for(ask, pm_s3_delete(s3, bucket, key, on_s3, ask, &ask->err) != NULL);
}

/* --- SQS --- */

typedef struct Question {
    PmAsk *ask;
    PmQueueFacts *facts;
    PmAskMessage *each;
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
    answered(question->ask, from->err);
}

PmStatus pm_ask_queue(PmAsk *ask, PmSqs *sqs, const char *queue_url, PmQueueFacts *facts)
{
    Question question = {.ask = ask, .facts = facts};
    begin(ask);
    return wait_for(ask, pm_sqs_attributes(sqs, queue_url, on_attributes, &question, &ask->err) != NULL);
}

static void on_url(void *data, const char *queue_url, const PmError *err)
{
    PmAsk *ask = data;
    if (queue_url != NULL) pm_text_copy(ask->key, sizeof ask->key, queue_url);
    answered(ask, err);
}

PmStatus pm_ask_queue_url(PmAsk *ask, PmSqs *sqs, const char *arn)
{
    begin(ask);
    return wait_for(ask, pm_sqs_url_of(sqs, arn, on_url, ask, &ask->err) != NULL);
}

static void on_received(void *data, const PmSqsReceived *received)
{
    Question *question = data;
    question->count = received->err == NULL ? received->count : 0;
    for (size_t i = 0; i < question->count; i++) question->each(question->data, &received->messages[i]);
    answered(question->ask, received->err);
}

PmStatus pm_ask_receive(PmAsk *ask, PmSqs *sqs, int max, int wait_s, int visibility_s, PmAskMessage *each, void *data,
                        size_t *count)
{
    Question question = {.ask = ask, .each = each, .data = data};
    begin(ask);
    wait_for(ask, pm_sqs_receive(sqs, max, wait_s, visibility_s, on_received, &question, &ask->err) != NULL);
    *count = question.count;
    return ask->err.status;
}

static void on_sent(void *data, const PmError *err)
{
    answered(data, err);
}

PmStatus pm_ask_send(PmAsk *ask, PmSqs *sqs, const PmSqsSend *message)
{
    begin(ask);
    return wait_for(ask, pm_sqs_send(sqs, message, on_sent, ask, &ask->err) != NULL);
}

static void on_ended(void *data, const PmSqsBatchResult *result)
{
    PmAsk *ask = data;
    PmError err = {0};
    for (size_t i = 0; result->err == NULL && i < result->count; i++) {
        if (result->fates[i] == PM_SQS_AGAIN) pm_error_set(&err, PM_TRANSIENT, "the queue could not do it now");
        if (result->fates[i] == PM_SQS_REFUSED) pm_error_set(&err, PM_BAD_CONFIG, "the queue refused it");
    }
    answered(ask, result->err != NULL ? result->err : err.status != PM_OK ? &err : NULL);
}

PmStatus pm_ask_end_messages(PmAsk *ask, PmSqs *sqs, const char *const *receipt_handles, size_t count, int visibility_s)
{
    PmSqsEntry entries[PM_SQS_BATCH_MAX];
    begin(ask);
    for (size_t i = 0; i < count && i < PM_SQS_BATCH_MAX; i++)
        entries[i] = (PmSqsEntry){receipt_handles[i], visibility_s};
    PmSqsCall *call = visibility_s < 0 ? pm_sqs_delete(sqs, entries, count, on_ended, ask, &ask->err)
                                       : pm_sqs_change_visibility(sqs, entries, count, on_ended, ask, &ask->err);
    return wait_for(ask, call != NULL);
}
