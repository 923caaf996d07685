/* SPDX-License-Identifier: Apache-2.0
 *
 * A put in parts: create, parts one after the other, complete; aborted on every failure and when cancelled, so that no
 * part is left to be paid for. (What a killed process leaves is the business of the bucket's lifecycle rules.) The
 * conditions travel with the last step, where they take effect.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "base/crash_point.h"
#include "base/text.h"

enum { PARTS_MAX = 10000, ETAG_MAX = 128 };

typedef enum Stage { CREATING, SENDING, COMPLETING, LOOKING, ABORTING } Stage;

typedef struct Upload {
    PmS3 *s3;
    char *bucket, *key;
    PmS3Call *owner; /* what the caller holds; NULL: cancelled */
    bool detached;   /* its step is all that holds it */
    Stage stage;
    const char *bytes; /* borrowed as long as there is an owner */
    size_t size, part_size, part, parts;
    char *upload_id;
    char (*etags)[ETAG_MAX];
    bool if_none_match, uncertain;
    char *if_match;
    PmNameValue *metadata; /* as it was sent, "x-amz-meta-..." */
    size_t metadata_count;
    PmS3Call *step; /* the request under way */
    PmError err;
    PmS3Outcome outcome;
    char code[128];
} Upload;

static void free_upload(Upload *upload)
{
    for (size_t i = 0; i < upload->metadata_count; i++) {
        free((char *)upload->metadata[i].name);
        free((char *)upload->metadata[i].value);
    }
    free(upload->metadata);
    free(upload->bucket);
    free(upload->key);
    free(upload->upload_id);
    free(upload->etags);
    free(upload->if_match);
    free(upload);
}

/* Ends the upload: the caller's handle goes first, since the callback may free the whole client. */
static void report(Upload *upload, const PmS3Result *result)
{
    PmS3Call *owner = upload->owner;
    if (owner != NULL) {
        PmS3Done *done = owner->done;
        void *data = owner->data;
        owner->cancel = NULL;
        pm_s3_call_free(owner);
        done(data, result);
    }
    free_upload(upload);
}

static void report_failure(Upload *upload)
{
    PmS3Result result = {
        .outcome = upload->outcome, .err = &upload->err, .uncertain = upload->uncertain, .code = upload->code};
    report(upload, &result);
}

static void on_aborted(void *data, const PmS3Result *result)
{
    (void)result; /* a lifecycle rule has to clean up what even the abort could not */
    Upload *upload = data;
    upload->step = NULL;
    report_failure(upload);
}

/* A step ends without an answer: cancelled, or the client goes. */
static void step_gone(void *state)
{
    Upload *upload = state;
    upload->step = NULL;
    if (upload->detached) free_upload(upload);
}

static PmS3Call *new_step(Upload *upload, const char *operation, const char *method, PmS3Done *done, PmError *err)
{
    PmS3Call *step = pm_s3_call_new(upload->s3, operation, method, upload->bucket, upload->key, done, upload, err);
    if (step == NULL) return NULL;
    step->cancel = step_gone;
    step->state = upload;
    return step;
}

/* false: there is nothing to abort, or it could not be started. */
static bool send_abort(Upload *upload)
{
    PmError ignored = {0};
    if (upload->upload_id == NULL) return false;
    bool detached = upload->detached;
    upload->detached = false; /* a step that cannot start takes nothing with it */
    PmS3Call *call = new_step(upload, "AbortMultipartUpload", "DELETE", on_aborted, &ignored);
    if (call != NULL) pm_s3_add_query(&call->request, "uploadId", upload->upload_id);
    upload->stage = ABORTING;
    upload->step = call != NULL ? pm_s3_start(call, &ignored) : NULL;
    upload->detached = detached;
    return upload->step != NULL;
}

static void abort_upload(Upload *upload, const PmS3Result *because, const PmError *err)
{
    upload->outcome = because != NULL ? because->outcome : PM_S3_FAILED;
    upload->err = because != NULL ? *because->err : *err;
    if (because != NULL) pm_text_copy(upload->code, sizeof upload->code, because->code);
    /* Somebody aborted it, or the store lost a part: the next try begins anew. It says nothing of the object. */
    if (strcmp(upload->code, "NoSuchUpload") == 0 || strcmp(upload->code, "InvalidPart") == 0) {
        upload->outcome = PM_S3_FAILED;
        upload->err.status = PM_TRANSIENT;
    }
    if (!send_abort(upload)) report_failure(upload);
}

/* --- cancelling --- */

