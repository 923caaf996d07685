/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/notifier_sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"

typedef struct SqsNotifier {
    PmNotifier base;
    PmSqs *sqs; /* owned */
    bool fifo;
    size_t count;
} SqsNotifier;

struct PmNotifierCall {
    PmSqsCall *send;
    PmNotified *done;
    void *data;
};

static void on_sent(void *data, const PmError *err)
{
    PmNotifierCall *call = data;
    PmNotified *done = call->done;
    void *whom = call->data;
    PM_CRASH_POINT("notify.sent");
    free(call);
    done(whom, err);
}

static PmNotifierCall *send(PmNotifier *base, const PmObject *object, const char *record, PmNotified *done, void *data,
                            PmError *err)
{
    SqsNotifier *notifier = (SqsNotifier *)base;
    PmNotifierCall *call = calloc(1, sizeof *call);
    (void)object;
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *call = (PmNotifierCall){.done = done, .data = data};
    char id[64]; /* each record is one of its own, whatever it says */
    snprintf(id, sizeof id, "%lld-%d-%zu", (long long)pm_clock_wall_ms(), (int)getpid(), ++notifier->count);
    PmSqsSend message = {
        .body = record, .group_id = notifier->fifo ? "pixmill" : NULL, .deduplication_id = notifier->fifo ? id : NULL};
    PM_CRASH_POINT("notify.next");
    call->send = pm_sqs_send(notifier->sqs, &message, on_sent, call, err);
    PM_CRASH_POINT("notify.under_way");
    if (call->send != NULL) return call;
    free(call);
    return NULL;
}

static void cancel(PmNotifier *base, PmNotifierCall *call)
{
    (void)base;
    if (call == NULL) return;
    pm_sqs_cancel(call->send);
    free(call);
}

static void free_notifier(PmNotifier *base)
{
    SqsNotifier *notifier = (SqsNotifier *)base;
    pm_sqs_free(notifier->sqs);
    free(notifier);
}

PmNotifier *pm_notifier_sqs_new(PmAwsSession *session, const PmPlace *place, PmError *err)
{
    static const PmNotifierOps ops = {.send = send, .cancel = cancel, .free = free_notifier};
    const char *url = ((const PmSqsNotify *)place->config)->queue_url;
    SqsNotifier *notifier = calloc(1, sizeof *notifier);
    if (notifier == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    notifier->base = (PmNotifier){.ops = &ops, .name = url};
    notifier->fifo = pm_sqs_is_fifo(url);
    notifier->sqs = pm_aws_session_sqs(session, url, NULL, NULL, err);
    if (notifier->sqs != NULL) return &notifier->base;
    free_notifier(&notifier->base);
    return NULL;
}
