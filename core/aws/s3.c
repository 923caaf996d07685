/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "base/text.h"
#include "net/uri.h"

/* One attempt: a minute, and what its bytes take on a slow line; silence ends it much sooner (http.h). */
enum { CALL_MS = 60000, CALL_BYTES_PER_S = 16 * 1024, SLOW_CALL_MS = 300000, SLOW_SILENCE_MS = 60000 };

/* Limit for a response body that is neither stored nor parsed. */
enum { SMALL_ANSWER_MAX = 64 * 1024 };

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

PmS3 *pm_s3_new(PmLoop *loop, PmAwsClient *client, const PmS3Options *options, PmError *err)
{
    PmS3 *s3 = calloc(1, sizeof *s3);
    if (s3 == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    s3->loop = loop;
    s3->client = client;
    s3->addressing = options->addressing;
    s3->checksum = options->checksum;
    s3->fips = options->fips;
    s3->dualstack = options->dualstack;
    s3->multipart_threshold = options->multipart_threshold > 0 ? options->multipart_threshold : PM_S3_MULTIPART;
    s3->part_size = options->part_size >= (size_t)5 << 20 ? options->part_size : (size_t)16 << 20;
    pm_text_copy(s3->region, sizeof s3->region, options->region != NULL ? options->region : "us-east-1");
    const char *endpoint = options->endpoint_url;
    if (endpoint == NULL) endpoint = environment("AWS_ENDPOINT_URL_S3");
    if (endpoint == NULL) endpoint = environment("AWS_ENDPOINT_URL");
    if (endpoint == NULL) return s3;
    size_t n = strlen(endpoint);
    while (n > 0 && endpoint[n - 1] == '/') n--;
    s3->endpoint = strndup(endpoint, n);
    if (s3->endpoint == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        pm_s3_free(s3);
        return NULL;
    }
    bool http = strncmp(endpoint, "http://", 7) == 0 && n > 7, https = strncmp(endpoint, "https://", 8) == 0 && n > 8;
    if ((!http && !https) || strpbrk(s3->endpoint + 8, "/?#@ ") != NULL) {
        pm_error_set(err, PM_BAD_CONFIG,
                     "the S3 endpoint \"%.200s\" is not a URL of the form https://host or http://host:port",
                     strpbrk(endpoint, "@?#") == NULL ? endpoint : "(not shown: it carries more than a host)");
        pm_s3_free(s3);
        return NULL;
    }
    return s3;
}

void pm_s3_free(PmS3 *s3)
{
    if (s3 == NULL) return;
    s3->closing = true;
    while (s3->calls != NULL) pm_s3_call_free(s3->calls);
    free(s3->endpoint);
    free(s3);
}

const char *pm_s3_metadata(const PmS3Object *object, const char *name)
{
    char header[256];
    snprintf(header, sizeof header, "x-amz-meta-%s", name);
    return pm_http_header(object->http, header);
}

const char *pm_s3_metadata_at(const PmS3Object *object, size_t i, const char **name)
{
    return pm_http_header_at(object->http, "x-amz-meta-", i, name);
}

/* --- calls --- */

PmS3Call *pm_s3_call_new(PmS3 *s3, const char *operation, const char *method, const char *bucket, const char *key,
                         PmS3Done *done, void *data, PmError *err)
{
    const PmAwsOperation *known = pm_aws_operation("s3", operation);
    if (known == NULL) {
        pm_error_set(err, PM_BUG, "s3 %s is not among the operations", operation);
        return NULL;
    }
    if (!pm_s3_bucket_valid(bucket)) {
        pm_error_set(err, PM_BAD_INPUT, "\"%.100s\" is not a bucket name", bucket);
        return NULL;
    }
    PmS3Call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    call->s3 = s3;
    call->done = done;
    call->data = data;
    call->next = s3->calls;
    if (call->next != NULL) call->next->previous = call;
    s3->calls = call;
    call->request = (PmS3Request){.operation = operation,
                                  .known = known,
                                  .method = method,
                                  .bucket = strdup(bucket),
                                  .key = strdup(key),
                                  .error_in_ok = true,
                                  .response_max = PM_S3_ANSWER_MAX};
    return call;
}

void pm_s3_call_free(PmS3Call *call)
{
    if (call == NULL) return;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        call->s3->calls = call->next;
    if (call->next != NULL) call->next->previous = call->previous;
    pm_aws_cancel(call->call);
    if (call->cancel != NULL) call->cancel(call->state);
    PmS3Request *request = &call->request;
    for (size_t i = 0; i < request->query_count; i++) free((char *)request->query[i].value);
    for (size_t i = 0; i < request->header_count; i++) {
        free((char *)request->headers[i].name);
        free((char *)request->headers[i].value);
    }
    free(request->bucket);
    free(request->key);
    free(call->owned_body);
    free(call);
}

void pm_s3_cancel(PmS3Call *call)
{
    pm_s3_call_free(call);
}

bool pm_s3_add_header(PmS3Request *request, const char *name, const char *value)
{
    if (value == NULL) return true;
    if (request->header_count == PM_S3_HEADERS_MAX) return false;
    PmNameValue pair = {strdup(name), strdup(value)};
    if (pair.name == NULL || pair.value == NULL) {
        free((char *)pair.name);
        free((char *)pair.value);
        request->no_memory = true;
        return false;
    }
    request->headers[request->header_count++] = pair;
    return true;
}

bool pm_s3_add_query(PmS3Request *request, const char *name, const char *value)
{
    if (value == NULL) return true;
    PmNameValue pair = {name, strdup(value)};
    if (pair.value == NULL) {
        request->no_memory = true;
        return false;
    }
    request->query[request->query_count++] = pair;
    return true;
}

static bool send_call(PmS3Call *call, PmError *err);

/* The region that a refusal names, if this bucket was asked for in the wrong one. */
static bool follow_region(PmS3Call *call, const PmAwsResponse *response)
{
    int status = response->http->status;
    bool elsewhere = status == 301 || status == 307 || strcmp(response->code, "AuthorizationHeaderMalformed") == 0 ||
                     strcmp(response->code, "IllegalLocationConstraintException") == 0 || status == 400;
    if (call->redirected || response->status == PM_OK || !elsewhere) return false;
    const char *region = pm_http_header(response->http, "x-amz-bucket-region");
    char from_body[64] = "";
    if (region == NULL && response->http->body_size > 0) {
        PmXml *xml = pm_xml_parse(response->http->body, strlen(response->http->body));
        pm_text_copy(from_body, sizeof from_body, pm_xml_get(xml, "Region"));
        pm_xml_free(xml);
        region = from_body;
    }
    call->redirected = true;
    return region != NULL && pm_s3_learn_region(call->s3, call->request.bucket, region);
}

static void on_response(void *data, const PmAwsResponse *response)
{
    PmS3Call *call = data;
    call->call = NULL;
    PmError err = {0};
    if (follow_region(call, response) || pm_s3_ask_by_get(call, response)) {
        if (send_call(call, &err)) return;
    }
    PmS3Answer answer;
    pm_s3_answer(&call->request, response, &answer, &err);
    PmS3Done *done = call->done;
    void *owner = call->data;
    call->cancel = NULL; /* it has not been */
    pm_s3_call_free(call);
    done(owner, &answer.result);
    pm_xml_free(answer.xml);
}

static bool send_call(PmS3Call *call, PmError *err)
{
    PmS3Request *request = &call->request;
    bool small_answer = request->body_fd <= 0 && !request->parse_xml;
    PmBuffer origin, path;
    pm_buffer_init(&origin, 1024);
    pm_buffer_init(&path, 8192);
    pm_s3_address(call->s3, request->bucket, request->key, &origin, &path);
    if (origin.no_memory || path.no_memory || request->no_memory) {
        pm_error_set(err, PM_TRANSIENT, "out of memory"); /* without a header it would be another request */
    } else if (origin.failed || path.failed) {
        pm_error_set(err, PM_BAD_INPUT, "the key is too long");
    } else {
        PmAwsRequest aws = {.protocol = PM_AWS_S3,
                            .service = "s3",
                            .region = pm_s3_region_of(call->s3, request->bucket),
                            .method = request->method,
                            .origin = origin.data,
                            .path = path.data,
                            .query = request->query,
                            .query_count = request->query_count,
                            .headers = request->headers,
                            .header_count = request->header_count,
                            .body = request->body,
                            .body_size = request->body_size,
                            .has_body = request->has_body,
                            .checksum = request->checksum,
                            .body_fd = request->body_fd,
                            .received = request->received,
                            .received_data = request->received_data,
                            .response_max = small_answer ? SMALL_ANSWER_MAX : request->response_max,
                            .lane = request->has_body ? PM_HTTP_WRITES : PM_HTTP_READS,
                            .timeout_ms = request->slow_answer ? SLOW_CALL_MS : CALL_MS,
                            .bytes_per_s = CALL_BYTES_PER_S,
                            .first_byte_timeout_ms = request->slow_answer ? SLOW_SILENCE_MS : 0,
                            .stall_timeout_ms = request->slow_answer ? SLOW_SILENCE_MS : 0,
                            .any_speed = request->slow_answer,
                            .error_in_ok = request->error_in_ok};
        call->call = pm_aws_send(call->s3->client, &aws, on_response, call, err);
    }
    pm_buffer_finish(&origin);
    pm_buffer_finish(&path);
    return call->call != NULL;
}

PmS3Call *pm_s3_start(PmS3Call *call, PmError *err)
{
    if (call->request.bucket != NULL && call->request.key != NULL && send_call(call, err)) return call;
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    pm_s3_call_free(call);
    return NULL;
}

/* --- operations --- */

static char *quoted(const char *etag)
{
    size_t n = strlen(etag) + 3;
    char *text = malloc(n);
    if (text != NULL) snprintf(text, n, "\"%s\"", etag);
    return text;
}

PmS3Call *pm_s3_get(PmS3 *s3, const PmS3Get *get, PmS3Done *done, void *data, PmError *err)
{
    PmS3Call *call = pm_s3_call_new(s3, "GetObject", "GET", get->bucket, get->key, done, data, err);
    if (call == NULL) return NULL;
    PmS3Request *request = &call->request;
    request->error_in_ok = false;
    request->check_length = true;
    request->body_fd = get->body_fd;
    request->received = get->received;
    request->received_data = get->received_data;
    request->response_max = get->size_max;
    if (get->if_match != NULL) {
        char *etag = quoted(get->if_match);
        pm_s3_add_header(request, "If-Match", etag);
        free(etag);
    }
    pm_s3_add_query(request, "versionId", get->version_id);
    return pm_s3_start(call, err);
}

PmS3Call *pm_s3_head(PmS3 *s3, const char *bucket, const char *key, const char *version_id, PmS3Done *done, void *data,
                     PmError *err)
{
    PmS3Call *call = pm_s3_call_new(s3, "HeadObject", "HEAD", bucket, key, done, data, err);
    if (call == NULL) return NULL;
    call->request.error_in_ok = false;
    pm_s3_add_query(&call->request, "versionId", version_id);
    return pm_s3_start(call, err);
}

PmS3Call *pm_s3_delete(PmS3 *s3, const char *bucket, const char *key, PmS3Done *done, void *data, PmError *err)
{
    PmS3Call *call = pm_s3_call_new(s3, "DeleteObject", "DELETE", bucket, key, done, data, err);
    return call != NULL ? pm_s3_start(call, err) : NULL;
}

PmS3Call *pm_s3_copy(PmS3 *s3, const char *from_bucket, const char *from_key, const char *from_version,
                     const char *bucket, const char *key, PmS3Done *done, void *data, PmError *err)
{
    PmS3Call *call = pm_s3_call_new(s3, "CopyObject", "PUT", bucket, key, done, data, err);
    if (call == NULL) return NULL;
    PmBuffer source;
    pm_buffer_init(&source, 8192);
    pm_buffer_adds(&source, "/");
    pm_uri_encode(&source, from_bucket, false);
    pm_buffer_adds(&source, "/");
    pm_uri_encode(&source, from_key, true);
    if (from_version != NULL) {
        pm_buffer_adds(&source, "?versionId=");
        pm_uri_encode(&source, from_version, false);
    }
    call->request.has_body = call->request.slow_answer = true;
    pm_s3_add_header(&call->request, "x-amz-copy-source", source.data);
    pm_buffer_finish(&source);
    return pm_s3_start(call, err);
}

PmS3Call *pm_s3_list(PmS3 *s3, const char *bucket, const char *prefix, const char *continuation, PmS3Done *done,
                     void *data, PmError *err)
{
    PmS3Call *call = pm_s3_call_new(s3, "ListObjectsV2", "GET", bucket, "", done, data, err);
    if (call == NULL) return NULL;
    pm_s3_add_query(&call->request, "list-type", "2");
    pm_s3_add_query(&call->request, "prefix", prefix);
    pm_s3_add_query(&call->request, "continuation-token", continuation);
    call->request.parse_xml = true;
    return pm_s3_start(call, err);
}

PmS3Call *pm_s3_get_tags(PmS3 *s3, const char *bucket, const char *key, const char *version_id, PmS3Done *done,
                         void *data, PmError *err)
{
    PmS3Call *call = pm_s3_call_new(s3, "GetObjectTagging", "GET", bucket, key, done, data, err);
    if (call == NULL) return NULL;
    pm_s3_add_query(&call->request, "tagging", "");
    pm_s3_add_query(&call->request, "versionId", version_id);
    call->request.parse_xml = true;
    return pm_s3_start(call, err);
}
