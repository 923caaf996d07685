/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer means. Between us and S3 there may be an ingress, a load balancer, a proxy, and each has answers of
 * its own: "default backend - 404", an empty 200, a maintenance page. Taking those for S3's word would
 * acknowledge messages of objects that exist, or believe stored what was not. So every outcome that ends a message
 * needs a sign that S3 wrote it: an error code in the body, a header that only S3 sends, the ETag of a success.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "base/text.h"

static void unquote(const char *etag, char *out, size_t size)
{
    pm_text_copy(out, size, etag != NULL ? etag : "");
    size_t n = strlen(out);
    if (strncmp(out, "W/", 2) == 0) memmove(out, out + 2, n - 1);
    n = strlen(out);
    if (n >= 2 && out[0] == '"' && out[n - 1] == '"') {
        memmove(out, out + 1, n - 2);
        out[n - 2] = '\0';
    }
}

static const char *header_or_empty(const PmHttpResponse *http, const char *name)
{
    const char *value = pm_http_header(http, name);
    return value != NULL ? value : "";
}

static bool is_code(const PmAwsResponse *response, const char *code)
{
    return strcmp(response->code, code) == 0;
}

/* Headers that S3 and what speaks like it put on every answer, and nothing in front of it does. */
static bool has_s3_header(const PmHttpResponse *http)
{
    return pm_http_header(http, "x-amz-request-id") != NULL || pm_http_header(http, "x-amz-id-2") != NULL ||
           pm_http_header(http, "x-amz-delete-marker") != NULL;
}

static bool is_head(const PmS3Request *request)
{
    return strcmp(request->method, "HEAD") == 0;
}

static bool is_delete_marker(const PmHttpResponse *http)
{
    return (http->status == 404 || http->status == 405) &&
           strcasecmp(header_or_empty(http, "x-amz-delete-marker"), "true") == 0;
}

static bool is_missing(const PmS3Request *request, const PmAwsResponse *response)
{
    const PmHttpResponse *http = response->http;
    if (is_delete_marker(http)) return true;
    if (http->status != 404) return false;
    return is_code(response, "NoSuchKey") || is_code(response, "NoSuchVersion") ||
           (is_head(request) && has_s3_header(http));
}

bool pm_s3_ask_by_get(PmS3Call *call, const PmAwsResponse *response)
{
    PmS3Request *request = &call->request;
    if (!is_head(request) || response->http->status != 404 || has_s3_header(response->http)) return false;
    request->method = "GET";
    request->asked_by_get = true;
    request->response_max = 64 * 1024; /* where Range is not understood: long enough to tell that there is something */
    return pm_s3_add_header(request, "Range", "bytes=0-0");
}

/* 401 and 403 mean the same from any sender: PM_BAD_CONFIG, which is tried again. The answer to a HEAD has no code in
 * any case. */
static bool is_foreign(const PmS3Request *request, const PmAwsResponse *response)
{
    int status = response->http->status;
    if (response->code[0] != '\0' || status < 400 || status == 401 || status == 403) return false;
    return !is_head(request) || (status == 404 && !has_s3_header(response->http));
}

static PmStatus contradicts(const PmHttpResponse *http, const char *operation, PmError *err)
{
    return pm_error_set(err, PM_TRANSIENT, "%s: 404, but a GET of the same key is answered %d", operation,
                        http->status);
}

static PmStatus check_success(const PmS3Request *request, const PmHttpResponse *http, const char *operation,
                              PmS3Answer *answer, PmError *err)
{
    if (request->asked_by_get) return contradicts(http, operation, err);
    if (request->known->wants_etag && answer->etag[0] == '\0')
        return pm_error_set(err, PM_TRANSIENT, "%s: %d without an ETag, so it is not S3 that answered", operation,
                            http->status);
    if (request->check_length && http->content_length >= 0 && (size_t)http->content_length != http->body_size)
        return pm_error_set(err, PM_TRANSIENT, "%s: %zu of %lld bytes arrived", operation, http->body_size,
                            (long long)http->content_length);
    if (!request->parse_xml) return PM_OK;
    answer->xml = pm_xml_parse(http->body, http->body_size);
    if (answer->xml == NULL) return pm_error_set(err, PM_TRANSIENT, "%s: the answer is no XML", operation);
    if (request->known->root != NULL && strcmp(pm_xml_name(answer->xml), request->known->root) != 0)
        return pm_error_set(err, PM_TRANSIENT, "%s: the answer is %.60s and not %s", operation,
                            pm_xml_name(answer->xml), request->known->root);
    answer->result.xml = answer->xml;
    return PM_OK;
}

