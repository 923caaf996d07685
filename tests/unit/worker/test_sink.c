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
    pm_worker_sink_begin_job(&sink);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pm_worker_sink_end_job(&sink);
    pm_channel_finish(&sink.channel);
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

/* A room, sent to the child; the broker's own descriptor of it. */
static int give_room(const char *purpose)
{
    int room = pm_memfd_open("room", NULL);
    json_t *body = json_pack("{ss}", "for", purpose);
    assert_int_equal(pm_ipc_send(pair[0], PM_MSG_ROOM, body, &room, 1, NULL), PM_OK);
    json_decref(body);
    return room;
}

static void assert_room_holds(int room, const char *text)
{
    PmMapping map;
    PmError err = {0};
    if (pm_memfd_take(room, strlen(text), &map, &err) != PM_OK) fail_msg("%s", err.message);
    assert_memory_equal(map.bytes, text, strlen(text));
    pm_memfd_unmap(&map);
    close(room);
}

static void writes_renditions_into_rooms_of_the_broker(void **state)
{
    (void)state;
    PmError err = {0};
    PmFacts *facts = pm_facts_new();
    pm_facts_set(facts, "stem", "cat");
    pm_facts_set(facts, "nsfw.score", "0.2");
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
    assert_int_equal(engine_sink.begins(engine_sink.data, &(PmRendition){.output = "thumb", .width = 30}, &err), PM_OK);
    PmMessage message = next(PM_MSG_BEGINS);
    assert_int_equal(message.fd_count, 0);
    assert_string_equal(text_of(&message, "output"), "thumb");
    assert_null(json_object_get(message.body, "size"));
    pm_message_finish(&message);

    int room = give_room("output"), written = -1;
    assert_int_equal(pwrite(room, "of a job that failed", 20, 0), 20);
    assert_int_equal(engine_sink.file(engine_sink.data, &written, &err), PM_OK);
    assert_int_equal(pwrite(written, "RIFF", 4, 0), 4);
    assert_int_equal(engine_sink.rendition(engine_sink.data, &r, &err), PM_OK);
    message = next(PM_MSG_OUTPUT);
    assert_int_equal(message.fd_count, 0);
    assert_room_holds(room, "RIFF");
    assert_string_equal(text_of(&message, "output"), "thumb");
    assert_string_equal(text_of(&message, "format"), "webp");
    assert_null(json_object_get(message.body, "mime")); /* the broker's to say */
    assert_int_equal(json_integer_value(json_object_get(message.body, "size")), 4);
    assert_true(json_is_false(json_object_get(message.body, "source")));
    const json_t *told = json_object_get(message.body, "facts");
    assert_int_equal(json_object_size(told), 1); /* the broker knows the others */
    assert_string_equal(json_string_value(json_object_get(told, "nsfw.score")), "0.2");
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
        engine_sink.log(engine_sink.data, PM_LOG_INFO, "loud", "steps[0]", "caf\xe9"); /* not UTF-8 */
        PmMessage message = next(PM_MSG_LOG);
        assert_string_equal(text_of(&message, "plugin"), "loud");
        assert_string_equal(text_of(&message, "step"), "steps[0]");
        assert_string_equal(text_of(&message, "text"),
                            i < PM_SINK_LOG_LINES_MAX - 1 ? "caf?" : "further log lines of this job are dropped");
        pm_message_finish(&message);
    }
    PmMessage message;
    bool got = true;
    engine_sink.log(engine_sink.data, PM_LOG_INFO, "loud", "steps[0]", "one too many");
    assert_int_equal(pm_ipc_receive(pair[0], MSG_DONTWAIT, &message, &got, NULL), PM_OK);
    assert_false(got);
    pm_worker_sink_hush(&sink); /* between jobs nobody speaks */
    engine_sink.log(engine_sink.data, PM_LOG_INFO, "loud", "steps[0]", "out of turn");
    assert_int_equal(pm_ipc_receive(pair[0], MSG_DONTWAIT, &message, &got, NULL), PM_OK);
    assert_false(got);
    pm_worker_sink_begin_job(&sink); /* the next job may speak again */
    engine_sink.log(engine_sink.data, PM_LOG_INFO, NULL, NULL, "again");
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
    int room = give_room("body"), other = give_room("output"); /* of an output that has begun: it may come between */
    answer(PM_MSG_FETCHED, json_pack("{si ss}", "status", 200, "content_type", "application/json"), "{\"score\":0.5}");
    assert_int_equal(engine_sink.fetch(engine_sink.data, "https://h/score", &request, &response, &err), PM_OK);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.content_type, "application/json");
    assert_int_equal(response.body_size, 13);
    assert_string_equal(response.body, "{\"score\":0.5}"); /* ends with NUL */
    PmMessage message = next(PM_MSG_ROOM);
    pm_message_finish(&message);
    message = next(PM_MSG_FETCH);
    assert_string_equal(text_of(&message, "url"), "https://h/score");
    assert_string_equal(text_of(&message, "method"), "POST");
    assert_string_equal(text_of(&message, "content_type"), "image/png");
    assert_int_equal(json_integer_value(json_object_get(message.body, "timeout_ms")), 1500);
    assert_int_equal(json_integer_value(json_object_get(message.body, "size")), 3);
    assert_int_equal(message.fd_count, 0);
    assert_room_holds(room, "PNG");
    close(other);
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

/* What does not fit into a packet goes into a room as well: no descriptor of the child's, ever. */
static void large_messages_go_through_a_room(void **state)
{
    (void)state;
    PmError err = {0};
    char text[1000];
    json_t *list = json_array();
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100; i++) json_array_append_new(list, json_stringn(text, sizeof text));
    json_t *body = json_pack("{so}", "plan", list);
    int room = give_room("body");
    assert_int_equal(pm_channel_send(&sink.channel, PM_MSG_PLANNED, body, &err), PM_OK);
    PmMessage message = next(PM_MSG_ROOM);
    pm_message_finish(&message);
    message = next(PM_MSG_PLANNED);
    assert_int_equal(message.fd_count, 0);
    char *expected = json_dumps(body, JSON_COMPACT);
    assert_int_equal(json_integer_value(json_object_get(message.body, "in_room")), strlen(expected));
    assert_room_holds(room, expected);
    pm_message_finish(&message);
    free(expected);
    json_decref(body);
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
        cmocka_unit_test_setup_teardown(writes_renditions_into_rooms_of_the_broker, setup, teardown),
        cmocka_unit_test_setup_teardown(log_lines_have_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(fetches_through_the_broker, setup, teardown),
        cmocka_unit_test_setup_teardown(fetch_fails_as_the_broker_says, setup, teardown),
        cmocka_unit_test_setup_teardown(large_messages_go_through_a_room, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_have_an_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
