/* SPDX-License-Identifier: Apache-2.0
 *
 * The trigger and the notifier of queues against a scripted SQS, once for each allocation of ours on the way, which
 * fails: whatever it was, the message is handed over in the end, settled, and gone from the queue, or still in it.
 */
#include "failing.h"

#include "pipelines.h"

#include "connectors/aws/aws_session.h"
#include "connectors/aws/notifier_sqs.h"
#include "connectors/aws/queue_message.h"
#include "connectors/aws/triggers.h"
#include "net/peer.h"

enum { PATIENCE_MS = 20000, RUNS_MAX = 3000 };

#define OK(length, body) \
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: " #length "\r\n\r\n" body
#define ATTRIBUTES                                                                                                    \
    OK(155, "{\"Attributes\":{\"VisibilityTimeout\":\"30\",\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"arn:" \
            "aws:sqs:us-east-1:123456789012:dead\\\",\\\"maxReceiveCount\\\":\\\"3\\\"}\"}}")
#define URL     OK(40, "{\"QueueUrl\":\"http://127.0.0.1:1/1/dead\"}")
#define SENT    OK(17, "{\"MessageId\":\"m\"}")
#define ENDED   OK(39, "{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[]}")
#define NOTHING OK(2, "{}")

typedef struct Scene {
    PmLoop *loop;
    PmPipeline *pipeline;
    PmAwsSession *session;
    Peer peer;
    PmTrigger *trigger;
    PmFateKind fate;
    char message[2000];
    bool gone; /* from the queue */
    int sent, events, settled, lost;
    PmError err;
} Scene;

static const char *play(void *data, const char *head)
{
    Scene *s = data;
    if (strstr(head, "AmazonSQS.GetQueueAttributes") != NULL) return ATTRIBUTES;
    if (strstr(head, "AmazonSQS.GetQueueUrl") != NULL) return URL;
    if (strstr(head, "AmazonSQS.SendMessage") != NULL) {
        s->sent++;
        return SENT;
    }
    if (strstr(head, "AmazonSQS.DeleteMessageBatch") != NULL) s->gone = true;
    if (strstr(head, "AmazonSQS.ReceiveMessage") == NULL) return ENDED;
    return s->gone ? NOTHING : s->message;
}

static void start(Scene *s)
{
    static const char event[] =
        "{\\\"Records\\\":[{\\\"eventVersion\\\":\\\"2.1\\\",\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":"
        "\\\"ObjectCreated:Put\\\",\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"in\\\"},\\\"object\\\":{\\\"key\\\":"
        "\\\"a.jpg\\\",\\\"size\\\":5,\\\"eTag\\\":\\\"e\\\",\\\"sequencer\\\":\\\"01\\\"}}}]}";
    char text[1500], body[1000];
    PmError err = {0};
    memset(s, 0, sizeof *s);
    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
    s->loop = pm_loop_new(&err);
    peer_start(&s->peer, s->loop);
    s->peer.other = play;
    s->peer.data = s;
    snprintf(body, sizeof body,
             "{\"Messages\":[{\"MessageId\":\"m1\",\"ReceiptHandle\":\"r1\",\"Body\":\"%s\",\"Attributes\":{"
             "\"ApproximateReceiveCount\":\"1\"}}]}",
             event);
    snprintf(s->message, sizeof s->message,
             "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    snprintf(text, sizeof text,
             "version: 1\naws: { endpoint_url: \"%s\", region: us-east-1 }\n"
             "trigger: { sqs: { queue_url: \"%s/1/q\", wait_time: 0s } }\nsource: { s3: { buckets: [in] } }\n"
             "notify: { sqs: { queue_url: \"%s/1/n\" } }\n"
             "outputs: { a: { to: { s3: { bucket: out, key: \"{name}\" } } } }\n",
             s->peer.origin, s->peer.origin, s->peer.origin);
    s->pipeline = read_pipeline("/", text);
    s->session = pm_aws_session_new(s->loop, pm_aws_config(s->pipeline), &err);
    assert_non_null(s->session);
}

static void stop(Scene *s)
{
    pm_aws_session_free(s->session);
    pm_pipeline_free(s->pipeline);
    peer_stop(&s->peer);
    pm_loop_free(s->loop);
}

static void on_late(void *data)
{
    (void)data;
    fail_msg("not within %d ms; the allocation that failed was asked for at %p", (int)PATIENCE_MS, failing_caller());
}

static void run(Scene *s)
{
    failing_pause();
    PmTimer *late = pm_loop_after(s->loop, PATIENCE_MS, on_late, NULL);
    failing_resume();
    pm_loop_run(s->loop);
    pm_loop_cancel(late);
}

static void may_be_tried_again(const PmError *err)
{
    if (err->status != PM_OK && err->status != PM_TRANSIENT)
        fail_msg("%p: status %d, \"%s\"", failing_caller(), (int)err->status, err->message);
}

/* --- the trigger --- */

static void on_settled(void *data, const PmError *err)
{
    Scene *s = data;
    s->settled++;
    if (err != NULL) may_be_tried_again(err);
    if (s->gone) pm_loop_stop(s->loop);
    s->trigger->ops->want(s->trigger, 1);
}

