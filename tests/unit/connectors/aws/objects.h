/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of sources and stores in S3 share: a scripted S3 on the test's loop, and a pipeline that uses it.
 */
#ifndef PM_TESTS_BROKER_OBJECTS_H
#define PM_TESTS_BROKER_OBJECTS_H

#include "pipelines.h"

#include "connectors/aws/aws_session.h"
#include "net/stub.h"

#define END "Connection: close\r\n\r\n"
#define INGRESS \
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n" END "default backend - 404"
#define NO_KEY   "HTTP/1.1 404 Not Found\r\nx-amz-request-id: 1\r\nContent-Length: 0\r\n" END /* to HEAD */
#define DONE     "HTTP/1.1 200 OK\r\nETag: \"new\"\r\nContent-Length: 0\r\n" END
#define FOUND(m) "HTTP/1.1 200 OK\r\nETag: \"old\"\r\n" m "Content-Length: 0\r\n" END
#define XML_BODY(status, body) \
    "HTTP/1.1 " status "\r\nx-amz-request-id: 1\r\nContent-Type: application/xml\r\n" END "<Error>" body "</Error>"
#define XML(status, code) XML_BODY(status, "<Code>" code "</Code>")

typedef struct Objects {
    PmLoop *loop;
    Stub stub;
    PmPipeline *pipeline;
    PmAwsSession *cloud;
} Objects;

/* `place` is more of the output's place, in YAML's flow style: ", copy_tags: true". */
static inline void objects_start(Objects *w, const char *place)
{
    char text[1000];
    PmError err = {0};
    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
    w->loop = pm_loop_new(&err);
    stub_start(&w->stub, w->loop);
    snprintf(text, sizeof text,
             "version: 1\naws: { endpoint_url: \"%s\", region: us-east-1 }\n"
             "trigger: { sqs: { queue_url: \"http://127.0.0.1:1/q\" } }\nsource: { s3: { buckets: [in] } }\n"
             "quarantine: { s3: { bucket: aside, key: \"q/{name}\" } }\n"
             "outputs:\n  a: { to: { s3: { bucket: out, key: \"{name}\"%s } } }\n"
             "  b: { to: { s3: { bucket: other, key: \"{name}\" } } }\n",
             w->stub.origin, place);
    w->pipeline = read_pipeline("/", text);
    w->cloud = pm_aws_session_new(w->loop, pm_aws_config(w->pipeline), &err);
    assert_non_null(w->cloud);
}

static inline void objects_stop(Objects *w)
{
    pm_aws_session_free(w->cloud);
    pm_pipeline_free(w->pipeline);
    stub_stop(&w->stub);
    pm_loop_free(w->loop);
}

/* Forgets what was answered and asked. */
static inline void objects_reset(Objects *w)
{
    for (size_t i = 0; i < w->stub.request_count; i++) free(w->stub.requests[i]);
    w->stub.request_count = w->stub.answer_count = w->stub.answered = 0;
}

/* "HEAD PUT HEAD": what was asked for. Static. */
static inline const char *objects_asked(const Objects *w)
{
    static char text[400];
    text[0] = '\0';
    for (size_t i = 0; i < w->stub.request_count; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s%.*s", n > 0 ? " " : "", (int)strcspn(w->stub.requests[i], " "),
                 w->stub.requests[i]);
    }
    return text;
}

static inline bool objects_sent(const Objects *w, size_t request, const char *text)
{
    assert_in_range(request + 1, 1, w->stub.request_count);
    return strstr(w->stub.requests[request], text) != NULL;
}

#endif
