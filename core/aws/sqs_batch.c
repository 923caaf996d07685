/* SPDX-License-Identifier: Apache-2.0
 *
 * DeleteMessageBatch and ChangeMessageVisibilityBatch. Both answer 200 with Failed[]: only entries that failed through
 * no fault of the sender are sent again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sqs_internal.h"
#include "net/retry.h"

enum { ROUNDS = 3, TIMEOUT_MS = 15000 };

static PmSqsFate fate_of(const json_t *failed)
{
    static const char *const lost[] = {"MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidReceiptHandle",
                                       "InvalidParameterValue"};
    const char *code = json_string_value(json_object_get(failed, "Code"));
    const char *bare = code != NULL && strrchr(code, '.') != NULL ? strrchr(code, '.') + 1 : code;
    for (size_t i = 0; bare != NULL && i < sizeof lost / sizeof lost[0]; i++)
        if (strcmp(bare, lost[i]) == 0) return PM_SQS_LOST;
    return json_is_true(json_object_get(failed, "SenderFault")) ? PM_SQS_REFUSED : PM_SQS_AGAIN;
}

static size_t index_of(const json_t *entry, size_t count)
{
    const char *id = json_string_value(json_object_get(entry, "Id"));
    char *end = NULL;
    unsigned long i = id != NULL ? strtoul(id, &end, 10) : count;
    return id != NULL && *end == '\0' && i < count ? i : count;
}

static void finish(PmSqsCall *call, const PmError *err)
{
    PmSqsFate fates[PM_SQS_BATCH_MAX];
    memcpy(fates, call->fates, sizeof fates);
    PmSqsBatchResult result = {.err = err, .fates = fates, .count = call->count};
    PmSqsBatchDone *done = (PmSqsBatchDone *)call->done;
    void *data = call->data;
    pm_sqs_cancel(call);
    done(data, &result);
}

static void again(void *data)
{
    PmSqsCall *call = data;
    PmError err = {0};
    call->timer = NULL;
    if (!pm_sqs_call_send(call, TIMEOUT_MS, &err)) finish(call, &err);
}

/* Keeps in the request only the entries that are worth another try; how many. */
static size_t keep_failed(PmSqsCall *call)
{
    json_t *entries = json_object_get(call->request, "Entries");
    for (size_t i = json_array_size(entries); i-- > 0;) {
        size_t at = index_of(json_array_get(entries, i), call->count);
        if (at == call->count || call->fates[at] != PM_SQS_AGAIN) json_array_remove(entries, i);
    }
    return json_array_size(entries);
}

static void on_batch(PmSqsCall *call, const PmError *err, const PmAwsResponse *response)
{
    (void)response;
    if (err != NULL) {
        finish(call, err);
        return;
    }
    const json_t *done = json_object_get(call->answer, "Successful"), *failed = json_object_get(call->answer, "Failed");
    for (size_t i = 0; i < json_array_size(done); i++) {
        size_t at = index_of(json_array_get(done, i), call->count);
        if (at < call->count) call->fates[at] = PM_SQS_DONE;
    }
    for (size_t i = 0; i < json_array_size(failed); i++) {
        size_t at = index_of(json_array_get(failed, i), call->count);
        if (at < call->count) call->fates[at] = fate_of(json_array_get(failed, i));
    }
    if (keep_failed(call) > 0 && ++call->round < ROUNDS) {
        call->timer = pm_loop_after(call->sqs->loop, pm_retry_delay_ms(call->round), again, call);
        if (call->timer != NULL) return;
    }
    finish(call, NULL);
}

static PmSqsCall *start(PmSqs *sqs, const char *operation, const PmSqsEntry *entries, size_t count, bool visibility,
                        PmSqsBatchDone *done, void *data, PmError *err)
{
    if (count < 1 || count > PM_SQS_BATCH_MAX) {
        pm_error_set(err, PM_BUG, "a batch has 1 to 10 entries, not %zu", count);
        return NULL;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        char id[8];
        snprintf(id, sizeof id, "%zu", i);
        json_t *entry = json_pack("{ssss}", "Id", id, "ReceiptHandle", entries[i].receipt_handle);
        if (visibility) entry = pm_sqs_with(entry, "VisibilityTimeout", json_integer(entries[i].visibility_s));
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            pm_error_set(err, PM_TRANSIENT, "out of memory");
            return NULL;
        }
    }
    json_t *request = json_pack("{ssso}", "QueueUrl", sqs->queue_url, "Entries", list);
    PmSqsCall *call = pm_sqs_call_new(sqs, operation, request, on_batch, data, err);
    if (call == NULL) return NULL;
    call->done = (void (*)(void))done;
    call->count = count;
    for (size_t i = 0; i < count; i++) call->fates[i] = PM_SQS_AGAIN; /* an entry that no answer mentions */
    return pm_sqs_call_start(call, TIMEOUT_MS, err);
}

PmSqsCall *pm_sqs_delete(PmSqs *sqs, const PmSqsEntry *entries, size_t count, PmSqsBatchDone *done, void *data,
                         PmError *err)
{
    return start(sqs, "DeleteMessageBatch", entries, count, false, done, data, err);
}

PmSqsCall *pm_sqs_change_visibility(PmSqs *sqs, const PmSqsEntry *entries, size_t count, PmSqsBatchDone *done,
                                    void *data, PmError *err)
{
    return start(sqs, "ChangeMessageVisibilityBatch", entries, count, true, done, data, err);
}
