/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends a message to the dead-letter queue until it is there. Hides the retries, and what is sent when the queue
 * refuses the message as it is: first with the reason alone, then with a shorter body that names the same objects.
 */
#ifndef PM_CONNECTORS_AWS_DEAD_LETTER_SEND_H
#define PM_CONNECTORS_AWS_DEAD_LETTER_SEND_H

#include "connectors/aws/queue_message.h"

typedef struct PmDeadLetterSend PmDeadLetterSend;

/* All borrowed until `done`. */
typedef struct PmDeadLetterToSend {
    const char *dead_letter_url;
    const PmPipeline *pipeline;
    const PmEvent *event;
    const PmFate *fate; /* its reason is set */
    const char *body;
    const char *source;   /* label of the object, or "" */
    const char *queue;    /* where the message came from */
    const char *group_id; /* the message's own, or NULL */
} PmDeadLetterToSend;

typedef void PmDeadLetterSent(void *data, const PmError *err);

/* `done` comes once, never from here: err NULL, or why it could not be sent in any form. New; NULL: out of memory. */
PmDeadLetterSend *pm_dead_letter_send(PmLoop *loop, PmSqs *sqs, const PmDeadLetterToSend *message,
                                      PmDeadLetterSent *done, void *data);
void pm_dead_letter_send_cancel(PmDeadLetterSend *send); /* NULL is fine */

#endif
