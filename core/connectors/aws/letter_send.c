/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/letter_send.h"

#include <stdlib.h>
#include <string.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "net/retry.h"

enum { TRIES = 5 };

struct PmLetterSend {
    PmLoop *loop;
    PmSqs *sqs;
    PmLetterToSend letter;
    PmLetterForm form;
    char *claim; /* owned; the shorter body */
    PmSqsCall *call;
    PmTimer *timer;
    int tries;
    PmLetterSent *done;
    void *data;
};

static void try_send(void *data);

static void finish(PmLetterSend *send, const PmError *err)
{
    PmLetterSent *done = send->done;
    void *data = send->data;
    PmError copy = err != NULL ? *err : (PmError){0};
    pm_letter_send_cancel(send);
    done(data, err != NULL ? &copy : NULL);
}

static void log_failure(const PmLetterSend *send, const PmError *err)
{
    static const char *const next[] = {"the reason alone is sent with it",
                                       "a shorter body that names the same objects is sent",
                                       "it stays in its own queue"};
    char text[1200];
    pm_error_format(err, text, sizeof text);
    pm_log(PM_LOG_ERROR, "queue.dead_letter", "message", send->letter.event->id, "queue", send->letter.dead_letter_url,
           "next", err->status == PM_TRANSIENT ? "again later" : next[send->form], "msg", text, NULL);
}

static void on_sent(void *data, const PmError *err)
{
    PmLetterSend *send = data;
    send->call = NULL;
    if (err == NULL) {
        PM_CRASH_POINT("sqs.dead_letter_sent");
        finish(send, NULL);
        return;
    }
    log_failure(send, err);
    if (err->status == PM_TRANSIENT && ++send->tries < TRIES) {
        send->timer = pm_loop_after(send->loop, pm_retry_delay_ms(send->tries), try_send, send);
    } else if (err->status != PM_TRANSIENT && send->form < PM_LETTER_CLAIM) {
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
    PmLetterSend *send = data;
    const PmLetterToSend *letter = &send->letter;
    PmDeadMessage dead;
    PmError err = {0};
    send->timer = NULL;
    if (send->form == PM_LETTER_CLAIM && send->claim == NULL)
        send->claim = pm_letter_claim(letter->pipeline, letter->event, letter->body);
    const char *body = send->form == PM_LETTER_CLAIM ? send->claim : letter->body;
    if (body != NULL) {
        pm_letter_bury(&dead, letter->dead_letter_url, letter->pipeline, letter->event, letter->fate, send->form, body,
                       letter->source, letter->queue, letter->group_id);
        PM_CRASH_POINT("sqs.dead_letter_next");
        send->call = pm_sqs_send(send->sqs, &dead.send, on_sent, send, &err);
        PM_CRASH_POINT("sqs.dead_letter_under_way");
    } else {
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
    }
    if (send->call == NULL) on_sent(send, &err);
}

PmLetterSend *pm_letter_send(PmLoop *loop, PmSqs *sqs, const PmLetterToSend *letter, PmLetterSent *done, void *data)
{
    PmLetterSend *send = calloc(1, sizeof *send);
    if (send == NULL) return NULL;
    *send = (PmLetterSend){.loop = loop,
                           .sqs = sqs,
                           .letter = *letter,
                           .form = pm_letter_fits(letter->body) ? PM_LETTER_WHOLE : PM_LETTER_REASON,
                           .done = done,
                           .data = data};
    send->timer = pm_loop_after(loop, 0, try_send, send);
    if (send->timer != NULL) return send;
    free(send);
    return NULL;
}

void pm_letter_send_cancel(PmLetterSend *send)
{
    if (send == NULL) return;
    pm_loop_cancel(send->timer);
    pm_sqs_cancel(send->call);
    free(send->claim);
    free(send);
}
