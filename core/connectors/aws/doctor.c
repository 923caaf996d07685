/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "connectors/aws/blocking_call.h"
#include "connectors/aws/settings.h"
#include "connectors/aws/signer.h"
#include "net/retry.h"
#include "pipeline/sections.h"

enum { VISIBILITY_FACTOR = 2, RECEIVES_LEAST = 3 };

/* The part of a visit that AWS's connectors share. */
typedef struct Doctor {
    PmDoctor *base;
    const PmPipeline *pipeline;
    PmBlockingCall blocking;
} Doctor;

#define tell(doctor, ...) pm_doctor_tell((doctor)->base, __VA_ARGS__)

/* The last answer was an error. `action` is what IAM calls the right that it needs, `resource` its ARN. */
static void tell_failed(const Doctor *doctor, const char *subject, const char *action, const char *resource)
{
    const PmError *err = &doctor->blocking.err;
    char hint[1600];
    bool denied = strstr(err->message, "AccessDenied") != NULL || strstr(err->message, " 403") != NULL ||
                  strstr(err->message, "not authorized") != NULL;
    if (denied && strstr(err->message, "Signature") == NULL && strstr(err->message, "InvalidAccessKey") == NULL)
        snprintf(hint, sizeof hint, "allow %s on %s", action, resource);
    else
        pm_text_copy(hint, sizeof hint, err->hint);
    tell(doctor, PM_FINDING_BAD, subject, hint[0] != '\0' ? hint : NULL, "%s", err->message);
}

/* --- queues --- */

static void look_at_dead_letters(Doctor *doctor, PmSqs *sqs, const PmQueueFacts *queue)
{
    static const char subject[] = "dead letters";
    const PmSqsTrigger *config = pm_sqs_trigger(doctor->pipeline);
    char url[1200];
    PmQueueFacts facts;
    if (config->dead_letter_url != NULL && config->dead_letter_url[0] != '\0') {
        pm_text_copy(url, sizeof url, config->dead_letter_url);
    } else if (queue->dead_letter_arn[0] == '\0') {
        tell(doctor, PM_FINDING_BAD, subject, "give the queue a redrive policy, or set trigger.sqs.dead_letter_url",
             "the queue has no dead-letter queue: what can never work has nowhere to go, and `run` refuses to start");
        return;
    } else if (pm_blocking_queue_url(&doctor->blocking, sqs, queue->dead_letter_arn) != PM_OK) {
        tell_failed(doctor, subject, "sqs:GetQueueUrl", queue->dead_letter_arn);
        return;
    } else {
        pm_text_copy(url, sizeof url, doctor->blocking.key);
    }
    if (pm_blocking_queue(&doctor->blocking, sqs, url, &facts) != PM_OK) {
        tell_failed(doctor, subject, "sqs:GetQueueAttributes and sqs:SendMessage",
                    queue->dead_letter_arn[0] != '\0' ? queue->dead_letter_arn : url);
        return;
    }
    tell(doctor, PM_FINDING_GOOD, subject, NULL, "%s: %lld waiting", url, (long long)facts.messages);
    if (facts.messages > 0)
        tell(doctor, PM_FINDING_WARNING, subject, "`pixmill dlq list` shows why", "%lld dead %s",
             (long long)facts.messages, facts.messages == 1 ? "message" : "messages");
    if (facts.fifo != queue->fifo)
        tell(doctor, PM_FINDING_BAD, subject,
             "a FIFO queue needs a FIFO dead-letter queue, and a standard one a standard one",
             "one of the queue and its dead-letter queue is FIFO, the other is not");
}

static void look_at_trigger(Doctor *doctor)
{
    static const char subject[] = "trigger.sqs";
    const PmSqsTrigger *config = pm_sqs_trigger(doctor->pipeline);
    const PmLimits *limits = &doctor->pipeline->limits;
    PmQueueFacts facts;
    PmSqs *sqs = pm_aws_session_sqs(doctor->blocking.session, config->queue_url, config->region, config->endpoint_url,
                                    &doctor->blocking.err);
    if (sqs == NULL) {
        tell(doctor, PM_FINDING_BAD, subject, doctor->blocking.err.hint, "%s", doctor->blocking.err.message);
        return;
    }
    if (pm_blocking_queue(&doctor->blocking, sqs, NULL, &facts) != PM_OK) {
        tell_failed(doctor, subject,
                    "sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage and "
                    "sqs:ChangeMessageVisibility",
                    config->queue_url);
    } else {
        tell(doctor, PM_FINDING_GOOD, subject, NULL, "%s: %lld waiting, %lld at work, %lld delayed%s",
             config->queue_url, (long long)facts.messages, (long long)facts.in_flight, (long long)facts.delayed,
             facts.fifo ? ", FIFO" : "");
        if (facts.visibility_timeout_s * INT64_C(1000) < VISIBILITY_FACTOR * limits->wall_time)
            tell(doctor, PM_FINDING_WARNING, subject,
                 "a timeout of twice limits.wall_time or more makes that rare: it is extended while a job runs, but a "
                 "worker that is lost should not be declared so early",
                 "the visibility timeout, %d s, is below twice limits.wall_time", facts.visibility_timeout_s);
        if (facts.max_receive_count > 0 && facts.max_receive_count < RECEIVES_LEAST)
            tell(doctor, PM_FINDING_WARNING, subject, "3 to 5 leave room for an outage or two",
                 "maxReceiveCount is %d: one interrupted job and a good image is a dead letter",
                 facts.max_receive_count);
        look_at_dead_letters(doctor, sqs, &facts);
    }
    pm_sqs_free(sqs);
}

