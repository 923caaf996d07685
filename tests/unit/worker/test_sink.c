/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink's messages, with this test as the broker: it answers before it is asked, as the socket keeps messages.
 */
#include "worker/sink.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2]; /* [0]: broker's end */
static PmWorkerSink sink;
static PmSink engine_sink;

static int setup(void **state)
{
    (void)state;
    if (pm_ipc_pair(pair, NULL) != PM_OK) return -1;
    pm_worker_sink_init(&sink, pair[1]);
    engine_sink = pm_worker_sink_for_engine(&sink);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pm_worker_sink_end_job(&sink);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static PmMessage next(PmMessageType type)
{
    PmMessage message;
    bool got = false;
    assert_int_equal(pm_ipc_receive(pair[0], MSG_DONTWAIT, &message, &got, NULL), PM_OK);
    assert_true(got);
    assert_int_equal(message.type, type);
    return message;
}

static const char *text_of(const PmMessage *message, const char *key)
{
    return json_string_value(json_object_get(message->body, key));
}

static void sends_renditions_in_sealed_memory(void **state)
{
    (void)state;
    PmError err = {0};
    PmFacts *facts = pm_facts_new();
    pm_facts_set(facts, "stem", "cat");
    PmRendition r = {.output = "thumb",
                     .format = "webp",
                     .mime = "image/webp",
                     .extension = "webp",
                     .width = 30,
                     .height = 20,
                     .pages = 1,
                     .bytes = "RIFF",
                     .size = 4,
                     .facts = facts};
    PmMapping map;
    assert_int_equal(engine_sink.begins(engine_sink.data, &(PmRendition){.output = "thumb", .width = 30}, &err), PM_OK);
    PmMessage message = next(PM_MSG_BEGINS);
    assert_int_equal(message.fd_count, 0);
    assert_string_equal(text_of(&message, "output"), "thumb");
    assert_null(json_object_get(message.body, "size"));
    pm_message_finish(&message);

    assert_int_equal(engine_sink.rendition(engine_sink.data, &r, &err), PM_OK);
    message = next(PM_MSG_OUTPUT);
    assert_int_equal(message.fd_count, 1);
    assert_int_equal(pm_memfd_map(message.fds[0], 4, &map, &err), PM_OK);
    assert_memory_equal(map.bytes, "RIFF", 4);
    pm_memfd_unmap(&map);
    assert_string_equal(text_of(&message, "output"), "thumb");
    assert_string_equal(text_of(&message, "mime"), "image/webp");
    assert_int_equal(json_integer_value(json_object_get(message.body, "size")), 4);
    assert_true(json_is_false(json_object_get(message.body, "source")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(message.body, "facts"), "stem")), "cat");
    pm_message_finish(&message);

    r.bytes = NULL; /* the source itself is the result */
    assert_int_equal(engine_sink.rendition(engine_sink.data, &r, &err), PM_OK);
    message = next(PM_MSG_OUTPUT);
    assert_int_equal(message.fd_count, 0);
    assert_true(json_is_true(json_object_get(message.body, "source")));
    pm_message_finish(&message);

    assert_int_equal(engine_sink.skipped(engine_sink.data, "large", "width is 40, not >=64", &err), PM_OK);
    message = next(PM_MSG_SKIPPED);
    assert_string_equal(text_of(&message, "reason"), "width is 40, not >=64");
    pm_message_finish(&message);
    pm_facts_free(facts);
}

static void log_lines_have_an_end(void **state)
{
    (void)state;
    for (int i = 0; i < PM_SINK_LOG_LINES_MAX; i++) {
        engine_sink.log(engine_sink.data, PM_LOG_INFO, "loud", "caf\xe9"); /* not UTF-8 */
        PmMessage message = next(PM_MSG_LOG);
        assert_string_equal(text_of(&message, "plugin"), "loud");
        assert_string_equal(text_of(&message, "text"),
                            i < PM_SINK_LOG_LINES_MAX - 1 ? "caf?" : "further log lines of this job are dropped");
        pm_message_finish(&message);
    }
    PmMessage message;
    bool got = true;
    engine_sink.log(engine_sink.data, PM_LOG_INFO, "loud", "one too many");
    assert_int_equal(pm_ipc_receive(pair[0], MSG_DONTWAIT, &message, &got, NULL), PM_OK);
    assert_false(got);
    pm_worker_sink_end_job(&sink); /* the next job may speak again */
    engine_sink.log(engine_sink.data, PM_LOG_INFO, NULL, "again");
    message = next(PM_MSG_LOG);
    assert_null(json_object_get(message.body, "plugin"));
    pm_message_finish(&message);
}

