/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of plugins to AWS, against a scripted service; once more for each allocation on the way, which fails.
 */
#include "failing.h"

#include "connectors/aws/objects.h"

#include "base/text.h"
#include "connectors/aws/signer.h"

#define FACES "aws://rekognition/DetectFaces"
#define JSON(status, body) \
    "HTTP/1.1 " status "\r\nx-amzn-RequestId: r1\r\nContent-Type: application/x-amz-json-1.1\r\n" END body
#define DENIED "{\"__type\":\"AccessDeniedException\",\"Message\":\"not yours\"}"
#define SLOWER "{\"__type\":\"ThrottlingException\",\"message\":\"slower\"}"
#define UNREAD "{\"__type\":\"InvalidImageFormatException\",\"message\":\"not an image\"}"

typedef struct Scene {
    Objects objects;
    PmSigner *signer;
    int calls, status;
    PmError err;
    char type[100], body[200];
} Scene;

static void start(Scene *s)
{
    memset(s, 0, sizeof *s);
    unsetenv("AWS_ENDPOINT_URL_REKOGNITION");
    unsetenv("AWS_SESSION_TOKEN");
    objects_start(&s->objects, "");
}

static void stop(Scene *s)
{
    if (s->signer != NULL) s->signer->ops->free(s->signer);
    objects_stop(&s->objects);
}

static void on_answer(void *data, const PmSignedAnswer *answer)
{
    Scene *s = data;
    s->calls++;
    s->err = answer->error;
    s->status = answer->http_status;
    if (answer->content_type != NULL) pm_text_copy(s->type, sizeof s->type, answer->content_type);
    if (answer->body != NULL && answer->body_size < sizeof s->body) memcpy(s->body, answer->body, answer->body_size);
    pm_loop_stop(s->objects.loop);
}

static PmSignedCall *begin(Scene *s, const char *url, size_t response_max)
{
    PmSignedRequest request = {.url = url,
                               .body = "{\"Image\":{}}",
                               .body_size = 12,
                               .response_max = response_max,
                               .timeout_ms = 5000,
                               .attempts_max = 2};
    if (s->signer == NULL) s->signer = pm_signer_aws_new(s->objects.cloud, &s->err);
    return s->signer != NULL ? s->signer->ops->send(s->signer, &request, on_answer, s, &s->err) : NULL;
}

static void call(Scene *s, const char *answer)
{
    start(s);
    stub_answer(&s->objects.stub, answer);
    stub_answer(&s->objects.stub, answer);
    assert_non_null(begin(s, FACES, 1000));
    pm_loop_run(s->objects.loop);
    assert_int_equal(s->calls, 1);
}