/* The owner goes. What the upload has left in the store is taken away in the background. */
static void cancel_upload(void *state)
{
    Upload *upload = state;
    upload->owner = NULL;
    bool closing = upload->s3->closing;
    /* The answer to a create names what there is to abort; every other step is of no more use. */
    if (closing || (upload->stage != CREATING && upload->stage != ABORTING)) pm_s3_call_free(upload->step);
    if (!closing && upload->step == NULL && upload->stage != LOOKING) send_abort(upload);
    upload->detached = upload->step != NULL;
    if (!upload->detached) free_upload(upload);
}

/* --- the last step --- */

static bool same_metadata(const Upload *upload, const PmHttpResponse *http)
{
    for (size_t i = 0; i < upload->metadata_count; i++) {
        const char *value = pm_http_header(http, upload->metadata[i].name);
        if (value == NULL || strcmp(value, upload->metadata[i].value) != 0) return false;
    }
    return true;
}

/* The object that a complete may have made before its answer was lost: as long, made of as many parts, with what was
 * sent along. Any other program that makes one makes the same. */
static void on_looked(void *data, const PmS3Result *result)
{
    Upload *upload = data;
    upload->step = NULL;
    char ending[32];
    snprintf(ending, sizeof ending, "-%zu", upload->parts);
    bool ours = result->outcome == PM_S3_OK && result->object.size == (int64_t)upload->size &&
                same_metadata(upload, result->object.http);
    if (ours && upload->metadata_count == 0) {
        size_t n = strlen(result->object.etag), k = strlen(ending);
        ours = n > k && strcmp(result->object.etag + n - k, ending) == 0;
    }
    if (!ours) {
        report_failure(upload);
        return;
    }
    PmS3Result copy = *result;
    copy.uncertain = true;
    report(upload, &copy);
}

static bool look(Upload *upload, const PmS3Result *because)
{
    upload->stage = LOOKING;
    upload->outcome = PM_S3_FAILED;
    upload->err = *because->err;
    upload->err.status = PM_TRANSIENT;
    pm_text_copy(upload->code, sizeof upload->code, because->code);
    PmError ignored = {0};
    upload->step = pm_s3_head(upload->s3, upload->bucket, upload->key, NULL, on_looked, upload, &ignored);
    if (upload->step == NULL) return false;
    upload->step->cancel = step_gone;
    upload->step->state = upload;
    return true;
}

static void on_completed(void *data, const PmS3Result *result)
{
    Upload *upload = data;
    upload->step = NULL;
    PM_CRASH_POINT("multipart.completed");
    if (result->outcome != PM_S3_OK) {
        upload->uncertain = result->uncertain;
        /* Done by the attempt before, whose answer was lost? */
        if (result->uncertain && strcmp(result->code, "NoSuchUpload") == 0 && look(upload, result)) return;
        abort_upload(upload, result, NULL);
        return;
    }
    char etag[ETAG_MAX];
    pm_text_copy(etag, sizeof etag, pm_xml_get(result->xml, "ETag"));
    size_t n = strlen(etag);
    if (n >= 2 && etag[0] == '"') {
        memmove(etag, etag + 1, n - 2);
        etag[n - 2] = '\0';
    }
    PmS3Result copy = *result;
    copy.object.etag = etag;
    report(upload, &copy);
}

static bool complete(Upload *upload, PmError *err)
{
    PmBuffer body;
    pm_buffer_init(&body, PM_S3_ANSWER_MAX);
    pm_buffer_adds(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < upload->parts; i++)
        pm_buffer_addf(&body, "<Part><PartNumber>%zu</PartNumber><ETag>&quot;%s&quot;</ETag></Part>", i + 1,
                       upload->etags[i]);
    pm_buffer_adds(&body, "</CompleteMultipartUpload>");
    size_t size = body.size;
    PmS3Call *call = new_step(upload, "CompleteMultipartUpload", "POST", on_completed, err);
    if (call == NULL) {
        pm_buffer_finish(&body);
        return false;
    }
    call->owned_body = pm_buffer_steal(&body);
    if (call->owned_body == NULL) call->request.no_memory = true; /* it does not start */
    call->request.body = call->owned_body;
    call->request.body_size = size;
    call->request.has_body = call->request.parse_xml = call->request.slow_answer = true;
    upload->stage = COMPLETING;
    pm_s3_add_query(&call->request, "uploadId", upload->upload_id);
    if (upload->if_none_match) pm_s3_add_header(&call->request, "If-None-Match", "*");
    pm_s3_add_header(&call->request, "If-Match", upload->if_match);
    upload->step = pm_s3_start(call, err);
    return upload->step != NULL;
}

static void on_part(void *data, const PmS3Result *result);