static void on_event(void *data, PmEvent *event)
{
    Scene *s = data;
    PmError why = {0};
    if (event->error.status != PM_OK) fail_msg("%p: the message is blamed: %s", failing_caller(), event->error.message);
    s->events++;
    assert_int_equal(event->count, 1);
    assert_string_equal(event->objects[0].key, "a.jpg");
    pm_error_set(&why, PM_BAD_INPUT, "it is not an image");
    PmFate fate = {.kind = s->fate, .reason = s->fate == PM_FATE_DEAD ? &why : NULL, .object = &event->objects[0]};
    s->trigger->ops->settle(s->trigger, event, &fate, on_settled, s);
}

static void on_drained(void *data)
{
    (void)data;
}

static void on_failed(void *data, const PmError *err)
{
    (void)data;
    fail_msg("%p: the trigger gave up: %s", failing_caller(), err->message);
}

static bool receive_once(size_t n, PmFateKind fate)
{
    static Scene s;
    start(&s);
    s.fate = fate;
    PmTriggerSink sink = {.data = &s, .event = on_event, .drained = on_drained, .failed = on_failed};
    failing_nth(n);
    s.trigger = pm_trigger_sqs_new(s.loop, s.session, s.pipeline, false, &sink, &s.err);
    if (s.trigger != NULL) {
        s.trigger->ops->want(s.trigger, 1);
        run(&s);
    }
    bool failed = failing_stop();
    may_be_tried_again(&s.err);
    if (s.trigger != NULL) {
        assert_true(s.gone);
        assert_true(s.events >= 1);
        assert_true(s.events == s.settled);
        if (fate == PM_FATE_DEAD) assert_true(s.sent >= 1);
        s.trigger->ops->free(s.trigger);
    }
    stop(&s);
    return failed;
}

/* jansson 2.14 aborts when there is no memory for the rest of a string with escapes (lex_scan_string). */
static void *always(size_t size)
{
    failing_pause();
    void *block = malloc(size);
    failing_resume();
    return block;
}

/* Each failure may cost a pause of half a second, so these take every eleventh allocation, each others. */
static void sweep(size_t first, PmFateKind fate)
{
    size_t n = first;
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    json_set_alloc_funcs(always, release);
    while (n < RUNS_MAX && receive_once(n, fate)) n += 11;
    json_set_alloc_funcs(allocate, release);
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 10, RUNS_MAX - 1);
}

static void receiving(void **state)
{
    (void)state;
    sweep(1, PM_FATE_ACK);
}

static void dead_letters(void **state)
{
    (void)state;
    sweep(4, PM_FATE_DEAD);
}

/* --- a message --- */

/* A record of a message that memory was short for is neither left out nor blamed. */
static void reading_a_message(void **state)
{
    (void)state;
    static const char body[] =
        "{\"Type\":\"Notification\",\"Message\":\"{\\\"Records\\\":[{\\\"eventVersion\\\":\\\"2.1\\\","
        "\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"ObjectCreated:Put\\\",\\\"s3\\\":{"
        "\\\"bucket\\\":{\\\"name\\\":\\\"in\\\"},\\\"object\\\":{\\\"key\\\":\\\"a.jpg\\\","
        "\\\"size\\\":5,\\\"eTag\\\":\\\"e\\\",\\\"sequencer\\\":\\\"01\\\"}}}]}\"}";
    static Scene s;
    size_t n = 0;
    bool failed = true;
    json_malloc_t allocate;
    json_free_t release;
    start(&s);
    PmQueueMessageRules rules = pm_queue_message_rules(s.pipeline, false);
    json_get_alloc_funcs(&allocate, &release);
    json_set_alloc_funcs(always, release);
    while (failed && ++n < RUNS_MAX) {
        PmEvent event = {0};
        failing_nth(n);
        bool read = pm_queue_message_read(&rules, body, strlen(body), &event);
        failed = failing_stop();
        assert_int_equal(event.error.status, PM_OK);
        assert_int_equal(event.count, read ? 1 : 0);
        if (read) assert_string_equal(event.objects[0].key, "a.jpg");
        if (read) assert_string_equal(event.objects[0].sequencer, "01");
        if (read) assert_string_equal(event.objects[0].etag, "e");
        for (size_t i = 0; i < event.count; i++) pm_object_finish(&event.objects[i]);
        free(event.objects);
    }
    json_set_alloc_funcs(allocate, release);
    stop(&s);
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 5, RUNS_MAX - 1);
}

/* --- the notifier --- */

static void on_notified(void *data, const PmError *err)
{
    Scene *s = data;
    s->settled++;
    if (err != NULL) s->err = *err;
    pm_loop_stop(s->loop);
}

static bool notify_once(size_t n)
{
    static Scene s;
    start(&s);
    PmObject object = {.bucket = (char *)"in", .key = (char *)"k"};
    failing_nth(n);
    PmNotifier *notifier = pm_notifier_sqs_new(s.session, &s.pipeline->notify, &s.err);
    PmNotifierCall *call = notifier != NULL
                               ? notifier->ops->send(notifier, &object, "{\"status\":\"ok\"}", on_notified, &s, &s.err)
                               : NULL;
    if (call != NULL) run(&s);
    bool failed = failing_stop();
    may_be_tried_again(&s.err);
    assert_int_equal(s.settled, call != NULL);
    if (s.err.status == PM_OK) assert_true(s.sent >= 1);
    if (notifier != NULL) notifier->ops->free(notifier);
    stop(&s);
    return failed;
}

static void notifying(void **state)
{
    (void)state;
    size_t n = 1;
    while (n < RUNS_MAX && notify_once(n)) n++;
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 10, RUNS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifying),
        cmocka_unit_test(reading_a_message),
        cmocka_unit_test(receiving),
        cmocka_unit_test(dead_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
