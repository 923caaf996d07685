/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "base/clock.h"
#include "connectors/aws/lease.h"
#include "net/stub.h"

#define ANSWER(body) "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\r\n" body

typedef struct World {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    PmSqs *sqs;
    PmLeases *leases;
    Stub stub;
    size_t ended, failed, expected;
} World;

static World *make(int visibility_s)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    char url[200];
    w->loop = pm_loop_new(&err);
    stub_start(&w->stub, w->loop);
    snprintf(url, sizeof url, "%s/1/q", w->stub.origin);
    w->http = pm_http_new(w->loop, NULL, &err);
    w->credentials = pm_credentials_fixed("AKID", "SECRET", NULL);
    w->client = pm_aws_client_new(w->loop, w->http, w->credentials);
    w->sqs = pm_sqs_new(w->loop, w->client, &(PmSqsOptions){.queue_url = url, .endpoint_url = w->stub.origin}, &err);
    w->leases = pm_leases_new(w->loop, w->sqs, visibility_s);
    assert_non_null(w->leases);
    return w;
}

static void unmake(World *w)
{
    pm_leases_free(w->leases);
    pm_sqs_free(w->sqs);
    pm_aws_client_free(w->client);
    pm_credentials_free(w->credentials);
    pm_http_free(w->http);
    stub_stop(&w->stub);
    pm_loop_free(w->loop);
    free(w);
}

static void on_ended(void *data, const PmError *err)
{
    World *w = data;
    w->ended++;
    w->failed += err != NULL;
    if (w->ended == w->expected) pm_loop_stop(w->loop);
}

static void on_time(void *data)
{
    World *w = data;
    pm_loop_stop(w->loop);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) n++;
    return n;
}

static void ends_go_out_in_batches(void **state)
{
    (void)state;
    World *w = make(30);
    char handle[16];
    w->expected = 12;
    stub_answer(&w->stub, ANSWER("{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"1\"},{\"Id\":\"2\"},{\"Id\":\"3\"},{\"Id\":"
                                 "\"4\"},{\"Id\":\"5\"},"
                                 "{\"Id\":\"6\"},{\"Id\":\"7\"},{\"Id\":\"8\"},{\"Id\":\"9\"}],\"Failed\":[]}"));
    stub_answer(&w->stub, ANSWER("{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"1\"}],\"Failed\":[]}"));
    for (int i = 0; i < 12; i++) {
        snprintf(handle, sizeof handle, "handle-%d", i);
        pm_lease_delete(pm_lease_new(w->leases, handle, pm_clock_mono_ms()), on_ended, w);
    }
    pm_loop_run(w->loop);
    assert_int_equal(w->ended, 12);
    assert_int_equal(w->failed, 0);
    assert_int_equal(w->stub.request_count, 2);
    assert_non_null(strstr(w->stub.requests[0], "AmazonSQS.DeleteMessageBatch"));
    assert_int_equal(count(w->stub.requests[0], "ReceiptHandle") + count(w->stub.requests[1], "ReceiptHandle"), 12);
    unmake(w);
}

static void releasing_sets_visibility(void **state)
{
    (void)state;
    World *w = make(30);
    w->expected = 1;
    stub_answer(&w->stub, ANSWER("{\"Successful\":[{\"Id\":\"0\"}]}"));
    pm_lease_release(pm_lease_new(w->leases, "h", pm_clock_mono_ms()), 77, on_ended, w);
    pm_loop_run(w->loop);
    assert_non_null(strstr(w->stub.requests[0], "AmazonSQS.ChangeMessageVisibilityBatch"));
    assert_non_null(strstr(w->stub.requests[0], "77"));
    unmake(w);
}

static void a_held_message_is_extended_before_half_its_time(void **state)
{
    (void)state;
    World *w = make(1);
    int64_t began = pm_clock_mono_ms();
    PmMessageLease *lease = pm_lease_new(w->leases, "h", began);
    for (int i = 0; i < 4; i++) stub_answer(&w->stub, ANSWER("{\"Successful\":[{\"Id\":\"0\"}]}"));
    pm_loop_after(w->loop, 1100, on_time, w);
    pm_loop_run(w->loop);
    assert_in_range(w->stub.request_count, 2, 4);
    assert_non_null(strstr(w->stub.requests[0], "AmazonSQS.ChangeMessageVisibilityBatch"));
    assert_false(pm_lease_lost(lease));
    unmake(w);
}

static void a_lost_lease_is_noticed_and_ends_well(void **state)
{
    (void)state;
    World *w = make(1);
    w->expected = 1;
    PmMessageLease *lease = pm_lease_new(w->leases, "h", pm_clock_mono_ms());
    stub_answer(&w->stub, ANSWER("{\"Failed\":[{\"Id\":\"0\",\"SenderFault\":true,\"Code\":\"MessageNotInflight\"}]}"));
    stub_answer(&w->stub,
                ANSWER("{\"Failed\":[{\"Id\":\"0\",\"SenderFault\":true,\"Code\":\"ReceiptHandleIsInvalid\"}]}"));
    pm_loop_after(w->loop, 500, on_time, w);
    pm_loop_run(w->loop);
    assert_true(pm_lease_lost(lease));
    assert_int_equal(w->stub.request_count, 1); /* nor is it extended any more */
    pm_lease_delete(lease, on_ended, w);
    pm_loop_run(w->loop);
    assert_int_equal(w->ended, 1);
    assert_int_equal(w->failed, 0);
    unmake(w);
}

static void what_the_queue_refuses_is_told(void **state)
{
    (void)state;
    World *w = make(30);
    w->expected = 1;
    stub_answer(&w->stub, ANSWER("{\"Failed\":[{\"Id\":\"0\",\"SenderFault\":true,\"Code\":\"Other\"}]}"));
    pm_lease_delete(pm_lease_new(w->leases, "h", pm_clock_mono_ms()), on_ended, w);
    pm_loop_run(w->loop);
    assert_int_equal(w->failed, 1);
    unmake(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_go_out_in_batches),
        cmocka_unit_test(releasing_sets_visibility),
        cmocka_unit_test(a_held_message_is_extended_before_half_its_time),
        cmocka_unit_test(a_lost_lease_is_noticed_and_ends_well),
        cmocka_unit_test(what_the_queue_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
