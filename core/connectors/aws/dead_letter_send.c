/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/dead_letter_send.h"

#include <stdlib.h>
#include <string.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "net/retry.h"

enum { TRIES = 5 };

struct PmDeadLetterSend {
    PmLoop *loop;
    PmSqs *sqs;
    PmDeadLetterToSend message;
    PmDeadLetterForm form;
    char *claim; /* owned; the shorter body */
    PmSqsCall *call;
    PmTimer *timer;
    int tries;
    PmDeadLetterSent *done;
    void *data;
};

static void try_send(void *data);

static void finish(PmDeadLetterSend *send, const PmError *err)
{
    PmDeadLetterSent *done = send->done;
    void *data = send->data;
    PmError copy = err != NULL ? *err : (PmError){0};
    pm_dead_letter_send_cancel(send);
    done(data, err != NULL ? &copy : NULL);
}

static void log_failure(const PmDeadLetterSend *send, const PmError *err)
{
    static const char *const next[] = {"the reason alone is sent with it",
                                       "a shorter body that names the same objects is sent",
                                       "it stays in its own queue"};
    char text[1200];
    pm_error_format(err, text, sizeof text);
    pm_log(PM_LOG_ERROR, "queue.dead_letter", "message", send->message.event->id, "queue",
           send->message.dead_letter_url, "next", err->status == PM_TRANSIENT ? "again later" : next[send->form], "msg",
           text, NULL);
}

static void on_sent(void *data, const PmError *err)
{
    PmDeadLetterSend *send = data;
    send->call = NULL;
    if (err == NULL) {
        PM_CRASH_POINT("sqs.dead_letter_sent");
        finish(send, NULL);
        return;
    }
    log_failure(send, err);
    if (err->status == PM_TRANSIENT && ++send->tries < TRIES) {
        send->timer = pm_loop_after(send->loop, pm_retry_delay_ms(send->tries), try_send, send);
    } else if (err->status != PM_TRANSIENT && send->form < PM_DEAD_LETTER_CLAIM) {
        send->form++;
        send->timer = pm_loop_after(send->loop, 0, try_send, send);
    } else {
        finish(send, err);
        return;
    }
    if (send->timer == NULL) finish(send, err);
}

static void try_send(void *data)
{
    PmDeadLetterSend *send = data;
    const PmDeadLetterToSend *message = &send->message;
    PmDeadLetterMessage dead;
    PmError err = {0};
    send->timer = NULL;
    if (send->form == PM_DEAD_LETTER_CLAIM && send->claim == NULL)
        send->claim = pm_dead_letter_claim(message->pipeline, message->event, message->body);
    const char *body = send->form == PM_DEAD_LETTER_CLAIM ? send->claim : message->body;
    if (body != NULL) {
        pm_dead_letter_make(&dead, message->dead_letter_url, message->pipeline, message->event, message->fate,
                            send->form, body, message->source, message->queue, message->group_id);
        PM_CRASH_POINT("sqs.dead_letter_next");
        send->call = pm_sqs_send(send->sqs, &dead.send, on_sent, send, &err);
        PM_CRASH_POINT("sqs.dead_letter_under_way");
    } else {
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
    }
    if (send->call == NULL) on_sent(send, &err);
}

PmDeadLetterSend *pm_dead_letter_send(PmLoop *loop, PmSqs *sqs, const PmDeadLetterToSend *message,
                                      PmDeadLetterSent *done, void *data)
{
    PmDeadLetterSend *send = calloc(1, sizeof *send);
    if (send == NULL) return NULL;
    *send =
        (PmDeadLetterSend){.loop = loop,
                           .sqs = sqs,
                           .message = *message,
                           .form = pm_dead_letter_fits(message->body) ? PM_DEAD_LETTER_WHOLE : PM_DEAD_LETTER_REASON,
                           .done = done,
                           .data = data};
    send->timer = pm_loop_after(loop, 0, try_send, send);
    if (send->timer != NULL) return send;
    free(send);
    return NULL;
}

void pm_dead_letter_send_cancel(PmDeadLetterSend *send)
{
    if (send == NULL) return;
    pm_loop_cancel(send->timer);
    pm_sqs_cancel(send->call);
    free(send->claim);
    free(send);
}
