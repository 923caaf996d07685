/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/sqs.h"
#include "net/stub.h"

typedef struct World {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    Stub stub;
    /* what came back */
    PmStatus status;
    char message[800], body[256];
    int attempts, calls;
} World;

static int setup(void **state)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    w->loop = pm_loop_new(&err);
    w->http = pm_http_new(w->loop, NULL, &err);
    w->credentials = pm_credentials_fixed("AKID", "SECRET", "TOKEN");
    w->client = pm_aws_client_new(w->loop, w->http, w->credentials);
    stub_start(&w->stub, w->loop);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    World *w = *state;
    pm_aws_client_free(w->client);
    pm_credentials_free(w->credentials);
    pm_http_free(w->http);
    stub_stop(&w->stub);
    pm_loop_free(w->loop);
    free(w);
    return 0;
}

static void on_batch(void *data, const PmSqsBatchResult *result)
{
    World *w = data;
    w->calls++;
    assert_null(result->err);
    snprintf(w->body, sizeof w->body, "%d%d%d", result->fates[0], result->fates[1], result->fates[2]);
    pm_loop_stop(w->loop);
}

static void only_the_service_s_own_failures_are_sent_again(void **state)
{
    World *w = *state;
    PmError err = {0};
    char url[128];
    snprintf(url, sizeof url, "%s/1/q", w->stub.origin);
    PmSqs *sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url}, &err);
    stub_answer(&w->stub, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":["
                          "{\"Id\":\"1\",\"SenderFault\":true,\"Code\":\"ReceiptHandleIsInvalid\"},"
                          "{\"Id\":\"2\",\"SenderFault\":false,\"Code\":\"InternalError\"}]}");
    stub_answer(&w->stub, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"Successful\":[{\"Id\":\"2\"}]}");
    PmSqsEntry entries[] = {{"h0", 0}, {"h1", 0}, {"h2", 0}};
    assert_non_null(pm_sqs_delete(sqs, entries, 3, on_batch, w, &err));
    pm_loop_run(w->loop);
    assert_string_equal(w->body, "010");
    assert_int_equal(w->stub.request_count, 2);
    assert_non_null(strstr(w->stub.requests[0], "X-Amz-Target: AmazonSQS.DeleteMessageBatch"));
    assert_null(strstr(w->stub.requests[1], "h0"));
    assert_null(strstr(w->stub.requests[1], "h1"));
    assert_non_null(strstr(w->stub.requests[1], "h2"));
    pm_sqs_free(sqs);
}

static void on_received(void *data, const PmSqsReceived *received)
{
    World *w = data;
    w->calls++;
    w->attempts = (int)received->count;
    snprintf(w->message, sizeof w->message, "%s", received->err != NULL ? received->err->message : "");
    if (received->count > 0)
        snprintf(w->body, sizeof w->body, "%s %d %d", received->messages[0].body, received->messages[0].receive_count,
                 received->messages[0].damaged);
    pm_loop_stop(w->loop);
}

static void messages_are_read_and_checked(void **state)
{
    World *w = *state;
    PmError err = {0};
    char url[128];
    snprintf(url, sizeof url, "%s/1/q", w->stub.origin);
    PmSqs *sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url}, &err);
    static const struct {
        const char *answer, *seen, *message;
        int count;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "", "", 0},
        {"HTTP/1.1 200 OK\r\nConnection: "
         "close\r\n\r\n{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":\"hello\","
         "\"MD5OfBody\":\"5d41402abc4b2a76b9719d911017c592\",\"Attributes\":{\"ApproximateReceiveCount\":\"3\"}}]}",
         "hello 3 0", "", 1},
        {"HTTP/1.1 200 OK\r\nConnection: "
         "close\r\n\r\n{\"Messages\":[{\"Body\":\"hellO\",\"MD5OfBody\":\"5d41402abc4b2a76b9719d911017c592\"}]}",
         "hellO 0 1", "", 1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "",
         "sqs ReceiveMessage: the answer is empty", 0},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[]", "", "sqs ReceiveMessage: the answer is no JSON object", 0},
        {"HTTP/1.1 400 Bad\r\nConnection: "
         "close\r\n\r\n{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"gone\"}",
         "", "sqs ReceiveMessage: 400 QueueDoesNotExist: gone", 0},
        {"HTTP/1.1 400 Bad\r\nx-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\nConnection: "
         "close\r\n\r\n",
         "", "sqs ReceiveMessage: 400 AWS.SimpleQueueService.NonExistentQueue", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stub_answer(&w->stub, cases[i].answer);
        w->body[0] = '\0';
        assert_non_null(pm_sqs_receive(sqs, 10, 0, -1, on_received, w, &err));
        pm_loop_run(w->loop);
        assert_int_equal(w->attempts, cases[i].count);
        assert_string_equal(w->body, cases[i].seen);
        assert_string_equal(w->message, cases[i].message);
    }
    pm_sqs_free(sqs);
}

