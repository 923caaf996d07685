/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curlver.h>

#include "base/clock.h"
#include "net/http.h"
#include "peer.h"

enum { CALLS_MAX = 80, PATIENCE_MS = 20000 };

typedef struct Fixture Fixture;

typedef struct Call {
    Fixture *fixture;
    PmHttpCall *call;
    bool done, timed_out;
    int status;
    PmStatus outcome;
    char error[200];
    size_t body_size;
    int64_t took_ms;
} Call;

struct Fixture {
    PmLoop *loop;
    PmHttp *http;
    Peer peer;
    Call calls[CALLS_MAX];
    size_t count;
    int awaited; /* the loop ends when so many more are done */
    int64_t began_ms;
};

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    PmError err = {0};
    f->loop = pm_loop_new(&err);
    f->http = pm_http_new(f->loop, NULL, &err);
    peer_start(&f->peer, f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    pm_http_free(f->http);
    peer_stop(&f->peer);
    pm_loop_free(f->loop);
    free(f);
    return 0;
}

static void on_done(void *data, const PmHttpResponse *response)
{
    Call *call = data;
    Fixture *f = call->fixture;
    call->call = NULL;
    assert_false(call->done);
    call->done = true;
    call->status = response->status;
    call->outcome = response->outcome;
    call->timed_out = response->timed_out;
    call->body_size = response->body_size;
    call->took_ms = pm_clock_mono_ms() - f->began_ms;
    snprintf(call->error, sizeof call->error, "%s", response->error);
    if (--f->awaited == 0) pm_loop_stop(f->loop);
}

static Call *begin(Fixture *f, const char *path, PmHttpRequest request)
{
    char url[200];
    PmError err = {0};
    Call *call = &f->calls[f->count++];
    *call = (Call){.fixture = f};
    snprintf(url, sizeof url, "%s%s", f->peer.origin, path);
    request.url = url;
    if (request.method == NULL) request.method = "GET";
    if (request.response_max == 0) request.response_max = 1 << 20;
    f->began_ms = pm_clock_mono_ms();
    call->call = pm_http_send(f->http, &request, on_done, call, &err);
    assert_non_null(call->call);
    return call;
}

static void on_patience(void *data)
{
    (void)data;
    fail_msg("not done in time");
}

static void finish(Fixture *f, int count)
{
    PmTimer *patience = pm_loop_after(f->loop, PATIENCE_MS, on_patience, f);
    f->awaited = count;
    pm_loop_run(f->loop);
    pm_loop_cancel(patience);
}

static Call *run(Fixture *f, const char *path, PmHttpRequest request)
{
    Call *call = begin(f, path, request);
    finish(f, 1);
    return call;
}

static void on_pause(void *data)
{
    pm_loop_stop(((Fixture *)data)->loop);
}

static void pause_ms(Fixture *f, int64_t ms)
{
    pm_loop_after(f->loop, ms, on_pause, f);
    pm_loop_run(f->loop);
}

static void assert_ended(const Call *call, const char *why)
{
    assert_true(call->done);
    assert_int_equal(call->outcome, PM_TRANSIENT);
    assert_int_equal(call->status, 0);
    assert_true(call->timed_out);
    assert_string_equal(call->error, why);
    assert_true(call->took_ms < 8000);
}

/* --- limits --- */

static void a_peer_that_never_answers_is_left(void **state)
{
    Fixture *f = *state;
    assert_ended(run(f, "/mute", (PmHttpRequest){.first_byte_timeout_ms = 900}), "no answer within 1 s");
}

static void a_long_poll_is_not_mistaken_for_silence(void **state)
{
    Fixture *f = *state;
    Call *call = run(f, "/late/1200", (PmHttpRequest){.first_byte_timeout_ms = 10000, .stall_timeout_ms = 300});
    assert_int_equal(call->status, 200);
    assert_true(call->took_ms >= 1200);
}

static void silence_inside_a_body_is_left(void **state)
{
    Fixture *f = *state;
    assert_ended(run(f, "/half", (PmHttpRequest){.stall_timeout_ms = 900, .timeout_ms = 60000, .any_speed = true}),
                 "no byte moved for 1 s");
}

static void an_answer_that_drips_is_left(void **state)
{
    Fixture *f = *state;
    assert_ended(run(f, "/drip/5/100000", (PmHttpRequest){.stall_timeout_ms = 900, .timeout_ms = 60000}),
                 "slower than 1024 bytes/s for 1 s");
}

/* As S3 sends white space while it puts the parts of an upload together. */
static void keep_alive_bytes_are_waited_for_where_they_are_expected(void **state)
{
    Fixture *f = *state;
    Call *call = run(f, "/drip/20/60", (PmHttpRequest){.stall_timeout_ms = 500, .any_speed = true});
    assert_int_equal(call->status, 200);
    assert_int_equal(call->body_size, 60);
    assert_ended(run(f, "/drip/20/60", (PmHttpRequest){.stall_timeout_ms = 500}), "slower than 1024 bytes/s for 1 s");
}