static bool send_part(Upload *upload, PmError *err)
{
    if (upload->part == upload->parts) return complete(upload, err);
    upload->stage = SENDING;
    size_t at = upload->part * upload->part_size;
    size_t size = upload->size - at < upload->part_size ? upload->size - at : upload->part_size;
    PmS3Call *call = new_step(upload, "UploadPart", "PUT", on_part, err);
    if (call == NULL) return false;
    char number[16];
    snprintf(number, sizeof number, "%zu", upload->part + 1);
    pm_s3_add_query(&call->request, "partNumber", number);
    pm_s3_add_query(&call->request, "uploadId", upload->upload_id);
    call->request.body = upload->bytes + at;
    call->request.body_size = size;
    call->request.has_body = true;
    call->request.checksum = upload->s3->checksum == PM_CHECKSUM_NONE ? PM_BODY_NO_CHECKSUM : PM_BODY_MD5;
    upload->step = pm_s3_start(call, err);
    return upload->step != NULL;
}

static void on_part(void *data, const PmS3Result *result)
{
    Upload *upload = data;
    upload->step = NULL;
    PmError err = {0};
    PM_CRASH_POINT("multipart.part_done");
    if (result->outcome != PM_S3_OK) {
        abort_upload(upload, result, NULL);
        return;
    }
    pm_text_copy(upload->etags[upload->part++], ETAG_MAX, result->object.etag);
    if (!send_part(upload, &err)) abort_upload(upload, NULL, &err);
}

static void on_created(void *data, const PmS3Result *result)
{
    Upload *upload = data;
    upload->step = NULL;
    PmError err = {0};
    PM_CRASH_POINT("multipart.created");
    if (result->outcome != PM_S3_OK) {
        abort_upload(upload, result, NULL);
        return;
    }
    const char *id = pm_xml_get(result->xml, "UploadId");
    upload->upload_id = id[0] != '\0' ? strdup(id) : NULL;
    if (upload->owner == NULL) { /* cancelled meanwhile */
        if (!send_abort(upload)) free_upload(upload);
        return;
    }
    if (upload->upload_id == NULL) {
        pm_error_set(&err, PM_TRANSIENT, "s3 CreateMultipartUpload: the answer names no upload");
        abort_upload(upload, NULL, &err);
        return;
    }
    if (!send_part(upload, &err)) abort_upload(upload, NULL, &err);
}

/* Keeps what was sent along, to know the object again by. */
static bool keep_metadata(Upload *upload, const PmS3Request *request)
{
    upload->metadata = calloc(request->header_count + 1, sizeof *upload->metadata);
    if (upload->metadata == NULL) return false;
    for (size_t i = 0; i < request->header_count; i++) {
        if (strncmp(request->headers[i].name, "x-amz-meta-", 11) != 0) continue;
        PmNameValue *pair = &upload->metadata[upload->metadata_count++];
        *pair = (PmNameValue){strdup(request->headers[i].name), strdup(request->headers[i].value)};
        if (pair->name == NULL || pair->value == NULL) return false;
    }
    return true;
}

PmS3Call *pm_s3_put_multipart(PmS3 *s3, const PmS3Put *put, PmS3Done *done, void *data, PmError *err)
{
    PmS3Call *owner = pm_s3_call_new(s3, "PutObject", "PUT", put->bucket, put->key, done, data, err);
    if (owner == NULL) return NULL;
    Upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        pm_s3_call_free(owner);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    upload->s3 = s3;
    upload->owner = owner;
    upload->bucket = strdup(put->bucket);
    upload->key = strdup(put->key);
    upload->bytes = put->bytes;
    upload->size = put->size;
    upload->part_size = s3->part_size;
    while (put->size / upload->part_size >= PARTS_MAX) upload->part_size *= 2;
    upload->parts = (put->size + upload->part_size - 1) / upload->part_size;
    upload->etags = calloc(upload->parts, sizeof *upload->etags);
    upload->if_none_match = put->if_none_match;
    if (put->if_match != NULL) {
        char etag[300];
        snprintf(etag, sizeof etag, put->bare_etag ? "%.256s" : "\"%.256s\"", put->if_match);
        upload->if_match = strdup(etag);
    }
    bool ok = upload->etags != NULL && upload->bucket != NULL && upload->key != NULL &&
              (put->if_match == NULL || upload->if_match != NULL);
    PmS3Call *create = ok ? new_step(upload, "CreateMultipartUpload", "POST", on_created, err) : NULL;
    if (create != NULL) {
        pm_s3_add_query(&create->request, "uploads", "");
        create->request.has_body = create->request.parse_xml = true;
        if (pm_s3_put_headers(&create->request, put, err) == PM_OK && keep_metadata(upload, &create->request))
            upload->step = pm_s3_start(create, err);
        else
            pm_s3_call_free(create);
    }
    if (upload->step != NULL) {
        owner->state = upload;
        owner->cancel = cancel_upload;
        return owner;
    }
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    pm_s3_call_free(owner);
    free_upload(upload);
    return NULL;
}
