/* SPDX-License-Identifier: Apache-2.0
 *
 * What a queue's message asks for: its upload events judged by the pipeline's allow-list, as objects to work on. Pure.
 */
#ifndef PM_CONNECTORS_AWS_QUEUE_MESSAGE_H
#define PM_CONNECTORS_AWS_QUEUE_MESSAGE_H

#include "aws/events.h"
#include "aws/sqs.h"
#include "connectors/aws/settings.h"
#include "connectors/trigger.h"

/* Which events count and how they are written: trigger.sqs's words, or trigger.lambda's where it has some. */
typedef struct PmQueueMessageRules {
    const PmPipeline *pipeline; /* borrowed */
    PmList events;              /* globs; none: all that create objects */
    PmKeyEncoding key_encoding;
} PmQueueMessageRules;
PmQueueMessageRules pm_queue_message_rules(const PmPipeline *pipeline, bool in_lambda);

/* Whether source.s3 allows this object; err, PM_BAD_INPUT, when not. */
bool pm_queue_message_allows(const PmPipeline *pipeline, const char *bucket, const char *key, PmError *err);

/* Reads a message's body into event->objects and count. Records of other kinds of events and all but the newest of one
 * key are left out. event->error is set, PM_BAD_INPUT, when the body is not an upload event or a record names an object
 * that source.s3 does not allow; objects that it does allow are there nonetheless. false: out of memory. */
bool pm_queue_message_read(const PmQueueMessageRules *rules, const char *body, size_t size, PmEvent *event);

/* The reason that a dead letter is filed under: "plugin_crash:watermark:SIGSEGV", "rejected", "limit". */
const char *pm_dead_letter_reason(const PmFate *fate);

/* A dead letter: the message as it came, with the reason as attributes. `send` points into this struct and into what it
 * was made of. */
typedef struct PmDeadLetterMessage {
    PmSqsSend send;
    PmNameValue attributes[10];
    char attempts[16], message[1024], where[256], step[160], plugin[160], short_source[1200];
} PmDeadLetterMessage;

/* What of it is sent. */
typedef enum PmDeadLetterForm {
    PM_DEAD_LETTER_WHOLE,  /* the body as it came, everything that is known of the reason */
    PM_DEAD_LETTER_REASON, /* the body as it came; of the reason the kind and a short message, so that all is below 1
                              MiB */
    PM_DEAD_LETTER_CLAIM   /* a body of our own instead (pm_dead_letter_claim), the reason as before */
} PmDeadLetterForm;
/* Whether a body leaves room for all attributes. */
bool pm_dead_letter_fits(const char *body);

/* All borrowed for as long as `send` is used. fate->reason is set. source: label of the object, or "". queue: where the
 * message came from. group_id: the message's own, or NULL; dead_letter_url tells whether one is needed. */
void pm_dead_letter_make(PmDeadLetterMessage *dead, const char *dead_letter_url, const PmPipeline *pipeline,
                         const PmEvent *event, const PmFate *fate, PmDeadLetterForm form, const char *body,
                         const char *source, const char *queue, const char *group_id);

/* A short event that names the same objects as a body that cannot be sent, so that a redrive does the same work, with
 * the body's size, SHA-256 and beginning beside them. New string; NULL: out of memory. */
char *pm_dead_letter_claim(const PmPipeline *pipeline, const PmEvent *event, const char *body);

#endif