static void look_at_notify(Doctor *doctor)
{
    PmQueueFacts facts;
    const char *url = ((const PmSqsNotify *)doctor->pipeline->notify.config)->queue_url;
    PmSqs *sqs = pm_aws_session_sqs(doctor->blocking.session, url, NULL, NULL, &doctor->blocking.err);
    if (sqs == NULL)
        tell(doctor, PM_FINDING_BAD, "notify.sqs", doctor->blocking.err.hint, "%s", doctor->blocking.err.message);
    else if (pm_blocking_queue(&doctor->blocking, sqs, NULL, &facts) != PM_OK)
        tell_failed(doctor, "notify.sqs", "sqs:SendMessage and sqs:GetQueueAttributes", url);
    else
        tell(doctor, PM_FINDING_GOOD, "notify.sqs", NULL, "%s is there", url);
    pm_sqs_free(sqs);
}

/* --- buckets --- */

static void look_at_source(Doctor *doctor, const PmS3Source *source)
{
    static const char subject[] = "source.s3";
    PmS3 *s3 = pm_aws_session_s3_of_source(doctor->blocking.session, source, &doctor->blocking.err);
    const char *prefix = source->prefix != NULL ? source->prefix : "";
    for (size_t i = 0; s3 != NULL && i < source->buckets.count; i++) {
        const char *bucket = source->buckets.items[i];
        char resource[1400], key[1200], list[300];
        snprintf(resource, sizeof resource, "arn:aws:s3:::%s/%s*", bucket, prefix);
        snprintf(list, sizeof list, "arn:aws:s3:::%s", bucket);
        if (pm_blocking_list(&doctor->blocking, s3, bucket, prefix) != PM_OK) {
            tell_failed(doctor, subject, "s3:ListBucket (which distinguishes a missing object from a forbidden one)",
                        list);
            continue;
        }
        pm_text_copy(key, sizeof key, doctor->blocking.key);
        if (key[0] == '\0') {
            tell(doctor, PM_FINDING_GOOD, subject, NULL, "s3://%s/%s is there, and empty: reading was not tried",
                 bucket, prefix);
        } else if (pm_blocking_head(&doctor->blocking, s3, bucket, key) != PM_OK) {
            tell_failed(doctor, subject, "s3:GetObject and s3:GetObjectVersion", resource);
        } else {
            tell(doctor, PM_FINDING_GOOD, subject, NULL, "s3://%s/%s can be read", bucket, prefix);
        }
    }
}

/* A probe is written where nothing is, refused where it is, and taken away. */
static void look_at_place(Doctor *doctor, const PmPlace *place, const char *subject)
{
    const PmS3Place *config = place->config;
    PmBlockingCall *blocking = &doctor->blocking;
    PmS3 *s3 = pm_aws_session_s3_of_place(blocking->session, config, &blocking->err);
    char key[1200], resource[1400];
    snprintf(key, sizeof key, "%spixmill-doctor-%d-%08x", pm_template_prefix(place->key), (int)getpid(),
             pm_retry_random(UINT32_MAX));
    snprintf(resource, sizeof resource, "arn:aws:s3:::%s/%s*", config->bucket, pm_template_prefix(place->key));
    if (s3 == NULL) {
        tell(doctor, PM_FINDING_BAD, subject, blocking->err.hint, "%s", blocking->err.message);
        return;
    }
    static const char *const sse[] = {NULL, "AES256", "aws:kms"};
    PmS3Put put = {.bucket = config->bucket,
                   .key = key,
                   .bytes = "pixmill doctor",
                   .size = 14,
                   .content_type = "text/plain",
                   .storage_class = config->storage_class,
                   .sse = sse[config->sse],
                   .kms_key_id = config->kms_key_id,
                   .bucket_key = config->bucket_key,
                   .acl = config->acl,
                   .if_none_match = true};
    if (pm_blocking_put(blocking, s3, &put) != PM_OK) {
        char actions[200];
        snprintf(actions, sizeof actions, "s3:PutObject%s%s",
                 config->acl != NULL && config->acl[0] != '\0' ? ", s3:PutObjectAcl" : "",
                 config->sse == 2 ? " (and kms:GenerateDataKey on the key)" : "");
        tell_failed(doctor, subject, actions, resource);
        return;
    }
    pm_blocking_put(blocking, s3, &put);
    bool conditional = blocking->outcome == PM_S3_PRECONDITION;
    if (pm_blocking_head(blocking, s3, config->bucket, key) != PM_OK)
        tell_failed(doctor, subject, "s3:GetObject (to see whether a rendition is current)", resource);
    if (pm_blocking_remove(blocking, s3, config->bucket, key) != PM_OK)
        tell(doctor, PM_FINDING_WARNING, subject, "only `doctor` needs s3:DeleteObject; remove the probe by hand",
             "the probe s3://%s/%s could not be deleted", config->bucket, key);
    tell(doctor, PM_FINDING_GOOD, subject, NULL, "s3://%s/%s can be written", config->bucket,
         pm_template_prefix(place->key));
    if (!conditional)
        tell(doctor, PM_FINDING_WARNING, subject, "order is then kept as far as a look before each write can",
             "the store ignores If-None-Match: it has no conditional writes");
}