static void on_sent(void *data, const PmError *err)
{
    World *w = data;
    w->calls++;
    w->status = err != NULL ? err->status : PM_OK;
    snprintf(w->message, sizeof w->message, "%s", err != NULL ? err->message : "");
    pm_loop_stop(w->loop);
}

/* What is taken for sent may be a dead letter, after which its message is deleted. */
static void only_sqs_says_that_a_message_was_sent(void **state)
{
    World *w = *state;
    PmError err = {0};
    char url[128];
    snprintf(url, sizeof url, "%s/1/q", w->stub.origin);
    PmSqs *sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url}, &err);
    static const struct {
        const char *answer;
        PmStatus status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"MessageId\":\"m\"}", PM_OK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", PM_TRANSIENT},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"MessageId\":\"m\","
         "\"MD5OfMessageBody\":\"92eb5ffee6ae2fec3ad71c777531578f\"}",
         PM_OK},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"MessageId\":\"m\","
         "\"MD5OfMessageBody\":\"5d41402abc4b2a76b9719d911017c592\"}",
         PM_TRANSIENT},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"status\":\"maintenance\"}", PM_TRANSIENT},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>soon</html>", PM_TRANSIENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stub_answer(&w->stub, cases[i].answer);
        assert_non_null(pm_sqs_send(sqs, &(PmSqsSend){.body = "b"}, on_sent, w, &err));
        pm_loop_run(w->loop);
        assert_int_equal(w->status, cases[i].status);
        if (i == 1)
            assert_string_equal(w->message,
                                "sqs SendMessage: the answer names no message, so it is not SQS that answered");
    }
    pm_sqs_free(sqs);
}

static void on_attributes(void *data, const PmSqsAttributes *attributes)
{
    World *w = data;
    w->attempts = attributes->visibility_timeout_s;
    snprintf(w->message, sizeof w->message, "%s", attributes->err != NULL ? attributes->err->message : "");
    pm_loop_stop(w->loop);
}

/* A queue without a visibility timeout would have its messages' leases extended without a pause. */
static void a_queue_s_attributes_are_its_own(void **state)
{
    World *w = *state;
    PmError err = {0};
    char url[128];
    snprintf(url, sizeof url, "%s/1/q", w->stub.origin);
    PmSqs *sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url}, &err);
    stub_answer(&w->stub, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                          "{\"Attributes\":{\"VisibilityTimeout\":\"30\"}}");
    stub_answer(&w->stub, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}");
    assert_non_null(pm_sqs_attributes(sqs, NULL, on_attributes, w, &err));
    pm_loop_run(w->loop);
    assert_string_equal(w->message, "");
    assert_int_equal(w->attempts, 30);
    assert_non_null(pm_sqs_attributes(sqs, NULL, on_attributes, w, &err));
    pm_loop_run(w->loop);
    assert_string_equal(w->message, "sqs GetQueueAttributes: the answer names no visibility timeout");
    pm_sqs_free(sqs);
}

static void a_queue_url_says_its_region(void **state)
{
    World *w = *state;
    static const char *const cases[][2] = {{"https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1"},
                                           {"https://eu-central-1.queue.amazonaws.com/1/q", "eu-central-1"},
                                           {"http://127.0.0.1:15050/1/q", "us-east-1"}};
    for (size_t i = 0; i < 3; i++) {
        PmError err = {0};
        PmSqs *sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = cases[i][0]}, &err);
        assert_string_equal(pm_sqs_region(sqs), cases[i][1]);
        pm_sqs_free(sqs);
    }
    PmError err = {0};
    assert_null(pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = "uploads"}, &err));
    assert_string_equal(err.message, "\"uploads\" is not a queue URL");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_the_service_s_own_failures_are_sent_again),
        TEST(messages_are_read_and_checked),
        TEST(only_sqs_says_that_a_message_was_sent),
        TEST(a_queue_s_attributes_are_its_own),
        TEST(a_queue_url_says_its_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
