/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sqs.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/operations.h"
#include "aws/sqs_internal.h"
#include "base/json.h"
#include "base/text.h"

enum {
    HTTP_MARGIN_MS = 10000,
    SILENCE_MS = 6000,
    RECEIVED_MAX = 24 * PM_SQS_BODY_MAX, /* bytes: ten messages, every byte of them escaped */
    ANSWER_MAX = 256 * 1024              /* of everything else */
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* "https://sqs.eu-west-1.amazonaws.com/123/name" -> "eu-west-1"; older "eu-west-1.queue.amazonaws.com" too. */
static void region_of_url(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://") + 3;
    const char *dot = strchr(host, '.');
    bool legacy = dot != NULL && strncmp(dot, ".queue.", 7) == 0;
    bool modern = strncmp(host, "sqs.", 4) == 0 || strncmp(host, "sqs-fips.", 9) == 0;
    const char *begin = legacy ? host : modern ? dot + 1 : NULL;
    size_t n = begin != NULL ? strcspn(begin, "./:") : 0;
    if (n == 0 || n >= size || strstr(host, ".amazonaws.com") == NULL) return;
    memcpy(out, begin, n);
    out[n] = '\0';
}

PmSqs *pm_sqs_new(PmLoop *loop, PmAwsClient *client, const PmSqsOptions *options, PmError *err)
{
    const char *url = options->queue_url;
    const char *host = url != NULL && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0)
                           ? strstr(url, "://") + 3
                           : NULL;
    const char *path = host != NULL ? strchr(host, '/') : NULL;
    if (path == NULL || path == host || path[1] == '\0' || strlen(url) > 1000 || strpbrk(url, " @?#") != NULL) {
        bool harmless = url == NULL || strpbrk(url, "@?#") == NULL;
        pm_error_set(err, PM_BAD_CONFIG, "\"%.200s\" is not a queue URL",
                     url == NULL ? ""
                     : harmless  ? url
                                 : "(not shown: it carries more than a host and a path)");
        pm_error_hint(err, "a queue URL looks like https://sqs.eu-west-1.amazonaws.com/123456789012/uploads");
        return NULL;
    }
    PmSqs *sqs = calloc(1, sizeof *sqs);
    if (sqs == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    sqs->loop = loop;
    sqs->client = client;
    pm_text_copy(sqs->region, sizeof sqs->region, "us-east-1");
    region_of_url(url, sqs->region, sizeof sqs->region);
    if (options->region != NULL) pm_text_copy(sqs->region, sizeof sqs->region, options->region);
    const char *endpoint = options->endpoint_url;
    if (endpoint == NULL) endpoint = environment("AWS_ENDPOINT_URL_SQS");
    if (endpoint == NULL) endpoint = environment("AWS_ENDPOINT_URL");
    sqs->origin = endpoint != NULL ? strdup(endpoint) : strndup(url, (size_t)(path - url));
    sqs->queue_url = strdup(url);
    if (sqs->origin == NULL || sqs->queue_url == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        pm_sqs_free(sqs);
        return NULL;
    }
    size_t n = strlen(sqs->origin);
    while (n > 0 && sqs->origin[n - 1] == '/') sqs->origin[--n] = '\0';
    if (n == 0 || (strncmp(sqs->origin, "http://", 7) != 0 && strncmp(sqs->origin, "https://", 8) != 0)) {
        pm_error_set(err, PM_BAD_CONFIG, "the SQS endpoint is not an http or https URL");
        pm_sqs_free(sqs);
        return NULL;
    }
    return sqs;
}

bool pm_sqs_is_fifo(const char *name)
{
    size_t n = name != NULL ? strlen(name) : 0;
    return n > 5 && strcmp(name + n - 5, ".fifo") == 0;
}

void pm_sqs_free(PmSqs *sqs)
{
    if (sqs == NULL) return;
    for (PmSqsCall *call = sqs->calls, *next; call != NULL; call = next) {
        next = call->next;
        pm_sqs_cancel(call);
    }
    free(sqs->origin);
    free(sqs->queue_url);
    free(sqs);
}

const char *pm_sqs_queue_url(const PmSqs *sqs)
{
    return sqs->queue_url;
}

const char *pm_sqs_region(const PmSqs *sqs)
{
    return sqs->region;
}

/* --- calls --- */

json_t *pm_sqs_with(json_t *object, const char *name, json_t *value)
{
    if (object == NULL)
        json_decref(value);
    else if (json_object_set_new(object, name, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

void pm_sqs_cancel(PmSqsCall *call)
{
    if (call == NULL) return;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        call->sqs->calls = call->next;
    if (call->next != NULL) call->next->previous = call->previous;
    pm_aws_cancel(call->call);
    pm_loop_cancel(call->timer);
    json_decref(call->request);
    json_decref(call->answer);
    free(call->body);
    free(call);
}

PmSqsCall *pm_sqs_call_new(PmSqs *sqs, const char *operation, json_t *request, PmSqsAnswer *answered, void *data,
                           PmError *err)
{
    bool known = pm_aws_operation("sqs", operation) != NULL;
    PmSqsCall *call = known && request != NULL ? calloc(1, sizeof *call) : NULL;
    if (call == NULL) {
        json_decref(request);
        if (known)
            pm_error_set(err, PM_TRANSIENT, "out of memory");
        else
            pm_error_set(err, PM_BUG, "sqs %s is not among the operations", operation);
        return NULL;
    }
    call->sqs = sqs;
    call->operation = operation;
    call->request = request;
    call->answered = answered;
    call->data = data;
    call->next = sqs->calls;
    if (call->next != NULL) call->next->previous = call;
    sqs->calls = call;
    return call;
}

static void on_response(void *data, const PmAwsResponse *response)
{
    PmSqsCall *call = data;
    char operation[64];
    call->call = NULL;
    snprintf(operation, sizeof operation, "sqs %s", call->operation);
    PmError err = {0};
    pm_aws_error(response, operation, &err);
    /* SQS names its reasons. An answer without one comes from something before it: an outage, not a missing right. */
    if (err.status != PM_OK && response->http->status != 0 && response->code[0] == '\0') err.status = PM_TRANSIENT;
    json_decref(call->answer);
    call->answer = NULL;
    if (err.status == PM_OK) {
        /* Delete and ChangeVisibility of one message answer with nothing at all. */
        bool no_memory = false;
        call->answer = response->http->body_size > 0
                           ? pm_json_read(response->http->body, response->http->body_size, 0, NULL, &no_memory)
                           : json_object();
        if (no_memory)
            pm_error_set(&err, PM_TRANSIENT, "%s: out of memory for the answer", operation);
        else if (!json_is_object(call->answer))
            pm_error_set(&err, PM_TRANSIENT, "%s: the answer is no JSON object", operation);
    }
    call->answered(call, err.status != PM_OK ? &err : NULL, response);
}

bool pm_sqs_call_send(PmSqsCall *call, int64_t timeout_ms, PmError *err)
{
    bool receives = strcmp(call->operation, "ReceiveMessage") == 0;
    int64_t wait_ms = json_integer_value(json_object_get(call->request, "WaitTimeSeconds")) * 1000;
    free(call->body);
    call->body = pm_json_text(call->request, JSON_COMPACT);
    if (call->body == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return false;
    }
    char target[64];
    snprintf(target, sizeof target, "AmazonSQS.%s", call->operation);
    PmNameValue headers[] = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", target}};
    PmAwsRequest request = {.protocol = PM_AWS_JSON,
                            .service = "sqs",
                            .region = call->sqs->region,
                            .method = "POST",
                            .origin = call->sqs->origin,
                            .path = "/",
                            .headers = headers,
                            .header_count = 2,
                            .body = call->body,
                            .body_size = strlen(call->body),
                            .has_body = true,
                            .response_max = receives ? RECEIVED_MAX : ANSWER_MAX,
                            .lane = PM_HTTP_QUEUE,
                            .poll_ms = wait_ms,
                            .first_byte_timeout_ms = SILENCE_MS,
                            .stall_timeout_ms = SILENCE_MS,
                            .timeout_ms = timeout_ms};
    call->call = pm_aws_send(call->sqs->client, &request, on_response, call, err);
    return call->call != NULL;
}

PmSqsCall *pm_sqs_call_start(PmSqsCall *call, int64_t timeout_ms, PmError *err)
{
    if (call == NULL || pm_sqs_call_send(call, timeout_ms, err)) return call;
    pm_sqs_cancel(call);
    return NULL;
}

/* --- receive --- */

static bool md5_matches(const char *body, size_t size, const char *expected)
{
    unsigned char digest[16];
    char text[33];
    if (expected == NULL) return true;
    if (EVP_Digest(size > 0 ? body : "", size, digest, NULL, EVP_md5(), NULL) != 1)
        return true; /* no MD5 in FIPS mode */
    for (size_t i = 0; i < sizeof digest; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return strcmp(text, expected) == 0;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void read_message(const json_t *json, PmSqsMessage *message)
{
    const json_t *body = json_object_get(json, "Body"), *attributes = json_object_get(json, "Attributes");
    const json_t *reason = json_object_get(json_object_get(json, "MessageAttributes"), "pixmill.reason");
    *message =
        (PmSqsMessage){.id = text_at(json, "MessageId"),
                       .receipt_handle = text_at(json, "ReceiptHandle"),
                       .body = text_at(json, "Body"),
                       .body_size = json_string_length(body),
                       .group_id = text_at(attributes, "MessageGroupId"),
                       .dead_letter_reason = text_at(reason, "StringValue"),
                       .receive_count = (int)strtol(text_at(attributes, "ApproximateReceiveCount"), NULL, 10),
                       .sent_ms = strtoll(text_at(attributes, "SentTimestamp"), NULL, 10),
                       .first_received_ms = strtoll(text_at(attributes, "ApproximateFirstReceiveTimestamp"), NULL, 10),
                       .json = json};
    message->damaged =
        !md5_matches(message->body, message->body_size, json_string_value(json_object_get(json, "MD5OfBody")));
}

static void on_received(PmSqsCall *call, const PmError *err, const PmAwsResponse *response)
{
    PmSqsMessage messages[PM_SQS_BATCH_MAX];
    PmError empty = {0};
    if (err == NULL && response->http->body_size == 0) { /* the queue says {} */
        pm_error_set(&empty, PM_TRANSIENT, "sqs ReceiveMessage: the answer is empty");
        err = &empty;
    }
    PmSqsReceived received = {.err = err, .messages = messages};
    const json_t *list = json_object_get(call->answer, "Messages"); /* missing: none */
    for (size_t i = 0; i < json_array_size(list) && i < PM_SQS_BATCH_MAX; i++)
        read_message(json_array_get(list, i), &messages[received.count++]);
    PmSqsReceivedDone *done = (PmSqsReceivedDone *)call->done;
    void *data = call->data;
    json_t *answer = json_incref(call->answer);
    pm_sqs_cancel(call);
    done(data, &received);
    json_decref(answer);
}

PmSqsCall *pm_sqs_receive(PmSqs *sqs, int max, int wait_s, int visibility_s, PmSqsReceivedDone *done, void *data,
                          PmError *err)
{
    json_t *request = json_pack("{ss si si s[s] s[s] s[s]}", "QueueUrl", sqs->queue_url, "MaxNumberOfMessages",
                                max < 1                  ? 1
                                : max > PM_SQS_BATCH_MAX ? PM_SQS_BATCH_MAX
                                                         : max,
                                "WaitTimeSeconds", wait_s, "MessageSystemAttributeNames", "All", "AttributeNames",
                                "All", "MessageAttributeNames", "All");
    if (visibility_s >= 0) request = pm_sqs_with(request, "VisibilityTimeout", json_integer(visibility_s));
    PmSqsCall *call = pm_sqs_call_new(sqs, "ReceiveMessage", request, on_received, data, err);
    if (call != NULL) call->done = (void (*)(void))done;
    return pm_sqs_call_start(call, (int64_t)wait_s * 1000 + HTTP_MARGIN_MS, err);
}

/* --- send --- */

/* A dead letter that is taken for sent is followed by the end of its message, so a 200 alone is not enough: it may be
 * that of something in front of SQS. */
static void check_sent(const PmSqsCall *call, PmError *err)
{
    const json_t *body = json_object_get(call->request, "MessageBody");
    if (text_at(call->answer, "MessageId")[0] == '\0')
        pm_error_set(err, PM_TRANSIENT, "sqs SendMessage: the answer names no message, so it is not SQS that answered");
    else if (!md5_matches(json_string_value(body), json_string_length(body),
                          json_string_value(json_object_get(call->answer, "MD5OfMessageBody"))))
        pm_error_set(err, PM_TRANSIENT, "sqs SendMessage: the queue got another body than was sent");
}

static void on_sent(PmSqsCall *call, const PmError *err, const PmAwsResponse *response)
{
    (void)response;
    PmError doubt = {0};
    if (err == NULL) check_sent(call, &doubt);
    if (doubt.status != PM_OK) err = &doubt;
    PmSqsDone *done = (PmSqsDone *)call->done;
    void *data = call->data;
    pm_sqs_cancel(call);
    done(data, err);
}

PmSqsCall *pm_sqs_send(PmSqs *sqs, const PmSqsSend *message, PmSqsDone *done, void *data, PmError *err)
{
    json_t *attributes = json_object();
    for (size_t i = 0; i < message->attribute_count && json_object_size(attributes) < 10; i++) {
        char clean[1024];
        pm_text_utf8(clean, sizeof clean, message->attributes[i].value != NULL ? message->attributes[i].value : "");
        for (char *p = clean; *p != '\0'; p++) /* SQS refuses what XML 1.0 does not allow */
            if ((unsigned char)*p < 0x20) *p = ' ';
        if (clean[0] != '\0')
            attributes = pm_sqs_with(attributes, message->attributes[i].name,
                                     json_pack("{ssss}", "DataType", "String", "StringValue", clean));
    }
    json_t *request =
        json_pack("{ss ss so}", "QueueUrl", message->queue_url != NULL ? message->queue_url : sqs->queue_url,
                  "MessageBody", message->body, "MessageAttributes", attributes);
    if (message->group_id != NULL) request = pm_sqs_with(request, "MessageGroupId", json_string(message->group_id));
    if (message->deduplication_id != NULL)
        request = pm_sqs_with(request, "MessageDeduplicationId", json_string(message->deduplication_id));
    PmSqsCall *call = pm_sqs_call_new(sqs, "SendMessage", request, on_sent, data, err);
    if (call != NULL) call->done = (void (*)(void))done;
    return pm_sqs_call_start(call, HTTP_MARGIN_MS, err);
}