static void answer(PmMessageType type, json_t *body, const char *bytes)
{
    int fd = bytes != NULL ? pm_memfd_new("answer", bytes, strlen(bytes), NULL) : -1;
    assert_int_equal(pm_ipc_send(pair[0], type, body, &fd, fd >= 0 ? 1 : 0, NULL), PM_OK);
    if (fd >= 0) close(fd);
    json_decref(body);
}

static void fetches_through_the_broker(void **state)
{
    (void)state;
    PmError err = {0};
    PmResponse response = {0};
    PmRequest request = {
        .size = sizeof request, .content_type = "image/png", .body = "PNG", .body_size = 3, .timeout_ms = 1500};
    answer(PM_MSG_FETCHED, json_pack("{si ss}", "status", 200, "content_type", "application/json"), "{\"score\":0.5}");
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/score", &request, &response, &err), PM_OK);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.content_type, "application/json");
    assert_int_equal(response.body_size, 13);
    assert_string_equal(response.body, "{\"score\":0.5}"); /* ends with NUL */
    PmMessage message = next(PM_MSG_FETCH);
    assert_string_equal(text_of(&message, "url"), "https://h/score");
    assert_string_equal(text_of(&message, "method"), "POST");
    assert_string_equal(text_of(&message, "content_type"), "image/png");
    assert_int_equal(json_integer_value(json_object_get(message.body, "timeout_ms")), 1500);
    PmMapping map;
    assert_int_equal(pm_memfd_map(message.fds[0], 3, &map, &err), PM_OK);
    assert_memory_equal(map.bytes, "PNG", 3);
    pm_memfd_unmap(&map);
    pm_message_finish(&message);

    request = (PmRequest){.size = sizeof request};
    answer(PM_MSG_FETCHED, json_pack("{si}", "status", 204), NULL);
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_OK);
    assert_int_equal(response.status, 204);
    assert_null(response.content_type);
    assert_string_equal(response.body, "");
    message = next(PM_MSG_FETCH);
    assert_string_equal(text_of(&message, "method"), "GET");
    assert_int_equal(message.fd_count, 0);
    pm_message_finish(&message);
}

static void fetch_fails_as_the_broker_says(void **state)
{
    (void)state;
    PmError err = {0}, told = {0};
    PmResponse response = {0};
    PmRequest request = {.size = sizeof request};
    pm_error_set(&told, PM_TRANSIENT, "h: connection refused");
    answer(PM_MSG_FETCHED, json_pack("{so}", "error", pm_error_to_json(&told)), NULL);
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_TRANSIENT);
    assert_string_equal(err.message, "h: connection refused");
    pm_error_clear(&err);

    answer(PM_MSG_JOB, json_object(), NULL);
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_BUG);
    assert_string_equal(err.message, "JOB came where FETCHED was due");
    pm_error_clear(&err);

    request.body = "x";
    request.body_size = (size_t)PM_SINK_BODY_MAX + 1;
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_LIMIT);
    pm_error_clear(&err);

    request.body_size = 0;
    close(pair[0]);
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_TRANSIENT);
    pair[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void requests_have_an_end(void **state)
{
    (void)state;
    PmError err = {0};
    PmResponse response = {0};
    PmRequest request = {.size = sizeof request};
    for (int i = 0; i < PM_SINK_BODIES_MAX; i++) {
        answer(PM_MSG_FETCHED, json_pack("{si}", "status", 200), NULL);
        assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_OK);
        PmMessage message = next(PM_MSG_FETCH);
        pm_message_finish(&message);
    }
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/", &request, &response, &err), PM_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_renditions_in_sealed_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(log_lines_have_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(fetches_through_the_broker, setup, teardown),
        cmocka_unit_test_setup_teardown(fetch_fails_as_the_broker_says, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_have_an_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