/* Which header or argument S3 does not like: <Header>If-Match</Header>, <ArgumentName>partNumber</ArgumentName>. */
static void read_argument(const PmHttpResponse *http, char *out, size_t size)
{
    PmXml *xml = http->body_size > 0 ? pm_xml_parse(http->body, strlen(http->body)) : NULL;
    const char *name = pm_xml_get(xml, "ArgumentName");
    pm_text_copy(out, size, name[0] != '\0' ? name : pm_xml_get(xml, "Header"));
    pm_xml_free(xml);
}

static void judge_failure(const PmS3Request *request, const PmAwsResponse *response, const char *operation,
                          PmS3Answer *answer, PmError *err)
{
    const PmHttpResponse *http = response->http;
    PmS3Result *result = &answer->result;
    result->outcome = PM_S3_FAILED;
    result->err = err;
    if (err->status != PM_OK) return;                                                    /* a success that is none */
    if (request->asked_by_get && http->status == 416) contradicts(http, operation, err); /* there, and empty */
    bool unsigned_page =
        response->status == PM_LIMIT && request->known->wants_etag && pm_http_header(http, "etag") == NULL;
    if (is_foreign(request, response))
        pm_error_set(err, PM_TRANSIENT, "%s: %d without an error code of S3, so it is not S3 that answered", operation,
                     http->status);
    else if (unsigned_page)
        pm_error_set(err, PM_TRANSIENT, "%s: a long answer without an ETag, so it is not S3 that answered", operation);
    else
        pm_aws_error(response, operation, err);
    if (is_missing(request, response))
        result->outcome = PM_S3_MISSING;
    else if (http->status == 412 && is_code(response, "PreconditionFailed"))
        result->outcome = PM_S3_PRECONDITION;
    else if (http->status == 409)
        result->outcome = PM_S3_CONFLICT;
    read_argument(http, answer->argument, sizeof answer->argument);
}

void pm_s3_answer(const PmS3Request *request, const PmAwsResponse *response, PmS3Answer *answer, PmError *err)
{
    const PmHttpResponse *http = response->http;
    char operation[400];
    *answer = (PmS3Answer){.result = {.outcome = PM_S3_OK,
                                      .uncertain = response->uncertain,
                                      .attempts = response->attempts,
                                      .code = response->code}};
    answer->result.argument = answer->argument;
    unquote(http->status != 0 ? pm_http_header(http, "etag") : NULL, answer->etag, sizeof answer->etag);
    snprintf(operation, sizeof operation, "s3 %s in bucket %s", request->operation, request->bucket);
    if (response->status != PM_OK || check_success(request, http, operation, answer, err) != PM_OK) {
        judge_failure(request, response, operation, answer, err);
        pm_error_context(err, "s3://%s/%s", request->bucket, request->key);
        return;
    }
    answer->result.object = (PmS3Object){.etag = answer->etag,
                                         .version_id = header_or_empty(http, "x-amz-version-id"),
                                         .content_type = header_or_empty(http, "content-type"),
                                         .cache_control = header_or_empty(http, "cache-control"),
                                         .content_disposition = header_or_empty(http, "content-disposition"),
                                         .content_encoding = header_or_empty(http, "content-encoding"),
                                         .content_language = header_or_empty(http, "content-language"),
                                         .expires = header_or_empty(http, "expires"),
                                         .size = http->content_length,
                                         .http = http};
}