static void a_body_that_is_not_taken_is_left(void **state)
{
    Fixture *f = *state;
    size_t size = 16 << 20; /* more than sockets buffer */
    char *body = calloc(1, size);
    PmHttpRequest request = {
        .method = "PUT", .body = body, .body_size = size, .stall_timeout_ms = 900, .timeout_ms = 60000};
    assert_ended(run(f, "/sink", request), "no byte moved for 1 s");
    free(body);
}

/* The kernel has taken the whole body long before the peer has: not the time for an answer yet. */
static void a_slow_reader_is_not_mistaken_for_a_mute_one(void **state)
{
    Fixture *f = *state;
    size_t size = 1 << 20;
    char *body = calloc(1, size);
    PmHttpRequest request = {
        .method = "PUT", .body = body, .body_size = size, .first_byte_timeout_ms = 600, .stall_timeout_ms = 600};
    Call *call = run(f, "/sip/60", request);
    assert_int_equal(call->status, 200);
    assert_true(call->took_ms >= 1200);
    free(body);
}

static void the_whole_time_grows_with_the_bytes(void **state)
{
    Fixture *f = *state;
    PmHttpRequest request = {.timeout_ms = 300, .bytes_per_s = 100, .any_speed = true};
    assert_int_equal(run(f, "/drip/10/100", request)->status, 200); /* a second, and 1.3 are allowed */
    request.bytes_per_s = 1000000;
    assert_ended(run(f, "/drip/10/100", request), "not done within 1 s");
    request.bytes_per_s = 0; /* libcurl's own */
    Call *call = run(f, "/drip/10/100", request);
    assert_int_equal(call->outcome, PM_TRANSIENT);
    assert_true(call->timed_out);
}

static void no_limit_is_no_limit(void **state)
{
    Fixture *f = *state;
    PmHttpRequest request = {.first_byte_timeout_ms = -1, .stall_timeout_ms = -1};
    Call *call = begin(f, "/mute", request);
    assert_int_equal(run(f, "/late/300", request)->status, 200);
    assert_false(call->done);
}

static void on_stopped(void *data)
{
    (void)data;
    usleep(1800 * 1000); /* as under SIGSTOP, in a frozen container, or without processor time */
}

static void time_in_which_this_process_did_not_run_is_not_charged(void **state)
{
    Fixture *f = *state;
    pm_loop_after(f->loop, 100, on_stopped, f);
    Call *call = run(f, "/late/300", (PmHttpRequest){.first_byte_timeout_ms = 1200});
    assert_int_equal(call->status, 200);
    assert_true(call->took_ms >= 1800);
}

/* --- names --- */

enum { SLOW_NAME_MS = 4000 };

/* In place of libc's: a name server that is away. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **found)
{
    typedef int Function(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (node != NULL && strcmp(node, "slow.test") == 0) {
        usleep(SLOW_NAME_MS * 1000);
        return EAI_AGAIN;
    }
    Function *libc = (Function *)dlsym(RTLD_NEXT, "getaddrinfo");
    return libc(node, service, hints, found);
}

typedef struct Pulse {
    PmLoop *loop;
    PmTimer *timer;
    int64_t last_ms, longest_ms;
} Pulse;

static void on_pulse(void *data)
{
    Pulse *pulse = data;
    int64_t now = pm_clock_mono_ms();
    if (now - pulse->last_ms > pulse->longest_ms) pulse->longest_ms = now - pulse->last_ms;
    pulse->last_ms = now;
    pulse->timer = pm_loop_after(pulse->loop, 20, on_pulse, pulse);
}

/* libcurl waits for its resolver's thread, unless it is told not to. */
static void a_name_server_that_is_away_does_not_stop_the_loop(void **state)
{
    Fixture *f = *state;
    PmError err = {0};
    Pulse pulse = {.loop = f->loop, .last_ms = pm_clock_mono_ms()};
    on_pulse(&pulse);
    Call *call = &f->calls[f->count++];
    *call = (Call){.fixture = f};
    PmHttpRequest request = {
        .method = "GET", .url = "http://slow.test/", .response_max = 100, .connect_timeout_ms = 300};
    assert_non_null(pm_http_send(f->http, &request, on_done, call, &err));
    f->began_ms = pm_clock_mono_ms();
    finish(f, 1);
    assert_int_equal(call->outcome, PM_TRANSIENT);
    assert_true(call->took_ms < SLOW_NAME_MS / 2);
    pm_http_cancel(pm_http_send(f->http, &request, on_done, call, &err));
    PmHttpCall *cancelled = pm_http_send(f->http, &request, on_done, call, &err);
    pause_ms(f, 100);
    pm_http_cancel(cancelled);
    pause_ms(f, 100);
    pm_loop_cancel(pulse.timer);
    assert_true(pulse.longest_ms < SLOW_NAME_MS / 2);
}