static void a_call_is_signed(void **state)
{
    (void)state;
    static Scene s;
    call(&s, JSON("200 OK", "{\"FaceDetails\":[]}"));
    assert_int_equal(s.err.status, PM_OK);
    assert_int_equal(s.status, 200);
    assert_string_equal(s.type, "application/x-amz-json-1.1");
    assert_string_equal(s.body, "{\"FaceDetails\":[]}");
    const char *request = s.objects.stub.requests[0];
    assert_int_equal(strncmp(request, "POST / HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(request, "\r\nX-Amz-Target: RekognitionService.DetectFaces\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Type: application/x-amz-json-1.1\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/"));
    assert_non_null(strstr(request, "/us-east-1/rekognition/aws4_request, "
                                    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="));
    assert_non_null(strstr(request, "\r\n\r\n{\"Image\":{}}"));
    stop(&s);
}

static void a_refusal_of_the_request_is_an_answer(void **state)
{
    (void)state;
    static Scene s;
    call(&s, JSON("400 Bad Request", UNREAD));
    assert_int_equal(s.err.status, PM_OK);
    assert_int_equal(s.status, 400);
    assert_string_equal(s.body, UNREAD);
    assert_int_equal(s.objects.stub.request_count, 1);
    stop(&s);
}

static void what_may_be_better_later(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *message, *hint;
        size_t requests;
    } cases[] = {
        {JSON("400 Bad Request", DENIED), "rekognition DetectFaces: 400 AccessDeniedException: not yours (request r1)",
         "allow rekognition:DetectFaces; `pixmill iam` prints the policy", 1},
        {JSON("400 Bad Request", SLOWER), "rekognition DetectFaces: 400 ThrottlingException: slower (request r1)", "",
         2},
        {JSON("503 Service Unavailable", ""), "rekognition DetectFaces: 503 (request r1)", "", 2},
        {JSON("400 Bad Request", "{\"__type\":\"UnrecognizedClientException\",\"message\":\"who?\"}"),
         "rekognition DetectFaces: 400 UnrecognizedClientException: who? (request r1)", "", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static Scene s;
        call(&s, cases[i].answer);
        assert_string_equal(s.err.message, cases[i].message);
        assert_string_equal(s.err.hint, cases[i].hint);
        assert_int_equal(s.err.status, PM_TRANSIENT);
        assert_int_equal(s.objects.stub.request_count, cases[i].requests);
        stop(&s);
    }
}

static void a_long_answer_is_not_asked_for_again(void **state)
{
    (void)state;
    static Scene s;
    start(&s);
    stub_answer(&s.objects.stub, JSON("200 OK", "{\"FaceDetails\":[]}"));
    assert_non_null(begin(&s, FACES, 10));
    pm_loop_run(s.objects.loop);
    assert_int_equal(s.err.status, PM_LIMIT);
    assert_string_equal(s.err.message, "the answer is longer than fetch.response_max, 10 B");
    assert_int_equal(s.objects.stub.request_count, 1);
    stop(&s);
}

static void what_cannot_be_called(void **state)
{
    (void)state;
    static Scene s;
    PmError err = {0};
    start(&s);
    assert_null(begin(&s, "aws://s3/DeleteBucket", 1000));
    assert_string_equal(s.err.message, "\"s3/DeleteBucket\" is not an operation of AWS that plugins may call");
    assert_int_equal(s.signer->ops->judge(s.signer, "aws://s3/DeleteBucket", &err), PM_BAD_CONFIG);
    err = (PmError){0};
    assert_int_equal(s.signer->ops->judge(s.signer, FACES, &err), PM_OK);
    setenv("AWS_ENDPOINT_URL_REKOGNITION", "nowhere", 1);
    s.err = (PmError){0};
    assert_null(begin(&s, FACES, 1000));
    assert_string_equal(s.err.message, "the endpoint of rekognition is not an http or https URL without a path");
    stop(&s);
}

static void a_region_is_not_guessed(void **state)
{
    (void)state;
    static const PmAwsConfig nothing = {0};
    PmError err = {0};
    unsetenv("AWS_REGION");
    unsetenv("AWS_DEFAULT_REGION");
    setenv("HOME", "/nowhere", 1);
    PmLoop *loop = pm_loop_new(&err);
    PmAwsSession *session = pm_aws_session_new(loop, &nothing, &err);
    assert_null(pm_signer_aws_new(session, &err));
    assert_int_equal(err.status, PM_BAD_CONFIG);
    assert_string_equal(err.message, "AWS is called in a region, and none is set");
    assert_string_equal(err.hint, "set aws.region, AWS_REGION or the profile's region");
    pm_aws_session_free(session);
    pm_loop_free(loop);
}

static void a_call_can_be_cancelled(void **state)
{
    (void)state;
    static Scene s;
    start(&s);
    PmSignedCall *one = begin(&s, FACES, 1000);
    assert_non_null(one);
    s.signer->ops->cancel(one);
    s.signer->ops->cancel(NULL);
    stop(&s);
    assert_int_equal(s.calls, 0);
}

/* True: there was an n-th allocation. */
static bool call_once(size_t n)
{
    static Scene s;
    start(&s);
    for (int i = 0; i < 3; i++) stub_answer(&s.objects.stub, JSON("200 OK", "{}"));
    failing_nth(n);
    PmSignedCall *one = begin(&s, FACES, 1000);
    if (one != NULL) pm_loop_run(s.objects.loop);
    bool failed = failing_stop();
    if (s.err.status != PM_OK && s.err.status != PM_TRANSIENT)
        fail_msg("%p: status %d, \"%s\"", failing_caller(), (int)s.err.status, s.err.message);
    assert_int_equal(s.calls, one != NULL);
    if (s.err.status == PM_OK) assert_string_equal(s.body, "{}");
    stop(&s);
    return failed;
}

static void memory_may_be_short(void **state)
{
    (void)state;
    size_t n = 1;
    while (call_once(n)) n++;
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_signed),         cmocka_unit_test(a_refusal_of_the_request_is_an_answer),
        cmocka_unit_test(what_may_be_better_later), cmocka_unit_test(a_long_answer_is_not_asked_for_again),
        cmocka_unit_test(what_cannot_be_called),    cmocka_unit_test(a_call_can_be_cancelled),
        cmocka_unit_test(memory_may_be_short),      cmocka_unit_test(a_region_is_not_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