static bool same_place(const PmPlace *a, const PmPlace *b)
{
    const PmS3Place *x = a->config, *y = b->config;
    return b->kind == &pm_kind_s3 && strcmp(x->bucket, y->bucket) == 0 &&
           strcmp(pm_template_prefix(a->key), pm_template_prefix(b->key)) == 0;
}

static void look_at_places(Doctor *doctor)
{
    const PmPipeline *p = doctor->pipeline;
    for (size_t i = 0; i < p->output_count; i++) {
        bool seen = p->outputs[i].to.kind != &pm_kind_s3;
        for (size_t k = 0; k < i && !seen; k++) seen = same_place(&p->outputs[i].to, &p->outputs[k].to);
        if (!seen) look_at_place(doctor, &p->outputs[i].to, p->outputs[i].where);
    }
    if (p->quarantine.kind == &pm_kind_s3) look_at_place(doctor, &p->quarantine, PM_KEY_QUARANTINE);
}

/* --- what each connector looks at --- */

typedef struct Visit {
    bool good; /* there are credentials */
} Visit;

/* Credentials are looked at once, by who comes first. */
static void *open_visit(PmContext *context, PmError *err)
{
    (void)context;
    Visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL) pm_error_set(err, PM_TRANSIENT, "out of memory");
    return visit;
}

static const PmFamily visits = {.open = open_visit, .close = free};

static bool begin(Doctor *doctor, PmDoctor *base)
{
    bool first = base->looked++ == 0;
    *doctor = (Doctor){.base = base, .pipeline = base->pipeline};
    PmAwsSession *session = pm_aws_session_of(&base->context, &base->err);
    Visit *visit = session != NULL ? pm_context_part(&base->context, &visits, &base->err) : NULL;
    if (visit == NULL) return false;
    pm_blocking_with(&doctor->blocking, base->context.loop, session);
    if (!first) return visit->good;
    visit->good = pm_blocking_credentials(&doctor->blocking) == PM_OK;
    if (visit->good)
        tell(doctor, PM_FINDING_GOOD, "credentials", NULL, "from %s", doctor->blocking.key);
    else
        tell(doctor, PM_FINDING_BAD, "credentials", doctor->blocking.err.hint, "%s", doctor->blocking.err.message);
    return visit->good;
}

void pm_s3_doctor(PmDoctor *base)
{
    const PmPipeline *pipeline = base->pipeline;
    const PmS3Source *source = pm_s3_source(pipeline);
    bool places = pipeline->quarantine.kind == &pm_kind_s3;
    Doctor doctor;
    for (size_t i = 0; i < pipeline->output_count; i++) places = places || pipeline->outputs[i].to.kind == &pm_kind_s3;
    if ((source == NULL && !places) || !begin(&doctor, base)) return;
    if (source != NULL) look_at_source(&doctor, source);
    if (places) look_at_places(&doctor);
}

void pm_sqs_doctor(PmDoctor *base)
{
    bool queue = pm_sqs_trigger(base->pipeline) != NULL, notify = base->pipeline->notify.kind == &pm_kind_sqs;
    Doctor doctor;
    if ((!queue && !notify) || !begin(&doctor, base)) return;
    if (queue) look_at_trigger(&doctor);
    if (notify) look_at_notify(&doctor);
}

void pm_aws_call_doctor(PmDoctor *base, const char *url)
{
    Doctor doctor;
    const PmAwsPluginCall *call = pm_aws_plugin_call(url, &base->err);
    if (call == NULL || !begin(&doctor, base)) return;
    if (pm_blocking_plugin_call(&doctor.blocking, call) != PM_OK)
        tell_failed(&doctor, url, call->action, "*");
    else
        tell(&doctor, PM_FINDING_GOOD, url, NULL, "may be called");
}