/* --- connections --- */

static void a_fresh_connection_is_one(void **state)
{
    Fixture *f = *state;
    run(f, "/ok", (PmHttpRequest){0});
    run(f, "/ok", (PmHttpRequest){0});
    assert_int_equal(f->peer.accepted, 1);
    assert_int_equal(run(f, "/ok", (PmHttpRequest){.fresh_connection = true})->status, 200);
    assert_int_equal(f->peer.accepted, 2);
}

static void a_silent_connection_makes_its_elders_suspect(void **state)
{
#if LIBCURL_VERSION_NUM < 0x075000
    (void)state;
    skip();
#endif
    Fixture *f = *state;
    run(f, "/ok", (PmHttpRequest){0});
    pause_ms(f, 2100);
    run(f, "/mute", (PmHttpRequest){.fresh_connection = true, .first_byte_timeout_ms = 200});
    assert_int_equal(f->peer.accepted, 2);
    assert_int_equal(run(f, "/ok", (PmHttpRequest){0})->status, 200);
    assert_int_equal(f->peer.accepted, 3);
    assert_int_equal(run(f, "/ok", (PmHttpRequest){0})->status, 200); /* this one is young */
    assert_int_equal(f->peer.accepted, 3);
}

/* --- lanes --- */

static void many_slow_writes_leave_room_for_everything_else(void **state)
{
    Fixture *f = *state;
    const PmHttpRequest write = {
        .method = "PUT", .lane = PM_HTTP_WRITES, .body = "12345", .body_size = 5, .first_byte_timeout_ms = -1};
    for (int i = 0; i < 64; i++) begin(f, "/mute", write);
    for (int lane = 0; lane < PM_HTTP_LANES; lane++) {
        if (lane == PM_HTTP_WRITES) continue;
        Call *call = run(f, "/ok", (PmHttpRequest){.lane = (PmHttpLane)lane});
        assert_int_equal(call->status, 200);
        assert_true(call->took_ms < 2000);
    }
    assert_int_equal(f->peer.requests, 32 + 3);
    /* Those that wait get their turn, in order, when others end. */
    for (int i = 0; i < 32; i++) pm_http_cancel(f->calls[i].call);
    for (int i = 40; i < 64; i++) pm_http_cancel(f->calls[i].call);
    pause_ms(f, 200);
    assert_int_equal(f->peer.requests, 32 + 3 + 8);
}

static void no_limit_runs_while_a_call_waits_for_its_turn(void **state)
{
    Fixture *f = *state;
    PmError err = {0};
    pm_http_free(f->http);
    f->http = pm_http_new(f->loop, &(PmHttpOptions){.lane_max[PM_HTTP_READS] = 1}, &err);
    begin(f, "/late/900", (PmHttpRequest){0});
    Call *second = begin(f, "/ok", (PmHttpRequest){.timeout_ms = 500, .first_byte_timeout_ms = 300});
    finish(f, 2);
    assert_int_equal(second->status, 200);
    assert_true(second->took_ms >= 900);
    assert_int_equal(f->peer.open_max, 1);
}

/* --- errors --- */

static void of_an_error_s_body_only_the_beginning_is_read(void **state)
{
    Fixture *f = *state;
    Call *call = run(f, "/error/64", (PmHttpRequest){.response_max = 1000, .error_max = 4096});
    assert_int_equal(call->outcome, PM_OK);
    assert_int_equal(call->status, 503);
    assert_int_equal(call->body_size, 4096);
    assert_int_equal(run(f, "/ok", (PmHttpRequest){.response_max = 1})->outcome, PM_LIMIT);
    /* Who asks for the bytes themselves is told that there are too many. */
    assert_int_equal(run(f, "/error/64", (PmHttpRequest){.response_max = 1000})->outcome, PM_LIMIT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_never_answers_is_left),
        TEST(a_long_poll_is_not_mistaken_for_silence),
        TEST(silence_inside_a_body_is_left),
        TEST(an_answer_that_drips_is_left),
        TEST(keep_alive_bytes_are_waited_for_where_they_are_expected),
        TEST(a_body_that_is_not_taken_is_left),
        TEST(a_slow_reader_is_not_mistaken_for_a_mute_one),
        TEST(the_whole_time_grows_with_the_bytes),
        TEST(no_limit_is_no_limit),
        TEST(time_in_which_this_process_did_not_run_is_not_charged),
        TEST(a_name_server_that_is_away_does_not_stop_the_loop),
        TEST(a_fresh_connection_is_one),
        TEST(a_silent_connection_makes_its_elders_suspect),
        TEST(many_slow_writes_leave_room_for_everything_else),
        TEST(no_limit_runs_while_a_call_waits_for_its_turn),
        TEST(of_an_error_s_body_only_the_beginning_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
